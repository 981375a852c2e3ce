//! What every public type can do: be sent to another thread, and be printed for debugging.

use benefit::*;
use std::fmt::Debug;

fn is_send_and_debug<T: Send + Debug + ?Sized>() {}
fn is_send<T: Send + ?Sized>() {}

#[test]
fn public_types_are_send_and_debug() {
    is_send_and_debug::<Budget>();
    is_send_and_debug::<BudgetError>();
    is_send_and_debug::<GroupBuilder<'_>>();
    is_send_and_debug::<ProblemBuilder>();
    is_send_and_debug::<FitError>();
    is_send_and_debug::<LatencyFit>();
    is_send_and_debug::<Reading>();
    is_send_and_debug::<Cell>();
    is_send_and_debug::<LayerCost>();
    is_send_and_debug::<Levels>();
    is_send_and_debug::<Criterion>();
    is_send_and_debug::<ProblemError>();
    is_send_and_debug::<SweepError>();
    is_send_and_debug::<Exact>();
    is_send_and_debug::<Limits>();
    is_send_and_debug::<Global>();
    is_send_and_debug::<Hold>();
    is_send_and_debug::<Knapsack>();
    is_send_and_debug::<LevelRule>();
    is_send_and_debug::<Magnitude<'_>>();
    is_send_and_debug::<Holder>();
    is_send_and_debug::<Infeasible>();
    is_send_and_debug::<CellUse>();
    is_send_and_debug::<Cost>();
    is_send_and_debug::<Group>();
    is_send_and_debug::<Problem>();
    is_send_and_debug::<Rounded<Uniform>>();
    is_send_and_debug::<Scope>();
    is_send_and_debug::<Scores<'_>>();
    is_send_and_debug::<Solution>();
    is_send_and_debug::<Step>();
    is_send_and_debug::<StepKind>();
    is_send_and_debug::<Stopped>();
    is_send_and_debug::<Knot>();
    is_send_and_debug::<Sweep>();
    is_send_and_debug::<TwoStage>();
    is_send_and_debug::<Uniform>();
    is_send_and_debug::<ValueCurve>();
    is_send_and_debug::<ValueError>();
    is_send_and_debug::<ValueKind>();
    is_send::<Box<dyn Planner>>();
    is_send::<Box<dyn Value>>();
    is_send::<std::sync::Arc<dyn Value>>();
}
