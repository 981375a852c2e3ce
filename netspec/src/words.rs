//! The words of small enums: what `Display` writes, `FromStr` reads and, with the feature `serde`, files hold.

use crate::{Axis, CacheState, Provenance, StopReason};
use std::fmt;
use std::str::FromStr;

/// A text is not one of the expected words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WordError {
    /// The text.
    pub word: String,
    /// The words that are expected.
    pub expected: &'static str,
}

impl fmt::Display for WordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read `{}`; expected one of {}", self.word, self.expected)
    }
}

impl std::error::Error for WordError {}

macro_rules! words {
    ($($type:ident: $first:literal => $first_variant:ident $(, $word:literal => $variant:ident)*;)+) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self {
                    $type::$first_variant => $first,
                    $($type::$variant => $word,)*
                })
            }
        }

        /// Reads the words that `Display` writes.
        impl FromStr for $type {
            type Err = WordError;
            fn from_str(word: &str) -> Result<$type, WordError> {
                match word {
                    $first => Ok($type::$first_variant),
                    $($word => Ok($type::$variant),)*
                    _ => Err(WordError { word: word.to_owned(), expected: concat!($first $(, ", ", $word)*) }),
                }
            }
        }
    )+};
}

words! {
    Axis: "c_in" => CIn, "c_out" => COut;
    CacheState: "warm" => Warm, "cold" => Cold, "network" => Network;
    Provenance: "measured" => Measured, "same-tread" => SameTread, "interpolated" => Interpolated,
        "recorded" => Recorded, "simulated" => Simulated;
    StopReason: "precise" => Precise, "noise-settled" => NoiseSettled, "sample-limit" => SampleLimit,
        "time-limit" => TimeLimit, "decided" => Decided, "not-sampled" => NotSampled;
}
