//! Libraries that lack a function: a typed error, and never a panic of the bindings.

use crate::process::{each, fakes};
use gpu_bench::nvrtc::Nvrtc;
use gpu_bench::{Cuda, GpuError};
use std::path::{Path, PathBuf};

/// The function that the library lacks, in the processes that test it.
const LACKS: &str = "FAKE_LACKS";

/// Every quoted name in a part of a source that begins like a function of the library.
fn listed(source: &str, prefix: &str) -> Vec<String> {
    let names = source.split('"').skip(1).step_by(2);
    let mut names: Vec<String> = names.filter(|name| name.starts_with(prefix)).map(str::to_owned).collect();
    names.dedup();
    names
}

/// The list that a constant holds, so that a new function is tested as soon as it is listed.
fn constant<'s>(source: &'s str, name: &str) -> &'s str {
    let (_, from) = source.split_once(name).unwrap();
    from.split_once("];").unwrap().0
}

/// A copy of the library in which the function has another name.
fn without(library: &Path, symbol: &str) -> PathBuf {
    let mut bytes = std::fs::read(library).unwrap();
    let name: Vec<u8> = [b"\0", symbol.as_bytes(), b"\0"].concat();
    let at = bytes.windows(name.len()).position(|window| window == name);
    bytes[at.unwrap_or_else(|| panic!("{} has no {symbol}", library.display())) + 1] = b'X';
    let folder = library.parent().unwrap().join(format!("without-{symbol}"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(library.file_name().unwrap()), bytes).unwrap();
    folder
}

/// Runs this test once for each function, with a library that lacks it.
fn each_lacks<F: FnOnce()>(library: &str, variable: &str, symbols: &[String], body: F) {
    let path = |fakes: &crate::process::Fakes| {
        [fakes.driver.join(library), fakes.others.join(library)].into_iter().find(|path| path.is_file()).unwrap()
    };
    let variants = symbols.iter().filter_map(|symbol| {
        let folder = without(&path(fakes()?), symbol);
        let folder = folder.to_str().unwrap().to_owned();
        Some(vec![(LACKS.to_owned(), symbol.clone()), (variable.to_owned(), folder)])
    });
    each(variants, body);
}

#[track_caller]
fn is_said(library: &'static str) {
    let symbol = std::env::var(LACKS).unwrap();
    let reason = format!("{library} lacks the function `{symbol}`");
    let unavailable = gpu_bench::check().unwrap_err();
    assert_eq!((unavailable.reason.as_str(), unavailable.remedy.as_str()), (reason.as_str(), "update it"));
    // Found out anew each time, and by everyone.
    assert_eq!(gpu_bench::check().unwrap_err(), unavailable);
    assert_eq!(Cuda::device(0).unwrap_err(), unavailable);
    assert!(Cuda::device(7).is_err());
}

#[test]
fn of_the_driver() {
    let symbols = listed(constant(include_str!("../../src/check.rs"), "const DRIVER_SYMBOLS"), "cu");
    assert!(symbols.len() >= 39, "{symbols:?}");
    each_lacks("libcuda.so.1", "LD_LIBRARY_PATH", &symbols, || is_said("the CUDA driver"));
}

#[test]
fn of_cudnn() {
    let symbols = listed(constant(include_str!("../../src/cudnn/mod.rs"), "const SYMBOLS"), "cudnn");
    assert!(symbols.len() >= 11, "{symbols:?}");
    each_lacks("libcudnn.so.9", "LOCP_CUDNN", &symbols, || is_said("cuDNN"));
}

#[test]
fn of_the_compiler() {
    let all = listed(include_str!("../../src/nvrtc/mod.rs"), "nvrtc");
    let mut symbols: Vec<String> = all.into_iter().filter(|name| !name.contains('.')).collect();
    symbols.sort();
    symbols.dedup();
    assert!(symbols.len() >= 11, "{symbols:?}");
    each_lacks("libnvrtc.so.13", "LOCP_NVRTC", &symbols, || {
        is_said("NVRTC");
        let symbol = std::env::var(LACKS).unwrap();
        assert_eq!(Nvrtc::find().unwrap_err(), GpuError::NoSymbol { library: "NVRTC", symbol });
    });
}

/// The bindings look for cuDNN by its bare name, and a system may have another one under that name than the one that
/// was found and looked into.
#[test]
fn of_another_cudnn_that_the_loader_prefers() {
    let symbols = ["cudnnGetLastErrorString", "cudnnBackendExecute"].map(str::to_owned);
    let variants = symbols.iter().filter_map(|symbol| {
        let folder = without(&fakes()?.others.join("libcudnn.so.9"), symbol);
        Some(vec![(LACKS.to_owned(), symbol.clone()), preferred(&folder)?])
    });
    each(variants, || is_said("cuDNN"));
}

/// The loader's path with the cuDNN of this folder under the bare name.
fn preferred(folder: &Path) -> Option<(String, String)> {
    // Another library by its own word too, or the loader takes them for one.
    let other = folder.join("loader");
    std::fs::create_dir_all(&other).unwrap();
    let mut bytes = std::fs::read(folder.join("libcudnn.so.9")).unwrap();
    let name = b"\0libcudnn.so.9\0";
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap();
    bytes[at + name.len() - 2] = b'8';
    std::fs::write(other.join("libcudnn.so"), bytes).unwrap();
    Some(("LD_LIBRARY_PATH".to_owned(), format!("{}:{}", other.display(), fakes()?.driver.display())))
}

#[test]
fn the_cudnn_that_is_called_is_the_one_that_is_named() {
    let ours = fakes().map(|fakes| vec![("LOCP_CUDNN".to_owned(), fakes.others.display().to_string())]);
    let others = fakes().and_then(|fakes| Some(vec![preferred(&fakes.others)?]));
    each([ours, others].into_iter().flatten(), || {
        let library = gpu_bench::libraries().remove(1);
        let path = library.found.unwrap().path.display().to_string();
        let is_preferred = std::env::var("LD_LIBRARY_PATH").unwrap().contains("loader");
        assert_eq!(path.starts_with("the loader's own (it prefers one to "), is_preferred, "{path}");
        assert!(path.contains("libcudnn.so.9"), "{path}");
    });
}
