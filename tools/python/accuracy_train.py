#!/usr/bin/env python3
"""What fine-tuning adds to plans of one latency, and a twin trained from scratch.

    pip install ./python
    python tools/python/accuracy_train.py --locp target/release/locp --work DIR [--budget 0.6]

DIR holds what accuracy.py wrote: plans of one network, engine and budget by several planners.
Each plan is carried out in PyTorch with the fitted weights of the pruned file, then trained
like the dense network: the same images, schedule, loss (labels and distillation from the
dense network) and seeds. The dense network gets the same training, and a twin of the plan's
widths that knows nothing gets `--scratch-epochs` with a higher rate. Top-1 is of the 10,000
test images. One JSON object a line goes to DIR/trained.jsonl; what is there already is not
done again. An interrupted run goes on with the next.
"""

import argparse
import copy
import json
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python" / "examples"))
import fashion  # noqa: E402
import finetune_distill as example  # noqa: E402

import locp  # noqa: E402
from accuracy_study import Rows, Study  # noqa: E402

WAYS = "exact-damage,uniform-damage,torch-pruning-own"


def computed(group):
    """The tensor that computes a group's channels: it has one name in every export."""
    return next(member["tensor"] for member in group["members"] if member["role"] == "producer")


def learned(model, teacher, data, seed, epochs, lr):
    """Top-1 after training, and the seconds it took."""
    settings = argparse.Namespace(seed=seed, epochs=epochs, train_batch=64, temperature=4.0)
    # Convolutions train a quarter faster with the channels innermost, on CPUs, too.
    model, teacher = (m.to(memory_format=torch.channels_last) for m in (model, copy.deepcopy(teacher)))
    seconds = example.train(model, teacher, data, settings, lr, 0.7, mirrored=True)
    return round(example.top1(model, data), 4), round(seconds, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--locp", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--network", default="fashion")
    parser.add_argument("--engine", default="tract")
    parser.add_argument("--budget", default="0.6")
    parser.add_argument("--data", type=Path, default=fashion.INSTALLED)
    parser.add_argument("--fraction", type=float, default=0.25, help="share of the training images")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--ways", default=WAYS, help="of which plans; a twin is trained of the first")
    parser.add_argument("--scratch-epochs", type=int, default=8)
    parser.add_argument("--scratch-lr", type=float, default=0.1)
    parser.add_argument("--scratch-seeds", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    study = Study(args, args.engine, args.network)
    data = fashion.fashion_data(args.data, all_test=True)
    dense = fashion.shipped(args.network.removeprefix("fashion-"), data.calib)
    data = fashion.part(data, args.fraction, seed=0)
    rows = Rows(args.work / "trained.jsonl")
    head = {key: getattr(args, key) for key in ("network", "engine", "budget", "fraction")}

    normalized, calib = args.work / f"{args.network}.normalized.onnx", args.work / "calib.npy"
    locp.export(dense, data.calib[:2], normalized)
    np.save(calib, data.calib.numpy())

    def narrow(way):
        """The network pruned as the plan says and fitted to the images, ready to train."""
        path = study.plan_path(args.budget, *way.rsplit("-", 1))
        kept = {computed(group): group["keep"] for group in json.loads(path.read_text())["groups"]}
        inspected = study.run("inspect", normalized)
        keep = {g["id"]: kept[computed(g)] for g in inspected["groups"] if computed(g) in kept}
        plan, pruned = args.work / "trained.plan.json", args.work / "trained.onnx"
        study.write_plan(plan, inspected, keep)
        study.run("apply", normalized, "--plan", plan, "--calib", calib, "--engine", "onnxruntime", "-o", pruned)
        return locp.apply(copy.deepcopy(dense), plan, weights=pruned)

    def tell(way, model, seed, epochs, lr):
        known = {**head, "way": way, "seed": seed, "epochs": epochs}
        if rows.of(known):
            return
        before = round(example.top1(model, data), 4)
        after, seconds = learned(model, dense, data, seed, epochs, lr)
        rows.add({**known, "lr": lr, "before": before, "after": after, "seconds": seconds})
        print(way, seed, f"{before:.2%} -> {after:.2%}, {seconds} s", file=sys.stderr, flush=True)

    fitted = {way: narrow(way) for way in args.ways.split(",")}
    fitted["dense"] = dense
    for way, model in fitted.items():
        for seed in range(args.seeds):
            tell(way, copy.deepcopy(model), seed, args.epochs, args.lr)
    way = args.ways.split(",")[0]
    for seed in range(args.scratch_seeds):
        twin = example.from_scratch(fitted[way], seed)
        tell(f"{way} from scratch", twin, seed, args.scratch_epochs, args.scratch_lr)


if __name__ == "__main__":
    main()
