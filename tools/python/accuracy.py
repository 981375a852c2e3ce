#!/usr/bin/env python3
"""What plans cost in accuracy at one latency: planners, values and Torch-Pruning side by side.

    python tools/python/accuracy.py --locp target/release/locp --work DIR [--engines tract,onnxruntime]

Prunes the networks on Fashion-MNIST to 0.8x, 0.6x and 0.4x of their latency on each engine:
by every planner with channels worth what removing them damages, by two of them with channels
worth their weights, and by Torch-Pruning (accuracy_tp.py), whose share of removed channels
is searched until its result has that latency. Where such a baseline comes out faster than it
was asked for, the proven planner also plans for the latency that it reached. What remains
is fitted to the same images, and top-1 is counted on the 10,000 test images, which calibrate
nothing. Residual streams are open to all of them where the other channels alone do not reach
the budget. One JSON object a line goes to DIR/accuracy.jsonl; what is there already is not
done again. accuracy_table.py has the tables.
"""

import argparse
import gzip
import sys
from pathlib import Path

import numpy as np

from accuracy_study import Refused, Rows, Study

NETWORKS = ("fashion", "fashion-resnet20", "fashion-vgg")
BUDGETS = (0.8, 0.6, 0.4)
# A planner and a value; the last one shows what the value does.
WAYS = (
    ("uniform", "damage"), ("global", "damage"), ("exact", "damage"), ("exact", "l2"),
)  # fmt: skip
# Those whose latency is matched.
BASELINES = ("uniform", "torch-pruning")


def test_images(args):
    """All test images and labels as arrays."""
    for name, file, header in (("images", "images-idx3", 16), ("labels", "labels-idx1", 8)):
        raw = gzip.open(args.data / f"t10k-{file}-ubyte.gz").read()
        array = np.frombuffer(raw, np.uint8, offset=header)
        np.save(args.work / f"{name}.npy", array.reshape(-1, 1, 28, 28) if header == 16 else array)


def arguments(doc, **words):
    """A study's arguments, further words with their defaults among them; its folder then has the test images."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--locp", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    for word, default in words.items():
        parser.add_argument(f"--{word}", default=default)
    parser.add_argument("--data", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    test_images(args)
    return args


def ways_of(study, budget, rows):
    """What is not known yet: what tells the row apart, and a function that prunes."""
    known = {(row["planner"], row["value"], row.get("matches")) for row in rows}
    for planner, value in WAYS:
        if (planner, value, None) not in known:
            yield {"planner": planner, "value": value}, lambda p=planner, v=value: study.prune(budget, p, v)
    if ("torch-pruning", "its own", None) not in known:
        import accuracy_tp

        own = {"planner": "torch-pruning", "value": "its own"}
        yield own, lambda: accuracy_tp.prune(study, budget)


def matches_of(study, rows):
    """For each baseline, a plan at the very latency that it reached."""
    known = {row.get("matches") for row in rows}
    for row in rows:
        if row["planner"] in BASELINES and row["planner"] not in known and "answer" in row:
            name = {"planner": "exact", "value": "damage", "matches": row["planner"]}
            yield name, lambda ratio=row["answer"]["ratio"]: study.prune(round(ratio, 4), "exact", "damage")


def main():
    args = arguments(__doc__, engines="tract,onnxruntime", networks=",".join(NETWORKS))
    rows = Rows(args.work / "accuracy.jsonl")

    def add(study, budget, name, prune):
        row = {"engine": study.engine, "network": study.network, "budget": budget, **name}
        try:
            row["answer"], model = prune()
            row["accuracy"] = study.accuracy(model)
        except Refused as refused:
            row["message"] = str(refused)
        rows.add(row)
        shown = row.get("accuracy", {}).get("top1", row.get("message", "")[:70])
        print(*list(row.values())[:5], row.get("answer", {}).get("ratio"), shown, file=sys.stderr, flush=True)

    def of(study, budget):
        return rows.of({"engine": study.engine, "network": study.network, "budget": budget})

    for engine in args.engines.split(","):
        for network in args.networks.split(","):
            study = Study(args, engine, network)
            for budget in BUDGETS:
                for name, prune in ways_of(study, budget, of(study, budget)):
                    add(study, budget, name, prune)
                for name, prune in matches_of(study, of(study, budget)):
                    add(study, budget, name, prune)


if __name__ == "__main__":
    main()
