#!/usr/bin/env python3
"""Writes the model of the conformance kit: timing/src/conformance/conv_relu.onnx.

    python tools/python/make_conformance_model.py

Conv 3x3 with padding 1 and bias, then Relu, on (batch, 1, 8, 8). All weights are
multiples of 1/8, which every floating-point type holds exactly; the formulas stand
once more in timing/src/conformance/reference.rs, which computes what engines must
answer.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OUTPUTS = 2
OUT = Path(__file__).resolve().parents[2] / "timing" / "src" / "conformance" / "conv_relu.onnx"


def main():
    output, place = np.meshgrid(np.arange(OUTPUTS), np.arange(9), indexing="ij")
    weights = ((5 * place + 3 * output) % 7 - 3).reshape(OUTPUTS, 1, 3, 3) / 8
    bias = (1 - 2 * np.arange(OUTPUTS)) / 8
    graph = helper.make_graph(
        [
            helper.make_node(
                "Conv",
                ["image", "conv.weight", "conv.bias"],
                ["conv_out"],
                name="conv",
                kernel_shape=[3, 3],
                pads=[1, 1, 1, 1],
            ),
            helper.make_node("Relu", ["conv_out"], ["result"], name="relu"),
        ],
        "conv_relu",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("result", TensorProto.FLOAT, ["batch", OUTPUTS, 8, 8])],
        [
            numpy_helper.from_array(weights.astype(np.float32), "conv.weight"),
            numpy_helper.from_array(bias.astype(np.float32), "conv.bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    model.producer_name = "locp"
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, OUT)


if __name__ == "__main__":
    main()
