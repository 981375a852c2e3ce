//! Chooses how many channels every group of a network keeps under a latency budget.
//!
//! A [`Problem`] is plain data: groups with the widths that they may take and what each is worth, layers whose
//! cost T(c_in, c_out) is looked up and never computed, operators that pay per element. It can be written by hand,
//! made from a [`netspec::Network`], or read from a file; nothing here measures anything or knows ONNX.
//! Costs are stairs, so no planner assumes that they are smooth, monotone or separable. The price of that is that
//! cells are needed: two sweeps per layer estimate them all, and those that a plan uses are to be measured.
//!
//! ```
//! use benefit::{Budget, Exact, Planner, Problem};
//!
//! let mut problem = Problem::builder();
//! let a = problem.group("conv1", 64).levels(&[16, 32, 48, 64]).value(&[-3.0, -1.0, -0.3, 0.0]);
//! let b = problem.group("conv2", 128).every(32).value(&[-2.0, -0.8, -0.2, 0.0]);
//! // One step every 16 output channels, and one every 32 input channels.
//! let ns = |c_in: usize, c_out: usize| 100.0 * c_out.div_ceil(16) as f64 * c_in.div_ceil(32) as f64;
//! problem.layer("conv1", 3, a, ns);
//! problem.layer("conv2", [a], b, ns);
//! problem.layer("conv3", [b], 32, ns);
//! let problem = problem.build()?;
//!
//! let solution = Exact::default().plan(&problem, Budget::ratio(0.6))?;
//! assert!(solution.predicted_ns <= 0.6 * problem.dense_ns());
//! assert_eq!(solution.gap(), Some(0.0));
//! println!("{:?}: {:.2}x", solution.widths, solution.ratio());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Swap the value by implementing [`Value`], the solver by implementing [`Planner`].
//! Feature `serde` (off by default) derives serialization for the problem and the solution.
#![deny(missing_debug_implementations, missing_docs)]
#![forbid(unsafe_code)]

mod budget;
mod builder;
mod cells;
mod check;
mod choice;
mod context;
mod criterion;
mod descent;
mod eliminate;
mod error;
mod exact;
mod factor;
mod fit;
mod from_network;
mod global;
mod hold;
mod knapsack;
mod labels;
mod lagrange;
mod ledger;
mod levels;
mod loading;
mod magnitude;
mod marginals;
mod model;
mod plan;
mod problem;
mod proof;
mod refine;
mod refit;
mod relaxation;
mod rounded;
mod scope;
mod scores;
mod solution;
mod stage_one;
mod stages;
mod state;
mod sweep;
mod ticks;
mod two_stage;
mod uniform;
mod units;
mod value;
#[cfg(feature = "serde")]
mod wire;

pub use budget::{Budget, BudgetError};
pub use builder::{GroupBuilder, ProblemBuilder};
pub use cells::{Cell, LayerCost};
pub use choice::Levels;
pub use context::Profile;
pub use criterion::Criterion;
pub use error::{ProblemError, SweepError};
pub use exact::Exact;
pub use fit::{Assumptions, Coefficient, FitError, LatencyFit, Reading, fit_latency};
pub use from_network::Limits;
pub use global::Global;
pub use hold::Hold;
pub use knapsack::Knapsack;
pub use levels::{LevelRule, levels_from};
pub use magnitude::Magnitude;
pub use plan::{Holder, Infeasible, Planner};
pub use problem::{CellUse, Cost, Group, Problem};
pub use rounded::Rounded;
pub use scope::Scope;
pub use scores::Scores;
pub use solution::{Solution, Step, StepKind, Stopped};
pub use sweep::{Knot, Sweep};
pub use two_stage::TwoStage;
pub use uniform::Uniform;
pub use value::{Value, ValueCurve, ValueError, ValueKind};
