"""The numbers that modules keep beside their tensors: channels, features, groups."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .errors import MismatchError

Convolution = nn.modules.conv._ConvNd
NormBase = nn.modules.batchnorm._NormBase


def counts(name: str, module: nn.Module, new: dict[str, torch.Tensor], stay: list[int] | None) -> dict[str, Any]:
    """The attributes that change with a module's tensors.

    new   the module's tensors by their names in it, such as `weight`, with the shapes that they will have
    stay  which positions of the weight's first axis stay, or None for all

    Raises MismatchError where the new tensors do not fit each other.
    """
    weight = new.get("weight")
    if isinstance(module, Convolution) and weight is not None:
        return _convolution(name, module, new, stay)
    if isinstance(module, nn.Linear) and weight is not None:
        outputs, inputs = weight.shape
        _fits(name, new, "bias", outputs)
        return {"in_features": inputs, "out_features": outputs}
    if isinstance(module, NormBase):
        lengths = {part: tensor.shape[0] for part, tensor in new.items() if tensor.dim() == 1}
        for part in lengths:
            _fits(name, new, part, next(iter(lengths.values())))
        return {"num_features": next(iter(lengths.values()))} if lengths else {}
    if isinstance(module, nn.GroupNorm) and weight is not None:
        _fits(name, new, "bias", len(weight))
        groups = module.num_groups if stay is None else _groups(name, stay, module.num_channels, module.num_groups)
        return {"num_channels": len(weight), "num_groups": groups}
    if isinstance(module, nn.LayerNorm) and weight is not None:
        return {"normalized_shape": tuple(weight.shape)}
    if isinstance(module, nn.PReLU) and weight is not None:
        return {"num_parameters": len(weight)}
    return {}


def _convolution(name: str, module: Any, new: dict[str, torch.Tensor], stay: list[int] | None) -> dict[str, Any]:
    # The weight is outputs x (inputs of one group), or inputs x (outputs of one group) where it is transposed.
    first, second = new["weight"].shape[:2]
    groups = module.groups
    if groups > 1 and stay is not None:
        groups = _groups(name, stay, module.weight.shape[0], groups)
        # A plan lets whole groups go, with all that they read and write. Were the weight's second
        # axis shorter, too, groups of another make-up would be computed.
        if second != module.weight.shape[1] or first * module.groups != module.weight.shape[0] * groups:
            raise _unequal(name)
    many, few = first, second * groups
    inputs, outputs = (many, few) if module.transposed else (few, many)
    _fits(name, new, "bias", outputs)
    return {"in_channels": inputs, "out_channels": outputs, "groups": groups}


def _groups(name: str, stay: list[int], length: int, groups: int) -> int:
    """How many of `groups` equal blocks are left: whole blocks went, or every block lost as much."""
    size = length // groups
    left = [0] * groups
    for position in stay:
        left[position // size] += 1
    if all(kept in (0, size) for kept in left):
        return sum(kept > 0 for kept in left)
    if len(set(left)) == 1:
        return groups
    raise _unequal(name)


def _unequal(name: str) -> MismatchError:
    tensor = f"{name}.weight" if name else "weight"
    return MismatchError(
        f"{tensor}: the plan takes unequal numbers of channels from this module's groups; plan again for this model",
        tensor,
    )


def _fits(name: str, new: dict[str, torch.Tensor], part: str, length: int) -> None:
    found = new.get(part)
    if found is not None and tuple(found.shape) != (length,):
        tensor = f"{name}.{part}" if name else part
        raise MismatchError(
            f"{tensor} would have the shape {tuple(found.shape)} and its module {length} channels; "
            "plan again for this model",
            tensor,
        )
