//! What is wrong with a file.

use std::borrow::Cow;
use std::fmt;

/// What is wrong with a file, and what to do about it if that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    what: String,
    remedy: Option<Cow<'static, str>>,
}

impl Fault {
    /// With what to do about it.
    pub(crate) fn new(what: impl Into<String>, remedy: impl Into<Cow<'static, str>>) -> Fault {
        Fault { what: what.into(), remedy: Some(remedy.into()) }
    }

    /// The same fault in a part of the file.
    pub(crate) fn within(self, part: &str) -> Fault {
        Fault { what: format!("{part}: {}", self.what), ..self }
    }

    /// What is wrong.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to do about it.
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }
}

/// A fault that no single step repairs.
impl From<String> for Fault {
    fn from(what: String) -> Fault {
        Fault { what, remedy: None }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        self.remedy().map_or(Ok(()), |remedy| write!(f, "; {remedy}"))
    }
}
