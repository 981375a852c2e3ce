//! Profiles of whole models, by the layers and operators of a network.

use crate::Error;
use crate::model::Model;
use onnx_surgery::NetworkPart;
use std::collections::HashMap;
use timing::{LatencySource, NodeTime};

/// What the layers and operators of a network take in the whole model, in nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PartTimes {
    pub(crate) layers: Vec<f64>,
    pub(crate) operators: Vec<f64>,
}

impl PartTimes {
    /// The same, each multiplied by `factor`.
    pub(crate) fn scaled(&self, factor: f64) -> PartTimes {
        let scaled = |all: &[f64]| all.iter().map(|ns| factor * ns).collect();
        PartTimes { layers: scaled(&self.layers), operators: scaled(&self.operators) }
    }
}

/// The names that a model's nodes and tensors have, and what they are in its network. Pruning keeps them.
pub(crate) struct Names {
    parts: HashMap<String, Option<NetworkPart>>,
    /// The number of layers and of operators.
    counts: [usize; 2],
}

impl Names {
    pub(crate) fn new(model: &Model) -> Names {
        let mut parts = HashMap::new();
        for node in model.onnx().nodes() {
            for name in std::iter::once(node.name).chain(node.outputs) {
                parts.insert(name, node.part);
            }
        }
        Names { parts, counts: [model.network().layers.len(), model.network().operators.len()] }
    }

    /// Runs a model and returns what its parts take; `None` if the source does not profile.
    pub(crate) fn profile(&self, source: &dyn LatencySource, model: &Model) -> Result<Option<PartTimes>, Error> {
        let Some(times) = source.models().and_then(|models| models.profile(model.path(), &model.run_sizes())) else {
            return Ok(None);
        };
        Ok(self.attributed(&times?))
    }

    /// Attributes each node to the part of the network that its name says; `None` if no name says anything.
    ///
    /// What is not part of the network, and what an engine adds, a change of layout as a rule, is left out: widths decide
    /// whether it is there at all, and runs of whole models show what it costs.
    fn attributed(&self, times: &[NodeTime]) -> Option<PartTimes> {
        let mut sums = PartTimes { layers: vec![0.0; self.counts[0]], operators: vec![0.0; self.counts[1]] };
        for time in times {
            match self.find(&time.name).flatten() {
                Some(NetworkPart::Layer(index)) => sums.layers[index] += time.ns,
                Some(NetworkPart::Operator(index)) => sums.operators[index] += time.ns,
                _ => {}
            }
        }
        (sums.layers.iter().sum::<f64>() > 0.0).then_some(sums)
    }

    /// What the longest name of the file says with which an engine's begins. Engines append to names, behind a mark.
    fn find(&self, name: &str) -> Option<Option<NetworkPart>> {
        let ends = (1..=name.len()).rev().filter(|&end| name.is_char_boundary(end));
        let is_whole = |&end: &usize| !name[end..].starts_with(|c: char| c.is_alphanumeric());
        ends.filter(is_whole).find_map(|end| self.parts.get(&name[..end]).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::Names;
    use onnx_surgery::NetworkPart::{self, Layer, Operator};
    use std::collections::HashMap;

    fn names() -> Names {
        let parts: [(&str, Option<NetworkPart>); 6] = [
            ("/conv/Conv", Some(Layer(0))),
            ("/conv/Conv_output_0", Some(Layer(0))),
            ("/act/Mul", Some(Layer(0))),
            ("/conv/Conv_1", Some(Layer(1))),
            ("/pool", Some(Operator(0))),
            ("/reshape", None),
        ];
        let parts: HashMap<String, _> = parts.into_iter().map(|(name, part)| (name.to_owned(), part)).collect();
        Names { parts, counts: [2, 1] }
    }

    #[test]
    fn the_longest_name_before_a_mark_decides() {
        let names = names();
        assert_eq!(names.find("/conv/Conv_output_0_nchwc"), Some(Some(Layer(0))));
        assert_eq!(names.find("/act/Mul/QuickGeluFusion/"), Some(Some(Layer(0))));
        assert_eq!(names.find("/conv/Conv_1.matmatmul"), Some(Some(Layer(1))));
        assert_eq!(names.find("/conv/Conv12"), None);
        assert_eq!(names.find("/reshape"), Some(None));
        assert_eq!(names.find("ReorderOutput_token_3"), None);
    }

    #[test]
    fn what_an_engine_adds_is_left_out() {
        let times = [("Reorder", 1.0), ("/conv/Conv_output_0_nchwc", 2.0), ("/act/Mul", 4.0), ("ReorderOutput", 8.0)];
        let more = [("/pool", 16.0), ("/reshape", 32.0), ("Copy", 64.0), ("/conv/Conv_1", 128.0)];
        let time = |&(name, ns): &(&str, f64)| timing::NodeTime::typical(name, "", vec![ns]).expect("one run");
        let times: Vec<_> = times.iter().chain(&more).map(time).collect();
        let sums = names().attributed(&times).expect("most names are known");
        assert_eq!((sums.layers, sums.operators), (vec![6.0, 128.0], vec![16.0]));
        assert_eq!(names().attributed(&times[..1]), None);
    }
}
