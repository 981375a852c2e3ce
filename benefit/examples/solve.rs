//! Solves a problem from a file, as `locp plan --problem-out` writes it, or as it has been changed since.
//!
//!     cargo run --release -p benefit --features serde --example solve -- PROBLEM.json RATIO
//!
//! One JSON object: what `exact` finds and proves, and the channels that each group keeps. Where no plan is that fast, the
//! best ratio there is.
#![allow(clippy::print_stdout, reason = "an example prints")]

use benefit::{Budget, Exact, Planner, Problem};
use std::collections::BTreeMap;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [path, ratio] = words.as_slice() else {
        println!("solve PROBLEM.json RATIO");
        return Ok(());
    };
    let problem: Problem = serde_json::from_slice(&std::fs::read(path)?)?;
    let answer = match Exact::default().plan(&problem, Budget::ratio(ratio.parse()?)) {
        Ok(plan) => {
            let names = problem.groups().iter().map(|group| group.name.as_str());
            let kept: BTreeMap<&str, usize> = names.zip(plan.widths.iter().copied()).collect();
            serde_json::json!({ "ratio": plan.ratio(), "value": plan.value, "gap": plan.gap(), "kept": kept })
        }
        Err(why) => serde_json::json!({ "infeasible": why.best_ratio, "proven": why.is_proven }),
    };
    println!("{answer}");
    Ok(())
}
