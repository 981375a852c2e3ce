//! Staircases and samples are stored as JSON and read back.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
use stairstep::*;

fn through_json<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

#[test]
fn a_staircase_and_its_samples_come_back_as_they_were() {
    let mut rng = stats::Rng::new(7);
    let mut samples = Vec::new();
    let mut search = Strategy::ThreePoint.into_search(&Config::new(128).granularity(8).audits(4));
    while let Ask::Probe(Probe { channels, readings }) = search.ask() {
        let ns = (0..readings).map(|_| 1e5 * channels.div_ceil(32) as f64 * (1.0 + 0.01 * rng.normal())).collect();
        let sample = Sample { channels, readings: Readings::Raw(ns) };
        samples.push(sample.clone());
        search.tell(sample);
    }
    let summary = Readings::Summary { median_ns: 1.5, interval_ns: [1.0, 2.0], samples: 9 };
    samples.push(Sample { channels: 5, readings: summary });
    assert_eq!(through_json(&samples), samples);

    let stairs = search.stairs();
    assert!(stairs.edges().len() > 1 && stairs.missed().audits == 4, "{stairs:?}");
    assert!(stairs.edges().iter().any(|edge| edge.shape.is_some()), "{stairs:?}");
    assert_eq!(through_json(&stairs), stairs);
}
