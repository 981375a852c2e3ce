#!/usr/bin/env python3
"""Makes the pictures beside it, and what Pillow and torchvision's usual steps make of them.

    python locp/tests/data/make_pictures.py

pictures.npy has them in the order of their paths, as a model of 3 x 32 x 32 takes them by `--preprocess imagenet`:
the shorter side resized to 36 pixels (32 / 0.875, rounded down), the middle of 32 x 32, normalized.
"""

from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
SIZE, LARGE = 32, 36


def picture(height, width):
    y, x = np.mgrid[0:height, 0:width]
    waves = (np.sin(x / 9 + y / 17), np.cos(x / 5), np.sin(y / 7))
    return np.stack([127 + 100 * wave for wave in waves], -1).astype(np.uint8)


def prepared(path):
    image = Image.open(path).convert("RGB")
    scale = LARGE / min(image.size)
    image = image.resize([int(side * scale + 1e-6) for side in image.size], Image.BILINEAR)
    left, top = (round((side - SIZE) / 2) for side in image.size)
    pixels = np.asarray(image.crop((left, top, left + SIZE, top + SIZE)), np.float32) / 255
    normal = (pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    return normal.transpose(2, 0, 1).astype(np.float32)


folder = HERE / "pictures"
(folder / "more").mkdir(parents=True, exist_ok=True)
Image.fromarray(picture(60, 80)).save(folder / "color.png")
Image.fromarray(picture(91, 57)).save(folder / "more" / "color.JPG", format="JPEG", quality=92)
Image.fromarray(picture(20, 24)[..., 0]).save(folder / "more" / "gray.jpeg", quality=92)
Image.fromarray(picture(50, 40)).convert("P").save(folder / "more" / "palette.png")
opaque = np.full((45, 70, 1), 255, np.uint8)
Image.fromarray(np.concatenate([picture(45, 70), opaque], -1)).save(folder / "transparency.png")
(folder / "notes.txt").write_text("No picture, and passed over.\n")
paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
np.save(HERE / "pictures.npy", np.stack([prepared(path) for path in paths]))
print(*paths, sep="\n")
