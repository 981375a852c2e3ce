"""Taylor scores: the formula, what they leave alone, and that plans go by them."""

import nets
import numpy as np
import pytest
import torch
from same import assert_unchanged, snapshot
from torch import nn
from torch.nn.functional import cross_entropy

import locp


def batches(n=3):
    g = torch.Generator().manual_seed(5)
    return [(torch.randn((4, 3, 16, 16), generator=g), torch.randint(10, (4,), generator=g)) for _ in range(n)]


@pytest.mark.parametrize("form", ["squares", "absolute", "filter"])
@pytest.mark.parametrize("build", [nets.Mobile, nets.Norms])
def test_scores_are_the_formula(form, build):
    model = nets.lively(build)
    scores = locp.taylor_scores(model, batches(), cross_entropy, form)

    # The definition, with `backward` and one weight after the other.
    expected = {}
    for x, y in batches():
        model.zero_grad()
        cross_entropy(model(x), y).backward()
        for name, module in model.named_modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                product = (module.weight.grad * module.weight).detach().double()
                if form == "filter":
                    first = isinstance(module, nn.ConvTranspose2d) and module.groups == 1
                    product = product.transpose(0, 1) if first else product
                    product = product.flatten(1).sum(1)
                one = product.abs() if form == "absolute" else product**2
                expected[f"{name}.weight"] = expected.get(f"{name}.weight", 0) + one.numpy() / 3
    assert scores.keys() == expected.keys()
    for name, score in scores.items():
        np.testing.assert_allclose(score, expected[name], rtol=1e-5, atol=1e-12)


def test_the_model_is_left_as_it_was():
    model = nets.lively(nets.Residual)
    model.train()
    model.conv1.eval()
    model.stem.requires_grad_(False)
    cross_entropy(model(batches()[0][0]), batches()[0][1]).backward()
    before = snapshot(model)
    locp.taylor_scores(model, batches(), cross_entropy)
    assert_unchanged(model, before)
    for wrong in ([], [(batches()[0][0] * float("nan"), batches()[0][1])], [(torch.zeros(1), torch.zeros(1))]):
        with pytest.raises((locp.LocpError, RuntimeError)):
            locp.taylor_scores(model, wrong, cross_entropy)
        assert_unchanged(model, before)
    with pytest.raises(locp.LocpError, match="squares"):
        locp.taylor_scores(model, batches(), cross_entropy, form="cubes")


def test_unused_weights_have_no_scores():
    model = nets.lively(nets.Residual)
    model.unused = nn.Linear(3, 3)
    assert "unused.weight" not in locp.taylor_scores(model, batches(1), cross_entropy)


@pytest.mark.parametrize("form", ["squares", "filter"])
@pytest.mark.parametrize("build", [nets.Chain, nets.Mobile, nets.Grouped, nets.Concat])
def test_plans_go_by_them(build, form, simulated, tmp_path):
    model, x = nets.lively(build), nets.example()
    scores = locp.taylor_scores(model, batches(), cross_entropy, form)
    locp.save_scores(scores, tmp_path / "taylor.npz")
    plan = locp.plan(model, x, "0.8x", scores=scores, **simulated)
    assert plan.raw["value_kind"] == "file"
    again = locp.plan(model, x, "0.8x", scores=tmp_path / "taylor.npz", **simulated)
    assert again.groups == plan.groups
    if build is nets.Chain and form == "filter":
        # A group that one layer computes loses the channels of the lowest sums.
        name = "3.0.weight"
        group = next(g for g in plan.groups if any(m["tensor"] == name and m["axis"] == 0 for m in g["members"]))
        best = np.sort(np.argsort(-scores[name], kind="stable")[: len(group["keep"])])
        assert group["keep"] == best.tolist()


def test_scores_have_the_ending_that_the_program_knows(tmp_path):
    with pytest.raises(locp.LocpError, match=".npz"):
        locp.save_scores({}, tmp_path / "scores.bin")
    assert not list(tmp_path.iterdir())


def test_scores_of_what_nobody_can_prune_are_left_out(simulated, tmp_path):
    """A depthwise convolution of the image has no channel group, and the program refuses scores for it."""
    model = nets.lively(lambda: nn.Sequential(nn.Conv2d(3, 3, 3, padding=1, groups=3), *nets.Chain()))
    scores = locp.taylor_scores(model, batches(), cross_entropy)
    assert "0.weight" in scores
    assert locp.plan(model, nets.example(), "0.8x", scores=scores, **simulated).groups
    locp.save_scores(scores, tmp_path / "taylor.npz")
    with pytest.raises(locp.CommandError, match="0.weight"):
        locp.plan(model, nets.example(), "0.8x", scores=tmp_path / "taylor.npz", **simulated)
