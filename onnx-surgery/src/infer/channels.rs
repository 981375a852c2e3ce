//! What rules do with channels: read them, claim weights for them, count them, and keep them from going.

use super::cx::{Count, CountAt, Cx, Renumber, Stop, unknown_type};
use super::rules::Reads;
use super::value::{Follows, Reader, Stored, Written};
use super::{Int, Kind, Origin, Value};
use crate::dependency::{Extent, Labels, Layout, Reason};
use netspec::Role;

impl Cx<'_> {
    /// The labels of a value's channels along the axis on which an operator expects them.
    ///
    /// It treats all positions of other axes alike, so channels along those (a pixel shuffle makes such) go together.
    pub(crate) fn line(&mut self, value: &Value, axis: usize) -> Result<Option<Labels>, Stop> {
        let Some(layout) = value.layout() else { return Ok(None) };
        if !layout.carries(axis) {
            if value.dim(axis) == Some(1) {
                // There is one channel, spread over other axes: nothing of it can go.
                let reason = self.reason("works on a single channel, which must stay");
                self.freeze(value, reason);
                return Ok(None);
            }
            return Err(Stop::Freeze("works on another axis than the channels'".to_owned()));
        }
        let others: Vec<usize> = layout.axes().into_iter().filter(|&other| other != axis).collect();
        self.mix(value, &others)?;
        self.spell_out(layout, layout.len(axis))?;
        Ok(Some(layout.line(axis)))
    }

    /// Takes the positions that labels of this length need beyond those that are there.
    pub(crate) fn spell_out(&mut self, layout: &Layout, length: usize) -> Result<(), Stop> {
        match length.checked_sub(layout.labels().len()) {
            None | Some(0) => Ok(()),
            Some(_) => self.take_positions(length),
        }
    }

    /// A weight's axis, counted as the node sees it, follows these channels.
    pub(crate) fn claim(&mut self, input: usize, axis: usize, role: Role, labels: &Labels) -> Result<(), Stop> {
        let Kind::Stored(stored) = &self.input(input)?.kind else {
            return Err(Stop::Freeze(format!("computes its input number {input} (a weight) at run time")));
        };
        let stored = stored.clone();
        if stored.element.is_err() {
            return Err(unknown_type(input));
        }
        let Some(root_axis) = stored.axes.get(axis).copied().flatten() else {
            return Err(Stop::Freeze("spreads a weight over the channels".to_owned()));
        };
        let reader = stored.via.unwrap_or(Reader { node: self.index, input });
        // Layers that share a weight share their channels; other parameters can be given to each on its own.
        let owner = if role.mixes() { None } else { Some(reader) };
        let slot = self.claims.slot(self.graph, stored.name, owner);
        self.claims.claim(reader, slot, root_axis);
        let result = self.deps.member(self.claims.text(slot), root_axis, role, labels);
        result.map_err(|mismatch| self.mismatch(mismatch))?;
        let layout = Layout::on_axis(labels.clone(), 1, 0);
        for (_, int) in stored.lengths.iter().filter(|(axis, _)| *axis == root_axis) {
            self.follow(int, Extent::whole(&layout, 0))?;
        }
        if let Some(int) = self.fills.get(&stored.name).and_then(|ints| ints.get(root_axis)).cloned() {
            self.follow(&int, Extent::whole(&layout, 0))?;
        }
        Ok(())
    }

    /// A number in the file counts these channels.
    pub(crate) fn count(&mut self, at: CountAt, extent: Extent) {
        self.counts.push(Count { at, extent, is_negative: false });
    }

    /// A number in an attribute counts these channels.
    pub(crate) fn count_attribute(&mut self, name: &'static str, element: Option<usize>, labels: &Labels) {
        let layout = Layout::on_axis(labels.clone(), 1, 0);
        self.count(CountAt::Attribute { node: self.index, name, element }, Extent::whole(&layout, 0));
    }

    /// A list of positions in an input is what becomes of an axis with these labels.
    pub(crate) fn renumber(&mut self, input: usize, labels: &Labels, positions: Vec<usize>) -> Result<(), Stop> {
        let value = self.input(input)?;
        match &value.kind {
            Kind::Stored(stored) if stored.via.is_none() => {
                let (name, reader) = (stored.name, Reader { node: self.index, input });
                self.renumbers.push(Renumber { name, reader, labels: labels.clone(), positions });
                Ok(())
            }
            _ => Err(Stop::Freeze("picks channels by positions that are computed".to_owned())),
        }
    }

    /// An integer is the length of an extent, and has to stay so.
    pub(crate) fn follow(&mut self, int: &Int, extent: Extent) -> Result<(), Stop> {
        self.follow_signed(int, extent, false)
    }

    /// The same for minus the length.
    pub(crate) fn follow_signed(&mut self, int: &Int, extent: Extent, is_negative: bool) -> Result<(), Stop> {
        let mut origin = int.origin.clone();
        self.sign(&mut origin);
        // Its labels are spelled out once all is known.
        if extent.layout.carries(extent.axis) {
            self.spell_out(&extent.layout, extent.layout.len(extent.axis))?;
        }
        match origin {
            Origin::Written(written) => {
                self.counts.push(Count { at: CountAt::Element(written), extent, is_negative });
            }
            Origin::Follows(follows) if !is_negative => {
                if follows != Follows::exactly(extent.clone()) {
                    let reason = self.reason("computes the number of channels");
                    self.equalities.push((follows, Some(extent), reason));
                }
            }
            _ => return Err(Stop::Freeze("computes the number of channels".to_owned())),
        }
        Ok(())
    }

    /// Two lengths have to stay equal.
    pub(crate) fn equal(&mut self, left: Extent, right: Extent) {
        if left != right {
            let reason = self.reason("needs a number of channels as it is");
            self.equalities.push((Follows::exactly(left), Some(right), reason));
        }
    }

    /// An integer is used for something that must not change with channels.
    pub(crate) fn expose(&mut self, int: &Int, reason: Reason) {
        let mut origin = int.origin.clone();
        self.sign(&mut origin);
        match origin {
            Origin::Written(written) => self.claims.expose(written, reason),
            Origin::Follows(follows) => self.deps.freeze(follows.extent.layout.labels(), reason),
            Origin::Free => (),
        }
    }

    /// Integers in a value are used as something that must not change with channels.
    pub(crate) fn keep_numbers(&mut self, value: &Value) {
        if let Some(ints) = &value.ints {
            let reason = self.reason("reads a number that would have to change");
            ints.iter().for_each(|int| self.expose(int, reason));
        }
    }

    /// Keeps all of a value's channels.
    pub(crate) fn freeze(&mut self, value: &Value, reason: Reason) {
        if let Some(layout) = value.layout() {
            self.deps.freeze(layout.labels(), reason);
        }
    }

    /// What an output carries whose rule knows its shape, but not where the input's channels went: nothing that
    /// can change, and neither can they.
    pub(crate) fn lose_channels(&mut self, input: &Value, reason: &str) -> Kind {
        let reason = match &input.kind {
            Kind::Fixed(before) => *before,
            Kind::Stored(_) => self.free(),
            Kind::Channels(_) => self.reason(reason),
        };
        self.freeze(input, reason);
        Kind::Fixed(reason)
    }

    /// What an operator carries on that treats each element by itself: a constant's elements are other ones now.
    pub(crate) fn carried(&self, input: &Value) -> Kind {
        match &input.kind {
            Kind::Stored(_) => Kind::Fixed(self.free()),
            other => other.clone(),
        }
    }

    /// Values are mixed along these axes. Where channels are only there, they must all stay.
    pub(crate) fn mix(&mut self, input: &Value, axes: &[usize]) -> Result<(), Stop> {
        let Some(layout) = input.layout() else { return Ok(()) };
        if !axes.iter().any(|&axis| layout.carries(axis)) {
            return Ok(());
        }
        let reason = self.reason("mixes channels that may go with some that must stay");
        if self.deps.mix(layout, axes, reason) { Ok(()) } else { Err(Stop::Freeze("mixes the channels".to_owned())) }
    }

    /// What a value carries once its channels are only on one axis, as for [`line`](Self::line).
    pub(crate) fn carried_on(&mut self, value: &Value, axis: usize) -> Result<Kind, Stop> {
        Ok(match self.line(value, axis)? {
            Some(labels) => Kind::Channels(Layout::on_axis(labels, value.rank().unwrap_or(axis + 1), axis)),
            None => self.carried(value),
        })
    }

    /// What an operator answers that mixes values along some axes, and otherwise keeps them where they are.
    pub(crate) fn mixed(&mut self, input: &Value, axes: &[usize]) -> Result<Kind, Stop> {
        match self.mix(input, axes) {
            Ok(()) => Ok(self.carried(input)),
            // The shape is known although the channels are lost.
            Err(Stop::Freeze(reason)) => Ok(self.lose_channels(input, &reason)),
            Err(refuse) => Err(refuse),
        }
    }

    /// What an operator answers that combines values along some axes: channels there became one, those on other axes stay
    /// where they are.
    pub(crate) fn combined(&mut self, input: &Value, axes: &[usize]) -> Result<Kind, Stop> {
        Ok(match self.mixed(input, axes)? {
            Kind::Channels(layout) => Kind::Channels(axes.iter().fold(layout, |layout, &axis| layout.without(axis))),
            other => other,
        })
    }

    /// The same as [`line`](Self::line) for a rule that knows its output's shape: channels on other axes are lost.
    pub(crate) fn line_if_there(&mut self, value: &Value, axis: usize) -> Result<Option<Labels>, Stop> {
        match self.line(value, axis) {
            Err(Stop::Freeze(reason)) => {
                self.lose_channels(value, &reason);
                Ok(None)
            }
            other => other,
        }
    }

    /// Behind a rule: what the node read without claiming it must not change.
    pub(super) fn leave(&mut self, reads: Reads) {
        let node = self.node();
        let passes_on = |cx: &Cx<'_>, name| {
            let outputs = node.outputs.iter().flatten();
            let mut outputs = outputs.filter_map(|id| cx.values[id.0 as usize].as_ref());
            reads == Reads::Aliases
                || outputs.any(|value| matches!(&value.kind, Kind::Stored(stored) if stored.name == name))
        };
        for (input, id) in node.inputs.iter().enumerate() {
            let Some(value) = id.and_then(|id| self.values[id.0 as usize].clone()) else { continue };
            let is_unpooling = node.is_standard() && node.op == "MaxUnpool" && input == 1;
            if id.is_some_and(|id| self.indices.contains_key(&id)) && !is_unpooling {
                let reason = self.reason("reads indices that count channels");
                self.freeze(&value, reason);
            }
            if let Kind::Stored(stored) = &value.kind
                && !passes_on(self, stored.name)
            {
                let reader = stored.via.unwrap_or(Reader { node: self.index, input });
                self.claims.read(stored.name, reader, self.index);
                self.keep_lengths(stored, Some(reader));
            }
            if let (Some(ints), Reads::Images) = (&value.ints, reads) {
                let reason = self.reason("reads a number that would have to change");
                ints.iter().for_each(|int| self.expose(int, reason));
            }
        }
        self.claims.end_node();
        for &id in &node.captured {
            let Some(value) = self.values[id.0 as usize].clone() else { continue };
            let reason = self.reason("reads this inside of an inner graph");
            self.keep_whole(&value, reason);
        }
    }

    /// A value is used as it is, by something that knows nothing of channels.
    pub(super) fn keep_whole(&mut self, value: &Value, reason: Reason) {
        self.freeze(value, reason);
        if let Kind::Stored(stored) = &value.kind {
            self.keep_lengths(stored, None);
            match stored.via {
                // What stands between the constant and here has no copies.
                Some(reader) => self.claims.read(stored.name, reader, reader.node),
                None => self.claims.read_whole(stored.name, reason),
            }
            if self.fills.contains_key(&stored.name) {
                self.claims.read_whole(stored.name, reason);
            }
        }
        value.ints.iter().flatten().for_each(|int| self.expose(int, reason));
    }

    /// Numbers that are lengths of a constant's axes must stay where the node does not claim those axes.
    fn keep_lengths(&mut self, stored: &Stored, reader: Option<Reader>) {
        let filled = self.fills.get(&stored.name).into_iter().flatten().cloned().enumerate();
        let lengths: Vec<(usize, Int)> = stored.lengths.iter().cloned().chain(filled).collect();
        for (axis, int) in lengths {
            if !reader.is_some_and(|reader| self.claims.is_claimed(stored.name, reader, axis)) {
                let reason = self.reason("needs a length as it is");
                self.expose(&int, reason);
            }
        }
    }

    /// Nothing that reaches this node may change; what leaves it is unknown.
    pub(super) fn freeze_node(&mut self, reason: &str) {
        let node = self.node();
        let reason = self.reason(reason);
        for id in node.all_inputs() {
            if let Some(value) = self.values[id.0 as usize].clone() {
                self.freeze(&value, reason);
            }
        }
        for &id in node.outputs.iter().flatten() {
            if !self.graph.constants.contains_key(&id) {
                let dims = self.graph.stated_dims(id, self.batch);
                self.values[id.0 as usize] = Some(Value { dims, ints: None, kind: Kind::Fixed(reason) });
            }
        }
        // What a rule claimed before it gave up does not count.
        self.claims.end_node();
        self.leave(Reads::Images);
    }

    /// Whether the node's result is a list of integers or stands in the file.
    pub(super) fn is_folded(&self) -> bool {
        let mut outputs = self.node().outputs.iter().flatten();
        outputs.all(|id| self.values[id.0 as usize].as_ref().is_some_and(|v| v.ints.is_some() || v.is_stored()))
    }

    /// A number that an Identity passes on is read by another name.
    pub(crate) fn renamed(&self, ints: Option<Vec<Int>>, name: crate::graph::TensorId) -> Option<Vec<Int>> {
        let mut ints = ints?;
        for int in &mut ints {
            if let Origin::Written(Written { name: old, reader: None, .. }) = &mut int.origin {
                *old = name;
            }
        }
        Some(ints)
    }
}
