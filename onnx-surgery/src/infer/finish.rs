//! The end of the walk: what must stay is frozen, and the groups are made.

use super::cx::{Count, CountAt, Cx};
use super::{Follows, Inference, Kind, Value};
use crate::dependency::{Extent, Grouping};
use crate::graph::{Node, TensorId};
use netspec::{Frozen, Part, Width};
use std::collections::{BTreeMap, HashSet};

impl Cx<'_> {
    pub(super) fn finish(mut self, folded: Vec<bool>) -> Inference {
        self.keep_outputs();
        self.keep_unread();
        let fills = &self.fills;
        let readers = self.claims.settle(self.graph, &mut self.deps, |name| fills.contains_key(&name));
        self.settle_counts();
        let mut grouping = self.grouping();
        grouping.release_singles(self.values.iter().flatten().filter_map(Value::layout));
        let whole = self.claims.whole().collect();
        let Cx { values, layers, unmeasurable, aliases, fills, counts, renumbers, .. } = self;
        let fills = fills.into_keys().collect();
        let copies = readers.iter().flat_map(|(&name, readers)| {
            readers
                .values()
                .flatten()
                .filter(move |text| *text != self.graph.name(name))
                .map(move |text| (text.clone(), name))
        });
        let copies = copies.collect();
        Inference {
            grouping,
            values,
            layers,
            counts,
            renumbers,
            readers,
            copies,
            whole,
            aliases,
            fills,
            folded,
            unmeasurable,
            stopped: None,
        }
    }

    fn keep_outputs(&mut self) {
        for output in &self.graph.outputs {
            let id = self.graph.ids[&output.name];
            let reason = "is a model output, whose shape must not change".to_owned();
            let reason = self.deps.reason(Frozen { node: output.name.clone(), op: "Output".to_owned(), reason });
            let Some(value) = self.values[id.0 as usize].clone() else { continue };
            self.keep_whole(&value, reason);
        }
    }

    /// A node that turns a constant around for nobody still runs.
    fn keep_unread(&mut self) {
        let read: HashSet<TensorId> = self.graph.nodes.iter().flat_map(Node::all_inputs).collect();
        for (index, node) in self.graph.nodes.iter().enumerate() {
            for id in node.outputs.iter().flatten().filter(|id| !read.contains(id)) {
                let Some(Kind::Stored(stored)) = self.values[id.0 as usize].as_ref().map(|value| &value.kind) else {
                    continue;
                };
                if let Some(reader) = stored.via {
                    self.claims.read(stored.name, reader, index);
                }
            }
        }
    }

    /// A number that is used for several things must suit all of them.
    fn settle_counts(&mut self) {
        let mut first: BTreeMap<&CountAt, &Count> = BTreeMap::new();
        for count in &self.counts {
            let CountAt::Element(written) = &count.at else { continue };
            if let Some(reason) = self.claims.exposed(written) {
                self.deps.freeze(count.extent.layout.labels(), reason);
            }
            let before = *first.entry(&count.at).or_insert(count);
            if before.extent != count.extent || before.is_negative != count.is_negative {
                let node = self.graph.name(written.name).to_owned();
                let reason = "is a shape that counts different channels".to_owned();
                let reason = self.deps.reason(Frozen { node, op: "Constant".to_owned(), reason });
                let follows = Follows::exactly(before.extent.clone());
                self.equalities.push((follows, Some(count.extent.clone()), reason));
            }
        }
        self.deps.settle();
        let counted = self.counts.iter().map(|count| &count.extent);
        let equal = self.equalities.iter().flat_map(|(follows, extent, _)| [Some(&follows.extent), extent.as_ref()]);
        for extent in counted.chain(equal.flatten()) {
            if extent.layout.carries(extent.axis) && self.deps.shrinking(&extent.layout) == Some(extent.axis) {
                self.deps.part(&extent.layout.line(extent.axis).select(extent.range.clone()));
            }
        }
        for renumber in &self.renumbers {
            self.deps.part(&renumber.labels.select(renumber.positions.iter().copied()));
        }
    }

    /// The groups in which all lengths that must be equal are.
    fn grouping(&mut self) -> Grouping {
        loop {
            let grouping = self.deps.group();
            let (kept, violated): (Vec<_>, Vec<_>) = std::mem::take(&mut self.equalities)
                .into_iter()
                .partition(|(follows, extent, _)| holds(&grouping, follows, extent.as_ref()));
            if violated.is_empty() {
                return grouping;
            }
            for (follows, extent, reason) in violated {
                self.deps.freeze(follows.extent.layout.labels(), reason);
                extent.iter().for_each(|extent| self.deps.freeze(extent.layout.labels(), reason));
            }
            // What is frozen need not be looked at again: its lengths do not change.
            self.equalities = kept;
        }
    }
}

/// Whether a length is the other one, times and by what it is, at every width; or at least whole.
fn holds(grouping: &Grouping, follows: &Follows, extent: Option<&Extent>) -> bool {
    let Follows { times, plus, by, .. } = *follows;
    let scaled = |n: usize| {
        let n = n.checked_mul(times)?;
        (plus < by && n.is_multiple_of(by)).then(|| n / by)
    };
    let left = grouping.extent(&follows.extent);
    let parts = left.parts.iter().map(|part| Some(Part { group: part.group, repeat: scaled(part.repeat)? }));
    let left = scaled(left.fixed).zip(parts.collect::<Option<Vec<Part>>>());
    left.is_some_and(|(fixed, parts)| {
        extent.is_none_or(|extent| sorted(Width { fixed, parts }) == sorted(grouping.extent(extent)))
    })
}

/// A width in a form that can be compared.
fn sorted(mut width: Width) -> Width {
    width.parts.sort_unstable_by_key(|part| part.group);
    width
}
