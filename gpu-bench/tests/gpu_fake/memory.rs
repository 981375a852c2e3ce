//! Memory that does not suffice, at every allocation in turn.

use crate::planted::{is_planted, node_ns, spec};
use crate::process::on_device;
use gpu_bench::Cuda;
use netspec::CacheState::{Cold, Network, Warm};
use timing::Backend;

const SPEC: &str = "n1 64>64 56x56 k3 p1 f16 nhwc bias add relu";

#[test]
fn a_reading_after_one_that_found_no_memory_is_right() {
    on_device(&[], |device| {
        let gpu = Cuda::device(0).unwrap();
        let of = spec(SPEC);
        // 16 MiB to flush and a little; rotating takes 16 MiB more for each of weights, input, residual and output.
        for megabytes in [17, 20, 36, 40, 54, 58, 71, 75, 90, 1000] {
            device.set("FAKE_MEMORY", "8e9");
            let mut conv = gpu.prepare(&of).unwrap();
            let warm = conv.run(Warm).unwrap().ns;
            for cache in [Network, Cold] {
                device.set("FAKE_MEMORY", &format!("{megabytes}e6"));
                let tight = conv.run(cache);
                if let Err(error) = &tight {
                    assert!(error.to_string().contains("the GPU is out of memory"), "{error}");
                }
                device.set("FAKE_MEMORY", "8e9");
                is_planted(conv.run(Warm).unwrap().ns, warm, &format!("warm after {cache:?} in {megabytes} MB"));
                let again = conv.run(cache).unwrap().ns;
                if let Ok(reading) = tight {
                    is_planted(reading.ns, again, &format!("{cache:?} again"));
                }
            }
        }
    });
}

#[test]
fn no_memory_for_the_session_itself_is_said() {
    on_device(&[("FAKE_MEMORY", "1e6")], |_| {
        // Twice the last-level cache of 8 MiB.
        assert_eq!(Cuda::device(0).unwrap_err().reason, "the GPU is out of memory: 16777216 more bytes do not fit");
    });
}

#[test]
fn several_convolutions_keep_to_their_own_memory() {
    on_device(&[], |_| {
        let gpu = Cuda::device(0).unwrap();
        let specs = ["n1 64>64 56x56 k3 p1 f16 nhwc", "n1 32>48 20x20 k5 p2 f16 nhwc", "n1 16>16 9x9 k1 bf16 nhwc"];
        let mut convs: Vec<_> = specs.iter().map(|text| (spec(text), gpu.prepare(&spec(text)).unwrap())).collect();
        for cache in [Cold, Network, Cold, Network] {
            for (of, conv) in &mut convs {
                is_planted(conv.run(cache).unwrap().ns, node_ns(of, cache), &format!("{of} {cache:?}"));
            }
        }
        // What is dropped in between takes nothing with it.
        drop(convs.remove(0));
        let clone = gpu.clone();
        drop(gpu);
        for (of, conv) in &mut convs {
            is_planted(conv.run(Cold).unwrap().ns, node_ns(of, Cold), &of.to_string());
        }
        drop(clone);
        for (of, conv) in &mut convs {
            is_planted(conv.run(Cold).unwrap().ns, node_ns(of, Cold), &of.to_string());
        }
    });
}

#[test]
fn everything_may_be_dropped_on_another_thread() {
    on_device(&[], |_| {
        let gpu = Cuda::device(0).unwrap();
        let mut conv = gpu.prepare(&spec(SPEC)).unwrap();
        conv.run(Warm).unwrap();
        // The engine first, by a thread that has called nothing before; what was prepared lives on.
        std::thread::spawn(move || drop(gpu)).join().unwrap();
        std::thread::spawn(move || conv.run(Cold).map(|_| drop(conv))).join().unwrap().unwrap();
    });
}
