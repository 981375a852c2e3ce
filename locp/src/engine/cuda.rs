//! The GPU engine by its name.

use super::Engine;
use crate::Error;
use gpu_bench::{Cuda, Selection};
use timing::BackendSource;

/// A chunk during which an anchor moved by more than this is measured again, at most so often.
const DRIFT: f64 = 0.01;
const REPETITIONS: u32 = 3;

/// Returns the GPU engine with its anchors; `None` if the name is not one of it.
pub(super) fn named(name: &str, seed: u64) -> Option<Result<Engine, Error>> {
    let (index, selection) = parse(name)?;
    let open = || -> Result<Engine, Error> {
        let source = BackendSource::new(Cuda::device(index)?.selection(selection).seed(seed))?;
        let anchors = gpu_bench::anchors();
        let anchored = anchors.into_iter().fold(source, |source, spec| source.anchor(spec, DRIFT));
        Ok(Box::new(anchored.repetitions(REPETITIONS)))
    };
    Some(open())
}

/// Device and policy of `cuda`, `cuda:1`, `cuda:autotune`, `cuda:1:autotune`.
fn parse(name: &str) -> Option<(usize, Selection)> {
    let mut words = name.split(':').peekable();
    if words.next()? != "cuda" {
        return None;
    }
    let index = words.peek().and_then(|word| word.parse().ok());
    if index.is_some() {
        words.next();
    }
    let selection = match words.next() {
        None => Selection::Heuristic,
        Some(word) => [Selection::Heuristic, Selection::Autotune].into_iter().find(|of| of.name() == word)?,
    };
    words.next().is_none().then_some((index.unwrap_or(0), selection))
}

#[cfg(test)]
mod tests {
    use super::parse;
    use gpu_bench::Selection::{Autotune, Heuristic};

    #[test]
    fn device_and_policy_are_read_from_the_name() {
        let check = |name: &str, expect| assert_eq!(parse(name), expect, "{name}");
        check("cuda", Some((0, Heuristic)));
        check("cuda:3", Some((3, Heuristic)));
        check("cuda:autotune", Some((0, Autotune)));
        check("cuda:1:autotune", Some((1, Autotune)));
        for wrong in ["cuda:", "cuda:1:", "cuda:fast", "cuda:-1", "cuda:autotune:1", "cuda:1:autotune:2", "cudnn"] {
            check(wrong, None);
        }
    }
}
