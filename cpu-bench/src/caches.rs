//! Putting the caches into a known state.

use netspec::CacheState;
use std::hint::black_box;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Bytes that one cache line has on the machines this runs on; a smaller step would only write more.
const LINE: usize = 64;

/// Sizes where the kernel does not tell: those of a common server core.
const USUAL_L2: usize = 1 << 20;
const USUAL_LAST: usize = 32 << 20;

/// The caches' sizes, and the buffer that pushes everything else out of them.
///
/// All that is prepared shares one buffer, because it is twice as large as the last-level cache.
#[derive(Debug)]
pub(crate) struct Caches {
    l2: usize,
    last: usize,
    buffer: Mutex<Vec<u8>>,
}

impl Caches {
    pub(crate) fn of_this_machine() -> Caches {
        let levels = levels(Path::new("/sys/devices/system/cpu/cpu0/cache"));
        let size_of = |level| levels.iter().filter(|&&(l, _)| l == level).map(|&(_, bytes)| bytes).max();
        let l2 = size_of(2).unwrap_or(USUAL_L2);
        let last = levels.iter().max().map_or(USUAL_LAST, |&(_, bytes)| bytes);
        Caches { l2, last: last.max(l2), buffer: Mutex::new(Vec::new()) }
    }

    /// Brings the caches into this state for something that reads `inputs`.
    pub(crate) fn set(&self, state: CacheState, inputs: &[&[u8]]) {
        match state {
            CacheState::Cold => self.write(2 * self.last),
            CacheState::Network => {
                self.write(2 * self.l2);
                inputs.iter().for_each(|input| read(input));
            }
            // Warm, and any later state that is not known here: as the last run left them.
            _ => {}
        }
    }

    fn write(&self, bytes: usize) {
        // A panic elsewhere leaves nothing behind that could be wrong in a buffer of no meaning.
        let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        if buffer.len() < bytes {
            buffer.resize(bytes, 0);
        }
        for line in buffer[..bytes].chunks_mut(LINE) {
            line[0] = line[0].wrapping_add(1);
        }
        black_box(&mut *buffer);
    }
}

fn read(bytes: &[u8]) {
    black_box(bytes.iter().step_by(LINE).fold(0_u8, |sum, &byte| sum.wrapping_add(byte)));
}

/// Level and bytes of each data cache that is described in this folder.
fn levels(folder: &Path) -> Vec<(u32, usize)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let level = |folder: &Path| {
        let field = |name| std::fs::read_to_string(folder.join(name)).ok();
        let is_data = field("type")?.trim() != "Instruction";
        let size = bytes_of(field("size")?.trim())?;
        is_data.then_some((field("level")?.trim().parse().ok()?, size))
    };
    entries.flatten().filter_map(|entry| level(&entry.path())).collect()
}

fn bytes_of(size: &str) -> Option<usize> {
    let (digits, unit) = match size.strip_suffix('K') {
        Some(digits) => (digits, 1 << 10),
        None => size.strip_suffix('M').map_or((size, 1), |digits| (digits, 1 << 20)),
    };
    digits.parse::<usize>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::{Caches, bytes_of};
    use netspec::CacheState;

    #[test]
    fn sizes_as_the_kernel_writes_them() {
        assert_eq!(
            ["32K", "1024K", "2M", "512", "x"].map(bytes_of),
            [Some(32 << 10), Some(1 << 20), Some(2 << 20), Some(512), None]
        );
    }

    #[test]
    fn each_state_writes_what_it_promises() {
        let caches = Caches { l2: 1 << 10, last: 1 << 14, buffer: Default::default() };
        let lines = |caches: &Caches| caches.buffer.lock().map(|b| b.iter().filter(|&&x| x > 0).count()).ok();
        caches.set(CacheState::Warm, &[&[1; 100]]);
        assert_eq!(lines(&caches), Some(0));
        caches.set(CacheState::Network, &[&[1; 100]]);
        assert_eq!(lines(&caches), Some(2 << 4));
        caches.set(CacheState::Cold, &[]);
        assert_eq!(lines(&caches), Some(2 << 8));
    }
}
