"""Residual branches that go as a whole: the module equals the pruned file, and what a branch leaves is trained."""

import branch_nets
import nets
import numpy as np
import onnx
import pytest
import torch
from same import assert_equals_file, constants, drawn_plan, run_file
from test_calib import images
from torch import nn

import locp

IMAGES = [branch_nets.basic, branch_nets.folded, branch_nets.bottleneck, branch_nets.inverted, branch_nets.early]
OTHERS = [nets.Residual, nets.Mobile, branch_nets.Vectors]


def first(group):
    """Whether it is a group of the first block, or of the first of two branches."""
    return any(part in group["name"] for part in ("blocks.0", "conv1.0", "fc1", "expand"))


def made(build, binary, folder, **plan):
    """A model, an input, its plan, and the file that `locp apply` makes by it."""
    is_signal = build is branch_nets.signal
    shape = (8, 3, 33) if is_signal else (8, 3, 16, 16)
    model = nets.lively(build, shape=shape)
    x = nets.example((2, 3, 33)) if is_signal else branch_nets.image()
    dense, pruned = folder / "dense.onnx", folder / "pruned.onnx"
    locp.export(model, x, dense)
    plan = drawn_plan(dense, binary, 0, **plan)
    plan.save(folder / "plan.json")
    locp.run("apply", dense, binary=binary, plan=folder / "plan.json", output=pruned)
    return model, x, plan, pruned


@pytest.mark.parametrize("given", ["file", "example", "both"])
@pytest.mark.parametrize("build", [*IMAGES, *OTHERS, branch_nets.signal])
def test_every_branch_goes(build, given, binary, tmp_path):
    model, x, plan, pruned = made(build, binary, tmp_path, share=1, gone=lambda group: True)
    before = run_file(tmp_path / "dense.onnx", x)
    locp.apply(model, plan, None if given == "example" else pruned, None if given == "file" else x)
    assert_equals_file(model, x, pruned, tmp_path)
    assert len(constants(model)) == len(plan.branches) > 0
    assert not any(module.training for module in model.modules()), "the model was in eval mode"
    assert np.abs(run_file(pruned, x) - before).max() > 1e-3, "no branch mattered"
    # Exported again it is the same graph: constants are broadcast, and nothing computes their size.
    files = [onnx.load(path).graph for path in (pruned, tmp_path / "again.onnx")]
    operators = [[node.op_type for node in graph.node] for graph in files]
    assert operators[0] == operators[1]
    # Nothing is left of the branches: the module has the file's tensors, and no other.
    left = {name for name in model.state_dict() if not name.endswith("num_batches_tracked")}
    left -= {f"{name}.bias" for name in constants(model)}
    assert left == {name for name in locp.read_weights(pruned).tensors if not name.startswith("/")}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("build", [*IMAGES, *OTHERS])
def test_some_branches_go_and_all_else_is_narrower(build, seed, binary, tmp_path):
    """Residual streams lose channels too, and what is added to them, once more in the module that came of it."""
    chosen = first if seed == 0 else lambda group: not first(group)
    model, x, plan, pruned = made(build, binary, tmp_path, gone=chosen)
    locp.apply(model, plan, pruned)
    assert_equals_file(model, x, pruned, tmp_path)
    assert len(constants(model)) == len(plan.branches)
    widths = [module.bias.shape[1] for module in constants(model).values()]

    dense = tmp_path / "narrow.onnx"
    locp.export(model, x, dense)
    again = drawn_plan(dense, binary, 1, gone=lambda group: True)
    again.save(tmp_path / "plan.json")
    locp.run("apply", dense, binary=binary, plan=tmp_path / "plan.json", output=pruned)
    locp.apply(model, again, pruned, x)
    assert_equals_file(model, x, pruned, tmp_path)
    assert len(constants(model)) == len(plan.branches) + len(again.branches)
    if widths:
        assert min(module.bias.shape[1] for module in constants(model).values()) < min(widths)


FITTED = {
    "residual": (nets.Residual, "0.5x", {}),
    "depthwise": (nets.Mobile, "0.5x", {}),
    "all else and the stream narrower": (branch_nets.basic, "0.3x", {"prune_residual": True}),
}


@pytest.mark.parametrize("case", FITTED)
def test_constants_that_were_fitted_arrive(case, simulated, tmp_path):
    build, latency, options = FITTED[case]
    model, plain, x = nets.lively(build), nets.lively(build), nets.example()
    with torch.no_grad():
        dense = model(images(64, seed=9))
    result = locp.prune(model, x, latency, calib=images(), save_to=tmp_path, **simulated, **options)
    assert result.plan.branches and result.report.raw["repair"]["branches"]
    assert_equals_file(model, x, tmp_path / "pruned.onnx", tmp_path)

    locp.apply(plain, result.plan, example=x)
    with torch.no_grad():
        fitted, bias = (((m(images(64, seed=9)) - dense) ** 2).mean().item() for m in (model, plain))
    assert fitted < 0.8 * bias, f"fitted {fitted:.3g}, the bias alone {bias:.3g}"


def test_branches_can_be_kept(simulated):
    model, x = nets.lively(nets.Residual), nets.example()
    with pytest.raises(locp.Refused):
        locp.prune(model, x, "0.5x", calib=images(), keep_branches=True, **simulated)


@pytest.mark.parametrize("build", IMAGES)
def test_constants_are_trained(build, binary, tmp_path):
    model, x, plan, pruned = made(build, binary, tmp_path, gone=first)
    model.train()
    for parameter in model.stem.parameters():
        parameter.requires_grad_(False)
    locp.apply(model, plan, pruned, x)
    assert all(module.training for module in model.modules()), "the model was in train mode"
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    assert {f"{name}.bias" for name in constants(model)} <= before.keys() and constants(model)
    optimizer = torch.optim.SGD((p for p in model.parameters() if p.requires_grad), lr=0.05)
    losses = []
    batch = nets.example((8, 3, 17, 15))
    for _ in range(6):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(batch), torch.arange(8))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) == name.startswith("stem"), f"{name} learns, or it does not"
    assert losses[-1] < losses[0]
    locp.export(model, x, tmp_path / "trained.onnx")
    assert locp.difference(model, x, tmp_path / "trained.onnx") < 1e-5
