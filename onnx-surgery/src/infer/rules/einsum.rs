//! Einsum: products along one axis with a matrix in the file, and axes in another order.

use super::axes::rearrange;
use super::conv::dtype;
use super::gemm::Product;
use super::{Cx, Stop};
use crate::constant::MAX_RANK;
use crate::dependency::Layout;
use crate::graph::Dims;
use crate::infer::{Kind, Value};
use netspec::Role;
use std::collections::HashMap;

/// The letters of each operand's axes and of the result's. Axes that `...` stands for have letters of their own.
struct Equation {
    operands: Vec<Vec<char>>,
    result: Vec<char>,
}

pub(super) fn einsum(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let values = cx.inputs()?;
    let ranks = values.iter().map(Value::rank).collect::<Option<Vec<usize>>>();
    let ranks = ranks.ok_or_else(|| Stop::Freeze("multiplies a tensor of unknown rank".to_owned()))?;
    if values.len() > MAX_RANK || ranks.iter().any(|&rank| rank > MAX_RANK) {
        return Err(Stop::Freeze("multiplies very many tensors, or tensors of very many axes".to_owned()));
    }
    let text = cx.node().text("equation");
    let equation = Equation::new(text, &ranks);
    let equation =
        equation.ok_or_else(|| cx.refuse(format!("`equation` is `{text}`, which does not fit its inputs")))?;
    if let ([input], [letters]) = (&values[..], &equation.operands[..])
        && let Some(from) = order(letters, &equation.result)
    {
        return rearrange(cx, input.clone(), from);
    }
    let dims = equation.dims(cx, &values)?;
    let kind = match Layer::find(&equation, &values) {
        Some(layer) => layer.apply(cx, &values, equation.result.len())?,
        None => {
            let reason =
                "multiplies tensors in a way that has no rule here, so the channels that reach it must all stay";
            values.iter().for_each(|value| {
                cx.lose_channels(value, reason);
            });
            Kind::Fixed(cx.reason(reason))
        }
    };
    cx.set(0, Value { dims: Some(dims), ints: None, kind });
    Ok(())
}

/// Which of the letters each one of the result is, if those are the same letters, each once.
fn order(letters: &[char], result: &[char]) -> Option<Vec<Option<usize>>> {
    let is_same = letters.len() == result.len() && is_distinct(result);
    let place = |letter: &char| letters.iter().position(|own| own == letter);
    if is_same { result.iter().map(|letter| place(letter).map(Some)).collect() } else { None }
}

fn is_distinct(letters: &[char]) -> bool {
    letters.iter().enumerate().all(|(i, letter)| !letters[..i].contains(letter))
}

impl Equation {
    /// Returns `None` if the text is not an equation for operands with this many axes.
    fn new(text: &str, ranks: &[usize]) -> Option<Equation> {
        let text: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
        let (left, right) = text.split_once("->").map_or((&text[..], None), |(left, right)| (left, Some(right)));
        let terms: Vec<&str> = left.split(',').collect();
        if terms.len() != ranks.len() {
            return None;
        }
        let hidden = |term: &str, rank: usize| rank.checked_sub(term.replace("...", "").len());
        let hidden = terms.iter().zip(ranks).map(|(term, &rank)| hidden(term, rank)).collect::<Option<Vec<usize>>>()?;
        let operands = terms.iter().zip(&hidden).map(|(term, &hidden)| letters(term, hidden));
        let operands: Vec<Vec<char>> = operands.collect::<Option<_>>()?;
        let most = hidden.into_iter().max().unwrap_or(0);
        let result = match right {
            Some(right) => letters(right, if right.contains("...") { most } else { 0 })?,
            // Without a result, it has all letters that occur once, in their order.
            None => {
                let all: Vec<char> = operands.concat();
                let is_single = |letter: &&char| all.iter().filter(|own| own == letter).count() == 1;
                let mut single: Vec<char> = all.iter().filter(is_single).filter(|l| l.is_ascii()).copied().collect();
                single.sort_unstable();
                [letters("...", most)?, single].concat()
            }
        };
        let is_known = |letter: &char| operands.iter().any(|operand| operand.contains(letter));
        (result.iter().all(is_known) && is_distinct(&result)).then_some(Equation { operands, result })
    }

    /// The result's dims.
    fn dims(&self, cx: &Cx<'_>, values: &[Value]) -> Result<Dims, Stop> {
        let mut lengths: HashMap<char, usize> = HashMap::new();
        for (letters, value) in self.operands.iter().zip(values) {
            for (axis, &letter) in letters.iter().enumerate() {
                let Some(length) = value.dim(axis) else { continue };
                match lengths.get(&letter) {
                    Some(&known) if known == length || length == 1 => (),
                    None | Some(1) => drop(lengths.insert(letter, length)),
                    Some(known) => return Err(cx.refuse(format!("its axes `{letter}` are {known} and {length} long"))),
                }
            }
        }
        Ok(self.result.iter().map(|letter| lengths.get(letter).copied()).collect())
    }
}

/// The letters of a term, in which `...` stands for this number of axes, counted from the last one.
fn letters(term: &str, hidden: usize) -> Option<Vec<char>> {
    let (first, last) = match term.split_once("...") {
        Some(parts) => parts,
        None if hidden == 0 => (term, ""),
        None => return None,
    };
    let places = (0..hidden).rev().map(|place| char::from_u32(0xe000 + u32::try_from(place).ok()?));
    let letters = first.chars().map(Some).chain(places).chain(last.chars().map(Some));
    let letters = letters.collect::<Option<Vec<char>>>()?;
    first.chars().chain(last.chars()).all(|letter| letter.is_ascii_alphabetic()).then_some(letters)
}

/// A product with a matrix of weights along one axis.
struct Layer {
    /// Which operand the weight is.
    place: usize,
    /// The weight's axis of output channels; the other one has the input channels.
    out_axis: usize,
    /// The input's axis of channels.
    axis: usize,
    /// The result's axis of channels.
    result_axis: usize,
}

impl Layer {
    fn find(equation: &Equation, values: &[Value]) -> Option<Layer> {
        let ([_, _], [first, second]) = (&equation.operands[..], values) else { return None };
        let place = match (first.is_stored(), second.is_stored()) {
            (true, false) => 0,
            (false, true) => 1,
            _ => return None,
        };
        let (weight, input) = (&equation.operands[place], &equation.operands[1 - place]);
        let in_axis = (weight.len() == 2).then(|| weight.iter().position(|letter| input.contains(letter)))??;
        let (from, to) = (weight[in_axis], weight[1 - in_axis]);
        // The input's axes, but that the output channels stand for the input channels.
        let axis = input.iter().position(|&letter| letter == from)?;
        let mut expected = input.clone();
        expected[axis] = to;
        order(&expected, &equation.result)?;
        let has_channels = values[place].dims.iter().flatten().all(|&length| length.is_some_and(|length| length > 0));
        let fits = has_channels && values[1 - place].dim(axis) == values[place].dim(in_axis);
        let result_axis = equation.result.iter().position(|&letter| letter == to)?;
        (fits && from != to && is_distinct(input)).then_some(Layer { place, out_axis: 1 - in_axis, axis, result_axis })
    }

    fn apply(self, cx: &mut Cx<'_>, values: &[Value], rank: usize) -> Result<Kind, Stop> {
        let Layer { place, out_axis, axis, result_axis } = self;
        let (weight, input) = (cx.weight(place)?, &values[1 - place]);
        let dtype = dtype(weight.element)?;
        let inputs = cx.line_if_there(input, axis)?;
        let outputs = cx.produce(weight.dims[out_axis])?;
        cx.claim(place, out_axis, Role::Producer, &outputs)?;
        if let Some(labels) = &inputs {
            cx.claim(place, 1 - out_axis, Role::Consumer, labels)?;
        }
        let product = Product { weight: weight.name, dtype, c_in: weight.dims[1 - out_axis], inputs };
        product.record(cx, input, axis, &outputs, false);
        Ok(Kind::Channels(Layout::on_axis(outputs, rank, result_axis)))
    }
}
