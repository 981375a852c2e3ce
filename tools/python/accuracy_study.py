"""The commands that the studies of accuracy share."""

import json
import subprocess
from pathlib import Path

MODELS = Path(__file__).resolve().parents[2] / "models"
# No group keeps less: without it some budgets are out of reach.
MIN_SHARE = 0.1


class Refused(Exception):
    """The program's own words."""


class Rows:
    """A study's rows in a file, one JSON object a line: what is there already is not done again."""

    def __init__(self, path):
        self.path = path
        self.known = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def of(self, case):
        return [row for row in self.known if row.items() >= case.items()]

    def add(self, row):
        self.known.append(row)
        with open(self.path, "a") as lines:
            print(json.dumps(row), file=lines)


class Study:
    """One network on one engine: the flags that all commands share."""

    def __init__(self, args, engine, network):
        self.args, self.engine, self.network = args, engine, network
        self.dense = MODELS / f"{network}.onnx"

    def opens_streams(self, budget):
        """Whether residual streams may lose channels: where the others alone do not reach the budget."""
        return self.network == "fashion-resnet20" or (self.network == "fashion" and budget < 0.5)

    def run(self, *words):
        line = [self.args.locp, *words, "--format", "json", "-q"]
        done = subprocess.run(list(map(str, line)), capture_output=True, text=True)
        answer = json.loads(done.stdout)
        if str(answer.get("schema", "")).startswith("locp.error/"):
            raise Refused(answer["message"])
        return answer

    def timed(self):
        return ["--engine", self.engine, "--table", self.args.work / "table.redb"]

    def calibrated(self):
        return ["--calib", MODELS / "calib_images.npy"]

    def streams(self, budget):
        return ["--prune-residual"] if self.opens_streams(budget) else []

    def damage(self, budget):
        kind = "streams.damage" if self.opens_streams(budget) else "damage"
        path = self.args.work / f"{self.network}.{kind}.json"
        if not path.exists():
            fast = ["--engine", "onnxruntime"]
            self.run("damage", self.dense, *self.calibrated(), *self.streams(budget), *fast, "-o", path)
        return path

    def prune(self, budget, planner, value):
        worth = ["--scores", self.damage(budget)] if value == "damage" else ["--value", value]
        out, plan = self.args.work / "pruned.onnx", self.plan_path(budget, planner, value)
        answer = self.run(
            "prune", self.dense, *self.timed(), "--latency", f"{budget}x", "--planner", planner,
            "--min-share", MIN_SHARE, *worth, *self.calibrated(), *self.streams(budget),
            "-o", out, "--plan-out", plan,
        )  # fmt: skip
        kept = ("ratio", "ratio_interval", "value", "gap", "channels_after", "params_after")
        return {key: answer.get(key) for key in kept}, out

    def plan_path(self, budget, planner, value):
        engine = self.engine.replace(":", "-")
        return self.args.work / f"{self.network}-{engine}-{budget}-{planner}-{value}.json"

    def write_plan(self, path, inspected, keep):
        """A plan that `locp apply` takes, for the model that was inspected: what each of these groups keeps, by its id."""
        parts = ("id", "name", "channels", "members")
        groups = [
            {**{part: group[part] for part in parts}, "keep": keep[group["id"]]}
            for group in inspected["groups"]
            if group["id"] in keep
        ]
        path.write_text(json.dumps({"schema": "locp.plan/1", "model": inspected["model"], "groups": groups}))

    def accuracy(self, model):
        images = ["--images", self.args.work / "images.npy", "--labels", self.args.work / "labels.npy"]
        fast = ["--engine", "onnxruntime", "--batch", 100]
        answer = self.run("accuracy", model, "--dense", self.dense, *images, *fast)
        output = answer["agreement"]["outputs"][0]
        return {
            "n": answer["n"], "top1": answer["top1"], "top1_interval": answer["top1_interval"],
            "same_answer": answer["agreement"]["classes"]["top1"],
            "relative_error": output["relative_error"],
        }  # fmt: skip
