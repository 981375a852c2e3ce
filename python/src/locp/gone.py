"""What stands in a module for the layers of a branch that is gone."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from .counts import Convolution


class Gone(nn.Module):
    """Stands for a layer of which nothing is left: it answers with one channel of zeros, of the layer's output size.

    Whatever the model's own `forward` puts between its layers, such as activations, pooling or dropout,
    runs on that channel as it ran before. Nothing of it reaches the model's output, and an export leaves it out.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.steps = _steps(layer)
        # In a tuple, so that its parameters are not this module's.
        self.twin = (_twin(layer),)
        self.train(layer.training)

    def zeros(self, x: torch.Tensor) -> torch.Tensor:
        """One channel of the size that the layer would have made of `x`."""
        if not torch.jit.is_scripting():
            (twin,) = self.twin
            if twin is not None:
                with torch.no_grad():
                    return x.new_zeros(twin(torch.empty_like(x[:, :1], device="meta")).shape)
        first = x.dim() - len(self.steps)
        size = list(x.shape[: first - 1]) + [1]
        for length, (up, more, down) in zip(x.shape[first:], self.steps):
            size.append((length * up + more) // down + 1)
        return x.new_zeros(size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.zeros(x)


class Blank(nn.Module):
    """Stands for a normalization of which nothing is left, or an activation with weights.

    It answers with zeros as `Gone` does, and not with its input: that may be the stream itself, which an
    activation behind it would change in place.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        # Of the axes that a LayerNorm normalizes, which one has the channels is not known: all keep their lengths.
        self.is_whole = isinstance(layer, nn.LayerNorm)
        self.train(layer.training)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(x if self.is_whole else x[:, :1])


class Constant(Gone):
    """Stands for the last layer of a branch that is gone: it adds a number to each channel of the stream.

    The numbers are the parameter `bias`, of the shape (1, channels, 1, 1) where the stream is one of images,
    and are trained as any other. The answer has the whole size of the layer's output, so that a `forward` which
    adds in place can do so. In an export it is the parameter alone, which the addition broadcasts.
    """

    def __init__(self, layer: nn.Module, bias: nn.Parameter) -> None:
        super().__init__(layer)
        self.bias = bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        zeros = self.zeros(x)
        if not torch.jit.is_scripting():
            if torch.onnx.is_in_onnx_export():
                return _Broadcast.apply(self.bias, zeros)
        return zeros + self.bias

    def extra_repr(self) -> str:
        return f"{self.bias.shape[1]}"


class _Broadcast(torch.autograd.Function):
    """An addition of zeros for the sake of the size, which the ONNX exporter leaves out."""

    @staticmethod
    def forward(ctx: Any, bias: torch.Tensor, zeros: torch.Tensor) -> torch.Tensor:
        return zeros + bias

    @staticmethod
    def symbolic(graph: Any, bias: Any, zeros: Any) -> Any:
        return bias


# Layers whose output has the size that their attributes say.
_STOCK = {
    kind.forward
    for kind in (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
}


def _twin(layer: nn.Module) -> nn.Module | None:
    """A convolution of one channel without data that runs the layer's own `forward`, `None` for one of PyTorch's own.

    A `forward` that pads makes images of another size than the layer's attributes say.
    """
    if not isinstance(layer, Convolution) or type(layer).forward in _STOCK:
        return None
    twin = copy.copy(layer)
    weight = torch.empty((1, 1, *layer.weight.shape[2:]), dtype=layer.weight.dtype, device="meta")
    twin._parameters = {name: None for name in layer._parameters} | {"weight": nn.Parameter(weight, False)}
    twin.in_channels = twin.out_channels = twin.groups = 1
    return twin


def _steps(layer: Any) -> list[tuple[int, int, int]]:
    """For each axis of the image (up, more, down): a length becomes (length * up + more) // down + 1."""
    if not isinstance(layer, Convolution):
        return []  # A fully connected layer has channels on its last axis, and leaves all others alone.
    steps = []
    for axis, (kernel, stride, dilation) in enumerate(zip(layer.kernel_size, layer.stride, layer.dilation)):
        reach = dilation * (kernel - 1)
        if isinstance(layer.padding, str):
            padding = reach if layer.padding == "same" else 0
        else:
            padding = 2 * layer.padding[axis]
        if layer.transposed:
            steps.append((stride, reach - padding + layer.output_padding[axis] - stride, 1))
        else:
            steps.append((1, padding - reach - 1, stride))
    return steps
