"""What scripts share that read and run ONNX models; needs no torch."""

import collections
from pathlib import Path

import numpy as np
import onnx

# ONNX Runtime's names of element types.
DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(uint8)": np.uint8,
}


def session(path, threads=2):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(
        path if isinstance(path, bytes) else str(path),
        options,
        providers=["CPUExecutionProvider"],
    )


def noise(shape, seed):
    """Noise with its own mean and contrast per image, on top of coarse blobs."""
    rng = np.random.default_rng(seed)
    lead = (shape[0],) + (1,) * (len(shape) - 1)
    x = rng.standard_normal(shape) * rng.uniform(0.3, 1.3, lead)
    if len(shape) == 4:
        coarse = rng.standard_normal([-(-d // 4) if i > 1 else d for i, d in enumerate(shape)])
        blobs = coarse.repeat(4, axis=2).repeat(4, axis=3)[:, :, : shape[2], : shape[3]]
        x += blobs + 0.5 * rng.standard_normal((shape[0], shape[1], 1, 1))
    return x


def feed(path, batch, seed):
    """Noise for every input; dynamic dims are the batch."""
    found = {}
    for i, port in enumerate(session(path).get_inputs()):
        shape = [d if isinstance(d, int) else batch for d in port.shape]
        found[port.name] = noise(shape, seed + i).astype(DTYPES[port.type])
    return found


def run(path, inputs, threads=2):
    """All outputs, for inputs by name."""
    return session(path, threads).run(None, inputs)


def relative(got, want):
    """The largest difference in terms of the largest value."""
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    return float(np.abs(got - want).max() / max(float(np.abs(want).max()), 1e-30))


def summary(path):
    """Facts about a graph that matter to a tool that edits it."""
    m = onnx.load(path, load_external_data=False)
    g = m.graph
    ops = collections.Counter(
        (f"{n.domain}::" if n.domain else "") + n.op_type for n in g.node
    )
    dims = lambda v: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
    return {
        "bytes": Path(path).stat().st_size,
        "producer": f"{m.producer_name} {m.producer_version}",
        "ir": m.ir_version,
        "opset": {o.domain or "ai.onnx": o.version for o in m.opset_import},
        "ops": dict(sorted(ops.items())),
        "inputs": {v.name: dims(v) for v in g.input},
        "outputs": {v.name: dims(v) for v in g.output},
        "initializers": len(g.initializer),
        "external": sum(t.data_location == onnx.TensorProto.EXTERNAL for t in g.initializer),
        "raw_data": sum(t.HasField("raw_data") for t in g.initializer),
        "weight_constants": sum(
            n.op_type == "Constant"
            and any(a.name == "value" and np.prod(a.t.dims) > 16 for a in n.attribute)
            for n in g.node
        ),
        "value_info": len(g.value_info),
        "functions": len(m.functions),
        "metadata": sorted({p.key for n in g.node for p in n.metadata_props}),
    }
