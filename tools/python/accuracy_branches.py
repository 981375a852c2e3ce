#!/usr/bin/env python3
"""What it costs to reach a latency with and without whole residual branches.

    python tools/python/accuracy_branches.py --locp target/release/locp --work DIR

Plans by `exact` and damage for the simulated Orin, whose latencies are the same on every
machine, from 0.8x down to 0.3x: branches kept or not, residual streams open or not. What
remains is fitted to the calibration images; top-1 is of the 10,000 test images. One JSON
object a line goes to DIR/branches.jsonl; what is there already is not done again.
"""

import json
import sys

from accuracy import arguments
from accuracy_study import Refused, Rows, Study

BUDGETS = (0.8, 0.6, 0.5, 0.4, 0.3)
NETWORKS = ("fashion", "fashion-resnet20")


def damage(study, streams):
    """Learned once for all plans."""
    path = study.args.work / f"{study.network}.{'open' if streams else 'closed'}.curves.json"
    if not path.exists():
        opened = ["--prune-residual"] if streams else []
        study.run("damage", study.dense, *study.calibrated(), *opened, "--engine", "onnxruntime", "-o", path)
    return path


def pruned(study, budget, streams, branches):
    out, plan = study.args.work / "branches.onnx", study.args.work / "branches.json"
    flags = [*(["--prune-residual"] if streams else []), *([] if branches else ["--keep-branches"])]
    answer = study.run(
        "prune", study.dense, *study.timed(), "--latency", f"{budget}x", "--planner", "exact", "--min-share", 0.1,
        "--scores", damage(study, streams), *study.calibrated(), *flags, "-o", out, "--plan-out", plan,
    )  # fmt: skip
    gone = [group["name"] for group in json.loads(plan.read_text())["groups"] if not group["keep"]]
    return {"ratio": answer["ratio"], "value": answer["value"], "gone": gone, "accuracy": study.accuracy(out)}


def main():
    args = arguments(__doc__)
    rows = Rows(args.work / "branches.jsonl")
    for network in NETWORKS:
        study = Study(args, "simulated:orin", network)
        for streams in (False, True):
            for budget in BUDGETS:
                for branches in (True, False):
                    case = {"network": network, "streams": streams, "budget": budget, "branches": branches}
                    if rows.of(case):
                        continue
                    try:
                        row = {**case, **pruned(study, budget, streams, branches)}
                    except Refused as refused:
                        row = {**case, "message": str(refused)}
                    rows.add(row)
                    shown = row.get("accuracy", {}).get("top1", row.get("message", "")[:70])
                    print(*case.values(), row.get("ratio"), shown, len(row.get("gone", [])), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
