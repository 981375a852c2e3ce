"""First-order Taylor scores: what a channel is worth by the loss's own gradient.

Molchanov et al., "Importance Estimation for Neural Network Pruning", CVPR 2019. Without a
parameter w the loss changes by g w in the first order, g being its gradient. A set S of
parameters, such as all that belong to a channel, is then worth

    squares    sum over S of (g w)^2       the paper's sum of individual importances
    absolute   sum over S of |g w|         the same without the square
    filter     (sum over S of g w)^2       the paper's joint importance, S being a filter

each averaged over batches. `squares` and `absolute` are written per element, so that LOCP sums
them over everything that a channel owns: the rows that compute it and the columns that read it.
`filter` is one number per output channel.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Iterable

import numpy as np
import torch
from torch import nn

from .counts import Convolution
from .errors import LocpError
from .exporting import as_inputs, check_kind, evaluating

FORMS = ("squares", "absolute", "filter")


def taylor_scores(
    model: nn.Module,
    batches: Iterable[tuple[Any, Any]],
    loss: Callable[[Any, Any], torch.Tensor],
    form: str = "squares",
) -> dict[str, np.ndarray]:
    """Scores of every convolution's and fully connected layer's weight, by tensor name.

    batches  pairs (input, target) on the model's device: an input is a tensor of shape
             (batch, channels, height, width), or a tuple of inputs
    loss     loss(model(input), target), a scalar, averaged over the batch
    form     "squares", "absolute" or "filter"

    An array has the shape of its weight; with "filter" one element per output channel. The model runs
    in eval mode. Its mode, its gradients and what requires them are afterwards as they were.
    """
    check_kind(model)
    if form not in FORMS:
        raise LocpError(f"form={form!r} is none of {', '.join(FORMS)}; choose one of them")
    weights = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, (Convolution, nn.Linear)) and "weight" in module._parameters
    }
    sums = {name: np.zeros(_line(module, form), np.float64) for name, module in weights.items()}
    used: set[str] = set()
    parameters = list(model.parameters())
    wanted = [parameter.requires_grad for parameter in parameters]
    number = 0
    try:
        for module in weights.values():
            module.weight.requires_grad_(True)
        with evaluating(model), torch.enable_grad():
            for inputs, target in batches:
                found = loss(model(*as_inputs(inputs)), target)
                if not torch.isfinite(found).all():
                    raise LocpError(f"the loss of batch {number} is {found.detach()}; look at its images and targets")
                # Other than `backward`, this leaves what is in `.grad` alone.
                gradients = torch.autograd.grad(found, [m.weight for m in weights.values()], allow_unused=True)
                for (name, module), gradient in zip(weights.items(), gradients):
                    if gradient is not None:
                        sums[name] += _score(module, gradient, form)
                        used.add(name)
                number += 1
    finally:
        for parameter, want in zip(parameters, wanted):
            parameter.requires_grad_(want)
    if number == 0:
        raise LocpError("there were no batches; give at least one pair (input, target)")
    # A weight that the loss does not depend on is not in the exported model either.
    return {
        f"{name}.weight" if name else "weight": (total / number).astype(np.float32)
        for name, total in sums.items()
        if name in used
    }


def save_scores(scores: dict[str, np.ndarray], path: str | os.PathLike) -> None:
    """Writes scores as `locp prune --scores` reads them: a `.npz` archive with an array per tensor.

    The program names a tensor that no channel group has, such as a depthwise convolution of the image,
    and wants it left out. `prune` and `plan` do that by themselves where `scores` is a dict.
    """
    if not os.fspath(path).endswith(".npz"):
        raise LocpError(f"{os.fspath(path)} must end with .npz, by which `locp` knows what it holds")
    np.savez(path, **scores)


def _outputs(module: Any) -> int:
    """The weight's axis of output channels; in groups, a transposed convolution's first axis counts both."""
    return 1 if getattr(module, "transposed", False) and module.groups == 1 else 0


def _line(module: Any, form: str) -> tuple[int, ...]:
    shape = tuple(module.weight.shape)
    return (shape[_outputs(module)],) if form == "filter" else shape


def _score(module: Any, gradient: torch.Tensor, form: str) -> np.ndarray:
    product = (gradient * module.weight.detach()).double()
    if form == "filter":
        axis = _outputs(module)
        product = product.sum([other for other in range(product.dim()) if other != axis])
    product = product.abs() if form == "absolute" else product.square()
    return product.cpu().numpy()
