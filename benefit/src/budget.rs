//! How long the network may take.

use std::fmt;
use std::str::FromStr;

/// The latency that a plan may have at most.
///
/// [`Budget::ratio`] and [`Budget::ns`] take any number, since a planner answers an impossible one with
/// [`Infeasible`](crate::Infeasible); [`Budget::check`] and reading from text refuse what makes no sense.
///
/// ```
/// use benefit::Budget;
/// assert_eq!("0.6x".parse(), Ok(Budget::ratio(0.6)));
/// assert_eq!("1.5ms".parse(), Ok(Budget::ns(1.5e6)));
/// assert_eq!(Budget::ratio(0.6).limit_ns(2e6), 1.2e6);
/// assert!("60%".parse::<Budget>().unwrap_err().to_string().contains("0.6x"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Budget {
    /// A share of the dense network's latency, in (0, 1].
    Ratio(f64),
    /// Nanoseconds.
    Ns(f64),
}

/// Why a budget makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BudgetError {
    /// The text is no number with a unit.
    #[error("cannot read the budget `{text}`; {WRITE}")]
    Text {
        /// The text.
        text: String,
    },
    /// The ratio is outside (0, 1].
    #[error("the budget {ratio}x is not a share of today's latency; {SHARE}")]
    Ratio {
        /// The ratio.
        ratio: f64,
    },
    /// The time is not positive and finite.
    #[error("the budget of {ns} ns is not a latency; {TIME}")]
    Time {
        /// The time in nanoseconds.
        ns: f64,
    },
}

const WRITE: &str = "write a share of today's latency like 0.6x, or a time like 12ms or 800us";
const SHARE: &str = "choose one above 0x and at most 1x, like 0.6x";
const TIME: &str = "choose a time above 0, like 12ms";

impl BudgetError {
    /// What to do, as the error's text ends.
    pub fn remedy(&self) -> &'static str {
        match self {
            BudgetError::Text { .. } => WRITE,
            BudgetError::Ratio { .. } => SHARE,
            BudgetError::Time { .. } => TIME,
        }
    }
}

const UNITS: [(&str, f64); 4] = [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)];

impl Budget {
    /// A share of the dense network's latency: 0.6 asks for at most 60 % of it.
    pub fn ratio(ratio: f64) -> Budget {
        Budget::Ratio(ratio)
    }

    /// At most `ns` nanoseconds.
    pub fn ns(ns: f64) -> Budget {
        Budget::Ns(ns)
    }

    /// Refuses ratios outside (0, 1] and times that are not positive and finite.
    pub fn check(self) -> Result<Budget, BudgetError> {
        match self {
            Budget::Ratio(ratio) if ratio > 0.0 && ratio <= 1.0 => Ok(self),
            Budget::Ratio(ratio) => Err(BudgetError::Ratio { ratio }),
            Budget::Ns(ns) if ns > 0.0 && ns.is_finite() => Ok(self),
            Budget::Ns(ns) => Err(BudgetError::Time { ns }),
        }
    }

    /// The limit in nanoseconds where the dense network takes `dense_ns`.
    pub fn limit_ns(self, dense_ns: f64) -> f64 {
        match self {
            Budget::Ratio(ratio) => ratio * dense_ns,
            Budget::Ns(ns) => ns,
        }
    }
}

/// Reads `0.6x`, `900ns`, `800us`, `12ms` and `1s`.
impl FromStr for Budget {
    type Err = BudgetError;
    fn from_str(text: &str) -> Result<Budget, BudgetError> {
        let unreadable = || BudgetError::Text { text: text.to_owned() };
        let trimmed = text.trim();
        let number = |digits: &str| digits.trim().parse::<f64>().map_err(|_| unreadable());
        if let Some(digits) = trimmed.strip_suffix('x') {
            return Budget::Ratio(number(digits)?).check();
        }
        let (digits, unit_ns) = UNITS
            .into_iter()
            .find_map(|(unit, ns)| trimmed.strip_suffix(unit).map(|digits| (digits, ns)))
            .ok_or_else(unreadable)?;
        Budget::Ns(number(digits)? * unit_ns).check()
    }
}

/// Writes `0.6x` or `12ms`, in a form that can be read again.
impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Budget::Ratio(ratio) => write!(f, "{ratio}x"),
            Budget::Ns(ns) => write!(f, "{}ms", ns / 1e6),
        }
    }
}
