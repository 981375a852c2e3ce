//! From the decoded messages to the graph.

use super::order::sort;
use super::{Graph, Node, Port, StatedDim, TensorId};
use crate::constant::{Constant, Home, MAX_DIM, MAX_RANK, element_type, too_many_axes};
use crate::error::ModelError;
use crate::proto::{AttributeProto, GraphProto, ModelProto, NodeProto, ValueInfoProto};
use std::collections::{HashMap, HashSet};

/// Bytes of a name.
const MAX_NAME: usize = 4096;

#[derive(Default)]
struct Names {
    names: Vec<String>,
    ids: HashMap<String, TensorId>,
}

impl Names {
    fn id(&mut self, name: &str) -> TensorId {
        if let Some(&id) = self.ids.get(name) {
            return id;
        }
        let id = TensorId(self.names.len() as u32);
        self.names.push(name.to_owned());
        self.ids.insert(name.to_owned(), id);
        id
    }
}

impl Graph {
    /// Takes the decoded model apart. `file_bytes` bounds what shapes may ask for.
    pub(crate) fn new(model: ModelProto, file_bytes: usize) -> Result<Graph, ModelError> {
        let own = model.opset_import.iter().filter(|set| matches!(set.domain.as_str(), "" | "ai.onnx"));
        let opset = own.map(|set| set.version).max().unwrap_or(1);
        let proto = model.graph.unwrap_or_default();
        let mut names = Names::default();
        let mut made = HashSet::new();
        let mut make = |names: &mut Names, name: &str| {
            check_name(name)?;
            let id = names.id(name);
            if made.insert(id) { Ok(id) } else { Err(ModelError::Duplicate { tensor: name.to_owned() }) }
        };

        let mut constants = HashMap::new();
        for (i, tensor) in proto.initializer.iter().enumerate() {
            let constant = Constant::from_tensor(tensor, &tensor.name, Home::Initializer(i))?;
            constants.insert(make(&mut names, &tensor.name)?, constant);
        }
        for tensor in proto.sparse_initializer.iter().filter_map(|sparse| sparse.values.as_deref()) {
            make(&mut names, &tensor.name)?;
        }
        // Files before IR version 4 list initializers among the inputs, too.
        let is_input = |v: &&ValueInfoProto| !names.ids.get(&v.name).is_some_and(|id| constants.contains_key(id));
        let inputs: Vec<&ValueInfoProto> = proto.input.iter().filter(is_input).collect();
        for input in &inputs {
            make(&mut names, &input.name)?;
        }

        let stated = proto.value_info.iter().chain(&proto.input).chain(&proto.output);
        let stated: Vec<_> = stated.filter_map(|v| Some((v.name.clone(), stated_shape(v)?))).collect();
        if let Some((name, dims)) = stated.iter().find(|(_, dims)| dims.len() > MAX_RANK) {
            return Err(ModelError::Tensor { tensor: name.clone(), why: too_many_axes(dims.len()) });
        }
        let input_dims = inputs.iter().map(|input| stated_shape(input)).collect();
        let inputs: Vec<Port> = inputs.into_iter().map(port).collect();

        let mut inner_names = HashSet::new();
        for inner in proto.node.iter().flat_map(|n| &n.attribute).flat_map(inner_graphs) {
            names_inside(inner, &mut inner_names);
        }
        let mut nodes = Vec::with_capacity(proto.node.len());
        for (place, node) in proto.node.into_iter().enumerate() {
            let mut node = read_node(node, place, &mut names, &mut make)?;
            if let ("Constant", [attribute, ..], Some(Some(id))) = (&*node.op, &*node.attributes, node.outputs.first())
            {
                let home = Home::Node { node: place, attribute: 0 };
                if let Some(constant) = Constant::from_attribute(attribute, &names.names[id.0 as usize], home)? {
                    constants.insert(*id, constant);
                    node.attributes.clear();
                }
            }
            nodes.push(node);
        }
        check_provided(&nodes, &made, &names)?;
        for output in &proto.output {
            if !names.ids.get(&output.name).is_some_and(|id| made.contains(id)) {
                return Err(ModelError::MissingOutput { tensor: output.name.clone() });
            }
        }

        Ok(Graph {
            stated: stated.into_iter().filter_map(|(name, dims)| Some((*names.ids.get(&name)?, dims))).collect(),
            batch: 1,
            input_dims,
            is_batched: Vec::new(),
            batch_names: HashSet::new(),
            sizes: HashMap::new(),
            nodes: sort(nodes)?,
            inputs,
            outputs: proto.output.iter().map(port).collect(),
            names: names.names,
            ids: names.ids,
            constants,
            inner_names,
            metadata: model.metadata_props,
            opset,
            file_bytes,
        })
    }
}

/// No longer than any exporter's: names stand in every member of every channel group.
fn check_name(name: &str) -> Result<(), ModelError> {
    if name.len() <= MAX_NAME {
        return Ok(());
    }
    let tensor = name.chars().take(60).chain("...".chars()).collect();
    Err(ModelError::Tensor { tensor, why: format!("its name has {} bytes, more than {MAX_NAME}", name.len()) })
}

fn read_node(
    proto: NodeProto,
    place: usize,
    names: &mut Names,
    make: &mut impl FnMut(&mut Names, &str) -> Result<TensorId, ModelError>,
) -> Result<Node, ModelError> {
    check_name(&proto.name)?;
    // An empty name stands for an argument that is left out.
    let inputs = proto.input.iter().map(|name| (!name.is_empty()).then(|| names.id(name))).collect();
    let outputs = proto
        .output
        .iter()
        .map(|name| if name.is_empty() { Ok(None) } else { make(names, name).map(Some) })
        .collect::<Result<Vec<_>, _>>()?;
    let mut captured = Vec::new();
    for inner in proto.attribute.iter().flat_map(inner_graphs) {
        captured_names(inner, &mut |name| captured.push(names.id(name)));
    }
    let first = proto.output.iter().find(|name| !name.is_empty());
    let name = if proto.name.is_empty() { first.cloned().unwrap_or_default() } else { proto.name };
    Ok(Node {
        name,
        op: proto.op_type,
        domain: proto.domain,
        inputs,
        outputs,
        captured,
        attributes: proto.attribute,
        place,
    })
}

fn inner_graphs(attribute: &AttributeProto) -> impl Iterator<Item = &GraphProto> {
    attribute.g.as_deref().into_iter().chain(&attribute.graphs)
}

/// Names that inner graphs give, at any depth.
fn names_inside(graph: &GraphProto, names: &mut HashSet<String>) {
    let made = graph.node.iter().flat_map(|n| &n.output).chain(graph.input.iter().map(|v| &v.name));
    names.extend(made.chain(graph.initializer.iter().map(|t| &t.name)).cloned());
    for deeper in graph.node.iter().flat_map(|n| &n.attribute).flat_map(inner_graphs) {
        names_inside(deeper, names);
    }
}

/// Names that an inner graph reads from outside, at any depth.
fn captured_names(graph: &GraphProto, each: &mut dyn FnMut(&str)) {
    let inside: HashSet<&str> = graph
        .node
        .iter()
        .flat_map(|n| &n.output)
        .chain(graph.input.iter().map(|v| &v.name))
        .chain(graph.initializer.iter().map(|t| &t.name))
        .map(String::as_str)
        .collect();
    let read = graph.node.iter().flat_map(|n| &n.input).chain(graph.output.iter().map(|v| &v.name));
    read.filter(|name| !name.is_empty() && !inside.contains(name.as_str())).for_each(|name| each(name));
    for deeper in graph.node.iter().flat_map(|n| &n.attribute).flat_map(inner_graphs) {
        captured_names(deeper, &mut |name| {
            if !inside.contains(name) {
                each(name);
            }
        });
    }
}

fn check_provided(nodes: &[Node], made: &HashSet<TensorId>, names: &Names) -> Result<(), ModelError> {
    for node in nodes {
        if let Some(missing) = node.all_inputs().find(|input| !made.contains(input)) {
            return Err(ModelError::MissingTensor {
                node: node.name.clone(),
                op: node.op.clone(),
                tensor: names.names[missing.0 as usize].clone(),
            });
        }
    }
    Ok(())
}

fn stated_shape(info: &ValueInfoProto) -> Option<Vec<StatedDim>> {
    let shape = info.r#type.as_ref()?.tensor_type.as_ref()?.shape.as_ref()?;
    let dims = shape.dim.iter().map(|dim| match (dim.dim_value, &dim.dim_param) {
        // Some writers mark dynamic dims with 0 or -1.
        (Some(n), _) => {
            usize::try_from(n).ok().filter(|n| (1..MAX_DIM).contains(n)).map_or(StatedDim::Unknown, StatedDim::Is)
        }
        (None, Some(name)) => StatedDim::Named(name.clone()),
        (None, None) => StatedDim::Unknown,
    });
    Some(dims.collect())
}

fn port(info: &ValueInfoProto) -> Port {
    let dims = stated_shape(info).unwrap_or_default().into_iter();
    let shape = dims.map(|dim| if let StatedDim::Is(n) = dim { Some(n) } else { None }).collect();
    let tensor = info.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    Port { name: info.name.clone(), shape, element: tensor.and_then(|t| element_type(t.elem_type).ok()) }
}
