"""Topologies: one small model per way in which layers hang together."""

import numpy as np

from tiny_net import Net


def chain():
    n = Net("chain")
    x = n.relu(n.norm(n.conv("a", "image", 3, 6), 6))
    x = n.conv_relu("b", x, 6, 8, stride=2)
    x = n.node("MaxPool", "pool", [x], kernel_shape=[2, 2], strides=[2, 2])
    n.head(n.conv_relu("c", x, 8, 6, k=1), 6)
    return n.model()


def residual():
    n = Net("residual")
    x = n.conv_relu("stem", "image", 3, 8)
    y = n.conv("b", n.conv_relu("a", x, 8, 6), 6, 8)
    n.head(n.relu(n.node("Add", "sum", [y, x])), 8)
    return n.model()


def nested_residual():
    """A skip around two blocks that have a skip each, and a projection on one of them."""
    n = Net("nested_residual")
    x = n.conv_relu("stem", "image", 3, 8)
    y = n.conv("b", n.conv_relu("a", x, 8, 6), 6, 8)
    inner = n.relu(n.node("Add", "inner", [y, n.conv("project", x, 8, 8, k=1)]))
    z = n.conv("d", n.conv_relu("c", inner, 8, 4), 4, 8)
    middle = n.node("Add", "middle", [inner, z])
    n.head(n.node("Add", "outer", [middle, x]), 8)
    return n.model()


def concat():
    n = Net("concat")
    a, b = n.conv_relu("a", "image", 3, 4), n.conv_relu("b", "image", 3, 6)
    x = n.node("Concat", "ab", [a, b], axis=1)
    n.head(n.conv_relu("c", x, 10, 8), 8)
    return n.model()


def dense_concat():
    """Dense connectivity, and a Concat of Concats."""
    n = Net("dense_concat")
    a = n.conv_relu("a", "image", 3, 4)
    b = n.conv_relu("b", a, 4, 4)
    ab = n.node("Concat", "ab", [a, b], axis=1)
    c = n.conv_relu("c", ab, 8, 4)
    abc = n.node("Concat", "abc", [ab, c], axis=1)
    x = n.node("Concat", "abcab", [abc, ab], axis=-3)
    n.head(n.conv_relu("d", x, 20, 6), 6)
    return n.model()


def inception():
    n = Net("inception")
    x = n.conv_relu("stem", "image", 3, 6)
    one = n.conv_relu("one", x, 6, 4, k=1)
    three = n.conv_relu("three", n.conv_relu("reduce", x, 6, 4, k=1), 4, 6)
    same = dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    pool = n.node("AveragePool", "pool", [x], count_include_pad=1, **same)
    pooled = n.conv_relu("project", pool, 6, 4, k=1)
    passed = n.node("MaxPool", "passed", [x], **same)
    n.head(n.node("Concat", "joined", [one, three, pooled, passed], axis=1), 20)
    return n.model()


def split_even():
    """Split without sizes: two equal halves."""
    n = Net("split_even")
    x = n.conv_relu("a", "image", 3, 8)
    left, right = n.node("Split", "halves", [x], ["left", "right"], axis=1)
    b, c = n.conv_relu("b", left, 4, 4), n.conv_relu("c", right, 4, 6)
    n.head(n.node("Concat", "bc", [b, c], axis=1), 10)
    return n.model()


def split_input():
    n = Net("split_input", opset=13)
    x = n.conv_relu("a", "image", 3, 8)
    sizes = n.constant("sizes", [3, 5])
    left, right = n.node("Split", "parts", [x, sizes], ["left", "right"], axis=1)
    b, c = n.conv_relu("b", left, 3, 4), n.conv_relu("c", right, 5, 6)
    n.head(n.node("Concat", "bc", [b, c], axis=1), 10)
    return n.model()


def split_attribute():
    n = Net("split_attribute", opset=11)
    x = n.conv_relu("a", "image", 3, 8)
    left, right = n.node("Split", "parts", [x], ["left", "right"], axis=-3, split=[2, 6])
    b, c = n.conv_relu("b", left, 2, 4), n.conv_relu("c", right, 6, 6)
    n.head(n.node("Concat", "bc", [b, c], axis=1), 10)
    return n.model()


def slices():
    """Two Slices that overlap; the later one begins in the middle."""
    n = Net("slices")
    x = n.conv_relu("a", "image", 3, 8)
    axis = n.constant("axis", [1])
    bounds = [n.constant(name, [at]) for name, at in (("zero", 0), ("five", 5), ("three", 3))]
    bounds.append(n.constant("end", [np.iinfo(np.int64).max]))
    left = n.node("Slice", "left", [x, bounds[0], bounds[1], axis])
    right = n.node("Slice", "right", [x, bounds[2], bounds[3], axis])
    b, c = n.conv_relu("b", left, 5, 4), n.conv_relu("c", right, 5, 6)
    n.head(n.node("Concat", "bc", [b, c], axis=1), 10)
    return n.model()


def shuffle_unit(n, name, x, c):
    """A unit of ShuffleNetV2: half of the channels pass, then halves are interleaved."""
    half = c // 2
    sizes = n.constant(f"{name}.sizes", [half, half])
    parts = n.node("Split", f"{name}.split", [x, sizes], [f"{name}.keep", f"{name}.go"], axis=1)
    y = n.conv_relu(f"{name}.a", parts[1], half, half, k=1)
    y = n.conv(f"{name}.dw", y, half, half, group=half)
    y = n.conv_relu(f"{name}.b", y, half, half, k=1)
    y = n.node("Concat", f"{name}.joined", [parts[0], y], axis=1)
    apart = n.constant(f"{name}.apart", [0, 2, half, 8, 8])
    y = n.node("Reshape", f"{name}.pairs", [y, apart])
    y = n.node("Transpose", f"{name}.swapped", [y], perm=[0, 2, 1, 3, 4])
    return n.node("Reshape", f"{name}.out", [y, n.constant(f"{name}.flat", [0, c, 8, 8])])


def shuffle():
    n = Net("shuffle")
    x = n.conv_relu("stem", "image", 3, 8)
    n.head(shuffle_unit(n, "two", shuffle_unit(n, "one", x, 8), 8), 8)
    return n.model()


def grouped():
    n = Net("grouped")
    x = n.conv_relu("stem", "image", 3, 8)
    n.head(n.conv_relu("g", x, 8, 12, group=4), 12)
    return n.model()


def depthwise():
    """An inverted residual block."""
    n = Net("depthwise")
    x = n.conv_relu("stem", "image", 3, 6)
    y = n.relu(n.norm(n.conv("expand", x, 6, 12, k=1, bias=False), 12))
    y = n.relu(n.norm(n.conv("dw", y, 12, 12, group=12, bias=False), 12))
    y = n.norm(n.conv("project", y, 12, 6, k=1, bias=False), 6)
    n.head(n.node("Add", "sum", [x, y]), 6)
    return n.model()


def se_conv():
    n = Net("se_conv")
    x = n.conv_relu("stem", "image", 3, 8)
    mean = n.node("GlobalAveragePool", "squeezed", [x])
    y = n.leaky(n.conv("down", mean, 8, 4, k=1))
    gate = n.node("HardSigmoid", "gate", [n.conv("up", y, 4, 8, k=1)])
    n.head(n.conv_relu("b", n.node("Mul", "scaled", [x, gate]), 8, 6), 6)
    return n.model()


def se_gemm():
    """Two gates of Gemm layers: one through view(N, -1, 1, 1), one with every number written."""
    n = Net("se_gemm")
    x = n.conv_relu("stem", "image", 3, 8)
    flat = n.node("Flatten", "one.flat", [n.node("GlobalAveragePool", "one.mean", [x])])
    y = n.fc("one.up", n.leaky(n.fc("one.down", flat, 8, 4)), 4, 8)
    gate = n.node("Sigmoid", "one.gate", [y])
    gate = n.node("Reshape", "one.view", [gate, n.constant("one.shape", [0, -1, 1, 1])])
    x = n.conv_relu("b", n.node("Mul", "one.scaled", [x, gate]), 8, 6)

    # As TorchScript writes x.view(b, c, 1, 1): the batch is read, the channels stand there.
    mean = n.node("GlobalAveragePool", "two.mean", [x])
    zero = n.constant("zero", 0)
    batch = n.node("Gather", "batch", [n.node("Shape", "shape", [mean]), zero], axis=0)
    batch = n.node("Unsqueeze", "batch.list", [batch, n.constant("first", [0])])
    squeeze = n.node("Concat", "two.dims", [batch, n.constant("six", [6])], axis=0)
    flat = n.node("Reshape", "two.flat", [mean, squeeze])
    y = n.fc("two.up", n.leaky(n.fc("two.down", flat, 6, 4)), 4, 6)
    gate = n.node("Sigmoid", "two.gate", [y])
    dims = [batch, n.constant("c", [6]), n.constant("h", [1]), n.constant("w", [1])]
    dims = n.node("Concat", "two.shape", dims, axis=0)
    gate = n.node("Reshape", "two.view", [gate, dims])
    n.head(n.node("Mul", "two.scaled", [x, gate]), 6)
    return n.model()


def flatten():
    n = Net("flatten")
    x = n.conv_relu("a", "image", 3, 6, stride=2)
    x = n.leaky(n.fc("fc", n.node("Flatten", "flat", [x]), 96, 8))
    n.logits(x, 8)
    return n.model()


def multi_output():
    n = Net("multi_output")
    x = n.conv_relu("stem", "image", 3, 8)
    n.conv("aux", x, 8, 4, k=1)
    n.output("aux", ["batch", 4, 8, 8])
    # A feature map that is both an output and read on.
    y = n.conv_relu("a", x, 8, 6)
    n.output("a.act", ["batch", 6, 8, 8])
    n.head(n.conv_relu("b", y, 6, 8), 8)
    return n.model()


def multi_input():
    n = Net("multi_input")
    n.input("depth", ["batch", 1, 8, 8])
    n.input("mask", ["batch", 1, 8, 8])
    a, b = n.conv("a", "image", 3, 8), n.conv("b", "depth", 1, 8)
    x = n.relu(n.node("Add", "sum", [a, b]))
    x = n.node("Mul", "masked", [x, "mask"])
    n.head(n.conv_relu("c", x, 8, 6), 6)
    return n.model()


def pad_channels():
    """CIFAR ResNets' option A: the shortcut gets channels of zeros on both sides."""
    n = Net("pad_channels")
    x = n.conv_relu("stem", "image", 3, 4)
    y = n.conv("c", n.conv_relu("b", x, 4, 8, stride=2), 8, 8)
    starts, ends = n.constant("starts", [0, 0]), n.constant("ends", [8, 8])
    axes, steps = n.constant("axes", [2, 3]), n.constant("steps", [2, 2])
    short = n.node("Slice", "short", [x, starts, ends, axes, steps])
    pads = n.constant("pads", [0, 2, 0, 0, 0, 2, 0, 0])
    short = n.node("Pad", "padded", [short, pads, n.constant("zero", 0.0)])
    n.head(n.relu(n.node("Add", "sum", [y, short])), 8)
    return n.model()


def unet():
    n = Net("unet")
    pool = lambda name, x: n.node("MaxPool", name, [x], kernel_shape=[2, 2], strides=[2, 2])
    e1 = n.conv_relu("e1", "image", 3, 4)
    e2 = n.conv_relu("e2", pool("p1", e1), 4, 6)
    x = n.conv_relu("m", pool("p2", e2), 6, 8)
    x = n.node("Concat", "join2", [n.deconv("u2", x, 8, 6), e2], axis=1)
    x = n.conv_relu("d2", x, 12, 6)
    x = n.node("Concat", "join1", [n.deconv("u1", x, 6, 4), e1], axis=1)
    n.conv("mask", n.conv_relu("d1", x, 8, 4), 4, 2, k=1)
    n.output("mask", ["batch", 2, 8, 8])
    return n.model(infer=True)


def fpn():
    n = Net("fpn")
    c3 = n.conv_relu("c3", "image", 3, 6)
    c4 = n.conv_relu("c4", c3, 6, 8, stride=2)
    c5 = n.conv_relu("c5", c4, 8, 10, stride=2)
    l3, l4 = n.conv("l3", c3, 6, 6, k=1), n.conv("l4", c4, 8, 6, k=1)
    l5 = n.conv("l5", c5, 10, 6, k=1)
    scales = n.constant("scales", [1.0, 1.0, 2.0, 2.0], np.float32)
    p4 = n.node("Add", "p4", [l4, n.node("Resize", "up5", [l5, "", scales], mode="nearest")])
    p3 = n.node("Add", "p3", [l3, n.deconv("up4", p4, 6, 6)])
    n.conv("s3", p3, 6, 4)
    n.conv("s4", p4, 6, 4)
    n.output("s3", ["batch", 4, 8, 8])
    n.output("s4", ["batch", 4, 4, 4])
    return n.model()


def pan():
    """Up with a Resize to a size that is read at run time, and down again, by Concats."""
    n = Net("pan")
    c3 = n.conv_relu("c3", "image", 3, 6)
    c4 = n.conv_relu("c4", c3, 6, 8, stride=2)
    zero, two, four = (n.constant(k, [v]) for k, v in (("zero", 0), ("two", 2), ("four", 4)))
    shape4, shape3 = n.node("Shape", "shape4", [c4]), n.node("Shape", "shape3", [c3])
    front = n.node("Slice", "front", [shape4, zero, two, zero])
    back = n.node("Slice", "back", [shape3, two, four, zero])
    sizes = n.node("Concat", "up.sizes", [front, back], axis=0)
    how = dict(mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    up = n.node("Resize", "up", [c4, "", "", sizes], **how)
    t3 = n.conv_relu("t3", n.node("Concat", "join3", [up, c3], axis=1), 14, 6)
    down = n.conv_relu("down", t3, 6, 6, stride=2)
    t4 = n.conv_relu("t4", n.node("Concat", "join4", [down, c4], axis=1), 14, 8)
    n.conv("o3", t3, 6, 4, k=1)
    n.conv("o4", t4, 8, 4, k=1)
    n.output("o3", ["batch", 4, 8, 8])
    n.output("o4", ["batch", 4, 4, 4])
    return n.model(infer=True)


def c2f():
    """YOLOv8's block: a Split, bottlenecks with skips, and a Concat of all that was made."""
    n = Net("c2f")
    x = n.conv_relu("stem", "image", 3, 6)
    x = n.node("Mul", "silu", [n.conv("cv1", x, 6, 8, k=1), n.node("Sigmoid", "gate", ["cv1"])])
    sizes = n.constant("sizes", [4, 4])
    left, right = n.node("Split", "halves", [x, sizes], ["left", "right"], axis=1)
    y = n.conv_relu("m1", right, 4, 4)
    one = n.node("Add", "one", [right, n.conv("m2", y, 4, 4)])
    two = n.node("Add", "two", [one, n.conv("m4", n.conv_relu("m3", one, 4, 6), 6, 4)])
    n.head(n.conv_relu("cv2", n.node("Concat", "all", [left, right, one, two], axis=1), 16, 8), 8)
    return n.model()


def c3():
    """YOLOv5's block: two 1x1 convolutions, one through a bottleneck, joined."""
    n = Net("c3")
    x = n.conv_relu("stem", "image", 3, 6)
    left = n.conv_relu("cv1", x, 6, 4, k=1)
    right = n.conv_relu("cv2", x, 6, 4, k=1)
    y = n.conv_relu("m2", n.conv_relu("m1", left, 4, 4, k=1), 4, 4)
    left = n.node("Add", "sum", [left, y])
    n.head(n.conv_relu("cv3", n.node("Concat", "both", [left, right], axis=1), 8, 8, k=1), 8)
    return n.model()


def shared_heads(name, share):
    """One head on two levels: `share` answers the weights' names for the second use."""
    n = Net(name)
    x = n.conv_relu("stem", "image", 3, 6)
    levels = [n.conv_relu("l1", x, 6, 8), n.conv_relu("l2", x, 6, 8, stride=2)]
    h = [n.weight("h.weight", 6, 8, 3, 3), n.weight("h.bias", 6)]
    o = [n.weight("o.weight", 4, 6, 1, 1), n.weight("o.bias", 4)]
    for i, level in enumerate(levels, 1):
        h, o = (h, o) if i == 1 else (share(n, h), share(n, o))
        y = n.relu(n.node("Conv", f"h{i}", [level, *h], pads=[1, 1, 1, 1]))
        n.output(n.node("Conv", f"o{i}", [y, *o]), ["batch", 4, 8 // i, 8 // i])
    return n.model()


def shared_weights():
    return shared_heads("shared_weights", lambda n, names: names)


def shared_identity():
    """As TorchScript exports it: the second use reads the weights through Identity."""
    alias = lambda n, names: [n.node("Identity", f"{name}.alias", [name]) for name in names]
    return shared_heads("shared_identity", alias)


def shared_parameters():
    """Two convolutions share a bias and a norm's parameters: equal values that were stored once."""
    n = Net("shared_parameters")
    bias = n.weight("bias", 8)
    bn = [n.constant(f"bn.{k}", n.rng.uniform(0.5, 1.5, 8)) for k in ("scale", "bias", "var")]
    means = [n.weight("a.mean", 8), n.weight("b.mean", 8)]
    x = n.node("Conv", "a", ["image", n.weight("a.weight", 8, 3, 3, 3), bias], pads=[1] * 4)
    x = n.relu(n.node("BatchNormalization", "a.bn", [x, bn[0], bn[1], means[0], bn[2]]))
    x = n.node("Conv", "b", [x, n.weight("b.weight", 8, 8, 3, 3), bias], pads=[1] * 4)
    scale = n.node("Identity", "scale.alias", [bn[0]])
    x = n.relu(n.node("BatchNormalization", "b.bn", [x, scale, bn[1], means[1], bn[2]]))
    n.head(n.conv_relu("c", x, 8, 6), 6)
    return n.model()


ALL = [
    chain, residual, nested_residual, concat, dense_concat, inception, split_even, split_input,
    split_attribute, slices, shuffle, grouped, depthwise, se_conv, se_gemm, flatten,
    multi_output, multi_input, pad_channels, unet, fpn, pan, c2f, c3, shared_weights,
    shared_identity, shared_parameters,
]  # fmt: skip
