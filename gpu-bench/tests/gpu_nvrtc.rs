//! Every kernel compiles for every architecture, by the compiler that users have.
#![allow(clippy::unwrap_used)]

use gpu_bench::{kernels, nvrtc::Nvrtc};

const ARCHS: [&str; 7] = ["sm_75", "sm_80", "sm_86", "sm_87", "sm_89", "sm_90", "sm_100"];

#[test]
fn all() {
    let nvrtc = match Nvrtc::find() {
        Ok(nvrtc) => nvrtc,
        Err(error) => return println!("skipped: {error}"),
    };
    println!("{:?}", nvrtc.version());
    for arch in ARCHS {
        let helpers = ["locp_flush", "locp_touch", "locp_spin", "locp_busy", "locp_clocks", "locp_fill"];
        let cubin = nvrtc.compile(kernels::HELPERS, &helpers, arch, &[]).unwrap();
        println!("{arch} {:?}", cubin.resources);
        let dw = ["locp_depthwise<half_bits, 8>", "locp_depthwise<half_bits, 1>", "locp_depthwise<float, 4>"];
        let cubin = nvrtc.compile(kernels::DEPTHWISE, &dw, arch, &[]).unwrap();
        println!("{arch} {:?}", cubin.resources);
        let ig = ["locp_igemm<128, 128, 2, 4, 3, true>", "locp_igemm<128, 128, 2, 4, 3, false>", "locp_igemm<64, 64, 2, 2, 3, true>"];
        let cubin = nvrtc.compile(kernels::IGEMM, &ig, arch, &[]).unwrap();
        println!("{arch} {:?}", cubin.resources);
    }
}
