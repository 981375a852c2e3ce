"""Branches that cannot go from a module: the error names a tensor, and nothing is changed."""

import branch_nets
import nets
import pytest
import torch
from branch_nets import Net
from same import constants, drawn_plan
from test_branches import made
from test_mismatch import refused
from torch import nn

import locp
from locp.weights import Weights


@pytest.fixture
def all_gone(binary, tmp_path):
    """A model, an input, a plan that takes every branch away, and the weights of the pruned file."""
    model, x, plan, pruned = made(branch_nets.basic, binary, tmp_path, gone=lambda group: True)
    return model, x, plan, locp.read_weights(pruned)


def emptied(channels, layer, norm, reader):
    """A plan that leaves nothing of what a layer computes, which is normalized and read by another one."""
    parts = [(f"{norm}.{part}", 0) for part in ("weight", "bias", "running_mean", "running_var")]
    tensors = [(f"{layer}.weight", 0), *parts, (f"{reader}.weight", 1)]
    members = [{"tensor": tensor, "axis": axis, "offset": 0, "repeat": 1} for tensor, axis in tensors]
    groups = [{"name": layer, "channels": channels, "keep": [], "members": members}]
    return {"schema": "locp.plan/1", "groups": groups}


def test_neither_an_example_nor_a_file_that_states_one(all_gone, tmp_path):
    model, x, plan, weights = all_gone
    found = refused(model, plan, None, locp.MismatchError, "blocks.0.conv1.0.weight", "example")
    assert found.tensor == "blocks.0.conv1.0.weight"
    assert weights.inputs == ((1, 3, 17, 15),)
    locp.export(model, x, tmp_path / "open.onnx", dynamic_axes={"input": {0: "batch", 2: "height"}})
    without = locp.read_weights(tmp_path / "open.onnx")
    assert without.inputs == ()
    refused(model, plan, without, locp.MismatchError, "example")


def test_a_file_in_which_the_branch_is_not_gone(all_gone, binary, tmp_path):
    model, x, plan, _ = all_gone
    _, _, _, pruned = made(branch_nets.basic, binary, tmp_path)
    constant = "/blocks.0/conv2/conv2.1/BatchNormalization_output_0"
    found = refused(model, plan, pruned, locp.MissingTensor, constant, "locp.export", example=x)
    assert found.tensor == constant


def test_a_constant_of_another_width(all_gone):
    model, x, plan, weights = all_gone
    name = "/blocks.1/conv2/conv2.1/BatchNormalization_output_0"
    wrong = Weights({**weights.tensors, name: weights.tensors[name][:, 1:]})
    found = refused(model, plan, wrong, locp.MismatchError, name, "(1, 48, 1, 1)", "(1, 28, 1, 1)", example=x)
    assert found.tensor == name


class Leaks(nets.Residual):
    """The inside of the first branch is read by more than the branch."""

    def forward(self, x):
        x = self.stem(x).relu()
        inside = self.conv1(x).relu()
        x = self.skip((self.conv2(inside) + x).relu())
        return self.fc((x + inside.mean((1, 2, 3), keepdim=True)).mean((2, 3)))


@pytest.mark.parametrize("build, layer, reader", [(nets.Grouped, "expand", "fc"), (Leaks, "conv1", "conv2.0")])
def test_channels_that_are_not_only_the_inside_of_a_branch(build, layer, reader):
    model, x = nets.lively(build), nets.example()
    plan = emptied(48, f"{layer}.0", f"{layer}.1", reader)
    found = refused(model, plan, None, locp.MismatchError, f"{layer}.0.weight", "plan again", example=x)
    assert found.tensor == f"{layer}.0.weight"


def test_a_block_that_is_used_twice():
    class Twice(Net):
        def forward(self, x):
            x = self.stem(x).relu()
            return self.fc(self.blocks[0](self.blocks[0](x)).mean((2, 3)))

    model, x = nets.lively(lambda: Twice(branch_nets.Basic(32, 32), channels=32)), nets.example()
    plan = emptied(32, *(f"blocks.0.{name}" for name in ("conv1.0", "conv1.1", "conv2.0")))
    found = refused(model, plan, None, locp.SharedTensor, "several places", "keep_branches", example=x)
    assert found.tensor.startswith("blocks.0.conv1.")


def test_a_module_of_the_users_own(binary, tmp_path):
    class Scale(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.factor = nn.Parameter(torch.rand(channels, 1, 1))

        def forward(self, x):
            return x * self.factor

    def build():
        net = Net(branch_nets.Basic(32, 32), channels=32)
        net.blocks[0].conv1.append(Scale(32))
        return net

    model, x, plan, pruned = made(build, binary, tmp_path, gone=lambda group: True)
    found = refused(model, plan, pruned, locp.MismatchError, "own layers", "keep_branches", example=x)
    assert found.tensor == "blocks.0.conv1.2.factor"


def test_a_forward_that_reads_what_is_gone(binary, tmp_path):
    class Reads(branch_nets.Basic):
        def forward(self, x):
            return super().forward(x) * self.conv1[0].weight.shape[2]

    def build():
        return Net(Reads(32, 32), channels=32)

    model, x, plan, pruned = made(build, binary, tmp_path, gone=lambda group: True)
    refused(model, plan, pruned, locp.ForwardError, "does not run", "weight", example=x)
    # A file states its inputs, so that the same is seen without an example.
    refused(model, plan, pruned, locp.ForwardError, "does not run", "weight")


def test_a_file_with_folded_normalization(binary, tmp_path):
    model, x = nets.lively(branch_nets.basic), branch_nets.image()
    dense, pruned = tmp_path / "dense.onnx", tmp_path / "pruned.onnx"
    torch.onnx.export(model, (x,), str(dense), dynamo=True, external_data=False, verbose=False)
    plan = drawn_plan(dense, binary, 0, gone=lambda group: True)
    assert plan.branches
    plan.save(tmp_path / "plan.json")
    locp.run("apply", dense, binary=binary, plan=tmp_path / "plan.json", output=pruned)
    for weights in (None, pruned):
        refused(model, plan, weights, locp.FoldedNormalization, "folded", "locp.export", example=x)


def test_undone_as_a_whole(all_gone):
    """Where the narrow model does not run, the modules of before are in their places."""
    model, x, plan, weights = all_gone
    before, expected = dict(model.named_modules()), model(x)

    def interrupted(*_):
        if constants(model):
            raise ValueError("too narrow")

    handle = model.fc.register_forward_pre_hook(interrupted)
    refused(model, plan, weights, locp.ForwardError, "too narrow", example=x)
    handle.remove()
    assert dict(model.named_modules()) == before and torch.equal(model(x), expected)
