//! Reading the assembler's report.

/// What one kernel takes on a multiprocessor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resources {
    /// Its name in the image.
    pub entry: String,
    /// Registers of a thread.
    pub registers: u32,
    /// Static shared memory of a block in bytes.
    pub shared_bytes: u32,
    /// Bytes of registers that a thread writes to memory because they do not fit.
    pub spill_bytes: u32,
}

/// One entry for each kernel that the report names, in its order.
///
/// The report's lines read `Compiling entry function 'NAME' for 'sm_90'`, `N bytes stack frame, N bytes spill stores,
/// N bytes spill loads` and `Used N registers, ..., N bytes smem`.
pub(super) fn resources(log: &str) -> Vec<Resources> {
    let mut all: Vec<Resources> = Vec::new();
    for line in log.lines() {
        if let Some((_, rest)) = line.split_once("Compiling entry function '") {
            let entry = rest.split('\'').next().unwrap_or_default().to_owned();
            all.push(Resources { entry, ..Resources::default() });
        }
        let Some(last) = all.last_mut() else { continue };
        if let Some(bytes) = before(line, " bytes spill stores") {
            last.spill_bytes = bytes;
        }
        if let Some(registers) = before(line, " registers") {
            last.registers = registers;
        }
        if let Some(bytes) = before(line, " bytes smem") {
            last.shared_bytes = bytes;
        }
    }
    all
}

/// The number that stands before these words.
fn before(line: &str, words: &str) -> Option<u32> {
    let (head, _) = line.split_once(words)?;
    let digits = head.rfind(|c: char| !c.is_ascii_digit()).map_or(head, |at| &head[at + 1..]);
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Resources, resources};

    #[test]
    fn a_report_is_read() {
        let log = "ptxas info    : 0 bytes gmem\n\
            ptxas info    : Compiling entry function '_Z1av' for 'sm_90'\n\
            ptxas info    : Function properties for _Z1av\n    \
            0 bytes stack frame, 16 bytes spill stores, 24 bytes spill loads\n\
            ptxas info    : Used 255 registers, used 1 barriers, 16384 bytes smem, 400 bytes cmem[0]\n\
            ptxas info    : Compiling entry function 'b' for 'sm_90'\n\
            ptxas info    : Used 8 registers\n";
        let of = |entry: &str, registers, shared_bytes, spill_bytes| Resources {
            entry: entry.to_owned(),
            registers,
            shared_bytes,
            spill_bytes,
        };
        assert_eq!(resources(log), [of("_Z1av", 255, 16384, 16), of("b", 8, 0, 0)]);
    }
}
