//! The state of the memory allocator, which times depend on as on a cache.

use std::hint::black_box;
use std::sync::Once;

/// The largest block that makes glibc raise its threshold (`DEFAULT_MMAP_THRESHOLD_MAX`), less its own header.
const LARGEST: usize = (32 << 20) - (64 << 10);

/// Brings the allocator into the state of a process that has run for a while.
///
/// The engine allocates its results on every run. glibc first takes large blocks from the kernel and gives them back,
/// so that each run touches every page of its result for the first time; after the first large block was freed it
/// keeps such blocks (mallopt(3), `M_MMAP_THRESHOLD`: the threshold adjusts to the largest block freed, and trimming
/// to twice that). A depthwise convolution was measured at three times its usual latency in the first state.
/// Where the allocator is another one, this does nothing but fill a block once.
pub(crate) fn settle() {
    static SETTLED: Once = Once::new();
    SETTLED.call_once(|| drop(black_box(vec![1_u8; LARGEST])));
}
