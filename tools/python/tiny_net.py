"""A builder for small ONNX graphs, written node by node."""

import zlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASSES = 5


class Net:
    """A graph under construction: a node's only output has the node's name.

    Its first input is `image`, of `channels` channels and `size` pixels on a side, the
    batch dynamic. Weights are random, from a seed that the name gives.
    """

    def __init__(self, name, channels=3, size=8, opset=17, ir=8, dtype=np.float32):
        self.name, self.opset, self.ir, self.dtype = name, opset, ir, np.dtype(dtype)
        self.rng = np.random.default_rng(zlib.crc32(name.encode()))
        self.nodes, self.inputs, self.outputs, self.initializers = [], [], [], []
        self.value_info, self.domains = [], []
        if channels:
            self.input("image", ["batch", channels, size, size])

    # ------------------------------------------------------------ parts

    def input(self, name, shape, dtype=None):
        self.inputs.append(self.stated(name, shape, dtype))
        return name

    def output(self, name, shape, dtype=None):
        self.outputs.append(self.stated(name, shape, dtype))
        return name

    def state(self, name, shape, dtype=None):
        """Writes the shape of a tensor that shape inference cannot find."""
        self.value_info.append(self.stated(name, shape, dtype))

    def stated(self, name, shape, dtype=None):
        element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype or self.dtype))
        return helper.make_tensor_value_info(name, element, shape)

    def constant(self, name, values, dtype=None):
        """An initializer; lists of whole numbers are int64."""
        array = np.asarray(values)
        if dtype is not None or array.dtype.kind == "f":
            array = array.astype(dtype or self.dtype)
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, name, *shape, fan_in=None):
        """He-initialized noise."""
        fan_in = fan_in or (int(np.prod(shape[1:])) if len(shape) > 1 else 100)
        return self.constant(name, self.rng.standard_normal(shape) * (2 / fan_in) ** 0.5)

    def node(self, op, name, inputs, outputs=None, **attributes):
        """Adds a node; answers the name of its output, or of all if they are listed."""
        node = helper.make_node(op, inputs, outputs or [name], name=name, **attributes)
        if node.domain and node.domain not in self.domains:
            self.domains.append(node.domain)
        self.nodes.append(node)
        return outputs or name

    # ------------------------------------------------------------ layers

    def conv(self, name, x, c_in, c_out, k=3, stride=1, group=1, pad=None, bias=True):
        """A convolution that keeps the image's size at stride 1."""
        names = [self.weight(f"{name}.weight", c_out, c_in // group, k, k)]
        names += [self.weight(f"{name}.bias", c_out)] if bias else []
        pads = [k // 2 if pad is None else pad] * 4
        more = dict(kernel_shape=[k, k], pads=pads, strides=[stride] * 2, group=group)
        return self.node("Conv", name, [x, *names], **more)

    def deconv(self, name, x, c_in, c_out, group=1):
        """A transposed convolution that doubles the image."""
        shape = (c_in, c_out // group, 2, 2)
        weight = self.weight(f"{name}.weight", *shape, fan_in=c_in // group)
        bias = self.weight(f"{name}.bias", c_out)
        more = dict(kernel_shape=[2, 2], strides=[2, 2], group=group)
        return self.node("ConvTranspose", name, [x, weight, bias], **more)

    def relu(self, x, name=None):
        return self.node("Relu", name or f"{x}.act", [x])

    def leaky(self, x):
        """Behind layers that see one pixel, where a Relu would kill whole channels."""
        return self.node("LeakyRelu", f"{x}.act", [x], alpha=0.2)

    def conv_relu(self, name, *args, **more):
        return self.relu(self.conv(name, *args, **more))

    def norm(self, x, c, name=None):
        """A BatchNormalization in which no parameter is neutral."""
        name = name or f"{x}.bn"
        draws = dict(
            scale=self.rng.uniform(0.5, 1.5, c),
            bias=self.rng.normal(0, 0.3, c),
            mean=self.rng.normal(0, 0.3, c),
            var=self.rng.uniform(0.5, 1.5, c),
        )
        names = [self.constant(f"{name}.{key}", values) for key, values in draws.items()]
        return self.node("BatchNormalization", name, [x, *names])

    def scale_and_bias(self, name, c):
        """Parameters of the other normalizations."""
        scale = self.constant(f"{name}.scale", self.rng.uniform(0.5, 1.5, c))
        return [scale, self.constant(f"{name}.bias", self.rng.normal(0, 0.3, c))]

    def fc(self, name, x, c_in, c_out):
        names = [self.weight(f"{name}.weight", c_out, c_in), self.weight(f"{name}.bias", c_out)]
        return self.node("Gemm", name, [x, *names], transB=1)

    def head(self, x, c):
        """A global pool, a Flatten and a fully connected layer: the output `logits`."""
        flat = self.node("Flatten", "flat", [self.node("GlobalAveragePool", "pooled", [x])])
        return self.logits(flat, c)

    def logits(self, flat, c):
        self.fc("logits", flat, c, CLASSES)
        return self.output("logits", ["batch", CLASSES])

    # ------------------------------------------------------------ the whole

    def model(self, infer=False):
        """The model; with `infer` every tensor's shape is stated."""
        inputs = list(self.inputs)
        if self.ir < 4:
            # Old files list initializers among the inputs.
            inputs += [
                helper.make_tensor_value_info(t.name, t.data_type, list(t.dims))
                for t in self.initializers
            ]
        graph = helper.make_graph(
            self.nodes,
            self.name,
            inputs,
            self.outputs,
            self.initializers,
            value_info=self.value_info,
        )
        opsets = [helper.make_opsetid("", self.opset)]
        opsets += [helper.make_opsetid(domain, 1) for domain in self.domains]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="locp")
        model.ir_version = self.ir
        return onnx.shape_inference.infer_shapes(model, strict_mode=True) if infer else model


def typed(tensor):
    """The same tensor with its elements in the typed field instead of raw bytes."""
    array = numpy_helper.to_array(tensor)
    narrow = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
    if tensor.data_type in narrow:
        # An element per entry of int32_data, as its bits.
        values = array.view(np.uint16).flatten().tolist()
        out = TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
        out.int32_data.extend(values)
        return out
    return helper.make_tensor(tensor.name, tensor.data_type, tensor.dims, array.flatten().tolist())
