//! The sizes of a model's inputs: those that the file fixes, those that a user states, and the batch.

use super::{Graph, StatedDim};
use crate::constant::{MAX_DIM, MAX_RANK};
use crate::error::ModelError;
use crate::size_error::{SizeError, SizedAxis};
use netspec::{InputShape, InputSizes};
use std::collections::{HashMap, HashSet};

/// Elements that an input may have at most.
const MOST_ELEMENTS: usize = 1 << 31;

/// Names of the batch that are looked at one by one: each takes as long as opening the model.
const MOST_NAMES: usize = 8;

impl Graph {
    /// The input that the batch is counted by: the first one of images, or the first one.
    pub(super) fn lead(&self) -> Option<usize> {
        let of_images = self.inputs.iter().position(|port| port.shape.len() >= 4);
        of_images.or(if self.inputs.is_empty() { None } else { Some(0) })
    }

    /// Whether the first dim of an input is a batch that may be of any size.
    pub(crate) fn is_batch(&self, input: usize) -> bool {
        self.is_batched.get(input) == Some(&true) && self.inputs[input].shape.first() == Some(&None)
    }

    /// The dims of an input at a batch size; free ones are `None`.
    pub(crate) fn dims_at(&self, input: usize, batch: usize) -> Vec<Option<usize>> {
        let mut dims = self.inputs[input].shape.clone();
        let stated = self.stated_input(input).unwrap_or_default();
        for (axis, (dim, stated)) in dims.iter_mut().zip(stated).enumerate() {
            let is_named = matches!(stated, StatedDim::Named(name) if self.batch_names.contains(name));
            if is_named || axis == 0 && self.is_batched[input] {
                dim.get_or_insert(batch);
            }
        }
        dims
    }

    /// Whether neither the file nor the user states a shape for an input.
    pub(crate) fn has_no_shape(&self, input: usize) -> bool {
        self.inputs[input].shape.is_empty() && self.stated_input(input).is_none()
    }

    fn stated_input(&self, input: usize) -> Option<&[StatedDim]> {
        self.input_dims[input].as_deref()
    }

    /// Takes the sizes that a user states.
    ///
    /// Dims of one name have one size. The first dim of an input is the batch if it is free and the input is the lead one,
    /// one of images, or names that dim and no other so; unless another size is stated for it.
    pub(crate) fn set_sizes(&mut self, sizes: &InputSizes) -> Result<(), ModelError> {
        let shapes = self.assigned(&sizes.shapes)?;
        let named = self.named(&shapes)?;
        self.batch = self.batch_of(sizes.batch, &shapes, &named)?;
        self.is_batched = self.counting_images();
        let lead = self.lead().and_then(|lead| self.stated_input(lead)?.first().cloned());
        let lead = lead.filter(|dim| matches!(dim, StatedDim::Named(_)));
        for (input, shape) in shapes.iter().enumerate() {
            let Some(dims) = self.stated_input(input).map(<[StatedDim]>::to_vec) else {
                let shape = shape.unwrap_or_default();
                self.inputs[input].shape = shape.iter().map(|&dim| Some(dim)).collect();
                continue;
            };
            for (axis, dim) in dims.iter().enumerate() {
                let by_name = if let StatedDim::Named(name) = dim { named.get(name).map(|at| at.size) } else { None };
                let size = shape.map(|shape| shape[axis]).or(by_name);
                let is_first = axis == 0 && self.is_batched[input] && size.is_none_or(|size| size == self.batch);
                // What is the batch stays free: surgery looks at another one.
                if !matches!(dim, StatedDim::Is(_)) && !is_first && lead.as_ref() != Some(dim) {
                    self.inputs[input].shape[axis] = size;
                }
            }
        }
        self.sizes = named.into_iter().map(|(name, at)| (name, at.size)).collect();
        self.name_batches();
        Ok(())
    }

    /// Notes which names stand for the batch.
    fn name_batches(&mut self) {
        let batches = (0..self.inputs.len()).filter(|&input| self.is_batch(input));
        let batches = batches.filter_map(|input| match self.stated_input(input)?.first()? {
            StatedDim::Named(name) => Some(name.clone()),
            _ => None,
        });
        self.batch_names = batches.collect();
    }

    /// Of the inputs whose first dim is taken for the batch by a name of its own, keeps those for which `holds` says that
    /// the model agrees: the dim could as well be a number of channels.
    pub(crate) fn keep_batches(&mut self, holds: impl Fn(&Graph) -> bool) {
        let lead = self.lead().and_then(|lead| self.stated_input(lead)?.first().cloned());
        let by_name = |input: &usize| {
            let own = self.stated_input(*input).unwrap_or_default();
            self.is_batch(*input) && Some(*input) != self.lead() && own.len() < 4 && own.first() != lead.as_ref()
        };
        let by_name: Vec<usize> = (0..self.inputs.len()).filter(by_name).collect();
        if by_name.is_empty() || holds(self) {
            return;
        }
        by_name.iter().for_each(|&input| self.is_batched[input] = false);
        for (nth, input) in by_name.into_iter().enumerate() {
            self.is_batched[input] = nth < MOST_NAMES;
            if self.is_batched[input] {
                self.name_batches();
            }
            if !self.is_batched[input] || !holds(self) {
                self.is_batched[input] = false;
                // A size that equals the batch by chance was left out.
                if let Some(StatedDim::Named(name)) = self.stated_input(input).and_then(<[StatedDim]>::first) {
                    self.inputs[input].shape[0] = self.sizes.get(name).copied();
                }
            }
        }
        self.name_batches();
    }

    /// The shape that is stated for each input.
    fn assigned<'s>(&self, stated: &'s [InputShape]) -> Result<Vec<Option<&'s [usize]>>, SizeError> {
        let mut shapes: Vec<Option<&[usize]>> = vec![None; self.inputs.len()];
        let names = || self.inputs.iter().map(|port| port.name.clone()).collect();
        for InputShape { name, dims } in stated {
            let index = match name {
                Some(name) => {
                    let unknown = || SizeError::UnknownInput { input: name.clone(), inputs: names() };
                    self.inputs.iter().position(|port| port.name == *name).ok_or_else(unknown)?
                }
                None if self.inputs.len() == 1 => 0,
                None => return Err(SizeError::NoName { inputs: names() }),
            };
            self.check_shape(index, dims)?;
            if shapes[index].is_some_and(|before| before != dims) {
                return Err(SizeError::Twice { input: self.inputs[index].name.clone() });
            }
            shapes[index] = Some(dims);
        }
        Ok(shapes)
    }

    fn check_shape(&self, index: usize, dims: &[usize]) -> Result<(), SizeError> {
        let input = || self.inputs[index].name.clone();
        let is_small = dims.iter().try_fold(1usize, |n, &dim| n.checked_mul(dim)).is_some_and(|n| n < MOST_ELEMENTS);
        if !is_small || dims.len() > MAX_RANK || dims.iter().any(|dim| !(1..MAX_DIM).contains(dim)) {
            return Err(SizeError::OutOfRange { input: input(), dims: dims.to_vec() });
        }
        let Some(own) = self.stated_input(index) else { return Ok(()) };
        if own.len() != dims.len() {
            return Err(SizeError::Rank { input: input(), axes: own.len(), stated: dims.len() });
        }
        match own.iter().zip(dims).position(|(own, dim)| matches!(own, StatedDim::Is(fixed) if fixed != dim)) {
            Some(axis) => {
                let fixed = self.inputs[index].shape[axis].unwrap_or_default();
                Err(SizeError::Fixed { input: input(), axis, fixed, stated: dims[axis] })
            }
            None => Ok(()),
        }
    }

    /// The sizes of symbolic dims in stated shapes, and where each was found first.
    fn named(&self, shapes: &[Option<&[usize]>]) -> Result<HashMap<String, SizedAxis>, SizeError> {
        let mut named: HashMap<String, SizedAxis> = HashMap::new();
        for (index, shape) in shapes.iter().enumerate() {
            let (Some(own), Some(shape)) = (self.stated_input(index), shape) else { continue };
            for (axis, (own, &size)) in own.iter().zip(*shape).enumerate() {
                let StatedDim::Named(symbol) = own else { continue };
                let found = SizedAxis { input: self.inputs[index].name.clone(), axis, size };
                let first = named.entry(symbol.clone()).or_insert_with(|| found.clone());
                if first.size != size {
                    return Err(SizeError::Symbol { symbol: symbol.clone(), first: first.clone(), second: found });
                }
            }
        }
        Ok(named)
    }

    /// Images per run.
    fn batch_of(
        &self,
        wanted: Option<usize>,
        shapes: &[Option<&[usize]>],
        named: &HashMap<String, SizedAxis>,
    ) -> Result<usize, ModelError> {
        let Some(lead) = self.lead() else { return Ok(wanted.unwrap_or(1)) };
        let input = || self.inputs[lead].name.clone();
        let by_shape = shapes[lead].and_then(|shape| shape.first().copied());
        let stated = match self.stated_input(lead).and_then(<[StatedDim]>::first) {
            Some(StatedDim::Is(fixed)) => match wanted {
                Some(wanted) if wanted != *fixed => {
                    return Err(ModelError::FixedBatch { input: input(), fixed: *fixed, wanted });
                }
                _ => return Ok(*fixed),
            },
            Some(StatedDim::Named(name)) => named.get(name).map(|at| at.size),
            Some(StatedDim::Unknown) | None => by_shape,
        };
        match (stated, wanted) {
            (Some(stated), Some(batch)) if stated != batch => {
                Err(SizeError::Batch { input: input(), stated, batch }.into())
            }
            (stated, wanted) => Ok(stated.or(wanted).unwrap_or(1)),
        }
    }

    /// For each input, whether its first dim is the batch, if it is free.
    fn counting_images(&self) -> Vec<bool> {
        let dims = || self.input_dims.iter().map(|dims| dims.as_deref().unwrap_or_default());
        let inner: HashSet<&StatedDim> = dims().flat_map(|dims| dims.iter().skip(1)).collect();
        let is_name = |first: &StatedDim| matches!(first, StatedDim::Named(_)) && !inner.contains(first);
        let lead = self.lead();
        let counts = |(input, dims): (usize, &[StatedDim])| {
            lead == Some(input) || dims.len() >= 4 || dims.first().is_some_and(is_name)
        };
        dims().enumerate().map(counts).collect()
    }
}
