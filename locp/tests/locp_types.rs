//! Public types can move to other threads and be printed.

use std::fmt::Debug;

fn send_and_debug<T: Send + Debug>() {}
fn send<T: Send + ?Sized>() {}

#[test]
fn public_types_are_send_and_debug() {
    send_and_debug::<locp::Calib>();
    send_and_debug::<locp::Cancel>();
    send_and_debug::<locp::Comparison>();
    send_and_debug::<locp::Constraints>();
    send_and_debug::<locp::Counts>();
    send_and_debug::<locp::Damage>();
    send_and_debug::<locp::Error>();
    send_and_debug::<locp::ErrorKind>();
    send_and_debug::<locp::Fault>();
    send_and_debug::<locp::HeldOut>();
    send_and_debug::<locp::Images>();
    send_and_debug::<locp::LayerRepair>();
    send_and_debug::<locp::Least>();
    send_and_debug::<locp::Measurer<'_>>();
    send_and_debug::<locp::Model>();
    send_and_debug::<locp::Options>();
    send_and_debug::<locp::Parameter>();
    send_and_debug::<locp::Pipeline<'_>>();
    send_and_debug::<locp::Planned>();
    send_and_debug::<locp::Preprocess>();
    send_and_debug::<locp::Pruned>();
    send_and_debug::<locp::Repair>();
    send_and_debug::<locp::SearchKind>();
    send_and_debug::<locp::Shard>();
    send_and_debug::<locp::Silent>();
    send_and_debug::<locp::Skipped>();
    send_and_debug::<locp::SweepOptions>();
    send_and_debug::<locp::Watch<'_>>();
    send_and_debug::<locp::report::AlignReport>();
    send_and_debug::<locp::report::BenchReport>();
    send_and_debug::<locp::report::ExplainReport>();
    send_and_debug::<locp::report::FrontierReport>();
    send_and_debug::<locp::report::PlanReport>();
    send_and_debug::<locp::report::PruneReport>();
    send_and_debug::<locp::report::StepsReport>();
    send_and_debug::<locp::report::VerifyReport>();
    send::<locp::Engine>();
}
