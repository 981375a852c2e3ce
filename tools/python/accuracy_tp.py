"""Torch-Pruning's choice of channels as a plan, at a latency that is asked for.

It removes channels by group magnitude with one threshold for the whole network (its global
mode), rounded to 8, from the groups that locp may prune and from no others. The share that
goes is bisected until the result, timed by `locp verify`, is as fast as asked for; the last
one that is not slower counts. What it keeps is written as a plan, so that the same fit
follows.
"""

import copy
import sys
from pathlib import Path

import torch
import torch_pruning
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python" / "examples"))
import fashion  # noqa: E402

from accuracy_study import MIN_SHARE, MODELS, Refused  # noqa: E402

ROUND_TO = 8
STEPS = 7


def tags(network):
    """Each layer's channels by numbers that are all different: their normalization's means, or their biases."""
    found = {}
    for path, module in network.named_modules():
        parent = network.get_submodule(path.rpartition(".")[0])
        if isinstance(module, nn.Conv2d) and hasattr(parent, "bn"):
            found[path] = parent.bn.running_mean
        elif isinstance(module, nn.Linear):
            found[path] = module.bias.detach()
    return found


def computing(group):
    """The modules that compute a group's channels as they are, by name."""
    for member in group["members"]:
        if member["role"] == "producer" and member["axis"] == 0 and not member.get("offset"):
            yield member["tensor"].removesuffix(".weight")


def pruned(dense, groups, closed, share):
    network = copy.deepcopy(dense)
    modules = dict(network.named_modules())
    torch_pruning.pruner.BasePruner(
        network,
        torch.zeros(1, 1, 28, 28),
        importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
        global_pruning=True,
        pruning_ratio=share,
        max_pruning_ratio=1 - MIN_SHARE,
        ignored_layers=[modules[name] for name in closed],
        round_to=ROUND_TO,
    ).step()
    before, after = tags(dense), tags(network)
    keep = {}
    for group in groups:
        name = next(iter(computing(group)))
        place = {value: index for index, value in enumerate(before[name].tolist())}
        keep[group["id"]] = sorted(place[value] for value in after[name].tolist())
    return keep


def prune(study, budget):
    """The fastest it is asked for: what `locp prune` reports of its result, and the file."""
    inspected = study.run("inspect", study.dense)
    name = study.network.removeprefix("fashion-")
    calib = torch.from_numpy(fashion.np.load(MODELS / "calib_images.npy")).float() / 255
    dense = fashion.shipped(name, calib)
    is_open = lambda g: g["frozen"] is None and (study.opens_streams(budget) or not g["residual"])  # noqa: E731
    groups = [g for g in inspected["groups"] if is_open(g)]
    closed = {m for g in inspected["groups"] if not is_open(g) for m in computing(g)}
    closed.add([n for n, m in dense.named_modules() if isinstance(m, nn.Linear)][-1])
    plan_path = study.plan_path(budget, "torch-pruning", "own")
    out, best, low, high = study.args.work / "pruned.onnx", None, 0.0, 1 - MIN_SHARE
    for _ in range(STEPS):
        share = (low + high) / 2
        keep = pruned(dense, groups, closed, share)
        study.write_plan(plan_path, inspected, keep)
        applied = study.run("apply", study.dense, "--plan", plan_path, "-o", out)
        timed = study.run("verify", study.dense, out, *study.timed(), "--at-most", 1)
        if timed["ratio"] <= budget:
            best, high = (timed, keep, applied), share
        else:
            low = share
    if best is None:
        raise Refused(f"no share reaches {budget}x")
    timed, keep, applied = best
    study.write_plan(plan_path, inspected, keep)
    fit = ["--engine", "onnxruntime", *study.calibrated()]
    study.run("apply", study.dense, "--plan", plan_path, *fit, "-o", out)
    kept = sum(map(len, keep.values()))
    answer = {key: timed[key] for key in ("ratio", "ratio_interval")}
    return {**answer, "channels_after": kept, "params_after": applied["params_after"]}, out
