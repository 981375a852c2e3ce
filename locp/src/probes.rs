//! Narrow versions of the model that are timed before anything is planned: how the whole model differs from the sum of
//! its layers is only seen on several of them.

use crate::model::Model;
use crate::profile::{Names, PartTimes};
use crate::{Error, Watch, whole};
use benefit::{Levels, Problem};
use stats::median;
use timing::LatencySource;

/// Widths of a network in between, as shares of the full ones.
const BETWEEN: [f64; 2] = [0.375, 0.75];

/// Returns levels of networks to be timed, without repetition, none of them dense: the narrowest one, and two in
/// between, of which the first has widths that are multiples of high powers of two, the other one of low powers.
///
/// If that makes no difference, the other one has its first half narrow and the rest wide: what layers and what
/// operators cost shrinks in different places.
pub(crate) fn levels(problem: &Problem) -> Vec<Levels> {
    let of = |choose: &dyn Fn(usize) -> usize| {
        let indices: Vec<usize> = (0..problem.groups().len()).map(choose).collect();
        problem.levels(&indices).expect("the indices are those of levels")
    };
    let narrowest = of(&|_| 0);
    let aligned = of(&|group| between(problem, group, |width| u32::MAX - width.trailing_zeros()));
    let unaligned = of(&|group| between(problem, group, usize::trailing_zeros));
    let groups = problem.groups().len();
    let split = of(&|group| match 2 * group < groups {
        true => with_channels(problem, group),
        false => problem.groups()[group].full(),
    });
    let other = if aligned == unaligned { split } else { unaligned };
    let mut probes = Vec::new();
    for levels in [narrowest, aligned, other] {
        if levels != problem.dense() && !probes.contains(&levels) {
            probes.push(levels);
        }
    }
    probes
}

/// The narrowest level of a group that leaves channels.
fn with_channels(problem: &Problem, group: usize) -> usize {
    problem.groups()[group].levels.iter().position(|&width| width > 0).unwrap_or(0)
}

/// A level of about half the width: the one of least `rank`, and of those the nearest to half.
fn between(problem: &Problem, group: usize, rank: impl Fn(usize) -> u32) -> usize {
    let group = &problem.groups()[group];
    let share = |width: usize| width as f64 / group.channels as f64;
    let off = |width: usize| (share(width) - 0.5).abs();
    let all = || group.levels.iter().copied().enumerate().filter(|&(_, width)| width > 0);
    let middle = all().filter(|&(_, width)| share(width) >= BETWEEN[0] && share(width) <= BETWEEN[1]);
    let best = middle.min_by(|a, b| rank(a.1).cmp(&rank(b.1)).then(off(a.1).total_cmp(&off(b.1))));
    let nearest = || all().min_by(|a, b| off(a.1).total_cmp(&off(b.1)));
    best.or_else(nearest).map_or(group.full(), |(level, _)| level)
}

/// Times that all networks are loaded anew.
const BLOCKS: u64 = 3;

/// A network that was timed in turns with the dense one.
pub(crate) struct Probed {
    /// Its latency as a share of the dense one's.
    pub(crate) ratio: f64,
    /// What its parts take, as shares of the dense latency, if the source profiles.
    pub(crate) parts: Option<PartTimes>,
}

/// Times networks in turns, of which the first one is dense, in blocks that load all of them anew, and profiles them once.
pub(crate) fn take(
    source: &dyn LatencySource,
    models: &[&Model],
    names: &Names,
    watch: &Watch<'_>,
) -> Result<Vec<Probed>, Error> {
    let mut ratios: Vec<Vec<f64>> = vec![Vec::new(); models.len()];
    let mut parts: Vec<Option<PartTimes>> = vec![None; models.len()];
    for block in 0..BLOCKS {
        let Some(all_ns) = whole::in_turns(source, models, block, watch)? else { break };
        for (index, model) in models.iter().enumerate() {
            ratios[index].push(all_ns[index] / all_ns[0]);
            if block == 0 {
                parts[index] = names.profile(source, model)?.map(|parts| parts.scaled(1.0 / all_ns[0]));
            }
        }
    }
    let probed = |(ratios, parts): (&Vec<f64>, Option<PartTimes>)| Some(Probed { ratio: median(ratios)?, parts });
    Ok(ratios.iter().zip(parts).filter_map(probed).collect())
}
