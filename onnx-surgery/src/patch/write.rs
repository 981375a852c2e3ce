//! Applying a patch: to bytes in memory, or to a file as a whole or not at all.

use super::audit::with_number;
use super::{AxisCut, Change, Cut, Patch};
use crate::error::SurgeryError;
use crate::graph::TensorId;
use crate::rope::Rope;
use crate::splice::{Edits, TensorEdit, splice};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// What happens to one constant.
#[derive(Default)]
struct Fate {
    cuts: Vec<AxisCut>,
    numbers: Vec<(usize, usize)>,
}

impl Patch<'_> {
    /// The patched model in memory.
    pub fn to_bytes(&self) -> Vec<u8> {
        let rope = self.rope();
        let mut bytes = Vec::with_capacity(rope.len());
        rope.write_to(&mut bytes).expect("a vector takes everything");
        bytes
    }

    /// Writes the patched model. A file that was there is replaced only once the new one is complete.
    ///
    /// # Errors
    /// The path is the model's own, its folder does not exist, or the system refuses.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), SurgeryError> {
        let path = path.as_ref();
        let fail = |source| SurgeryError::Write { path: path.to_owned(), source };
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        if !folder.is_dir() {
            return Err(SurgeryError::NoFolder { folder });
        }
        let is_same = |source: &Path| Some(source.canonicalize().ok()? == path.canonicalize().ok()?);
        if self.model.path().and_then(is_same) == Some(true) {
            return Err(SurgeryError::SameFile { path: path.to_owned() });
        }
        let mut file = temporary(&folder).map_err(fail)?;
        let mut buffered = BufWriter::with_capacity(1 << 20, file.as_file_mut());
        self.rope().write_to(&mut buffered).and_then(|()| buffered.flush()).map_err(fail)?;
        drop(buffered);
        file.persist(path).map_err(|error| fail(error.error))?;
        Ok(())
    }

    fn rope(&self) -> Rope {
        let model = self.model;
        let mut fates: BTreeMap<TensorId, Fate> = BTreeMap::new();
        let mut edits = Edits::default();
        for change in &self.changes {
            let id = |tensor: &str| model.graph.ids[tensor];
            match change {
                Change::Shrink { tensor, axis, removed: positions, .. }
                | Change::Zero { tensor, axis, zeroed: positions, .. } => {
                    let zeroes = matches!(change, Change::Zero { .. });
                    let cut = AxisCut { axis: *axis, positions: positions.clone(), zeroes };
                    fates.entry(id(tensor)).or_default().cuts.push(cut);
                }
                Change::Number { tensor, index, after, .. } => {
                    fates.entry(id(tensor)).or_default().numbers.push((*index, *after));
                }
                Change::Groups { place, after, .. } => drop(edits.groups.insert(*place, *after)),
                Change::Stated { tensor, axis, after, .. } => {
                    edits.stated.entry(tensor.clone()).or_default().push((*axis, *after));
                }
            }
        }
        for (id, fate) in fates {
            let constant = &model.graph.constants[&id];
            edits.constants.insert(constant.home, tensor_edit(constant, &fate));
        }
        splice(&model.bytes, &edits).expect("the bytes were decoded when the model was opened")
    }
}

fn tensor_edit(constant: &crate::constant::Constant, fate: &Fate) -> TensorEdit {
    let mut data = constant.data.clone();
    for &(index, number) in &fate.numbers {
        data = Bytes::from(with_number(constant.element, &data, index, number));
    }
    let mut dims = constant.dims.clone();
    for cut in fate.cuts.iter().filter(|cut| !cut.zeroes) {
        dims[cut.axis] -= cut.positions.len();
    }
    // Constants that follow channels have a known type: rules read no others.
    let bytes = constant.element.map_or(1, |element| element.bytes());
    TensorEdit { dims, data: Cut::new(data, bytes, &constant.dims, &fate.cuts), element: constant.element.ok() }
}

/// A file in the target's folder, so that renaming it is atomic, with a new file's usual permissions.
fn temporary(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".locp-").suffix(".onnx");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}
