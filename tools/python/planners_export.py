#!/usr/bin/env python3
"""Exports the networks that planners are compared on into a folder.

    python tools/python/planners_export.py --work DIR

torchvision's ResNet-50, MobileNetV2, VGG-16, DenseNet-121, GoogLeNet, EfficientNet-B0
and RegNetY-400MF, with random weights under which every channel matters (see
common.lively()), 224x224, dynamic batch. What is there already stays as it is.
"""

import argparse
import sys
import warnings
from pathlib import Path

MODELS = (
    "resnet50",
    "mobilenet_v2",
    "vgg16",
    "densenet121",
    "googlenet",
    "efficientnet_b0",
    "regnet_y_400mf",
)


def build(name):
    """The network, and always the same one."""
    import torch
    import torchvision

    import common

    more = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    torch.manual_seed(MODELS.index(name))
    model = getattr(torchvision.models, name)(weights=None, **more)
    return common.lively(model, 224, 10 + MODELS.index(name), images=8)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("models", nargs="*", default=MODELS)
    args = parser.parse_args()
    import common

    warnings.filterwarnings("ignore")
    for name in args.models:
        path = args.work / f"{name}.onnx"
        if not path.exists():
            common.export(build(name), path, 224, dynamo=False)
            print(f"exported {path}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
