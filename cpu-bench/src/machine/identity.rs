//! What identifies a CPU, from what the system says of it.
//!
//! Latencies are shared between machines with equal names, so two CPUs that cannot be told apart must not get one:
//! where the system names no product, the name holds the id of the installation.

use super::arm;

/// What the system can be asked.
pub(super) struct Probes<'p> {
    /// The text of a file, `None` if it cannot be read.
    pub(super) file: &'p dyn Fn(&str) -> Option<String>,
    /// What a command prints, `None` if it fails.
    pub(super) command: &'p dyn Fn(&str, &[&str]) -> Option<String>,
    /// The id of this installation.
    pub(super) installation: &'p dyn Fn() -> String,
}

const BRAND: [&str; 2] = ["-n", "machdep.cpu.brand_string"];
const REGISTRY: [&str; 4] =
    ["query", r"HKLM\HARDWARE\DESCRIPTION\System\CentralProcessor\0", "/v", "ProcessorNameString"];
/// Names that hypervisors give to any CPU.
const VIRTUAL: [&str; 3] = ["QEMU", "KVM", "Virtual CPU"];

/// A name that only equal CPUs share, without the bar that separates a machine's fields.
pub(super) fn identify(arch: &str, probes: &Probes<'_>) -> String {
    let cpuinfo = (probes.file)("/proc/cpuinfo").unwrap_or_default();
    let name = from_linux(&cpuinfo, probes)
        .or_else(|| (probes.command)("/usr/sbin/sysctl", &BRAND).and_then(|text| product(text.trim())))
        .or_else(|| (probes.command)("reg", &REGISTRY).and_then(|text| from_registry(&text)))
        .unwrap_or_else(|| format!("{arch} CPU, installation {}", (probes.installation)()));
    name.replace('|', "/")
}

fn from_linux(cpuinfo: &str, probes: &Probes<'_>) -> Option<String> {
    let board = || {
        let stated = field(cpuinfo, "Model").map(str::to_owned);
        stated.or_else(|| board(probes)).map(|board| board.trim_end_matches('\0').trim().to_owned())
    };
    // An Arm kernel may state a model name, too, but that is the architecture's.
    if field(cpuinfo, "CPU implementer").is_some() {
        let cores = arm::cores(cpuinfo)?;
        // Chips of several makers have the same cores; the board tells them apart.
        return Some(match board() {
            Some(board) => format!("{cores}, {board}"),
            None => cores,
        });
    }
    from_model_name(cpuinfo).or_else(|| field(cpuinfo, "Model").and_then(product))
}

/// The board, from the device tree, or from the firmware's tables on servers.
fn board(probes: &Probes<'_>) -> Option<String> {
    let firmware = |name: &str| {
        let text = (probes.file)(&format!("/sys/class/dmi/id/{name}"))?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let tree = (probes.file)("/sys/firmware/devicetree/base/model");
    tree.or_else(|| Some(format!("{} {}", firmware("sys_vendor")?, firmware("product_name")?)))
}

/// The product's name with family and model, because clouds call several generations the same.
fn from_model_name(cpuinfo: &str) -> Option<String> {
    let name = field(cpuinfo, "model name").and_then(product)?;
    Some(match (field(cpuinfo, "cpu family"), field(cpuinfo, "model")) {
        (Some(family), Some(model)) => format!("{name} (family {family} model {model})"),
        _ => name,
    })
}

/// The value in what `reg query` prints: `    ProcessorNameString    REG_SZ    Intel(R) Core(TM) ..`.
fn from_registry(text: &str) -> Option<String> {
    text.lines().find_map(|line| product(line.split_once("REG_SZ")?.1.trim()))
}

/// A name, unless it is empty or one that a hypervisor gives to any CPU.
fn product(name: &str) -> Option<String> {
    let is_product = !name.is_empty() && name != "unknown" && !VIRTUAL.iter().any(|part| name.contains(part));
    is_product.then(|| name.to_owned())
}

fn field<'t>(cpuinfo: &'t str, name: &str) -> Option<&'t str> {
    fields(cpuinfo).find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// Keys and values of `/proc/cpuinfo`.
pub(super) fn fields(cpuinfo: &str) -> impl Iterator<Item = (&str, &str)> {
    cpuinfo.lines().filter_map(|line| line.split_once(':')).map(|(key, value)| (key.trim(), value.trim()))
}

#[cfg(test)]
mod tests {
    use super::{Probes, identify};

    const CPUINFO: &str = "/proc/cpuinfo";
    const VENDOR: &str = "/sys/class/dmi/id/sys_vendor";
    const PRODUCT: &str = "/sys/class/dmi/id/product_name";
    const TREE: &str = "/sys/firmware/devicetree/base/model";
    /// Graviton2 and Altra, which have the same cores.
    const NEOVERSE_N1: &str = "processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x3\n\
                               CPU part\t: 0xd0c\nCPU revision\t: 1\n";
    const CORTEX_A72: &str = "processor\t: 0\nmodel name\t: ARMv7 Processor rev 3 (v7l)\nCPU implementer\t: 0x41\n\
                              CPU architecture: 7\nCPU variant\t: 0x0\nCPU part\t: 0xd08\nCPU revision\t: 3\n";
    const VIRTUAL_APPLE: &str = "CPU implementer\t: 0x61\nCPU variant\t: 0x0\nCPU part\t: 0x000\nCPU revision\t: 0\n";

    /// The name on a system with these files, where the commands whose program ends in the first text print the second.
    fn named(files: &[(&str, &str)], commands: &[(&str, &str)]) -> String {
        let of = |texts: &[(&str, &str)], fits: &dyn Fn(&str) -> bool| {
            texts.iter().find(|(name, _)| fits(name)).map(|(_, text)| (*text).to_owned())
        };
        let file = |path: &str| of(files, &|name| name == path);
        let command = |program: &str, _: &[&str]| of(commands, &|name| program.ends_with(name));
        identify("aarch64", &Probes { file: &file, command: &command, installation: &|| "0123".to_owned() })
    }

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: &str) {
        assert_eq!(named(files, &[]), expected);
    }

    #[test]
    fn linux_on_x86_states_product_family_and_model() {
        let epyc = "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n";
        check(&[(CPUINFO, epyc)], "AMD EPYC (family 25 model 17)");
        check(&[(CPUINFO, "model name\t: Intel(R) Xeon(R)\n")], "Intel(R) Xeon(R)");
        check(&[(CPUINFO, "model name\t: a|b\n")], "a/b");
    }

    #[test]
    fn chips_with_the_same_arm_cores_differ_by_their_boards() {
        let cloud = |vendor, product| [(CPUINFO, NEOVERSE_N1), (VENDOR, vendor), (PRODUCT, product)];
        check(&cloud("Amazon EC2\n", "c6g.xlarge\n"), "Arm 0x41:0xd0c r3p1, Amazon EC2 c6g.xlarge");
        check(&cloud("GIGABYTE\n", "R272-P30-JG\n"), "Arm 0x41:0xd0c r3p1, GIGABYTE R272-P30-JG");
        check(&[(CPUINFO, NEOVERSE_N1)], "Arm 0x41:0xd0c r3p1");
    }

    #[test]
    fn a_raspberry_pi_has_the_name_of_its_board() {
        let expected = "Arm 0x41:0xd08 r0p3, Raspberry Pi 4 Model B Rev 1.4";
        let stated = format!("{CORTEX_A72}\nHardware\t: BCM2711\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n");
        check(&[(CPUINFO, &stated)], expected);
        check(&[(CPUINFO, CORTEX_A72), (TREE, "Raspberry Pi 4 Model B Rev 1.4\0")], expected);
    }

    #[test]
    fn other_systems_print_the_name() {
        assert_eq!(named(&[], &[("sysctl", "Apple M2 Pro\n")]), "Apple M2 Pro");
        let registry = "\r\nHKEY_LOCAL_MACHINE\\..\\0\r\n    ProcessorNameString    REG_SZ    AMD Ryzen 9 7950X  \r\n";
        assert_eq!(named(&[], &[("reg", registry)]), "AMD Ryzen 9 7950X");
    }

    #[test]
    fn what_no_product_identifies_is_one_installation() {
        let unknown = "aarch64 CPU, installation 0123";
        check(&[], unknown);
        check(&[(CPUINFO, VIRTUAL_APPLE), (VENDOR, "Apple Inc."), (PRODUCT, "Virtualization Platform")], unknown);
        for name in ["QEMU Virtual CPU version 2.5+", "Common KVM processor", "unknown", ""] {
            check(&[(CPUINFO, &format!("cpu family\t: 15\nmodel\t: 6\nmodel name\t: {name}\n"))], unknown);
        }
    }
}
