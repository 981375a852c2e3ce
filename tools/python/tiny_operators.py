"""Operators between layers: one small model per family of rules."""

from tiny_net import Net


def elementwise():
    """Comparisons, Where, Min, Max, Pow, and sums and means of several operands."""
    n = Net("elementwise")
    a = n.conv("a", "image", 3, 8)
    high = n.node("Greater", "high", [a, n.constant("limit", 0.1)])
    x = n.node("Where", "leaky", [high, a, n.node("Mul", "slow", [a, n.constant("rate", 0.2)])])
    x = n.node("Min", "capped", [x, n.constant("cap", n.rng.uniform(1, 2, (8, 1, 1)))])
    x = n.node("Max", "floored", [x, n.constant("floor", -0.5), n.constant("low", [-0.6])])
    b = n.conv("b", x, 8, 8)
    square = n.node("Pow", "square", [b, n.constant("exponent", 2.0)])
    x = n.node("Sum", "sum", [x, b, square])
    c = n.conv("c", x, 8, 6)
    d = n.conv("d", x, 8, 6)
    n.head(n.node("Mean", "mean", [c, d]), 6)
    return n.model()


def activations():
    """Chains that exporters write for activations, and bounds as inputs."""
    n = Net("activations")
    a = n.conv("a", "image", 3, 6)
    erf = n.node("Erf", "erf", [n.node("Div", "scaled", [a, n.constant("root", 2**0.5)])])
    x = n.node("Mul", "gelu", [a, n.node("Add", "shifted", [erf, n.constant("one", 1.0)])])
    x = n.node("Mul", "halved", [x, n.constant("half", 0.5)])
    x = n.node("HardSwish", "b.act", [n.conv("b", x, 6, 8)])
    x = n.conv("c", x, 8, 6)
    x = n.node("Clip", "relu6", [x, n.constant("min", 0.0), n.constant("max", 6.0)])
    d = n.conv("d", x, 6, 8)
    tanh = n.node("Tanh", "tanh", [n.node("Softplus", "softplus", [d])])
    x = n.node("Mul", "mish", [d, tanh])
    x = n.node("Elu", "e.act", [n.conv("e", x, 8, 6)], alpha=0.5)
    x = n.node("Dropout", "dropout", [n.node("Identity", "same", [x]), n.constant("p", 0.3)])
    half = n.node("Cast", "half.cast", [x], to=10)
    n.head(n.node("Cast", "whole.cast", [half], to=1), 6)
    return n.model()


def prelu():
    n = Net("prelu")
    slope = n.constant("a.slope", n.rng.uniform(0.1, 0.4, (8, 1, 1)))
    x = n.node("PRelu", "a.act", [n.conv("a", "image", 3, 8), slope])
    one = n.constant("b.slope", [0.25])
    n.head(n.node("PRelu", "b.act", [n.conv("b", x, 8, 6), one]), 6)
    return n.model()


def pools():
    n = Net("pools", size=16)
    half = dict(kernel_shape=[2, 2], strides=[2, 2])
    x = n.node("MaxPool", "max", [n.conv("a", "image", 3, 6)], ceil_mode=1, **half)
    x = n.node("AveragePool", "mean", [n.conv("b", x, 6, 8)], auto_pad="SAME_UPPER", **half)
    x = n.node("LpPool", "norm", [n.conv("c", x, 8, 6)], p=2, **half)
    ends = [n.node("GlobalLpPool", "p1", [x], p=2), n.node("GlobalMaxPool", "p2", [x])]
    ends.append(n.node("ReduceMean", "p3", [x], axes=[2, 3], keepdims=1))
    ends.append(n.node("ReduceL2", "p4", [x], axes=[-1, -2], keepdims=1))
    flat = n.node("Flatten", "flat", [n.node("Concat", "all", ends, axis=1)])
    n.logits(flat, 24)
    return n.model()


def softmax():
    """Over a row of the image, and over the channels, which freezes them."""
    n = Net("softmax")
    x = n.node("Softmax", "rows", [n.conv("a", "image", 3, 8)], axis=-1)
    x = n.node("LogSoftmax", "columns", [n.conv("b", x, 8, 6)], axis=2)
    x = n.node("Softmax", "channels", [n.conv("c", x, 6, 6)], axis=1)
    n.head(n.conv_relu("d", x, 6, 8), 8)
    return n.model()


def lrn():
    n = Net("lrn")
    x = n.node("LRN", "lrn", [n.conv_relu("a", "image", 3, 6)], size=3, alpha=0.5, beta=0.75)
    n.head(n.conv_relu("b", x, 6, 8), 8)
    return n.model()


def instance_norm():
    n = Net("instance_norm")
    a = n.conv("a", "image", 3, 8)
    x = n.relu(n.node("InstanceNormalization", "a.in", [a, *n.scale_and_bias("a.in", 8)]))
    n.head(n.conv_relu("b", x, 8, 6), 6)
    return n.model()


def group_norm(opset):
    """Up to opset 20 the parameters count groups, from 21 on channels."""
    n = Net(f"group_norm_{opset}", opset=opset, ir=8 if opset == 18 else 10)
    c = 4 if opset == 18 else 8
    a = n.conv("a", "image", 3, 8)
    a = n.node("GroupNormalization", "gn", [a, *n.scale_and_bias("gn", c)], num_groups=4)
    n.head(n.conv_relu("b", n.relu(a), 8, 6), 6)
    return n.model()


def conv_transpose():
    """Plain, with groups, and depthwise."""
    n = Net("conv_transpose", size=4)
    x = n.relu(n.deconv("up", n.conv_relu("a", "image", 3, 6), 6, 8))
    x = n.relu(n.deconv("pairs", x, 8, 12, group=4))
    x = n.conv_relu("b", x, 12, 6, stride=2)
    n.head(n.conv_relu("c", n.deconv("dw", x, 6, 6, group=6), 6, 8, stride=2), 8)
    return n.model()


def conv3d():
    """Three-dimensional convolutions and nothing else."""
    n = Net("conv3d", channels=0)
    x = n.input("volume", ["batch", 1, 8, 8, 8])
    for name, c_in, c_out, k in (("a", 1, 8, 3), ("b", 8, 6, 3), ("c", 6, 4, 1)):
        weight = n.weight(f"{name}.weight", c_out, c_in, k, k, k)
        x = n.node("Conv", name, [x, weight, n.weight(f"{name}.bias", c_out)], pads=[k // 2] * 6)
        x = n.relu(x) if name != "c" else x
    n.output("c", ["batch", 4, 8, 8, 8])
    return n.model()


def depth_to_space():
    """Pixel shuffle in both orders."""
    n = Net("depth_to_space")
    x = n.conv_relu("a", "image", 3, 16)
    x = n.node("DepthToSpace", "dcr", [x], blocksize=2, mode="DCR")
    x = n.conv_relu("b", x, 4, 16, stride=2)
    x = n.node("DepthToSpace", "crd", [x], blocksize=2, mode="CRD")
    n.head(n.conv_relu("c", x, 4, 6), 6)
    return n.model()


def pixel_shuffle():
    """The same as Reshape, Transpose, Reshape: what PyTorch's decomposition leaves."""
    n = Net("pixel_shuffle")
    x = n.conv_relu("a", "image", 3, 16)
    x = n.node("Reshape", "apart", [x, n.constant("six", [0, 4, 2, 2, 8, 8])])
    x = n.node("Transpose", "swapped", [x], perm=[0, 1, 4, 2, 5, 3])
    x = n.node("Reshape", "joined", [x, n.constant("four", [0, 4, 16, 16])])
    n.head(n.conv_relu("b", x, 4, 6, stride=2), 6)
    return n.model()


def space_to_depth():
    """As an operator, and as YOLOv5's Focus writes it: slices and a Concat."""
    n = Net("space_to_depth", size=16)
    x = n.node("SpaceToDepth", "s2d", [n.conv_relu("a", "image", 3, 4)], blocksize=2)
    x = n.conv_relu("b", x, 16, 6)
    end, step = n.constant("end", [2**62] * 2), n.constant("step", [2, 2])
    axes, parts = n.constant("axes", [2, 3]), []
    for i, (row, column) in enumerate(((0, 0), (1, 0), (0, 1), (1, 1))):
        start = n.constant(f"start{i}", [row, column])
        parts.append(n.node("Slice", f"part{i}", [x, start, end, axes, step]))
    x = n.node("Concat", "focus", parts, axis=1)
    n.head(n.conv_relu("c", x, 24, 8), 8)
    return n.model()


def gather():
    """A fixed permutation that leaves two channels out, which another branch reads."""
    n = Net("gather")
    x = n.conv_relu("a", "image", 3, 8)
    picked = n.node("Gather", "picked", [x, n.constant("index", [7, 5, 3, 1, 0, 2])], axis=1)
    b, c = n.conv_relu("b", picked, 6, 4), n.conv_relu("c", x, 8, 6)
    n.head(n.node("Concat", "bc", [b, c], axis=1), 10)
    return n.model()


def expand():
    """Pooled features are spread over the image again: by a shape with the channels, and without."""
    n = Net("expand")
    x = n.conv_relu("a", "image", 3, 8)
    mean = n.node("GlobalAveragePool", "mean", [x])
    b = n.leaky(n.conv("b", mean, 8, 6, k=1))
    c = n.leaky(n.conv("c", mean, 8, 4, k=1))
    b = n.node("Expand", "b.wide", [b, n.constant("with", [1, 6, 8, 8])])
    c = n.node("Expand", "c.wide", [c, n.constant("without", [8, 8])])
    n.head(n.conv_relu("d", n.node("Concat", "all", [x, b, c], axis=1), 18, 6), 6)
    return n.model()


def nhwc():
    """What converters from channels-last frameworks leave: stretches between Transposes."""
    n = Net("nhwc", channels=0)
    n.input("image", ["batch", 8, 8, 3])
    x = n.node("Transpose", "in", ["image"], perm=[0, 3, 1, 2])
    x = n.node("Transpose", "a.last", [n.conv("a", x, 3, 8, bias=False)], perm=[0, 2, 3, 1])
    x = n.relu(n.node("Add", "a.sum", [x, n.weight("a.shift", 8)]))
    x = n.node("Mul", "a.scaled", [x, n.constant("a.scale", n.rng.uniform(0.5, 1.5, 8))])
    x = n.node("MatMul", "b", [x, n.weight("b.weight", 8, 6, fan_in=8)])
    x = n.relu(n.node("Add", "b.sum", [n.weight("b.shift", 6), x]))
    x = n.node("Transpose", "b.first", [x], perm=[0, 3, 1, 2])
    x = n.node("Transpose", "c.last", [n.conv("c", x, 6, 8)], perm=[0, 2, 3, 1])
    x = n.node("ReduceMean", "mean", [x], axes=[1, 2], keepdims=0)
    n.logits(x, 8)
    return n.model()


def convnext():
    """A ConvNeXt block; LayerNormalization mixes the stream's channels, the hidden ones are free."""
    n = Net("convnext", size=16)
    x = n.conv("stem", "image", 3, 8, k=2, stride=2, pad=0)
    y = n.node("Transpose", "last", [n.conv("dw", x, 8, 8, k=5, group=8)], perm=[0, 2, 3, 1])
    y = n.node("LayerNormalization", "ln", [y, *n.scale_and_bias("ln", 8)], axis=-1, epsilon=1e-6)
    y = n.node("MatMul", "pw1", [y, n.weight("pw1.weight", 8, 16, fan_in=8)])
    y = n.node("Add", "pw1.sum", [y, n.weight("pw1.bias", 16)])
    erf = n.node("Erf", "erf", [n.node("Div", "scaled", [y, n.constant("root", 2**0.5)])])
    y = n.node("Mul", "gelu", [y, n.node("Add", "shifted", [erf, n.constant("one", 1.0)])])
    y = n.node("Mul", "halved", [y, n.constant("half", 0.5)])
    y = n.node("MatMul", "pw2", [y, n.weight("pw2.weight", 16, 8, fan_in=16)])
    y = n.node("Add", "pw2.sum", [y, n.weight("pw2.bias", 8)])
    y = n.node("Mul", "layer_scale", [n.constant("gamma", n.rng.uniform(0.5, 1.5, 8)), y])
    y = n.node("Transpose", "first", [y], perm=[0, 3, 1, 2])
    n.head(n.conv_relu("c", n.node("Add", "sum", [x, y]), 8, 6), 6)
    return n.model()


def layer_norm_parts():
    """A LayerNorm over channels of old exporters: means, differences, roots."""
    n = Net("layer_norm_parts")
    x = n.conv_relu("a", "image", 3, 6)
    x = n.conv("b", x, 6, 8)
    mean = n.node("ReduceMean", "mean", [x], axes=[1], keepdims=1)
    centered = n.node("Sub", "centered", [x, mean])
    square = n.node("Pow", "square", [centered, n.constant("two", 2.0)])
    var = n.node("ReduceMean", "var", [square], axes=[1], keepdims=1)
    root = n.node("Sqrt", "root", [n.node("Add", "eps", [var, n.constant("epsilon", 1e-6)])])
    x = n.node("Div", "normal", [centered, root])
    x = n.node("Mul", "scaled", [x, n.constant("scale", n.rng.uniform(0.5, 1.5, (8, 1, 1)))])
    x = n.node("Add", "shifted", [x, n.weight("shift", 8, 1, 1, fan_in=100)])
    n.head(n.conv_relu("c", x, 8, 6), 6)
    return n.model()


def attention():
    """A non-local block: products of activations freeze what they multiply, the stream is free."""
    n = Net("attention")
    x = n.conv_relu("stem", "image", 3, 8)

    def pixels(name):
        shape = n.constant(f"{name}.shape", [0, 6, 64])
        return n.node("Reshape", f"{name}.flat", [n.conv(name, x, 8, 6, k=1), shape])

    q, k, v = (pixels(name) for name in "qkv")
    q = n.node("Transpose", "q.rows", [q], perm=[0, 2, 1])
    weights = n.node("Softmax", "weights", [n.node("MatMul", "scores", [q, k])], axis=-1)
    weights = n.node("Transpose", "weights.columns", [weights], perm=[0, 2, 1])
    y = n.node("MatMul", "mixed", [v, weights])
    y = n.node("Reshape", "image.again", [y, n.constant("image.shape", [0, 6, 8, 8])])
    n.head(n.node("Add", "sum", [x, n.conv("o", y, 6, 8, k=1)]), 8)
    return n.model()


ALL = [
    elementwise, activations, prelu, pools, softmax, lrn, instance_norm,
    lambda: group_norm(18), lambda: group_norm(21), conv_transpose, conv3d, depth_to_space,
    pixel_shuffle, space_to_depth, gather, expand, nhwc, convnext, layer_norm_parts, attention,
]  # fmt: skip
