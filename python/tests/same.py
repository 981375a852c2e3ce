"""What several tests make and assert."""

import random

import numpy as np
import torch

import locp

CLOSE = 1e-5


def snapshot(model):
    """Everything about a model that a failed call might have changed."""
    held = [(n, id(d), k, id(v), None if v is None else v.detach().clone())
            for n, m in model.named_modules() for d in (m._parameters, m._buffers) for k, v in d.items()]  # fmt: skip
    plain = {
        name: {k: v for k, v in module.__dict__.items() if isinstance(v, (int, bool, tuple))}
        for name, module in model.named_modules()
    }
    gradients = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    wanted = [p.requires_grad for p in model.parameters()]
    return held, plain, gradients, wanted


def assert_unchanged(model, before):
    after = snapshot(model)
    assert after[1] == before[1], "numbers or modes of modules changed"
    assert after[3] == before[3], "requires_grad changed"
    for old, new in zip(before[0], after[0], strict=True):
        assert old[:4] == new[:4], f"{old[0]}.{old[2]} is another object"
        assert old[4] is None or torch.equal(old[4], new[4]), f"{old[0]}.{old[2]} has other values"
    for old, new in zip(before[2], after[2], strict=True):
        assert (old is None) == (new is None) and (old is None or torch.equal(old, new)), "gradients changed"


def run_file(path, example):
    """The outputs of an ONNX file in ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: np.asarray(example, np.float32)})[0]


def assert_equals_file(model, example, pruned, tmp_path):
    """The module, and the file that it is exported to again, compute what the pruned file computes."""
    assert locp.difference(model, example, pruned) < CLOSE, "the module differs from the pruned file"
    again = tmp_path / "again.onnx"
    locp.export(model, example, again)
    theirs, ours = run_file(pruned, example), run_file(again, example)
    assert np.abs(ours - theirs).max() / np.abs(theirs).max() < CLOSE, "exported again it differs from the pruned file"
    # The same sizes stand in both files: nothing was left wide and multiplied by zero.
    shapes = [{n: a.shape for n, a in locp.read_weights(p).tensors.items()} for p in (pruned, again)]
    named, left = ({n: s for n, s in one.items() if not is_constant(n, model)} for one in shapes)
    assert named == left, "tensors of both files have other names or shapes"
    # What a branch leaves has the name of its output in the one file, and that of its module in the other.
    added, kept = (sorted(s for n, s in one.items() if is_constant(n, model)) for one in shapes)
    assert added == kept, "constants of both files have other shapes"


def constants(model):
    """The modules that stand for branches, by name."""
    return {name: module for name, module in model.named_modules() if isinstance(module, locp.Constant)}


def is_constant(tensor, model):
    return tensor.startswith("/") or tensor in {f"{name}.bias" for name in constants(model)}


def drawn_plan(dense, binary, seed, share=0.6, gone=lambda group: False):
    """A plan in which every group that may lose channels keeps a share of them, drawn by lot.

    gone  whether a branch goes of which a group is the inside
    """
    draw = random.Random(seed)
    found = locp.run("inspect", dense, binary=binary)
    groups = [
        {**{field: group[field] for field in ("id", "name", "channels", "members")},
         "keep": [] if group["removable"] and gone(group) else
         sorted(draw.sample(range(group["channels"]), max(1, round(share * group["channels"]))))}
        for group in found["groups"] if group["frozen"] is None
    ]  # fmt: skip
    return locp.Plan.of({"schema": "locp.plan/1", "model": found["model"], "groups": groups})
