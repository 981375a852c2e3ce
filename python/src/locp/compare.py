"""Whether a module and an ONNX file compute the same."""

from __future__ import annotations

import importlib.util
import os
from typing import Any, Iterator

import numpy as np
import torch
from torch import nn

from .errors import ForwardError, MissingDependency
from .exporting import as_inputs, evaluating
from .files import as_array

# A wrong channel shows in the first digit. Below this may lie what other kernels round differently,
# those of a GPU in TF32 included.
WRONG = 1e-2


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _tensors(part)


def difference(model: nn.Module, example: Any, path: str | os.PathLike) -> float:
    """The largest difference of any output between the model in eval mode and the file in ONNX Runtime.

    It is relative to the output's largest element. `example` is a tensor or a tuple of them.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependency("comparing needs ONNX Runtime: `pip install onnxruntime`") from error
    session = onnxruntime.InferenceSession(os.fspath(path), providers=["CPUExecutionProvider"])
    inputs = as_inputs(example)
    with evaluating(model), torch.no_grad():
        ours = [as_array(tensor) for tensor in _tensors(model(*inputs))]
    theirs = session.run(None, {put.name: as_array(tensor) for put, tensor in zip(session.get_inputs(), inputs)})
    if [a.shape for a in ours] != [b.shape for b in theirs]:
        return float("inf")
    return max(float(np.abs(a - b).max() / (np.abs(b).max() or 1.0)) for a, b in zip(ours, theirs))


def check_equal(model: nn.Module, example: Any, path: str | os.PathLike) -> None:
    """An error where the model plainly computes something else than the file; nothing without ONNX Runtime."""
    is_plain = all(tensor.dtype == torch.float32 for tensor in model.parameters())
    if not is_plain or importlib.util.find_spec("onnxruntime") is None:
        return
    found = difference(model, example, path)
    if not found <= WRONG:
        raise ForwardError(
            f"the narrow model differs from the pruned file by {found:.1e} of its largest output; its `forward` may "
            "depend on channels in a way that the file does not show: keep those with `freeze`"
        )
