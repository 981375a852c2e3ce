#!/usr/bin/env python3
"""Tables and the scatter plot of the comparison of planners.

    python tools/python/planners_table.py proofs FRONTIERS.jsonl
    python tools/python/planners_table.py rivals PLANNERS.jsonl
    python tools/python/planners_table.py problems PLANNERS.jsonl
    python tools/python/planners_table.py torch-pruning TORCH-PRUNING.jsonl
    python tools/python/planners_table.py budgets PRUNED.json.. --svg scatter.svg

`proofs` is from planners.py, `rivals` and `problems` from the example `planners` of the crate benefit,
`torch-pruning` from planners_tp.py, `budgets` from `locp prune --format json`. Markdown
goes to stdout. Of several answers to one question the last one counts.
"""

import argparse
import json
from pathlib import Path


def lines(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")


def percent(share):
    return "none" if share is None else f"{100 * share:.2f} %"


def proofs(paths):
    known = {}
    for row in lines(paths[0]):
        known[row["engine"], row["model"], row["planner"]] = row["answer"]
    rows = []
    for engine, model in sorted({key[:2] for key in known}):
        exact = known[engine, model, "exact"]
        two_stage = known.get((engine, model, "two-stage"), {})
        others = {round(p["asked"], 3): p for p in two_stage.get("plans", [])}
        for plan in exact.get("plans", []):
            other = others.get(round(plan["asked"], 3))
            rows.append(
                (
                    engine,
                    model,
                    f"{plan['asked']:.1f}x",
                    f"{plan['ratio']:.3f}x",
                    f"{plan['value']:.3f}",
                    percent(plan["gap"]),
                    plan["stopped"],
                    plan["cells_estimated"],
                    f"{other['value']:.3f}" if other else "",
                    percent(other["gap"]) if other else "",
                )
            )
        if exact.get("ends") or exact.get("message"):
            why = exact.get("ends") or exact["message"]
            rows.append((engine, model, why.split(", held by")[0], *[""] * 7))
    head = "engine,network,asked,predicted,value,gap,stopped,cells estimated,two-stage,its gap"
    table(head.split(","), rows)


def rivals(paths):
    rows = []
    for answer in (row for path in paths for row in lines(path)):
        problem, asked = Path(answer["problem"]).stem, f"{answer['budget']:.1f}x"
        if "infeasible" in answer:
            rows.append((problem, asked, f"best {answer['infeasible']:.3f}x", *[""] * 5))
            continue
        for rival in answer["rivals"]:
            if "infeasible" in rival:
                best = f"best {rival['infeasible']:.3f}x"
                rows.append((problem, asked, rival["planner"], best, *[""] * 4))
                continue
            value, exact = rival["value"], rival["exact_value"]
            rows.append(
                (
                    problem,
                    asked,
                    rival["as"],
                    f"{rival['ratio']:.3f}x",
                    f"{value:.3f}",
                    f"{exact:.3f}",
                    f"{exact / value:.2f}" if value else "",
                    f"{rival['exact_ratio_at_value'] / rival['ratio']:.3f}",
                )
            )
    head = "problem,asked,baseline,reaches,its value,exact there,loss of it,latency at equal value"
    table(head.split(","), rows)


def problems(paths):
    rows = []
    for answer in (row for path in paths for row in lines(path)):
        problem, asked = Path(answer["problem"]).stem, f"{answer['budget']:.1f}x"
        if "infeasible" in answer:
            proven = ", proven" if answer["proven"] else ""
            rows.append((problem, asked, f"best {answer['infeasible']:.3f}x{proven}", *[""] * 4))
            continue
        gaps = [percent(answer["gap"]), percent((answer["two_stage"] or {}).get("gap"))]
        seconds = f"{answer['seconds']:.1f}"
        value = f"{answer['value']:.3f}"
        rows.append((problem, asked, value, gaps[0], answer["stopped"], seconds, gaps[1]))
    table("problem,asked,value,gap,stopped,seconds,two-stage's gap".split(","), rows)


def torch_pruning(paths):
    rows = []
    for row in lines(paths[0]):
        verified, aligned, planned = row["verified"], row["aligned"], row["planned"]
        if "value_asked" not in aligned or "value" not in planned:
            why = aligned.get("message") or planned.get("message") or "no answer"
            rows.append((row["engine"], row["model"], row["round_to"], why[:90], *[""] * 6))
            continue
        low, high = verified["ratio_interval"]
        rows.append(
            (
                row["engine"],
                row["model"],
                row["round_to"] or 1,
                f"{verified['ratio']:.3f}x [{low:.3f}, {high:.3f}]",
                f"{aligned['value_asked']:.3f}",
                f"{planned['value']:.3f}",
                f"{planned['value'] / aligned['value_asked']:.2f}",
                percent(planned["gap"]),
                f"{aligned['ratio']:.3f}x",
                f"{aligned['value_aligned']:.3f}",
            )
        )
    head = "engine,network,rounded to,measured,its value,exact at that latency,loss of it,gap"
    table((head + ",aligned,its value").split(","), rows)


def budgets(paths, svg):
    rows, points = [], []
    for path in paths:
        answer = json.loads(Path(path).read_text())
        engine, model, asked = Path(path).stem.rsplit("-", 2)
        if "ratio" not in answer:
            rows.append((engine, model, f"{asked}x", answer.get("message", "no answer")[:120], *[""] * 4))
            continue
        predicted = answer["predicted_ms"] / answer["dense_ms"]
        low, high = answer["ratio_interval"]
        points.append((predicted, answer["ratio"], engine))
        rows.append(
            (
                engine,
                model,
                f"{asked}x",
                f"{predicted:.3f}x",
                f"{answer['ratio']:.3f}x [{low:.3f}, {high:.3f}]",
                f"{answer['ratio'] / float(asked):.3f}",
                answer["rounds"],
                percent(answer["calibration"]["residual"]),
            )
        )
    head = "engine,network,asked,predicted,measured,measured over asked,plans timed,calibration residual"
    table(head.split(","), rows)
    if svg:
        Path(svg).write_text(scatter(points))


def scatter(points):
    """Measured over predicted ratio, with the line where both are equal."""
    size, pad, low, high = 420, 50, 0.4, 1.0

    def at(value):
        return pad + (value - low) / (high - low) * (size - 2 * pad)

    ticks = [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{size}" height="{size}" fill="white"/>',
    ]
    for tick in ticks:
        x, y = at(tick), size - at(tick)
        out.append(f'<path d="M{x:.1f} {pad}V{size - pad}M{pad} {y:.1f}H{size - pad}" stroke="#ddd"/>')
        out.append(f'<text x="{x:.1f}" y="{size - pad + 15}" text-anchor="middle">{tick}</text>')
        out.append(f'<text x="{pad - 6}" y="{y + 4:.1f}" text-anchor="end">{tick}</text>')
    out.append(f'<path d="M{at(low)} {size - at(low)}L{at(high)} {size - at(high)}" stroke="#888"/>')
    colors = {"tract": "#0072b2", "onnxruntime": "#d55e00"}
    for predicted, measured, engine in points:
        out.append(
            f'<circle cx="{at(predicted):.1f}" cy="{size - at(measured):.1f}" r="4" '
            f'fill="{colors.get(engine, "#000")}" fill-opacity="0.7"/>'
        )
    for place, (engine, color) in enumerate(colors.items()):
        y = pad + 14 * place
        out.append(f'<circle cx="{pad + 12}" cy="{y + 8}" r="4" fill="{color}"/>')
        out.append(f'<text x="{pad + 22}" y="{y + 12}">{engine}</text>')
    middle = size / 2
    out.append(f'<text x="{middle}" y="{size - 12}" text-anchor="middle">predicted ratio</text>')
    out.append(
        f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">'
        "measured ratio</text></svg>"
    )
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("proofs", "rivals", "problems", "torch-pruning", "budgets"))
    parser.add_argument("files", nargs="+")
    parser.add_argument("--svg")
    args = parser.parse_args()
    if args.what == "budgets":
        budgets(args.files, args.svg)
    else:
        tables = {"proofs": proofs, "rivals": rivals, "problems": problems}
        tables["torch-pruning"] = torch_pruning
        tables[args.what](args.files)


if __name__ == "__main__":
    main()
