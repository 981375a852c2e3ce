"""Files in which every tensor has the name and the values that it has in the module."""

import nets
import numpy as np
import pytest
import torch
from same import assert_unchanged, run_file, snapshot
from torch import nn

import locp


@pytest.mark.parametrize("build", [nets.Chain, nets.Residual, nets.Mobile, nets.Grouped, nets.Concat, nets.Norms])
def test_every_tensor_keeps_its_name(build, tmp_path):
    model, x = nets.lively(build), nets.example()
    before = snapshot(model)
    locp.export(model, x, tmp_path / "model.onnx")
    assert_unchanged(model, before)
    stored = locp.read_weights(tmp_path / "model.onnx").tensors
    expected = {n: t for n, t in model.state_dict().items() if not n.endswith("num_batches_tracked")}
    assert stored.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(stored[name], tensor.numpy())
    # The batch is open.
    x = nets.example((5, 3, 16, 16))
    with torch.no_grad():
        np.testing.assert_allclose(run_file(tmp_path / "model.onnx", x), model(x).numpy(), atol=1e-5)


def test_tensors_that_are_equal_by_chance(tmp_path, binary):
    """Fresh normalization is all zeros and ones, which the exporter would store once."""
    torch.manual_seed(0)
    model = nets.Residual()
    locp.export(model, nets.example(), tmp_path / "model.onnx")
    stored = locp.read_weights(tmp_path / "model.onnx").tensors
    assert all(name in stored for name, _ in model.named_parameters())
    assert all(f"{name}.running_var" in stored for name, m in model.named_modules() if isinstance(m, nn.BatchNorm2d))


def test_modes_come_back_each(tmp_path):
    model = nets.lively(nets.Residual).train()
    model.conv1.eval()
    before = snapshot(model)
    locp.export(model, nets.example(), tmp_path / "model.onnx")
    assert_unchanged(model, before)

    class Broken(nets.Residual):
        def forward(self, x):
            raise ValueError("no way forward")

    broken = Broken().train()
    with pytest.raises(locp.LocpError, match="no way forward"):
        locp.export(broken, nets.example(), tmp_path / "broken.onnx")
    assert broken.training and broken.conv1.training
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_a_failure_after_the_draft_leaves_nothing(tmp_path, monkeypatch):
    def fails(*_):
        raise ValueError("the disk is full")

    (tmp_path / "model.onnx").write_bytes(b"of yesterday")
    monkeypatch.setattr("locp.exporting._store_each_tensor", fails)
    with pytest.raises(locp.LocpError, match="the disk is full"):
        locp.export(nets.lively(nets.Chain), nets.example(), tmp_path / "model.onnx")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"of yesterday"]


def test_several_inputs(tmp_path, simulated):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nets.ConvNorm(3, 32), nets.ConvNorm(1, 32)
            self.both, self.fc = nets.ConvNorm(64, 64), nn.Linear(64, 10)

        def forward(self, left, right):
            x = self.both(torch.cat([self.left(left), self.right(right)], 1).relu()).relu()
            return {"logits": self.fc(x.mean((2, 3))), "features": x}

    model, inputs = Two(), (nets.example(), nets.example((2, 1, 16, 16)))
    model.eval()
    locp.prune(model, inputs, "0.9x", save_to=tmp_path, **simulated)
    assert locp.difference(model, inputs, tmp_path / "pruned.onnx") < 1e-5


def test_a_file_that_is_no_model(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"\xff\xfe no model")
    for path in (tmp_path / "model.onnx", tmp_path / "none.onnx"):
        with pytest.raises(locp.ModelFileError, match=path.name):
            locp.read_weights(path)
