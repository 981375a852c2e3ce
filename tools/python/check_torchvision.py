#!/usr/bin/env python3
"""Prunes torchvision's classic networks with locp and checks what came out.

    cargo build --release --locked -p locp-cli
    python tools/python/check_torchvision.py --locp target/release/locp --work DIR

Exports ResNet-50, VGG-16-BN, MobileNetV2 and DenseNet-121 (random weights, see
common.lively(), 224x224, dynamic batch) by both of torch's exporters into DIR,
where they are kept for the next run. Each then has to pass `locp inspect`,
`locp prune`, the ONNX checker, a run at batch 1 and 3 in ONNX Runtime, and the
promise of an uncompensated prune: the pruned model equals the dense one with the
removed channels disconnected from their consumers. Exit 1 if any model fails.
"""

import argparse
import json
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import onnx

import common
from locp_tools import Failed, check_shapes, disconnected, locp
from onnx_tools import relative

MODELS = ("resnet50", "vgg16_bn", "mobilenet_v2", "densenet121")
EXPORTERS = ("ts", "dynamo")
TOLERANCE = 1e-4


# ---------------------------------------------------------------- exports


def export_all(names, exporters, work):
    todo = [
        (name, e) for name in names for e in exporters if not (work / f"{name}_{e}.onnx").exists()
    ]
    if not todo:
        return
    import torch
    import torchvision

    warnings.filterwarnings("ignore")
    for name in dict.fromkeys(n for n, _ in todo):
        torch.manual_seed(MODELS.index(name))
        model = getattr(torchvision.models, name)(weights=None)
        model = common.lively(model, 224, 10 + MODELS.index(name), images=8)
        for exporter in (e for n, e in todo if n == name):
            path = work / f"{name}_{exporter}.onnx"
            part = path.with_suffix(".part")
            start = time.time()
            common.export(model, part, 224, dynamo=exporter == "dynamo")
            x = common.noise(2, 3, 224, 5)
            with torch.no_grad():
                want = model(x).numpy()
            error = relative(common.run(part, x), want)
            if error > TOLERANCE:
                raise RuntimeError(f"{path.name}: the export differs from torch by {error:.1e}")
            os.replace(part, path)
            print(
                f"exported {path.name}: {path.stat().st_size / 1e6:.1f} MB, "
                f"{time.time() - start:.0f} s, against torch {error:.1e}, logits std {want.std():.2f}",
                file=sys.stderr,
                flush=True,
            )


# ---------------------------------------------------------------- one model


def images(path, batch):
    """Noise images; values 0..255 for models with one input channel (ours)."""
    dims = common.session(path).get_inputs()[0].shape
    if any(not isinstance(d, int) for d in dims[1:]) or len(dims) != 4 or dims[2] != dims[3]:
        raise Failed(f"cannot make images of shape {dims}")
    x = common.noise(batch, dims[1], dims[2], 77).numpy()
    if dims[1] == 1:
        x = np.clip(x * 50 + 90, 0, 255).round()
    return x


def size(n):
    return f"{n / 1e6:.2f} M" if n else "?"


def check(args, dense, row):
    pruned = args.work / f"{dense.stem}.pruned.onnx"
    plan_path = args.work / f"{dense.stem}.plan.json"
    for old in (pruned, plan_path):
        old.unlink(missing_ok=True)

    inspected, row["inspect"] = locp(args, "inspect", dense)
    if not inspected:
        raise Failed("inspect: empty answer")

    command = ["prune", dense, "--latency", args.latency, "-o", pruned, "--plan-out", plan_path]
    answer, row["prune"] = locp(args, *command)
    row["ratio"] = answer.get("ratio")
    row["params"] = (answer.get("params_before"), answer.get("params_after"))
    if not pruned.exists():
        raise Failed("prune: exit 0, but no output file")
    plan = json.loads(plan_path.read_text())
    groups = plan["groups"]
    cut = [g for g in groups if len(g["keep"]) < g["channels"]]
    row["groups"] = f"{len(cut)}/{len(groups)}"
    if not cut:
        raise Failed("the plan removes nothing")

    onnx.checker.check_model(str(pruned), full_check=True)
    check_shapes(dense, pruned, plan)

    reference = disconnected(dense, plan)
    row["error"], row["change"] = 0.0, 0.0
    for batch in (1, 3):
        x = images(dense, batch)
        was, now, want = (common.run(m, x) for m in (dense, pruned, reference))
        if now.shape != was.shape or now.shape[0] != batch:
            raise Failed(f"batch {batch}: output {now.shape}, the dense model's is {was.shape}")
        if not np.isfinite(now).all():
            raise Failed(f"batch {batch}: outputs are not finite")
        row["std"] = (float(was.std()), float(now.std()))
        if min(row["std"]) < 1e-3:
            raise Failed(f"logits of std {row['std']}: a comparison would prove nothing")
        row["error"] = max(row["error"], relative(now, want))
        row["change"] = max(row["change"], relative(now, was))
    if row["error"] > TOLERANCE:
        raise Failed(f"differs from the disconnected dense model by {row['error']:.1e}")
    if row["change"] < 10 * TOLERANCE:
        raise Failed("the removed channels change nothing: a comparison proves nothing")
    if not args.keep:
        pruned.unlink()


def show(row):
    f = lambda v, spec: "-" if v is None else format(v, spec)
    before, after = row.get("params", (None, None))
    std = row.get("std")
    cells = [
        f"{row['model']:24}",
        f"{f(row.get('inspect'), '.1f'):>7}",
        f"{f(row.get('prune'), '.1f'):>7}",
        f"{f(row.get('ratio'), '.3f'):>6}",
        f"{row.get('groups', '-'):>7}",
        f"{size(before):>9}",
        f"{size(after):>9}",
        f"{'-' if std is None else f'{std[0]:.2f}/{std[1]:.2f}':>9}",
        f"{f(row.get('change'), '.1e'):>8}",
        f"{f(row.get('error'), '.1e'):>8}",
        row["verdict"],
    ]
    print("  ".join(cells), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--locp", type=Path, help="the locp binary")
    parser.add_argument("--work", type=Path, required=True, help="folder for the models")
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=MODELS)
    parser.add_argument("--exporters", nargs="+", default=list(EXPORTERS), choices=EXPORTERS)
    parser.add_argument("--onnx", nargs="*", type=Path, default=[], help="further models to check")
    parser.add_argument("--latency", default="0.7x", help="the budget (default 0.7x)")
    parser.add_argument("--timeout", type=float, default=3600, help="seconds for one command of locp")
    parser.add_argument("--locp-args", default="", help="further flags for locp, in one string")
    parser.add_argument("--keep", action="store_true", help="keep the pruned models")
    parser.add_argument("--export-only", action="store_true")
    parser.add_argument("--describe", action="store_true", help="print what is in the graphs, and stop")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)

    export_all(args.models, args.exporters, args.work)
    dense = [args.work / f"{name}_{e}.onnx" for name in args.models for e in args.exporters]
    dense += args.onnx
    if args.describe:
        for path in dense:
            print(path.name, json.dumps(common.summary(path)))
        return
    if args.export_only:
        return
    if args.locp is None or not args.locp.exists():
        parser.error("--locp: no such binary")

    print(
        f"{'model':24}  inspect    prune   ratio   groups     params     after"
        "  logits std   change    error  verdict"
    )
    failures = 0
    for path in dense:
        row = {"model": path.stem}
        try:
            check(args, path, row)
            row["verdict"] = "ok"
        except Exception as e:  # one model's failure must not hide the others
            failures += 1
            row["verdict"] = f"FAILED {e}" if isinstance(e, Failed) else f"FAILED {e!r}"
        show(row)
    print(f"{len(dense) - failures} of {len(dense)} passed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
