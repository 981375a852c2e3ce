//! Where a CUDA driver and its devices are looked for, in words.

use std::ffi::OsStr;

/// File names of the driver, and the folders in which the system's loader looks for them.
pub(crate) fn driver(library_path: Option<&OsStr>) -> Vec<String> {
    if cfg!(windows) {
        return vec!["nvcuda.dll in the folders of PATH".to_owned()];
    }
    let mut places = vec!["libcuda.so".to_owned(), "libcuda.so.1".to_owned()];
    let folders: Vec<String> = library_path
        .map(|path| std::env::split_paths(path).filter(|f| !f.as_os_str().is_empty()).collect::<Vec<_>>())
        .unwrap_or_default()
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    places.push(match folders.as_slice() {
        [] => "in LD_LIBRARY_PATH (empty)".to_owned(),
        folders => format!("in LD_LIBRARY_PATH ({})", folders.join(" ")),
    });
    places.push("in the loader's cache /etc/ld.so.cache".to_owned());
    places.push("in /lib and /usr/lib".to_owned());
    places
}

/// What decides which devices the driver shows.
pub(crate) fn devices(visible: Option<&str>) -> Vec<String> {
    let visible = visible.map_or("not set".to_owned(), |value| format!("\"{value}\""));
    vec!["/dev/nvidiactl".to_owned(), "/dev/nvidia0".to_owned(), format!("CUDA_VISIBLE_DEVICES ({visible})")]
}

#[cfg(test)]
mod tests {
    use super::{devices, driver};
    use std::ffi::OsStr;

    #[test]
    #[cfg(unix)]
    fn every_folder_is_named() {
        let tail = ["in the loader's cache /etc/ld.so.cache", "in /lib and /usr/lib"];
        let check = |path: Option<&str>, expect: &str| {
            let found = driver(path.map(OsStr::new));
            assert_eq!(found, ["libcuda.so", "libcuda.so.1", expect, tail[0], tail[1]]);
        };
        check(None, "in LD_LIBRARY_PATH (empty)");
        check(Some(""), "in LD_LIBRARY_PATH (empty)");
        check(Some("/a:/b c"), "in LD_LIBRARY_PATH (/a /b c)");
    }

    #[test]
    fn hidden_devices_are_named() {
        assert_eq!(devices(Some("")).last().map(String::as_str), Some("CUDA_VISIBLE_DEVICES (\"\")"));
        assert_eq!(devices(None).last().map(String::as_str), Some("CUDA_VISIBLE_DEVICES (not set)"));
    }
}
