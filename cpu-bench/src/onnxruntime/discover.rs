//! Where ONNX Runtime's library is looked for.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What was found, and where was looked, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Search {
    pub(crate) found: Option<PathBuf>,
    pub(crate) looked_for: Vec<String>,
}

/// Folders of the loader's that are usual where `/etc/ld.so.conf` says nothing else.
const USUAL: [&str; 6] = [
    "/usr/local/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/opt/onnxruntime/lib",
];

/// Looks at `ORT_DYLIB_PATH`, then along the loader's path, then at the `onnxruntime` package of the `python3` on PATH.
///
/// A path that is set by name and leads nowhere ends the search: whoever sets one does not want another library.
pub(crate) fn search() -> Search {
    let mut search = Search::default();
    if let Some(path) = env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        search.looked_for.push(format!("ORT_DYLIB_PATH={}", path.display()));
        // A bare name would be looked for beside this program first, and a library that is not there still "loads".
        search.found = path.is_file().then_some(path);
        return search;
    }
    let path = if cfg!(windows) {
        "PATH"
    } else if cfg!(target_os = "macos") {
        "DYLD_LIBRARY_PATH"
    } else {
        "LD_LIBRARY_PATH"
    };
    let named = env::var_os(path).unwrap_or_default();
    let folders = env::split_paths(&named).filter(|folder| !folder.as_os_str().is_empty());
    for folder in folders.chain(USUAL.iter().map(PathBuf::from)) {
        if search.try_folder(&folder) {
            return search;
        }
    }
    search.looked_for.push("the onnxruntime package of python3 on PATH".to_owned());
    if let Some(folder) = python_folder() {
        search.try_folder(&folder);
    }
    search
}

impl Search {
    fn try_folder(&mut self, folder: &Path) -> bool {
        self.looked_for.push(folder.join(library_name()).display().to_string());
        self.found = library_in(folder);
        self.found.is_some()
    }
}

fn library_name() -> &'static str {
    if cfg!(windows) {
        "onnxruntime.dll"
    } else if cfg!(target_os = "macos") {
        "libonnxruntime.dylib"
    } else {
        "libonnxruntime.so"
    }
}

/// The library in a folder, by its plain name or the newest of those with a version behind it.
fn library_in(folder: &Path) -> Option<PathBuf> {
    let plain = folder.join(library_name());
    if plain.is_file() {
        return Some(plain);
    }
    let stem = library_name().trim_end_matches(".dylib");
    let is_versioned = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let rest = name.strip_prefix(stem).and_then(|rest| rest.strip_prefix('.'));
        rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let entries = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    entries.filter(is_versioned).max_by_key(|path| version(path))
}

/// The numbers in a file's name, so that 1.10 is newer than 1.9.
pub(super) fn version(path: &Path) -> Vec<u32> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.split('.').filter_map(|part| part.parse().ok()).collect()
}

/// The package's folder of libraries, without importing it: that would load the library and its Python.
fn python_folder() -> Option<PathBuf> {
    let code = "import importlib.util as u; s = u.find_spec('onnxruntime'); print(s.submodule_search_locations[0] if s else '')";
    let output = Command::new("python3").args(["-c", code]).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let package = text.trim();
    (!package.is_empty()).then(|| Path::new(package).join("capi"))
}

#[cfg(test)]
mod tests {
    use super::{library_in, library_name};

    #[test]
    fn the_plain_name_is_taken_before_the_newest_version() {
        let folder = std::env::temp_dir().join(format!("locp-ort-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let make = |name: &str| std::fs::write(folder.join(name), b"").expect("a file");
        assert_eq!(library_in(&folder), None);
        for version in ["1.9.0", "1.18.1", "1.10.2"] {
            make(&format!("{}.{version}", library_name()));
        }
        if cfg!(target_os = "linux") {
            assert_eq!(library_in(&folder), Some(folder.join("libonnxruntime.so.1.18.1")));
        }
        make(library_name());
        assert_eq!(library_in(&folder), Some(folder.join(library_name())));
        std::fs::remove_dir_all(&folder).expect("it is ours");
    }
}
