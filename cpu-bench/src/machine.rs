//! What this CPU is called and how wide its vectors are.

/// The CPU's product name, with family and model where the kernel tells: clouds call several generations the same.
pub(crate) fn cpu_name() -> String {
    cpu_name_in(&std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default())
        .unwrap_or_else(|| format!("{} CPU", std::env::consts::ARCH))
}

fn cpu_name_in(cpuinfo: &str) -> Option<String> {
    let field = |name: &str| {
        let mut fields = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
    };
    let name = field("model name").or_else(|| field("Model"))?;
    Some(match (field("cpu family"), field("model")) {
        (Some(family), Some(model)) => format!("{name} (family {family} model {model})"),
        _ => name,
    })
}

/// The widest vector extension that tract has kernels for.
#[cfg(target_arch = "x86_64")]
pub(crate) fn vector_extension() -> &'static str {
    if std::is_x86_feature_detected!("avx512f") {
        "AVX-512"
    } else if std::is_x86_feature_detected!("fma") && std::is_x86_feature_detected!("avx2") {
        "AVX2+FMA"
    } else if std::is_x86_feature_detected!("avx") {
        "AVX"
    } else {
        "SSE2"
    }
}

/// The widest vector extension that tract has kernels for.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn vector_extension() -> &'static str {
    if cfg!(target_arch = "aarch64") { "NEON" } else { std::env::consts::ARCH }
}

#[cfg(test)]
mod tests {
    use super::cpu_name_in;

    #[track_caller]
    fn check(cpuinfo: &str, expect: Option<&str>) {
        assert_eq!(cpu_name_in(cpuinfo).as_deref(), expect);
    }

    #[test]
    fn cpu_names() {
        check(
            "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n",
            Some("AMD EPYC (family 25 model 17)"),
        );
        check("processor : 0\nModel : Raspberry Pi 4\n", Some("Raspberry Pi 4"));
        check("", None);
    }
}
