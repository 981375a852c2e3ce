//! Files that appear as a whole or not at all.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::{NamedTempFile, TempPath};

/// A file that is written under a temporary name in its target's folder, and gets the target's name when it is complete.
///
/// It has the permissions of any new file. Dropped before that, it is gone and the target is as it was.
/// Nothing is forced to the disk.
#[derive(Debug)]
pub(crate) struct NewFile {
    file: NamedTempFile,
    target: PathBuf,
}

impl NewFile {
    /// A file that will be called `target`.
    ///
    /// # Errors
    /// The target's folder does not exist or may not be written to.
    pub(crate) fn create(target: &Path) -> io::Result<NewFile> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".locp-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        Ok(NewFile { file: builder.tempfile_in(folder_of(target))?, target: target.to_owned() })
    }

    /// The file, to be written.
    pub(crate) fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Gives it its name. What had that name is replaced in one step.
    ///
    /// # Errors
    /// The system refuses, for instance because the target is a folder; the new file is gone then.
    pub(crate) fn publish(self) -> io::Result<()> {
        self.file.persist(&self.target).map(drop).map_err(|error| error.error)
    }

    /// The same, in a way that can be taken back as long as the result lives.
    pub(crate) fn publish_for_now(self) -> io::Result<Published> {
        let earlier = match self.target.symlink_metadata() {
            // Renaming onto a temporary file, which is gone again at the end.
            Ok(old) if !old.is_dir() => {
                let aside = NewFile::create(&self.target)?.file.into_temp_path();
                std::fs::rename(&self.target, &aside)?;
                Some(aside)
            }
            _ => None,
        };
        let published = Published { target: self.target.clone(), earlier };
        match self.publish() {
            Ok(()) => Ok(published),
            Err(error) => {
                published.put_back()?;
                Err(error)
            }
        }
    }
}

/// A file that has its name, and what had that name before.
pub(crate) struct Published {
    target: PathBuf,
    earlier: Option<TempPath>,
}

impl Published {
    /// Makes the folder as it was.
    pub(crate) fn take_back(self) -> io::Result<()> {
        std::fs::remove_file(&self.target)?;
        self.put_back()
    }

    fn put_back(self) -> io::Result<()> {
        match self.earlier {
            Some(aside) => aside.persist(&self.target).map_err(|error| error.error),
            None => Ok(()),
        }
    }
}

/// The folder that a file is in: the current one where its path names none.
pub(crate) fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes through a buffer that is small next to what most callers hand over at once.
pub(crate) fn write_buffered(file: &mut File, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut buffered = io::BufWriter::with_capacity(1 << 16, file);
    write(&mut buffered)?;
    buffered.flush()
}
