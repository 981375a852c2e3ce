//! Folders of pictures, against what another library makes of them.
#![cfg(feature = "pictures")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use locp::{Images, Model, Preprocess};
use std::path::{Path, PathBuf};

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// A model of 3 x 32 x 32 images.
fn model() -> Model {
    Model::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../onnx-surgery/tests/models/chain_ts.onnx"), None)
        .unwrap()
}

#[test]
fn pictures_become_what_pillow_makes_of_them() {
    let (model, how) = (model(), Preprocess::imagenet());
    let own = Images::open(&here("pictures"), &model, Some(&how)).unwrap();
    let expected = Images::open(&here("pictures.npy"), &model, None).unwrap();
    assert_eq!((own.len(), own.image_shape()), (5, expected.image_shape()));
    // One step of a byte is 1 / 255 / 0.225; decoders of JPEG differ by a few, resizing rounds.
    let step = 1.0 / 255.0 / 0.225;
    let each = own.elements().len() / own.len();
    for (image, most) in [1.5, 4.5, 4.5, 1.5, 1.5].into_iter().enumerate() {
        let pixels = image * each..(image + 1) * each;
        let differences =
            own.elements()[pixels.clone()].iter().zip(&expected.elements()[pixels]).map(|(a, b)| (a - b).abs());
        let (worst, sum) = differences.fold((0.0f32, 0.0), |(worst, sum), d| (worst.max(d), sum + d));
        assert!(worst <= most * step && sum / each as f32 <= 0.5 * step, "image {image}: {worst}, {sum} over {each}");
    }
}

#[test]
fn settings_do_what_they_say() {
    let model = model();
    let read = |how: &str| Images::open(&here("pictures"), &model, Some(&how.parse().unwrap())).unwrap();
    let (rgb, bgr) = (read("unit"), read("unit,order=bgr,range=255"));
    let plane = 32 * 32;
    for (at, red) in rgb.elements()[..plane].iter().enumerate() {
        assert!((bgr.elements()[2 * plane + at] - 255.0 * red).abs() < 1e-3);
    }
    let half = read("mean=0.5,std=0.5");
    assert!((half.elements()[7] - (rgb.elements()[7] - 0.5) / 0.5).abs() < 1e-6);
    let two = read("unit,count=2");
    assert_eq!((two.len(), &two.elements()[..9]), (2, &rgb.elements()[..9]));
}

#[test]
fn what_cannot_be_read_is_named() {
    let (model, how) = (model(), Preprocess::imagenet());
    let folder = tempfile::tempdir().unwrap();
    let said = |how: Option<&Preprocess>| Images::open(folder.path(), &model, how).unwrap_err().to_string();
    assert!(said(Some(&how)).contains("holds no .png"));
    assert!(said(None).contains("preprocessing `imagenet`"));
    let png = std::fs::read(here("pictures/color.png")).unwrap();
    std::fs::write(folder.path().join("whole.png"), &png).unwrap();
    assert_eq!(Images::open(folder.path(), &model, Some(&how)).unwrap().len(), 1);
    let jpeg = std::fs::read(here("pictures/more/color.JPG")).unwrap();
    for (name, bytes) in
        [("cut.png", &png[..png.len() / 2]), ("cut.jpg", &jpeg[..jpeg.len() / 2]), ("text.jpg", b"text")]
    {
        std::fs::write(folder.path().join(name), bytes).unwrap();
        let error = said(Some(&how));
        assert!(error.contains(name) && error.contains("take it out of the folder"), "{error}");
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    let two = "mean=1/2".parse().unwrap();
    assert!(said(Some(&two)).contains("the model takes 3 channels"));
}
