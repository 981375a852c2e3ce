//! What an isolated convolution pays for changing layouts, which it would not pay between its neighbors.
//!
//! ONNX Runtime computes most convolutions on blocks of channels. In a network the blocks go from one convolution to
//! the next; a model of a single one has to make them of its input and undo them in its output. So what is timed are
//! copies of the convolution (one, or a few of a grouped one) on one input, which is converted once for all of them, and
//! of each output a single pixel is converted back. A few runs of a second session with the library's own profiler tell
//! how long the conversions take, and that is subtracted from every reading.
//! Where the library leaves a convolution unblocked (input channels that are no multiple of 4), its neighbors in a network
//! would change layouts for it: that is their cost, not counted here.

use super::profile;
use std::path::Path;

/// The start of the names of nodes that pick a pixel of an output.
pub(crate) const PIXEL: &str = "pixel";

/// Runs of which the first is thrown away.
pub(crate) const RUNS: usize = 7;

/// The median over the runs of the time that layout conversions take, in nanoseconds, from a profile.
///
/// The profiler adds a microsecond or two to each node. A node that picks a pixel does nearly nothing, so that its
/// duration is what the profiler adds, and that is taken off each conversion.
pub(crate) fn overhead_ns(profile: &Path) -> Option<f64> {
    let text = std::fs::read_to_string(profile).ok()?;
    let mut runs: Vec<f64> = profile::runs(&text).iter().skip(1).map(|run| conversions_us(run)).collect();
    runs.sort_by(f64::total_cmp);
    runs.get(runs.len() / 2).map(|us| us * 1e3)
}

fn conversions_us(run: &[profile::Event]) -> f64 {
    let pixels: Vec<f64> = run.iter().filter(|event| event.name.starts_with(PIXEL)).map(|event| event.us).collect();
    let added = pixels.iter().sum::<f64>() / pixels.len().max(1) as f64;
    let conversions = run.iter().filter(|event| event.name.contains("Reorder"));
    conversions.map(|event| (event.us - added).max(0.0)).sum()
}

#[cfg(test)]
mod tests {
    use super::super::profile::tests::written;
    use super::overhead_ns;

    #[test]
    fn reorder_nodes_are_summed_by_run_and_their_median_taken() {
        let run = |input, output| {
            [
                ("ReorderInput", "x", input),
                ("conv0_nchwc", "x", 50),
                ("pixel0_nchwc", "x", 1),
                ("ReorderOutput_token_3", "x", output),
            ]
        };
        let profile = written(&[&run(500, 500), &run(9, 8), &run(11, 10), &run(10, 9)]);
        let path = std::env::temp_dir().join(format!("locp-profile-{}", std::process::id()));
        std::fs::write(&path, profile).expect("a temporary file");
        // The first run is thrown away; of 15, 19 and 17 us, with 1 us taken off each conversion, the middle one counts.
        assert_eq!(overhead_ns(&path), Some(17_000.0));
        std::fs::write(&path, written(&[])).expect("a temporary file");
        assert_eq!(overhead_ns(&path), None);
        std::fs::remove_file(&path).expect("it is ours");
    }
}
