//! The generator's products, recurrent layers, samplers and pools with indices.

use super::{Graph, Tensor};
use crate::support::{Attr, Message};

impl Graph<'_> {
    /// Products that are written in other ways than as layers.
    pub(super) fn product(&mut self) {
        let a = self.operand();
        let length = |from_end: usize| a.shape.len().checked_sub(from_end).map_or(1, |axis| a.shape[axis]);
        let c_out = self.bytes.one(&[4, 2, 8]);
        let mut shape = a.shape.clone();
        if self.bytes.rarely(3) {
            if let Some(axis) = shape.len().checked_sub(2) {
                shape[axis] = c_out;
            }
            let weight = self.floats(&[c_out, length(2)]);
            self.add("MatMul", &[&weight, &a.name], &[], shape);
            return;
        }
        let forms =
            ["nchw,oc->nohw", "nc...,oc->no...", "oc,nc...->no...", "nchw,oc", "nchw,ncw->n", "nchw->nhwc", "...,->"];
        let equation = forms[self.bytes.next() % forms.len()];
        if let Some(c) = shape.get_mut(1) {
            *c = c_out;
        }
        let weight = self.floats(&[c_out, a.shape.get(1).copied().unwrap_or(1)]);
        let inputs: &[&str] = match equation.find(',') {
            None => &[&a.name],
            Some(2) => &[&weight, &a.name],
            _ => &[&a.name, &weight],
        };
        self.add("Einsum", inputs, &[("equation", Attr::Text(equation))], shape);
    }

    pub(super) fn recurrent(&mut self) {
        let mut a = self.operand();
        let [n, c] = [0, 1].map(|i| a.shape.get(i).copied().unwrap_or(1));
        if a.shape.len() != 3 {
            let shape = self.numbers(&[n, c, -1]);
            let rest = a.shape.get(2..).unwrap_or_default().iter().fold(1i64, |n, d| n.saturating_mul(*d));
            a = self.add("Reshape", &[&a.name, &shape], &[], vec![n, c, rest]);
            if self.bytes.rarely(2) {
                let order = self.ints(&[2, 0, 1]);
                a = self.add("Transpose", &[&a.name], &[("perm", order)], vec![rest, n, c]);
            }
        }
        let (hidden, op) = (self.bytes.one(&[4, 2]), self.bytes.one(&["RNN", "LSTM", "GRU"]));
        let (weight, states) = (self.floats(&[1, hidden, a.shape[2]]), self.floats(&[1, hidden, hidden]));
        let (size, layout) = (self.bytes.size(hidden), self.bytes.one(&[0, 1]));
        let attributes = [("hidden_size", Attr::Int(size)), ("layout", Attr::Int(layout))];
        self.add(op, &[&a.name, &weight, &states], &attributes, vec![a.shape[0], 1, a.shape[1], hidden]);
    }

    pub(super) fn sample(&mut self) {
        let a = self.operand();
        let [n, c] = [0, 1].map(|i| a.shape.get(i).copied().unwrap_or(1));
        if self.bytes.rarely(2) {
            let grid = if self.bytes.rarely(2) { self.alike(&a).name } else { self.floats(&[n, 3, 4, 2]) };
            self.add("GridSample", &[&a.name, &grid], &[], vec![n, c, 3, 4]);
        } else {
            let (boxes, images) = (self.floats(&[5, 4]), self.numbers(&[0; 5]));
            let side = self.bytes.size(2);
            self.add(
                "RoiAlign",
                &[&a.name, &boxes, &images],
                &[("output_width", Attr::Int(side))],
                vec![5, c, 1, side],
            );
        }
    }

    /// A pool with indices, and most often what unpools by them.
    pub(super) fn unpool(&mut self) {
        let a = self.operand();
        let side = self.bytes.one(&[1, 2]);
        let kernel = self.ints(&vec![side; a.shape.len().saturating_sub(2)]);
        let (name, model) = (self.name(), std::mem::take(&mut self.model));
        let (attributes, indices) = ([("kernel_shape", kernel)], format!("{name}.indices"));
        let outputs = |node: Message| node.text(2, &indices);
        self.model = model.node_with("MaxPool", &name, &[&a.name], &attributes, outputs);
        self.images.push(Tensor { name, shape: a.shape.clone() });
        if self.bytes.rarely(8) {
            self.images.push(Tensor { name: indices.clone(), shape: a.shape.clone() });
        }
        let values = self.operand();
        let shape = self.numbers(&a.shape);
        let inputs: &[&str] = &[&values.name, &indices, &shape];
        let count = if self.bytes.rarely(2) { 3 } else { 2 };
        self.add("MaxUnpool", &inputs[..count], &attributes, a.shape);
    }
}
