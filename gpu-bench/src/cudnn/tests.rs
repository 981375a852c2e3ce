//! Descriptors against the real library, where it is installed: they need no GPU.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use super::graph::{parts, without_handle};
use super::problem::Problem;
use super::{check, version_text};
use crate::GpuError;
use crate::reference::random_specs;
use netspec::{Activation, ConvSpec, DType, Epilogue, Layout};

/// The library's version, or `None` aloud; `LOCP_REQUIRE_CUDNN=1` turns that into a failure.
fn library() -> Option<usize> {
    match check() {
        Ok(found) => {
            eprintln!("cuDNN {} at {}", version_text(found.version), found.path.display());
            Some(found.version)
        }
        Err(error) => {
            assert!(std::env::var("LOCP_REQUIRE_CUDNN").is_err(), "LOCP_REQUIRE_CUDNN is set, and {error}");
            eprintln!("skipped: {error}");
            None
        }
    }
}

#[test]
fn every_kind_of_convolution_can_be_described() {
    if library().is_none() {
        return;
    }
    let mut described = 0;
    for dtype in [DType::F32, DType::Tf32, DType::F16, DType::Bf16] {
        for layout in [Layout::Nchw, Layout::Nhwc] {
            for mut spec in random_specs(7, 60, dtype, layout) {
                // Sigmoid is not among the random ones.
                if described % 5 == 0 {
                    spec.epilogue.activation = Activation::Sigmoid;
                }
                let problem = Problem::new(&spec).expect("it has a graph");
                let nodes = parts(&problem).unwrap_or_else(|error| panic!("{spec}: {error}")).nodes.len();
                assert_eq!(nodes, problem.nodes.len(), "{spec}");
                without_handle(&problem).unwrap_or_else(|error| panic!("{spec}: {error}"));
                described += 1;
            }
        }
    }
    assert_eq!(described, 480);
}

#[test]
fn what_makes_no_sense_is_refused_by_the_library_in_words() {
    if library().is_none() {
        return;
    }
    let mut spec: ConvSpec = "n1 8>4 5x5 k3 p1".parse().expect("a spec");
    spec.epilogue = Epilogue { bias: true, ..Epilogue::default() };
    let mut problem = Problem::new(&spec).expect("it has a graph");
    // An output of another size than the input's and the kernel's.
    problem.tensors.iter_mut().for_each(|tensor| tensor.dims[2] = if tensor.uid == super::problem::X { 5 } else { 4 });
    let error = without_handle(&problem).expect_err("the sizes contradict each other");
    let text = error.to_string();
    assert!(matches!(error, GpuError::Call { .. } | GpuError::Unsupported { .. }), "{text}");
    assert!(text.contains("CUDNN_STATUS_"), "{text}");
}
