#!/usr/bin/env python3
"""The tables of accuracy.py's rows.

    python tools/python/accuracy_table.py DIR/accuracy.jsonl

One table for each engine and network: a line for each planner and value, and for each budget
the measured ratio and top-1 of the fitted result. Rows where the program refused say so.
"""

import json
import sys
from pathlib import Path

ROWS = Path(sys.argv[1]).read_text().splitlines()


def cell(row):
    if row is None:
        return "not tried"
    if "accuracy" not in row:
        return "refused"
    return f"{row['answer']['ratio']:.3f}x {100 * row['accuracy']['top1']:.2f} %"


def way_of(row):
    """Planner and value; a plan for the latency that another one reached is named after that."""
    at = f", at the latency of {row['matches']}" if "matches" in row else ""
    return row["planner"] + at, row["value"]


def main():
    rows = [json.loads(line) for line in ROWS]
    budgets = sorted({row["budget"] for row in rows}, reverse=True)
    for engine, network in dict.fromkeys((row["engine"], row["network"]) for row in rows):
        own = [row for row in rows if (row["engine"], row["network"]) == (engine, network)]
        print(f"\n`{network}` on {engine}:\n")
        print("| planner | value | " + " | ".join(f"{budget}x" for budget in budgets) + " |")
        print("|---|---|" + "---|" * len(budgets))
        for way in dict.fromkeys(way_of(row) for row in own):
            found = {row["budget"]: row for row in own if way_of(row) == way}
            print(f"| {way[0]} | {way[1]} | " + " | ".join(cell(found.get(budget)) for budget in budgets) + " |")


if __name__ == "__main__":
    main()
