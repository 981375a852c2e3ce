//! A planner of one's own in the whole pipeline: the widest group loses a level until the budget holds.

use locp::{Budget, MemoryStore, Model, Pipeline, Planner, engine};
use locp::{Infeasible, Problem, Solution};

/// Narrows the widest group by one level until the budget holds.
struct WidestFirst;

impl Planner for WidestFirst {
    fn plan(&self, problem: &Problem, budget: Budget) -> Result<Solution, Infeasible> {
        let limit_ns = budget.limit_ns(problem.dense_ns());
        let mut levels = problem.dense();
        while problem.cost(&levels).ns > limit_ns {
            let (widths, mut indices) = (problem.widths(&levels), levels.indices().to_vec());
            let open = (0..indices.len()).filter(|&group| indices[group] > 0);
            let Some(widest) = open.max_by_key(|&group| widths[group]) else {
                return Err(Infeasible::new(problem, "widest-first", budget, &levels));
            };
            indices[widest] -= 1;
            levels = problem.levels(&indices).expect("an index below one in range is in range");
        }
        Ok(Solution::new(problem, "widest-first", levels))
    }
}

#[allow(clippy::print_stdout, reason = "an example shows its result")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = Model::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/fashion.onnx").as_ref(), Some(64))?;
    // Simulated, so that it takes a moment anywhere.
    let source = engine("simulated:h100", 1, 0)?;
    let pruned = Pipeline::new(source, MemoryStore::default()).planner(WidestFirst).run(&model, Budget::ratio(0.7))?;
    println!("{}: {:.3}x (simulated)", pruned.planned.solution.planner, pruned.ratio());
    for group in &pruned.planned.plan.groups {
        println!("{:24} {:4} -> {:4}", group.name, group.channels, group.keep.len());
    }
    Ok(())
}
