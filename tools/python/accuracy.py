#!/usr/bin/env python3
"""What plans cost in accuracy: planners and values side by side, on one engine.

    python tools/python/accuracy.py --locp target/release/locp --work DIR [--engine simulated:orin]

Prunes the shipped network at 0.8x, 0.6x and 0.4x by every planner, with channels worth
what removing them damages on the calibration images, or their weights, fits what
remains to those images, and counts top-1 on others (always by tract; a simulated engine
has no noise, so that budgets are held exactly). One JSON object a line goes to
DIR/accuracy.jsonl; what is there already is not done again. The table goes to stdout.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"
BUDGETS = ("0.8x", "0.6x", "0.4x")
PLANNERS = ("uniform", "global", "two-stage", "exact")
VALUES = ("damage", "l2")


def locp(args, *words):
    line = [args.locp, *words, "--format", "json", "-q"]
    return json.loads(subprocess.run(list(map(str, line)), capture_output=True, text=True).stdout)


def prune(args, budget, planner, value):
    out = args.work / "pruned.onnx"
    words = [
        "prune", MODELS / "fashion.onnx", "--engine", args.engine, "--batch", args.batch,
        "--table", args.work / "table.redb", "--latency", budget, "--planner", planner,
        "--calib", MODELS / "calib_images.npy", "-o", out,
    ]  # fmt: skip
    if value != "damage":
        words += ["--value", value]
    answer = locp(args, *words)
    row = {"engine": args.engine, "budget": budget, "planner": planner, "value": value}
    if "ratio" not in answer:
        return {**row, "message": answer["message"]}
    kept = ("ratio", "ratio_interval", "value", "gap", "planner", "channels_after", "params_after")
    row["answer"] = {key: answer.get(key) for key in kept}
    row["repair"] = answer["repair"]
    labelled = ["--images", MODELS / "test_images.npy", "--labels", MODELS / "test_labels.npy"]
    row["accuracy"] = locp(args, "accuracy", out, "--batch", 50, *labelled)
    out.unlink()
    return row


def table(rows):
    print("| budget | value | planner | ratio | channels | top-1 |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        head = f"| {row['budget']} | {row['value']} |"
        if "answer" not in row:
            print(f"{head} {row['planner']} | {row['message'][:80]} | | |")
            continue
        answer, accuracy = row["answer"], row["accuracy"]
        low, high = (100 * share for share in accuracy["top1_interval"])
        print(
            f"{head} {answer['planner']} | {answer['ratio']:.3f}x | {answer['channels_after']} "
            f"| {100 * accuracy['top1']:.2f} % [{low:.2f}, {high:.2f}] |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--locp", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--engine", default="simulated:orin")
    parser.add_argument("--batch", type=int, default=64)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    out = args.work / "accuracy.jsonl"
    rows = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    known = {(r["engine"], r["budget"], r["planner"], r["value"]) for r in rows}
    for budget in BUDGETS:
        for value in VALUES:
            for planner in PLANNERS:
                if (args.engine, budget, planner, value) in known:
                    continue
                rows.append(prune(args, budget, planner, value))
                with open(out, "a") as lines:
                    print(json.dumps(rows[-1]), file=lines)
                print(f"{budget} {value} {planner}", file=sys.stderr, flush=True)
    table([row for row in rows if row["engine"] == args.engine])


if __name__ == "__main__":
    main()
