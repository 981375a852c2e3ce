//! Searches in made-up folders.

use super::surroundings::ask_python;
use super::{CUDNN, NVRTC, Place, Surroundings, companions, driver_places, load, search};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A root folder with these empty files in it.
fn root(files: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a folder");
    for file in files {
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("folders");
        fs::write(path, "").expect("a file");
    }
    root
}

fn surroundings(root: &Path, variables: &[(&str, &str)], python: Option<&str>) -> Surroundings {
    let variables = variables.iter().map(|(name, path)| ((*name).to_owned(), root.join(path)));
    Surroundings {
        variables: BTreeMap::from_iter(variables),
        root: root.to_owned(),
        python: python.map(|folder| vec![root.join(folder)]),
    }
}

/// The files that were found, below the root.
fn found(root: &Path, variables: &[(&str, &str)], python: Option<&str>) -> Vec<String> {
    let files =
        search(&CUDNN, &surroundings(root, variables, python)).places.into_iter().filter_map(|place| match place {
            Place::File(path) => Some(path.strip_prefix(root).expect("it lies below the root").display().to_string()),
            Place::Loader(_) => None,
        });
    files.collect()
}

#[test]
fn every_place_is_gone_through_in_order() {
    let root = root(&[
        "mine/libcudnn.so.9",
        "home/lib64/libcudnn.so.9",
        "usr/local/cuda/lib64/libcudnn.so.9",
        "usr/local/cuda-12.4/lib64/libcudnn.so.9",
        "usr/local/cuda-13.0/targets/x86_64-linux/lib/libcudnn.so.9",
        "opt/cuda/lib/libcudnn.so.9",
        "usr/lib/x86_64-linux-gnu/libcudnn.so.9",
        "conda/lib/libcudnn.so.9",
        "site/nvidia/cudnn/lib/libcudnn.so.9",
        "site/nvidia/cudnn/lib/libcudnn_ops.so.9",
        "site/elsewhere/lib/libcudnn.so.9",
    ]);
    let variables = [("LOCP_CUDNN", "mine"), ("CUDA_HOME", "home"), ("CONDA_PREFIX", "conda")];
    let expect = [
        "mine/libcudnn.so.9",
        "home/lib64/libcudnn.so.9",
        "usr/local/cuda/lib64/libcudnn.so.9",
        "usr/local/cuda-13.0/targets/x86_64-linux/lib/libcudnn.so.9",
        "usr/local/cuda-12.4/lib64/libcudnn.so.9",
        "opt/cuda/lib/libcudnn.so.9",
        "usr/lib/x86_64-linux-gnu/libcudnn.so.9",
        "conda/lib/libcudnn.so.9",
        "site/nvidia/cudnn/lib/libcudnn.so.9",
    ];
    assert_eq!(found(root.path(), &variables, Some("site")), expect);
    // The loader is asked after the user's own word and before everything else.
    let all = search(&CUDNN, &surroundings(root.path(), &variables, Some("site"))).places;
    assert_eq!(all[1], Place::Loader("libcudnn.so.9"));
}

#[test]
fn a_variable_may_name_the_file_itself_or_nothing() {
    let root = root(&["mine/libcudnn.so.9", "mine/other.so"]);
    assert_eq!(found(root.path(), &[("LOCP_CUDNN", "mine/other.so")], None), ["mine/other.so"]);
    assert_eq!(found(root.path(), &[("LOCP_CUDNN", "gone")], None), [""; 0]);
}

#[test]
fn a_place_that_two_variables_name_is_tried_once() {
    let root = root(&["home/lib/libcudnn.so.9"]);
    let twice = [("CUDA_HOME", "home"), ("CUDA_PATH", "home")];
    assert_eq!(found(root.path(), &twice, None), ["home/lib/libcudnn.so.9"]);
}

#[test]
fn the_newest_compiler_is_preferred() {
    let root = root(&["usr/local/cuda/lib64/libnvrtc.so.12", "usr/local/cuda/lib64/libnvrtc.so.13"]);
    let places = search(&NVRTC, &surroundings(root.path(), &[], None)).places;
    let files: Vec<&Place> = places.iter().filter(|place| matches!(place, Place::File(_))).collect();
    let lib = root.path().join("usr/local/cuda/lib64");
    assert_eq!(files, [&Place::File(lib.join("libnvrtc.so.13")), &Place::File(lib.join("libnvrtc.so.12"))]);
}

#[test]
fn what_was_looked_for_is_said_place_by_place() {
    let root = root(&[]);
    let here = surroundings(root.path(), &[("CUDA_HOME", "home"), ("LD_LIBRARY_PATH", "lib")], None);
    let at = |path: &str| root.path().join(path).display().to_string();
    let system: Vec<String> =
        ["usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib64", "usr/local/nvidia/lib64", "usr/lib"]
            .map(at)
            .into();
    let expect = [
        "LOCP_CUDNN (not set)".to_owned(),
        format!("libcudnn.so.9 by the loader (LD_LIBRARY_PATH ({}))", at("lib")),
        format!("CUDA_HOME ({})", at("home")),
        "CUDA_PATH (not set)".to_owned(),
        format!("{}/cuda*, {}", at("usr/local"), at("opt/cuda")),
        system.join(", "),
        "CONDA_PREFIX (not set)".to_owned(),
        "nvidia/*/lib of python3's packages (no python3 answered)".to_owned(),
    ];
    assert_eq!(search(&CUDNN, &here).looked_for, expect);
    let driver = format!("libcuda.so or libcuda.so.1 by the loader (LD_LIBRARY_PATH ({}))", at("lib"));
    assert_eq!(driver_places(&here), [driver.as_str(), "the loader's cache /etc/ld.so.cache", "/lib and /usr/lib"]);
}

#[test]
fn a_file_that_is_no_library_is_named_with_the_loaders_words() {
    let root = root(&["mine/libnothing.so"]);
    let path = root.path().join("mine/libnothing.so");
    let only = super::Search { places: vec![Place::File(path.clone())], looked_for: vec!["here".to_owned()] };
    let looked_for = load(&only).expect_err("an empty file is no library");
    assert_eq!(looked_for.len(), 2);
    assert!(
        looked_for[1].starts_with(&format!("{} (there, but it cannot be loaded: ", path.display())),
        "{looked_for:?}"
    );
}

#[test]
fn a_library_that_can_be_loaded_tells_what_it_lacks() {
    let only = super::Search { places: vec![Place::Loader("libc.so.6")], looked_for: Vec::new() };
    let loaded = load(&only).expect("every program here has it");
    assert_eq!(loaded.path, PathBuf::from("libc.so.6"));
    assert_eq!(loaded.lacks(&["malloc", "free"]), None);
    assert_eq!(loaded.lacks(&["malloc", "cuFree", "free"]), Some("cuFree"));
}

#[test]
fn companions_come_from_the_packages_beside() {
    let root = root(&[
        "nvidia/cudnn/lib/libcudnn.so.9",
        "nvidia/cublas/lib/libcublasLt.so.12",
        "nvidia/cublas/lib/libcublas.so.12",
        "nvidia/cuda_nvrtc/lib/libnvrtc.so.12",
        "nvidia/cuda_nvrtc/lib/libnvrtc-builtins.so.12.4",
        "nvidia/cuda_nvrtc/lib/libnvrtc.so.12.4.127",
        "nvidia/cu13/lib/libnvrtc.so.13",
    ]);
    let names: Vec<String> = companions(&root.path().join("nvidia/cudnn/lib/libcudnn.so.9"))
        .iter()
        .map(|path| path.strip_prefix(root.path().join("nvidia")).expect("below").display().to_string())
        .collect();
    let expect = [
        "cu13/lib/libnvrtc.so.13",
        "cuda_nvrtc/lib/libnvrtc.so.12",
        "cublas/lib/libcublasLt.so.12",
        "cublas/lib/libcublas.so.12",
    ];
    assert_eq!(names, expect);
}

/// A script in the place of Python.
fn python(root: &Path, script: &str) -> PathBuf {
    let path = root.join("python3");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("permissions");
    path
}

#[test]
fn python_is_asked_once_and_not_waited_for_forever() {
    let root = root(&[]);
    let limit = Duration::from_secs(5);
    let answers = python(root.path(), "printf '%s\\n' /a '' relative /b /a");
    assert_eq!(ask_python(&answers, limit), Some(vec![PathBuf::from("/a"), PathBuf::from("/b")]));
    assert_eq!(ask_python(&python(root.path(), "echo /a; exit 3"), limit), None);
    assert_eq!(ask_python(&python(root.path(), "exec sleep 60"), Duration::from_millis(100)), None);
    assert_eq!(ask_python(&root.path().join("gone"), limit), None);
}
