#!/usr/bin/env python3
"""How much of what removal by magnitude loses comes back by calibration.

    python tools/python/accuracy_recovered.py --locp target/release/locp --work DIR

DIR holds the test images that accuracy.py wrote. From each network on Fashion-MNIST 30 % and
50 % of every inner group's channels go, those of the smallest squared weights over all that
compute and read them, whatever the latency. Top-1 of the dense network, of the pruned one,
and of that fitted to the calibration images; the share recovered is of the points that were
lost. One JSON object a line goes to stdout.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from accuracy import NETWORKS
from accuracy_study import Study
from locp_tools import positions

SHARES = (0.3, 0.5)


def magnitudes(group, tensors):
    """Each channel's squared weights, summed over the weights that compute and read it."""
    sums = np.zeros(group["channels"])
    for member in group["members"]:
        if member["role"] in ("producer", "consumer"):
            array = np.moveaxis(tensors[member["tensor"]], member["axis"], 0)
            squares = np.square(array.reshape(len(array), -1)).sum(1)
            sums += [squares[positions(member, c)].sum() for c in range(group["channels"])]
    return sums


def plan_of(study, share):
    inspected = study.run("inspect", study.dense)
    model = onnx.load(study.dense)
    tensors = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    keep = {}
    for group in inspected["groups"]:
        if group["frozen"] is None and not group["residual"]:
            kept = group["channels"] - int(share * group["channels"])
            best = np.argsort(-magnitudes(group, tensors), kind="stable")[:kept]
            keep[group["id"]] = sorted(best.tolist())
    path = study.args.work / "recovered.plan.json"
    study.write_plan(path, inspected, keep)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--locp", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    out = args.work / "recovered.onnx"
    for network in NETWORKS:
        study = Study(args, "onnxruntime", network)
        dense = study.accuracy(study.dense)["top1"]
        for share in SHARES:
            found = {"network": network, "share": share, "dense": dense}
            plan = plan_of(study, share)
            for name, more in (("bare", []), ("fitted", [*study.calibrated(), "--engine", "onnxruntime"])):
                study.run("apply", study.dense, "--plan", plan, *more, "-o", out)
                found[name] = study.accuracy(out)["top1"]
            found["recovered"] = round((found["fitted"] - found["bare"]) / (dense - found["bare"]), 4)
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
