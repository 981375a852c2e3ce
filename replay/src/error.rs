//! Why a recorded table could not be read or written.

use std::path::PathBuf;

const ANOTHER_FILE: &str = "choose another file";
const CHECK_PATH: &str = "check the path and its permissions";
const REPAIR_LINE: &str = "repair or remove the line";

/// Why a recorded table could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The file could not be opened, read or written.
    #[error("{}: {source}; {CHECK_PATH}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The first line is no header of a table that this version reads.
    #[error("{}: {found}; the first line of a recorded table is {{\"schema\":\"{schema}\",\"machine\":{{..}}}}", path.display(), schema = crate::recorder::SCHEMA)]
    Header {
        /// The file.
        path: PathBuf,
        /// What is there instead.
        found: String,
    },
    /// The table is another machine's, whose numbers are not to be mixed with this one's.
    #[error("{}: it is a table of {found}, and what is to be written is of {writing}; {ANOTHER_FILE}", path.display())]
    Machine {
        /// The file.
        path: PathBuf,
        /// The machine that it was recorded on.
        found: Box<netspec::Machine>,
        /// The machine that was to go on with it.
        writing: Box<netspec::Machine>,
    },
    /// A line is no measurement.
    #[error("{}, line {line}: {reason}; {REPAIR_LINE}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line's number, the header being 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

impl RecordError {
    /// What to do, as the error's text ends; `None` if no step is known.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            RecordError::Io { .. } => Some(CHECK_PATH),
            RecordError::Machine { .. } => Some(ANOTHER_FILE),
            RecordError::Line { .. } => Some(REPAIR_LINE),
            RecordError::Header { .. } => None,
        }
    }

    pub(crate) fn io(path: &std::path::Path) -> impl Fn(std::io::Error) -> RecordError + use<'_> {
        move |source| RecordError::Io { path: path.to_owned(), source }
    }
}
