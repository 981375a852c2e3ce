//! Images without labels, from the command line.

use crate::place::{Place, json};

const MODEL: &str = "@models/fashion.onnx";
const CALIB: &str = "--calib @models/calib_images.npy";
const QUICK: &str = "--engine simulated:h100 --batch 64 --latency 0.8x";

#[test]
fn with_images_channels_are_worth_what_removing_them_damages() {
    let place = Place::new();
    let plan = json(&place, &format!("plan {MODEL} {QUICK} {CALIB} -o plan.json"));
    assert_eq!(
        (plan["value_kind"].as_str(), plan["value_name"].as_str()),
        (Some("damage"), Some("damage on 512 images"))
    );
    // A share of the outputs' energy: small for a mild plan, and below nothing.
    let value = plan["value"].as_f64().unwrap();
    assert!(value < 0.0 && value > -0.5, "{value}");
    // What was said of channels counts more than what images say.
    let said = json(&place, &format!("plan {MODEL} {QUICK} {CALIB} --value l2 -o l2.json"));
    assert_eq!(said["value_kind"], "magnitude");

    // The same plan, with and without new weights.
    let bare = json(&place, &format!("apply {MODEL} --plan plan.json -o bare.onnx"));
    let fitted = json(&place, &format!("apply {MODEL} --plan plan.json -o fitted.onnx {CALIB}"));
    assert!(bare.get("repair").is_none());
    assert_eq!((&bare["params_after"], &bare["changes"]), (&fitted["params_after"], &fitted["changes"]));
    let layers = fitted["repair"]["layers"].as_array().unwrap();
    let lost = |key: &str| layers.iter().map(|layer| layer[key].as_f64().unwrap()).sum::<f64>();
    assert!(lost("lost_after") < lost("lost_before") && layers.len() > 10, "{layers:?}");
    let top1 = |model: &str| {
        let line =
            format!("accuracy {model} --batch 50 --images @models/test_images.npy --labels @models/test_labels.npy");
        json(&place, &line)["top1"].as_f64().unwrap()
    };
    let (bare, fitted) = (top1("bare.onnx"), top1("fitted.onnx"));
    assert!(fitted > 0.90 && fitted > bare, "{bare} and {fitted}");
    let shown = place.locp(&format!("apply {MODEL} --plan plan.json -o again.onnx {CALIB} -q")).stdout;
    assert!(shown.contains("layers on 512 images: of their outputs' variance"), "{shown}");
}

#[test]
fn damage_is_learned_once_and_taken_as_a_file() {
    let place = Place::new();
    let learned = json(&place, &format!("damage {MODEL} {CALIB} -o damage.json"));
    let groups = learned["groups"].as_array().unwrap();
    assert!(groups.len() > 5 && learned["images"] == 512, "{learned}");
    for group in groups {
        let [mild, half, strong] = ["three_quarters", "half", "quarter"].map(|key| group[key].as_f64().unwrap());
        assert!(0.0 <= mild && mild <= half && half <= strong, "{group}");
    }
    // The plan is the one that is made from the images themselves.
    let direct = json(&place, &format!("plan {MODEL} {QUICK} {CALIB} -o direct.json"));
    let by_file = json(&place, &format!("plan {MODEL} {QUICK} --scores damage.json -o by_file.json"));
    assert_eq!((&by_file["value_kind"], &by_file["groups"]), (&direct["value_kind"], &direct["groups"]));
    let [a, b] = [&direct, &by_file].map(|plan| plan["value"].as_f64().unwrap());
    assert!((a - b).abs() < 1e-9, "{a} and {b}");
    let shown = place.locp(&format!("damage {MODEL} {CALIB} -o again.json -q")).stdout;
    assert!(shown.contains("1/2 left") && shown.contains("wrote again.json"), "{shown}");
    let [first, again] = ["damage.json", "again.json"].map(|name| std::fs::read(place.path(name)).unwrap());
    assert!(first == again, "the same images teach the same");
}

#[test]
fn images_that_do_not_fit_are_named_and_nothing_is_written() {
    let place = Place::new();
    let refused = |flags: &str, said: &str| {
        let ran = place.locp(&format!("prune {MODEL} --latency 0.9x -o out.onnx {flags}"));
        assert_eq!(ran.code, 2, "{flags}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{flags}: {}", ran.stderr);
        assert!(!place.files().iter().any(|file| file.contains("out.onnx")), "{:?}", place.files());
    };
    refused("--calib nowhere.npy", "nowhere.npy");
    refused("--calib @models/test_labels.npy", "its shape is [2000]");
    refused("--calib @models/fashion.onnx", "");
    let same = "--calib @models/test_images.npy --images @models/test_images.npy --labels @models/test_labels.npy";
    refused(same, "accuracy on the images that calibrated says nothing");
    let dry = place.locp(&format!("apply {MODEL} --plan plan.json --dry-run {CALIB}"));
    assert_eq!(dry.code, 2, "{}", dry.stderr);
}
