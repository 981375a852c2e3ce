//! A planner of one's own: one trait, one method. This one tries random choices and keeps the best.
#![allow(clippy::print_stdout, reason = "an example shows its result")]

use benefit::{Budget, Infeasible, Levels, Planner, Problem, Solution, TwoStage};

struct RandomSearch {
    tries: usize,
    seed: u64,
}

impl Planner for RandomSearch {
    fn plan(&self, problem: &Problem, budget: Budget) -> Result<Solution, Infeasible> {
        let limit_ns = budget.limit_ns(problem.dense_ns());
        let mut state = self.seed | 1;
        let mut below = |n: usize| {
            // Xorshift, by Marsaglia.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % n as u64) as usize
        };
        let mut best: Option<Levels> = None;
        let mut fastest = problem.dense();
        for _ in 0..self.tries {
            let indices: Vec<usize> = problem.groups().iter().map(|group| below(group.levels.len())).collect();
            let levels = problem.levels(&indices).expect("every index is below its group's number of levels");
            let ns = problem.cost(&levels).ns;
            if ns < problem.cost(&fastest).ns {
                fastest = levels.clone();
            }
            if ns <= limit_ns && best.as_ref().is_none_or(|best| problem.value(&levels) > problem.value(best)) {
                best = Some(levels);
            }
        }
        match best {
            Some(levels) => Ok(Solution::new(problem, "random-search", levels)),
            None => Err(Infeasible::new(problem, "random-search", budget, &fastest)),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut problem = Problem::builder();
    let mut before = None;
    for i in 0..8 {
        let value: Vec<f64> =
            (1..=8).map(|level| if level < 8 { -f64::from((8 - level) * (8 - level)) } else { 0.0 }).collect();
        let group = problem.group(&format!("conv{i}"), 128).every(16).value(&value);
        let ns = |c_in: usize, c_out: usize| (c_in.div_ceil(4) * c_out.div_ceil(16 << (i % 2))) as f64;
        match before {
            None => problem.layer("conv0", 3, group, ns),
            Some(before) => problem.layer(&format!("conv{i}"), [before], group, ns),
        };
        before = Some(group);
    }
    let problem = problem.build()?;
    let planners: [(&str, Box<dyn Planner>); 2] = [
        ("random-search", Box::new(RandomSearch { tries: 20_000, seed: 1 })),
        ("two-stage", Box::new(TwoStage::default())),
    ];
    for (name, planner) in planners {
        let plan = planner.plan(&problem, Budget::ratio(0.6))?;
        println!("{name:14} {:.3}x  value {:.1}  {:?}", plan.ratio(), plan.value, plan.widths);
    }
    Ok(())
}
