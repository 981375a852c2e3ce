//! Why medians: one preempted run in ten, and what mean and median make of it.
#![allow(clippy::print_stdout, reason = "an example prints its result")]

use stats::{Rng, SortedSamples, ratio_interval};

fn main() {
    let mut rng = Rng::new(1);
    let mut run = |us: f64| us * (1.0 + 0.02 * rng.normal()) * if rng.uniform() < 0.1 { 20.0 } else { 1.0 };
    let (a, b): (Vec<f64>, Vec<f64>) = (0..60).map(|_| (run(300.0), run(330.0))).unzip();

    let sorted: SortedSamples = a.iter().copied().collect();
    if let (Some(median), Some([low, high])) = (sorted.median(), sorted.median_interval(0.95)) {
        println!("median {median:.1} us, 95 % interval [{low:.1}, {high:.1}]");
    }
    println!("mean   {:.1} us", a.iter().sum::<f64>() / a.len() as f64);
    if let Some(ratio) = ratio_interval(&a, &b, 0.95) {
        println!("ratio  {:.3}, 95 % interval [{:.3}, {:.3}]", ratio.median, ratio.interval[0], ratio.interval[1]);
    }
}
