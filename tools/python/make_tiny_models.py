#!/usr/bin/env python3
"""Writes the tiny ONNX models of onnx-surgery's tests.

    python tools/python/make_tiny_models.py [--out onnx-surgery/tests/models] [--hand-made]

The same topologies as torchvision's ResNet-50, VGG-16-BN, MobileNetV2 and
DenseNet-121 (tiny_torch.py), each exported by both of torch's exporters; a few
graphs for single rules; and in the folder `shapes` one small graph per topology
(tiny_shapes.py), operator (tiny_operators.py) and way to write a model down
(tiny_forms.py). Weights are random, see common.lively() and tiny_net.py.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import onnx_tools
import tiny_forms
import tiny_odd
import tiny_operators
import tiny_shapes

CLASSES = 10
# ONNX deprecated the first form of GroupNormalization within its own operator set.
UNCHECKED = {"group_norm_18"}
# Nobody but its author has the operator.
NOT_RUN = {"custom_op"}


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
    """A Compress picks channels of `b`: `a` and `c` can lose channels, `b` cannot."""
    rng = np.random.default_rng(5)
    weights = {
        "a.weight": random_weights(rng, 8, 3, 3, 3),
        "a.bias": random_weights(rng, 8),
        "b.weight": random_weights(rng, 8, 8, 3, 3),
        "b.bias": random_weights(rng, 8),
        "picked": np.array([1, 1, 0, 1, 1, 0, 1, 1], dtype=bool),
        "c.weight": random_weights(rng, 12, 6, 3, 3),
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
        helper.make_node("Compress", ["b_relu", "picked"], ["some"], name="picker", axis=1),
        conv("c", "some"),
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


def write_shapes(folder):
    """The hand-made models."""
    for build in tiny_shapes.ALL + tiny_operators.ALL + tiny_forms.ALL + tiny_odd.ALL:
        model = build()
        path = folder / f"{model.graph.name}.onnx"
        if model.graph.name == "external":
            data = f"{path.name}.data"
            (folder / data).unlink(missing_ok=True)
            onnx.save_model(
                model, path, save_as_external_data=True, location=data, size_threshold=64
            )
        else:
            onnx.save(model, path)


def check(path, torch_model):
    """Holds a model to ONNX's checker, ONNX Runtime and torch; answers whether it is bad."""
    summary = onnx_tools.summary(path)
    if path.stem not in UNCHECKED:
        onnx.checker.check_model(str(path), full_check=True)
    bad, line = summary["bytes"] > 250_000, ""
    if path.stem not in NOT_RUN:
        for batch in (1, 3):
            feed = onnx_tools.feed(path, batch, 9)
            found = onnx_tools.run(path, feed, 1)
            bad |= any(not np.isfinite(y).all() or y.std() < 0.05 for y in found)
            if torch_model:
                import torch

                with torch.no_grad():
                    want = torch_model(torch.from_numpy(feed["image"])).numpy()
                error = onnx_tools.relative(found[0], want)
                line += f", against torch {error:.1e}"
                bad |= error > 1e-4
        line = ", std " + " ".join(f"{y.astype(np.float32).std():.2f}" for y in found) + line
    print(f"{path.name:26} {summary['bytes']:7} bytes{line}{', BAD' if bad else ''}")
    print(
        "    {producer}, ir {ir}, opset {opset}, in {inputs}, out {outputs}\n"
        "    initializers {initializers} (raw {raw_data}, external {external}), large Constants"
        " {weight_constants}, value_info {value_info}, functions {functions}, node metadata"
        " {metadata}\n    {ops}".format(**summary)
    )
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = Path(__file__).resolve().parents[2]
    parser.add_argument("--out", type=Path, default=root / "onnx-surgery" / "tests" / "models")
    parser.add_argument(
        "--hand-made", action="store_true", help="only those that need no torch: all by hand"
    )
    args = parser.parse_args()
    shapes = args.out / "shapes"
    shapes.mkdir(parents=True, exist_ok=True)
    warnings.filterwarnings("ignore")

    references = {}  # file: torch model
    if not args.hand_made:
        import torch

        import tiny_torch

        torch.set_num_threads(1)
        references |= tiny_torch.export_all(args.out)
        source, target = args.out / "resnet_ts.onnx", args.out / "resnet_constants_ts.onnx"
        weights_as_constants(source, target)
        references[target] = references[source]
        references |= tiny_torch.export_shapes(shapes)
    unknown_op(args.out / "unknown_op.onnx")
    nothing(args.out / "nothing.onnx")
    write_shapes(shapes)

    paths = sorted(args.out.glob("*.onnx")) + sorted(shapes.glob("*.onnx"))
    bad = [path.name for path in paths if check(path, references.get(path))]
    total = sum(p.stat().st_size for p in args.out.rglob("*") if p.is_file())
    print(f"{len(paths)} models, {total} bytes together, bad: {bad or 'none'}")
    sys.exit(1 if bad or total > 2_000_000 else 0)


if __name__ == "__main__":
    main()
