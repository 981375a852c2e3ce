//! What an isolated convolution pays for changing layouts, which it would not pay between its neighbors.
//!
//! ONNX Runtime computes most convolutions on blocks of channels. In a network the blocks go from one convolution to
//! the next; a model of a single one has to make them of its input and undo them in its output. So what is timed are
//! copies of the convolution (one, or a few of a grouped one) on one input, which is converted once for all of them, and
//! of each output a single pixel is converted back. A few runs of a second session with the library's own profiler tell
//! how long the conversions and
//! the pooling that picks the pixel take, and that is subtracted from every reading.
//! Where the library leaves a convolution unblocked (input channels that are no multiple of 4), its neighbors in a network
//! would change layouts for it: that is their cost, not counted here.

use std::path::Path;

/// The start of the names of nodes that pick a pixel of an output.
pub(crate) const PIXEL: &str = "pixel";

/// Runs of which the first is thrown away.
pub(crate) const RUNS: usize = 7;

/// The median over the runs of the time of the reorder and pooling nodes, in nanoseconds, from a profile.
///
/// A profile is a JSON list of events; those of nodes carry `"name" : "<node>_kernel_time"` and `"dur" : <microseconds>`.
pub(crate) fn overhead_ns(profile: &Path) -> Option<f64> {
    let text = std::fs::read_to_string(profile).ok()?;
    let mut runs: Vec<f64> = Vec::new();
    for event in text.split('{') {
        let name = field(event, "\"name\"").trim_matches('"');
        let Ok(us) = field(event, "\"dur\"").parse::<f64>() else { continue };
        if name.ends_with("_kernel_time") {
            if name.contains("Reorder") || name.starts_with(PIXEL) {
                match runs.last_mut() {
                    Some(run) => *run += us,
                    None => runs.push(us),
                }
            }
        } else if name == "SequentialExecutor::Execute" {
            // It ends a run, and follows its nodes.
            runs.push(0.0);
        }
    }
    // The last one was opened and never filled.
    runs.pop();
    let mut runs = runs.split_off(1.min(runs.len()));
    runs.sort_by(f64::total_cmp);
    runs.get(runs.len() / 2).map(|us| us * 1e3)
}

/// The text of a field's value up to the next comma or brace, without blanks; empty where there is none.
fn field<'e>(event: &'e str, name: &str) -> &'e str {
    let Some(at) = event.find(name) else { return "" };
    let value = event[at + name.len()..].trim_start().trim_start_matches(':').trim_start();
    value[..value.find([',', '}', '\n']).unwrap_or(value.len())].trim()
}

#[cfg(test)]
mod tests {
    use super::overhead_ns;

    #[test]
    fn reorder_nodes_are_summed_by_run_and_their_median_taken() {
        let node = |name: &str, us: u32| {
            format!(
                r#"{{"cat" : "Node","pid" :1,"dur" :{us},"ts" :8,"ph" : "X","name" :"{name}_kernel_time","args" : {{"op_name" : "x","input" : [{{"float":[1]}}]}}}},"#
            )
        };
        let run = |input, output| {
            let end = r#"{"cat" : "Session","dur" :90,"ts" :8,"ph" : "X","name" :"SequentialExecutor::Execute","args" : {}},"#;
            node("ReorderInput", input)
                + &node("conv0_nchwc", 50)
                + &node("pixel0_nchwc", 1)
                + &node("ReorderOutput", output)
                + end
        };
        let start =
            r#"[{"cat" : "Session","dur" :553,"ts" :1,"ph" : "X","name" :"session_initialization","args" : {}},"#;
        let profile = format!("{start}{}{}{}{}]", run(500, 500), run(9, 8), run(11, 10), run(10, 9));
        let path = std::env::temp_dir().join(format!("locp-profile-{}", std::process::id()));
        std::fs::write(&path, profile).expect("a temporary file");
        // The first run is thrown away; of 18, 22 and 20 us the middle one counts.
        assert_eq!(overhead_ns(&path), Some(20_000.0));
        std::fs::write(&path, format!("{start}]")).expect("a temporary file");
        assert_eq!(overhead_ns(&path), None);
        std::fs::remove_file(&path).expect("it is ours");
    }
}
