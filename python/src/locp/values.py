"""The values that a pruned file has for a model's tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from .change import like
from .checks import EXPORT
from .errors import MismatchError, MissingTensor
from .weights import Weights


def stored_values(name: str, sliced: torch.Tensor, stored: np.ndarray, old: torch.Tensor) -> torch.Tensor:
    """The file's values of a tensor, which must have the shape that the plan leaves."""
    if tuple(stored.shape) != tuple(sliced.shape):
        raise MismatchError(
            f"{name} has the shape {tuple(old.shape)}, of which the plan leaves {tuple(sliced.shape)}, and in the "
            f"pruned file it is {tuple(stored.shape)}; plan, file and model belong to different networks: {EXPORT}",
            name,
        )
    # Types that numpy does not have by itself, such as bfloat16, go through f32, which holds them exactly.
    plain = stored if stored.dtype.kind in "fiub" and stored.dtype.name != "bfloat16" else stored.astype(np.float32)
    return torch.from_numpy(np.array(plain)).to(device=old.device, dtype=old.dtype)


def added_bias(name: str, module: nn.Module, weights: Weights | None) -> torch.Tensor | None:
    """The bias that the file gives a layer which has none; its name in the file may be any."""
    if weights is None or "bias" not in module._parameters or module._parameters["bias"] is not None:
        return None
    bias = weights.biases.get(f"{name}.weight" if name else "weight")
    return None if bias is None else torch.from_numpy(np.array(weights.tensors[bias], np.float32))


def branch_constant(layer: Any, norm: Any, kept: list[int], term: str, weights: Weights | None) -> nn.Parameter:
    """What a branch adds without its inside: the file's numbers, or else its last layer's bias, normalized.

    kept  the last layer's channels that stay
    term  the name of the tensor that the branch added, which is the constant's name in the pruned file
    """
    weight = layer.weight
    full = weight.new_zeros(weight.shape[0]) if layer.bias is None else layer.bias.detach()
    if norm is not None:
        held = (norm.running_mean, norm.running_var, norm.weight, norm.bias)
        numbers = [None if tensor is None else tensor.detach().double() for tensor in held]
        full = nn.functional.batch_norm(full.double()[None], *numbers, eps=norm.eps)[0]
    full = full.to(weight.dtype).reshape(1, -1, *[1] * (weight.dim() - 2))
    values = full[:, kept]
    if weights is not None:
        stored = weights.tensors.get(term)
        if stored is None:
            raise MissingTensor(
                f"the pruned file has no {term}, which a branch that goes leaves behind; plan, file and model belong "
                f"to different networks: {EXPORT}",
                term,
            )
        values = stored_values(term, values, stored, full)
    return like(weight, values)
