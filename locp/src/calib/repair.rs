//! Layer by layer: the weights of what remains, fitted to what the dense network computes.

use super::layers::{View, kept, pixels};
use super::taps::{Taps, batch_of, batches};
use super::{Calib, Setting};
use crate::model::Model;
use crate::{Error, Watch};
use compensate::{Moments, Unfold, refit};
use netspec::PrunePlan;
use onnx_surgery::{Patch, Sum, Wiring};
use serde::Serialize;
use stats::Rng;
use std::collections::BTreeMap;
use std::path::Path;
use timing::ModelBackend;

/// The widest layer that is fitted anew, in inputs: its moments take the square of that.
const WIDEST: usize = 4608;
/// Images that a layer is fitted on at least, if there are so many.
const FEWEST: usize = 64;

/// What was repaired, layer by layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Repair {
    /// Images that it rests on.
    pub images: usize,
    /// The layers that got new weights, in their order.
    pub layers: Vec<LayerRepair>,
    /// Layers that kept their weights though their inputs changed, and why.
    pub skipped: Vec<Skipped>,
    /// New elements of the pruned model's constants.
    #[serde(skip)]
    pub(crate) values: BTreeMap<String, Vec<f32>>,
}

impl Repair {
    /// Writes the pruned model with its new weights, as surgery writes a patched one.
    pub fn write(&self, pruned: &Model, output: &Path) -> Result<(), Error> {
        Ok(Patch::exchange(pruned.onnx(), self.values.clone())?.write(output)?)
    }
}

/// One layer's repair.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerRepair {
    /// The layer.
    pub layer: String,
    /// The share of its outputs' variance that was lost with the old weights.
    pub lost_before: f64,
    /// And with the new ones.
    pub lost_after: f64,
}

/// A layer that kept its weights.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Skipped {
    /// The layer.
    pub layer: String,
    /// Why.
    pub reason: String,
}

/// Gives the layers of a pruned model weights with which they compute, as nearly as they can, what the dense model's
/// layers compute on the calibration images.
///
/// Layers are fitted in the order in which they run, on inputs from the model as it has become by then, to outputs of the
/// dense model. Where a layer's output is added to a residual stream, the sum is what it is fitted to, so that it makes
/// up for what the stream has lost. `pruned` is what `plan` makes of `dense`; its file stays as it is.
pub fn repair(
    models: &dyn ModelBackend,
    [dense, pruned]: [&Model; 2],
    plan: &PrunePlan,
    calib: &Calib,
    watch: &Watch<'_>,
) -> Result<Repair, Error> {
    let setting = Setting { models, calib, watch };
    let mut repair = Repair { images: calib.len(), layers: vec![], skipped: vec![], values: BTreeMap::new() };
    let [of_dense, of_pruned] = [dense, pruned].map(|model| model.onnx().wirings());
    let mut open = Vec::new();
    for index in first_changed(dense, plan)..pruned.network().layers.len() {
        let layer = &pruned.network().layers[index];
        let reason = match (&of_dense[index], &of_pruned[index]) {
            (Some(_), Some(_)) if layer.spec.fan_in() <= WIDEST => {
                open.push(index);
                continue;
            }
            (Some(_), Some(_)) => format!("it has more than {WIDEST} inputs"),
            _ => "its weights are not f32 initializers of its own".to_owned(),
        };
        repair.skipped.push(Skipped { layer: layer.name.clone(), reason });
    }
    watch.progress.begin("repair", Some(open.len() as u64));
    let mut current = onnx_surgery::Model::from_bytes(Patch::exchange(pruned.onnx(), BTreeMap::new())?.to_bytes())?;
    for (nth, &index) in open.iter().enumerate() {
        setting.check()?;
        let layer = pruned.network().layers[index].name.clone();
        let window = window(calib, open.len(), nth, Unfold::new(&pruned.network().layers[index].spec).pixels());
        let fit = Fit::new([&of_dense, &of_pruned], [dense, pruned], index, plan);
        match fit.map(|fit| fitted(&setting, dense, &current, fit, window)).transpose()?.flatten() {
            Some(Fitted { values, lost: [lost_before, lost_after] }) => {
                current = onnx_surgery::Model::from_bytes(Patch::exchange(&current, values.clone())?.to_bytes())?;
                repair.values.extend(values);
                repair.layers.push(LayerRepair { layer, lost_before, lost_after });
            }
            None => {
                let reason = "what it reads or computes is not as its shape says, or not finite".to_owned();
                repair.skipped.push(Skipped { layer, reason });
            }
        }
        watch.progress.advance(1);
    }
    watch.progress.end(&format!("{} layers fitted anew", repair.layers.len()));
    Ok(repair)
}

/// The first layer whose inputs change.
fn first_changed(dense: &Model, plan: &PrunePlan) -> usize {
    let layers = &dense.network().layers;
    let reads = |layer: &netspec::Layer| plan.groups.iter().any(|group| layer.inputs.follows(group.id));
    layers.iter().position(reads).unwrap_or(layers.len())
}

/// The images that one layer is fitted on, by the first of them and their number: all of them where each gives a single
/// row, else as many as the effort allows, others for each layer.
fn window(calib: &Calib, layers: usize, nth: usize, pixels: usize) -> [usize; 2] {
    let all = calib.len();
    let count = (all * calib.effort / layers.max(1)).max(FEWEST).min(all);
    if pixels == 1 || count == all {
        return [0, all];
    }
    [(nth * count % all).min(all - count), count]
}

/// One layer's fit in the making.
struct Fit<'m> {
    before: View<'m>,
    after: View<'m>,
    /// The sum that it is fitted to, in the dense and in the pruned model; nothing where that is its own output.
    sums: Option<(&'m Sum, &'m Sum)>,
    /// Positions of the dense layer's outputs that are left.
    outputs: Vec<usize>,
    /// One for each convolution group.
    moments: Vec<Moments>,
    pixels: Rng,
}

impl<'m> Fit<'m> {
    fn new(
        [of_dense, of_pruned]: [&'m [Option<Wiring>]; 2],
        [dense, pruned]: [&'m Model; 2],
        index: usize,
        plan: &PrunePlan,
    ) -> Option<Fit<'m>> {
        let before = View::new(dense.network().layers.get(index)?, of_dense.get(index)?.as_ref()?);
        let after = View::new(pruned.network().layers.get(index)?, of_pruned.get(index)?.as_ref()?);
        // Of two layers that are added up the later one makes up for what both have lost.
        let output = |wiring: &'m Wiring| wiring.sum.as_ref().map(|sum| sum.output.as_str());
        let is_last = of_dense[index + 1..].iter().flatten().all(|later| output(later) != output(before.wiring));
        let sums = before.wiring.sum.as_ref().zip(after.wiring.sum.as_ref()).filter(|_| is_last);
        let outputs = kept(plan, &before.layer.weight, before.wiring.out_axis, before.spec().c_out);
        let groups = after.spec().groups;
        let moments = vec![Moments::new(after.unfold.features(), after.spec().c_out / groups); groups];
        (outputs.len() == after.spec().c_out).then(|| Fit {
            before,
            after,
            sums,
            outputs,
            moments,
            pixels: Rng::new(index as u64),
        })
    }

    /// What of the dense model is looked at.
    fn target(&self) -> &str {
        self.sums.map_or(&self.before.wiring.output, |(sum, _)| &sum.output)
    }

    /// And what of the pruned one.
    fn inputs(&self) -> [&str; 2] {
        let input = self.after.wiring.input.as_str();
        [input, self.sums.map_or(input, |(_, sum)| &sum.other)]
    }

    /// Adds one image; nothing where a tensor has another size than it should.
    fn add(&mut self, [target, input, other]: [&[f32]; 3], image: usize, batch: usize, images: usize) -> Option<()> {
        let (view, unfold) = (&self.after, &self.after.unfold);
        let target = self.before.output(target, image, batch, self.before.spec().c_out)?;
        let input = view.input(input, image, batch)?;
        let channels = view.spec().c_out;
        let other = if self.sums.is_some() { Some(view.output(other, image, batch, channels)?) } else { None };
        let pixels = pixels(&mut self.pixels, unfold.pixels(), unfold.features(), images);
        let groups = view.spec().groups;
        let per_group = channels / groups;
        for (group, moments) in self.moments.iter_mut().enumerate() {
            let (mut x, mut y) = (Vec::new(), Vec::new());
            unfold.rows(&input, &pixels, group, &mut x);
            for &pixel in &pixels {
                for channel in group * per_group..(group + 1) * per_group {
                    let wanted = target[self.outputs[channel] * unfold.pixels() + pixel];
                    let added = other.as_ref().map_or(0.0, |other| other[channel * unfold.pixels() + pixel]);
                    y.push(f64::from(wanted) - f64::from(added));
                }
            }
            moments.add(&x, &y).ok()?;
        }
        Some(())
    }
}

/// New elements by the constants' names, and what was and is lost.
struct Fitted {
    values: BTreeMap<String, Vec<f32>>,
    lost: [f64; 2],
}

/// Looks at a layer on some images and fits it; nothing where it cannot be looked at.
fn fitted(
    setting: &Setting<'_>,
    dense: &Model,
    current: &onnx_surgery::Model,
    mut fit: Fit<'_>,
    [first, count]: [usize; 2],
) -> Result<Option<Fitted>, Error> {
    let mut of_dense = Taps::new(setting, dense.onnx(), &[fit.target()])?;
    let mut of_pruned = Taps::new(setting, current, &fit.inputs())?;
    let batch = batch_of(current);
    let mut is_whole = true;
    // Progress counts layers here, not images.
    let quiet = Watch { progress: &crate::Silent, cancel: setting.watch.cancel.clone() };
    batches(&Setting { watch: &quiet, ..*setting }, current, first..first + count, |tensor, own| {
        let (targets, inputs) = (of_dense.run(tensor)?, of_pruned.run(tensor)?);
        let tensors = [&targets[0], &inputs[0], &inputs[1]].map(Vec::as_slice);
        is_whole &= (0..own).all(|image| fit.add(tensors, image, batch, count).is_some());
        Ok(())
    })?;
    let view = &fit.after;
    let Some(old) = view.weights(current).filter(|_| is_whole) else { return Ok(None) };
    let (mut weights, mut shift, mut lost) = (Vec::new(), Vec::new(), [0.0, 0.0]);
    let share = 1.0 / fit.moments.len() as f64;
    for (moments, old) in fit.moments.iter().zip(old.chunks(old.len() / fit.moments.len())) {
        let fit = refit(moments, old, setting.calib.ridge, view.bias());
        let fit = fit.map_err(|source| Error::Repair { layer: view.layer.name.clone(), source })?;
        weights.extend(fit.weights);
        shift.extend(fit.shift.iter().map(|&b| b as f32));
        lost = [lost[0] + share * fit.lost_before, lost[1] + share * fit.lost_after];
    }
    let mut values = BTreeMap::from([(view.layer.weight.clone(), view.stored(&weights))]);
    values.extend(view.wiring.bias.clone().map(|bias| (bias, shift)));
    Ok(Some(Fitted { values, lost }))
}
