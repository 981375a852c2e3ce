"""The modules that stand for layers which are gone."""

import copy
import io

import branch_nets
import pytest
import torch
from same import constants
from test_branches import made
from torch import nn

import locp
from locp.gone import Gone

LAYERS = [
    nn.Conv2d(4, 6, 3, 2, 1), nn.Conv2d(4, 6, 3), nn.Conv2d(4, 6, (5, 3), (3, 2), (0, 1), (1, 2)),
    nn.Conv2d(4, 6, 5, padding="same", dilation=2), nn.Conv2d(4, 6, 3, 2, padding="valid"),
    nn.Conv2d(4, 4, 7, 4, 3, groups=4), nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1),
    nn.ConvTranspose2d(4, 6, (4, 2), (2, 3), dilation=2), nn.Conv1d(4, 6, 5, 2), nn.Conv3d(4, 6, 3, 2, 1),
    nn.Linear(4, 6),
]  # fmt: skip


class Padding(nn.Conv2d):
    """Pads inside of its own `forward`, as TensorFlow does: its attributes say another size."""

    def forward(self, x):
        pads = []
        for length, kernel, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1]):
            more = max((-(-length // stride) - 1) * stride + kernel - length, 0)
            pads += [more // 2, more - more // 2]
        x = nn.functional.pad(x, pads)
        return nn.functional.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


LAYERS += [Padding(4, 6, 3, 2), Padding(4, 4, 5, (3, 2), groups=4, bias=False)]


@pytest.mark.parametrize("layer", LAYERS, ids=str)
@pytest.mark.parametrize("length", [9, 14])
def test_what_stands_for_a_layer_has_its_size(layer, length):
    axes = layer.weight.dim() - 2
    x = torch.randn(2, length, 4) if axes == 0 else torch.randn(2, 4, *(length + axis for axis in range(axes)))
    found, expected = Gone(layer)(x), layer(x)
    assert found.narrow(1 if axes else -1, 0, 1).shape == found.shape, "it has one channel"
    assert found.expand(expected.shape).shape == expected.shape and not found.any()


def test_a_frozen_branch_leaves_a_frozen_constant(binary, tmp_path):
    model, x, plan, pruned = made(branch_nets.basic, binary, tmp_path, gone=lambda group: True)
    model.blocks[0].conv2[0].weight.requires_grad_(False)
    locp.apply(model, plan, pruned, x)
    assert [c.bias.requires_grad for c in constants(model).values()] == [False, True, True]


def test_types_stay_and_modules_are_copied_saved_and_scripted(binary, tmp_path):
    model, x, plan, _ = made(branch_nets.basic, binary, tmp_path, gone=lambda group: True)
    model.double()
    locp.apply(model, plan, example=x.double())
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float64}
    with torch.no_grad():
        expected = model(x.double())
        file = io.BytesIO()
        torch.save(model, file)
        file.seek(0)
        for same in (copy.deepcopy(model), torch.load(file, weights_only=False), torch.jit.script(model)):
            assert torch.equal(same(x.double()), expected)
