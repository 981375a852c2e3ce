"""One model of the breadth check: inspect it, prune half of everything, compare.

The promise on trial: the pruned model equals the dense one with the removed channels
disconnected from their consumers.
"""

import collections
import hashlib
import json
import re
import subprocess
import time

import numpy as np
import onnx
from onnx import external_data_helper

import common
from locp_tools import Failed, positions, tensors, unshare, write_out, zero
from onnx_tools import relative

TOLERANCE = 1e-4
# Protocol buffers end at 2 GiB: from here on the reference model goes through a file.
IN_MEMORY = 1.5e9
COMMAND_SECONDS = 600


class Refused(Exception):
    """locp understood that the model is not for it, and said so."""


# ---------------------------------------------------------------- locp


def locp(binary, *command):
    """Runs a command of locp; its JSON and the seconds it took."""
    line = [str(binary), *map(str, command), "--format", "json"]
    start = time.time()
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        raise Failed(f"{command[0]}: no answer within {COMMAND_SECONDS} s") from None
    seconds = round(time.time() - start, 2)
    try:
        answer = json.loads(done.stdout)
    except json.JSONDecodeError:
        tail = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise Failed(f"{command[0]}: exit {done.returncode}: {tail}") from None
    if str(answer.get("schema", "")).startswith("locp.error/"):
        kind = Refused if done.returncode == 2 and command[0] == "inspect" else Failed
        raise kind(f"{command[0]}: {answer.get('kind')}: {answer.get('message')}")
    if done.returncode != 0:
        raise Failed(f"{command[0]}: exit {done.returncode}")
    return answer, seconds


# ---------------------------------------------------------------- the plan


def random_plan(inspected, key):
    """About half of the channels of every group that may lose any, chosen blindly."""
    rng = np.random.default_rng(int(hashlib.sha256(key.encode()).hexdigest()[:8], 16))
    groups = []
    for group in inspected["groups"]:
        if group["frozen"] is not None or group["channels"] < 2:
            continue
        channels = group["channels"]
        n_kept = max(1, round(channels * rng.uniform(0.4, 0.6)))
        kept = sorted(int(c) for c in rng.choice(channels, n_kept, replace=False))
        fields = {k: group[k] for k in ("id", "name", "channels", "members")}
        groups.append({**fields, "keep": kept})
    return {"schema": "locp.plan/1", "model": inspected["model"], "groups": groups}


def removed_positions(plan):
    """(tensor, axis) to the roles of the members there and the positions that go."""
    found = {}
    for group in plan["groups"]:
        gone = sorted(set(range(group["channels"])) - set(group["keep"]))
        for member in group["members"]:
            roles, places = found.setdefault((member["tensor"], member["axis"]), (set(), set()))
            roles.add(member["role"])
            for channel in gone:
                places.update(positions(member, channel))
    return found


# ---------------------------------------------------------------- tensors


def without_data(path):
    """The graph with a tensor of its own for every constant, the values left in the file."""
    model = onnx.load(path, load_external_data=False)
    unshare(model)
    return model


def disconnected(dense, plan, folder):
    """The dense model with the removed channels zeroed in their consumers' weights."""
    model = onnx.load_from_string(dense) if isinstance(dense, bytes) else onnx.load(dense)
    write_out(model)
    unshare(model)
    by_name = tensors(model)
    for (name, axis), (roles, gone) in removed_positions(plan).items():
        if "consumer" not in roles or not gone:
            continue
        if name not in by_name:
            raise Failed(f"the plan names the consumer {name!r}, which the model has not")
        zero(by_name[name], axis, gone)
    if sum(len(t.raw_data) for t in by_name.values()) < IN_MEMORY:
        return model.SerializeToString()
    path = folder / "reference.onnx"
    external_data_helper.convert_model_to_external_data(model, location="reference.data")
    onnx.save(model, path)
    return path


def check_shapes(dense, pruned, plan):
    """Every tensor of the plan lost exactly the positions that the plan says."""
    before, after = tensors(without_data(dense)), tensors(without_data(pruned))
    shapes = {}
    for (name, axis), (roles, gone) in removed_positions(plan).items():
        if name in before:
            shapes.setdefault(name, {})[axis] = gone
        elif not roles <= {"parameter", "scale"}:
            # A parameter may get a name of its own where layers shared one tensor.
            raise Failed(f"the plan names {name!r} ({', '.join(roles)}), which the model has not")
    for name, axes in shapes.items():
        if name not in after:
            continue
        want = list(before[name].dims)
        for axis, gone in axes.items():
            if gone and max(gone) >= want[axis]:
                raise Failed(f"{name}: the plan removes position {max(gone)} of {want[axis]}")
            want[axis] -= len(gone)
        if list(after[name].dims) != want:
            raise Failed(f"{name} is {list(after[name].dims)}, the plan makes it {want}")


# ---------------------------------------------------------------- what can be pruned


def convolutions(dense):
    """Name, weight name, output channels and weight axis of them, of every convolution."""
    model = without_data(dense)
    dims = {name: list(t.dims) for name, t in tensors(model).items()}
    found = []
    for node in model.graph.node:
        if node.op_type not in ("Conv", "ConvTranspose"):
            continue
        weight, axis = node.input[1], int(node.op_type == "ConvTranspose")
        groups = next((a.i for a in node.attribute if a.name == "group"), 1)
        channels = dims[weight][axis] * (groups if axis else 1) if weight in dims else None
        found.append((node.name or node.output[0], weight, channels, axis))
    return found


def coverage(dense, inspected):
    """How many convolutions there are, their output channels, and how many can go."""
    free = {g["id"] for g in inspected["groups"] if g["frozen"] is None}
    prunable = collections.defaultdict(set)
    for group in inspected["groups"]:
        if group["id"] in free:
            for member in group["members"]:
                for channel in range(group["channels"]):
                    key = (member["tensor"], member["axis"])
                    prunable[key].update(positions(member, channel))
    layers = {layer["name"]: layer for layer in inspected["layers"]}
    total, can_go, unknown = 0, 0, 0
    convs = convolutions(dense)
    for name, weight, channels, axis in convs:
        if channels is None:
            # A weight that the graph computes has no width that could be looked up.
            unknown += 1
            continue
        total += channels
        if (weight, axis) in prunable:
            can_go += min(channels, len(prunable[weight, axis]))
        elif set(layers.get(name, {"outputs": []})["outputs"]) & free:
            # Its own weight has another name in the plan, since layers shared one tensor.
            can_go += channels
    return {"convs": len(convs), "channels": total, "prunable": can_go, "unknown": unknown}


def frozen_reasons(inspected):
    """Operator and reason to the number of groups frozen for it, most frequent first.

    That a network's output keeps its shape is no finding.
    """
    counts = collections.Counter()
    for group in inspected["groups"]:
        if group["frozen"] is not None:
            counts[kind_of_reason(group["frozen"])] += 1
    seen = set(counts)
    for place in inspected["frozen"]:
        reason = f"{place['op']}: {without_names(place['reason'])}"
        # Something freezes without a group of its own: a weight that is no constant, say.
        # What cannot be timed can be pruned all the same.
        if reason not in seen and "cannot be timed" not in reason:
            counts[reason] += 1
    return [[reason, n] for reason, n in counts.most_common() if not reason.startswith("Output:")]


def kind_of_reason(text):
    """"`node` (Op) reason" without what is particular to the node."""
    matched = re.match(r"`[^`]*` \(([^)]*)\) (.*)", text, re.S)
    return f"{matched[1]}: {without_names(matched[2])}" if matched else without_names(text)


def without_names(text):
    return re.sub(r"\d+", "N", re.sub(r"`[^`]*`", "`..`", text))


# ---------------------------------------------------------------- runs


def run(model, images):
    """The first output for each batch of images."""
    s = common.session(model, threads=1)
    name = s.get_inputs()[0].name
    return [s.run(None, {name: x})[0] for x in images]


def with_logits(path):
    """The model, its output in front of a last Sigmoid or Softmax.

    Random cuts drive a trained network's outputs to 0 or 1, where everything is equal.
    """
    model = onnx.load(path, load_external_data=False)
    made_by = {name: node for node in model.graph.node for name in node.output}
    last = made_by[model.graph.output[0].name]
    if last.op_type not in ("Sigmoid", "Softmax"):
        return path
    model = onnx.load(path)
    del model.graph.output[:]
    model.graph.output.add().name = last.input[0]
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    return model.SerializeToString()


def images(dense, shape):
    """Two batches, or one as large as the model fixes it."""
    batch = common.session(dense, threads=1).get_inputs()[0].shape[0]
    channels, height, width = shape
    make = lambda n: common.noise(n, channels, max(height, width), 77).numpy()
    sizes = [batch] if isinstance(batch, int) and batch > 0 else [1, 3]
    return [np.ascontiguousarray(make(n)[:, :, :height, :width]) for n in sizes]


def check(binary, dense, key, shape, folder, row):
    """Fills the row; raises Failed or Refused. The folder is for files in between."""
    inspected, row["inspect_seconds"] = locp(binary, "inspect", dense)
    row.update(coverage(dense, inspected))
    row["groups"] = len(inspected["groups"])
    row["prunable_groups"] = sum(g["frozen"] is None for g in inspected["groups"])
    row["frozen"] = frozen_reasons(inspected)
    (folder / "inspect.json").write_text(json.dumps(inspected))
    plan = random_plan(inspected, key)
    if not plan["groups"]:
        row["verdict"] = "nothing prunable"
        return
    (folder / "plan.json").write_text(json.dumps(plan))
    pruned = folder / "pruned.onnx"
    command = ["apply", dense, "--plan", folder / "plan.json", "-o", pruned]
    _, row["apply_seconds"] = locp(binary, *command)
    try:
        onnx.checker.check_model(str(pruned), full_check=True)
    except Exception as e:
        raise Failed(f"checker: {' '.join(str(e).split())[:300]}") from None
    check_shapes(dense, pruned, plan)

    batches = images(dense, shape)
    was = run(dense := with_logits(dense), batches)
    try:
        now = run(with_logits(pruned), batches)
    except Exception as e:
        raise Failed(f"ONNX Runtime: {' '.join(str(e).split())[:300]}") from None
    want = run(disconnected(dense, plan, folder), batches)
    row["std"] = [float(y.std()) for y in (was[-1], now[-1])]
    row["error"] = max(map(relative, now, want))
    row["change"] = max(map(relative, now, was))
    for a, b in zip(now, was):
        if a.shape != b.shape:
            raise Failed(f"output {a.shape}, the dense model's is {b.shape}")
        if not np.isfinite(a).all():
            raise Failed("outputs are not finite")
    if any(y[-1].std() < 1e-3 * np.abs(y[-1]).max() for y in (was, now)):
        raise Failed(f"outputs of std {row['std']} hardly vary: a comparison would prove nothing")
    if not row["error"] <= TOLERANCE:
        raise Failed(f"differs from the disconnected dense model by {row['error']:.1e}")
    if row["change"] < 10 * TOLERANCE:
        raise Failed("the removed channels change nothing: a comparison proves nothing")
    row["verdict"] = "ok"
