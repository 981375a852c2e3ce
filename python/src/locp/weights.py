"""The tensors of an ONNX file, and the biases that a PyTorch module may not have yet."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from .errors import ModelFileError

# Operators whose third input is a bias, one element for each output channel.
BIASED = ("Conv", "ConvTranspose", "Gemm")
REAL = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)


@dataclass(frozen=True)
class Weights:
    """Arrays by name, for the weight of each biased layer the name of its bias, and shapes of inputs that can be had.

    Of those an open batch is 1; there are none where another length is open, or an input is none of real numbers.
    """

    tensors: dict[str, np.ndarray]
    biases: dict[str, str] = field(default_factory=dict)
    inputs: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def of(cls, weights: Weights | str | os.PathLike) -> Weights:
        """The weights, or those of the file at a path."""
        return weights if isinstance(weights, cls) else read_weights(weights)


def read_weights(path: str | os.PathLike) -> Weights:
    """Reads every stored tensor of an ONNX file, such as the pruned one that `locp prune` wrote."""
    try:
        graph = onnx.load(os.fspath(path)).graph
    except Exception as error:
        # onnx raises what its parser happens to raise: an OSError, a DecodeError, a ValueError.
        raise ModelFileError(f"{os.fspath(path)} cannot be read as ONNX ({error}); write it again") from error
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    biases = {
        node.input[1]: node.input[2]
        for node in graph.node
        if node.op_type in BIASED and len(node.input) > 2 and node.input[2] in tensors
    }
    return Weights(tensors, biases, _shapes([put for put in graph.input if put.name not in tensors]))


def _shapes(inputs: list[onnx.ValueInfoProto]) -> tuple[tuple[int, ...], ...]:
    """The shapes of a model's inputs, or nothing where they are not known."""
    types = [put.type.tensor_type for put in inputs]
    shapes = [[axis.dim_value for axis in kind.shape.dim] for kind in types]
    shapes = [(shape[0] or 1, *shape[1:]) if shape else () for shape in shapes]
    is_known = all(kind.elem_type in REAL for kind in types) and all(all(shape) for shape in shapes)
    return tuple(shapes) if is_known else ()
