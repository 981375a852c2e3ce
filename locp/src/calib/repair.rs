//! Layer by layer: the weights of what remains, fitted to what the dense network computes.

use super::branch::Constant;
use super::front::Front;
use super::layers::{View, pixels, side_of};
use super::taps::{Taps, batch_of, batches};
use super::windows::Windows;
use super::{Calib, Setting};
use crate::model::Model;
use crate::{Error, Watch};
use compensate::{Moments, refit_held_out};
use netspec::{Layer, PrunePlan};
use onnx_surgery::{Patch, Sum, Wiring};
use serde::Serialize;
use stats::Rng;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use timing::ModelBackend;

/// The widest layer that is fitted anew, in inputs: its moments take the square of that.
const WIDEST: usize = 4608;
const NOT_AS_STATED: &str = "what it reads or computes is not as its shape says, or not finite";

/// What was repaired, layer by layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Repair {
    /// Images that it rests on.
    pub images: usize,
    /// The layers that got new weights, in their order.
    pub layers: Vec<LayerRepair>,
    /// The layers that ended branches which are gone: a constant that was fitted stands for each.
    pub branches: Vec<String>,
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

    fn skip(&mut self, layer: &Layer, reason: &str) {
        self.skipped.push(Skipped { layer: layer.name.clone(), reason: reason.to_owned() });
    }
}

/// One layer's repair.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerRepair {
    /// The layer.
    pub layer: String,
    /// The share of its outputs' variance that was lost with the old weights.
    pub lost_before: f64,
    /// And with new ones, of images that these were not fitted to.
    pub lost_after: f64,
    /// Its inputs, and the rows that they were fitted to; where there are fewer rows than inputs, the old weights decide.
    pub inputs: usize,
    /// The rows: pixels of images, or images where each gives one.
    pub rows: usize,
    /// How strongly new weights were held to the old ones, relative to the inputs' mean variance.
    pub ridge: f64,
}

/// A layer that kept its weights.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Skipped {
    /// The layer.
    pub layer: String,
    /// Why.
    pub reason: String,
}

/// What is fitted to something that the dense network computes.
pub(super) trait Target {
    /// What of the dense model is looked at.
    fn target(&self) -> &str;

    /// On which of the images.
    fn images(&self) -> Range<usize>;

    /// Takes in what the dense network has for the n-th of these, which is at this place of its batch; they come in order.
    fn aim(&mut self, nth: usize, tensor: &[f32], place: usize, batch: usize);
}

/// A step of the fitting, in the order in which they are done.
enum Step<'m> {
    Fit(Box<Fit<'m>>),
    Constant(Box<Constant<'m>>),
}

impl<'m> Step<'m> {
    fn layer(&self) -> &'m Layer {
        match self {
            Step::Fit(fit) => fit.after.layer,
            Step::Constant(constant) => constant.layer(),
        }
    }

    fn as_target(&mut self) -> &mut dyn Target {
        match self {
            Step::Fit(fit) => &mut **fit,
            Step::Constant(constant) => &mut **constant,
        }
    }
}

/// Gives the layers of a pruned model weights with which they compute, as nearly as they can, what the dense model's
/// layers compute on the calibration images.
///
/// Layers are fitted in the order in which they run, on inputs from the model as it has become by then, to outputs of the
/// dense model. Where a layer's output is added to a residual stream, the sum is what it is fitted to, so that it makes
/// up for what the stream has lost; a branch that was removed is replaced by the mean of what the stream lacks.
/// `pruned` is what `plan` makes of `dense`; its file stays as it is.
pub fn repair(
    models: &dyn ModelBackend,
    [dense, pruned]: [&Model; 2],
    plan: &PrunePlan,
    calib: &Calib,
    watch: &Watch<'_>,
) -> Result<Repair, Error> {
    let setting = Setting { models, calib, watch };
    let (layers, branches, skipped) = (vec![], vec![], vec![]);
    let mut repair = Repair { images: calib.len(), layers, branches, skipped, values: BTreeMap::new() };
    let [of_dense, of_pruned] = [dense, pruned].map(|model| model.onnx().wirings());
    let after = counterparts(dense, pruned);
    let is_open = |[_, after]: [usize; 2]| {
        let layer = &pruned.network().layers[after];
        of_pruned[after].is_some() && layer.spec.fan_in() <= WIDEST
    };
    let first = first_changed(dense, plan);
    let pairs = (first..after.len()).filter_map(|before| Some([before, after[before]?]));
    let open = pairs.filter(|&pair| of_dense[pair[0]].is_some() && is_open(pair)).count();
    let mut steps: Vec<Step<'_>> = Vec::new();
    let (mut nth, mut windows) = (0, Windows::default());
    for before in first..after.len() {
        let wired = of_dense[before].as_ref();
        let Some(after) = after[before] else {
            let layer = &dense.network().layers[before];
            if let Some(constant) = wired.and_then(|wiring| Constant::new(layer, wiring, plan, pruned.onnx())) {
                let images = windows.images(pruned.onnx(), &[constant.input()], calib, [nth, open]);
                steps.push(Step::Constant(Box::new(constant.on(images))));
            }
            continue;
        };
        let layer = &pruned.network().layers[after];
        if wired.is_none() || of_pruned[after].is_none() {
            repair.skip(layer, "its weights are not f32 initializers of its own");
        } else if !is_open([before, after]) {
            repair.skip(layer, &format!("it has more than {WIDEST} inputs"));
        } else {
            let fit = Fit::new([&of_dense, &of_pruned], [dense, pruned], [before, after], plan);
            match fit {
                Some(fit) => {
                    let images = windows.images(pruned.onnx(), &fit.inputs(), calib, [nth, open]);
                    steps.push(Step::Fit(Box::new(fit.on(calib, nth, images))));
                }
                None => repair.skip(layer, NOT_AS_STATED),
            }
            nth += 1;
        }
    }
    watch.progress.begin("targets", Some(calib.len() as u64));
    aim(&setting, dense, &mut steps)?;
    watch.progress.end("");
    watch.progress.begin("repair", Some(steps.len() as u64));
    let (mut front, mut fitted_so_far) = (Front::default(), None);
    for step in steps {
        setting.check()?;
        let layer = step.layer();
        let current: &onnx_surgery::Model = fitted_so_far.as_ref().unwrap_or(pruned.onnx());
        let values = match step {
            Step::Fit(fit) => fitted(&setting, current, &fit, &mut front)?.map(|Fitted { values, layer }| {
                repair.layers.push(layer);
                values
            }),
            Step::Constant(constant) => constant.fitted(&setting, current, &mut front)?.map(|value| {
                repair.branches.push(layer.name.clone());
                BTreeMap::from([value])
            }),
        };
        match values {
            Some(values) => {
                let bytes = Patch::exchange(current, values.clone())?.to_bytes();
                fitted_so_far = Some(onnx_surgery::Model::from_bytes(bytes)?);
                repair.values.extend(values);
            }
            None => repair.skip(layer, NOT_AS_STATED),
        }
        watch.progress.advance(1);
    }
    let (layers, branches) = (repair.layers.len(), repair.branches.len());
    let constants = if branches > 0 { format!(", and a constant for {branches} branches") } else { String::new() };
    watch.progress.end(&format!("{layers} layers fitted anew{constants}"));
    Ok(repair)
}

/// The pruned model's layer for each of the dense one's; nothing for those that went with a branch.
fn counterparts(dense: &Model, pruned: &Model) -> Vec<Option<usize>> {
    let mut left = pruned.network().layers.iter().enumerate().peekable();
    let of = |layer: &Layer| {
        left.next_if(|(_, after)| after.name == layer.name && after.weight == layer.weight).map(|(index, _)| index)
    };
    dense.network().layers.iter().map(of).collect()
}

/// The first layer whose inputs change.
fn first_changed(dense: &Model, plan: &PrunePlan) -> usize {
    let layers = &dense.network().layers;
    let reads = |layer: &Layer| plan.groups.iter().any(|group| layer.inputs.follows(group.id));
    layers.iter().position(reads).unwrap_or(layers.len())
}

/// One layer's fit in the making.
struct Fit<'m> {
    before: View<'m>,
    after: View<'m>,
    /// The sum that it is fitted to, in the dense and in the pruned model; nothing where that is its own output.
    sums: Option<(&'m Sum, &'m Sum)>,
    /// What stands between the layer and that sum, channel by channel.
    affine: Vec<[f32; 2]>,
    /// Positions of the dense layer's outputs that are left.
    outputs: Vec<usize>,
    /// The images that it is fitted on, and the pixels of each.
    images: Range<usize>,
    pixels: Vec<Vec<usize>>,
    /// What the dense network has there: of image after image and pixel after pixel the outputs that are left.
    targets: Vec<f32>,
}

impl<'m> Fit<'m> {
    fn new(
        [of_dense, of_pruned]: [&'m [Option<Wiring>]; 2],
        [dense, pruned]: [&'m Model; 2],
        [index, after]: [usize; 2],
        plan: &PrunePlan,
    ) -> Option<Fit<'m>> {
        let before = View::new(dense.network().layers.get(index)?, of_dense.get(index)?.as_ref()?);
        let after = View::new(pruned.network().layers.get(after)?, of_pruned.get(after)?.as_ref()?);
        // Of two layers that are added up the later one makes up for what both have lost.
        let output = |wiring: &'m Wiring| wiring.sum.as_ref().map(|sum| sum.output.as_str());
        let is_last = of_dense[index + 1..].iter().flatten().all(|later| output(later) != output(before.wiring));
        let affine = after.affine(pruned.onnx());
        let sums = before.wiring.sum.as_ref().zip(after.wiring.sum.as_ref()).filter(|_| is_last && affine.is_some());
        let affine = affine.filter(|_| sums.is_some()).unwrap_or_else(|| vec![[1.0, 0.0]; after.spec().c_out]);
        let outputs = plan.positions(&before.layer.weight, before.wiring.out_axis, before.spec().c_out);
        let is_whole = outputs.len() == after.spec().c_out;
        let (images, pixels, targets) = (0..0, Vec::new(), Vec::new());
        is_whole.then_some(Fit { before, after, sums, affine, outputs, images, pixels, targets })
    }

    /// Chooses images, unless each gives but one row, and pixels, for the n-th layer.
    fn on(mut self, calib: &Calib, nth: usize, images: Range<usize>) -> Fit<'m> {
        let unfold = &self.after.unfold;
        let mut rng = Rng::new(calib.seed ^ (nth as u64) << 32);
        self.images = if unfold.pixels() == 1 { 0..calib.len() } else { images };
        let count = self.images.len();
        self.pixels = (0..count).map(|_| pixels(&mut rng, unfold.pixels(), unfold.features(), count)).collect();
        self
    }

    /// What of the pruned model is looked at.
    fn inputs(&self) -> [&str; 2] {
        let input = self.after.wiring.input.as_str();
        [input, self.sums.map_or(input, |(_, sum)| &sum.other)]
    }

    /// Adds what the pruned network has for the n-th of the images, and what it should come to, to the moments of each
    /// convolution group; nothing where a tensor has another size than it should.
    fn add(&self, moments: &mut [Moments], nth: usize, tensors: [&[f32]; 2], place: usize, batch: usize) -> Option<()> {
        let (view, unfold) = (&self.after, &self.after.unfold);
        let channels = view.spec().c_out;
        let input = view.input(tensors[0], place, batch)?;
        let other = if self.sums.is_some() { Some(view.output(tensors[1], place, batch)?) } else { None };
        // Of each image as many pixels are looked at.
        let pixels = &self.pixels[nth];
        let each = pixels.len() * channels;
        let targets = self.targets.get(nth * each..(nth + 1) * each)?;
        let per_group = channels / moments.len();
        for (group, moments) in moments.iter_mut().enumerate() {
            let (mut x, mut y) = (Vec::new(), Vec::new());
            unfold.rows(&input, pixels, group, &mut x);
            for (&pixel, wanted) in pixels.iter().zip(targets.chunks(channels)) {
                for channel in group * per_group..(group + 1) * per_group {
                    let added = other.as_ref().map_or(0.0, |other| other[channel * unfold.pixels() + pixel]);
                    let [factor, shift] = self.affine[channel];
                    y.push((f64::from(wanted[channel]) - f64::from(added) - f64::from(shift)) / f64::from(factor));
                }
            }
            moments.add(&x, &y).ok()?;
        }
        Some(())
    }
}

impl Target for Fit<'_> {
    fn target(&self) -> &str {
        self.sums.map_or(&self.before.wiring.output, |(sum, _)| &sum.output)
    }

    fn images(&self) -> Range<usize> {
        self.images.clone()
    }

    /// Where the tensor has another size than it should, nothing is kept, and the fit fails for its lack.
    fn aim(&mut self, nth: usize, tensor: &[f32], place: usize, batch: usize) {
        let Some(pixels) = self.pixels.get(nth) else { return };
        let Some(target) = self.before.output(tensor, place, batch) else { return };
        for &pixel in pixels {
            self.targets.extend(self.outputs.iter().map(|output| target[output * self.before.unfold.pixels() + pixel]));
        }
    }
}

/// Runs the dense model once over all images, and keeps what each layer is to be fitted to.
///
/// Each image is looked at for the layers that are fitted on it only: an engine takes about as long to hand out the tensors
/// of all layers as it takes to compute them.
fn aim(setting: &Setting<'_>, dense: &Model, steps: &mut [Step<'_>]) -> Result<(), Error> {
    let mut bounds: Vec<usize> = Vec::new();
    for step in &mut *steps {
        let images = step.as_target().images();
        bounds.extend([images.start, images.end]);
    }
    bounds.sort_unstable();
    bounds.dedup();
    let batch = batch_of(dense.onnx());
    for (&start, &end) in bounds.iter().zip(bounds.iter().skip(1)) {
        let targets = steps.iter_mut().map(Step::as_target);
        let mut targets: Vec<&mut dyn Target> = targets.filter(|target| target.images().contains(&start)).collect();
        let tensors: Vec<String> = targets.iter().map(|target| target.target().to_owned()).collect();
        let names: Vec<&str> = tensors.iter().map(String::as_str).collect();
        if names.is_empty() {
            continue;
        }
        let (mut taps, mut first) = (Taps::new(setting, dense.onnx(), &names)?, start);
        batches(setting, dense.onnx(), start..end, |images, own| {
            for (values, target) in taps.run(images)?.iter().zip(&mut targets) {
                let (values, before) = (values.to_f32().unwrap_or_default(), target.images().start);
                (0..own).for_each(|place| target.aim(first + place - before, &values, place, batch));
            }
            first += own;
            setting.watch.progress.advance(own as u64);
            Ok(true)
        })?;
    }
    Ok(())
}

/// New elements by the constants' names, and the report.
struct Fitted {
    values: BTreeMap<String, Vec<f32>>,
    layer: LayerRepair,
}

/// Looks at a layer of the pruned model on its images and fits it; nothing where it cannot be looked at.
fn fitted(
    setting: &Setting<'_>,
    current: &onnx_surgery::Model,
    fit: &Fit<'_>,
    front: &mut Front,
) -> Result<Option<Fitted>, Error> {
    front.reach(setting, current, fit.images.clone(), &fit.inputs())?;
    let spec = fit.after.spec();
    let none = vec![Moments::new(fit.after.unfold.features(), spec.c_out / spec.groups); spec.groups];
    // Images that choose the ridge are not those that weights are fitted to for that.
    let mut sides = [none.clone(), none];
    let batch = batch_of(current);
    let (mut is_whole, mut nth) = (true, 0);
    front.run(setting, current, &fit.inputs(), |values, own| {
        let tensors = [&values[0], &values[1]].map(Vec::as_slice);
        is_whole &= (0..own).all(|place| {
            let side = &mut sides[side_of(nth + place)];
            fit.add(side, nth + place, tensors, place, batch).is_some()
        });
        nth += own;
        Ok(())
    })?;
    let view = &fit.after;
    let Some(old) = view.weights(current).filter(|_| is_whole) else { return Ok(None) };
    let (mut weights, mut shift) = (Vec::new(), Vec::new());
    let mut layer = LayerRepair {
        layer: view.layer.name.clone(),
        lost_before: 0.0,
        lost_after: 0.0,
        inputs: view.unfold.features(),
        rows: sides.iter().map(|side| side[0].rows()).sum(),
        ridge: 0.0,
    };
    let share = 1.0 / spec.groups as f64;
    let [fitted, held_out] = &sides;
    for ((moments, held_out), old) in fitted.iter().zip(held_out).zip(old.chunks(old.len() / spec.groups)) {
        let fit = refit_held_out(moments, held_out, old, setting.calib.ridge, view.bias());
        let fit = fit.map_err(|source| Error::Repair { layer: view.layer.name.clone(), source })?;
        weights.extend(fit.weights);
        shift.extend(fit.shift);
        layer.lost_before += share * fit.lost_before;
        layer.lost_after += share * fit.lost_after;
        layer.ridge += share * fit.ridge;
    }
    let mut values = BTreeMap::from([(view.layer.weight.clone(), view.stored(&weights))]);
    values.extend(view.absorbed(current, |_, new| new, &shift));
    Ok(Some(Fitted { values, layer }))
}
