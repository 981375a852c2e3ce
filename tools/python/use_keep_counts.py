#!/usr/bin/env python3
"""From locp's plan.json to narrower PyTorch models, to be fine-tuned there.

    cargo build --release --locked -p locp-cli
    python tools/python/use_keep_counts.py --locp target/release/locp --work DIR

Shows two ways, each on models with random weights, and checks both: the narrow
PyTorch model must compute what locp's pruned ONNX computes in ONNX Runtime.

narrow()            plain PyTorch, by the package in python/: slices every tensor that the
                    plan lists. Needs an export in which every tensor kept its name.
narrow_by_pruner()  Torch-Pruning: `modules` of the plan as its pruning_ratio_dict,
                    with an importance that makes it remove exactly these channels.
                    Needs the modules' names only. (pip install torch-pruning)
                    Copy this function; it needs nothing else of this file.

Exit 1 if a check fails.
"""

import argparse
import copy
import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch import nn

import common

# The package as it is here, whether or not one is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python" / "src"))
import locp  # noqa: E402

TOLERANCE = 1e-4


# ---------------------------------------------------------------- plain PyTorch


def narrow(model, plan):
    """A copy of the model without the channels that the plan does not keep."""
    return locp.apply(copy.deepcopy(model), plan)


# ---------------------------------------------------------------- Torch-Pruning


def narrow_by_pruner(model, plan, example):
    """The same by Torch-Pruning, which finds the dependencies by itself."""
    import torch_pruning as tp

    model = copy.deepcopy(model)
    modules = {
        model.get_submodule(name): keep
        for name, keep in plan["modules"].items()
        if keep["keep"] < keep["channels"]
    }

    def importance(group):
        """Channels that stay are worth 1, others 0; other groups are left alone."""
        for dependency, _ in group:
            keep = modules.get(dependency.target.module)
            if keep and dependency.handler.__name__ == "prune_out_channels":
                worth = torch.zeros(keep["channels"])
                worth[keep["indices"]] = 1
                return worth
        return None

    pruner = tp.pruner.BasePruner(
        model,
        example,
        importance=importance,
        pruning_ratio=0.0,
        pruning_ratio_dict={module: keep["ratio"] for module, keep in modules.items()},
    )
    pruner.step()
    return model


# ---------------------------------------------------------------- the checks


def chain():
    """As VGG: convolutions in a row, a flattened image, fully connected layers."""
    layers, channels = [], 3
    for width in (32, 64, 64, 96):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        layers += [nn.MaxPool2d(2)]
        channels = width
    layers += [nn.Flatten(), nn.Linear(96 * 4, 128), nn.ReLU(), nn.Linear(128, 10)]
    return nn.Sequential(*layers)


def every_tensor(model, path, size):
    """Every tensor keeps name and values; normalization is not folded into convolutions."""
    locp.export(model, torch.zeros(2, 3, size, size), path)


def every_module(model, path, size):
    """Modules keep their names; normalization is folded into convolutions."""
    common.export(model, path, size, dynamo=True)


CHECKS = [
    ("chain", chain, every_tensor, "narrow", []),
    ("resnet18", torchvision.models.resnet18, every_tensor, "narrow", ["--prune-residual"]),
    ("mobilenet_v2", torchvision.models.mobilenet_v2, every_tensor, "narrow", []),
    ("chain", chain, every_module, "narrow_by_pruner", []),
    ("resnet18", torchvision.models.resnet18, every_module, "narrow_by_pruner", []),
    ("resnet18", torchvision.models.resnet18, every_module, "narrow_by_pruner", ["--prune-residual"]),
    ("mobilenet_v2", torchvision.models.mobilenet_v2, every_module, "narrow_by_pruner", []),
]


def check(args, number, name, build, export, way, flags):
    torch.manual_seed(number)
    model = common.lively(build(), args.size, number, images=8)
    dense, pruned, plan_path = (
        args.work / f"{number}_{name}{end}" for end in (".onnx", ".pruned.onnx", ".plan.json")
    )
    export(model, dense, args.size)
    command = [args.locp, "prune", dense, "--engine", "simulated:h100", "--batch", "64", "-q"]
    command += ["--latency", "0.7x", "-o", pruned, "--plan-out", plan_path, *flags]
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
    plan = json.loads(plan_path.read_text())

    x = common.noise(3, 3, args.size, 7)
    if way == "narrow":
        small = narrow(model, plan)
    else:
        small = narrow_by_pruner(model, plan, x)
    for module, keep in plan["modules"].items():
        found = small.get_submodule(module).weight.shape[0]
        if found != keep["keep"]:
            return f"FAILED: {module} has {found} channels, the plan keeps {keep['keep']}"
    with torch.no_grad():
        torch_says, dense_says = small(x).numpy(), model(x).numpy()
    onnx_says = common.run(pruned, x, threads=1)
    scale = np.abs(onnx_says).max()
    error = np.abs(torch_says - onnx_says).max() / scale
    change = np.abs(dense_says - onnx_says).max() / scale
    cut = sum(keep["keep"] < keep["channels"] for keep in plan["modules"].values())
    before, after = (sum(p.numel() for p in m.parameters()) for m in (model, small))
    verdict = "ok" if error <= TOLERANCE and change > 100 * TOLERANCE and cut else "FAILED"
    return (
        f"{verdict}: {cut} of {len(plan['modules'])} modules narrowed, "
        f"parameters {before:,} -> {after:,}, differs from the pruned ONNX by {error:.1e}, "
        f"from the dense model by {change:.1e}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--locp", type=Path, required=True, help="the locp binary")
    parser.add_argument("--work", type=Path, required=True, help="folder for the models")
    parser.add_argument("--size", type=int, default=32, help="images are this large")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    failures = 0
    for number, (name, build, export, way, flags) in enumerate(CHECKS):
        said = check(args, number, name, build, export, way, flags)
        failures += not said.startswith("ok")
        print(f"{way:17} {' '.join([name, *flags]):27} {said}", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
