//! The generator's operators that are no layers.

use super::{Graph, Tensor};
use crate::support::{Attr, Message};

const UNARY: [&str; 12] = [
    "Relu",
    "Sigmoid",
    "Identity",
    "Clip",
    "Cast",
    "Dropout",
    "LeakyRelu",
    "HardSwish",
    "Erf",
    "Softmax",
    "Mystery",
    "Not",
];

impl Graph<'_> {
    /// One more node, or a few that belong together.
    pub(super) fn node(&mut self) {
        match self.bytes.next() % 28 {
            0..=3 => self.conv(),
            4 | 5 => self.unary(),
            6 => self.batch_normalization(),
            7 | 8 => self.binary(),
            9 | 10 => self.concat(),
            11 => self.reshape(),
            12 => self.computed_reshape(),
            13 => self.split(),
            14 => self.slice(),
            15 => self.transpose(),
            16 => self.pad(),
            17 => self.resize(),
            18 => self.pool(),
            19 => self.reduce(),
            20 => self.squeeze(),
            21 => self.scale(),
            22 => self.branch(),
            23 => self.product(),
            24 => self.recurrent(),
            25 => self.sample(),
            26 => self.unpool(),
            _ => self.fully_connected(),
        }
    }

    fn unary(&mut self) {
        let (op, input, to) = (self.bytes.one(&UNARY), self.operand(), self.bytes.one(&[1, 7, 10]));
        self.add(op, &[&input.name], &[("to", Attr::Int(to))], input.shape);
    }

    fn batch_normalization(&mut self) {
        let input = self.operand();
        let channels = [input.shape.get(1).copied().unwrap_or(1)];
        let parameters: Vec<String> = (0..4).map(|_| self.floats(&channels)).collect();
        let inputs: Vec<&str> = std::iter::once(&input.name).chain(&parameters).map(|s| &**s).collect();
        self.add("BatchNormalization", &inputs, &[], input.shape);
    }

    fn binary(&mut self) {
        let a = self.operand();
        let (b, op) = (self.alike(&a), self.bytes.one(&["Add", "Mul", "Sub", "Div", "Max", "Pow"]));
        self.add(op, &[&a.name, &b.name], &[], a.shape);
    }

    /// A constant per channel, or for all of them.
    fn scale(&mut self) {
        let a = self.operand();
        let channels = a.shape.get(1).copied().unwrap_or(1);
        let shape = [vec![channels, 1, 1], vec![1], vec![], vec![1, channels, 1, 1], vec![channels]];
        let shape = shape[self.bytes.next() % shape.len()].clone();
        let (b, op) = (self.floats(&shape), self.bytes.one(&["Mul", "Add"]));
        self.add(op, &[&a.name, &b], &[], a.shape);
    }

    fn concat(&mut self) {
        let a = self.operand();
        let mut parts = vec![a.clone()];
        for _ in 0..self.bytes.next() % 4 {
            parts.push(if self.bytes.rarely(4) {
                let name = self.floats(&a.shape);
                Tensor { name, shape: a.shape.clone() }
            } else if self.bytes.rarely(2) {
                self.alike(&a)
            } else {
                self.operand()
            });
        }
        let axis = self.bytes.one(&[1, 1, 1, 2, 0, -1, -3]);
        let at = if axis < 0 { axis + a.shape.len() as i64 } else { axis };
        let mut shape = a.shape.clone();
        if let Some(length) = usize::try_from(at).ok().and_then(|at| shape.get_mut(at)) {
            let sum = parts.iter().filter_map(|t| t.shape.get(at as usize)).fold(0i64, |n, d| n.saturating_add(*d));
            *length = sum;
        }
        let inputs: Vec<&str> = parts.iter().map(|t| &*t.name).collect();
        let axis = self.bytes.size(axis);
        self.add("Concat", &inputs, &[("axis", Attr::Int(axis))], shape);
    }

    /// To a shape in the file: flat, shuffled groups, or the same.
    fn reshape(&mut self) {
        let a = self.operand();
        let [n, c] = [0, 1].map(|i| a.shape.get(i).copied().unwrap_or(1));
        let (rest, inner) = (a.shape.get(2..).unwrap_or_default(), a.shape.get(2..).unwrap_or_default());
        let inner = inner.iter().fold(1i64, |n, d| n.saturating_mul(*d));
        let flat = c.saturating_mul(inner);
        let mut wanted = match self.bytes.next() % 7 {
            0 => vec![n, flat],
            1 => vec![-1, flat],
            2 => vec![0, -1],
            3 => [&[n, 2, c / 2], rest].concat(),
            4 => [&[n, c / 2, 2], rest].concat(),
            5 => vec![n, c, inner],
            _ => a.shape.clone(),
        };
        let name = self.numbers(&wanted);
        wanted.iter_mut().for_each(|d| *d = if *d < 0 { flat } else { *d });
        let attributes = if self.bytes.rarely(8) { vec![("allowzero", Attr::Int(1))] } else { vec![] };
        self.add("Reshape", &[&a.name, &name], &attributes, wanted);
    }

    /// To a shape that is put together at run time.
    fn computed_reshape(&mut self) {
        let a = self.operand();
        let dims = self.add("Shape", &[&a.name], &[], vec![a.shape.len() as i64]);
        let (axis, zero) = (self.bytes.one(&[0, 1, 2, -1]), self.numbers(&[0]));
        let index = self.numbers(&[axis]);
        let mut parts = vec![if self.bytes.rarely(2) {
            self.add("Gather", &[&dims.name, &index], &[], vec![1]).name
        } else {
            let one = self.numbers(&[axis + 1]);
            self.add("Slice", &[&dims.name, &index, &one, &zero], &[], vec![1]).name
        }];
        if self.bytes.rarely(3) {
            let last = parts[0].clone();
            let two = self.numbers(&[2]);
            let op = self.bytes.one(&["Mul", "Div", "Add", "Cast", "Identity", "Unsqueeze"]);
            parts[0] = self.add(op, &[&last, &two], &[("to", Attr::Int(7))], vec![1]).name;
        }
        let flat = a.shape.get(1..).unwrap_or_default().iter().fold(1i64, |n, d| n.saturating_mul(*d));
        for _ in 0..1 + self.bytes.next() % 3 {
            let value = self.bytes.one(&[flat, -1, 0, 1, a.shape.get(1).copied().unwrap_or(1)]);
            let again = self.bytes.rarely(4);
            parts.push(if again { parts[0].clone() } else { self.numbers(&[value]) });
        }
        let inputs: Vec<&str> = parts.iter().map(|s| &**s).collect();
        let shape = self.add("Concat", &inputs, &[("axis", Attr::Int(0))], vec![parts.len() as i64]);
        self.add("Reshape", &[&a.name, &shape.name], &[], vec![a.shape.first().copied().unwrap_or(0), flat]);
        self.images.retain(|t| t.name != dims.name && t.name != shape.name && !parts.contains(&t.name));
    }

    fn split(&mut self) {
        let a = self.operand();
        let (n, axis) = (self.bytes.one(&[2, 3, 4]), self.bytes.one(&[1, 1, 2, -1]));
        let mut shape = a.shape.clone();
        if let Some(c) = shape.get_mut(1) {
            *c /= n;
        }
        let mut inputs = vec![a.name.clone()];
        if self.bytes.rarely(2) {
            let sizes = self.numbers(&vec![shape.get(1).copied().unwrap_or(1); n as usize]);
            inputs.push(sizes);
        }
        let inputs: Vec<&str> = inputs.iter().map(|s| &**s).collect();
        let name = self.name();
        let model = std::mem::take(&mut self.model);
        let attributes = [("axis", Attr::Int(axis)), ("num_outputs", Attr::Int(n))];
        let outputs = |node: Message| (1..n).fold(node, |m, i| m.text(2, &format!("{name}.{i}")));
        self.model = model.node_with("Split", &name, &inputs, &attributes, outputs);
        self.images.extend((1..n).map(|i| Tensor { name: format!("{name}.{i}"), shape: shape.clone() }));
        self.images.push(Tensor { name, shape });
    }

    fn slice(&mut self) {
        let a = self.operand();
        let axis = self.bytes.one(&[1, 1, 2, -1]);
        let [start, end, step] = [[0, 0, 1, -2], [2, 3, i64::MAX, -1], [1, 1, 2, -1]].map(|of| self.bytes.one(&of));
        let inputs = [start, end, axis, step].map(|value| self.numbers(&[value]));
        let mut shape = a.shape.clone();
        if let (1, Some(c)) = (axis, shape.get_mut(1)) {
            *c = end.min(*c).saturating_sub(start);
        }
        self.add("Slice", &[&a.name, &inputs[0], &inputs[1], &inputs[2], &inputs[3]], &[], shape);
    }

    fn transpose(&mut self) {
        let a = self.operand();
        let order: Vec<i64> = match (a.shape.len(), self.bytes.next() % 4) {
            (4, 0) => vec![0, 2, 3, 1],
            (4, 1) => vec![0, 3, 1, 2],
            (5, 0 | 1) => vec![0, 2, 1, 3, 4],
            (n, _) => (0..n as i64).rev().collect(),
        };
        let shape = order.iter().filter_map(|&axis| a.shape.get(axis as usize).copied()).collect();
        let order = self.ints(&order);
        self.add("Transpose", &[&a.name], &[("perm", order)], shape);
    }

    fn pad(&mut self) {
        let a = self.operand();
        let mut pads = vec![0; 2 * a.shape.len()];
        let at = self.bytes.next() % pads.len().max(1);
        if let Some(pad) = pads.get_mut(at) {
            *pad = self.bytes.one(&[1, 2, -1, 1 << 31]);
        }
        let pads = self.numbers(&pads);
        self.add("Pad", &[&a.name, &pads], &[], a.shape);
    }

    fn resize(&mut self) {
        let a = self.operand();
        let sizes = self.numbers(&a.shape);
        if self.bytes.rarely(2) {
            self.add("Resize", &[&a.name, "", "", &sizes], &[("mode", Attr::Text("nearest"))], a.shape);
        } else {
            let scales = self.floats(&[a.shape.len() as i64]);
            self.add("Resize", &[&a.name, "", &scales], &[("mode", Attr::Text("linear"))], a.shape);
        }
    }

    fn pool(&mut self) {
        let a = self.operand();
        if self.bytes.rarely(2) {
            let shape = a.shape.iter().enumerate().map(|(i, &d)| if i < 2 { d } else { 1 }).collect();
            self.add("GlobalAveragePool", &[&a.name], &[], shape);
            return;
        }
        let kernel = self.ints(&vec![1; a.shape.len().saturating_sub(2)]);
        let ceil = Attr::Int(self.bytes.one(&[0, 1]));
        let op = self.bytes.one(&["MaxPool", "AveragePool"]);
        self.add(op, &[&a.name], &[("kernel_shape", kernel), ("ceil_mode", ceil)], a.shape);
    }

    fn reduce(&mut self) {
        let a = self.operand();
        let (axes, keeps) = (self.bytes.one(&[&[2, 3][..], &[-1, -2], &[1], &[0], &[]]), self.bytes.one(&[1, 0]));
        let gone = |i: usize| axes.iter().any(|&axis| axis == i as i64 || axis + a.shape.len() as i64 == i as i64);
        let shape = a.shape.iter().enumerate().filter(|(i, _)| keeps == 1 || !gone(*i));
        let shape = shape.map(|(i, &d)| if gone(i) { 1 } else { d }).collect();
        let axes = self.ints(axes);
        self.add("ReduceMean", &[&a.name], &[("axes", axes), ("keepdims", Attr::Int(keeps))], shape);
    }

    fn squeeze(&mut self) {
        let a = self.operand();
        let (axis, op) = (self.bytes.one(&[2, 1, -1, 0]), self.bytes.one(&["Unsqueeze", "Squeeze"]));
        let axes = self.numbers(&[axis]);
        let mut shape = a.shape.clone();
        let at = (if axis < 0 { axis + shape.len() as i64 } else { axis }).clamp(0, shape.len() as i64) as usize;
        if op == "Unsqueeze" {
            shape.insert(at, 1);
        } else if at < shape.len() {
            shape.remove(at);
        }
        self.add(op, &[&a.name, &axes], &[], shape);
    }

    /// A node with an inner graph that reads a tensor from outside.
    fn branch(&mut self) {
        let a = self.operand();
        let inner = Message::default().text(1, &a.name).text(2, "inside").text(4, "Relu");
        let inner = Message::default().inner(1, inner).inner(12, Message::default().text(1, "inside"));
        let name = self.name();
        let model = std::mem::take(&mut self.model);
        let branch =
            |node: Message| node.inner(5, Message::default().text(1, "then_branch").inner(6, inner.clone()).int(20, 5));
        self.model = model.node_with("If", &name, &["image"], &[], branch);
        self.images.push(Tensor { name, shape: a.shape });
    }
}
