//! What the library's own profiler says of each node.
//!
//! A profile is a JSON list of events; those of nodes carry `"name" : "<node>_kernel_time"`, `"dur" : <microseconds>`
//! and, among their arguments, `"op_name" : "<operator>"`.

use timing::NodeTime;

/// What a node took in one run.
pub(super) struct Event {
    pub(super) name: String,
    pub(super) op: String,
    pub(super) us: f64,
}

/// The nodes of every run, in order.
pub(super) fn runs(profile: &str) -> Vec<Vec<Event>> {
    let mut runs = vec![Vec::new()];
    for part in profile.split('{') {
        let name = text(part, "\"name\"");
        if let (Some(node), Some(us)) = (name.strip_suffix("_kernel_time"), number(part, "\"dur\"")) {
            let event = Event { name: node.to_owned(), op: String::new(), us };
            runs.last_mut().expect("there is always a run that is open").push(event);
        } else if name == "SequentialExecutor::Execute" {
            // It ends a run, and follows its nodes.
            runs.push(Vec::new());
        }
        // Arguments are objects inside of their event's.
        if let Some(event) = runs.last_mut().and_then(|run| run.last_mut()).filter(|event| event.op.is_empty()) {
            event.op = text(part, "\"op_name\"").to_owned();
        }
    }
    // The last one was opened and never filled.
    runs.pop();
    runs
}

/// What each node takes, by all runs but the first ones; empty if the runs differ or there are none.
pub(super) fn node_times(runs: &[Vec<Event>], idle: usize) -> Vec<NodeTime> {
    let runs = runs.get(idle..).unwrap_or_default();
    let Some(first) = runs.first() else { return Vec::new() };
    let names = |run: &[Event]| run.iter().map(|event| event.name.clone()).collect::<Vec<_>>();
    if runs.iter().any(|run| names(run) != names(first)) {
        return Vec::new();
    }
    let times = first.iter().enumerate().filter_map(|(place, event)| {
        NodeTime::typical(&event.name, &event.op, runs.iter().map(|run| 1e3 * run[place].us).collect())
    });
    times.collect()
}

/// What stands behind a field's name and colon.
fn value<'e>(event: &'e str, name: &str) -> Option<&'e str> {
    let at = event.find(name)? + name.len();
    Some(event[at..].trim_start().strip_prefix(':')?.trim_start())
}

/// The text of a field; empty without one.
fn text<'e>(event: &'e str, name: &str) -> &'e str {
    let quoted = value(event, name).and_then(|value| value.strip_prefix('"'));
    quoted.and_then(|quoted| quoted.split('"').next()).unwrap_or_default()
}

fn number(event: &str, name: &str) -> Option<f64> {
    let value = value(event, name)?;
    value.split([',', '}', '\n']).next()?.trim().parse().ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::{node_times, runs};

    /// A profile as the library writes it: for each run, nodes with their operators and microseconds.
    pub(in super::super) fn written(runs: &[&[(&str, &str, u32)]]) -> String {
        let node = |&(name, op, us): &(&str, &str, u32)| {
            format!(
                r#"{{"cat" : "Node","pid" :1,"dur" :{us},"ts" :8,"ph" : "X","name" :"{name}_kernel_time","args" : {{"output_type_shape" : [{{"float":[1,2]}}],"op_name" : "{op}","input" : [{{"float":[1]}}]}}}},"#
            )
        };
        let end =
            r#"{"cat" : "Session","dur" :90,"ts" :8,"ph" : "X","name" :"SequentialExecutor::Execute","args" : {}},"#;
        let all = runs.iter().map(|run| run.iter().map(node).collect::<String>() + end);
        let start =
            r#"[{"cat" : "Session","dur" :553,"ts" :1,"ph" : "X","name" :"session_initialization","args" : {}},"#;
        format!("{start}{}]", all.collect::<String>())
    }

    #[test]
    fn nodes_keep_their_order_and_the_first_runs_are_left_out() {
        let run = |us| [("/a, b/Conv_output_0_nchwc", "Conv", 100 + us), ("ReorderOutput", "ReorderOutput", us)];
        let profile = written(&[&run(500), &run(7), &run(9), &run(8), &run(99)]);
        let times = node_times(&runs(&profile), 1);
        let found: Vec<(&str, &str, f64)> = times.iter().map(|t| (t.name.as_str(), t.op.as_str(), t.ns)).collect();
        // Of 7, 8, 9 and 99 us the middle two.
        let expect = [("/a, b/Conv_output_0_nchwc", "Conv", 108_500.0), ("ReorderOutput", "ReorderOutput", 8_500.0)];
        assert_eq!(found, expect);
        assert!(node_times(&runs(&written(&[])), 0).is_empty());
        let other = [("/c", "Conv", 3)];
        assert!(node_times(&runs(&written(&[&run(1), &other])), 0).is_empty());
    }
}
