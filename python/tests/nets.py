"""Tiny networks, one for each way in which tensors hang together."""

import torch
from torch import nn


class ConvNorm(nn.Sequential):
    def __init__(self, c_in, c_out, kernel=3, stride=1, groups=1):
        super().__init__(
            nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(c_out)
        )


class Chain(nn.Sequential):
    """Convolutions in a row, a flattened image, fully connected layers."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            ConvNorm(32, 48), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(48 * 16, 64), nn.ReLU(), nn.Linear(64, 10),
        )  # fmt: skip


class Residual(nn.Module):
    """Two residual blocks, the second with a strided projection."""

    def __init__(self):
        super().__init__()
        self.stem = ConvNorm(3, 32)
        self.conv1, self.conv2 = ConvNorm(32, 48), ConvNorm(48, 32)
        self.conv3, self.conv4, self.skip = ConvNorm(32, 64, stride=2), ConvNorm(64, 64), ConvNorm(32, 64, 1, 2)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = self.stem(x).relu()
        x = (self.conv2(self.conv1(x).relu()) + x).relu()
        x = (self.conv4(self.conv3(x).relu()) + self.skip(x)).relu()
        return self.fc(x.mean((2, 3)))


class Mobile(nn.Module):
    """Inverted residuals: expand, depthwise, project."""

    def __init__(self):
        super().__init__()
        self.stem = ConvNorm(3, 32)
        self.expand, self.depthwise = ConvNorm(32, 96, 1), ConvNorm(96, 96, groups=96)
        self.project = ConvNorm(96, 32, 1)
        self.fc = nn.Linear(32, 10)

    def forward(self, x):
        x = nn.functional.relu6(self.stem(x))
        y = nn.functional.relu6(self.depthwise(nn.functional.relu6(self.expand(x))))
        return self.fc((x + self.project(y)).mean((2, 3)))


class Grouped(nn.Module):
    """A grouped convolution, of which whole groups go."""

    def __init__(self):
        super().__init__()
        self.reduce, self.grouped, self.expand = ConvNorm(3, 64), ConvNorm(64, 64, groups=8), ConvNorm(64, 48, 1)
        self.fc = nn.Linear(48, 10)

    def forward(self, x):
        x = self.expand(self.grouped(self.reduce(x).relu()).relu()).relu()
        return self.fc(x.mean((2, 3)))


class Concat(nn.Module):
    """Branches that are concatenated, shuffled and read by one convolution."""

    def __init__(self):
        super().__init__()
        self.a, self.b = ConvNorm(3, 32), ConvNorm(3, 48, 1)
        self.merge, self.after = ConvNorm(80, 64), ConvNorm(64, 32)
        self.fc = nn.Linear(32, 10)

    def forward(self, x):
        x = self.merge(torch.cat([self.a(x).relu(), self.b(x).relu()], 1)).relu()
        n, _, h, w = x.shape
        x = x.reshape(n, 2, -1, h, w).transpose(1, 2).reshape(n, -1, h, w)
        return self.fc(self.after(x).relu().mean((2, 3)))


class Norms(nn.Module):
    """GroupNorm, InstanceNorm with and without weights, a transposed convolution, a depthwise transposed one."""

    def __init__(self):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(3, 32, 3, padding=1), nn.GroupNorm(4, 32)
        self.up = nn.ConvTranspose2d(32, 48, 2, stride=2)
        self.up_each = nn.ConvTranspose2d(48, 48, 2, stride=2, groups=48)
        self.act, self.conv2 = nn.PReLU(48), nn.Conv2d(48, 32, 3, padding=1, bias=False)
        self.norm2, self.norm3 = nn.InstanceNorm2d(48), nn.InstanceNorm2d(32, affine=True)
        self.fc = nn.Linear(32, 10)

    def forward(self, x):
        x = self.norm1(self.conv1(x)).relu()
        x = self.norm2(self.act(self.up_each(self.up(x))))
        return self.fc(self.norm3(self.conv2(x)).relu().mean((2, 3)))


class Signal(nn.Sequential):
    """Convolutions over one axis."""

    def __init__(self):
        super().__init__(
            nn.Conv1d(3, 48, 5, padding=2, bias=False), nn.BatchNorm1d(48), nn.ReLU(),
            nn.Conv1d(48, 32, 5, padding=2), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(32, 10),
        )  # fmt: skip


def lively(build, seed=0, shape=(8, 3, 16, 16)):
    """A network under which every channel matters: no scale is 1, no shift or bias 0, statistics are those of noise."""
    torch.manual_seed(seed)
    model = build()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, (nn.modules.batchnorm._NormBase, nn.GroupNorm)) and module.affine:
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.3)
            elif getattr(module, "bias", None) is not None:
                module.bias.normal_(0, 0.1)
        model.train()
        for _ in range(8):
            model(torch.randn(shape))
    return model.eval()


def example(shape=(2, 3, 16, 16), seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
