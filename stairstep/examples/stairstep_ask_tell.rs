//! A search whose measuring happens in other threads: many probes are outstanding, and come back in any order.
//!
//! `cargo run --release --locked --example stairstep_ask_tell`
#![expect(clippy::print_stdout, reason = "an example prints")]

use stairstep::{Ask, Config, Probe, Readings, Sample, Strategy};
use std::sync::{Mutex, mpsc};
use std::thread;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (submit, jobs) = mpsc::channel::<Probe>();
    let (answer, results) = mpsc::channel::<Sample>();
    let jobs = Mutex::new(jobs);

    let stairs = thread::scope(|scope| {
        for device in 0..3 {
            let (jobs, answer) = (&jobs, answer.clone());
            scope.spawn(move || {
                let mut rng = stats::Rng::new(device);
                loop {
                    let job = jobs.lock().ok().and_then(|jobs| jobs.recv().ok());
                    let Some(probe) = job else { break };
                    // Here a device would run; this one has 24-wide treads and 1 % noise.
                    let ns = 1e4 * (2 + probe.channels.div_ceil(24)) as f64;
                    let readings = (0..probe.readings).map(|_| ns * (1.0 + 0.01 * rng.normal())).collect();
                    let sample = Sample { channels: probe.channels, readings: Readings::Raw(readings) };
                    if answer.send(sample).is_err() {
                        break;
                    }
                }
            });
        }

        let mut search = Strategy::ThreePoint.into_search(&Config::new(384));
        let mut most_outstanding = 0;
        let mut outstanding = 0;
        let why = loop {
            match search.ask() {
                Ask::Probe(probe) => {
                    submit.send(probe)?;
                    outstanding += 1;
                    most_outstanding = most_outstanding.max(outstanding);
                }
                Ask::Waiting => {
                    search.tell(results.recv()?);
                    outstanding -= 1;
                }
                Ask::Done(why) => break why,
            }
        };
        // Without a sender the devices see that there is nothing left to do.
        drop(submit);
        println!("{why:?}; up to {most_outstanding} probes were outstanding");
        Ok::<_, Box<dyn std::error::Error>>(search.stairs())
    })?;

    println!("granularity {}, {} of 384 widths probed", stairs.granularity(), stairs.probed().len());
    for edge in stairs.edges() {
        let [low, high] = edge.interval_ns;
        println!(
            "{:4} channels: {:6.1} us ({:.1} to {:.1})",
            edge.channels,
            edge.latency_ns / 1e3,
            low / 1e3,
            high / 1e3
        );
    }
    Ok(())
}
