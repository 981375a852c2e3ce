//! Every public type can go to another thread and can be printed.
use stairstep::*;
use std::fmt::Debug;

fn is_send_and_debug<T: Send + Debug>() {}
fn is_send<T: Send + ?Sized>() {}

#[test]
fn public_types_are_send_and_debug() {
    is_send_and_debug::<Ask>();
    is_send_and_debug::<Config>();
    is_send_and_debug::<Edge>();
    is_send_and_debug::<Granularity>();
    is_send_and_debug::<MissBound>();
    is_send_and_debug::<Point>();
    is_send_and_debug::<Probe>();
    is_send_and_debug::<Probed>();
    is_send_and_debug::<Readings>();
    is_send_and_debug::<Sample>();
    is_send_and_debug::<Shape>();
    is_send_and_debug::<Staircase>();
    is_send_and_debug::<StopReason>();
    is_send_and_debug::<Strategy>();
    is_send::<dyn Search>();
}

#[test]
fn a_search_goes_on_in_another_thread() {
    let mut search = Strategy::ThreePoint.into_search(&Config::new(64).granularity(16).exact());
    let stairs = std::thread::spawn(move || {
        while let Ask::Probe(Probe { channels, .. }) = search.ask() {
            search.tell(Sample { channels, readings: Readings::Raw(vec![channels.div_ceil(32) as f64]) });
        }
        search.stairs()
    });
    let edges: Vec<usize> = stairs.join().expect("no panic").edges().iter().map(|edge| edge.channels).collect();
    assert_eq!(edges, [32, 64]);
}
