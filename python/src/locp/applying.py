"""A plan, and the weights of the pruned file, carried out on a live module."""

from __future__ import annotations

import os
import warnings
from typing import Any

import torch
from torch import nn

from .branches import held_by, stand_ins
from .change import Change, like
from .checks import check_lengths, check_names, check_norms
from .counts import Convolution, counts
from .errors import ForwardError
from .exporting import as_inputs, check_kind, evaluating
from .flow import Flow, zeros
from .plans import Plan
from .tensors import own_tensors, tensors
from .values import added_bias, stored_values
from .weights import Weights


def apply(
    model: nn.Module,
    plan: Plan | dict[str, Any] | str | os.PathLike,
    weights: Weights | str | os.PathLike | None = None,
    example: Any = None,
) -> nn.Module:
    """Makes the model as narrow as the plan says, in place, and answers with the same module.

    plan     a plan, its content, or the path of `plan.json`
    weights  the pruned ONNX file that belongs to it, or its path: the model gets that file's values.
             Without it, what stays keeps its values, and weights that were fitted are not taken over.
    example  inputs as the model takes them: the narrow model is run on them once

    Where the plan takes a whole residual branch away, its layers are replaced by modules that hold nothing, the
    last one by a `Constant`. How tensors flow is then looked at by an export, for which the model is run on
    `example`, or without it on zeros of the shapes that the file of weights states.

    Parameters are new objects where anything about them changed, on the same device and with the
    same type and `requires_grad`, so make the optimizer afterwards. Everything is checked first:
    where anything does not fit, an error says what, and the model is as it was.
    """
    prepare(model, plan, weights, example)
    return model


def prepare(
    model: nn.Module, plan: Any, weights: Any = None, example: Any = None, file: str | os.PathLike | None = None
) -> Change:
    """`apply`, answering with the change that was made, so that it can be undone.

    file  the model's export, if there is one already
    """
    check_kind(model)
    check_norms(model)
    plan = Plan.of(plan)
    weights = None if weights is None else Weights.of(weights)
    named = tensors(model)
    check_names(model, plan, named, weights)
    check_lengths(model, plan, named)
    instead: dict[nn.Module, nn.Module] = {}
    if plan.branches:
        if example is None:
            example = zeros(model, plan, weights)
        flow = Flow.of(model, as_inputs(example)) if file is None else Flow.read(file)
        instead = stand_ins(model, plan, named, flow, weights)
    change = _changes(model, plan, weights, instead)
    if weights is not None:
        _warn_of_absent(model, weights, instead)
    try:
        change.make()
        if example is not None:
            with evaluating(model), torch.no_grad():
                model(*as_inputs(example))
    except BaseException as error:
        change.undo()
        if not isinstance(error, Exception):
            raise  # Ctrl-C
        why = (
            "a number of channels may be written down in its `forward`: take it from a tensor's shape, or keep "
            "these channels with `freeze`"
        )
        if instead:
            why = f"a stand-in for a removed residual branch may not fit: try `keep_branches=True`; else {why}"
        raise ForwardError(f"the narrow model does not run ({error}); {why}") from error
    return change


def _warn_of_absent(model: nn.Module, weights: Weights, instead: dict[nn.Module, nn.Module]) -> None:
    """Says which layers the file does not have: what they read may be narrower now, and they are not."""
    stored = {id(tensor) for name, tensor in tensors(model).items() if name in weights.tensors} | held_by(instead)
    layers = [(name, m) for name, m in model.named_modules() if isinstance(m, (Convolution, nn.Linear))]
    # A weight that is computed from others is in the file by those others' names.
    absent = [name for name, m in layers if "weight" in m._parameters and id(m.weight) not in stored]
    if absent:
        warnings.warn(
            f"not in the exported file, and so not narrowed: {', '.join(absent)}; if they run in train mode only, as "
            "auxiliary classifiers do, remove them before pruning",
            stacklevel=4,
        )


def _changes(model: nn.Module, plan: Plan, weights: Weights | None, instead: dict[nn.Module, nn.Module]) -> Change:
    axes: dict[str, dict[int, list[int]]] = {}
    for (tensor, axis), gone in plan.removed().items():
        axes.setdefault(tensor, {})[axis] = gone
    useless = held_by(instead)
    new: dict[int, torch.Tensor] = {}  # by id of the old tensor
    stay: dict[int, list[int]] = {}  # what stays of its first axis
    for name, old in tensors(model).items():
        if id(old) in useless:
            continue
        values = old.detach()
        for axis, gone in axes.get(name, {}).items():
            kept = sorted(set(range(values.shape[axis])) - set(gone))
            values = values.index_select(axis, torch.tensor(kept, device=values.device))
            if axis == 0:
                stay[id(old)] = kept
        stored = None if weights is None else weights.tensors.get(name)
        if stored is not None:
            values = stored_values(name, values, stored, old)
        # What nothing changed about stays the object that it is.
        if values.shape != old.shape or not torch.equal(values, old.detach()):
            new[id(old)] = like(old, values)

    change = Change()
    for name, module in model.named_modules():
        own = own_tensors(module)
        after = {key: new.get(id(tensor), tensor) for key, tensor in own.items()}
        for key, tensor in after.items():
            # Every module that holds a tied parameter gets the one new object.
            if tensor is not own[key]:
                change.set(module._parameters if key in module._parameters else module._buffers, key, tensor)
        bias = added_bias(name, module, weights)
        if bias is not None:
            after["bias"] = like(own["weight"], bias)
            change.set(module._parameters, "bias", after["bias"])
        for key, child in module._modules.items():
            if child in instead:
                change.set(module._modules, key, instead[child])
        for key, value in counts(name, module, after, stay.get(id(own.get("weight")))).items():
            if key in module.__dict__:  # A subclass may compute it.
                change.set(module.__dict__, key, value)
    return change
