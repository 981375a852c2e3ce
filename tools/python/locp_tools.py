"""What the checking scripts share: running locp, and the model that a plan's result must equal."""

import json
import shlex
import subprocess
import time

import numpy as np
import onnx
from onnx import helper, numpy_helper


class Failed(Exception):
    pass


def locp(args, *command):
    """Runs locp, returns its JSON and the seconds it took.

    `args` has the binary as `locp`, further flags as `locp_args` and a `timeout`.
    """
    line = [str(args.locp), *map(str, command), "--format", "json", *shlex.split(args.locp_args)]
    start = time.time()
    try:
        done = subprocess.run(
            line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=args.timeout
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"{command[0]}: no answer within {args.timeout} s") from None
    seconds = time.time() - start
    try:
        answer = json.loads(done.stdout)
    except json.JSONDecodeError:
        tail = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise Failed(f"{command[0]}: exit {done.returncode}: {tail}") from None
    if str(answer.get("schema", "")).startswith("locp.error/"):
        raise Failed(f"{command[0]}: {answer.get('kind')}: {answer.get('message')}")
    if done.returncode != 0:
        raise Failed(f"{command[0]}: exit {done.returncode}")
    return answer, seconds


def positions(member, channel):
    """Where channel number `channel` of a group sits on the member's axis."""
    if member.get("positions") is not None:
        return list(member["positions"][channel])
    repeat = member.get("repeat", 1)
    start = member.get("offset", 0) + channel * repeat
    return list(range(start, start + repeat))


def write_out(model):
    """Gives weights that are lists or one value times a shape the form of a tensor."""
    known = {t.name: t for t in model.graph.initializer}
    for node in model.graph.node:
        attributes = {a.name: a for a in node.attribute}
        if node.op_type == "Constant":
            if "value_floats" in attributes:
                array = np.asarray(attributes["value_floats"].floats, np.float32)
                del node.attribute[:]
                node.attribute.append(helper.make_attribute("value", numpy_helper.from_array(array)))
            known.update((node.output[0], a.t) for a in node.attribute if a.name == "value")
        elif node.op_type == "ConstantOfShape" and node.input[0] in known:
            shape = numpy_helper.to_array(known[node.input[0]]).tolist()
            one = np.zeros(1, np.float32)
            if "value" in attributes:
                one = numpy_helper.to_array(attributes["value"].t)
            tensor = numpy_helper.from_array(np.full(shape, one[0], one.dtype))
            del node.attribute[:], node.input[:]
            node.op_type = "Constant"
            node.attribute.append(helper.make_attribute("value", tensor))


def unshare(model):
    """Gives every constant behind an Identity a tensor of its own: a plan may zero one and not the other."""
    known = {t.name: t for t in model.graph.initializer}
    kept = []
    for node in model.graph.node:
        if node.op_type == "Identity" and node.input[0] in known:
            copy = model.graph.initializer.add()
            copy.CopyFrom(known[node.input[0]])
            copy.name = node.output[0]
            known[copy.name] = copy
        else:
            kept.append(node)
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
    del model.graph.node[:]
    model.graph.node.extend(kept)


def tensors(model):
    """Every initializer and Constant tensor of the graph by name."""
    found = {t.name: t for t in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            for a in node.attribute:
                if a.name == "value":
                    found[node.output[0]] = a.t
    return found


def removed_positions(plan):
    """(tensor, axis, role) to the set of positions that the plan removes."""
    found = {}
    for group in plan["groups"]:
        gone = sorted(set(range(group["channels"])) - set(group["keep"]))
        for member in group["members"]:
            key = (member["tensor"], member["axis"], member["role"])
            for channel in gone:
                found.setdefault(key, set()).update(positions(member, channel))
    return found


def zero(tensor, axis, positions):
    """Makes positions of a tensor's axis zero."""
    array = numpy_helper.to_array(tensor).copy()
    where = [slice(None)] * array.ndim
    where[axis] = sorted(positions)
    array[tuple(where)] = 0
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def disconnected(dense, plan):
    """The dense model with the removed channels zeroed in their consumers' weights."""
    model = onnx.load(dense)
    write_out(model)
    unshare(model)
    by_name = tensors(model)
    for (name, axis, role), gone in removed_positions(plan).items():
        if role != "consumer" or not gone:
            continue
        if name not in by_name:
            raise Failed(f"the plan names {name!r}, which the dense model has not")
        zero(by_name[name], axis, gone)
    return model.SerializeToString()


def check_shapes(dense, pruned, plan):
    """Every tensor of the plan lost exactly the positions that the plan says."""
    before, after = tensors(onnx.load(dense)), tensors(onnx.load(pruned))
    shapes = {}
    for (name, axis, _), gone in removed_positions(plan).items():
        shapes.setdefault(name, {}).setdefault(axis, set()).update(gone)
    for name, axes in shapes.items():
        if name not in before:
            raise Failed(f"the plan names {name!r}, which the dense model has not")
        if name not in after:
            continue
        want = list(before[name].dims)
        for axis, gone in axes.items():
            if gone and max(gone) >= want[axis]:
                raise Failed(f"{name}: the plan removes position {max(gone)} of {want[axis]}")
            want[axis] -= len(gone)
        if list(after[name].dims) != want:
            raise Failed(f"{name} is {list(after[name].dims)}, the plan makes it {want}")
