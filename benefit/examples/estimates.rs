//! How well cells are estimated, on problems from files, as `locp plan --problem-out` writes them.
//!
//!     cargo run --release -p benefit --features serde --example estimates -- PROBLEM.json.. > estimates.jsonl
//!
//! Of the measured cells off both sweeps every other one is taken out and estimated: by the product of the sweeps, and
//! with what the remaining ones teach. One JSON object a line, errors relative, as root mean square and median.
#![allow(clippy::print_stdout, reason = "an example prints")]

use benefit::Problem;
use serde_json::{Value, json};
use std::error::Error;

/// A layer's index, its widths, and what it was measured to take.
type Held = (usize, usize, usize, f64);

fn main() -> Result<(), Box<dyn Error>> {
    for path in std::env::args().skip(1) {
        let file: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
        let (without, held) = split(file);
        let mut problem: Problem = serde_json::from_value(without)?;
        let product = errors(&problem, &held);
        problem.refit();
        let learned = errors(&problem, &held);
        println!("{}", json!({ "problem": path, "cells": held.len(), "product": product, "learned": learned }));
    }
    Ok(())
}

/// The problem without every other one of its cells off the sweeps and with nothing learned, and those cells.
fn split(mut file: Value) -> (Value, Vec<Held>) {
    let mut held = Vec::new();
    let mut count = 0;
    for (index, layer) in file["layers"].as_array_mut().into_iter().flatten().enumerate() {
        layer["bend"] = json!(0.0);
        let full = |sweep: &Value| sweep.as_array().and_then(|knots| knots.last()).map(|knot| knot["channels"].clone());
        let (full_in, full_out) = (full(&layer["by_in"]), full(&layer["by_out"]));
        let is_coupled = layer["coupled"] == true;
        let Some(cells) = layer["cells"].as_array_mut() else { continue };
        cells.retain(|cell| {
            let is_off = full_in.as_ref().is_some_and(|full| *full != cell["c_in"])
                && full_out.as_ref().is_some_and(|full| *full != cell["c_out"]);
            if !is_off || is_coupled || cell["provenance"] == "interpolated" {
                return true;
            }
            count += 1;
            let width = |name: &str| cell[name].as_u64().unwrap_or(0) as usize;
            if count % 2 == 0 {
                held.push((index, width("c_in"), width("c_out"), cell["ns"].as_f64().unwrap_or(0.0)));
            }
            count % 2 == 1
        });
    }
    (file, held)
}

/// Root mean square and median of the relative errors.
fn errors(problem: &Problem, held: &[Held]) -> Value {
    let error = |&(layer, c_in, c_out, ns): &Held| {
        let estimate = problem.layers()[layer].cell(c_in, c_out)?;
        Some((estimate.ns / ns - 1.0).abs())
    };
    let mut errors: Vec<f64> = held.iter().filter_map(error).collect();
    errors.sort_by(f64::total_cmp);
    let square = errors.iter().map(|error| error * error).sum::<f64>() / errors.len().max(1) as f64;
    json!({ "rms": square.sqrt(), "median": errors.get(errors.len() / 2) })
}
