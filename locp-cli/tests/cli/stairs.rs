//! What `steps` knows beyond the staircase: audits, the other axis, other machines.

use crate::place::{Place, json};

const MODEL: &str = "@models/fashion.onnx";
/// A 3x3 convolution of 112 channels, whose both axes move.
const LAYER: &str = "/block4/conv1/conv/Conv";

#[test]
fn audits_and_the_other_axis_are_reported() {
    let place = Place::new();
    let line = format!("steps {MODEL} --engine simulated:h100 --batch 64");
    let report = json(&place, &format!("{line} --audits 8 --across"));
    let stairs = report["layers"].as_array().unwrap();
    let mut across = 0;
    for stair in stairs {
        let count = |field: &str| stair["audit"][field].as_u64().unwrap();
        assert_eq!(count("audits"), count("unseen").min(8), "{stair:#}");
        assert!(count("at_most") <= count("unseen") && count("exceptions") <= count("audits"), "{stair:#}");
        // What has been checked without exception cannot be one.
        assert!(count("exceptions") > 0 || count("at_most") <= count("unseen") - count("audits"), "{stair:#}");
        let Some(tested) = stair.get("across") else { continue };
        across += 1;
        // The simulated device's steps along one axis do not depend on the other.
        assert_eq!(tested["move_away"], serde_json::json!([]), "{stair:#}");
        let edges: Vec<u64> =
            stair["edges"].as_array().unwrap().iter().map(|edge| edge["channels"].as_u64().unwrap()).collect();
        let stay = tested["stay"].as_array().unwrap();
        assert!(!stay.is_empty() && stay.iter().all(|edge| edges.contains(&edge.as_u64().unwrap())), "{stair:#}");
    }
    assert!(across >= 3, "{across} staircases were tested across");
    let plain = json(&place, &line);
    assert!(plain["layers"].as_array().unwrap().iter().all(|stair| stair.get("across").is_none()));
    assert!(plain["layers"][0]["audit"]["audits"].as_u64().unwrap() <= 2);
}

#[test]
fn edges_of_another_device_are_tested_here_and_said_so() {
    let place = Place::new();
    let line = format!("steps {MODEL} --layer {LAYER}");
    let theirs = json(&place, &format!("{line} --table theirs.locp"));
    assert!(theirs["layers"].as_array().unwrap().iter().all(|stair| stair.get("expected").is_none()));
    json(&place, "table export theirs.jsonl --table theirs.locp");
    // Where the library names no device there is none to rename.
    let device = theirs["machine"]["device"].as_str().unwrap();
    assert!(!device.is_empty());
    let text = std::fs::read_to_string(place.path("theirs.jsonl")).unwrap();
    std::fs::write(place.path("theirs.jsonl"), text.replace(device, "a device elsewhere")).unwrap();
    json(&place, "table import theirs.jsonl --table mine.locp");
    let mine = json(&place, &format!("{line} --elsewhere --table mine.locp"));
    assert!(mine["measured"].as_u64().unwrap() > 0, "another device's figures are not mine");
    let expected: Vec<_> = mine["layers"].as_array().unwrap().iter().filter_map(|s| s.get("expected")).collect();
    assert!(!expected.is_empty(), "{mine:#}");
    for expected in expected {
        assert_eq!(expected["relation"], "other-device");
        assert!(expected["machine"].as_str().unwrap().contains("a device elsewhere"), "{expected:#}");
        let count = |field: &str| expected[field].as_u64().unwrap();
        assert!(count("edges") > 0 && count("held") <= count("edges"), "{expected:#}");
    }
    // What was found here is known here, and needs no hypotheses.
    let again = json(&place, &format!("{line} --elsewhere --table mine.locp"));
    assert_eq!(again["measured"], 0);
    assert!(again["layers"].as_array().unwrap().iter().all(|stair| stair.get("expected").is_none()));
}
