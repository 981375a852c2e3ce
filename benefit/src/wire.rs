//! A problem as it is written: plain fields in a fixed order, checked when they are read.

use crate::cells::{Cell, LayerCost};
use crate::error::ProblemError;
use crate::loading::Loading;
use crate::problem::{Group, OperatorCost, Problem, Reformat};
use crate::sweep::{Knot, Sweep};
use crate::value::ValueKind;
use netspec::{Axis, GroupId, Provenance, Width};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) struct Wire {
    groups: Vec<Group>,
    layers: Vec<WireLayer>,
    operators: Vec<OperatorCost>,
    fixed_ns: f64,
    scale: f64,
    ns_per_element: f64,
    #[serde(default)]
    ns_per_weight: f64,
    #[serde(default)]
    loading: Option<Loading>,
    #[serde(default)]
    operators_cost: bool,
    #[serde(default)]
    reformat: Option<Reformat>,
    value_kind: ValueKind,
    #[serde(default)]
    estimate_error: Option<f64>,
}

#[derive(Serialize, Deserialize)]
struct WireLayer {
    name: String,
    inputs: Width,
    outputs: Width,
    coupled: bool,
    cells: Vec<WireCell>,
    by_in: Vec<Knot>,
    by_out: Vec<Knot>,
    #[serde(default)]
    bend: f64,
    #[serde(default)]
    elements_per_channel: f64,
    #[serde(default)]
    weights: f64,
    #[serde(default = "alone")]
    context: [f64; 2],
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gone_with: Vec<GroupId>,
}

/// A layer that costs in the whole model what it costs alone.
fn alone() -> [f64; 2] {
    [1.0, 0.0]
}

/// JSON has no map with pairs as keys.
#[derive(Serialize, Deserialize)]
struct WireCell {
    c_in: usize,
    c_out: usize,
    ns: f64,
    provenance: Provenance,
}

impl From<Problem> for Wire {
    fn from(problem: Problem) -> Wire {
        let Problem {
            groups,
            layers,
            operators,
            fixed_ns,
            scale,
            ns_per_element,
            ns_per_weight,
            loading,
            operators_cost,
            reformat,
            value_kind,
            estimate_error,
        } = problem;
        let layers = layers.into_iter().map(WireLayer::from).collect();
        Wire {
            groups,
            layers,
            operators,
            fixed_ns,
            scale,
            ns_per_element,
            ns_per_weight,
            loading,
            operators_cost,
            reformat,
            value_kind,
            estimate_error,
        }
    }
}

impl From<LayerCost> for WireLayer {
    fn from(layer: LayerCost) -> WireLayer {
        let LayerCost {
            name,
            inputs,
            outputs,
            coupled,
            gone_with,
            exact,
            by_in,
            by_out,
            bend,
            elements_per_channel,
            weights,
            context,
            full: _,
        } = layer;
        let cell =
            |((c_in, c_out), cell): (_, Cell)| WireCell { c_in, c_out, ns: cell.ns, provenance: cell.provenance };
        let knots = |sweep: Option<Sweep>| sweep.map(|sweep| sweep.knots().to_vec()).unwrap_or_default();
        let (by_in, by_out) = (knots(by_in), knots(by_out));
        let cells = exact.into_iter().map(cell).collect();
        WireLayer {
            name,
            inputs,
            outputs,
            coupled,
            cells,
            by_in,
            by_out,
            bend,
            elements_per_channel,
            weights,
            context,
            gone_with,
        }
    }
}

impl TryFrom<Wire> for Problem {
    type Error = ProblemError;
    fn try_from(wire: Wire) -> Result<Problem, ProblemError> {
        let Wire {
            groups,
            layers,
            operators,
            fixed_ns,
            scale,
            ns_per_element,
            ns_per_weight,
            loading,
            operators_cost,
            reformat,
            value_kind,
            estimate_error,
        } = wire;
        let layers = layers.into_iter().map(LayerCost::try_from).collect::<Result<_, _>>()?;
        Problem {
            groups,
            layers,
            operators,
            fixed_ns,
            scale,
            ns_per_element,
            ns_per_weight,
            loading,
            operators_cost,
            reformat,
            value_kind,
            estimate_error,
        }
        .checked()
    }
}

impl TryFrom<WireLayer> for LayerCost {
    type Error = ProblemError;
    fn try_from(wire: WireLayer) -> Result<LayerCost, ProblemError> {
        let WireLayer {
            name,
            inputs,
            outputs,
            coupled,
            cells,
            by_in,
            by_out,
            bend,
            elements_per_channel,
            weights,
            context,
            gone_with,
        } = wire;
        let sweep = |axis, knots: Vec<Knot>| match knots.is_empty() {
            true => Ok(None),
            false => match Sweep::new(knots) {
                Ok(sweep) => Ok(Some(sweep)),
                Err(reason) => Err(ProblemError::Sweep { layer: name.clone(), axis, reason }),
            },
        };
        let (by_in, by_out) = (sweep(Axis::CIn, by_in)?, sweep(Axis::COut, by_out)?);
        let mut layer = LayerCost::new(name, inputs, outputs, coupled);
        (layer.by_in, layer.by_out, layer.bend, layer.gone_with) = (by_in, by_out, bend, gone_with);
        (layer.elements_per_channel, layer.weights, layer.context) = (elements_per_channel, weights, context);
        for WireCell { c_in, c_out, ns, provenance } in cells {
            layer.set_exact(c_in, c_out, Cell { ns, provenance })?;
        }
        Ok(layer)
    }
}
