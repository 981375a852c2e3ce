//! Descriptors and heuristics against the real library, where it is installed: they need no GPU.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use super::descriptor::Descriptor;
use super::engines::{Candidate, candidates_on};
use super::graph::{parts, without_handle};
use super::problem::Problem;
use super::{check, version_text};
use crate::GpuError;
use crate::reference::random_specs;
use cudarc::cudnn::sys::{
    cudnnBackendAttributeName_t as Attribute, cudnnBackendAttributeType_t as Type, cudnnBackendDescriptorType_t as Kind,
};
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

/// An H100 as the library describes one to itself, by NVIDIA's data sheet and the CUDA programming guide.
const H100: &str = r#"{"maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64], "regsPerBlock": 65536,
"multiProcessorCount": 132, "smCountOrigin": 0, "warpSize": 32, "maxSharedMemoryPerBlock": 49152,
"maxSharedMemoryPerBlockOptin": 232448, "oversizedSharedMemoryPerBlock": 0, "reservedSharedMemoryPerBlock": 1024,
"maxRegistersPerSM": 65536, "maxCtasPerSM": 32, "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048, "pciDeviceId": 0,
"isTccDriver": 0, "supportCoopLaunch": 1, "smClockRateKHz": 1980000, "memClockRateKHz": 2619000, "memoryBusWidth": 5120,
"l2CacheSize": 52428800, "deviceName": "NVIDIA H100 80GB HBM3", "deviceVer": 900, "driverVer": 13000, "cudaDeviceId": 0,
"totalGlobalMem": 85045878784}"#;

/// What the library would run on it, or `None` where the library is not here or cannot be asked without a device: before
/// 9.8, and without functions of a driver that answer.
fn on_h100(text: &str) -> Option<Vec<Candidate>> {
    if library()? < 90_800 || std::env::var_os("LOCP_REQUIRE_CUDNN").is_none() {
        return None;
    }
    let mut device = Descriptor::new(Kind::CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR).expect("a descriptor");
    let name = Attribute::CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION;
    device.set(name, Type::CUDNN_TYPE_CHAR, H100.as_bytes()).expect("a description");
    device.finalize().expect("a device");
    let spec: ConvSpec = text.parse().expect("a spec");
    let graph =
        without_handle(&Problem::new(&spec).expect("a graph")).unwrap_or_else(|error| panic!("{spec}: {error}"));
    let found = candidates_on(&graph, &spec, Some(&device)).unwrap_or_else(|error| panic!("{spec}: {error}"));
    let said: Vec<String> =
        found.iter().map(|of| format!("{}{}", of.traits, if of.is_fallback { " (fallback)" } else { "" })).collect();
    eprintln!("{spec}: {}", said.join(" "));
    Some(found)
}

#[test]
fn what_is_recommended_for_an_h100_runs_on_tensor_cores_with_its_epilogue() {
    for dtype in ["f16", "bf16", "tf32"] {
        for epilogue in ["", "bias relu", "bias add relu", "bias silu", "bias relu6"] {
            let Some(found) = on_h100(&format!("n64 256>256 14x14 k3 p1 {dtype} nhwc {epilogue}")) else { return };
            let first = found.first().expect("at least one");
            assert!(!first.is_fallback && first.traits.has_tensor_cores(), "{dtype} {epilogue}: {}", first.traits);
            // Knobs tell configurations of one engine apart.
            assert!(!first.traits.knobs.is_empty(), "{dtype} {epilogue}: {}", first.traits);
            assert!(found.len() > 6, "{dtype} {epilogue}: only {}", found.len());
        }
    }
}

#[test]
fn f32_is_never_multiplied_on_tensor_cores() {
    for layout in ["nchw", "nhwc"] {
        let Some(found) = on_h100(&format!("n64 256>256 14x14 k3 p1 f32 {layout}")) else { return };
        assert!(!found.is_empty() && found.iter().all(|of| !of.traits.has_tensor_cores()), "{layout}");
    }
}

#[test]
fn a_depthwise_convolution_has_an_engine_of_its_own() {
    let Some(found) = on_h100("n64 96>96 56x56 k3 p1 g96 f16 nhwc") else { return };
    assert!(!found[0].is_fallback, "{}", found[0].traits);
}
