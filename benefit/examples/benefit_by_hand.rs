//! A problem written by hand, planned for several budgets, with the proof of how good each plan is.
#![allow(clippy::print_stdout, reason = "an example shows its result")]

use benefit::{Budget, Planner, Problem, TwoStage, Uniform};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Damage grows faster than the share that is removed.
    let damage = |weight: f64, shares: &[f64]| -> Vec<f64> {
        shares.iter().map(|share| if *share < 1.0 { -weight * (1.0 - share).powi(2) } else { 0.0 }).collect()
    };
    let quarters = [0.25, 0.5, 0.75, 1.0];

    let mut problem = Problem::builder();
    let a = problem.group("conv1", 64).every(16).value(&damage(4.0, &quarters));
    let b = problem.group("conv2", 128).every(32).value(&damage(2.0, &quarters));
    let c = problem.group("conv3", 128).every(32).value(&damage(1.0, &quarters));

    // An engine with a step every 16 output channels that reads 32 input channels at once.
    let ns = |c_in: usize, c_out: usize| 5e3 * (c_in.div_ceil(32) * c_out.div_ceil(16)) as f64;
    problem.layer("conv1", 3, a, ns);
    problem.layer("conv2", a, b, ns);
    problem.depthwise("depthwise", b, |channels| 1e3 * channels.div_ceil(16) as f64);
    problem.layer("conv3", b, c, ns);
    problem.layer("head", [a, c], 10, ns); // reads a concat of the two
    problem.operator("concat", [a, c], 784.0).ns_per_element(0.1).fixed_ns(2e3);
    let problem = problem.build()?;

    println!("dense {:.3} ms", problem.dense_ns() / 1e6);
    for text in ["0.8x", "0.6x", "0.4x", "0.05x"] {
        let budget: Budget = text.parse()?;
        match TwoStage::default().plan(&problem, budget) {
            Ok(plan) => {
                let gap = plan.gap().map_or("no proof".to_owned(), |gap| format!("gap {:.1} %", 100.0 * gap));
                println!("{text}: {:?}, predicted {:.3}x, value {:.3}, {gap}", plan.widths, plan.ratio(), plan.value);
                for step in &plan.steps {
                    let name = &problem.groups()[step.group.0].name;
                    println!(
                        "      {:?}: {name} {} -> {}, {:+.1} us",
                        step.kind,
                        step.from,
                        step.to,
                        -step.saved_ns / 1e3
                    );
                }
                let uniform = Uniform.plan(&problem, budget)?;
                println!("      uniform: {:?}, {:.3}x, value {:.3}", uniform.widths, uniform.ratio(), uniform.value);
            }
            Err(infeasible) => println!("{text}: {infeasible}"),
        }
    }
    Ok(())
}
