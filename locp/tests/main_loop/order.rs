//! The order in which the device is asked, which is what keeps drift out of comparisons, and where edges lie.

use crate::scripted::{Device, Event, Script, Which, shipped};
use locp::Budget;
use locp::netspec::ConvSpec;
use std::collections::{BTreeMap, BTreeSet};

/// One line of widths: a layer of the dense model and the axis that is narrowed.
type Line = (usize, &'static str);

/// The lines that a convolution can belong to: all of its layer at full width.
fn lines_of(spec: &ConvSpec, layers: &[ConvSpec]) -> Vec<Line> {
    let mut lines = Vec::new();
    for (layer, full) in layers.iter().enumerate() {
        if spec.c_out <= full.c_out && *spec == full.with_channels(full.c_in, spec.c_out) {
            lines.push((layer, "c_out"));
        }
        if spec.c_in <= full.c_in && *spec == full.with_channels(spec.c_in, full.c_out) {
            lines.push((layer, "c_in"));
        }
    }
    lines
}

/// The lines in the order in which they were searched; each has to be contiguous.
///
/// A convolution that is on several lines counts for the one at hand.
fn visited(prepared: &[ConvSpec], layers: &[ConvSpec]) -> Vec<Line> {
    let mut visited: Vec<Line> = Vec::new();
    let mut next: Option<Vec<Line>> = None;
    for spec in prepared {
        let lines = lines_of(spec, layers);
        let here: Vec<Line> = match &next {
            Some(next) => next.iter().filter(|line| lines.contains(line)).copied().collect(),
            None if visited.last().is_some_and(|last| lines.contains(last)) => continue,
            None => lines.into_iter().filter(|line| !visited.contains(line)).collect(),
        };
        assert!(!here.is_empty(), "`{spec}` belongs to a line that was left, of {visited:?}");
        if let [line] = here[..] {
            visited.push(line);
            next = None;
        } else {
            next = Some(here);
        }
    }
    visited
}

#[test]
fn lines_are_searched_one_by_one_the_widest_first() {
    let model = shipped("fashion-vgg.onnx");
    let device = Device::new(Script::default());
    device.pipeline().steps(&model, None).unwrap();
    // Each turn prepares its convolutions anew.
    let mut seen = BTreeSet::new();
    let prepared: Vec<ConvSpec> = device.prepared().into_iter().filter(|spec| seen.insert(spec.clone())).collect();

    let layers = model.network().specs();
    let visited = visited(&prepared, &layers);
    // All lines but those of the image's and the classes' side.
    assert_eq!(visited.len(), 2 * layers.len() - 2, "{visited:?}");
    let widths: Vec<usize> = visited
        .iter()
        .map(|&(layer, axis)| {
            let full = &layers[layer];
            // Behind the flattening a channel is nine positions.
            if axis == "c_out" { full.c_out } else { full.c_in.min(128) }
        })
        .collect();
    assert!(widths.is_sorted_by(|a, b| a >= b), "{widths:?}");
}

/// The edges of all 3x3 convolutions: those found, those of them off the granularity, and those missing.
fn edges(script: Script) -> [usize; 3] {
    let model = shipped("fashion-vgg.onnx");
    let report = Device::new(script).pipeline().steps(&model, None).unwrap();
    let mut counts = [0; 3];
    // Behind the flattening the unit is nine channels, which no granularity of 8 fits.
    for stair in report.layers.iter().filter(|stair| stair.spec.contains(" k3")) {
        let found: BTreeSet<usize> = stair.edges.iter().map(|edge| edge.channels).collect();
        let expected: BTreeSet<usize> = (stair.channels / 4..=stair.channels).filter(|c| c % 8 == 0).collect();
        counts[0] += found.len();
        counts[1] += found.difference(&expected).count();
        counts[2] += expected.difference(&found).count();
    }
    counts
}

#[test]
fn edges_lie_on_the_granularity() {
    assert_eq!(edges(Script::default()), [83, 0, 0]);
    assert_eq!(edges(Script { drift: Box::new(|ns| 1.0 + ns / 1e9), ..Script::default() }), [83, 0, 0]);
}

#[test]
fn edges_lie_on_the_granularity_though_many_readings_are_too_long() {
    for noise in [0.1, 0.3] {
        let counts = (0..8).map(|seed| edges(Script { noise, seed, ..Script::default() }));
        let [found, off, missing] = counts.fold([0; 3], |sum, counts| [0, 1, 2].map(|i| sum[i] + counts[i]));
        let counts = format!("{found} edges, {off} off, {missing} missing, {noise}");
        assert!(found > 600 && 100 * off <= found && 100 * missing <= found, "{counts}");
    }
}

#[test]
fn the_whole_model_takes_turns_with_its_parts() {
    let model = shipped("fashion-vgg.onnx");
    let device = Device::new(Script::default());
    device.pipeline().plan(&model, Budget::ratio(0.7)).unwrap();
    let stage = device.stage("whole");
    // Which convolutions ran before each turn of the model.
    let mut turns: Vec<BTreeMap<ConvSpec, usize>> = vec![BTreeMap::new()];
    let mut of_model = 0;
    for (i, event) in stage.iter().enumerate() {
        match event {
            Event::Ran(spec) => *turns.last_mut().unwrap().entry(spec.clone()).or_default() += 1,
            Event::RanModel(which) => {
                assert_eq!(*which, Which::Dense);
                of_model += 1;
                if !matches!(stage.get(i + 1), Some(Event::RanModel(_))) {
                    turns.push(BTreeMap::new());
                }
            }
            _ => {}
        }
    }
    assert_eq!(turns.pop(), Some(BTreeMap::new()), "the model came last");
    // Eight readings at least, four in each turn.
    assert_eq!(turns.len(), 2);
    let all: BTreeSet<ConvSpec> = model.network().specs().into_iter().collect();
    for (turn, ran) in turns.iter().enumerate() {
        // Two runs more to warm up what was just prepared, and three that settle after each change.
        let expect = if turn == 0 { 9 } else { 7 };
        assert!(ran.values().all(|runs| *runs == expect), "{turn}: {ran:?}");
        assert_eq!(ran.keys().cloned().collect::<BTreeSet<_>>(), all);
    }
    assert_eq!(of_model, 2 * (3 + 4));
}

#[test]
fn dense_and_pruned_take_turns_in_blocks_that_load_both_anew() {
    let model = shipped("fashion-vgg.onnx");
    let device = Device::new(Script::default());
    device.pipeline().run(&model, Budget::ratio(0.7)).unwrap();
    let stage = device.stage("verify");
    let loaded: Vec<Which> =
        stage.iter().filter_map(|event| if let Event::Loaded(which) = event { Some(*which) } else { None }).collect();
    let (dense, pruned) = (Which::Dense, Which::Pruned);
    assert_eq!(loaded, [[dense, pruned], [pruned, dense]].repeat(3).concat());

    let blocks = stage.split(|event| matches!(event, Event::Loaded(_))).filter(|block| !block.is_empty());
    let mut count = 0;
    for block in blocks {
        let ran: Vec<Which> = block
            .iter()
            .filter_map(|event| if let Event::RanModel(which) = event { Some(*which) } else { None })
            .collect();
        // Three runs of each to warm up and three readings tell how many pairs there are; then the comparison warms up
        // in turns, three of each.
        assert_eq!(ran[..18], [[dense; 6], [pruned; 6], [dense, pruned, dense, pruned, dense, pruned]].concat());
        // Each turn is three runs that settle and four readings; either one comes first in about half of the pairs.
        let pairs: Vec<&[Which]> = ran[18..].chunks(14).collect();
        let is_turn = |runs: &[Which]| runs.iter().all(|which| *which == runs[0]);
        let is_pair = |runs: &[Which]| is_turn(&runs[..7]) && is_turn(&runs[7..]) && runs[0] != runs[7];
        assert!(pairs.iter().all(|runs| is_pair(runs)), "{pairs:?}");
        let first = pairs.iter().filter(|pair| pair[0] == dense).count();
        assert_eq!(pairs.len(), 40);
        assert!((8..=32).contains(&first), "{first}");
        count += 1;
    }
    assert_eq!(count, 6);
}
