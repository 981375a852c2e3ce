#!/usr/bin/env python3
"""Trains two more networks on Fashion-MNIST, of the two shapes that most convolutional networks have.

    models/train_more.py --network resnet20 --bf16    # 8 minutes an epoch on a core beside a busy one
    models/train_more.py --network vgg --bf16

resnet20   a ResNet-20 of 16, 32 and 64 channels: nine residual blocks of two convolutions
vgg        six convolutions in a row and two fully connected layers

Data, training and export are those of train_fashion.py, and so are the calibration and test images beside it.
It writes fashion-NETWORK.onnx and fashion-NETWORK.json next to itself.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import train_fashion as fashion

HERE = Path(__file__).resolve().parent


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = fashion.ConvBn(1, 16, 3)
        blocks, channels = [], 16
        for width, stride in ((16, 1), (32, 2), (64, 2)):
            for number in range(3):
                blocks.append(fashion.Basic(channels, width, width, stride if number == 0 else 1))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(channels, fashion.CLASSES)

    def forward(self, x):
        x = F.adaptive_avg_pool2d(self.blocks(self.stem(x)), 1)
        return self.fc(torch.flatten(x, 1))


class Vgg(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = fashion.ConvBn(1, 32, 3)
        self.conv2 = fashion.ConvBn(32, 32, 3)
        self.conv3 = fashion.ConvBn(32, 64, 3)
        self.conv4 = fashion.ConvBn(64, 64, 3)
        self.conv5 = fashion.ConvBn(64, 128, 3)
        self.conv6 = fashion.ConvBn(128, 128, 3)
        self.fc1 = nn.Linear(128 * 9, 128)
        self.fc2 = nn.Linear(128, fashion.CLASSES)

    def forward(self, x):
        x = F.max_pool2d(self.conv2(self.stem(x)), 2)
        x = F.max_pool2d(self.conv4(self.conv3(x)), 2)
        x = F.max_pool2d(self.conv6(self.conv5(x)), 2)
        return self.fc2(F.relu(self.fc1(torch.flatten(x, 1))))


NETWORKS = {"resnet20": ResNet20, "vgg": Vgg}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=NETWORKS, required=True)
    fashion.training_arguments(parser, epochs=6)
    args = parser.parse_args()

    train_x, train_y, test_x, test_y = fashion.prepare(args)
    model, seconds = fashion.train(args, NETWORKS[args.network](), train_x, train_y, test_x, test_y)

    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / f"fashion-{args.network}.onnx"
    plain = fashion.folded(model)
    fashion.export(plain, path)
    shipped_x, shipped_y = np.load(HERE / "test_images.npy"), np.load(HERE / "test_labels.npy")
    top1 = float((fashion.onnx_logits(path, test_x).argmax(1) == test_y).mean())
    top1_subset = float((fashion.onnx_logits(path, shipped_x).argmax(1) == shipped_y).mean())
    rows, macs = fashion.describe(NETWORKS[args.network]().eval())
    record = {
        "top1": round(top1, 4),
        "top1_images": len(test_x),
        "top1_subset": round(top1_subset, 4),
        "top1_subset_images": len(shipped_x),
        "seed": args.seed,
        "epochs": args.epochs,
        "batch": args.batch,
        "bf16": args.bf16,
        "params": sum(p.numel() for p in plain.parameters()),
        "macs": macs,
        "bytes": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "torch": torch.__version__.split("+")[0],
        "seconds_per_epoch": round(float(np.median(seconds)), 1),
        "layers": rows,
    }
    path.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"top-1 of 10,000: {top1:.4f}; of the shipped 2,000: {top1_subset:.4f}; {record['params']} parameters")


if __name__ == "__main__":
    main()
