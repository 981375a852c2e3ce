//! What must hold before anybody plans: the one gate that built and read problems pass.

use crate::cells::LayerCost;
use crate::error::ProblemError;
use crate::problem::{Group, Problem, reachable};
use crate::ticks::MOST_NS;
use netspec::{Axis, Width};

impl Problem {
    /// Checks all that planners rely on; whatever makes a problem goes through here.
    pub(crate) fn checked(mut self) -> Result<Problem, ProblemError> {
        if self.groups.is_empty() || self.layers.is_empty() && self.operators.is_empty() {
            return Err(ProblemError::Empty { groups: self.groups.len(), layers: self.layers.len() });
        }
        self.groups.iter().try_for_each(check_group)?;
        self.check_coefficients()?;
        for operator in &self.operators {
            check_width(&self.groups, &operator.name, &operator.width)?;
            let what = format!("elements per channel of operator `{}`", operator.name);
            check_number(&what, operator.elements_per_channel, MOST_NS)?;
        }
        for layer in &mut self.layers {
            check_layer(&self.groups, layer)?;
        }
        Ok(self)
    }

    pub(crate) fn check_coefficients(&self) -> Result<(), ProblemError> {
        check_between("fixed_ns", self.fixed_ns, [-MOST_NS, MOST_NS])?;
        check_number("scale", self.scale, MOST_NS)?;
        check_number("ns_per_element", self.ns_per_element, MOST_NS)?;
        check_number("ns_per_weight", self.ns_per_weight, MOST_NS)?;
        if let Some(loading) = self.loading {
            check_number("a profile's ns_per_weight", loading.ns_per_weight, MOST_NS)?;
            check_number("a profile's cached weights", loading.cached, MOST_NS)?;
        }
        let Some(reformat) = self.reformat else { return Ok(()) };
        check_between("a reformat's multiple", reformat.multiple as f64, [1.0, MOST_CHANNELS])?;
        check_number("a reformat's ns_per_element", reformat.ns_per_element, MOST_NS)
    }
}

/// Widths are multiplied and added; below this bound they cannot overflow.
const MOST_CHANNELS: f64 = 268_435_456.0;

fn check_number(what: &str, value: f64, high: f64) -> Result<(), ProblemError> {
    check_between(what, value, [0.0, high])
}

fn check_between(what: &str, value: f64, [low, high]: [f64; 2]) -> Result<(), ProblemError> {
    if value >= low && value <= high {
        return Ok(());
    }
    Err(ProblemError::Number { what: what.to_owned(), value, low, high })
}

fn check_width(groups: &[Group], name: &str, width: &Width) -> Result<(), ProblemError> {
    for number in width.parts.iter().map(|part| part.repeat).chain([width.fixed, width.parts.len()]) {
        check_number(&format!("a number in the width of `{name}`"), number as f64, MOST_CHANNELS)?;
    }
    match width.parts.iter().find(|part| part.group.0 >= groups.len()) {
        None => Ok(()),
        Some(part) => {
            Err(ProblemError::UnknownGroup { name: name.to_owned(), group: part.group.0, groups: groups.len() })
        }
    }
}

fn check_group(group: &Group) -> Result<(), ProblemError> {
    let Group { channels, levels, value, .. } = group;
    let (name, channels) = (group.name.clone(), *channels);
    let Some(&last) = levels.last() else { return Err(ProblemError::NoLevels { group: name, channels }) };
    check_number(&format!("the channel count of group `{name}`"), channels as f64, MOST_CHANNELS)?;
    if let Some(&level) = levels.iter().find(|&&level| level > channels) {
        return Err(ProblemError::LevelAbove { group: name, level, channels });
    }
    if let Some(pair) = levels.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(ProblemError::LevelOrder { group: name, before: pair[0], after: pair[1] });
    }
    if last != channels {
        return Err(ProblemError::NoFullWidth { group: name, channels });
    }
    if value.len() != levels.len() {
        return Err(ProblemError::ValueLength { group: name, expected: levels.len(), found: value.len() });
    }
    let is_loss = |width: usize, value: f64| value.is_finite() && value <= 0.0 && (width < channels || value == 0.0);
    match levels.iter().zip(value).find(|&(&width, &value)| !is_loss(width, value)) {
        None => Ok(()),
        Some((&width, &value)) => Err(ProblemError::Value { group: name, width, value }),
    }
}

fn check_layer(groups: &[Group], layer: &mut LayerCost) -> Result<(), ProblemError> {
    check_width(groups, &layer.name, &layer.inputs)?;
    check_width(groups, &layer.name, &layer.outputs)?;
    let what = format!("elements per channel of layer `{}`", layer.name);
    check_number(&what, layer.elements_per_channel, MOST_NS)?;
    check_number(&format!("weights of layer `{}`", layer.name), layer.weights, MOST_NS)?;
    if let Some(group) = layer.gone_with.iter().find(|group| group.0 >= groups.len()) {
        let (name, group, groups) = (layer.name.clone(), group.0, groups.len());
        return Err(ProblemError::UnknownGroup { name, group, groups });
    }
    let full = |width: &Width| width.at(|group| groups[group.0].channels);
    layer.full = [full(&layer.inputs), full(&layer.outputs)];
    for (axis, width) in [(Axis::CIn, layer.full[0]), (Axis::COut, layer.full[1])] {
        if width == 0 {
            return Err(ProblemError::NoChannels { layer: layer.name.clone(), axis });
        }
    }
    for (&(c_in, c_out), cell) in &layer.exact {
        if !(cell.ns >= 0.0 && cell.ns <= MOST_NS) {
            return Err(ProblemError::Cost { layer: layer.name.clone(), c_in, c_out, ns: cell.ns });
        }
    }
    layer.check_sweeps()?;
    let moves = |width: &Width| width.parts.iter().any(|part| groups[part.group.0].is_free());
    if layer.is_swept(moves(&layer.inputs), moves(&layer.outputs)) {
        return Ok(());
    }
    match reachable(groups, layer).into_iter().find(|&(c_in, c_out)| layer.cell(c_in, c_out).is_none()) {
        None => Ok(()),
        Some((c_in, c_out)) => Err(ProblemError::MissingCell { layer: layer.name.clone(), c_in, c_out }),
    }
}
