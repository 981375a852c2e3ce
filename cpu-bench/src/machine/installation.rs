//! A random id for an installation on a CPU that the system does not identify.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};

const FILE: &str = "machine-id";

/// The folder of the latency table: `locp` in `XDG_CACHE_HOME`, or in `.cache` at home; `None` if neither is set.
pub(super) fn cache_folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("locp"))
}

/// The id that is kept in the folder, created by the first call; another one each time if it cannot be kept.
pub(super) fn id(folder: Option<&Path>) -> String {
    let fresh = random();
    let kept = folder.and_then(|folder| keep(folder, &fresh).ok());
    kept.unwrap_or(fresh)
}

/// 16 hexadecimal digits from the system's random numbers, which seed the standard library's hash maps.
fn random() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

/// Writes the id unless the folder holds one; the one that it holds then.
fn keep(folder: &Path, fresh: &str) -> io::Result<String> {
    let path = folder.join(FILE);
    if !path.exists() {
        fs::create_dir_all(folder)?;
        // A link appears with the whole text, and never replaces what another process has created by then.
        let whole = folder.join(format!("{FILE}.{fresh}"));
        let linked = fs::write(&whole, format!("{fresh}\n")).and_then(|()| fs::hard_link(&whole, &path));
        let removed = fs::remove_file(&whole);
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => removed?,
        }
    }
    let text = fs::read_to_string(&path)?;
    let id = text.trim();
    let is_id = id.len() == fresh.len() && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id { Ok(id.to_owned()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::{FILE, id};
    use crate::machine::identity::{Probes, identify};
    use std::path::Path;

    /// The name of a CPU of which nothing is known.
    fn unknown(folder: Option<&Path>) -> String {
        let none = |_: &str, _: &[&str]| None;
        identify("riscv64", &Probes { file: &|_| None, command: &none, installation: &|| id(folder) })
    }

    #[test]
    fn an_installation_stays_the_same_and_differs_from_others() {
        let [one, other] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        // The cache folder does not exist yet.
        let [one, other] = [one.path().join("cache/locp"), other.path().join("cache/locp")];
        let first = unknown(Some(&one));
        assert!(first.starts_with("riscv64 CPU, installation "), "{first}");
        assert_eq!(unknown(Some(&one)), first);
        assert_ne!(unknown(Some(&other)), first);
        assert_eq!(std::fs::read_dir(&one).unwrap().count(), 1, "nothing else stays in the folder");
    }

    #[test]
    fn processes_that_start_together_agree() {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| unknown(Some(folder.path())))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
    }

    #[test]
    fn an_id_that_cannot_be_kept_is_never_equal() {
        assert_ne!(unknown(None), unknown(None));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "no id").unwrap();
        assert_ne!(unknown(Some(folder.path())), unknown(Some(folder.path())));
        let file = folder.path().join(FILE);
        assert_ne!(unknown(Some(&file)), unknown(Some(&file)));
    }
}
