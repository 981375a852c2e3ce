"""How tensors flow through an exported model, and what of it leads nowhere."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

from .errors import MismatchError
from .exporting import export
from .plans import Plan
from .weights import Weights


@dataclass(frozen=True)
class Node:
    """An operator, and the names of what it reads and computes."""

    op: str
    inputs: list[str]
    outputs: list[str]


@dataclass(frozen=True)
class Flow:
    """The nodes of an exported model in their order, and the names of the model's outputs."""

    nodes: list[Node]
    outputs: list[str]

    @classmethod
    def read(cls, path: str | os.PathLike) -> Flow:
        """That of an ONNX file which `export` wrote."""
        graph = onnx.load(os.fspath(path), load_external_data=False).graph
        nodes = [Node(node.op_type, _inputs(node), list(node.output)) for node in graph.node]
        return cls(nodes, [output.name for output in graph.output])

    @classmethod
    def of(cls, model: nn.Module, inputs: tuple[Any, ...]) -> Flow:
        """That of a model: it is exported to see it."""
        with tempfile.TemporaryDirectory(prefix="locp-") as folder:
            path = Path(folder) / "model.onnx"
            export(model, inputs, path)
            return cls.read(path)

    def readers(self, tensor: str) -> list[Node]:
        """The nodes that read a tensor, once for each time that they do."""
        return [node for node in self.nodes for name in node.inputs if name == tensor]

    def live(self, constants: set[str]) -> list[Node]:
        """The nodes that lead to an output where some tensors are constants."""
        wanted = set(self.outputs)
        found = []
        for node in reversed(self.nodes):
            if not wanted.isdisjoint(node.outputs):
                wanted.update(name for name in node.inputs if name not in constants)
                found.append(node)
        return found


def zeros(model: nn.Module, plan: Plan, weights: Weights | None) -> tuple[torch.Tensor, ...]:
    """Inputs of the shapes that the pruned file states, on the model's device and in its type."""
    if weights is None or not weights.inputs:
        group = plan.branches[0]
        tensor = group["members"][0]["tensor"] if group["members"] else str(group.get("name"))
        raise MismatchError(
            f"the plan takes away the branch of {tensor}, and where that ends shows only when the model runs: give an "
            "`example` of its inputs",
            tensor,
        )
    own = next(model.parameters())
    return tuple(torch.zeros(shape, dtype=own.dtype, device=own.device) for shape in weights.inputs)


def _inputs(node: onnx.NodeProto) -> list[str]:
    """What a node reads, and what the graphs inside of it do."""
    inner = [attribute.g for attribute in node.attribute if attribute.type == onnx.AttributeProto.GRAPH]
    return [*node.input, *(name for graph in inner for each in graph.node for name in _inputs(each))]
