"""What does not fit is named, and nothing is changed."""

import copy

import nets
import numpy as np
import pytest
import torch
from same import assert_unchanged, drawn_plan, snapshot
from torch import nn

import locp
from locp.weights import Weights


def pruned_file(model, binary, folder):
    """A plan for the model, and the file that `locp apply` makes by it."""
    dense, pruned = folder / "dense.onnx", folder / "pruned.onnx"
    locp.export(model, nets.example(), dense)
    plan = drawn_plan(dense, binary, 0)
    plan.save(folder / "plan.json")
    locp.run("apply", dense, binary=binary, plan=folder / "plan.json", output=pruned)
    return plan, pruned


@pytest.fixture
def made(binary, tmp_path):
    """A model, its plan, and the weights of the pruned file."""
    model = nets.lively(nets.Residual)
    plan, pruned = pruned_file(model, binary, tmp_path)
    return model, plan, locp.read_weights(pruned)


def refused(model, plan, weights, error, *says, example=None):
    before = snapshot(model)
    with pytest.raises(error) as found:
        locp.apply(model, plan, weights, example)
    assert_unchanged(model, before)
    for words in says:
        assert words in str(found.value), found.value
    return found.value


@pytest.mark.parametrize("has_weights", [False, True])
def test_a_narrower_module(made, has_weights):
    model, plan, weights = made
    model.conv4 = nets.ConvNorm(64, 32)
    says = ("conv4.0.weight", "(32, 64, 3, 3)", "at least 64 positions on axis 0")
    found = refused(model, plan, weights if has_weights else None, locp.MismatchError, *says)
    assert found.tensor == "conv4.0.weight"


def test_a_wider_module(simulated):
    model, x = nets.lively(nets.Chain), nets.example()
    plan = locp.plan(model, x, latency="0.7x", **simulated)
    name = next(iter(plan.modules))
    channels = plan.modules[name]["channels"]
    old = model.get_submodule(name)
    kernel = old.weight.shape[1:]
    old.weight = nn.Parameter(torch.zeros(channels + 8, *kernel))
    refused(model, plan, None, locp.MismatchError, f"{name}.weight", str(channels + 8), f"expects {channels}")


def test_another_kernel(made):
    model, plan, weights = made
    model.conv1[0] = nn.Conv2d(32, 48, 5, padding=2, bias=False)
    refused(model, plan, weights, locp.MismatchError, "conv1.0.weight", "(48, 32, 5, 5)", "3, 3)")


def test_a_missing_tensor(made):
    model, plan, weights = made
    model.tail, model.fc = model.fc, nn.Identity()
    found = refused(model, plan, None, locp.MissingTensor, "fc.weight", "locp.export")
    assert found.tensor == "fc.weight"


def test_a_file_of_another_plan(made):
    model, plan, weights = made
    other = copy.deepcopy(plan.raw)
    for group in other["groups"]:
        group["keep"] = group["keep"][:-1]
    refused(model, other, weights, locp.MismatchError, "pruned file", "different networks")


def test_folded_normalization(binary, tmp_path):
    """torch's own default export folds BatchNorm; such a plan is refused by either way."""
    model, x = nets.lively(nets.Concat), nets.example()
    dense, pruned = tmp_path / "dense.onnx", tmp_path / "pruned.onnx"
    torch.onnx.export(model, (x,), str(dense), dynamo=True, external_data=False, verbose=False)
    plan = drawn_plan(dense, binary, 0)
    plan.save(tmp_path / "plan.json")
    locp.run("apply", dense, binary=binary, plan=tmp_path / "plan.json", output=pruned)
    for weights in (None, pruned):
        refused(model, plan, weights, locp.FoldedNormalization, "a.1", "folded", "locp.export")


def test_one_normalization_in_two_places(binary, tmp_path):
    """Two convolutions share their BatchNorm; the file can have a copy of it, the module cannot."""

    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 32, 3, padding=1), nn.Conv2d(32, 32, 3, padding=1)
            self.norm, self.fc = nn.BatchNorm2d(32), nn.Linear(32, 10)

        def forward(self, x):
            return self.fc(self.norm(self.b(self.norm(self.a(x)).relu())).relu().mean((2, 3)))

    model, x = nets.lively(Shared), nets.example()
    locp.export(model, x, tmp_path / "dense.onnx")
    plan = drawn_plan(tmp_path / "dense.onnx", binary, 0)
    found = refused(model, plan, None, locp.SharedTensor, "several places", "freeze")
    assert found.tensor.startswith("norm.")


def test_a_number_in_forward(simulated):
    class Written(nets.Residual):
        def forward(self, x):
            x = self.stem(x).relu()
            x = self.conv1(x).view(-1, 48, 16 * 16).view(-1, 48, 16, 16)
            return self.fc(self.skip(self.conv2(x.relu())).mean((2, 3)))

    model, x = nets.lively(Written), nets.example()
    plan = locp.Plan.of(
        {
            "schema": "locp.plan/1",
            "groups": [{
                "name": "conv1", "channels": 48, "keep": list(range(24)),
                "members": [{"tensor": t, "axis": a, "offset": 0, "repeat": 1} for t, a in
                            [("conv1.0.weight", 0), ("conv2.0.weight", 1), *((f"conv1.1.{p}", 0) for p in
                             ("weight", "bias", "running_mean", "running_var"))]],
            }],
        }
    )  # fmt: skip
    refused(model, plan, None, locp.ForwardError, "does not run", "48", example=x)


def test_biases_that_fit_no_module(made):
    model, plan, weights = made
    kept = weights.tensors["conv1.0.weight"].shape[0]
    tensors = {**weights.tensors, "extra": np.zeros(kept + 1, np.float32)}
    odd = Weights(tensors, {**weights.biases, "conv1.0.weight": "extra"})
    refused(model, plan, odd, locp.MismatchError, "conv1.0.bias", str(kept))


def test_wrappers_are_named(made):
    model, plan, _ = made
    for wrapped in (nn.DataParallel(model), torch.jit.script(model), torch.compile(model), model.forward):
        with pytest.raises(locp.UnsupportedModel):
            locp.apply(wrapped, plan)


def test_a_group_norm_without_weights(binary):
    model = nn.Sequential(nn.Conv2d(3, 32, 3), nn.GroupNorm(4, 32, affine=False))
    with pytest.raises(locp.UnsupportedModel, match="affine=True"):
        locp.prune(model, nets.example(), latency="0.7x", binary=binary)


def test_branches_that_only_train_mode_runs_are_named(made):
    model, plan, weights = made
    model.auxiliary, model.twin = nn.Linear(48, 10), nn.Linear(64, 10)
    model.twin.weight = model.fc.weight
    with pytest.warns(UserWarning, match="not narrowed: auxiliary;"):
        locp.apply(model, plan, weights)


def test_weights_that_are_computed_are_not(binary, tmp_path, recwarn):
    model = nets.lively(nets.Residual)
    nn.utils.parametrizations.weight_norm(model.conv3[0])
    plan, pruned = pruned_file(model, binary, tmp_path)
    recwarn.clear()
    locp.apply(model, plan, pruned, nets.example())
    assert not recwarn.list
    assert model.conv3[0].out_channels == 64 > model.conv4[0].out_channels
    assert locp.difference(model, nets.example(), pruned) < 1e-5


def test_a_constant_in_forward(binary, tmp_path):
    class Scaled(nets.Residual):
        scale = torch.rand(48, 1, 1)

        def forward(self, x):
            x = self.conv1(self.stem(x).relu()).relu() * self.scale
            return self.fc(self.skip(self.conv2(x).relu()).mean((2, 3)))

    model, x = nets.lively(Scaled), nets.example()
    locp.export(model, x, tmp_path / "dense.onnx")
    plan = drawn_plan(tmp_path / "dense.onnx", binary, 0)
    refused(model, plan, None, locp.MissingTensor, "constant", "register_buffer")


def test_ctrl_c_while_the_narrow_model_runs(made):
    model, plan, weights = made
    before = snapshot(model)

    def interrupted(*_):
        assert model.conv1[0].out_channels < 48
        raise KeyboardInterrupt

    model.fc.register_forward_pre_hook(interrupted)
    with pytest.raises(KeyboardInterrupt):
        locp.apply(model, plan, weights, nets.example())
    assert_unchanged(model, before)
