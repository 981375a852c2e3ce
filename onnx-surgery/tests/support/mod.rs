//! Models for tests and benches: built by hand, and the exporters' own.
#![allow(dead_code)] // Every test binary uses another part of it.

pub(crate) mod groups;
mod onnx;

pub(crate) use onnx::*;

/// Hand-built models, one per thing that no exporter's model here has. No activation kills a channel.
pub(crate) fn shapes() -> Vec<(&'static str, Vec<u8>)> {
    let conv = |m: Onnx, name: &str, from: &str, c_in, c_out| {
        let act = format!("{name}.act");
        m.conv(name, from, c_in, c_out).node("LeakyRelu", &act, &[name], &[])
    };
    let flat_literal = conv(Onnx::new(3, 4), "a", "image", 3, 6)
        .initializer(integers("shape", &[0, 96]))
        .node("Reshape", "flat", &["a.act", "shape"], &[])
        .fc("b", "flat", 96, 7)
        .fc("logits", "b", 7, 5)
        .output("logits", &[0, 5]);
    // The batch is read from the shape at run time, the channels stand in a Constant node.
    let flat_chain = conv(Onnx::new(3, 4), "a", "image", 3, 6)
        .node("Shape", "dims", &["a.act"], &[])
        .initializer(integers("zero", &[0]))
        .node("Gather", "n", &["dims", "zero"], &[])
        .node("Constant", "c", &[], &[("value", Attr::Tensor(integers("", &[96])))])
        .node("Concat", "shape", &["n", "c"], &[("axis", Attr::Int(0))])
        .node("Reshape", "flat", &["a.act", "shape"], &[])
        .fc("logits", "flat", 96, 5)
        .output("logits", &[0, 5]);
    let listed_shape = conv(Onnx::new(3, 4), "a", "image", 3, 6)
        .node("Constant", "shape", &[], &[("value_ints", Attr::Ints(vec![-1, 96]))])
        .node("Reshape", "flat", &["a.act", "shape"], &[])
        .fc("logits", "flat", 96, 5)
        .output("logits", &[0, 5]);
    let shared = conv(conv(conv(Onnx::new(3, 6), "a", "image", 3, 6), "b", "a.act", 6, 6), "c", "b.act", 6, 6)
        .node("Identity", "alias", &["b.weight"], &[])
        .node("Conv", "d", &["c.act", "alias", "b.bias"], &[("pads", Attr::Ints(vec![1; 4]))])
        .head("d", 6);
    let squeeze = conv(Onnx::new(3, 6), "a", "image", 3, 8)
        .node("GlobalAveragePool", "squeezed", &["a.act"], &[])
        .conv("down", "squeezed", 8, 4)
        .node("LeakyRelu", "down.act", &["down"], &[])
        .conv("up", "down.act", 4, 8)
        .node("Sigmoid", "gate", &["up"], &[])
        .node("Mul", "scaled", &["a.act", "gate"], &[])
        .head("scaled", 8);
    let parameters = conv(Onnx::new(3, 6), "a", "image", 3, 8)
        .initializer(weights("scale", &[8, 1, 1]))
        .initializer(weights("one", &[1]))
        .node("Mul", "scaled", &["scale", "a.act"], &[])
        .node("Add", "shifted", &["scaled", "one"], &[])
        .head("shifted", 8);
    let concats = {
        let m = conv(conv(Onnx::new(3, 6), "a", "image", 3, 4), "b", "image", 3, 6);
        let m = m.node("Concat", "ab", &["a.act", "b.act"], &[("axis", Attr::Int(1))]);
        let m = m.node("Concat", "abi", &["ab", "image", "a.act"], &[("axis", Attr::Int(1))]);
        conv(m, "c", "abi", 17, 6).head("c.act", 6)
    };
    let multiplier = conv(Onnx::new(3, 6), "a", "image", 3, 6)
        .grouped("dw", "a.act", 6, 12, 6)
        .node("LeakyRelu", "dw.act", &["dw"], &[])
        .grouped("pairs", "dw.act", 12, 12, 3)
        .head("pairs", 12);
    let typed = Onnx::new(3, 6)
        .initializer(typed_weights("a.weight", &[6, 3, 1, 1]))
        .node("Conv", "a", &["image", "a.weight"], &[])
        .conv("b", "a", 6, 4)
        .head("b", 4);
    let matmul = conv(Onnx::new(3, 6), "a", "image", 3, 6)
        .node("ReduceMean", "mean", &["a.act"], &[("axes", Attr::Ints(vec![-1, -2])), ("keepdims", Attr::Int(0))])
        .initializer(weights("m.weight", &[6, 9]))
        .initializer(weights("m.bias", &[9]))
        .node("MatMul", "m", &["mean", "m.weight"], &[])
        .node("Add", "m.sum", &["m.bias", "m"], &[])
        .node("Sigmoid", "m.act", &["m.sum"], &[])
        .fc("logits", "m.act", 9, 5)
        .output("logits", &[0, 5]);
    let silu = Onnx::new(3, 6)
        .conv("a", "image", 3, 6)
        .node("Sigmoid", "gate", &["a"], &[])
        .node("Mul", "swish", &["a", "gate"], &[])
        .node(
            "MaxPool",
            "pool",
            &["swish"],
            &[("kernel_shape", Attr::Ints(vec![2, 2])), ("strides", Attr::Ints(vec![2, 2]))],
        )
        .node("Unsqueeze", "up", &["pool", "last"], &[])
        .initializer(integers("last", &[4]))
        .node("Squeeze", "down", &["up", "last"], &[])
        .head("down", 6);
    let models = [
        ("flat_literal", flat_literal),
        ("flat_chain", flat_chain),
        ("listed_shape", listed_shape),
        ("shared", shared),
        ("squeeze", squeeze),
        ("parameters", parameters),
        ("concats", concats),
        ("multiplier", multiplier),
        ("typed", typed),
        ("matmul", matmul),
        ("silu", silu),
    ];
    models.into_iter().map(|(name, model)| (name, model.bytes())).collect()
}

/// The exporters' tiny models, by file name.
pub(crate) fn exported() -> Vec<(String, Vec<u8>)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models");
    let files =
        std::fs::read_dir(folder).expect("the models are committed").map(|entry| entry.expect("an entry").path());
    let mut models: Vec<(String, Vec<u8>)> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "onnx"))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read(path).expect("a readable model"))
        })
        .collect();
    models.sort();
    models
}

/// A network of `n` convolutions of `width` channels with a residual addition around every second one.
pub(crate) fn deep(n: usize, width: usize) -> Vec<u8> {
    let mut model = Onnx::new(3, 8).conv("c0", "image", 3, width);
    let mut last = "c0".to_owned();
    for i in 1..n {
        let name = format!("c{i}");
        let relu = format!("{name}.relu");
        model = model.relu(&relu, &last).conv(&name, &relu, width, width);
        if i % 2 == 0 {
            let sum = format!("{name}.sum");
            model = model.node("Add", &sum, &[&name, &last], &[]);
            last = sum;
        } else {
            last = name;
        }
    }
    model.head(&last, width).bytes()
}
