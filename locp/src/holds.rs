//! Why pruning does not help where it does not: what holds the layers that take the time.

use benefit::{Hold, Infeasible, Levels, Problem};
use netspec::{ConvSpec, Network};

/// A layer is short if it takes at most so many times what the shortest takes.
const SHORT: f64 = 2.0;
/// A layer moves data fast if it comes so near to the fastest in bytes per time, and nearer than in arithmetic.
const FAST: f64 = 0.5;
/// Multiply-accumulates per byte up to which moving can be what takes the time, on any device of today.
const THIN: f64 = 8.0;

/// What holds a layer. The network's own layers are the yardstick of what the device can do: for how long the
/// shortest takes, and how fast the best one moves bytes and multiplies.
pub(crate) fn hold(network: &Network, problem: &Problem, layer: usize) -> Hold {
    let known = problem.hold(layer);
    if known != Hold::OnEdge {
        return known;
    }
    let cells = problem.cells(&problem.dense());
    let ns = |layer: usize| cells[layer].cell.ns.max(f64::MIN_POSITIVE);
    let all = 0..network.layers.len().min(cells.len());
    let shortest = all.clone().map(ns).fold(f64::INFINITY, f64::min);
    if ns(layer) <= SHORT * shortest {
        return Hold::LaunchFloor;
    }
    let rates = |layer: usize| {
        let spec = &network.layers[layer].spec;
        [bytes(spec), spec.macs() as f64].map(|work| work / ns(layer))
    };
    let best = all.map(rates).fold([0.0_f64; 2], |best, own| [best[0].max(own[0]), best[1].max(own[1])]);
    let own = rates(layer);
    let is_thin = own[1] <= THIN * own[0];
    let [moving, computing] = [own[0] / best[0], own[1] / best[1]];
    if is_thin && moving >= FAST && moving > computing { Hold::MemoryBound } else { Hold::OnEdge }
}

/// Bytes that a convolution reads and writes at least.
fn bytes(spec: &ConvSpec) -> f64 {
    spec.elements().iter().sum::<usize>() as f64 * spec.dtype.bytes() as f64
}

/// The same answer, knowing more about what holds its layers.
pub(crate) fn explained(mut why: Infeasible, network: &Network, problem: &Problem) -> Infeasible {
    for holder in &mut why.holders {
        if let Some(layer) = network.layers.iter().position(|layer| layer.name == holder.name) {
            holder.hold = hold(network, problem, layer);
        }
    }
    why
}

/// The layers that take most of a plan's time, and what holds them.
pub(crate) fn slowest(network: &Network, problem: &Problem, levels: &Levels) -> String {
    let mut cells = problem.cells(levels);
    cells.sort_by(|a, b| b.cell.ns.total_cmp(&a.cell.ns));
    let word = |cell: &benefit::CellUse| {
        let name = &network.layers[cell.layer].name;
        format!("`{name}` ({:.4} ms, {})", cell.cell.ns / 1e6, hold(network, problem, cell.layer))
    };
    cells.iter().take(3).map(word).collect::<Vec<_>>().join(", ")
}
