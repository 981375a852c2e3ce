//! The whole pipeline: one import for people who want everything.
//!
//! It wires the other crates together (engines, the latency table, steps, the plan, surgery, verification) and
//! holds the report types whose JSON the command line promises. It prints nothing, and its errors name parameters, not flags; the price of
//! wiring everything is that it depends on everything, the embedded engine included. Whoever wants one algorithm
//! takes that crate alone.
//!
//! ```no_run
//! use locp::{Budget, MemoryStore, Model, Pipeline, engine};
//!
//! let engine = engine("auto", 1, 0)?;
//! let model = Model::open("model.onnx".as_ref(), None)?;
//! let pruned = Pipeline::new(engine, MemoryStore::default()).run(&model, Budget::ratio(0.6))?;
//! pruned.write("pruned.onnx".as_ref())?;
//! # Ok::<(), locp::Error>(())
//! ```
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod accuracy;
mod agreement;
mod aim;
mod align;
mod apply;
mod arrays;
mod attempts;
mod bench;
mod calib;
mod constraints;
mod counts;
mod doctor;
mod engine;
mod error;
mod explain;
mod files;
mod frontier;
mod held_out;
mod holds;
mod images;
mod inspect;
mod line;
mod measure;
mod members;
mod model;
mod modules;
#[cfg(feature = "pictures")]
mod pictures;
mod pipeline;
mod planned;
mod planning;
pub mod plot;
mod preprocess;
mod probes;
mod profile;
mod progress;
mod prune;
mod remembered;
pub mod report;
mod rounds;
mod run;
mod scores;
mod shard;
mod sizes;
mod steps;
mod sweeps;
mod table;
mod tables;
mod verify;
mod whole;

pub use accuracy::{accuracy, wilson};
pub use apply::{apply, apply_fitted, read_plan};
pub use bench::bench;
pub use benefit::{
    Budget, Criterion, Exact, Global, Infeasible, Knapsack, Limits, Magnitude, Planner, Problem, Rounded, Scope,
    Scores, Solution, TwoStage, Uniform, Value,
};
pub use calib::{Calib, Damage, LayerRepair, Repair, Skipped, check_apart, repair, write_damage};
pub use constraints::{Constraints, Least};
pub use counts::Counts;
pub use doctor::doctor;
pub use engine::{Engine, engine, engine_without_device, runner};
pub use error::{Error, ErrorKind, Fault, Parameter};
pub use files::{check_outputs, write_aligned, write_bytes, write_plan, write_problem};
pub use held_out::{Comparison, HeldOut};
pub use images::{Images, read_labels};
pub use inspect::inspect;
pub use measure::Measurer;
pub use model::Model;
pub use netspec;
pub use pipeline::{Options, Pipeline};
pub use planned::Planned;
pub use preprocess::Preprocess;
pub use progress::{Cancel, Progress, Silent, Watch};
pub use prune::report as prune_report;
pub use run::Pruned;
pub use scores::read_scores;
pub use shard::Shard;
pub use sharing::{DiskStore, MemoryStore, Store, TableKind};
pub use sizes::FreeInput;
pub use stairstep;
pub use sweeps::{SearchKind, SweepOptions};
pub use table::{default_path, layers_below, open};
pub use tables::{table_diff, table_export, table_import, table_info, table_merge, table_set_aside};
pub use timing::{
    Answer, LatencySource, Limited, ModelBackend, Request, Sampling, StopRule, TimingError, Verdict, from_fn,
};
pub use verify::verify;
