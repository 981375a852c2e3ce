#!/usr/bin/env python3
"""What it is worth to know a device's steps: plans that know them, and plans that think in straight lines.

    cargo build --release --locked --workspace --bins --examples
    python tools/python/accuracy_steps.py --locp target/release/locp --work DIR

The same proven planner and the same damage curves, twice. `on`: as `locp plan` does it. `off`:
each layer's latency falls in a straight line with the channels that it computes, and with
those that it reads: the line through the dense layer's latency that fits the same readings
best; groups may keep any of 32 evenly spaced widths. As what such a plan expects is not what
it gets, its budget is bisected until it takes, by the device's own steps, at most as long as
the other plan does. Devices are simulated, so that latencies are the same on every machine.
What remains is fitted to the calibration images; top-1 is of the 10,000 test images. One
JSON object a line goes to DIR/steps.jsonl; what is there already is not done again.
"""

import json
import subprocess
import sys

from accuracy import NETWORKS, arguments
from accuracy_study import MIN_SHARE, Refused, Rows, Study

DEVICES = ("simulated:orin", "simulated:h100")
BATCH = 64
BUDGETS = (0.8, 0.6, 0.4)
LEVELS = 32
HALVINGS = 8


def line(points, channels, dense=0.0):
    """The same points on the straight line through the dense layer's latency that fits best."""
    away = [(channels - point["channels"], dense - point["ns"]) for point in points]
    slope = sum(x * y for x, y in away) / max(1, sum(x * x for x, _ in away))
    return [{**point, "ns": dense - slope * (channels - point["channels"])} for point in points]


def straight(problem, curves):
    """The problem as it looks to a planner that knows no steps."""
    of_group = {index: group["channels"] for index, group in enumerate(problem["groups"])}

    def full(width):
        return width["fixed"] + sum(of_group[part["group"]] * part["repeat"] for part in width["parts"])

    for layer in problem["layers"]:
        c_in, c_out = full(layer["inputs"]), full(layer["outputs"])
        layer["cells"] = []
        for sweep, channels in (("by_in", c_in), ("by_out", c_out)):
            dense = [point["ns"] for point in layer[sweep] if point["channels"] == channels]
            layer[sweep] = line(layer[sweep], channels, *dense)
    for group in problem["groups"]:
        if len(group["levels"]) > 1:
            channels, loss = group["channels"], curves[group["name"]]["loss"]
            least, step = group["levels"][0], max(1, channels // LEVELS)
            group["levels"] = sorted(range(channels, least - 1, -step))
            group["value"] = [loss[channels - level] for level in group["levels"]]
    return problem


class Comparison:
    """One network, device and budget."""

    def __init__(self, study, budget):
        self.study, self.budget, self.work = study, budget, study.args.work
        self.damage = study.damage(budget)
        self.curves = json.loads(self.damage.read_text())["curves"]
        self.device = ["--engine", study.engine, "--batch", BATCH]
        self.inspected = study.run("inspect", study.dense)

    def on(self):
        """The plan that knows steps; the problem goes to a file."""
        plan = self.work / "on.json"
        self.study.run(
            "plan", self.study.dense, *self.device, "--latency", f"{self.budget}x", "--planner", "exact",
            "--min-share", MIN_SHARE, "--scores", self.damage, *self.study.streams(self.budget), "--keep-branches",
            "--table", self.work / "table.redb", "--problem-out", self.work / "problem.json", "-o", plan,
        )  # fmt: skip
        return plan

    def off(self, ratio):
        """The plan that knows none, for this ratio by its own reckoning; nothing where it sees none that is so fast."""
        problem, plan = self.work / "straight.json", self.work / "off.json"
        command = [self.study.args.locp.parent / "examples" / "solve", problem, str(ratio)]
        answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        if "kept" not in answer:
            return None
        keep = {}
        for group in self.inspected["groups"]:
            kept = answer["kept"][group["name"]]
            if kept < group["channels"]:
                gone = self.curves[group["name"]]["order"][: group["channels"] - kept]
                keep[group["id"]] = sorted(set(range(group["channels"])) - set(gone))
        self.study.write_plan(plan, self.inspected, keep)
        return plan

    def pruned(self, plan, calib=()):
        out = self.work / "steps.onnx"
        fast = ["--engine", "onnxruntime"] if calib else []
        self.study.run("apply", self.study.dense, "--plan", plan, *calib, *fast, "-o", out)
        return out

    def ms(self, model):
        """What the device takes for it, by its own steps."""
        table = ["--table", self.work / "table.redb", "-o", self.work / "none.json"]
        answer = self.study.run("plan", model, *self.device, "--latency", "1.0x", *table)
        return answer["dense_ms"]

    def rows(self):
        dense = self.ms(self.study.dense)
        on = self.on()
        target = self.ms(self.pruned(on))
        yield "on", self.told(on, dense)
        problem = straight(json.loads((self.work / "problem.json").read_text()), self.curves)
        (self.work / "straight.json").write_text(json.dumps(problem))
        low, high, best = 0.05, 1.0, None
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            plan = self.off(middle)
            if plan is not None and self.ms(self.pruned(plan)) <= target:
                low, best = middle, plan.read_text()
            elif plan is None:
                low = middle
            else:
                high = middle
        if best is None:
            yield "off", {"message": "no plan found that is so fast"}
        else:
            plan = self.work / "off.json"
            plan.write_text(best)
            yield "off", {"expected": low, **self.told(plan, dense)}

    def told(self, plan, dense):
        """The plan's true latency, its damage by the curves, and the accuracy of what it leaves."""
        groups = {group["id"]: group for group in self.inspected["groups"]}
        gone = {groups[g["id"]]["name"]: g["channels"] - len(g["keep"]) for g in json.loads(plan.read_text())["groups"]}
        damage = -sum(self.curves[name]["loss"][count] for name, count in gone.items() if count)
        ratio = self.ms(self.pruned(plan)) / dense
        accuracy = self.study.accuracy(self.pruned(plan, self.study.calibrated()))
        return {"ratio": ratio, "damage": damage, "accuracy": accuracy}


def main():
    args = arguments(__doc__)
    rows = Rows(args.work / "steps.jsonl")
    for device in DEVICES:
        for network in NETWORKS:
            for budget in BUDGETS:
                case = {"device": device, "network": network, "budget": budget}
                if rows.of(case):
                    continue
                try:
                    found = list(Comparison(Study(args, device, network), budget).rows())
                except Refused as refused:
                    found = [("on", {"message": str(refused)})]
                for steps, told in found:
                    rows.add({**case, "steps": steps, **told})
                    shown = told.get("accuracy", {}).get("top1", told.get("message"))
                    print(*case.values(), steps, told.get("ratio"), shown, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
