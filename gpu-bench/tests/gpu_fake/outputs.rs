//! What plans compute: the descriptors say what the spec says.

use crate::planted::{NODE_NS, is_planted, node_ns, spec};
use crate::process::on_device;
use gpu_bench::kernels::implicit_gemm::{self, Tiles};
use gpu_bench::kernels::{Launch, depthwise};
use gpu_bench::reference::{random_specs, tolerance};
use gpu_bench::{Cuda, Kernel};
use netspec::CacheState::Warm;
use netspec::{ConvSpec, DType, Layout};
use timing::Backend;

const COMPUTES: [(&str, &str); 1] = [("FAKE_COMPUTE", "1")];

/// Each algorithm's error.
fn errors(gpu: &Cuda, of: &ConvSpec) -> Vec<(String, f64)> {
    let outputs = gpu.outputs_of(of, 8).unwrap();
    outputs.errors().map(|(name, error)| (name.to_owned(), error)).collect()
}

#[test]
fn plans_compute_what_the_spec_says() {
    on_device(&COMPUTES, |_| {
        let gpu = Cuda::device(0).unwrap();
        let (mut n_outputs, mut n_epilogues) = (0, 0);
        for dtype in [DType::F32, DType::Tf32, DType::F16, DType::Bf16] {
            for (seed, layout) in [(1, Layout::Nchw), (2, Layout::Nhwc)] {
                for of in random_specs(seed, 30, dtype, layout) {
                    n_epilogues += usize::from(of.epilogue != netspec::Epilogue::default());
                    for (name, error) in errors(&gpu, &of) {
                        assert!(error <= tolerance(dtype), "{of} by {name}: {error}");
                        n_outputs += 1;
                    }
                }
            }
        }
        // Four plans for each of sixty specs in three types, and two for f32, in which tensor cores may not multiply; and
        // once more without fusion where anything follows the convolution.
        assert_eq!(n_outputs, 60 * (3 * 4 + 2) + n_epilogues);
        for activation in ["", "relu", "relu6", "silu", "sigmoid", "hardswish"] {
            let of = spec(&format!("n2 9>10 8x7 k3 s2 p1.0.2.1 f16 nhwc bias add {activation}"));
            assert!(errors(&gpu, &of).iter().all(|(_, error)| *error <= tolerance(DType::F16)), "{of}");
        }
    });
}

#[test]
fn mistakes_are_found() {
    on_device(&COMPUTES, |device| {
        let gpu = Cuda::device(0).unwrap();
        let of = spec("n1 8>8 9x8 k3x2 d2 p0.1.2.1 f16 nhwc bias silu");
        let worst = |mistake: &str| {
            device.set("FAKE_MISTAKE", mistake);
            errors(&gpu, &of).into_iter().map(|(_, error)| error).fold(0.0, f64::max)
        };
        assert!(worst("") <= tolerance(of.dtype));
        for mistake in ["padding", "flip", "dilation", "epilogue"] {
            let error = worst(mistake);
            assert!(error > 100.0 * tolerance(of.dtype), "{mistake}: {error}");
        }
        // The output is no number before each plan runs.
        assert_eq!(worst("unwritten"), f64::INFINITY);
    });
}

#[test]
fn an_activation_that_the_library_lacks_is_a_pass_of_its_own() {
    on_device(&COMPUTES, |_| {
        let gpu = Cuda::device(0).unwrap();
        let of = spec("8>8 9x9 k3 p1 f16 bias hardswish");
        let errors = errors(&gpu, &of);
        assert_eq!(errors.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["eng12{k2=3,k24=1}+epilogue"]);
        assert!(errors[0].1 <= tolerance(of.dtype), "{errors:?}");
        let mut conv = gpu.prepare(&of).unwrap();
        // Two nodes of a graph, the second of 800 ns.
        is_planted(conv.run(Warm).unwrap().ns, node_ns(&of, Warm) + NODE_NS + 800.0, "both");
    });
}

#[test]
fn this_crates_own_kernels_get_the_arguments_that_they_expect() {
    on_device(&COMPUTES, |_| {
        let gpu = Cuda::device(0).unwrap();
        let check = |of: &ConvSpec, launch: Launch| {
            let Launch { source, entry, shape, args, .. } = launch;
            let error = Kernel::compile(&gpu, source, &entry).unwrap().bind(of, shape, &args).unwrap().error().unwrap();
            assert!(error <= tolerance(of.dtype), "{entry} for {of}: {error}");
        };
        let mut n = 0;
        for of in random_specs(3, 300, DType::F16, Layout::Nhwc) {
            if let Ok(launch) = depthwise::launch(&of) {
                check(&of, launch);
                n += 1;
            }
            for tiles in [Tiles::MENU[0], Tiles::MENU[5]] {
                if let Ok(launch) = implicit_gemm::launch(&of, tiles) {
                    check(&of, launch);
                    n += 1;
                }
            }
        }
        assert!(n > 200, "{n} were launched");
    });
}
