//! Small graphs that nearly make sense, made from bytes: for fuzzers, and for property tests.
//!
//! The bytes choose operators, operands, attributes and sizes, mostly such that they fit: what noise would spend on
//! being refused by the decoder goes into the rules. Once the bytes are used up every choice is the first one.

use crate::support::{Attr, Message, Onnx, integers, weights};

/// A choice of bytes.
struct Bytes<'a>(std::slice::Iter<'a, u8>);

impl Bytes<'_> {
    fn next(&mut self) -> usize {
        self.0.next().copied().unwrap_or(0).into()
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.next() % of.len()]
    }

    /// Once in `n` times; never behind the end.
    fn rarely(&mut self, n: usize) -> bool {
        self.next() % n == n - 1
    }

    /// A size: as given, or now and then anything.
    fn size(&mut self, plausible: i64) -> i64 {
        let odd =
            [0, -1, 1, 2, plausible.saturating_add(1), 64, 1 << 20, 1 << 31, 1 << 40, 1 << 62, i64::MAX, i64::MIN];
        if self.rarely(24) { self.one(&odd) } else { plausible }
    }
}

/// A tensor and what its shape should be.
#[derive(Clone)]
struct Tensor {
    name: String,
    shape: Vec<i64>,
}

struct Graph<'a> {
    bytes: Bytes<'a>,
    model: Onnx,
    images: Vec<Tensor>,
    made: usize,
}

/// The model that these bytes make.
pub(crate) fn graph(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = Bytes(bytes.iter());
    let (channels, side) = (bytes.one(&[3, 4, 1, 8]), bytes.one(&[4, 6, 1, 8]));
    let shape: Vec<i64> = [0, channels, side, side].into_iter().map(|d| bytes.size(d)).collect();
    let image = Tensor { name: "image".to_owned(), shape: shape.clone() };
    let model = Onnx::default().input(declared("image", &shape));
    let mut graph = Graph { bytes, model, images: vec![image], made: 0 };
    graph.conv();
    let nodes = 1 + graph.bytes.next() % 24;
    (0..nodes).for_each(|_| graph.node());
    if !graph.bytes.rarely(4) {
        graph.fully_connected();
    }
    let last = graph.images.pop().map_or("image".to_owned(), |tensor| tensor.name);
    graph.model.output(&last, &[]).bytes()
}

/// A stated shape with any numbers in it; 0 in front is the dynamic batch.
fn declared(name: &str, shape: &[i64]) -> Message {
    let dim = |(i, &d): (usize, &i64)| {
        let message = Message::default();
        if i == 0 && d == 0 { message.text(2, "batch") } else { message.int(1, d) }
    };
    let shape = shape.iter().enumerate().fold(Message::default(), |m, d| m.inner(1, dim(d)));
    let tensor = Message::default().int(1, 1).inner(2, shape);
    Message::default().text(1, name).inner(2, Message::default().inner(1, tensor))
}

/// Elements of weights, if they are few enough to be written.
fn few(shape: &[i64]) -> Option<Vec<usize>> {
    let shape: Vec<usize> = shape.iter().map(|&d| usize::try_from(d).ok()).collect::<Option<_>>()?;
    let n = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))?;
    (n <= 4096).then_some(shape)
}

impl Graph<'_> {
    fn name(&mut self) -> String {
        self.made += 1;
        format!("t{}", self.made)
    }

    /// Mostly the latest tensor, so that chains come about.
    fn operand(&mut self) -> Tensor {
        let back = self.bytes.one(&[0, 0, 0, 1, 1, 2, 3, 5]);
        let at = self.images.len().saturating_sub(1 + back);
        self.images[at].clone()
    }

    /// Another tensor of the same shape, if there is one.
    fn alike(&mut self, to: &Tensor) -> Tensor {
        let alike: Vec<&Tensor> = self.images.iter().filter(|t| t.shape == to.shape).collect();
        let at = self.bytes.next() % (alike.len() + 1);
        alike.get(at).map_or_else(|| self.images[self.images.len() - 1].clone(), |&t| t.clone())
    }

    fn add(&mut self, op: &str, inputs: &[&str], attributes: &[(&str, Attr)], shape: Vec<i64>) -> Tensor {
        let name = self.name();
        let model = std::mem::take(&mut self.model);
        self.model = model.node(op, &name, inputs, attributes);
        let tensor = Tensor { name, shape };
        self.images.push(tensor.clone());
        tensor
    }

    /// A constant of floats, as an initializer or a node; sometimes of another type, or of another length.
    fn floats(&mut self, shape: &[i64]) -> String {
        let name = if self.made > 0 && self.bytes.rarely(16) { format!("t{}", self.made) } else { self.name() };
        let tensor = match few(shape) {
            Some(shape) if !self.bytes.rarely(24) => weights(&name, &shape),
            _ => {
                let kind = self.bytes.one(&[1, 8, 4, 12, 0, 10]);
                let dims = shape.iter().fold(Message::default(), |m, &d| m.int(1, d));
                dims.int(2, kind).text(8, &name).bytes(9, &[0; 24][..self.bytes.one(&[0, 4, 24])])
            }
        };
        self.constant(&name, tensor);
        name
    }

    fn numbers(&mut self, values: &[i64]) -> String {
        let values: Vec<i64> = values.iter().map(|&value| self.bytes.size(value)).collect();
        let name = self.name();
        if self.bytes.rarely(6) {
            let model = std::mem::take(&mut self.model);
            self.model = model.node("Constant", &name, &[], &[("value_ints", Attr::Ints(values))]);
        } else {
            self.constant(&name, integers(&name, &values));
        }
        name
    }

    fn constant(&mut self, name: &str, tensor: Message) {
        let model = std::mem::take(&mut self.model);
        self.model = if self.bytes.rarely(4) {
            model.node("Constant", name, &[], &[("value", Attr::Tensor(tensor))])
        } else {
            model.initializer(tensor)
        };
    }

    fn ints(&mut self, values: &[i64]) -> Attr {
        Attr::Ints(values.iter().map(|&value| self.bytes.size(value)).collect())
    }

    fn conv(&mut self) {
        let input = self.operand();
        let c_in = input.shape.get(1).copied().unwrap_or(1);
        let groups = if self.bytes.rarely(3) { self.bytes.one(&[c_in, 2, 4]).max(1) } else { 1 };
        let c_out = groups.min(64) * self.bytes.one(&[2, 1, 3, 4, 8]);
        let (c_in, c_out, groups) = (self.bytes.size(c_in), self.bytes.size(c_out), self.bytes.size(groups));
        let kernel = self.bytes.one(&[1, 3]);
        let spatial = input.shape.len().clamp(3, 5) - 2;
        let mut shape = vec![c_out, c_in / groups.max(1)];
        shape.extend(vec![kernel; spatial]);
        let weight = self.floats(&shape);
        let bias = if self.bytes.rarely(2) { Some(self.floats(&[c_out])) } else { None };
        let mut attributes = vec![("pads", self.ints(&vec![kernel / 2; 2 * spatial]))];
        if groups != 1 || self.bytes.rarely(8) {
            attributes.push(("group", Attr::Int(groups)));
        }
        if self.bytes.rarely(8) {
            attributes.push(("strides", self.ints(&vec![2; spatial])));
        }
        if self.bytes.rarely(8) {
            attributes.push(("dilations", self.ints(&vec![1; spatial])));
        }
        if self.bytes.rarely(12) {
            attributes.push(("auto_pad", Attr::Text(["SAME_UPPER", "SAME_LOWER", "VALID"][self.bytes.next() % 3])));
        }
        let mut out = input.shape.clone();
        if let Some(c) = out.get_mut(1) {
            *c = c_out;
        }
        let inputs: Vec<&str> =
            [Some(&input.name), Some(&weight), bias.as_ref()].into_iter().flatten().map(|s| &**s).collect();
        self.add("Conv", &inputs, &attributes, out);
    }

    fn fully_connected(&mut self) {
        let mut input = self.operand();
        if input.shape.len() != 2 {
            let product = input.shape.get(1..).unwrap_or_default().iter().fold(1i64, |n, d| n.saturating_mul(*d));
            let shape = vec![input.shape.first().copied().unwrap_or(0), product];
            input = self.add("Flatten", &[&input.name], &[], shape);
        }
        let c_in = self.bytes.size(input.shape[1]);
        let c_out = self.bytes.one(&[5, 2, 8]);
        let shape = vec![input.shape[0], c_out];
        if self.bytes.rarely(3) {
            let weight = self.floats(&[c_in, c_out]);
            self.add("MatMul", &[&input.name, &weight], &[], shape);
        } else {
            let (weight, bias) = (self.floats(&[c_out, c_in]), self.floats(&[c_out]));
            self.add("Gemm", &[&input.name, &weight, &bias], &[("transB", Attr::Int(1))], shape);
        }
    }
}

#[path = "generated_nodes.rs"]
mod nodes;
#[path = "generated_products.rs"]
mod products;
