//! The seam between a problem and its solvers.

use crate::budget::Budget;
use crate::choice::Levels;
use crate::hold::Hold;
use crate::ledger::Ledger;
use crate::problem::Problem;
use crate::solution::Solution;
use crate::ticks::nanoseconds;
use std::fmt;

/// Chooses a level for every group.
///
/// # Contract
/// - A solution's predicted latency, as [`Problem::cost`] computes it, is at most the budget's.
/// - [`Infeasible`] carries the lowest latency that this planner knows how to reach; its
///   [`is_proven`](Infeasible::is_proven) says whether any choice at all could be lower.
/// - The order of the problem's layers does not matter.
///
/// # A second, silly implementation
/// ```
/// use benefit::{Budget, Infeasible, Planner, Problem, Solution};
///
/// /// All or nothing: the full widths if they fit, else the narrowest ones.
/// struct AllOrNothing;
/// impl Planner for AllOrNothing {
///     fn plan(&self, problem: &Problem, budget: Budget) -> Result<Solution, Infeasible> {
///         let limit_ns = budget.limit_ns(problem.dense_ns());
///         let narrowest = problem.levels(&vec![0; problem.groups().len()]).expect("every group has a level 0");
///         for levels in [problem.dense(), narrowest.clone()] {
///             if problem.cost(&levels).ns <= limit_ns {
///                 return Ok(Solution::new(problem, "all-or-nothing", levels));
///             }
///         }
///         Err(Infeasible::new(problem, "all-or-nothing", budget, &narrowest))
///     }
/// }
/// # let mut problem = Problem::builder();
/// # let a = problem.group("a", 8).levels(&[2, 8]).value(&[-1.0, 0.0]);
/// # problem.layer("conv", 3, a, |_, c_out| c_out as f64);
/// # let problem = problem.build()?;
/// assert_eq!(AllOrNothing.plan(&problem, Budget::ratio(0.5))?.widths, [2]);
/// assert_eq!(AllOrNothing.plan(&problem, Budget::ratio(0.1)).unwrap_err().best_ratio, 0.25);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Planner: Send {
    /// The best plan that it finds within the budget.
    fn plan(&self, problem: &Problem, budget: Budget) -> Result<Solution, Infeasible>;
}

impl<T: Planner + Sync + ?Sized> Planner for &T {
    fn plan(&self, problem: &Problem, budget: Budget) -> Result<Solution, Infeasible> {
        (**self).plan(problem, budget)
    }
}

impl<T: Planner + ?Sized> Planner for Box<T> {
    fn plan(&self, problem: &Problem, budget: Budget) -> Result<Solution, Infeasible> {
        (**self).plan(problem, budget)
    }
}

/// Something that takes time in a plan.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Holder {
    /// A layer's name, an operator's if a profile of the whole model told what it costs, `the operators between layers`,
    /// or `the fixed part`.
    pub name: String,
    /// Its time in nanoseconds.
    pub ns: f64,
    /// What keeps it up.
    pub hold: Hold,
}

/// No plan within the budget was found.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Infeasible {
    /// The planner that looked.
    pub planner: String,
    /// The budget in nanoseconds.
    pub limit_ns: f64,
    /// The lowest latency that it reached, in nanoseconds.
    pub best_ns: f64,
    /// The same as a share of the dense network's latency.
    pub best_ratio: f64,
    /// Whether it is certain that no choice of levels costs less than `best_ns`.
    pub is_proven: bool,
    /// What takes the time there, most first.
    pub holders: Vec<Holder>,
    /// What the narrowest network took as a whole, as a share of the dense network's latency, if it was timed.
    pub narrowest_ratio: Option<f64>,
}

/// What operators are called together, where only their sum is known.
const OPERATORS: &str = "the operators between layers";

/// How many holders are named in words.
const HOLDERS: usize = 3;

impl Infeasible {
    /// What to do, as the error's text ends.
    pub fn remedy(&self) -> &'static str {
        "ask for a higher latency, or allow narrower levels"
    }

    /// The answer if `levels` is the fastest plan that a planner knows; it does not count as proven.
    ///
    /// # Panics
    /// If the levels belong to a problem with other group or level counts.
    pub fn new(problem: &Problem, planner: &str, budget: Budget, levels: &Levels) -> Infeasible {
        let (dense_ns, best_ns) = (problem.dense_ns(), problem.cost(levels).ns);
        let levels = problem.own(levels);
        let layers = (0..problem.layers().len()).map(|layer| {
            (problem.layers()[layer].name(), nanoseconds(problem.layer_ticks(layer, levels)), Some(layer))
        });
        let operators = problem.operators.iter().enumerate().filter_map(|(index, operator)| {
            let [per_element, beside] = operator.known?;
            let ns = problem.scale * (per_element * problem.elements(index, levels) + beside);
            Some((operator.name.as_str(), ns, None))
        });
        // Which of the others costs what is not known, and without evidence not even whether they cost anything.
        let others = (0..problem.operators.len()).filter(|&index| problem.operators[index].known.is_none());
        let others_ns = problem.ns_per_element * others.map(|index| problem.elements(index, levels)).sum::<f64>();
        let named = if problem.operators_cost { others_ns } else { 0.0 };
        let rest = [(OPERATORS, named, None), ("the fixed part", problem.fixed_ns + others_ns - named, None)];
        let holder = |(name, ns, layer): (&str, f64, Option<usize>)| {
            let hold = layer.map_or(Hold::NoLayer, |layer| problem.hold(layer));
            Holder { name: name.to_owned(), ns, hold }
        };
        let mut holders: Vec<Holder> = layers.chain(operators).chain(rest).map(holder).collect();
        holders.retain(|holder| holder.ns > 0.0);
        holders.sort_by(|a, b| b.ns.total_cmp(&a.ns).then_with(|| a.name.cmp(&b.name)));
        Infeasible {
            planner: planner.to_owned(),
            limit_ns: budget.limit_ns(dense_ns),
            best_ns,
            best_ratio: if dense_ns > 0.0 { best_ns / dense_ns } else { 1.0 },
            is_proven: false,
            holders,
            narrowest_ratio: None,
        }
    }

    /// The shares of the time that each reason holds, largest first.
    pub fn shares(&self) -> Vec<(Hold, f64)> {
        let total: f64 = self.holders.iter().map(|holder| holder.ns).sum();
        let mut shares: Vec<(Hold, f64)> = Vec::new();
        for holder in &self.holders {
            match shares.iter_mut().find(|(hold, _)| *hold == holder.hold) {
                Some((_, share)) => *share += holder.ns / total,
                None => shares.push((holder.hold, holder.ns / total)),
            }
        }
        shares.sort_by(|a, b| b.1.total_cmp(&a.1));
        shares
    }

    pub(crate) fn proven(self, is_proven: bool) -> Infeasible {
        Infeasible { is_proven, ..self }
    }
}

impl fmt::Display for Infeasible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded up, so that the ratio that is named can be reached.
        let ratio = (self.best_ratio * 1000.0).ceil() / 1000.0;
        let (limit_ms, best_ms) = (self.limit_ns / 1e6, self.best_ns / 1e6);
        write!(f, "no plan takes at most {limit_ms:.4} ms; the best that {} reaches is {ratio:.3}x", self.planner)?;
        write!(f, " ({best_ms:.4} ms)")?;
        if let Some(ratio) = self.narrowest_ratio {
            write!(f, ", and the narrowest network was timed at {ratio:.3}x")?;
        }
        write!(f, ", held by ")?;
        for (i, Holder { name, ns, hold }) in self.holders.iter().take(HOLDERS).enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            write!(f, "{separator}`{name}` ({:.4} ms, {hold})", ns / 1e6)?;
        }
        if self.holders.len() > HOLDERS {
            let words = self.shares().into_iter().map(|(hold, share)| format!("{:.0} % {hold}", 100.0 * share));
            write!(f, " (in all {})", words.collect::<Vec<_>>().join(", "))?;
        }
        write!(f, "; {}", self.remedy())
    }
}

impl std::error::Error for Infeasible {}

/// The costs that a planner works on, and the budget in ticks.
pub(crate) fn opened<'p>(problem: &'p Problem, budget: Budget) -> (Ledger<'p>, crate::ticks::Ticks) {
    let ledger = Ledger::new(problem);
    let limit = crate::ticks::limit_ticks(budget.limit_ns(problem.dense_ns()));
    (ledger, limit)
}
