"""Ways to write a model down: old and new operator sets, element types, where weights stand;
and what surgery has no rule for."""

import ml_dtypes
import numpy as np
from onnx import TensorProto, helper, numpy_helper

import tiny_net
from tiny_net import Net


def opset9():
    """Bounds, axes, pads and scales as attributes; initializers listed among the inputs."""
    n = Net("opset9", opset=9, ir=3)
    x = n.norm(n.conv("stem", "image", 3, 8), 8)
    x = n.node("Clip", "relu6", [x], min=0.0, max=6.0)
    x = n.node("Pad", "padded", [x], pads=[0, 0, 1, 1, 0, 0, 1, 1])
    x = n.relu(n.conv("a", x, 8, 6, pad=0))
    top = n.node("Slice", "top", [x], axes=[1], starts=[0], ends=[2])
    rest = n.node("Slice", "rest", [x], axes=[1], starts=[2], ends=[2**31 - 1])
    x = n.conv_relu("b", rest, 4, 4, stride=2)
    x = n.node("Upsample", "up", [x, n.constant("scales", [1.0, 1.0, 2.0, 2.0])], mode="nearest")
    x = n.conv_relu("c", n.node("Concat", "join", [top, x], axis=1), 6, 8)
    left, right = n.node("Split", "parts", [x], ["left", "right"], axis=1, split=[3, 5])
    x = n.node("Concat", "again", [right, left], axis=1)
    x = n.node("Dropout", "dropout", [n.node("GlobalAveragePool", "mean", [x])], ratio=0.3)
    x = n.node("Squeeze", "flat", [x], axes=[2, 3])
    x = n.node("Unsqueeze", "tall", [x], axes=[2])
    n.logits(n.node("Squeeze", "flat.again", [x], axes=[2]), 8)
    return n.model()


def opset10():
    n = Net("opset10", opset=10, ir=5)
    x = n.conv_relu("a", "image", 3, 8, stride=2)
    x = n.node("Resize", "up", [x, n.constant("scales", [1.0, 1.0, 2.0, 2.0])], mode="nearest")
    bounds = [n.constant(k, [v]) for k, v in (("start", -3), ("end", 2**62), ("axis", 1))]
    part = n.node("Slice", "part", [x, *bounds])
    b = n.conv_relu("b", part, 3, 4)
    c = n.node("Clip", "relu6", [n.conv("c", x, 8, 6)], min=0.0, max=6.0)
    n.head(n.node("Concat", "bc", [b, c], axis=1), 10)
    return n.model()


def opset11():
    n = Net("opset11", opset=11, ir=6)
    x = n.conv("a", "image", 3, 8, stride=2)
    x = n.node("Clip", "relu6", [x, n.constant("min", 0.0), n.constant("max", 6.0)])
    pads = n.constant("pads", [0, 0, 1, 1, 0, 0, 1, 1])
    x = n.node("Pad", "padded", [x, pads], mode="reflect")
    scales, roi = n.constant("scales", [1.0, 1.0, 2.0, 2.0]), n.constant("roi", np.zeros(0))
    how = dict(mode="linear", coordinate_transformation_mode="align_corners")
    x = n.node("Resize", "up", [n.conv("b", x, 8, 6, pad=0), roi, scales], **how)
    x = n.node("GlobalAveragePool", "mean", [x])
    x = n.node("Squeeze", "flat", [x], axes=[-1, -2])
    x = n.fc("c", x, 6, 8)
    n.logits(n.leaky(x), 8)
    return n.model()


def opset_newest(opset=23):
    """Operators of newer sets: Mish, Split by number, axes as inputs, Pad with axes."""
    n = Net(f"opset{opset}", opset=opset, ir=11)
    x = n.node("Mish", "a.act", [n.norm(n.conv("a", "image", 3, 8), 8)])
    pads, axes = n.constant("pads", [1, 1, 1, 1]), n.constant("axes", [2, 3])
    x = n.node("Pad", "padded", [x, pads, "", axes], mode="edge")
    x = n.node("Gelu", "b.act", [n.conv("b", x, 8, 8, pad=0)], approximate="tanh")
    halves = n.node("Split", "halves", [x], ["left", "right"], axis=1, num_outputs=2)
    scales = n.constant("scales", [2.0, 2.0])
    how = dict(axes=[2, 3], mode="cubic", antialias=1)
    wide = n.node("Resize", "up", [n.conv_relu("c", halves[1], 4, 6, stride=2), "", scales], **how)
    x = n.node("Concat", "join", [halves[0], wide], axis=1)
    x = n.node("GroupNormalization", "gn", [n.conv("d", x, 10, 8), *n.scale_and_bias("gn", 8)],
               num_groups=4)  # fmt: skip
    x = n.node("ReduceMean", "mean", [n.relu(x), axes], keepdims=0)
    n.logits(x, 8)
    return n.model()


def constants():
    """Weights in Constant nodes, as tensors and as lists."""
    n = Net("constants")
    n.head(n.conv_relu("b", n.conv_relu("a", "image", 3, 6), 6, 8), 8)
    model = n.model()
    nodes = []
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        value = dict(value_floats=array.tolist()) if array.ndim == 1 else dict(value=tensor)
        nodes.append(helper.make_node("Constant", [], [tensor.name], **value))
        if array.ndim > 1:
            nodes[-1].attribute[0].t.ClearField("name")
    nodes += list(model.graph.node)
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def constant_of_shape():
    """A kernel and a scale that are given by their shapes and one value."""
    n = Net("constant_of_shape")

    def filled(name, shape, value):
        value = helper.make_tensor("", TensorProto.FLOAT, [1], [value])
        return n.node("ConstantOfShape", name, [n.constant(f"{name}.shape", shape)], value=value)

    x = n.conv_relu("a", "image", 3, 6)
    x = n.node("Conv", "b", [x, filled("b.weight", [8, 6, 3, 3], 0.1)], pads=[1] * 4)
    x = n.node("Mul", "scaled", [x, filled("scale", [1, 8, 1, 1], 0.5)])
    x = n.node("Add", "shifted", [x, n.weight("shift", 8, 1, 1, fan_in=20)])
    n.head(n.conv_relu("c", n.relu(x), 8, 6), 6)
    return n.model()


def folded():
    """Weights and biases that nodes compute from constants alone."""
    n = Net("folded")

    def conv(name, x, weight, c_out):
        return n.relu(n.node("Conv", name, [x, weight, n.weight(f"{name}.bias", c_out)], pads=[1] * 4))

    # Weight normalization, as it was trained.
    v, g = n.weight("a.v", 6, 3, 3, 3), n.constant("a.g", n.rng.uniform(0.5, 1.5, (6, 1, 1, 1)))
    length = n.node("ReduceL2", "a.length", [v], axes=[1, 2, 3])
    x = conv("a", "image", n.node("Mul", "a.weight", [g, n.node("Div", "a.unit", [v, length])]), 6)
    # Weight standardization.
    w = n.weight("b.w", 8, 6, 3, 3)
    centered = n.node("Sub", "b.centered", [w, n.node("ReduceMean", "b.mean", [w], axes=[1, 2, 3])])
    square = n.node("Pow", "b.square", [centered, n.constant("two", 2.0)])
    variance = n.node("ReduceMean", "b.variance", [square], axes=[1, 2, 3])
    deviation = n.node("Sqrt", "b.deviation", [n.node("Add", "b.eps", [variance, n.constant("eps", 1e-5)])])
    x = conv("b", x, n.node("Div", "b.weight", [centered, deviation]), 8)
    # Integers with a scale for each output.
    quantized = n.constant("c.q", n.rng.integers(-127, 128, (6, 8, 3, 3)), np.int8)
    scales = n.constant("c.scale", n.rng.uniform(5e-4, 2e-3, 6))
    zeros = n.constant("c.zero", n.rng.integers(-3, 4, 6), np.int8)
    x = conv("c", x, n.node("DequantizeLinear", "c.weight", [quantized, scales, zeros], axis=0), 6)
    # Another shape, turned around, and a bias that is scaled.
    rows = n.weight("d.rows", 9 * 6, 8, fan_in=54)
    kernel = n.node("Reshape", "d.kernel", [rows, n.constant("d.shape", [3, 3, 6, -1])])
    kernel = n.node("Transpose", "d.weight", [kernel], perm=[3, 2, 0, 1])
    bias = n.node("Mul", "d.bias", [n.weight("d.b", 8), n.constant("half", 0.5)])
    x = n.relu(n.node("Conv", "d", [x, kernel, bias], pads=[1] * 4))
    n.head(x, 8)
    return n.model()


def folded_old():
    """The same where initializers are listed among the inputs and the unscaled weight has another reader."""
    n = Net("folded_old", opset=9, ir=3)
    w = n.weight("w", 6, 6, 3, 3)
    x = n.conv_relu("a", "image", 3, 6)
    x = n.relu(n.node("Conv", "b", [x, w], pads=[1] * 4))
    scaled = n.node("Mul", "scaled", [w, n.constant("scale", n.rng.uniform(0.5, 1.5, (6, 1, 1, 1)))])
    x = n.relu(n.node("Conv", "c", [x, scaled], pads=[1] * 4))
    n.head(x, 6)
    return n.model()


def small(name, **more):
    """A residual block behind a stride, with BatchNormalization."""
    n = Net(name, **more)
    x = n.relu(n.norm(n.conv("stem", "image", 3, 8, stride=2), 8))
    y = n.conv("b", n.conv_relu("a", x, 8, 6), 6, 8)
    n.head(n.relu(n.node("Add", "sum", [y, x])), 8)
    return n


def stated():
    """Shapes of all tensors are stated."""
    return small("stated").model(infer=True)


def f16():
    """Every second tensor in the typed field, where a half is an int32."""
    model = small("f16", dtype=np.float16).model()
    for i, tensor in enumerate(model.graph.initializer):
        if i % 2:
            tensor.CopyFrom(tiny_net.typed(tensor))
    return model


def f64():
    """Convolutions in f32, fully connected layers in f64: the CPU has no other ones."""
    n = Net("f64")
    x = n.node("Flatten", "flat", [n.conv_relu("a", "image", 3, 6, stride=2)])
    x = n.node("Cast", "wide", [x], to=TensorProto.DOUBLE)
    n.dtype = np.dtype(np.float64)
    x = n.leaky(n.fc("b", x, 96, 8))
    n.fc("c", x, 8, tiny_net.CLASSES)
    n.node("Cast", "logits", ["c"], to=TensorProto.FLOAT)
    n.dtype = np.dtype(np.float32)
    n.output("logits", ["batch", tiny_net.CLASSES])
    return n.model()


def bf16():
    """Weights are stored as bf16, raw and typed, and cast where they are used."""
    n = Net("bf16")
    n.head(n.conv_relu("b", n.conv_relu("a", "image", 3, 6), 6, 8), 8)
    model = n.model()
    casts, narrow = [], []
    for i, tensor in enumerate(model.graph.initializer):
        array = numpy_helper.to_array(tensor).astype(ml_dtypes.bfloat16)
        narrow.append(numpy_helper.from_array(array, f"{tensor.name}.bf16"))
        if i % 2:
            narrow[-1] = tiny_net.typed(narrow[-1])
        casts.append(helper.make_node("Cast", [narrow[-1].name], [tensor.name], to=1))
    nodes = casts + list(model.graph.node)
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(narrow)
    model.graph.node.extend(nodes)
    return model


def typed_fields():
    """No raw bytes at all."""
    n = Net("typed_fields")
    x = n.conv_relu("a", "image", 3, 6, stride=2)
    x = n.node("Reshape", "flat", [x, n.constant("shape", [-1, 96])])
    n.logits(n.leaky(n.fc("b", x, 96, 8)), 8)
    model = n.model()
    tensors = [tiny_net.typed(tensor) for tensor in model.graph.initializer]
    del model.graph.initializer[:]
    model.graph.initializer.extend(tensors)
    return model


def external():
    """Written with its data in another file."""
    return small("external").model()


# ---------------------------------------------------------------- without rules


def qdq():
    """A quantized convolution between two in floating point."""
    n = Net("qdq")
    constant = lambda name, value, dtype: n.constant(name, np.asarray(value, dtype), dtype)
    scale, zero = n.constant("step", 0.05), constant("zero", 128, np.uint8)

    def quantized(name, x):
        q = n.node("QuantizeLinear", f"{name}.q", [x, scale, zero])
        return n.node("DequantizeLinear", f"{name}.dq", [q, scale, zero])

    x = n.conv_relu("b", n.conv_relu("a", "image", 3, 6), 6, 8)
    kernel = constant("c.q", n.rng.integers(-127, 128, (6, 8, 3, 3)), np.int8)
    steps = n.constant("c.steps", n.rng.uniform(0.001, 0.003, 6))
    kernel = n.node("DequantizeLinear", "c.dq", [kernel, steps], axis=0)
    x = n.relu(n.node("Conv", "c", [quantized("b.act", x), kernel], pads=[1] * 4))
    x = n.conv_relu("d", quantized("c.act", x), 6, 8)
    n.head(x, 8)
    return n.model()


def lstm():
    n = Net("lstm")
    x = n.conv_relu("b", n.conv_relu("a", "image", 3, 6), 6, 8)
    x = n.node("ReduceMean", "mean", [x], axes=[2], keepdims=0)
    x = n.node("Transpose", "steps", [x], perm=[2, 0, 1])
    weights = [n.weight("w", 1, 16, 8, fan_in=8), n.weight("r", 1, 16, 4, fan_in=4)]
    n.node("LSTM", "lstm", [x, *weights], ["all", "last"], hidden_size=4)
    x = n.node("Squeeze", "state", ["last", n.constant("zero", [0])])
    n.logits(n.leaky(n.fc("c", x, 4, 8)), 8)
    return n.model()


def if_branch():
    """Both branches read a tensor with channels from outside."""
    n = Net("if_branch")
    x = n.conv_relu("b", n.conv_relu("a", "image", 3, 6), 6, 8)
    mean = n.node("ReduceMean", "mean", ["image"], keepdims=0)
    bright = n.node("Greater", "bright", [mean, n.constant("limit", 0.0)])
    out = lambda name: [helper.make_tensor_value_info(name, 1, ["batch", 8, 8, 8])]
    double = helper.make_node("Add", [x, x], ["doubled"], name="doubled")
    negate = helper.make_node("Neg", [x], ["negated"], name="negated")
    then = helper.make_graph([double], "then", [], out("doubled"))
    other = helper.make_graph([negate], "else", [], out("negated"))
    x = n.node("If", "choice", [bright], then_branch=then, else_branch=other)
    n.head(n.conv_relu("c", x, 8, 6), 6)
    return n.model()


def custom_op():
    """An operator of somebody's own domain in the middle; its output's shape is stated."""
    n = Net("custom_op")
    x = n.conv_relu("b", n.conv_relu("a", "image", 3, 6), 6, 8)
    x = n.node("Mystery", "mystery", [x], domain="com.example")
    n.state("mystery", ["batch", 8, 8, 8])
    n.head(n.conv_relu("c", x, 8, 6), 6)
    return n.model()


ALL = [
    opset9, opset10, opset11, opset_newest, constants, constant_of_shape, folded, folded_old, stated, f16, f64,
    bf16, typed_fields, external, qdq, lstm, if_branch, custom_op,
]  # fmt: skip
