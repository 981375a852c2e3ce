"""Networks pruned in place: the module equals the file that `locp prune` wrote, and trains."""

import nets
import pytest
import torch
from same import assert_equals_file, drawn_plan
from torch import nn

import locp

CASES = {
    "chain": (nets.Chain, {}),
    "residual": (nets.Residual, {}),
    "residual, streams open": (nets.Residual, {"prune_residual": True}),
    "depthwise": (nets.Mobile, {}),
    "depthwise, streams open": (nets.Mobile, {"prune_residual": True}),
    "grouped": (nets.Grouped, {}),
    "concat": (nets.Concat, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_module_equals_the_pruned_file(case, simulated, tmp_path):
    build, options = CASES[case]
    model, x = nets.lively(build), nets.example()
    with torch.no_grad():
        dense = model(x)
    modules = dict(model.named_modules())
    sizes = {name: parameter.shape for name, parameter in model.named_parameters()}

    result = locp.prune(model, x, latency="0.7x", save_to=tmp_path / "kept", **simulated, **options)

    assert result.model is model and dict(model.named_modules()) == modules, "modules are other objects"
    assert_equals_file(model, x, tmp_path / "kept" / "pruned.onnx", tmp_path)
    with torch.no_grad():
        assert (model(x) - dense).abs().max() > 1e-3, "nothing was removed that mattered"
    narrower = [name for name, parameter in model.named_parameters() if parameter.shape != sizes[name]]
    assert narrower, "no parameter is smaller"
    for name, keep in result.plan.modules.items():
        module = model.get_submodule(name)
        found = module.out_features if isinstance(module, nn.Linear) else module.out_channels
        assert found == keep["keep"], f"{name} does not have the channels that the plan keeps"
    assert result.report.simulated and result.report.ratio < 1 and "SIMULATED" in str(result.report)
    assert result.report.parameters[1] < result.report.parameters[0]
    # The plan that was saved is one that the program takes.
    locp.run("apply", tmp_path / "kept" / "model.onnx", binary=simulated["binary"],
             plan=tmp_path / "kept" / "plan.json", output=tmp_path / "applied.onnx")  # fmt: skip
    assert (tmp_path / "applied.onnx").read_bytes() == (tmp_path / "kept" / "pruned.onnx").read_bytes()


@pytest.mark.parametrize("case", ["residual, streams open", "depthwise", "grouped", "concat"])
def test_it_trains(case, simulated):
    build, options = CASES[case]
    model, x = nets.lively(build), nets.example((8, 3, 16, 16))
    model.train()
    frozen = next(iter(model.parameters()))
    frozen.requires_grad_(False)
    locp.prune(model, x, latency="0.7x", **simulated, **options)

    assert all(module.training for module in model.modules()), "the model was in train mode"
    first, *others = model.parameters()
    assert not first.requires_grad and all(p.requires_grad for p in others)
    assert all(p.is_leaf and p.grad is None for p in model.parameters())
    before = [p.detach().clone() for p in others]
    optimizer = torch.optim.SGD(others, lr=0.1)
    targets = torch.arange(8)
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(not torch.equal(p, old) for p, old in zip(others, before)), "some parameters do not learn"
    assert losses[-1] < losses[0]


def test_a_plan_alone_is_carried_out(simulated, tmp_path):
    """The steps one by one, from files, without fitted weights."""
    model, x = nets.lively(nets.Residual), nets.example()
    plan = locp.plan(model, x, latency="0.7x", **simulated)
    plan.save(tmp_path / "plan.json")
    locp.export(model, x, tmp_path / "dense.onnx")
    locp.run("apply", tmp_path / "dense.onnx", binary=simulated["binary"],
             plan=tmp_path / "plan.json", output=tmp_path / "pruned.onnx")  # fmt: skip
    assert locp.apply(model, tmp_path / "plan.json", example=x) is model
    assert_equals_file(model, x, tmp_path / "pruned.onnx", tmp_path)


EVERY = [nets.Chain, nets.Residual, nets.Mobile, nets.Grouped, nets.Concat, nets.Norms]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("build", EVERY)
def test_any_channels_of_every_group_can_go(build, seed, binary, tmp_path):
    """Plans that no planner makes: every group, residual streams too, loses channels drawn by lot."""
    model, x = nets.lively(build, seed), nets.example()
    dense, pruned = tmp_path / "dense.onnx", tmp_path / "pruned.onnx"
    locp.export(model, x, dense)
    plan = drawn_plan(dense, binary, seed)
    plan.save(tmp_path / "plan.json")
    locp.run("apply", dense, binary=binary, plan=tmp_path / "plan.json", output=pruned)

    before = sum(p.numel() for p in model.parameters())
    locp.apply(model, plan, pruned, x)
    assert_equals_file(model, x, pruned, tmp_path)
    assert sum(p.numel() for p in model.parameters()) < 0.8 * before
    # Once more, from the narrow model: what modules say of themselves is right.
    locp.export(model, x, dense)
    plan = drawn_plan(dense, binary, seed + 1)
    locp.apply(model, plan, example=x)
    plan.save(tmp_path / "plan.json")
    locp.run("apply", dense, binary=binary, plan=tmp_path / "plan.json", output=pruned)
    assert_equals_file(model, x, pruned, tmp_path)


def test_signals_types_and_memory_formats_stay(simulated, tmp_path):
    model, x = nets.lively(nets.Signal, shape=(8, 3, 64)), nets.example((2, 3, 64))
    locp.prune(model, x, latency="0.9x", save_to=tmp_path, **simulated)
    assert_equals_file(model, x, tmp_path / "pruned.onnx", tmp_path)

    model, x = nets.lively(nets.Chain), nets.example()
    plan = locp.plan(model, x, latency="0.7x", **simulated)
    model.double().to(memory_format=torch.channels_last)
    locp.apply(model, plan, example=x.double())
    assert {p.dtype for p in model.parameters()} == {torch.float64}
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last) and model[0].weight.dim() == 4


def test_a_tied_parameter_stays_tied(simulated, tmp_path):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 32, 3, padding=1)
            self.head, self.twin = nn.Conv2d(32, 48, 3, padding=1), nn.Conv2d(32, 48, 3, padding=1)
            self.twin.weight, self.twin.bias = self.head.weight, self.head.bias
            self.fc = nn.Linear(48, 10)

        def forward(self, x):
            x = self.stem(x).relu()
            return self.fc((self.head(x).relu() + self.twin(nn.functional.avg_pool2d(x, 3, 1, 1)).relu()).mean((2, 3)))

    model, x = nets.lively(Tied), nets.example()
    locp.prune(model, x, latency="0.7x", prune_residual=True, save_to=tmp_path, **simulated)
    assert model.head.weight is model.twin.weight and model.head.bias is model.twin.bias
    assert model.twin.in_channels == model.head.in_channels < 32
    assert_equals_file(model, x, tmp_path / "pruned.onnx", tmp_path)
