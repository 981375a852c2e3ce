#!/usr/bin/env python3
"""Holds pruning to what ONNX says, on every tiny model and every channel group.

    cargo build --release --locked -p locp-cli
    python tools/python/check_tiny.py --locp target/release/locp [MODEL.onnx ...]

For each group that can be pruned, alone, and for all of a model's together, with
random channels kept: `locp apply` must write a model that passes ONNX's checker with
shape inference, runs in ONNX Runtime (at batch 1 and 3 where the batch is dynamic), and
answers what the dense model answers with the removed channels zeroed in their consumers'
weights. That removal changes the answer, at least in nine cases of ten, shows that the
comparison proves something. Exit 1 if anything fails. Needs onnx, onnxruntime and numpy.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from locp_tools import Failed, disconnected, locp
from onnx_tools import feed, relative, run, session

MODELS = Path(__file__).resolve().parents[2] / "onnx-surgery" / "tests" / "models"
# Differences in terms of an output's largest value.
TOLERANCE = 1e-4
# Halves round between all operators, and other sums round elsewhere.
NARROW_TOLERANCE = 5e-3
# Removals that must have changed an answer, so that equality proves something.
ALIVE = 0.9


class Dense:
    """A model as it is: what it answers, and how exactly."""

    def __init__(self, path):
        self.path = path
        model = onnx.load(path, load_external_data=False)
        narrow = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
        casts = [a.i for n in model.graph.node if n.op_type == "Cast" for a in n.attribute]
        computed = [i.type.tensor_type.elem_type for i in model.graph.input] + casts
        self.tolerance = NARROW_TOLERANCE if set(computed) & set(narrow) else TOLERANCE
        # A model that the checker refuses as it is need not please it afterwards.
        self.is_checked = is_accepted(path)
        foreign = {n.domain for n in model.graph.node} - {"", "ai.onnx"}
        self.feeds, self.answers = [], []
        if foreign:
            return
        dims = [port.shape[0] for port in session(path).get_inputs() if port.shape]
        is_dynamic = all(not isinstance(d, int) for d in dims)
        self.feeds = [feed(path, batch, 77) for batch in ((1, 3) if is_dynamic else (1,))]
        self.answers = [run(path, inputs) for inputs in self.feeds]


def is_accepted(path):
    try:
        onnx.checker.check_model(str(path), full_check=True)
    except Exception:
        return False
    return True


def some(rng, channels):
    """At least one channel, and not all; of a single one none."""
    if channels == 1:
        return []
    n = rng.integers(1, channels)
    return sorted(rng.choice(channels, n, replace=False).tolist())


def largest(found, wanted):
    """The largest relative difference of any output."""
    for a, b in zip(found, wanted, strict=True):
        if a.shape != b.shape:
            raise Failed(f"an output is {a.shape}, the dense model's {b.shape}")
        if not np.isfinite(a).all():
            raise Failed("outputs are not finite")
    return max(relative(a, b) for a, b in zip(found, wanted, strict=True))


def check_plan(args, dense, model, groups, rng, folder):
    """Applies a plan for some groups; answers the error and what removal changed."""
    keys = ("id", "name", "channels", "members")
    planned = [{k: g[k] for k in keys} | {"keep": some(rng, g["channels"])} for g in groups]
    plan = {"schema": "locp.plan/1", "model": model, "groups": planned}
    plan_path, pruned = folder / "plan.json", folder / "pruned.onnx"
    plan_path.write_text(json.dumps(plan))
    locp(args, "apply", dense.path, "--plan", plan_path, "-o", pruned)
    if dense.is_checked:
        onnx.checker.check_model(str(pruned), full_check=True)
    error, change = 0.0, 0.0
    if dense.feeds:
        reference = disconnected(dense.path, plan)
    for inputs, was in zip(dense.feeds, dense.answers):
        found = run(pruned, inputs)
        error = max(error, largest(found, run(reference, inputs)))
        change = max(change, largest(found, was))
    if error > dense.tolerance:
        raise Failed(f"differs from the disconnected dense model by {error:.1e}")
    return error, change > 10 * dense.tolerance


def check_model(args, path):
    """Answers the row of one model, with the failures of its plans."""
    dense = Dense(path)
    inspected, _ = locp(args, "inspect", path)
    free = [g for g in inspected["groups"] if g["frozen"] is None]
    cases = [(g["name"], [g]) for g in free] + ([("all", free)] if len(free) > 1 else [])
    row = {"groups": (len(free), len(inspected["groups"])), "error": 0.0, "alive": [], "bad": []}
    row["runs"], row["checked"], row["dead"] = bool(dense.feeds), dense.is_checked, []
    for i, (name, groups) in enumerate(cases):
        for seed in range(args.seeds):
            rng = np.random.default_rng([seed, i, len(path.stem)])
            with tempfile.TemporaryDirectory() as folder:
                try:
                    error, alive = check_plan(
                        args, dense, inspected["model"], groups, rng, Path(folder)
                    )
                except Exception as e:  # one plan's failure must not hide the others
                    row["bad"].append(f"{name}: {e if isinstance(e, Failed) else repr(e)}")
                    continue
            row["error"] = max(row["error"], error)
            if dense.feeds:
                row["alive"].append(alive)
                row["dead"] += [] if alive else [name]
    return row


def show(name, row):
    free, groups = row["groups"]
    remarks = [] if row["runs"] else ["not run: it has an operator of another domain"]
    remarks += [] if row["checked"] else ["not checked: ONNX's checker refuses the original"]
    remarks += [f"changes nothing: {', '.join(row['dead'])}"] if row["dead"] else []
    verdict = "FAILED" if row["bad"] else "ok" if free else "nothing to prune"
    alive = f"{sum(row['alive'])}/{len(row['alive'])}"
    remark = f" ({'; '.join(remarks)})" if remarks else ""
    print(f"{name:24} {free:4} of {groups:<3} {alive:>7}  {row['error']:7.1e}  {verdict}{remark}")
    for line in dict.fromkeys(row["bad"]):
        print(f"    {line[:600]}")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--locp", type=Path, required=True, help="the locp binary")
    parser.add_argument("models", nargs="*", type=Path, help="by default all of the tests' models")
    parser.add_argument("--seeds", type=int, default=2, help="random kept sets per group")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for one command of locp")
    parser.add_argument("--locp-args", default="", help="further flags for locp, in one string")
    args = parser.parse_args()
    if not args.locp.exists():
        parser.error("--locp: no such binary")
    # The dense file computes the weights that a plan names where it is folded; `surgery_folded.rs` has those.
    own = (path for path in sorted(MODELS.rglob("*.onnx")) if not path.stem.startswith("folded"))
    paths = args.models or list(own)

    print(f"{'model':24} free groups  changed   error  verdict")
    passed, failed, alive = 0, 0, []
    for path in paths:
        try:
            row = check_model(args, path)
        except Exception as e:  # one model's failure must not hide the others
            failed += 1
            print(f"{path.stem:24} FAILED {e if isinstance(e, Failed) else repr(e)}"[:600], flush=True)
            continue
        show(path.stem, row)
        alive += row["alive"]
        failed += bool(row["bad"])
        passed += not row["bad"]
    print(f"{sum(alive)} of {len(alive)} removals changed an answer")
    if sum(alive) < ALIVE * len(alive) or not alive:
        print(f"FAILED: fewer than {ALIVE:.0%}, so equality proves little")
        failed += 1
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
