//! Small ONNX models written field by field, for the tests of several crates.
#![allow(dead_code)] // Every test binary uses another part of it.

/// A protobuf message under construction.
#[derive(Clone, Default)]
pub(crate) struct Message(pub(crate) Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub(crate) fn int(mut self, number: u64, value: i64) -> Message {
        self.varint(number << 3);
        self.varint(value as u64);
        self
    }

    pub(crate) fn float(mut self, number: u64, value: f32) -> Message {
        self.varint(number << 3 | 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn bytes(mut self, number: u64, bytes: &[u8]) -> Message {
        self.varint(number << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    pub(crate) fn text(self, number: u64, text: &str) -> Message {
        self.bytes(number, text.as_bytes())
    }

    pub(crate) fn inner(self, number: u64, inner: Message) -> Message {
        self.bytes(number, &inner.0)
    }
}

/// An attribute's value.
#[derive(Clone)]
pub(crate) enum Attr {
    Int(i64),
    Ints(Vec<i64>),
    Text(&'static str),
    Tensor(Message),
}

/// A node's attribute.
pub(crate) fn attribute(name: &str, value: &Attr) -> Message {
    let message = Message::default().text(1, name);
    match value {
        Attr::Int(i) => message.int(3, *i).int(20, 2),
        Attr::Ints(list) => list.iter().fold(message, |m, i| m.int(8, *i)).int(20, 7),
        Attr::Text(text) => message.text(4, text).int(20, 3),
        Attr::Tensor(tensor) => message.inner(5, tensor.clone()).int(20, 4),
    }
}

fn dims(shape: &[usize]) -> Message {
    shape.iter().fold(Message::default(), |m, &d| m.int(1, d as i64))
}

/// Deterministic noise in [-0.5, 0.5).
pub(crate) fn noise(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    (0..n).map(|_| next()).collect()
}

/// A tensor of f32 noise as raw bytes, scaled so that layers neither vanish nor explode.
pub(crate) fn weights(name: &str, shape: &[usize]) -> Message {
    let n: usize = shape.iter().product();
    let fan_in = (n / shape.first().copied().unwrap_or(1).max(1)).max(1);
    let scale = (12.0f32 / fan_in as f32).sqrt();
    let seed = name.bytes().fold(7u64, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(b)));
    let raw: Vec<u8> = noise(n, seed).iter().flat_map(|v| (v * scale).to_le_bytes()).collect();
    dims(shape).int(2, 1).text(8, name).bytes(9, &raw)
}

/// The same elements in the typed field instead of raw bytes, one per field.
pub(crate) fn typed_weights(name: &str, shape: &[usize]) -> Message {
    let values = noise(shape.iter().product(), 5);
    values.iter().fold(dims(shape).int(2, 1), |m, v| m.float(4, *v)).text(8, name)
}

/// A list of integers in the typed field.
pub(crate) fn integers(name: &str, values: &[i64]) -> Message {
    values.iter().fold(dims(&[values.len()]).int(2, 7), |m, v| m.int(7, *v)).text(8, name)
}

/// A stated shape; a dim of 0 is the dynamic batch.
pub(crate) fn stated(name: &str, shape: &[usize]) -> Message {
    let dims: Vec<String> = shape.iter().map(|&d| if d == 0 { "batch".to_owned() } else { d.to_string() }).collect();
    value(name, F32, &dims.iter().map(String::as_str).collect::<Vec<_>>())
}

/// ONNX's numbers of element types.
pub(crate) const F32: i64 = 1;
pub(crate) const U8: i64 = 2;

/// A stated shape of numbers and names; an empty name is a free dim without one.
pub(crate) fn value(name: &str, element: i64, dims: &[&str]) -> Message {
    let dim = |text: &str| match text.parse() {
        Ok(number) => Message::default().int(1, number),
        Err(_) if text.is_empty() => Message::default(),
        Err(_) => Message::default().text(2, text),
    };
    let shape = dims.iter().fold(Message::default(), |m, d| m.inner(1, dim(d)));
    let tensor = Message::default().int(1, element).inner(2, shape);
    Message::default().text(1, name).inner(2, Message::default().inner(1, tensor))
}

/// A model under construction.
#[derive(Clone, Default)]
pub(crate) struct Onnx {
    nodes: Vec<Message>,
    initializers: Vec<Message>,
    inputs: Vec<Message>,
    outputs: Vec<Message>,
    value_info: Vec<Message>,
}

impl Onnx {
    /// One input, `image`, of this many channels and pixels on a side, the batch dynamic.
    pub(crate) fn new(channels: usize, side: usize) -> Onnx {
        Onnx { inputs: vec![stated("image", &[0, channels, side, side])], ..Onnx::default() }
    }

    /// A node whose only output has the node's name.
    pub(crate) fn node(self, op: &str, name: &str, inputs: &[&str], attributes: &[(&str, Attr)]) -> Onnx {
        self.node_with(op, name, inputs, attributes, |node| node)
    }

    pub(crate) fn node_with(
        mut self,
        op: &str,
        name: &str,
        inputs: &[&str],
        attributes: &[(&str, Attr)],
        more: impl Fn(Message) -> Message,
    ) -> Onnx {
        let node = inputs.iter().fold(Message::default(), |m, input| m.text(1, input));
        let node = node.text(2, name).text(3, name).text(4, op);
        self.nodes.push(more(attributes.iter().fold(node, |m, (name, value)| m.inner(5, attribute(name, value)))));
        self
    }

    pub(crate) fn initializer(mut self, tensor: Message) -> Onnx {
        self.initializers.push(tensor);
        self
    }

    pub(crate) fn input(mut self, input: Message) -> Onnx {
        self.inputs.push(input);
        self
    }

    pub(crate) fn value_info(mut self, value: Message) -> Onnx {
        self.value_info.push(value);
        self
    }

    pub(crate) fn output(mut self, name: &str, shape: &[usize]) -> Onnx {
        self.outputs.push(stated(name, shape));
        self
    }

    /// A padded 3x3 convolution with bias; its weights are `name.weight` and `name.bias`.
    pub(crate) fn conv(self, name: &str, input: &str, c_in: usize, c_out: usize) -> Onnx {
        self.grouped(name, input, c_in, c_out, 1)
    }

    pub(crate) fn grouped(self, name: &str, input: &str, c_in: usize, c_out: usize, groups: usize) -> Onnx {
        let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
        let attributes = [("pads", Attr::Ints(vec![1; 4])), ("group", Attr::Int(groups as i64))];
        self.initializer(weights(&weight, &[c_out, c_in / groups, 3, 3])).initializer(weights(&bias, &[c_out])).node(
            "Conv",
            name,
            &[input, &weight, &bias],
            &attributes,
        )
    }

    pub(crate) fn relu(self, name: &str, input: &str) -> Onnx {
        self.node("Relu", name, &[input], &[])
    }

    /// A global pool, a Flatten and a fully connected layer of 5 outputs, `logits`.
    pub(crate) fn head(self, input: &str, channels: usize) -> Onnx {
        self.node("GlobalAveragePool", "pooled", &[input], &[])
            .node("Flatten", "flat", &["pooled"], &[])
            .fc("logits", "flat", channels, 5)
            .output("logits", &[0, 5])
    }

    pub(crate) fn fc(self, name: &str, input: &str, c_in: usize, c_out: usize) -> Onnx {
        let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
        self.initializer(weights(&weight, &[c_out, c_in])).initializer(weights(&bias, &[c_out])).node(
            "Gemm",
            name,
            &[input, &weight, &bias],
            &[("transB", Attr::Int(1))],
        )
    }

    /// The graph's message.
    pub(crate) fn graph(&self) -> Message {
        let lists = [
            (1, &self.nodes),
            (5, &self.initializers),
            (11, &self.inputs),
            (12, &self.outputs),
            (13, &self.value_info),
        ];
        let graph = Message::default().text(2, "graph");
        lists.iter().fold(graph, |m, (number, list)| list.iter().fold(m, |m, x| m.inner(*number, x.clone())))
    }

    /// The file's bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bytes_with(&[])
    }

    /// The same with metadata.
    pub(crate) fn bytes_with(&self, metadata: &[(&str, &str)]) -> Vec<u8> {
        let opset = Message::default().text(1, "").int(2, 17);
        let model = Message::default().int(1, 8).text(2, "locp").inner(7, self.graph()).inner(8, opset);
        let entry = |(key, value): &(&str, &str)| Message::default().text(1, key).text(2, value);
        metadata.iter().fold(model, |model, pair| model.inner(14, entry(pair))).0
    }
}
