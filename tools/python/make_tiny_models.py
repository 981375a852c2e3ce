#!/usr/bin/env python3
"""Writes the tiny ONNX models of onnx-surgery's tests.

    python tools/python/make_tiny_models.py [--out onnx-surgery/tests/models]

The same topologies as torchvision's ResNet-50, VGG-16-BN, MobileNetV2 and
DenseNet-121, by torchvision's own code, but narrow, short and for 32x32
images, each exported by both of torch's exporters; and a few graphs for
single rules. Weights are random, see common.lively().
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
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


def weights_as_constants(source, target):
    """The same model with every initializer turned into a Constant node."""
    model = onnx.load(source)
    graph = model.graph
    constants = [
        helper.make_node("Constant", [], [t.name], name=f"constant_{i}", value=t)
        for i, t in enumerate(graph.initializer)
    ]
    for node in constants:
        node.attribute[0].t.ClearField("name")
    nodes = list(graph.node)
    del graph.initializer[:]
    del graph.node[:]
    graph.node.extend(constants + nodes)
    onnx.save(model, target)


def save_graph(path, name, nodes, weights, image, output):
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, image)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, output)],
        [numpy_helper.from_array(w, k) for k, w in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    model.producer_name = "locp"
    onnx.save(model, path)


def random_weights(rng, *shape):
    fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 100
    return (rng.standard_normal(shape) * (2 / fan_in) ** 0.5).astype(np.float32)


def unknown_op(path):
    """An Einsum mixes the channels of `b`: `a` and `c` can lose channels, `b` cannot."""
    rng = np.random.default_rng(5)
    weights = {
        "a.weight": random_weights(rng, 8, 3, 3, 3),
        "a.bias": random_weights(rng, 8),
        "b.weight": random_weights(rng, 8, 8, 3, 3),
        "b.bias": random_weights(rng, 8),
        "mix": random_weights(rng, 8, 8),
        "c.weight": random_weights(rng, 12, 8, 3, 3),
        "c.bias": random_weights(rng, 12),
        "d.weight": random_weights(rng, CLASSES, 12, 3, 3),
        "d.bias": random_weights(rng, CLASSES),
    }
    conv = lambda name, x: helper.make_node(
        "Conv",
        [x, f"{name}.weight", f"{name}.bias"],
        [f"{name}_out"],
        name=name,
        kernel_shape=[3, 3],
        pads=[1, 1, 1, 1],
    )
    relu = lambda name: helper.make_node(
        "Relu", [f"{name}_out"], [f"{name}_relu"], name=f"{name}_act"
    )
    nodes = [
        conv("a", "image"),
        relu("a"),
        conv("b", "a_relu"),
        relu("b"),
        helper.make_node(
            "Einsum", ["b_relu", "mix"], ["mixed"], name="mixer", equation="nchw,cd->ndhw"
        ),
        conv("c", "mixed"),
        relu("c"),
        conv("d", "c_relu"),
        helper.make_node("GlobalAveragePool", ["d_out"], ["pooled"], name="pool"),
        helper.make_node("Flatten", ["pooled"], ["logits"], name="flat", axis=1),
    ]
    save_graph(path, "unknown_op", nodes, weights, ["batch", 3, 16, 16], ["batch", CLASSES])


def nothing(path):
    """One convolution from the input to the output: no channel may go."""
    rng = np.random.default_rng(6)
    weights = {"conv.weight": random_weights(rng, 8, 3, 3, 3), "conv.bias": random_weights(rng, 8)}
    nodes = [
        helper.make_node(
            "Conv",
            ["image", "conv.weight", "conv.bias"],
            ["logits"],
            name="conv",
            kernel_shape=[3, 3],
            pads=[1, 1, 1, 1],
        )
    ]
    save_graph(path, "nothing", nodes, weights, ["batch", 3, 16, 16], ["batch", 8, 16, 16])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = Path(__file__).resolve().parents[2]
    parser.add_argument("--out", type=Path, default=root / "onnx-surgery" / "tests" / "models")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)

    references = {}  # file name: (torch model, input channels, size)
    topologies = {
        "resnet": resnet,
        "vgg": vgg,
        "mobilenet": mobilenet,
        "densenet": densenet,
        "grouped": Grouped,
        "chain": Chain,
    }
    for seed, (name, build) in enumerate(topologies.items()):
        torch.manual_seed(seed)
        model = common.lively(build(), SIZE, 100 * seed)
        common.export(model, args.out / f"{name}_ts.onnx", SIZE, dynamo=False)
        references[f"{name}_ts.onnx"] = model
        if name not in ("grouped", "chain"):
            path = args.out / f"{name}_dynamo.onnx"
            common.export(model, path, SIZE, dynamo=True)
            common.drop_stack_traces(path)
            references[path.name] = model
        if name == "resnet":
            common.export(
                model,
                args.out / "resnet_bn_ts.onnx",
                SIZE,
                dynamo=False,
                training=torch.onnx.TrainingMode.PRESERVE,
                do_constant_folding=False,
            )
            references["resnet_bn_ts.onnx"] = model
            weights_as_constants(
                args.out / "resnet_ts.onnx", args.out / "resnet_constants_ts.onnx"
            )
            references["resnet_constants_ts.onnx"] = model
    unknown_op(args.out / "unknown_op.onnx")
    nothing(args.out / "nothing.onnx")

    bad = 0
    for path in sorted(args.out.glob("*.onnx")):
        onnx.checker.check_model(str(path), full_check=True)
        model = references.get(path.name)
        size = SIZE if model else 16
        line = []
        for batch in (1, 3):
            x = common.noise(batch, 3, size, 9)
            y = common.run(path, x, 1)
            if model:
                with torch.no_grad():
                    want = model(x).numpy()
                error = float(np.abs(y - want).max() / np.abs(want).max())
                line.append(f"{error:.1e}")
                bad += error > 1e-4
            bad += not np.isfinite(y).all() or y.std() < 0.1
        s = common.summary(path)
        print(f"{path.name:26} {s['bytes']:7} bytes, logits std {y.std():.2f}, against torch {line}")
        print(
            f"    {s['producer']}, ir {s['ir']}, opset {s['opset']}, in {s['inputs']}, out {s['outputs']}\n"
            f"    initializers {s['initializers']} (raw {s['raw_data']}), large Constants {s['weight_constants']}, "
            f"value_info {s['value_info']}, functions {s['functions']}, node metadata {s['metadata']}\n"
            f"    {s['ops']}"
        )
        bad += s["bytes"] > 250_000 or s["external"] > 0
    total = sum(p.stat().st_size for p in args.out.glob("*.onnx"))
    print(f"{total} bytes together")
    sys.exit(1 if bad or total > 2_000_000 else 0)


if __name__ == "__main__":
    main()
