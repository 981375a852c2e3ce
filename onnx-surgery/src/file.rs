//! From a path to a decoded model whose weights still lie in the memory map.

use crate::error::ModelError;
use crate::outline;
use crate::proto::ModelProto;
use crate::wire::{self, WireError};
use bytes::Bytes;
use prost::Message;
use std::fs::File;
use std::path::Path;

/// Field numbers of `ModelProto`.
const IR_VERSION: u64 = 1;
const GRAPH: u64 = 7;

/// A file's bytes, not read before they are used.
pub(crate) fn map(path: &Path) -> Result<Bytes, ModelError> {
    let fail = |source| ModelError::Read { path: path.to_owned(), source };
    // Asked before it is opened: opening a pipe would wait for somebody to write into it.
    let metadata = std::fs::metadata(path).map_err(fail)?;
    if !metadata.is_file() {
        return Err(fail(std::io::Error::other("it is no regular file")));
    }
    let file = File::open(path).map_err(fail)?;
    if metadata.len() == 0 {
        // An empty map is an error on some systems; the decoder says more about an empty file.
        return Ok(Bytes::new());
    }
    // SAFETY: the map is private to this process and only ever read as plain bytes, for which every
    // bit pattern is valid; nothing keeps a Rust type in it. If another process truncates the file
    // meanwhile, the system ends this process on access; it cannot make it read foreign memory.
    // This crate itself never writes to a path that it has open (`SurgeryError::SameFile`), and
    // replaces files by renaming, which leaves an open map intact.
    #[allow(unsafe_code)]
    let map = unsafe { memmap2::Mmap::map(&file) }.map_err(fail)?;
    Ok(Bytes::from_owner(map))
}

/// Decodes and checks the outermost message. `file` is what errors call it.
pub(crate) fn decode(bytes: &Bytes, file: &str) -> Result<ModelProto, ModelError> {
    let not_onnx = |why: &str| ModelError::NotOnnx { file: file.to_owned(), why: why.to_owned() };
    let truncated = |why: &str| ModelError::Truncated { file: file.to_owned(), why: why.to_owned() };
    let (mut begins_well, mut graphs) = (false, 0);
    for field in wire::fields(bytes) {
        match field {
            Ok(field) => {
                begins_well |= field.number == IR_VERSION && !field.has_length;
                graphs += usize::from(field.number == GRAPH);
            }
            Err(WireError::Truncated) if begins_well => return Err(truncated("a field runs past the end")),
            Err(_) => return Err(not_onnx("its fields cannot be read")),
        }
    }
    outline::check(bytes).map_err(not_onnx)?;
    let model = ModelProto::decode(bytes.clone()).map_err(|e| not_onnx(&e.to_string().replace('\n', " ")))?;
    if bytes.is_empty() {
        return Err(not_onnx("it is empty"));
    }
    if model.ir_version.is_none() {
        return Err(not_onnx("it has no `ir_version`"));
    }
    match graphs {
        0 => return Err(truncated("it has no graph")),
        1 => (),
        _ => return Err(not_onnx("it has several graphs")),
    }
    if model.opset_import.is_empty() {
        return Err(truncated("it names no operator set"));
    }
    if model.graph.as_ref().is_none_or(|graph| graph.node.is_empty()) {
        return Err(not_onnx("its graph has no nodes"));
    }
    Ok(model)
}
