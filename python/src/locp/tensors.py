"""A model's parameters and buffers by name."""

from __future__ import annotations

import torch
from torch import nn

from .errors import UnsupportedModel


def tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """Every parameter and buffer, a tied one under each of its names."""
    named: dict[str, torch.Tensor] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        for key, tensor in own_tensors(module).items():
            name = f"{path}.{key}" if path else key
            if isinstance(tensor, nn.parameter.UninitializedTensorMixin) or tensor.is_meta:
                raise UnsupportedModel(f"{name} has no values yet; run the model once, or load its weights")
            named[name] = tensor
    return named


def own_tensors(module: nn.Module) -> dict[str, torch.Tensor]:
    """Those that the module itself holds, by their key in it."""
    held = {**module._parameters, **module._buffers}
    return {key: tensor for key, tensor in held.items() if tensor is not None}
