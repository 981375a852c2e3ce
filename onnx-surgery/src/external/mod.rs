//! Tensors whose data lie in files beside the model, as torch's exporter writes them.

mod locate;

use crate::constant::{EXTERNAL, Home, MAX_DIM, bytes_of, element_type};
use crate::error::{ExternalProblem, ModelError};
use crate::packed::TensorProto;
use crate::proto::ModelProto;
use crate::walk::{self, place_in};
use bytes::Bytes;
use locate::Files;
use prost::Message;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// The data of a model's tensors that lie outside its file, as parts of memory maps.
#[derive(Default)]
pub(crate) struct External {
    /// Data by the place of their tensor in the model file.
    data: HashMap<usize, Bytes>,
    /// Places of the messages around these tensors.
    around: HashSet<usize>,
    homes: Vec<(Home, Bytes)>,
    /// The data files, in the order in which the model names them, without links.
    pub(crate) files: Vec<PathBuf>,
    /// What is in them.
    pub(crate) maps: Vec<Bytes>,
}

impl External {
    /// Bytes in all data files.
    pub(crate) fn bytes(&self) -> usize {
        self.maps.iter().map(Bytes::len).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The data of the tensor at a place of the model file, if they lie outside it.
    pub(crate) fn data(&self, place: Option<usize>) -> Option<&Bytes> {
        self.data.get(&place?)
    }

    /// Whether such a tensor stands in the message at a place.
    pub(crate) fn is_around(&self, place: Option<usize>) -> bool {
        place.is_some_and(|place| self.around.contains(&place))
    }

    /// Puts the data into the decoded messages of the graph's own tensors, as if they stood there.
    pub(crate) fn fill(&mut self, model: &mut ModelProto) {
        let Some(graph) = &mut model.graph else { return };
        for (home, data) in self.homes.drain(..) {
            let tensor = match home {
                Home::Initializer(index) => graph.initializer.get_mut(index),
                Home::Node { node, attribute } => {
                    let attribute = graph.node.get_mut(node).and_then(|node| node.attribute.get_mut(attribute));
                    attribute.and_then(|attribute| attribute.t.as_deref_mut())
                }
            };
            if let Some(tensor) = tensor {
                tensor.raw_data = Some(data);
            }
        }
    }
}

/// What a tensor says about the place of its data.
struct Claim {
    place: usize,
    home: Option<Home>,
    tensor: String,
    location: String,
    offset: Option<String>,
    length: Option<String>,
    /// Bytes that type and dims ask for, where both are understood.
    expected: Option<usize>,
}

impl Claim {
    fn error(&self, problem: ExternalProblem) -> ModelError {
        ModelError::ExternalData { tensor: self.tensor.clone(), location: self.location.clone(), problem }
    }
}

/// Finds and maps what lies outside a model file. `path` is the file's; a model from memory has none.
///
/// Nothing outside the folder of `path` is ever opened, whatever the model or links in the folder say.
pub(crate) fn open(model: &Bytes, path: Option<&Path>) -> Result<External, ModelError> {
    let (mut claims, mut around) = (Vec::new(), HashSet::new());
    walk::tensors(model, &mut |tensor, messages, path| {
        let Some(place) = place_in(model, tensor).filter(|_| is_outside(tensor)) else { return };
        let Ok(proto) = TensorProto::decode(tensor.clone()) else { return };
        around.extend(messages.iter().filter_map(|message| place_in(model, message)));
        claims.push(claim(proto, place, walk::home(path)));
    });
    let Some(first) = claims.first() else { return Ok(External::default()) };
    let Some(path) = path else { return Err(first.error(ExternalProblem::NoFolder)) };
    let mut files = Files::new(path)?;
    let mut ranges = Vec::with_capacity(claims.len());
    for claim in &claims {
        ranges.push(files.range(claim)?);
    }
    locate::check_overlaps(&claims, &ranges)?;
    let mut external = External { around, ..External::default() };
    for (claim, range) in claims.iter().zip(&ranges) {
        let data = files.slice(range);
        external.data.insert(claim.place, data.clone());
        external.homes.extend(claim.home.map(|home| (home, data)));
    }
    (external.files, external.maps) = files.into_paths_and_maps();
    Ok(external)
}

/// Whether the tensor's data lie outside the file: the last word counts, as everywhere in protobuf.
fn is_outside(tensor: &Bytes) -> bool {
    let locations = crate::wire::fields(tensor).flatten().filter(|field| field.number == 14 && !field.has_length);
    let last = locations.last().and_then(|field| crate::wire::varint(tensor, field.payload).ok());
    last.is_some_and(|(value, _)| value as i32 == EXTERNAL)
}

fn claim(proto: TensorProto, place: usize, home: Option<Home>) -> Claim {
    let dims = proto.dims.iter().map(|&d| usize::try_from(d).ok().filter(|&d| d < MAX_DIM)).collect::<Option<Vec<_>>>();
    let expected = dims.zip(element_type(proto.data_type).ok()).and_then(|(dims, element)| bytes_of(&dims, element));
    let value = |key: &str| proto.external_data.iter().rev().find(|entry| entry.key == key).map(|e| e.value.clone());
    let (location, offset, length) = (value("location").unwrap_or_default(), value("offset"), value("length"));
    Claim { place, home, tensor: proto.name, location, offset, length, expected }
}
