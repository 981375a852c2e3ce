//! The fake driver's own functions: settings, counts, and what ran when.
#![allow(unsafe_code, reason = "the fake device is C; each block says why its call holds")]

use libloading::os::unix::{Library, RTLD_LAZY, RTLD_LOCAL, Symbol};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_long};

type Set = unsafe extern "C" fn(*const c_char, *const c_char);
type Counted = unsafe extern "C" fn(*const c_char) -> c_long;
type Words = unsafe extern "C" fn(*mut c_char, usize) -> c_long;
type Trace = unsafe extern "C" fn(c_long, *mut c_char, usize, *mut f64, *mut f64) -> c_long;

/// The fake driver that this process has loaded, or will load.
pub(crate) struct Device {
    set: Symbol<Set>,
    counted: Symbol<Counted>,
    violations: Symbol<Words>,
    alive: Symbol<Words>,
    trace: Symbol<Trace>,
    forgive: Symbol<unsafe extern "C" fn()>,
    settings: RefCell<BTreeMap<String, String>>,
}

/// Something that ran.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ran {
    pub(crate) name: String,
    pub(crate) start_ns: f64,
    pub(crate) ns: f64,
}

impl Device {
    pub(crate) fn open() -> Device {
        // SAFETY: This loads the library that these tests have compiled; its initializer reads the environment. The
        // types are those of its own sources, and it is never unloaded.
        unsafe {
            let library = Library::open(Some("libcuda.so.1"), RTLD_LAZY | RTLD_LOCAL).unwrap();
            let device = Device {
                set: library.get(b"fake_set").unwrap(),
                counted: library.get(b"fake_counted").unwrap(),
                violations: library.get(b"fake_violations").unwrap(),
                alive: library.get(b"fake_alive").unwrap(),
                trace: library.get(b"fake_trace").unwrap(),
                forgive: library.get(b"fake_forgive").unwrap(),
                settings: RefCell::default(),
            };
            std::mem::forget(library);
            device
        }
    }

    /// Changes a setting from now on, as if its variable had this value.
    pub(crate) fn set(&self, name: &str, value: &str) {
        self.settings.borrow_mut().insert(name.to_owned(), value.to_owned());
        let (name, value) = (CString::new(name).unwrap(), CString::new(value).unwrap());
        // SAFETY: Both are live strings, which are copied.
        unsafe { (self.set)(name.as_ptr(), value.as_ptr()) }
    }

    /// What was set last, 0 where nothing was.
    pub(crate) fn setting(&self, name: &str) -> String {
        self.settings.borrow().get(name).cloned().unwrap_or_else(|| "0".to_owned())
    }

    /// How often something has happened: `plans`, `executions`, `graphs`, `live streams`.
    pub(crate) fn counted(&self, what: &str) -> i64 {
        let what = CString::new(what).unwrap();
        // SAFETY: It is a live string.
        unsafe { (self.counted)(what.as_ptr()) }
    }

    /// What ran so far, in order; the oldest are forgotten after 65,536.
    pub(crate) fn ran(&self) -> Vec<Ran> {
        let read = |i: c_long| {
            let mut name = [0; 32];
            let (mut start_ns, mut ns) = (0.0, 0.0);
            // SAFETY: All pointers are to live locals, the name's with its length.
            let n = unsafe { (self.trace)(i, name.as_mut_ptr(), name.len(), &mut start_ns, &mut ns) };
            (n, Ran { name: text(&name), start_ns, ns })
        };
        let (n, _) = read(-1);
        ((n - 65_536).max(0)..n).map(|i| read(i).1).collect()
    }

    /// The first thing that a real device would punish later or in silence.
    pub(crate) fn violation(&self) -> Option<String> {
        let (n, first) = self.words(&self.violations);
        (n > 0).then_some(first)
    }

    /// The same, forgotten afterwards: what was done on purpose.
    pub(crate) fn forgive(&self) -> Option<String> {
        let first = self.violation();
        // SAFETY: It takes nothing and returns nothing.
        unsafe { (self.forgive)() };
        first
    }

    /// What was made and not freed.
    pub(crate) fn alive(&self) -> String {
        self.words(&self.alive).1
    }

    #[track_caller]
    pub(crate) fn is_clean(&self) {
        assert_eq!(self.violation(), None, "a real device would punish this");
        assert_eq!(self.alive(), "", "everything is freed at the end");
    }

    fn words(&self, ask: &Symbol<Words>) -> (c_long, String) {
        let mut words = [0; 400];
        // SAFETY: The buffer is a live local of the length given.
        let n = unsafe { ask(words.as_mut_ptr(), words.len()) };
        (n, text(&words))
    }
}

fn text(of: &[c_char]) -> String {
    let bytes: Vec<u8> = of.iter().map(|&c| c as u8).collect();
    CStr::from_bytes_until_nul(&bytes).unwrap().to_str().unwrap().to_owned()
}
