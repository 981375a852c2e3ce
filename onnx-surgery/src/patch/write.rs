//! Applying a patch: to bytes in memory, or to files as a whole or not at all.

use super::Patch;
use crate::error::SurgeryError;
use crate::model::Model;
use crate::new_file::{NewFile, folder_of, write_buffered};
use crate::splice::{Placement, Spliced, splice};
use std::path::{Path, PathBuf};

impl Model {
    /// Writes a copy of the model, as [`Patch::write`] writes a patched one.
    ///
    /// A model with a data file cannot be copied by renaming: it states that file's name.
    ///
    /// # Errors
    /// As [`Patch::write`].
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), SurgeryError> {
        Patch::nothing(self).write(path)
    }
}

impl Patch<'_> {
    /// The patched model in memory, with all of its data inside.
    ///
    /// Protobuf's readers take no message of 2 GiB or more. A model that keeps its data in other files may come out
    /// longer than that: this crate reads it back, other programs will not. [`write`](Self::write) has no such limit.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.spliced(&Placement::Inside).model.to_vec()
    }

    /// Writes the patched model. Files that were there are replaced only once the new ones are complete.
    ///
    /// Where the source keeps data in other files, the result has one of its own: `<name of path>.data` beside it,
    /// with all that the source has outside its file, changed or not, and their old alignment for memory maps.
    /// Nothing is forced to the disk: a system that crashes right afterwards may lose what was written.
    ///
    /// # Errors
    /// The path, or that of the new data file, is that of one of the model's own files ([`SurgeryError::SameFile`]),
    /// its folder does not exist, its name is no text and a data file is needed, or the system refuses. In each case
    /// the folder is as it was.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), SurgeryError> {
        let path = path.as_ref();
        let folder = folder_of(path);
        if !folder.is_dir() {
            return Err(SurgeryError::NoFolder { folder: folder.to_owned() });
        }
        self.check_not_own(path)?;
        if self.model.external.is_empty() {
            let new = new_file(path, &self.spliced(&Placement::Inside).model)?;
            return new.publish().map_err(write_error(path));
        }
        let data_path = data_path(path)?;
        self.check_not_own(&data_path)?;
        let name = data_path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let name = name.ok_or_else(|| SurgeryError::NoName { path: path.to_owned() })?;
        let Spliced { model, data } = self.spliced(&Placement::Beside(name));
        let (data, model) = (new_file(&data_path, &data)?, new_file(path, &model)?);
        let data = data.publish_for_now().map_err(write_error(&data_path))?;
        if let Err(source) = model.publish() {
            data.take_back().map_err(write_error(&data_path))?;
            return Err(write_error(path)(source));
        }
        Ok(())
    }

    fn check_not_own(&self, path: &Path) -> Result<(), SurgeryError> {
        let Ok(real) = path.canonicalize() else { return Ok(()) };
        let own = self.model.path().and_then(|own| own.canonicalize().ok());
        // Paths of data files are without links already.
        if own.iter().chain(self.model.data_files()).any(|own| *own == real) {
            return Err(SurgeryError::SameFile { path: path.to_owned() });
        }
        Ok(())
    }

    fn spliced(&self, placement: &Placement) -> Spliced {
        let model = self.model;
        splice(&model.bytes, &model.external, placement, &self.edits())
            .expect("the bytes were decoded when the model was opened")
    }
}

/// Where the data of a model at `path` go.
fn data_path(path: &Path) -> Result<PathBuf, SurgeryError> {
    let mut name = path.file_name().ok_or_else(|| SurgeryError::NoName { path: path.to_owned() })?.to_owned();
    name.push(".data");
    Ok(path.with_file_name(name))
}

fn new_file(path: &Path, rope: &crate::rope::Rope) -> Result<NewFile, SurgeryError> {
    let mut new = NewFile::create(path).map_err(write_error(path))?;
    write_buffered(new.file(), |out| rope.write_to(out)).map_err(write_error(path))?;
    Ok(new)
}

fn write_error(path: &Path) -> impl FnOnce(std::io::Error) -> SurgeryError + '_ {
    move |source| SurgeryError::Write { path: path.to_owned(), source }
}
