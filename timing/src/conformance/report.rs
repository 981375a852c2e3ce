//! What the kit found.

use std::fmt;

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The source does what is checked.
    Passed,
    /// The source does not, for this reason.
    Failed(String),
    /// The source does not offer what is checked, or another check fails first.
    Skipped(String),
}

/// One check and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// What is checked.
    pub name: &'static str,
    /// How it ended.
    pub outcome: Outcome,
}

/// What the kit found out about a source. `Display` prints one line per check.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a report that is not looked at checks nothing; call `assert`"]
pub struct Report {
    /// The source's engine, as its machine names it.
    pub engine: String,
    /// Every check, in the order in which they ran.
    pub checks: Vec<Check>,
}

impl Report {
    /// Returns whether no check failed; skipped ones count as not failed.
    pub fn passed(&self) -> bool {
        !self.checks.iter().any(|check| matches!(check.outcome, Outcome::Failed(_)))
    }

    /// Does nothing if no check failed.
    ///
    /// # Panics
    /// With the whole report if a check failed.
    #[track_caller]
    pub fn assert(&self) {
        assert!(self.passed(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conformance of the latency source `{}`", self.engine)?;
        for Check { name, outcome } in &self.checks {
            match outcome {
                Outcome::Passed => write!(f, "\n  passed   {name}")?,
                Outcome::Failed(reason) => write!(f, "\n  FAILED   {name}: {reason}")?,
                Outcome::Skipped(reason) => write!(f, "\n  skipped  {name}: {reason}")?,
            }
        }
        Ok(())
    }
}
