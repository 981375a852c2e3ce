//! One convolution as an ONNX model, in bytes.
//!
//! ONNX is protobuf; of it, a handful of messages with a handful of fields are needed. Field numbers are those of the
//! public `onnx.proto`.

use super::reorder::PIXEL;
use netspec::{Activation, ConvSpec};

/// A message that is being written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(mut self, field: u64, value: u64) -> Message {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Message {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn text(self, field: u64, text: &str) -> Message {
        self.bytes(field, text.as_bytes())
    }

    fn message(self, field: u64, message: Message) -> Message {
        self.bytes(field, &message.0)
    }

    fn messages(self, field: u64, all: impl IntoIterator<Item = Message>) -> Message {
        all.into_iter().fold(self, |this, message| this.message(field, message))
    }

    fn numbers(self, field: u64, all: &[usize]) -> Message {
        all.iter().fold(self, |this, &value| this.number(field, value as u64))
    }
}

/// `TensorProto.DataType.FLOAT`.
const FLOAT: u64 = 1;

fn tensor(name: &str, dims: &[usize], values: &[f32]) -> Message {
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Message::default().numbers(1, dims).number(2, FLOAT).text(8, name).bytes(9, &raw)
}

fn value_info(name: &str, dims: &[usize]) -> Message {
    let dims = dims.iter().map(|&dim| Message::default().number(1, dim as u64));
    let shape = Message::default().messages(1, dims);
    let tensor = Message::default().number(1, FLOAT).message(2, shape);
    Message::default().text(1, name).message(2, Message::default().message(1, tensor))
}

fn ints(name: &str, values: &[usize]) -> Message {
    // AttributeProto.INTS is 7.
    Message::default().text(1, name).numbers(8, values).number(20, 7)
}

fn node(op: &str, inputs: &[&str], output: &str, attributes: Vec<Message>) -> Message {
    let node = inputs.iter().fold(Message::default(), |node, input| node.text(1, input));
    node.text(2, output).text(3, output).text(4, op).messages(5, attributes)
}

/// The shapes of the input and the output: (batch, channels, height, width).
pub(crate) fn shapes(spec: &ConvSpec) -> [[usize; 4]; 2] {
    let [height, width] = spec.out_hw();
    [[spec.batch, spec.c_in, spec.height, spec.width], [spec.batch, spec.c_out, height, width]]
}

/// The weights of one copy of the convolution.
pub(crate) struct Weights {
    pub(crate) kernel: Vec<f32>,
    pub(crate) bias: Option<Vec<f32>>,
}

/// The model: inputs `x` and, if the epilogue adds one, `skip`; output `y`. `None` for an unknown activation.
pub(crate) fn model(spec: &ConvSpec, weights: &Weights) -> Option<Vec<u8>> {
    let mut graph = Graph::default();
    let last = graph.conv(spec, weights, 0)?;
    let [_, y] = shapes(spec);
    graph.nodes.push(node("Identity", &[&last], "y", Vec::new()));
    Some(graph.model(spec, [("y".to_owned(), y)]))
}

/// The model that is timed: one copy of the convolution for each of the `weights`, all of the same input, each with a
/// pooling behind it that picks one pixel, so that nearly nothing is left to convert at the outputs.
pub(crate) fn timed(spec: &ConvSpec, weights: &[Weights]) -> Option<Vec<u8>> {
    let mut graph = Graph::default();
    let [batch, channels, height, width] = shapes(spec)[1];
    let mut outputs = Vec::new();
    for (copy, weights) in weights.iter().enumerate() {
        let last = graph.conv(spec, weights, copy)?;
        let pixel = format!("{PIXEL}{copy}");
        let attributes = vec![ints("kernel_shape", &[1, 1]), ints("strides", &[height, width])];
        graph.nodes.push(node("MaxPool", &[&last], &pixel, attributes));
        outputs.push((pixel, [batch, channels, 1, 1]));
    }
    Some(graph.model(spec, outputs))
}

#[derive(Default)]
struct Graph {
    nodes: Vec<Message>,
    initializers: Vec<Message>,
}

impl Graph {
    /// Adds a copy of the convolution with its epilogue and returns the name of its output; `None` for an unknown
    /// activation.
    fn conv(&mut self, spec: &ConvSpec, weights: &Weights, copy: usize) -> Option<String> {
        let name = |part: &str| format!("{part}{copy}");
        let [top, left, bottom, right] = spec.padding;
        let attributes = vec![
            ints("kernel_shape", &spec.kernel),
            ints("strides", &spec.stride),
            ints("dilations", &spec.dilation),
            ints("pads", &[top, left, bottom, right]),
            // AttributeProto.INT is 2.
            Message::default().text(1, "group").number(3, spec.groups as u64).number(20, 2),
        ];
        let kernel = [spec.c_out, spec.c_in / spec.groups, spec.kernel[0], spec.kernel[1]];
        let (w, b) = (name("w"), name("b"));
        self.initializers.push(tensor(&w, &kernel, &weights.kernel));
        self.initializers.extend(weights.bias.as_ref().map(|bias| tensor(&b, &[bias.len()], bias)));
        let mut inputs = vec!["x", &w];
        inputs.extend(weights.bias.is_some().then_some(b.as_str()));
        let mut last = name("conv");
        self.nodes.push(node("Conv", &inputs, &last, attributes));
        if spec.epilogue.residual {
            let sum = name("add");
            self.nodes.push(node("Add", &[&last, "skip"], &sum, Vec::new()));
            last = sum;
        }
        let active = name("active");
        match spec.epilogue.activation {
            Activation::None => return Some(last),
            Activation::Relu => self.nodes.push(node("Relu", &[&last], &active, Vec::new())),
            Activation::Relu6 => {
                let (zero, six) = (name("zero"), name("six"));
                self.initializers.extend([tensor(&zero, &[], &[0.0]), tensor(&six, &[], &[6.0])]);
                self.nodes.push(node("Clip", &[&last, &zero, &six], &active, Vec::new()));
            }
            Activation::Sigmoid => self.nodes.push(node("Sigmoid", &[&last], &active, Vec::new())),
            Activation::Silu => {
                let gate = name("gate");
                self.nodes.push(node("Sigmoid", &[&last], &gate, Vec::new()));
                self.nodes.push(node("Mul", &[&last, &gate], &active, Vec::new()));
            }
            Activation::HardSwish => self.nodes.push(node("HardSwish", &[&last], &active, Vec::new())),
            _ => return None,
        }
        Some(active)
    }

    fn model(self, spec: &ConvSpec, outputs: impl IntoIterator<Item = (String, [usize; 4])>) -> Vec<u8> {
        let [x, y] = shapes(spec);
        let mut inputs = vec![value_info("x", &x)];
        inputs.extend(spec.epilogue.residual.then(|| value_info("skip", &y)));
        let outputs = outputs.into_iter().map(|(name, shape)| value_info(&name, &shape));
        let graph = Message::default()
            .messages(1, self.nodes)
            .text(2, "conv")
            .messages(5, self.initializers)
            .messages(11, inputs)
            .messages(12, outputs);
        // IR version 8 and operator set 17: older than every library that is accepted here.
        let opset = Message::default().number(2, 17);
        Message::default().number(1, 8).message(7, graph).message(8, opset).0
    }
}
