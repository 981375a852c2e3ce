//! One convolution as an ONNX model, in bytes.
//!
//! ONNX is protobuf; of it, a handful of messages with a handful of fields are needed. Field numbers are those of the
//! public `onnx.proto`.

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

/// The model: inputs `x` and, where the epilogue adds one, `skip`; output `y`. Nothing for an unknown activation.
pub(crate) fn model(spec: &ConvSpec, weights: &[f32], bias: Option<&[f32]>) -> Option<Vec<u8>> {
    let [top, left, bottom, right] = spec.padding;
    let attributes = vec![
        ints("kernel_shape", &spec.kernel),
        ints("strides", &spec.stride),
        ints("dilations", &spec.dilation),
        ints("pads", &[top, left, bottom, right]),
        // AttributeProto.INT is 2.
        Message::default().text(1, "group").number(3, spec.groups as u64).number(20, 2),
    ];
    let conv_inputs: &[&str] = if bias.is_some() { &["x", "w", "b"] } else { &["x", "w"] };
    let mut nodes = vec![node("Conv", conv_inputs, "conv", attributes)];
    let mut last = "conv";
    if spec.epilogue.residual {
        nodes.push(node("Add", &[last, "skip"], "add", Vec::new()));
        last = "add";
    }
    let kernel = [spec.c_out, spec.c_in / spec.groups, spec.kernel[0], spec.kernel[1]];
    let mut initializers = vec![tensor("w", &kernel, weights)];
    initializers.extend(bias.map(|bias| tensor("b", &[bias.len()], bias)));
    match spec.epilogue.activation {
        Activation::None => nodes.push(node("Identity", &[last], "y", Vec::new())),
        Activation::Relu => nodes.push(node("Relu", &[last], "y", Vec::new())),
        Activation::Relu6 => {
            initializers.extend([tensor("zero", &[], &[0.0]), tensor("six", &[], &[6.0])]);
            nodes.push(node("Clip", &[last, "zero", "six"], "y", Vec::new()));
        }
        Activation::Sigmoid => nodes.push(node("Sigmoid", &[last], "y", Vec::new())),
        Activation::Silu => {
            nodes.push(node("Sigmoid", &[last], "gate", Vec::new()));
            nodes.push(node("Mul", &[last, "gate"], "y", Vec::new()));
        }
        Activation::HardSwish => nodes.push(node("HardSwish", &[last], "y", Vec::new())),
        _ => return None,
    }
    let [x, y] = shapes(spec);
    let mut inputs = vec![value_info("x", &x)];
    inputs.extend(spec.epilogue.residual.then(|| value_info("skip", &y)));
    let graph = Message::default()
        .messages(1, nodes)
        .text(2, "conv")
        .messages(5, initializers)
        .messages(11, inputs)
        .message(12, value_info("y", &y));
    // IR version 8 and operator set 17: older than every library that is accepted here.
    let opset = Message::default().number(2, 17);
    Some(Message::default().number(1, 8).message(7, graph).message(8, opset).0)
}
