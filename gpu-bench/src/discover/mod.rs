//! Where the libraries of CUDA are looked for, and how they are loaded.
//!
//! Most users have no toolkit: their cuDNN and NVRTC came with PyTorch, in `nvidia/*/lib` below Python's
//! site-packages, where no loader looks. So the places are gone through here, in an order that the user can steer,
//! and what is found is loaded by its absolute path; later look-ups by bare name then find it loaded.

mod load;
mod surroundings;
#[cfg(all(test, target_os = "linux"))]
mod tests;

pub(crate) use load::load;
pub(crate) use surroundings::Surroundings;

use std::path::{Path, PathBuf};

/// A library that may be anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// What messages call it.
    pub(crate) name: &'static str,
    /// File names, the most wanted first.
    pub(crate) files: &'static [&'static str],
    /// An environment variable that names the file or its folder.
    pub(crate) variable: &'static str,
}

/// cuDNN 9; its parts find each other beside it.
pub(crate) const CUDNN: Wanted = Wanted { name: "cuDNN", files: &["libcudnn.so.9"], variable: "LOCP_CUDNN" };

/// The run-time compiler, any version that knows the device.
pub(crate) const NVRTC: Wanted = Wanted {
    name: "NVRTC",
    files: &["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2", "libnvrtc.so"],
    variable: "LOCP_NVRTC",
};

/// The run-time compiler for a driver of CUDA 12.
pub(crate) const NVRTC_12: Wanted = Wanted { files: &["libnvrtc.so.12", "libnvrtc.so.11.2"], ..NVRTC };

/// One place where a library may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// By its bare name, wherever the system's loader looks.
    Loader(&'static str),
    /// At this path, which exists.
    File(PathBuf),
}

/// Where a library may be, in order, and every place that was looked at, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Search {
    pub(crate) places: Vec<Place>,
    pub(crate) looked_for: Vec<String>,
}

/// Goes through all places: the variable, the loader's path, the toolkit, conda, and Python's site-packages.
pub(crate) fn search(wanted: &Wanted, here: &Surroundings) -> Search {
    let mut search = Search::default();
    match here.variable(wanted.variable) {
        Some(path) => {
            search.look_in(wanted, &format!("{} ({})", wanted.variable, path.display()), std::slice::from_ref(&path));
            if path.is_file() {
                search.places.push(Place::File(path));
            }
        }
        None => search.looked_for.push(format!("{} (not set)", wanted.variable)),
    }
    search.looked_for.push(format!("{} by the loader ({})", wanted.files.join(" or "), here.loader_path()));
    search.places.extend(wanted.files.iter().map(|file| Place::Loader(file)));
    for (words, folders) in here.folders() {
        search.look_in(wanted, &words, &folders);
    }
    search
}

impl Search {
    /// Adds the files that are there, and the words that say where was looked.
    fn look_in(&mut self, wanted: &Wanted, words: &str, folders: &[PathBuf]) {
        self.looked_for.push(words.to_owned());
        for folder in folders {
            let files = wanted.files.iter().map(|file| folder.join(file)).filter(|path| path.is_file());
            for file in files {
                if !self.places.contains(&Place::File(file.clone())) {
                    self.places.push(Place::File(file));
                }
            }
        }
    }
}

/// Where the driver is looked for, in words: it comes with the kernel module, so the loader knows it or nobody does.
pub(crate) fn driver_places(here: &Surroundings) -> Vec<String> {
    if cfg!(windows) {
        return vec!["nvcuda.dll in the folders of PATH".to_owned()];
    }
    vec![
        format!("libcuda.so or libcuda.so.1 by the loader ({})", here.loader_path()),
        "the loader's cache /etc/ld.so.cache".to_owned(),
        "/lib and /usr/lib".to_owned(),
    ]
}

/// The libraries that cuDNN asks for by bare name at run time, beside it or in the folders next to its own: they are
/// loaded before it, because where Python keeps them no loader looks.
pub(crate) fn companions(cudnn: &Path) -> Vec<PathBuf> {
    const NAMES: [&str; 4] = ["libnvrtc.so", "libcublasLt.so", "libcublas.so", "libcudart.so"];
    let Some(own) = cudnn.parent() else { return Vec::new() };
    // `nvidia/cudnn/lib` has `nvidia/cublas/lib` beside it, and since CUDA 13 `nvidia/cu13/lib`.
    let siblings = own.parent().and_then(Path::parent).map(children).unwrap_or_default();
    let folders: Vec<PathBuf> =
        std::iter::once(own.to_owned()).chain(siblings.into_iter().map(|package| package.join("lib"))).collect();
    let mut found = Vec::new();
    for name in NAMES {
        let of_name = folders.iter().flat_map(|folder| children(folder)).filter(|path| {
            let file = path.file_name().and_then(|f| f.to_str()).unwrap_or_default();
            // `libnvrtc.so.12`, and neither `libnvrtc-builtins.so.12` nor `libnvrtc.so.12.4.127`, which is the same file.
            file.strip_prefix(name).is_some_and(|rest| rest.matches('.').count() == 1)
        });
        found.extend(of_name);
    }
    found
}

/// What a folder holds, in order of names; nothing where it cannot be read.
fn children(folder: &Path) -> Vec<PathBuf> {
    let mut children: Vec<PathBuf> =
        std::fs::read_dir(folder).map(|entries| entries.flatten().map(|e| e.path()).collect()).unwrap_or_default();
    children.sort();
    children
}
