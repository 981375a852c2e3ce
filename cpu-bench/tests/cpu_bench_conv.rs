//! Every output of a prepared convolution against a direct convolution in f64.
#![allow(clippy::unwrap_used)]

mod common;

use common::{FAMILIES, check_conv, random_specs};
use cpu_bench::{Tract, TractConv};
use netspec::{ConvSpec, DType, Layout, Tensor};
use timing::{Backend, ModelRun, Rng, TimingError};

fn check(spec: &ConvSpec, rng: &mut Rng) {
    let mut conv: TractConv = Tract::new().prepare_conv(spec).unwrap();
    let (weights, bias) = (conv.weights().to_vec(), conv.bias().map(<[f32]>::to_vec));
    check_conv(spec, &mut conv, &weights, bias.as_deref(), rng);
}

#[test]
fn known_families_compute_what_the_definition_says() {
    let mut rng = Rng::new(1);
    FAMILIES.iter().for_each(|text| check(&text.parse().unwrap(), &mut rng));
}

#[test]
fn random_specs_compute_what_the_definition_says() {
    let mut rng = Rng::new(3);
    random_specs(150).iter().for_each(|spec| check(spec, &mut rng));
}

#[test]
fn what_cannot_run_is_a_typed_error() {
    #[track_caller]
    fn check(change: impl Fn(&mut ConvSpec), expect: &str) {
        let mut spec = ConvSpec::new(8, 8, [8, 8], [3, 3]);
        change(&mut spec);
        match Tract::new().prepare(&spec).map(|_| ()) {
            Err(TimingError::Unsupported { reason, .. }) => assert!(reason.contains(expect), "{reason}"),
            other => panic!("expected a refusal that says `{expect}`, got {other:?}"),
        }
    }
    check(|s| s.dtype = DType::F16, "f32 only, not in f16");
    check(|s| s.layout = Layout::Nhwc, "nchw");
    check(|s| s.c_in = 0, "c_in is 0");
    check(|s| s.groups = 3, "multiples of the 3");
    check(|s| s.kernel = [9, 9], "larger than the padded image");
    check(|s| s.height = 1 << 40, "elements");
    check(|s| s.batch = usize::MAX, "elements");
}

#[test]
fn inputs_that_do_not_fit_are_typed_errors() {
    let mut conv = Tract::new().prepare_conv(&"2>3 4x4 k3 add".parse().unwrap()).unwrap();
    let x = Tensor::from_f32(vec![1, 2, 4, 4], &[0.0; 32]).unwrap();
    let short = Tensor::from_f32(vec![1, 3, 2, 1], &[0.0; 6]).unwrap();
    assert!(matches!(conv.infer(std::slice::from_ref(&x)), Err(TimingError::Input { index: 1, .. })));
    let error = conv.infer(&[x, short]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "input 1 does not fit the model: it is F32 of shape [1, 3, 2, 1], the model takes F32 of shape [1, 3, 2, 2]"
    );
}

#[test]
fn the_machine_says_what_latencies_are_true_for() {
    let machine = Tract::new().check().unwrap();
    assert_eq!((machine.engine.as_str(), machine.threads, machine.method), ("tract", 1, cpu_bench::METHOD));
    assert!(!machine.device.is_empty() && !machine.compute.is_empty());
    let lock = include_str!("../../Cargo.lock");
    let version = machine.library.strip_prefix("tract ").unwrap();
    assert!(
        lock.contains(&format!("name = \"tract-onnx\"\nversion = \"{version}\"")),
        "the machine names tract {version}, which is not what the lock file builds"
    );
    let error = Tract::new().threads(4).check().unwrap_err();
    assert_eq!(
        error.to_string(),
        "tract cannot run here: 4 threads were asked for, and tract is built for one thread here; \
         leave the number of threads at 1, or choose another engine"
    );
    assert!(matches!(
        Tract::new().threads(2).prepare(&ConvSpec::new(1, 1, [1, 1], [1, 1])).map(|_| ()),
        Err(TimingError::Unavailable(_))
    ));
}
