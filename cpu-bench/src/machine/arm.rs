//! Arm cores, which Linux describes by numbers instead of a name.

use super::identity::fields;

/// All kinds of cores in `/proc/cpuinfo`, in its order: `Arm 0x41:0xd08 r0p3 + 0x41:0xd03 r0p4`.
///
/// Each is implementer and part, with Arm's notation for variant and revision. `None` if the text describes no Arm
/// core, or if a hypervisor hides the part: implementer 0 is software, and part 0 does not name a product.
pub(super) fn cores(cpuinfo: &str) -> Option<String> {
    let mut kinds: Vec<String> = Vec::new();
    let mut implementer = None;
    let mut variant = None;
    let mut part = None;
    for (key, value) in fields(cpuinfo) {
        match key {
            "CPU implementer" => implementer = Some(number(value)?),
            "CPU variant" => variant = Some(number(value)?),
            "CPU part" => part = Some(number(value)?),
            // The kernel writes it last for each core.
            "CPU revision" => {
                let (implementer, variant, part) = (implementer.take()?, variant.take()?, part.take()?);
                if implementer == 0 || part == 0 {
                    return None;
                }
                let kind = format!("{implementer:#04x}:{part:#05x} r{variant}p{}", number(value)?);
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
            _ => {}
        }
    }
    (!kinds.is_empty()).then(|| format!("Arm {}", kinds.join(" + ")))
}

/// A number as the kernel writes it: `0x41`, or `1`.
fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::cores;

    fn core(implementer: &str, variant: &str, part: &str, revision: u32) -> String {
        format!(
            "processor\t: 0\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd\nCPU implementer\t: {implementer}\n\
             CPU architecture: 8\nCPU variant\t: {variant}\nCPU part\t: {part}\nCPU revision\t: {revision}\n\n"
        )
    }

    #[track_caller]
    fn check(cpuinfo: &str, expected: Option<&str>) {
        assert_eq!(cores(cpuinfo).as_deref(), expected);
    }

    #[test]
    fn all_kinds_of_cores_are_named_in_order() {
        check(&core("0x41", "0x3", "0xd0c", 1).repeat(64), Some("Arm 0x41:0xd0c r3p1"));
        let [little, big] = [core("0x41", "0x0", "0xd03", 4), core("0x41", "0x0", "0xd08", 2)];
        check(&format!("{}{}", little.repeat(4), big.repeat(2)), Some("Arm 0x41:0xd03 r0p4 + 0x41:0xd08 r0p2"));
        check(&format!("{}{}", big.repeat(2), little.repeat(4)), Some("Arm 0x41:0xd08 r0p2 + 0x41:0xd03 r0p4"));
    }

    #[test]
    fn hidden_and_broken_cores_have_no_name() {
        check(&core("0x61", "0x0", "0x000", 0), None);
        check(&core("0x00", "0x0", "0x051", 0), None);
        check(&core("0x41", "0x3", "?", 1), None);
        check("CPU revision\t: 1\n", None);
        check("model name\t: AMD EPYC\n", None);
        check("", None);
    }
}
