//! What removing channels does to the network's outputs, from calibration images.

use super::front::Front;
use super::layers::{View, pixels, side_of, transposed};
use super::taps::{Taps, batch_of, batches};
use super::{Calib, Setting};
use crate::model::Model;
use crate::{Error, Watch};
use benefit::{Value, ValueCurve, ValueError, ValueKind};
use compensate::{Bias, CompensateError, Moments, Reader, Removal, Unfold, refit, refit_held_out, removal};
use netspec::{ChannelGroup, ConvSpec, GroupId, IndexMap, Member, Role};
use onnx_surgery::{Patch, Wiring};
use stats::Rng;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;
use timing::ModelBackend;

/// A reader with more inputs is looked at channel by channel, each pixel of its window by itself.
const WIDEST: usize = 1152;
/// Shares of a group's channels that stay where the whole network is looked at.
const LOOKED_AT: [f64; 2] = [0.75, 0.5];
/// The least ridge of what is predicted to be lost; more where images that were held out say so.
const RIDGE: f64 = 1e-4;

/// Predicted damage: per group, the energy of its readers' outputs that fitting them anew cannot restore, each reader's
/// relative to its own, times one weight for the group that makes it a relative error of the network's outputs.
///
/// The weight is least squares over a few widths of each group alone, where the network with fitted readers is run next
/// to the dense one. It needs no labels.
#[derive(Clone, Debug)]
pub struct Damage {
    curves: Vec<Result<ValueCurve, ValueError>>,
    images: usize,
}

impl Damage {
    /// Looks at the groups that may be pruned, residual streams only if asked for.
    pub fn new(
        models: &dyn ModelBackend,
        model: &Model,
        calib: &Calib,
        prune_residual: bool,
        watch: &Watch<'_>,
    ) -> Result<Damage, Error> {
        let setting = Setting { models, calib, watch };
        let wirings = model.onnx().wirings();
        let groups: Vec<&ChannelGroup> = model.network().groups.iter().collect();
        let is_open = |group: &ChannelGroup| group.frozen.is_none() && (prune_residual || !group.residual);
        let mut looks: BTreeMap<usize, Look<'_>> = BTreeMap::new();
        for group in groups.iter().filter(|group| is_open(group)) {
            for index in readers(model, group) {
                let (Entry::Vacant(place), Some(wiring)) = (looks.entry(index), &wirings[index]) else { continue };
                if let Some(look) = Look::new(model, wiring, index) {
                    place.insert(look);
                }
            }
        }
        watch.progress.begin("moments", Some(looked_at(calib).len() as u64));
        look(&setting, model, &mut looks)?;
        watch.progress.end("");
        let closed = |group: &ChannelGroup, why: &str| ValueError::Other {
            reason: format!(
                "group `{}` {why}; freeze it, or state the importance of its channels by a criterion or by scores",
                group.name
            ),
        };
        watch.progress.begin("damage", Some(groups.len() as u64));
        let mut outputs = Outputs::new(&setting, model)?;
        let mut curves = Vec::new();
        for group in groups {
            setting.check()?;
            watch.progress.advance(1);
            if !is_open(group) {
                curves.push(Err(closed(group, "was not to be pruned, so its damage was not looked at")));
                continue;
            }
            let own: Vec<(&Look<'_>, Vec<Vec<usize>>)> = readers(model, group)
                .filter_map(|index| looks.get(&index))
                .filter_map(|look| Some((look, look.features(group)?)))
                .collect();
            if own.is_empty() {
                curves.push(Err(closed(group, "is read by no layer that can be looked at")));
                continue;
            }
            curves.push(curve(&mut outputs, group, &own)?);
        }
        watch.progress.end("");
        Ok(Damage { curves, images: calib.len() })
    }
}

impl Value for Damage {
    fn curve(&self, group: GroupId) -> Result<ValueCurve, ValueError> {
        let unknown = || ValueError::UnknownGroup { group: group.0, groups: self.curves.len() };
        self.curves.get(group.0).ok_or_else(unknown)?.clone()
    }

    fn kind(&self) -> ValueKind {
        ValueKind::Damage
    }

    fn name(&self) -> String {
        format!("damage on {} images", self.images)
    }
}

/// Layers whose weights mix a group's channels.
fn readers<'m>(model: &'m Model, group: &'m ChannelGroup) -> impl Iterator<Item = usize> + 'm {
    let layers = &model.network().layers;
    (0..layers.len()).filter(move |&i| reads(&layers[i].weight, group).is_some())
}

/// A weight's axis that reads a group's channels.
fn reads<'g>(weight: &str, group: &'g ChannelGroup) -> Option<&'g Member> {
    group.members.iter().find(|member| member.role == Role::Consumer && member.tensor == weight)
}

/// A reader's moments on the dense network.
struct Look<'m> {
    view: View<'m>,
    /// Pixels of the window that are taken by themselves; 1 where the window is looked at as a whole.
    area: usize,
    /// How its inputs become rows.
    unfold: Unfold,
    /// Outputs x inputs; with an area, so many times the outputs and one input a channel.
    weights: Vec<f64>,
    moments: Moments,
    /// Of images that are held out, until these have told the ridge.
    held_out: Moments,
    ridge: f64,
    is_whole: bool,
}

impl<'m> Look<'m> {
    fn new(model: &'m Model, wiring: &'m Wiring, index: usize) -> Option<Look<'m>> {
        let view = View::new(&model.network().layers[index], wiring);
        let weights = view.weights(model.onnx())?;
        let inputs = view.unfold.features();
        let spec = view.spec();
        let repeat = flattened(model, &view).filter(|_| inputs > WIDEST);
        let (area, unfold) = match repeat {
            Some(repeat) => (repeat, Unfold::new(&ConvSpec::new(inputs / repeat, 1, [repeat, 1], [1, 1]))),
            None if inputs > WIDEST => {
                let by_pixel = ConvSpec::new(spec.c_in, 1, [spec.height, spec.width], [1, 1]);
                (spec.kernel[0] * spec.kernel[1], Unfold::new(&by_pixel))
            }
            None => (1, view.unfold.clone()),
        };
        let weights = if area == 1 { weights } else { by_pixel(&weights, inputs, area) };
        let none = Moments::new(unfold.features(), 0);
        let (moments, held_out) = (none.clone(), none);
        Some(Look { view, area, unfold, weights, moments, held_out, ridge: RIDGE, is_whole: true })
    }

    /// Adds the n-th of so many images, which is at this place of its batch.
    fn add(
        &mut self,
        tensor: &[f32],
        [nth, images]: [usize; 2],
        [image, batch]: [usize; 2],
        rng: &mut Rng,
    ) -> Option<()> {
        let input = self.view.input(tensor, image, batch)?;
        let mut rows = Vec::new();
        let pixels = pixels(rng, self.unfold.pixels(), self.unfold.features(), images);
        self.unfold.rows(&input, &pixels, 0, &mut rows);
        let side = if side_of(nth) == 0 { &mut self.moments } else { &mut self.held_out };
        side.add(&rows, &[]).ok()
    }

    /// Finds the ridge with which half of the inputs, drawn by lot, do best for all on images that were held out, and puts
    /// all images together.
    fn settle(&mut self, rng: &mut Rng) -> Result<(), CompensateError> {
        let all = self.unfold.features();
        let half: Vec<usize> = (0..all).filter(|_| rng.uniform() < 0.5).collect();
        if !half.is_empty() {
            let of = |moments: &Moments| moments.of_layer(&self.weights)?.select(&half);
            let old: Vec<f64> = self.weights.chunks(all).flat_map(|row| half.iter().map(|&i| row[i])).collect();
            let (fitted, held_out) = (of(&self.moments)?, of(&self.held_out)?);
            self.ridge = refit_held_out(&fitted, &held_out, &old, RIDGE, Bias::Free)?.ridge;
        }
        self.moments = self.moments.merged(&self.held_out)?;
        // They take as much memory as the others, for as long as the network is looked at.
        self.held_out = Moments::new(0, 0);
        Ok(())
    }

    /// The inputs that each channel of a group owns; nothing where they cannot be told.
    fn features(&self, group: &ChannelGroup) -> Option<Vec<Vec<usize>>> {
        if !self.is_whole {
            return None;
        }
        let member = reads(&self.view.layer.weight, group)?;
        let window = self.unfold.features() / (self.view.spec().c_in / self.flat()).max(1);
        let of_position = |p: usize| p * window..(p + 1) * window;
        let of_channel = |c: usize| -> Vec<usize> {
            let positions = member.map.positions(c);
            if self.flat() > 1 { vec![c] } else { positions.into_iter().flat_map(of_position).collect() }
        };
        Some((0..group.channels).map(of_channel).collect())
    }

    /// Inputs that a flattened channel has, where it is looked at pixel by pixel.
    fn flat(&self) -> usize {
        if self.area > 1 && self.view.unfold.features() == self.view.spec().c_in { self.area } else { 1 }
    }

    /// The stored weights and the bias with which the layer does best on the inputs that stay.
    ///
    /// `moments` are its own, with what it makes of its inputs.
    fn fitted(&self, moments: &Moments, stay: &[usize], model: &Model) -> Option<Vec<(String, Vec<f32>)>> {
        let inputs = self.unfold.features();
        let old: Vec<f64> = self.weights.chunks(inputs).flat_map(|row| stay.iter().map(|&i| row[i])).collect();
        let fit = refit(&moments.select(stay).ok()?, &old, self.ridge, self.view.bias()).ok()?;
        let mut weights = vec![0.0; self.weights.len()];
        for (row, new) in fit.weights.chunks(stay.len().max(1)).enumerate() {
            stay.iter().zip(new).for_each(|(&input, &w)| weights[row * inputs + input] = w);
        }
        let whole = if self.area == 1 { weights } else { as_window(&weights, inputs, self.area) };
        let mut values = vec![(self.view.layer.weight.clone(), self.view.stored(&whole))];
        let shift: Vec<f64> = fit.shift.chunks(self.area).map(|of_output| of_output.iter().sum()).collect();
        values.extend(self.view.absorbed(model.onnx(), |old, shift| f64::from(old) + shift, &shift));
        Some(values)
    }
}

/// How many inputs each channel has behind a Flatten, where all inputs are one group's.
fn flattened(model: &Model, view: &View<'_>) -> Option<usize> {
    let [part] = view.layer.inputs.parts[..] else { return None };
    let group = model.network().groups.get(part.group.0)?;
    match reads(&view.layer.weight, group)?.map {
        IndexMap::Affine { offset: 0, repeat } if repeat > 1 && repeat * group.channels == view.spec().c_in => {
            Some(repeat)
        }
        _ => None,
    }
}

/// Outputs x (channels x area) as (outputs x area) x channels.
fn by_pixel(weights: &[f64], inputs: usize, area: usize) -> Vec<f64> {
    weights.chunks(inputs).flat_map(|row| transposed(row, inputs / area, area)).collect()
}

/// The way back.
fn as_window(weights: &[f64], channels: usize, area: usize) -> Vec<f64> {
    weights.chunks(channels * area).flat_map(|rows| transposed(rows, area, channels)).collect()
}

/// Fills the moments, in one pass over the images.
fn look(setting: &Setting<'_>, model: &Model, looks: &mut BTreeMap<usize, Look<'_>>) -> Result<(), Error> {
    let tensors: Vec<&str> = looks.values().map(|look| look.view.wiring.input.as_str()).collect();
    let mut taps = Taps::new(setting, model.onnx(), &tensors)?;
    let batch = batch_of(model.onnx());
    let images = looked_at(setting.calib);
    let (mut rng, mut nth, count) = (Rng::new(setting.calib.seed), 0, images.len());
    batches(setting, model.onnx(), images, |inputs, own| {
        for (values, look) in taps.run(inputs)?.iter().zip(looks.values_mut()) {
            let values = values.to_f32().unwrap_or_default();
            let mut add = |place| look.add(&values, [nth + place, count], [place, batch], &mut rng).is_some();
            look.is_whole &= (0..own).all(&mut add);
        }
        nth += own;
        setting.watch.progress.advance(own as u64);
        Ok(true)
    })?;
    for look in looks.values_mut().filter(|look| look.is_whole) {
        setting.check()?;
        let layer = look.view.layer.name.clone();
        look.settle(&mut rng).map_err(|source| Error::Repair { layer, source })?;
    }
    Ok(())
}

/// The images that moments are taken of: not those on which whole networks are compared, if there are enough of others.
fn looked_at(calib: &Calib) -> Range<usize> {
    let (all, compared) = (calib.len(), calib.compared);
    if compared <= all / 4 { compared..all } else { 0..all }
}

/// A group's curve: what its readers lose, weighed by what the network's outputs lose.
fn curve(
    outputs: &mut Outputs<'_, '_>,
    group: &ChannelGroup,
    own: &[(&Look<'_>, Vec<Vec<usize>>)],
) -> Result<Result<ValueCurve, ValueError>, Error> {
    let failed = |source| Error::Repair { layer: group.name.clone(), source };
    let readers =
        own.iter().map(|(look, features)| Reader::new(&look.moments, &look.weights, features.clone(), look.ridge));
    let readers = readers.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let Removal { order, loss, .. } = removal(readers, group.channels).map_err(failed)?;
    let targets = own.iter().map(|(look, _)| look.moments.of_layer(&look.weights));
    let targets = targets.collect::<Result<Vec<Moments>, _>>().map_err(failed)?;
    outputs.behind(own)?;
    // Least squares through zero: the outputs' divergence is weight x loss.
    let (mut product, mut square) = (0.0, 0.0);
    for share in LOOKED_AT {
        let width = ((share * group.channels as f64) as usize).max(1);
        let gone = &order[..group.channels - width];
        if gone.is_empty() {
            continue;
        }
        let lost = loss[gone.len()];
        product += lost * outputs.divergence(own, &targets, gone)?;
        square += lost * lost;
    }
    let weight = if square > 0.0 { product / square } else { 0.0 };
    let mut values: Vec<f64> = loss.iter().map(|loss| 0.0 - weight * loss).collect();
    // A branch that goes as a whole is looked at itself, for two widths say little of that; wider is still not worse.
    if group.removable {
        let gone = outputs.divergence(own, &targets, &order)?;
        values[group.channels] = values[group.channels - 1].min(0.0 - gone);
    }
    Ok(ValueCurve::new(order, values))
}

/// The dense network's outputs, to compare with.
struct Outputs<'s, 'm> {
    setting: &'s Setting<'s>,
    model: &'m Model,
    names: Vec<&'m str>,
    /// The images, as far as the dense network is what it was.
    front: Front,
    dense: Vec<f64>,
    /// Their summed squared distance from their mean over the images.
    energy: f64,
}

impl<'s, 'm> Outputs<'s, 'm> {
    fn new(setting: &'s Setting<'s>, model: &'m Model) -> Result<Outputs<'s, 'm>, Error> {
        let names = model.onnx().outputs().iter().map(|port| port.name.as_str()).collect();
        let mut outputs = Outputs { setting, model, names, front: Front::default(), dense: Vec::new(), energy: 0.0 };
        outputs.behind(&[])?;
        outputs.dense = outputs.of(model.onnx())?;
        let images = setting.calib.compared.min(setting.calib.len()).max(1);
        let each = outputs.dense.len() / images;
        for at in 0..each {
            let values = outputs.dense.iter().skip(at).step_by(each.max(1));
            let mean = values.clone().sum::<f64>() / images as f64;
            outputs.energy += values.map(|value| (value - mean).powi(2)).sum::<f64>();
        }
        Ok(outputs)
    }

    /// Runs the dense network up to where the first of these layers can be looked at.
    fn behind(&mut self, own: &[(&Look<'_>, Vec<Vec<usize>>)]) -> Result<(), Error> {
        let tensors: Vec<&str> = own.iter().map(|(look, _)| look.view.wiring.input.as_str()).collect();
        self.front.reach(self.setting, self.model.onnx(), 0..self.setting.calib.compared, &tensors)
    }

    /// A model's outputs, image after image; it is the dense one up to where the images are.
    fn of(&self, model: &onnx_surgery::Model) -> Result<Vec<f64>, Error> {
        let (mut all, batch) = (Vec::new(), batch_of(model));
        self.front.run(self.setting, model, &self.names, |outputs, own| {
            for image in 0..own {
                for values in &outputs {
                    let each = values.len() / batch;
                    all.extend(values[image * each..(image + 1) * each].iter().map(|&v| f64::from(v)));
                }
            }
            Ok(())
        })?;
        Ok(all)
    }

    /// The relative squared error of the outputs without some of a group's channels, its readers fitted anew.
    fn divergence(
        &self,
        own: &[(&Look<'_>, Vec<Vec<usize>>)],
        targets: &[Moments],
        gone: &[usize],
    ) -> Result<f64, Error> {
        let mut values = BTreeMap::new();
        for ((look, features), moments) in own.iter().zip(targets) {
            let mut stays = vec![true; look.unfold.features()];
            gone.iter().flat_map(|&channel| &features[channel]).for_each(|&feature| stays[feature] = false);
            let stay: Vec<usize> = (0..stays.len()).filter(|&feature| stays[feature]).collect();
            values.extend(look.fitted(moments, &stay, self.model).into_iter().flatten());
        }
        let changed = Patch::exchange(self.model.onnx(), values)?.to_bytes();
        let found = self.of(&onnx_surgery::Model::from_bytes(changed)?)?;
        let error: f64 = found.iter().zip(&self.dense).map(|(a, b)| (a - b).powi(2)).sum();
        Ok(if self.energy > 0.0 && error.is_finite() { error / self.energy } else { 0.0 })
    }
}
