//! A choice of one level per group, checked when it is made.

use crate::error::ProblemError;
use crate::problem::{Group, Problem};

/// A level index for every group of a problem: index i selects `groups()[g].levels[i]`.
///
/// Made by a planner, [`Problem::dense`] or [`Problem::levels`], so that every index is in range; channel widths are plain
/// numbers, and [`Problem::widths`] converts.
/// It belongs to problems with as many groups, and as many levels in each, as the one it was made for. The methods of
/// [`Problem`] panic if it does not fit, as indexing a slice does, because only a bug mixes up two problems.
///
/// ```
/// use benefit::{Problem, ProblemError};
/// let mut problem = Problem::builder();
/// let a = problem.group("a", 64).levels(&[32, 64]).value(&[-1.0, 0.0]);
/// problem.layer("conv", 3, a, |_, c_out| c_out as f64);
/// let problem = problem.build()?;
/// let narrow = problem.levels(&[0])?;
/// assert_eq!((problem.widths(&narrow), problem.cost(&narrow).ns), (vec![32], 32.0));
/// assert!(matches!(problem.levels(&[32]), Err(ProblemError::LevelIndex { level: 32, levels: 2, .. })));
/// # Ok::<(), ProblemError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct Levels {
    indices: Vec<usize>,
    /// The number of levels of every group.
    #[cfg_attr(feature = "serde", serde(skip))]
    counts: Vec<usize>,
}

impl Levels {
    /// The level index of every group.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }
}

impl Problem {
    /// The level indices of the dense network.
    pub fn dense(&self) -> Levels {
        self.chosen(self.full_levels())
    }

    /// Checks level indices, one per group.
    ///
    /// # Errors
    /// [`ProblemError::LevelCount`] if there is not one index per group, [`ProblemError::LevelIndex`] if a group has no such
    /// level.
    pub fn levels(&self, indices: &[usize]) -> Result<Levels, ProblemError> {
        if indices.len() != self.groups.len() {
            return Err(ProblemError::LevelCount { found: indices.len(), groups: self.groups.len() });
        }
        for (group, &level) in self.groups.iter().zip(indices) {
            let levels = group.levels.len();
            if level >= levels {
                return Err(ProblemError::LevelIndex { group: group.name.clone(), level, levels });
            }
        }
        let counts = self.groups.iter().map(|group| group.levels.len()).collect();
        Ok(Levels { indices: indices.to_vec(), counts })
    }

    /// Channels of every group at these levels.
    ///
    /// # Panics
    /// If the levels belong to a problem with other group or level counts.
    pub fn widths(&self, levels: &Levels) -> Vec<usize> {
        self.own(levels).iter().zip(&self.groups).map(|(&level, group)| group.levels[level]).collect()
    }

    pub(crate) fn full_levels(&self) -> Vec<usize> {
        self.groups.iter().map(Group::full).collect()
    }

    /// The levels that a planner of this crate chose.
    pub(crate) fn chosen(&self, indices: Vec<usize>) -> Levels {
        self.levels(&indices).expect("planners choose among the levels of every group")
    }

    /// The indices of levels that belong to this problem.
    pub(crate) fn own<'l>(&self, levels: &'l Levels) -> &'l [usize] {
        let counts = self.groups.iter().map(|group| group.levels.len());
        assert!(
            counts.eq(levels.counts.iter().copied()),
            "the levels belong to another problem: their groups have {:?} levels",
            levels.counts
        );
        &levels.indices
    }
}
