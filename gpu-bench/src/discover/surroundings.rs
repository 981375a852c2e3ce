//! What a search depends on besides the files themselves.

use super::children;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Environment variables that steer the search.
const VARIABLES: [&str; 6] = ["LOCP_CUDNN", "LOCP_NVRTC", "LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_PATH", "CONDA_PREFIX"];

/// Where toolkits are installed, below the root; `*` stands for what follows a version.
const TOOLKITS: [&str; 3] = ["usr/local/cuda", "usr/local", "opt/cuda"];

/// Folders of a toolkit that hold libraries.
const IN_TOOLKIT: [&str; 4] = ["lib64", "lib", "targets/x86_64-linux/lib", "targets/aarch64-linux/lib"];

/// Folders of the system that hold libraries which the loader may not know.
const SYSTEM: [&str; 5] =
    ["usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib64", "usr/local/nvidia/lib64", "usr/lib"];

/// Python gets so long to answer.
const PYTHON_LIMIT: Duration = Duration::from_secs(5);

/// Asks Python for every folder that may hold packages, one a line.
const PYTHON_QUESTION: &str =
    "import site,sys\nfor p in [*sys.path,*site.getsitepackages(),site.getusersitepackages()]: print(p)";

/// Environment, file system root and Python of this process, or those of a test.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Surroundings {
    pub(crate) variables: BTreeMap<String, PathBuf>,
    /// `/`, or where a test keeps its files.
    pub(crate) root: PathBuf,
    /// Folders of the `python3` on PATH that may hold packages; `None` where it did not answer.
    pub(crate) python: Option<Vec<PathBuf>>,
}

impl Surroundings {
    /// Those of this process.
    pub(crate) fn here() -> Surroundings {
        static PYTHON: OnceLock<Option<Vec<PathBuf>>> = OnceLock::new();
        let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Surroundings {
            variables: VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), of(name)?.into()))).collect(),
            root: PathBuf::from("/"),
            python: PYTHON.get_or_init(python_folders).clone(),
        }
    }

    pub(crate) fn variable(&self, name: &str) -> Option<PathBuf> {
        self.variables.get(name).cloned()
    }

    /// The loader's own path, in words.
    pub(crate) fn loader_path(&self) -> String {
        let folders: Vec<String> = self
            .variable("LD_LIBRARY_PATH")
            .map(|path| std::env::split_paths(&path).filter(|f| !f.as_os_str().is_empty()).collect::<Vec<_>>())
            .unwrap_or_default()
            .iter()
            .map(|folder| folder.display().to_string())
            .collect();
        let folders = if folders.is_empty() { "empty".to_owned() } else { folders.join(" ") };
        format!("LD_LIBRARY_PATH ({folders})")
    }

    /// Folders besides the loader's, with the words that name them.
    pub(crate) fn folders(&self) -> Vec<(String, Vec<PathBuf>)> {
        let mut places = Vec::new();
        for name in ["CUDA_HOME", "CUDA_PATH"] {
            match self.variable(name) {
                Some(home) => places.push((format!("{name} ({})", home.display()), in_toolkit(&home))),
                None => places.push((format!("{name} (not set)"), Vec::new())),
            }
        }
        let toolkits = self.toolkits();
        places.push((format!("{}/cuda*, {}", self.at("usr/local"), self.at("opt/cuda")), toolkits));
        let system: Vec<PathBuf> = SYSTEM.iter().map(|folder| self.root.join(folder)).collect();
        places.push((SYSTEM.map(|folder| self.at(folder)).join(", "), system));
        match self.variable("CONDA_PREFIX") {
            Some(prefix) => places.push((format!("CONDA_PREFIX ({})", prefix.display()), vec![prefix.join("lib")])),
            None => places.push(("CONDA_PREFIX (not set)".to_owned(), Vec::new())),
        }
        match &self.python {
            Some(folders) => {
                let words: Vec<String> = folders.iter().map(|f| format!("{}/nvidia/*/lib", f.display())).collect();
                places.push((words.join(", "), folders.iter().flat_map(|folder| in_packages(folder)).collect()));
            }
            None => places.push(("nvidia/*/lib of python3's packages (no python3 answered)".to_owned(), Vec::new())),
        }
        places
    }

    fn at(&self, folder: &str) -> String {
        self.root.join(folder).display().to_string()
    }

    /// The library folders of every toolkit in its usual place, the newest version first after the default one.
    fn toolkits(&self) -> Vec<PathBuf> {
        let [default, parent, other] = TOOLKITS.map(|folder| self.root.join(folder));
        let is_version = |path: &PathBuf| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("cuda-"))
        };
        let versions = children(&parent).into_iter().rev().filter(is_version);
        std::iter::once(default).chain(versions).chain([other]).flat_map(|home| in_toolkit(&home)).collect()
    }
}

fn in_toolkit(home: &Path) -> Vec<PathBuf> {
    IN_TOOLKIT.iter().map(|folder| home.join(folder)).collect()
}

/// Where the `python3` on PATH keeps packages: the folders among all places where it looks.
fn python_folders() -> Option<Vec<PathBuf>> {
    let mut folders = ask_python(Path::new("python3"), PYTHON_LIMIT)?;
    folders.retain(|folder| folder.is_dir());
    Some(folders)
}

/// `nvidia/*/lib` below a folder of packages.
fn in_packages(folder: &Path) -> Vec<PathBuf> {
    children(&folder.join("nvidia")).into_iter().map(|package| package.join("lib")).filter(|lib| lib.is_dir()).collect()
}

/// The folders in which this Python looks for packages, without repetition; `None` where it does not answer in time.
pub(crate) fn ask_python(python: &Path, limit: Duration) -> Option<Vec<PathBuf>> {
    let mut child = Command::new(python)
        .args(["-c", PYTHON_QUESTION])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let start = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if start.elapsed() < limit => std::thread::sleep(Duration::from_millis(5)),
            _ => {
                // It is ours, and nobody waits for its answer any more.
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    };
    let mut answer = String::new();
    // A few dozen lines fit into the pipe, so the child could end before anyone read.
    child.stdout.take()?.read_to_string(&mut answer).ok()?;
    let mut folders: Vec<PathBuf> = Vec::new();
    for line in answer.lines().filter(|line| !line.is_empty()) {
        let folder = PathBuf::from(line);
        if folder.is_absolute() && !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    status.success().then_some(folders)
}
