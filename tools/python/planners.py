#!/usr/bin/env python3
"""Measures what planners are compared on, and compares them.

    python tools/python/planners.py --locp target/release/locp --work DIR [--engines tract,..]

DIR holds the networks of planners_export.py. For every engine and network, one after the
other: `locp frontier` at 0.8x, 0.6x and 0.4x for every planner, so that the cells which
their plans stand on are measured; then the problem with all of them is written to
DIR/problems. What is there already stays. Compare with

    cargo run --release -p benefit --features serde --example planners -- DIR/problems/*.json
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from planners_export import MODELS

PLANNERS = ("exact", "uniform", "global", "knapsack")


def run(args, engine, *words):
    line = [args.locp, *words, "--engine", engine, "--table", args.work / f"{name(engine)}.redb"]
    line += ["--format", "json", "-q"]
    if engine.startswith("simulated:"):
        line += ["--batch", str(args.batch), "--dtype", "f16"]
    start = time.time()
    done = subprocess.run(list(map(str, line)), capture_output=True, text=True)
    answer = json.loads(done.stdout)
    print(
        f"{engine} {' '.join(map(str, words))}: {time.time() - start:.1f} s, exit {done.returncode}",
        file=sys.stderr,
        flush=True,
    )
    return answer


def name(engine):
    return engine.replace(":", "-")


def measure(args, engine, model):
    problem = args.work / "problems" / f"{name(engine)}-{model}.json"
    if problem.exists():
        return
    path = args.work / f"{model}.onnx"
    plans = {}
    for planner in args.planners:
        plans[planner] = run(
            args, engine, "frontier", path, "--from", "0.8", "--to", "0.4", "--points", "3",
            "--planner", planner,
        )  # fmt: skip
    # The lowest latency that has a plan: its problem has all cells that are known by now.
    reached = min((p["asked"] for p in plans["exact"].get("plans", [])), default=None)
    if reached is not None:
        plan = args.work / "plan.json"
        run(
            args, engine, "plan", path, "--latency", f"{reached}x", "--planner", "exact",
            "-o", plan, "--problem-out", problem,
        )  # fmt: skip
    with open(args.work / "frontiers.jsonl", "a") as out:
        for planner, answer in plans.items():
            print(
                json.dumps({"engine": engine, "model": model, "planner": planner, "answer": answer}),
                file=out,
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--locp", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--engines", default="tract,onnxruntime")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--planners", type=lambda text: text.split(","), default=PLANNERS)
    parser.add_argument("--batch", type=int, default=64)
    args = parser.parse_args()
    (args.work / "problems").mkdir(exist_ok=True)
    for model in args.models.split(","):
        for engine in args.engines.split(","):
            measure(args, engine, model)


if __name__ == "__main__":
    main()
