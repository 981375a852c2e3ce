//! Compares planners on problems from files, as `locp plan --problem-out` writes them.
//!
//!     cargo run --release -p benefit --features serde --example planners -- PROBLEM.json.. > planners.jsonl
//!
//! One JSON object a line: for every problem and budget what `exact` proves and how long it takes, and for each baseline
//! (with its best rounding) the latency that it reaches, what it is worth there and what `exact` is worth at the very
//! same latency, and the least latency at which `exact` is worth as much. With `--proofs` the baselines are left out.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

use benefit::{Budget, Exact, Global, Knapsack, Planner, Problem, Rounded, Solution, TwoStage, Uniform};
use std::error::Error;
use std::time::Instant;

const BUDGETS: [f64; 3] = [0.8, 0.6, 0.4];
/// Halvings of the range in which a latency of equal value is searched.
const HALVINGS: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let (flags, paths): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|word| word == "--proofs");
    for path in paths {
        let problem: Problem = serde_json::from_slice(&std::fs::read(&path)?)?;
        for ratio in BUDGETS {
            println!("{}", budget(&path, &problem, ratio, flags.is_empty()));
        }
    }
    Ok(())
}

fn budget(path: &str, problem: &Problem, ratio: f64, with_rivals: bool) -> serde_json::Value {
    let start = Instant::now();
    let exact = Exact::default().plan(problem, Budget::ratio(ratio));
    let seconds = start.elapsed().as_secs_f64();
    let exact = match exact {
        Ok(exact) => exact,
        Err(why) => {
            return serde_json::json!({
                "problem": path, "budget": ratio, "infeasible": why.best_ratio, "proven": why.is_proven
            });
        }
    };
    let start = Instant::now();
    let two_stage = TwoStage::default().plan(problem, Budget::ratio(ratio)).ok();
    let two_stage_seconds = start.elapsed().as_secs_f64();
    let levels: usize = problem.groups().iter().map(|group| group.levels.len()).sum();
    let baselines: [&dyn Planner; 3] =
        [&Rounded::new(Uniform), &Rounded::new(Global), &Rounded::new(Knapsack::default())];
    let names = ["uniform", "global", "knapsack"];
    let rivals: Vec<serde_json::Value> = names
        .iter()
        .zip(baselines)
        .filter(|_| with_rivals)
        .map(|(name, planner)| rival(problem, name, planner, ratio))
        .collect();
    serde_json::json!({
        "problem": path,
        "groups": problem.groups().iter().filter(|group| group.is_free()).count(),
        "levels": levels,
        "budget": ratio,
        "ratio": exact.ratio(),
        "value": exact.value,
        "gap": exact.gap(),
        "stopped": exact.stopped.to_string(),
        "seconds": seconds,
        "estimated": exact.estimated,
        "two_stage": two_stage.map(|plan| serde_json::json!({
            "ratio": plan.ratio(), "value": plan.value, "gap": plan.gap(), "seconds": two_stage_seconds
        })),
        "rivals": rivals,
    })
}

/// A baseline at a budget, and `exact` at the latency and at the value that the baseline reaches.
fn rival(problem: &Problem, name: &str, planner: &dyn Planner, ratio: f64) -> serde_json::Value {
    let plan = match planner.plan(problem, Budget::ratio(ratio)) {
        Ok(plan) => plan,
        Err(why) => return serde_json::json!({ "planner": name, "infeasible": why.best_ratio }),
    };
    let at = |ns: f64| Exact::default().plan(problem, Budget::ns(ns)).ok();
    let same_latency = at(plan.predicted_ns);
    serde_json::json!({
        "planner": name,
        "as": plan.planner,
        "ratio": plan.ratio(),
        "value": plan.value,
        "exact_value": same_latency.as_ref().map(|exact| exact.value),
        "exact_gap": same_latency.as_ref().and_then(Solution::gap),
        "exact_ratio_at_value": equal_value(problem, &plan, at),
    })
}

/// The least latency, as a share of the dense one, at which `at` finds a plan that is worth as much.
fn equal_value(problem: &Problem, plan: &Solution, at: impl Fn(f64) -> Option<Solution>) -> f64 {
    let (mut low, mut high) = (0.25 * plan.predicted_ns, plan.predicted_ns);
    for _ in 0..HALVINGS {
        let middle = (low + high) / 2.0;
        match at(middle).filter(|exact| exact.value >= plan.value) {
            Some(exact) => high = exact.predicted_ns,
            None => low = middle,
        }
    }
    high / problem.dense_ns()
}
