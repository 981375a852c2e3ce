"""Weights that were fitted to images come with the pruned file; so do biases that a module did not have."""

import nets
import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from same import assert_equals_file, assert_unchanged, snapshot
from torch import nn

import locp


def images(n=128, seed=3):
    return torch.randn((n, 3, 16, 16), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("build", [nets.Chain, nets.Residual, nets.Concat])
def test_fitted_weights_arrive(build, simulated, tmp_path):
    model, x = nets.lively(build), nets.example()
    twin = nets.lively(build)
    with torch.no_grad():
        dense = model(images(64, seed=9))
    result = locp.prune(model, x, latency="0.7x", calib=images(), save_to=tmp_path, **simulated)
    assert result.report.raw["repair"]["layers"], "no layer was fitted"
    assert_equals_file(model, x, tmp_path / "pruned.onnx", tmp_path)

    # The same plan without the file's weights: plain removal, which is further off.
    locp.apply(twin, result.plan, example=x)
    with torch.no_grad():
        fitted, plain = (((m(images(64, seed=9)) - dense) ** 2).mean().item() for m in (model, twin))
    assert fitted < 0.8 * plain, f"fitted {fitted:.3g}, plain removal {plain:.3g}"


def test_a_file_does_as_well_as_an_array(simulated, tmp_path):
    np.save(tmp_path / "images.npy", images().numpy())
    models = [nets.lively(nets.Chain) for _ in range(2)]
    for model, calib in zip(models, (tmp_path / "images.npy", images().numpy())):
        locp.prune(model, nets.example(), latency="0.7x", calib=calib, **simulated)
    for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(a, b)


def with_biases(path, model):
    """A pruned file that has a bias, under a name of its own, wherever the model's layers have none."""
    file = onnx.load(path)
    stored = {tensor.name: tensor for tensor in file.graph.initializer}
    added = []
    for number, node in enumerate(file.graph.node):
        if node.op_type in ("Conv", "ConvTranspose", "Gemm") and len(node.input) == 2:
            shape = stored[node.input[1]].dims
            bias = np.linspace(-1, 1, shape[0]).astype(np.float32)
            file.graph.initializer.append(numpy_helper.from_array(bias, f"shift_{number}"))
            node.input.append(f"shift_{number}")
            added.append(node.input[1].removesuffix(".weight"))
    onnx.save(file, path)
    return added


def test_biases_that_a_layer_did_not_have(simulated, tmp_path):
    model, x = nets.lively(nets.Residual), nets.example()
    locp.export(model, x, tmp_path / "dense.onnx")
    pruned = tmp_path / "pruned.onnx"
    plan, _ = locp.prune_onnx(tmp_path / "dense.onnx", pruned, latency="0.7x", **simulated)
    added = with_biases(pruned, model)
    assert "conv1.0" in added and model.conv1[0].bias is None

    locp.apply(model, plan, pruned, x)
    assert locp.difference(model, x, pruned) < 1e-5
    for name in added:
        bias = model.get_submodule(name).bias
        assert isinstance(bias, nn.Parameter) and bias.requires_grad
        assert f"{name}.bias" in dict(model.named_parameters())
    torch.optim.SGD(model.parameters(), lr=0.1)
    model(x).sum().backward()
    assert model.conv1[0].bias.grad is not None


@pytest.mark.parametrize(
    "wrong, kind, says",
    [
        (lambda x: x.index_put((torch.tensor(5), torch.tensor(0)), torch.tensor(float("nan"))), "array", "image 5"),
        (lambda x: x[:, :, :8], "image-shape", "[3, 8, 16]"),
        (lambda x: x[:, :1], "image-shape", "[1, 16, 16]"),
        (lambda x: x[:0], "array", "at least 1"),
    ],
    ids=["nan", "height", "channels", "none"],
)
def test_wrong_images_change_nothing(wrong, kind, says, simulated, tmp_path):
    model, x = nets.lively(nets.Residual), nets.example()
    before = snapshot(model)
    with pytest.raises(locp.CommandError) as error:
        locp.prune(model, x, latency="0.7x", calib=wrong(images(16)), save_to=tmp_path / "kept", **simulated)
    assert error.value.kind == kind and says in error.value.message, error.value
    assert error.value.exit_code == 2 and not isinstance(error.value, locp.Refused)
    assert_unchanged(model, before)
    assert not (tmp_path / "kept").exists()
