//! Which engines may run a spec, and in which order they are tried: plain data, no library.

use netspec::{ConvSpec, DType};
use std::fmt;

/// Notes of the library on an engine, by the numbers of its headers.
const TENSOR_CORE: u32 = 0;
const DOWN_CONVERT_INPUTS: u32 = 1;
const REDUCED_PRECISION_REDUCTION: u32 = 2;
const RUNTIME_COMPILATION: u32 = 0;

/// What the library says of an engine configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traits {
    /// The engine's number among those for its kind of graph.
    pub(crate) engine: i64,
    /// Knob types and values.
    pub(crate) knobs: Vec<[i64; 2]>,
    /// Numerical notes.
    pub(crate) numerical: Vec<u32>,
    /// Behavior notes.
    pub(crate) behavior: Vec<u32>,
}

impl Traits {
    /// Whether a plan of it is compiled when it is made.
    pub(crate) fn compiles(&self) -> bool {
        self.behavior.contains(&RUNTIME_COMPILATION)
    }

    /// Whether it runs on tensor cores.
    pub(crate) fn has_tensor_cores(&self) -> bool {
        self.numerical.contains(&TENSOR_CORE)
    }

    /// Whether the data type allows its arithmetic: f32 means no tensor cores, and no type allows inputs that are rounded
    /// to another one, or sums in less than f32.
    pub(crate) fn is_allowed(&self, dtype: DType) -> bool {
        let rounds =
            [DOWN_CONVERT_INPUTS, REDUCED_PRECISION_REDUCTION].iter().any(|note| self.numerical.contains(note));
        let is_forbidden = rounds || (dtype == DType::F32 && self.has_tensor_cores());
        !is_forbidden
    }
}

/// `eng28{k2=1,k24=3}`: the name that is kept with each measurement.
impl fmt::Display for Traits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "eng{}", self.engine)?;
        let knobs: Vec<String> = self.knobs.iter().map(|[of, value]| format!("k{of}={value}")).collect();
        if knobs.is_empty() { Ok(()) } else { write!(f, "{{{}}}", knobs.join(",")) }
    }
}

/// The configurations to try, as positions in the library's order, of which the first `recommended` come from its
/// heuristic and the rest are what it falls back to: what the type forbids is left out, repetitions too.
///
/// For depthwise convolutions the heuristic may recommend an engine that is compiled when it is used, which then is made
/// for them; a fallback that is compiled is a general one, and comes last.
pub(crate) fn order(all: &[Traits], recommended: usize, spec: &ConvSpec) -> Vec<usize> {
    let mut allowed: Vec<usize> =
        (0..all.len()).filter(|&i| all[i].is_allowed(spec.dtype) && !all[..i].contains(&all[i])).collect();
    let is_depthwise = spec.groups > 1 && spec.groups == spec.c_in;
    if is_depthwise {
        // Stable, so the library's order stays among the rest.
        allowed.sort_by_key(|&i| i >= recommended && all[i].compiles());
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::{Traits, order};

    fn engine(engine: i64, numerical: &[u32], behavior: &[u32]) -> Traits {
        Traits { engine, knobs: Vec::new(), numerical: numerical.to_vec(), behavior: behavior.to_vec() }
    }

    #[track_caller]
    fn check(spec: &str, all: &[Traits], recommended: usize, expect: &[usize]) {
        assert_eq!(order(all, recommended, &spec.parse().expect("a spec")), expect, "{spec}");
    }

    #[test]
    fn types_forbid_what_they_must() {
        // Plain, on tensor cores, rounding its inputs, summing in half precision.
        let all = [engine(0, &[], &[]), engine(1, &[0], &[]), engine(2, &[0, 1], &[]), engine(3, &[0, 2], &[])];
        check("n1 8>8 5x5 k1", &all, 4, &[0]);
        check("n1 8>8 5x5 k1 tf32", &all, 4, &[0, 1]);
        check("n1 8>8 5x5 k1 f16 nhwc", &all, 4, &[0, 1]);
    }

    #[test]
    fn compiled_fallbacks_come_last_for_depthwise_only() {
        let all = [engine(0, &[], &[0]), engine(1, &[], &[]), engine(0, &[], &[0]), engine(2, &[], &[3])];
        check("n1 8>8 5x5 k3 p1 g8 f16 nhwc", &all, 0, &[1, 3, 0]);
        check("n1 8>8 5x5 k3 p1 f16 nhwc", &all, 0, &[0, 1, 3]);
        check("n1 8>8 5x5 k3 p1 g2 f16 nhwc", &all, 0, &[0, 1, 3]);
        // What the library recommends stays first.
        check("n1 8>8 5x5 k3 p1 g8 f16 nhwc", &all, 4, &[0, 1, 3]);
        check("n1 8>8 5x5 k3 p1 g8 f16 nhwc", &all, 1, &[0, 1, 3]);
    }

    #[test]
    fn names_hold_engine_and_knobs() {
        assert_eq!(engine(28, &[], &[]).to_string(), "eng28");
        let knobs = vec![[2, 1], [24, 3]];
        assert_eq!(Traits { knobs, ..engine(28, &[], &[]) }.to_string(), "eng28{k2=1,k24=3}");
    }
}
