//! Loading what was found.
#![allow(unsafe_code, reason = "loading a library runs its initializers; each block says why that is wanted")]

use super::{Place, Search, companions};
use std::path::{Path, PathBuf};

/// A library that is loaded for the rest of the process.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) library: &'static libloading::Library,
    /// The path, or the bare name where the loader found it.
    pub(crate) path: PathBuf,
}

/// Loads the first place that can be loaded; otherwise every place, with the loader's word on those that are there.
pub(crate) fn load(search: &Search) -> Result<Loaded, Vec<String>> {
    let mut looked_for = search.looked_for.clone();
    for place in &search.places {
        let path = match place {
            Place::Loader(name) => PathBuf::from(name),
            Place::File(path) => path.clone(),
        };
        if let Place::File(path) = place {
            companions(path).iter().for_each(|companion| {
                // One that cannot be loaded is missed by the library itself, if it needs it at all.
                let _ = open(companion);
            });
        }
        match open(&path) {
            // Symbols point into it and handles may outlive any value here, so it stays.
            Ok(library) => return Ok(Loaded { library: Box::leak(Box::new(library)), path }),
            Err(error) => {
                if matches!(place, Place::File(_)) {
                    looked_for.push(format!("{} (there, but it cannot be loaded: {error})", path.display()));
                }
            }
        }
    }
    Err(looked_for)
}

/// Loads with symbols that later libraries can see, so that parts and bindings which ask for the bare name find it.
#[cfg(unix)]
fn open(path: &Path) -> Result<libloading::Library, libloading::Error> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_LAZY};
    // SAFETY: This runs the initializers of a library that the user installed and whose name is one of NVIDIA's; that
    // is what asking for a GPU means.
    unsafe { Library::open(Some(path), RTLD_LAZY | RTLD_GLOBAL) }.map(libloading::Library::from)
}

#[cfg(not(unix))]
fn open(path: &Path) -> Result<libloading::Library, libloading::Error> {
    // SAFETY: As above.
    unsafe { libloading::Library::new(path) }
}

impl Loaded {
    /// The first of these functions that the library does not have.
    pub(crate) fn lacks<'s>(&self, symbols: &[&'s str]) -> Option<&'s str> {
        // SAFETY: Looking a symbol up reads it as an address only; nothing is called.
        let has = |symbol: &str| unsafe { self.library.get::<*const std::ffi::c_void>(symbol.as_bytes()) }.is_ok();
        symbols.iter().copied().find(|symbol| !has(symbol))
    }
}
