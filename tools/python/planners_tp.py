#!/usr/bin/env python3
"""Prunes with Torch-Pruning, times the result, and plans for the latency that it reached.

    python tools/python/planners_tp.py --locp target/release/locp --work DIR [--ratio 0.3]

DIR holds the networks of planners_export.py. Torch-Pruning removes channels by group
magnitude with one threshold for the whole network (its global mode), without rounding and
rounded to 8, 16 and 32. It is kept off the groups that locp keeps (residual streams, the
classifier's outputs) and from taking more than three quarters of a layer, so that both
choose among the same networks. For each engine: `locp verify` times its result against
the dense model; `locp align` says what its widths are worth and what they become on
edges; `locp plan --planner exact` plans for the very latency that it reached. One JSON
object a line goes to DIR/torch-pruning.jsonl; what is there already is not done again.
"""

import argparse
import json
import subprocess
import sys
import warnings
from pathlib import Path

import torch
import torch_pruning
from torch import nn

import common
from planners import name, run
from planners_export import MODELS, build

ROUND_TO = (None, 8, 16, 32)


def layers_of(args, model, network):
    """Each layer of the ONNX file that computes a group: its name, its module's, and
    whether locp keeps its channels without being told to.

    Both run in the same order, which is how names are told that exporters change.
    """
    line = [args.locp, "inspect", args.work / f"{model}.onnx", "--format", "json"]
    answer = json.loads(subprocess.run(list(map(str, line)), capture_output=True, text=True).stdout)
    order = []
    hooks = [
        m.register_forward_hook(lambda *_, n=n: order.append(n))
        for n, m in network.named_modules()
        if isinstance(m, (nn.Conv2d, nn.Linear))
    ]
    with torch.no_grad():
        network(torch.zeros(1, 3, 224, 224))
    for hook in hooks:
        hook.remove()
    if len(order) != len(answer["layers"]):
        raise RuntimeError(f"{model}: {len(order)} modules ran, {len(answer['layers'])} layers")
    closed = {g["id"]: g["frozen"] is not None or g["residual"] for g in answer["groups"]}
    rows = []
    for module, layer in zip(order, answer["layers"]):
        if len(layer["outputs"]) == 1:
            rows.append((layer["name"], module, closed[layer["outputs"][0]]))
    return rows


def prune(model, network, kept, ratio, round_to):
    example = torch.zeros(1, 3, 224, 224)
    modules = dict(network.named_modules())
    ignored = [
        m for n, m in modules.items() if n in kept and isinstance(m, (nn.Conv2d, nn.Linear))
    ]
    last = [m for m in modules.values() if isinstance(m, nn.Linear)][-1]
    pruner = torch_pruning.pruner.BasePruner(
        network,
        example,
        importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
        global_pruning=True,
        pruning_ratio=ratio,
        max_pruning_ratio=0.75,
        ignored_layers=[*ignored, last],
        round_to=round_to,
    )
    pruner.step()
    return network.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--locp", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--engines", default="tract,onnxruntime")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--ratio", type=float, default=0.3)
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    out = args.work / "torch-pruning.jsonl"
    known = {
        (row["engine"], row["model"], row["round_to"])
        for row in map(json.loads, out.read_text().splitlines() if out.exists() else ())
    }
    for model in args.models.split(","):
        dense = args.work / f"{model}.onnx"
        layers = layers_of(args, model, build(model))
        kept = {module for _, module, is_kept in layers if is_kept}
        for round_to in ROUND_TO:
            engines = [e for e in args.engines.split(",") if (e, model, round_to) not in known]
            if not engines:
                continue
            network = prune(model, build(model), kept, args.ratio, round_to)
            pruned, counts = args.work / "tp.onnx", args.work / "tp.json"
            common.export(network, pruned, 224, dynamo=False)
            modules = dict(network.named_modules())
            widths = {
                layer: getattr(modules[module], "out_channels", None) or modules[module].out_features
                for layer, module, is_kept in layers
                if not is_kept
            }
            counts.write_text(json.dumps(widths))
            for engine in engines:
                verified = run(args, engine, "verify", dense, pruned)
                aligned = run(
                    args, engine, "align", dense, "--keep", counts, "-o", args.work / "aligned.json"
                )
                reached = min(verified["ratio"], 0.999)
                planned = run(
                    args, engine, "plan", dense, "--latency", f"{reached}x", "--planner", "exact",
                    "-o", args.work / "plan.json",
                )  # fmt: skip
                row = {
                    "engine": engine,
                    "model": model,
                    "round_to": round_to,
                    "ratio": args.ratio,
                    "named": len(widths),
                    "verified": verified,
                    "aligned": {k: v for k, v in aligned.items() if k not in ("groups", "modules")},
                    "planned": {k: v for k, v in planned.items() if k not in ("groups", "modules")},
                }
                with open(out, "a") as lines:
                    print(json.dumps(row), file=lines)
                print(
                    f"{name(engine)} {model} round_to {round_to}: {verified.get('ratio')}",
                    file=sys.stderr,
                    flush=True,
                )


if __name__ == "__main__":
    main()
