//! What `steps` reports beyond the staircase: audits.

use crate::place::{Place, json};

const MODEL: &str = "@models/fashion.onnx";

#[test]
fn audits_are_reported() {
    let place = Place::new();
    let line = format!("steps {MODEL} --engine simulated:h100 --batch 64");
    let report = json(&place, &format!("{line} --audits 8"));
    let stairs = report["layers"].as_array().unwrap();
    assert!(stairs.len() >= 3, "{} staircases", stairs.len());
    for stair in stairs {
        let count = |field: &str| stair["audit"][field].as_u64().unwrap();
        assert_eq!(count("audits"), count("unseen").min(8), "{stair:#}");
        assert!(count("at_most") <= count("unseen") && count("exceptions") <= count("audits"), "{stair:#}");
        // What has been checked without exception cannot be one.
        assert!(count("exceptions") > 0 || count("at_most") <= count("unseen") - count("audits"), "{stair:#}");
    }
    let plain = json(&place, &line);
    assert!(plain["layers"][0]["audit"]["audits"].as_u64().unwrap() <= 2);
}
