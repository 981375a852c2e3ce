"""Tiny networks with residual branches, written in the ways in which networks are."""

import nets
import torch
from torch import nn


def conv(c_in, c_out, kernel=3, stride=1, groups=1, has_norm=True):
    """A convolution and its normalization, or one with a bias, as a network has it that was folded."""
    if has_norm:
        return nets.ConvNorm(c_in, c_out, kernel, stride, groups)
    return nn.Sequential(nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups), nn.Identity())


class Basic(nn.Module):
    """ResNet's basic block: it adds in place."""

    def __init__(self, c_in, c_out, stride=1, has_norm=True):
        super().__init__()
        self.conv1, self.conv2 = conv(c_in, c_out, 3, stride, 1, has_norm), conv(c_out, c_out, has_norm=has_norm)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = conv(c_in, c_out, 1, stride, 1, has_norm) if stride > 1 or c_in != c_out else None

    def forward(self, x):
        out = self.relu(self.conv1(x))
        out = self.conv2(out)
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class Bottleneck(nn.Module):
    """ResNet's bottleneck: only what its middle convolution computes is the inside of the branch."""

    def __init__(self, c_in, inner, c_out, stride=1):
        super().__init__()
        self.conv1, self.conv2, self.conv3 = conv(c_in, inner, 1), conv(inner, inner, 3, stride), conv(inner, c_out, 1)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = conv(c_in, c_out, 1, stride) if stride > 1 or c_in != c_out else nn.Identity()

    def forward(self, x):
        out = self.conv3(self.relu(self.conv2(self.relu(self.conv1(x)))))
        out += self.downsample(x)
        return self.relu(out)


class Squeeze(nn.Module):
    """Squeeze-and-excitation."""

    def __init__(self, channels):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce, self.expand = nn.Conv2d(channels, 8, 1), nn.Conv2d(8, channels, 1)

    def forward(self, x):
        return x * self.expand(self.reduce(self.pool(x)).relu()).sigmoid()


class Inverted(nn.Module):
    """MobileNet's block: expand, depthwise, squeeze, project; dropout of the branch in training."""

    def __init__(self, channels, inner):
        super().__init__()
        self.layers = nn.Sequential(
            conv(channels, inner, 1), nn.ReLU6(inplace=True), conv(inner, inner, groups=inner), nn.ReLU6(inplace=True),
            Squeeze(inner), conv(inner, channels, 1), nn.Dropout2d(0.1),
        )  # fmt: skip

    def forward(self, x):
        return x + self.layers(x)


class Early(nn.Module):
    """Normalization and activation before each convolution; the activation changes its input."""

    def __init__(self, channels, inner, norm):
        super().__init__()
        self.norm1, self.conv1 = norm(channels), nn.Conv2d(channels, inner, 3, padding="same", bias=False)
        self.norm2, self.conv2 = norm(inner), nn.Conv2d(inner, channels, 3, padding=1)
        self.relu, self.pool, self.act = nn.ReLU(inplace=True), nn.MaxPool2d(3, 1, 1), nn.PReLU(inner)

    def forward(self, x):
        out = self.pool(self.conv1(self.relu(self.norm1(x))))
        return self.conv2(self.act(self.norm2(out))) + x


class Net(nn.Module):
    """A stem, blocks and a classifier."""

    def __init__(self, *blocks, width=32, channels=48):
        super().__init__()
        self.stem = nets.ConvNorm(3, width)
        self.blocks = nn.ModuleList(blocks)
        self.fc = nn.Linear(channels, 10)

    def forward(self, x):
        x = self.stem(x).relu()
        for block in self.blocks:
            x = block(x)
        return self.fc(x.mean((2, 3)))


def basic():
    return Net(Basic(32, 32), Basic(32, 48, 2), Basic(48, 48))


def folded():
    """The network without normalization: a folded one has it in its biases."""
    net = Net(*(Basic(*sizes, has_norm=False) for sizes in ((32, 32), (32, 48, 2), (48, 48))))
    net.stem = conv(3, 32, has_norm=False)
    return net


def bottleneck():
    return Net(Bottleneck(32, 24, 48, 2), Bottleneck(48, 24, 48))


def inverted():
    return Net(Inverted(32, 64), Inverted(32, 48), channels=32)


def early():
    return Net(Early(32, 48, nn.BatchNorm2d), Early(32, 24, lambda channels: nn.GroupNorm(4, channels)), channels=32)


class Vectors(nn.Module):
    """Fully connected layers with a residual stream of vectors."""

    def __init__(self):
        super().__init__()
        self.stem, self.fc1, self.fc2 = nn.Conv2d(3, 32, 3), nn.Linear(32, 64), nn.Linear(64, 32)
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        x = self.stem(x).relu().mean((2, 3))
        return self.head(x + self.fc2(self.fc1(x).relu()))


def signal():
    """Convolutions over one axis."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.norm1 = nn.Conv1d(32, 48, 5, padding=2, bias=False), nn.BatchNorm1d(48)
            self.conv2, self.norm2 = nn.Conv1d(48, 32, 3, padding=1, bias=False), nn.BatchNorm1d(32, affine=False)

        def forward(self, x):
            return self.norm2(self.conv2(self.norm1(self.conv1(x)).relu())) + x

    return nn.Sequential(
        nn.Conv1d(3, 32, 5, padding=2), nn.ReLU(), Block(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(32, 10)
    )


def image(seed=1):
    """An odd size, of which a stride of 2 leaves a half and a bit."""
    return torch.randn((2, 3, 17, 15), generator=torch.Generator().manual_seed(seed))
