"""Graphs that no exporter writes, and that surgery once got wrong or refused.

Each uses a tensor or a length in a second way, beside the one that follows channels.
"""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tiny_net import Net


def ones(n, name, shape):
    one = numpy_helper.from_array(np.array([1.0], np.float32))
    return n.node("ConstantOfShape", name, [shape], value=one)


def branches(n, name, tensor, shape):
    """An If whose branches read the tensor, and whose result is an output."""
    out = lambda label: [helper.make_tensor_value_info(label, TensorProto.FLOAT, shape)]
    graphs = [
        helper.make_graph([helper.make_node(op, [tensor], [op])], op.lower(), [], out(op))
        for op in ("Relu", "Neg")
    ]
    choice = n.constant(f"{name}.choice", np.array(True))
    n.node("If", name, [choice], then_branch=graphs[0], else_branch=graphs[1])
    n.output(name, shape)


def split_shape():
    """A length goes through Split into the data: x / sqrt(channels)."""
    n = Net("split_shape")
    x = n.conv_relu("c1", "image", 3, 8)
    shape = n.node("Shape", "shape", [x])
    n.node("Split", "split", [shape, n.constant("sizes", [1, 1, 2])], ["N", "C", "HW"], axis=0)
    root = n.node("Sqrt", "root", [n.node("Cast", "float", ["C"], to=1)])
    n.head(n.conv_relu("c2", n.node("Div", "scaled", [x, root]), 8, 8), 8)
    return n.model()


def filled_sum():
    """A tensor of ones with the shape of an activation is summed up."""
    n = Net("filled_sum")
    x = n.conv_relu("c1", "image", 3, 8)
    count = n.node("ReduceSum", "count", [ones(n, "ones", n.node("Shape", "s", [x]))], keepdims=0)
    x = n.node("Mul", "mean", [n.node("Div", "share", [x, count]), n.constant("k", np.array(100.0))])
    n.head(n.conv_relu("c2", x, 8, 8), 8)
    return n.model()


def filled_output():
    """A filled weight is a model output, too."""
    n = Net("filled_output")
    ones(n, "w", n.constant("ws", [8, 3, 3, 3]))
    x = n.relu(n.node("Conv", "c1", ["image", "w"], pads=[1] * 4))
    x = n.node("Mul", "scaled", [x, n.weight("scale", 8, 1, 1)])
    n.head(n.conv_relu("c2", x, 8, 8), 8)
    n.output("w", [8, 3, 3, 3])
    return n.model()


def filled_branch():
    """A filled bias is read in an inner graph, too."""
    n = Net("filled_branch")
    ones(n, "w", n.constant("ws", [8]))
    bias = n.node("Reshape", "bias", ["w", n.constant("tall", [8, 1, 1])])
    x = n.relu(n.node("Add", "biased", [n.conv("c1", "image", 3, 8), bias]))
    n.head(n.conv_relu("c2", x, 8, 8), 8)
    branches(n, "choice", "w", [8])
    return n.model()


def turned_output():
    """What stands between a weight and its layer is a model output, too."""
    n = Net("turned_output", size=4)
    n.weight("w", 12, 48)
    n.node("Transpose", "wt", ["w"], perm=[1, 0])
    flat = n.node("Flatten", "flat", ["image"])
    n.logits(n.leaky(n.fc("b", n.leaky(n.node("MatMul", "a", [flat, "wt"])), 12, 8)), 8)
    n.output("wt", [48, 12])
    return n.model()


def gate_input():
    """An input of unknown length scales channels."""
    n = Net("gate_input")
    n.input("gate", ["c"])
    x = n.conv_relu("c1", "image", 3, 3)
    gate = n.node("Unsqueeze", "tall", ["gate", n.constant("axes", [1, 2])])
    n.head(n.conv_relu("c2", n.node("Mul", "gated", [x, gate]), 3, 8), 8)
    return n.model()


def far_slice():
    """A slice ends at the width of another tensor, far beyond its own."""
    n = Net("far_slice")
    x, y = n.conv_relu("c1", "image", 3, 8), n.conv_relu("c2", "image", 3, 16)
    end = n.node("Gather", "end", [n.node("Shape", "s", [y]), n.constant("one", [1])])
    x = n.node("Slice", "part", [x, n.constant("zero", [0]), end, n.constant("axis", [1])])
    n.head(n.node("Add", "sum", [n.conv_relu("c3", x, 8, 8), n.conv_relu("c4", y, 16, 8)]), 8)
    return n.model()


def unread_turn():
    """Nobody reads a bias that was given another shape."""
    n = Net("unread_turn")
    x = n.relu(n.node("Conv", "c1", ["image", n.weight("w", 8, 3, 3, 3), n.weight("b", 8)], pads=[1] * 4))
    n.node("Reshape", "dead", ["b", n.constant("tall", [1, 8, 1, 1])])
    n.head(n.conv_relu("c2", x, 8, 8), 8)
    return n.model()


def stated_copies():
    """Two layers share a bias, one of them through Unsqueeze, and every shape is stated."""
    n = Net("stated_copies")
    n.weight("b", 8)
    n.node("Unsqueeze", "tall", ["b", n.constant("axes", [1, 2])])
    x = n.relu(n.node("Conv", "c1", ["image", n.weight("w", 8, 3, 3, 3), "b"], pads=[1] * 4))
    y = n.relu(n.node("Add", "biased", [n.conv("c2", "image", 3, 8, bias=False), "tall"]))
    n.head(n.node("Add", "sum", [n.conv_relu("c3", x, 8, 8), n.conv_relu("c4", y, 8, 8)]), 8)
    return n.model(True)


def inner_name():
    """The name that a copy would have is taken in an inner graph."""
    n = Net("inner_name")
    n.weight("b", 8)
    x = n.relu(n.node("Conv", "c1", ["image", n.weight("w1", 8, 3, 3, 3), "b"], pads=[1] * 4))
    y = n.relu(n.node("Conv", "c2", ["image", n.weight("w2", 8, 3, 3, 3), "b"], pads=[1] * 4))
    x = n.node("Add", "sum", [n.conv_relu("c3", x, 8, 8), n.conv_relu("c4", y, 8, 8)])
    out = lambda name: [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)]
    inner = [helper.make_node("Relu", [x], ["b.2"]), helper.make_node("Neg", ["b.2"], ["then"])]
    then = helper.make_graph(inner, "then", [], out("then"))
    other = helper.make_graph([helper.make_node("Neg", [x], ["else"])], "else", [], out("else"))
    choice = n.constant("choice", np.array(True))
    n.head(n.node("If", "if", [choice], then_branch=then, else_branch=other), 8)
    return n.model()


ALL = [
    split_shape, filled_sum, filled_output, filled_branch, turned_output, gate_input, far_slice,
    unread_turn, stated_copies, inner_name,
]  # fmt: skip
