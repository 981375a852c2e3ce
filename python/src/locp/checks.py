"""Whether a plan and a pruned file belong to a model. Nothing here changes anything."""

from __future__ import annotations

import torch
from torch import nn

from .errors import FoldedNormalization, MismatchError, MissingTensor, SharedTensor, UnsupportedModel
from .plans import Plan
from .weights import Weights

EXPORT = "export the model with `locp.export` and plan again"


def check_norms(model: nn.Module) -> None:
    """An error for normalization whose number of groups nothing tells: it has no tensor that the plan could name."""
    for name, module in model.named_modules():
        if isinstance(module, nn.GroupNorm) and module.weight is None and module.num_groups > 1:
            raise UnsupportedModel(
                f"{name} is a GroupNorm without weights, so that no plan can say what it keeps; "
                "make it with affine=True"
            )


def check_names(model: nn.Module, plan: Plan, named: dict[str, torch.Tensor], weights: Weights | None) -> None:
    """Every tensor that the plan shortens must be one of the model's."""
    removed = plan.removed()
    parts = ("weight", "bias", "running_mean", "running_var")
    norms = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and any(f"{name}.{part}" in named for part in parts)
    ]
    known = {tensor for tensor, _ in removed}
    if weights is not None:
        known |= set(weights.tensors)
    narrows = any(len(named[t].shape) > 2 and axis == 0 for t, axis in removed if t in named)
    # A plan alone says nothing of convolutions that it leaves as they are.
    is_known = any(f"{name}.{part}" in known for name in norms for part in parts)
    if norms and not is_known and (narrows or weights is not None):
        raise FoldedNormalization(
            f"{norms[0]} and all other normalization is missing in the plan's file, which has it folded into the "
            f"convolutions: {EXPORT}",
            norms[0],
        )
    for tensor, axis in removed:
        if tensor in named:
            continue
        if tensor.startswith("/"):
            # A constant that the exporter made, not a tensor of the model. Normalization over groups
            # is given ones for its scale, which follow by themselves.
            if any(isinstance(m, (nn.GroupNorm, nn.modules.instancenorm._InstanceNorm)) for m in model.modules()):
                continue
            raise MissingTensor(
                f"the plan shortens {tensor}, a constant in the model's `forward`; make it a buffer by "
                "`register_buffer`, so that it can follow, and plan again",
                tensor,
            )
        base, _, copy = tensor.rpartition(".")
        if copy.isdigit() and base in named:
            raise SharedTensor(
                f"{base} is used in several places which lose different channels (the file has the copy {tensor}): "
                "give each place a module of its own, or keep all of its channels with `freeze`",
                base,
            )
        raise MissingTensor(
            f"the plan shortens axis {axis} of {tensor}, and the model has no tensor of that name; {EXPORT}", tensor
        )


def check_lengths(model: nn.Module, plan: Plan, named: dict[str, torch.Tensor]) -> None:
    """Axes must be as long as the plan has them."""
    for (tensor, axis), least in plan.least_lengths().items():
        if tensor not in named:
            continue  # It loses nothing; those that do were looked for before.
        shape = tuple(named[tensor].shape)
        if axis >= len(shape) or shape[axis] < least:
            raise MismatchError(
                f"{tensor} has the shape {shape}, and the plan expects at least {least} positions on axis {axis}; "
                f"the plan was made for another model: {EXPORT}",
                tensor,
            )
    for name, keep in plan.modules.items():
        tensor = f"{name}.weight"
        if tensor not in named:
            raise MissingTensor(f"the plan narrows {name}, a module that the model does not have; {EXPORT}", tensor)
        shape = tuple(named[tensor].shape)
        transposed = getattr(model.get_submodule(name), "transposed", False)
        outputs = shape[1] if transposed else shape[0]
        if outputs != keep.get("channels", outputs):
            raise MismatchError(
                f"{tensor} has the shape {shape}, so that {name} computes {outputs} channels, and the plan expects "
                f"{keep['channels']}; the plan was made for another model: {EXPORT}",
                tensor,
            )
