#!/usr/bin/env python3
"""Trains the small Fashion-MNIST network that LOCP's tests and examples prune.

    python -m venv venv && venv/bin/pip install -r models/requirements.txt
    apt-get install dataset-fashion-mnist             # or pass --data DIR
    venv/bin/python models/train_fashion.py --bf16    # about 17 minutes on an idle core

It writes, next to itself: fashion.onnx, fashion.json, test_images.npy,
test_labels.npy and calib_images.npy (README.md says what each is).
With --checkpoint FILE the trained weights are kept, and a second run with the
same file and --export-only writes everything again without training.
"""

import argparse
import copy
import gzip
import hashlib
import json
import random
import struct
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

HERE = Path(__file__).resolve().parent
CLASSES = 10


# ---------------------------------------------------------------- data


def read_idx(path):
    with gzip.open(path, "rb") as f:
        raw = f.read()
    zero, kind, rank = struct.unpack(">HBB", raw[:4])
    if zero != 0 or kind != 8:
        raise ValueError(f"{path}: not an idx file of unsigned bytes")
    shape = struct.unpack(f">{rank}I", raw[4 : 4 + 4 * rank])
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape).copy()


def load_split(folder, split):
    images = read_idx(folder / f"{split}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{split}-labels-idx1-ubyte.gz")
    return np.ascontiguousarray(images[:, None]), labels.astype(np.int64)


def balanced(labels, n, rng):
    """Sorted indices of n examples, the same number from every class."""
    per_class = n // CLASSES
    picked = [
        rng.choice(np.flatnonzero(labels == c), per_class, replace=False)
        for c in range(CLASSES)
    ]
    rest = n - per_class * CLASSES
    if rest:
        left = np.setdiff1d(np.arange(len(labels)), np.concatenate(picked))
        picked.append(rng.choice(left, rest, replace=False))
    return np.sort(np.concatenate(picked))


# ---------------------------------------------------------------- network


class ConvBn(nn.Module):
    def __init__(self, c_in, c_out, kernel, stride=1, groups=1, act=True):
        super().__init__()
        self.conv = nn.Conv2d(
            c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False
        )
        self.bn = nn.BatchNorm2d(c_out)
        self.act = act

    def forward(self, x):
        x = self.conv(x)
        if self.bn is not None:
            x = self.bn(x)
        return F.relu(x) if self.act else x

    def fold(self):
        self.conv = fuse_conv_bn_eval(self.conv, self.bn)
        self.bn = None


class Basic(nn.Module):
    """Residual basic block; its inner channels are what gets pruned."""

    def __init__(self, c_in, inner, c_out, stride=1):
        super().__init__()
        self.conv1 = ConvBn(c_in, inner, 3, stride)
        self.conv2 = ConvBn(inner, c_out, 3, act=False)
        self.skip = (
            ConvBn(c_in, c_out, 1, stride, act=False)
            if stride != 1 or c_in != c_out
            else None
        )

    def forward(self, x):
        skip = x if self.skip is None else self.skip(x)
        return F.relu(self.conv2(self.conv1(x)) + skip)


class Inverted(nn.Module):
    """Inverted residual: 1x1 expand, 3x3 depthwise, 1x1 project, skip."""

    def __init__(self, c, inner):
        super().__init__()
        self.expand = ConvBn(c, inner, 1)
        self.depthwise = ConvBn(inner, inner, 3, groups=inner)
        self.project = ConvBn(inner, c, 1, act=False)

    def forward(self, x):
        return x + self.project(self.depthwise(self.expand(x)))


class Branches(nn.Module):
    """Three parallel branches, concatenated, then one convolution."""

    def __init__(self, c_in, c_out, a, b_in, b, c_in_, c):
        super().__init__()
        self.a = ConvBn(c_in, a, 1)
        self.b1 = ConvBn(c_in, b_in, 1)
        self.b2 = ConvBn(b_in, b, 3)
        self.c1 = ConvBn(c_in, c_in_, 1)
        self.c2 = ConvBn(c_in_, c, 5)
        self.merge = ConvBn(a + b + c, c_out, 1)

    def forward(self, x):
        parts = [self.a(x), self.b2(self.b1(x)), self.c2(self.c1(x))]
        return self.merge(torch.cat(parts, 1))


class FashionNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = ConvBn(1, 32, 3)  # 28x28, then a 2x2 max pool
        self.block1 = Basic(32, 64, 32)  # 14x14
        self.block2 = Basic(32, 128, 64, stride=2)  # 7x7
        self.block3 = Basic(64, 128, 64)
        self.inverted = Inverted(64, 192)
        self.branches = Branches(64, 64, 48, 48, 64, 16, 32)
        self.block4 = Basic(64, 224, 128, stride=2)  # 4x4
        self.fc = nn.Linear(128, CLASSES)

    def forward(self, x):
        x = F.max_pool2d(self.stem(x), 2)
        x = self.block3(self.block2(self.block1(x)))
        x = self.branches(self.inverted(x))
        x = F.adaptive_avg_pool2d(self.block4(x), 1)
        return self.fc(torch.flatten(x, 1))


def describe(model, image=(1, 1, 28, 28)):
    """One row per weighted layer, and the multiply-accumulates of one image."""
    rows, hooks = [], []

    def hook(name):
        def run(module, inputs, output):
            x = inputs[0]
            w = module.weight
            positions = output[0, 0].numel() if output.dim() == 4 else 1
            rows.append(
                {
                    "name": name,
                    "weight": list(w.shape),
                    "groups": getattr(module, "groups", 1),
                    "in": list(x.shape[1:]),
                    "out": list(output.shape[1:]),
                    "macs": w.numel() * positions,
                }
            )

        return run

    for name, module in model.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            hooks.append(module.register_forward_hook(hook(name)))
    with torch.no_grad():
        model(torch.zeros(image))
    for h in hooks:
        h.remove()
    return rows, sum(r["macs"] for r in rows)


# ---------------------------------------------------------------- training


def augment(x, generator):
    """Random horizontal flip and random crop after padding by 2."""
    n, _, h, w = x.shape
    padded = F.pad(x, (2, 2, 2, 2))
    dy = torch.randint(0, 5, (n, 1), generator=generator)
    dx = torch.randint(0, 5, (n, 1), generator=generator)
    flip = torch.rand(n, 1, generator=generator) < 0.5
    rows = dy + torch.arange(h)
    cols = torch.arange(w)
    cols = dx + torch.where(flip, w - 1 - cols, cols)
    picked = padded[torch.arange(n)[:, None, None], 0, rows[:, :, None], cols[:, None, :]]
    return picked[:, None]


def predict(model, images, batch=500):
    model.eval()
    with torch.no_grad():
        return torch.cat(
            [
                model(torch.from_numpy(images[i : i + batch]).float() / 255.0).argmax(1)
                for i in range(0, len(images), batch)
            ]
        ).numpy()


def train(args, model, train_x, train_y, test_x, test_y):
    model = model.to(memory_format=torch.channels_last)
    decay = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.SGD(
        [{"params": decay, "weight_decay": 5e-4}, {"params": plain, "weight_decay": 0}],
        lr=args.lr,
        momentum=0.9,
        nesterov=True,
    )
    steps = len(train_x) // args.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, args.lr, total_steps=args.epochs * steps, pct_start=0.2
    )
    generator = torch.Generator().manual_seed(args.seed)
    x_all, y_all = torch.from_numpy(train_x), torch.from_numpy(train_y)
    seconds = []
    for epoch in range(args.epochs):
        model.train()
        start, total = time.time(), 0.0
        order = torch.randperm(len(x_all), generator=generator)
        for step in range(steps):
            idx = order[step * args.batch : (step + 1) * args.batch]
            x = augment(x_all[idx], generator).float() / 255.0
            x = x.contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
                logits = model(x)
            loss = F.cross_entropy(logits.float(), y_all[idx], label_smoothing=0.1)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
            if step % 50 == 49:
                spent = time.time() - start
                print(
                    f"  epoch {epoch + 1} step {step + 1}/{steps} loss {total / (step + 1):.4f}"
                    f" {spent / (step + 1):.3f} s/step",
                    flush=True,
                )
            if args.max_steps and step + 1 >= args.max_steps:
                sys.exit("stopped by --max-steps")
        seconds.append(time.time() - start)
        # A glance at the test split for the log; nothing is chosen by it.
        top1 = (predict(model, test_x[:2000]) == test_y[:2000]).mean()
        print(
            f"epoch {epoch + 1}/{args.epochs}: loss {total / steps:.4f}, "
            f"top-1 of 2,000 {top1:.4f}, {seconds[-1]:.0f} s",
            flush=True,
        )
        if args.checkpoint:
            torch.save({"state": model.state_dict(), "seconds": seconds}, args.checkpoint)
    return model, seconds


# ---------------------------------------------------------------- export


def folded(model):
    """A copy for pixel values 0..255, BatchNorm folded into the convolutions."""
    model = copy.deepcopy(model).to(memory_format=torch.contiguous_format).double().eval()
    for module in model.modules():
        if isinstance(module, ConvBn):
            module.fold()
    with torch.no_grad():
        # The stem is linear and pads with zeros, so scaling its weights is exactly
        # the same function as scaling its input; done in f64, rounded once.
        model.stem.conv.weight /= 255.0
    return model.float().eval()


def export(model, path):
    torch.onnx.export(
        model,
        (torch.zeros(2, 1, 28, 28),),
        str(path),
        input_names=["image"],
        output_names=["logits"],
        dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )


def onnx_logits(path, images, batch=500):
    import onnxruntime as ort

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.concatenate(
        [
            session.run(None, {"image": images[i : i + batch].astype(np.float32)})[0]
            for i in range(0, len(images), batch)
        ]
    )


def save_npy(path, array):
    with open(path, "wb") as f:
        np.lib.format.write_array(f, np.ascontiguousarray(array), version=(1, 0))


def training_arguments(parser, epochs):
    parser.add_argument("--data", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bf16", action="store_true", help="train in bfloat16 (the export is f32)")
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--max-steps", type=int, help="stop early, to time a step")


def prepare(args):
    """Seeds everything; training images and labels, test images and labels."""
    random.seed(args.seed)
    np.random.seed(args.seed)
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    train_x, train_y = load_split(args.data, "train")
    test_x, test_y = load_split(args.data, "t10k")
    return train_x, train_y, test_x, test_y


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    training_arguments(parser, epochs=10)
    parser.add_argument("--export-only", action="store_true")
    args = parser.parse_args()

    train_x, train_y, test_x, test_y = prepare(args)

    rows, macs = describe(FashionNet().eval())
    for r in rows:
        print(f"{r['name']:22} {str(r['weight']):20} {str(r['in']):14} -> {str(r['out']):14} {r['macs'] / 1e6:6.2f} M")
    print(f"{macs / 1e6:.2f} M multiply-accumulates an image", flush=True)

    if args.export_only:
        kept = torch.load(args.checkpoint)
        model, seconds = FashionNet(), kept["seconds"]
        model.load_state_dict(kept["state"])
    else:
        model, seconds = train(args, FashionNet(), train_x, train_y, test_x, test_y)

    args.out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(args.seed)
    subset = balanced(test_y, 2000, rng)
    calib = balanced(train_y, 512, rng)
    save_npy(args.out / "test_images.npy", test_x[subset])
    save_npy(args.out / "test_labels.npy", test_y[subset].astype(np.uint8))
    save_npy(args.out / "calib_images.npy", train_x[calib])

    path = args.out / "fashion.onnx"
    plain = folded(model)
    export(plain, path)

    import onnx

    onnx.checker.check_model(str(path), full_check=True)
    # The export against the trained network, BatchNorm and x/255 still in place.
    model = model.to(memory_format=torch.contiguous_format).eval()
    with torch.no_grad():
        want = model(torch.from_numpy(test_x[:500]).float() / 255.0).numpy()
    got = onnx_logits(path, test_x[:500])
    worst = float(np.abs(want - got).max() / np.abs(want).max())
    print(f"export against torch: largest difference {worst:.2e} of the largest logit")
    if worst > 1e-4:
        sys.exit("the exported model differs from the trained one")

    top1 = float((onnx_logits(path, test_x).argmax(1) == test_y).mean())
    shipped_x = np.load(args.out / "test_images.npy")
    shipped_y = np.load(args.out / "test_labels.npy")
    top1_subset = float((onnx_logits(path, shipped_x).argmax(1) == shipped_y).mean())
    torch_top1 = float((predict(model, test_x) == test_y).mean())

    params = sum(p.numel() for p in plain.parameters())
    record = {
        "top1": round(top1, 4),
        "top1_images": len(test_x),
        "top1_subset": round(top1_subset, 4),
        "top1_subset_images": len(shipped_x),
        "seed": args.seed,
        "epochs": args.epochs,
        "batch": args.batch,
        "bf16": args.bf16,
        "params": params,
        "macs": macs,
        "bytes": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "torch": torch.__version__.split("+")[0],
        "onnx": onnx.__version__,
        "seconds_per_epoch": round(float(np.median(seconds)), 1),
        "layers": rows,
    }
    text = json.dumps(record, indent=1)
    (args.out / "fashion.json").write_text(text + "\n")
    print(
        f"top-1 of 10,000: {top1:.4f} (torch {torch_top1:.4f}); of the shipped 2,000: {top1_subset:.4f}; "
        f"{params} parameters, {path.stat().st_size} bytes"
    )


if __name__ == "__main__":
    main()
