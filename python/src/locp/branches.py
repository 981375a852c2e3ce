"""Residual branches that a plan takes away as a whole, and what stands in a module in their place."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from .counts import Convolution, NormBase
from .errors import MismatchError, SharedTensor
from .flow import Flow, Node
from .gone import Blank, Constant, Gone
from .plans import Plan
from .tensors import own_tensors
from .values import branch_constant
from .weights import Weights

LAYERS = (Convolution, nn.Linear)
# Modules that leave the size of an image as it is.
PLAIN = (NormBase, nn.GroupNorm, nn.LayerNorm, nn.PReLU)
KEEP = "keep the branch with `keep_branches` or `freeze`"


@dataclass(frozen=True)
class End:
    """Where a branch ends: its last layer's weight, the normalization behind that, and the tensor that is added."""

    weight: str
    norm: Node | None
    term: str


def stand_ins(
    model: nn.Module, plan: Plan, named: dict[str, torch.Tensor], flow: Flow, weights: Weights | None
) -> dict[nn.Module, nn.Module]:
    """What each module of a branch that goes is replaced by.

    A branch ends in the layer that reads nothing but channels that go, whose output, normalized or not, is added to
    the stream. What that adds is a constant from now on, and whatever led to nothing else is of no use any more.
    """
    removed = plan.removed()
    whole = [(t, axis) for (t, axis), gone in removed.items() if t in named and len(gone) == named[t].shape[axis]]
    ends = _ends(flow, {tensor for tensor, axis in whole if axis == 1}, named)
    alive = {tensor for node in flow.live({end.term for end in ends}) for tensor in node.inputs}
    _check_gone(flow, {tensor for tensor, _ in whole}, alive)
    new = _useless(model, flow, named, alive)
    norms = [name for end in ends if end.norm for name in end.norm.inputs[1:] if name in named]
    _check_kinds([*(tensor for tensor, _ in whole), *norms], named, new)
    for end in ends:
        if end.term not in alive:
            continue  # The end of a branch inside of a branch that goes adds nothing.
        layer = model.get_submodule(_module(end.weight))
        gone = set(removed.get((end.weight, 0), ()))
        kept = [channel for channel in range(named[end.weight].shape[0]) if channel not in gone]
        norm = None if end.norm is None else model.get_submodule(_module(end.norm.inputs[3]))
        new[layer] = Constant(layer, branch_constant(layer, norm, kept, end.term, weights))
        if norm is not None:
            new[norm] = nn.Identity().train(norm.training)
    return new


def held_by(modules: dict[nn.Module, nn.Module]) -> set[int]:
    """The ids of all tensors that go with some modules."""
    return {id(tensor) for module in modules for tensor in _all_tensors(module)}


def _ends(flow: Flow, weights: set[str], named: dict[str, torch.Tensor]) -> list[End]:
    """The ends among the layers with these weights."""
    found = []
    for node in flow.nodes:
        if node.op not in ("Conv", "Gemm") or node.inputs[1] not in weights:
            continue
        term, norm = node.outputs[0], None
        match flow.readers(term):
            case [Node(op="BatchNormalization") as reader] if len(flow.readers(reader.inputs[3])) == 1:
                term, norm = reader.outputs[0], reader
        match flow.readers(term):
            case [Node(op="Add") as reader] if named.keys().isdisjoint(reader.inputs):
                if len(flow.readers(node.inputs[1])) == 1:
                    found.append(End(node.inputs[1], norm, term))
    return found


def _check_gone(flow: Flow, whole: set[str], alive: set[str]) -> None:
    """An error where a tensor of which nothing stays is still read."""
    for tensor in sorted(whole & alive):
        if len(flow.readers(tensor)) > 1:
            raise SharedTensor(
                f"{tensor} is used in several places, and the plan takes it away as a part of a branch: give each "
                f"place a module of its own, or {KEEP}",
                tensor,
            )
        raise MismatchError(
            f"the plan leaves nothing of {tensor}, which in this model is not only the inside of a residual branch; "
            "plan again for this model",
            tensor,
        )


def _check_kinds(gone: list[str], named: dict[str, torch.Tensor], new: dict[nn.Module, nn.Module]) -> None:
    """An error where a tensor would go, and its module cannot be replaced."""
    held = held_by(new)
    for tensor in gone:
        if id(named[tensor]) not in held:
            raise MismatchError(
                f"{tensor} belongs to a branch that goes, and to a module of a kind that cannot be taken out: make it "
                f"one of PyTorch's own layers, or {KEEP}",
                tensor,
            )


def _useless(
    model: nn.Module, flow: Flow, named: dict[str, torch.Tensor], alive: set[str]
) -> dict[nn.Module, nn.Module]:
    """Stand-ins for the modules that the exported model had a use for, and has none any more."""
    read = {tensor for node in flow.nodes for tensor in node.inputs}
    once, still = ({id(named[tensor]) for tensor in some if tensor in named} for some in (read, alive))
    new: dict[nn.Module, nn.Module] = {}
    for module in model.modules():
        own = {id(tensor) for tensor in _all_tensors(module)}
        if isinstance(module, (*LAYERS, *PLAIN)) and not own.isdisjoint(once) and own.isdisjoint(still):
            new[module] = Gone(module) if isinstance(module, LAYERS) else Blank(module)
    return new


def _all_tensors(module: nn.Module) -> list[torch.Tensor]:
    return [tensor for part in module.modules() for tensor in own_tensors(part).values()]


def _module(tensor: str) -> str:
    return tensor.rpartition(".")[0]
