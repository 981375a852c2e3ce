"""Topologies of torchvision by its own code, narrow and short; exported by both of torch's exporters."""

import torch
from torch import nn
from torchvision.models.densenet import DenseNet
from torchvision.models.mobilenetv2 import MobileNetV2
from torchvision.models.resnet import Bottleneck, ResNet
from torchvision.models.vgg import VGG, make_layers
from torchvision.ops.misc import Conv2dNormActivation

import common

SIZE = 32
CLASSES = 10


class TinyResNet(ResNet):
    """torchvision's ResNet with other widths; its own constructor fixes them."""

    def __init__(self, layers=(2, 1, 1, 1), planes=(8, 8, 12, 16)):
        nn.Module.__init__(self)
        self._norm_layer = nn.BatchNorm2d
        self.inplanes = 16
        self.dilation = 1
        self.groups = 1
        self.base_width = 64
        self.conv1 = nn.Conv2d(3, self.inplanes, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(self.inplanes)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        for i, (blocks, width) in enumerate(zip(layers, planes)):
            layer = self._make_layer(Bottleneck, width, blocks, 1 if i == 0 else 2)
            setattr(self, f"layer{i + 1}", layer)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(planes[-1] * Bottleneck.expansion, CLASSES)


def resnet():
    return TinyResNet()


def vgg():
    cfg = [8, 8, "M", 12, 12, "M", 16, 16, 16, "M", 16, 16, 16, "M", 16, 16, 16]
    model = VGG(make_layers(cfg, batch_norm=True), CLASSES, init_weights=False)
    # As in VGG-16: the adaptive pool does nothing, and Flatten meets a map larger than 1x1.
    model.avgpool = nn.AdaptiveAvgPool2d((2, 2))
    model.classifier = nn.Sequential(
        nn.Linear(16 * 2 * 2, 32),
        nn.ReLU(True),
        nn.Dropout(),
        nn.Linear(32, 24),
        nn.ReLU(True),
        nn.Dropout(),
        nn.Linear(24, CLASSES),
    )
    return model


def mobilenet():
    settings = [[1, 64, 1, 1], [6, 96, 2, 2], [6, 64, 2, 2], [6, 96, 1, 2]]
    model = MobileNetV2(CLASSES, width_mult=0.25, inverted_residual_setting=settings)
    c_in = model.features[-1][0].in_channels
    model.features[-1] = Conv2dNormActivation(c_in, 48, 1, activation_layer=nn.ReLU6)
    model.classifier[1] = nn.Linear(48, CLASSES)
    return model


def densenet():
    return DenseNet(
        growth_rate=8, block_config=(2, 2, 2), num_init_features=16, num_classes=CLASSES
    )


class Grouped(nn.Module):
    """A ResNeXt block: 1x1, grouped 3x3, 1x1, skip."""

    def __init__(self, c=16, inner=32, groups=4):
        super().__init__()
        self.stem = nn.Conv2d(3, c, 3, 2, 1)
        self.reduce = nn.Conv2d(c, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.grouped = nn.Conv2d(inner, inner, 3, 1, 1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.expand = nn.Conv2d(inner, c, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(c)
        self.fc = nn.Linear(c, CLASSES)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        y = torch.relu(self.bn1(self.reduce(x)))
        y = torch.relu(self.bn2(self.grouped(y)))
        x = torch.relu(x + self.bn3(self.expand(y)))
        return self.fc(torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1))


class Chain(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, 1, 1)
        self.conv2 = nn.Conv2d(8, 12, 3, 1, 1)
        self.fc = nn.Linear(12, CLASSES)

    def forward(self, x):
        x = torch.relu(self.conv2(torch.relu(self.conv1(x))))
        return self.fc(torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1))


class GroupNorms(nn.Module):
    """Two GroupNorms, one with as many groups as channels."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, 1, 1)
        self.norm1 = nn.GroupNorm(4, 8)
        self.conv2 = nn.Conv2d(8, 6, 3, 1, 1)
        self.norm2 = nn.GroupNorm(6, 6)
        self.fc = nn.Linear(6, CLASSES)
        for norm in (self.norm1, self.norm2):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, 0, 0.3)

    def forward(self, x):
        x = torch.relu(self.norm1(self.conv1(x)))
        x = torch.relu(self.norm2(self.conv2(x)))
        return self.fc(torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1))


TOPOLOGIES = {
    "resnet": resnet,
    "vgg": vgg,
    "mobilenet": mobilenet,
    "densenet": densenet,
    "grouped": Grouped,
    "chain": Chain,
}


def export_both(model, folder, name, size, references):
    """By both exporters; `references` gets the model for each file."""
    for exporter in ("ts", "dynamo"):
        path = folder / f"{name}_{exporter}.onnx"
        common.export(model, path, size, dynamo=exporter == "dynamo")
        if exporter == "dynamo":
            common.drop_stack_traces(path)
        references[path] = model


def export_all(folder):
    """Writes the models; answers which torch model each file was."""
    references = {}
    for seed, (name, build) in enumerate(TOPOLOGIES.items()):
        torch.manual_seed(seed)
        model = common.lively(build(), SIZE, 100 * seed)
        if name in ("grouped", "chain"):
            path = folder / f"{name}_ts.onnx"
            common.export(model, path, SIZE, dynamo=False)
            references[path] = model
        else:
            export_both(model, folder, name, SIZE, references)
        if name == "resnet":
            path = folder / "resnet_bn_ts.onnx"
            common.export(
                model,
                path,
                SIZE,
                dynamo=False,
                training=torch.onnx.TrainingMode.PRESERVE,
                do_constant_folding=False,
            )
            references[path] = model
    return references


def export_shapes(folder):
    """The same for single operators that each exporter writes in its own way."""
    references = {}
    torch.manual_seed(50)
    model = common.lively(GroupNorms(), 8, 5000)
    export_both(model, folder, "group_norm", 8, references)
    return references
