//! What a pack is: the file `BUILT`, which a shell reads too.

use std::fmt;

use anyhow::{Result, bail};

/// A version as `2.34`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(u32, u32);

impl Version {
    /// Reads `2.34`, and no more of `2.34.1` than that.
    fn parse(text: &str) -> Option<Version> {
        let mut parts = text.split('.').map(|part| part.parse().ok());
        Some(Version(parts.next()??, parts.next()??))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// The newest version of glibc that the dynamic symbols of an executable name, as `objdump -T` lists them.
pub(super) fn needed_glibc(symbols: &str) -> Option<Version> {
    let versions = symbols.split("GLIBC_").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        Version::parse(&rest[..end])
    });
    versions.flatten().max()
}

/// The version that `ldd --version` says at the end of its first line.
pub(super) fn glibc_of_ldd(said: &str) -> Option<Version> {
    Version::parse(said.lines().next()?.split_whitespace().next_back()?)
}

/// A pack, with its files and their sizes in bytes.
#[derive(Clone, Debug)]
pub(super) struct Built {
    pub(super) version: String,
    pub(super) glibc: Version,
    pub(super) date: String,
    pub(super) commit: String,
    pub(super) files: Vec<(String, u64)>,
}

/// A line for each fact: its name, then its value.
impl fmt::Display for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Built { version, glibc, date, commit, files } = self;
        writeln!(f, "locp {version}\nglibc {glibc}\ndate {date}\ncommit {commit}")?;
        files.iter().try_for_each(|(name, bytes)| writeln!(f, "file {bytes} {name}"))
    }
}

/// Refuses a pack of so many bytes or more.
pub(super) fn check_size(files: &[(String, u64)], most: u64) -> Result<()> {
    let total: u64 = files.iter().map(|(_, bytes)| bytes).sum();
    if total >= most {
        let largest = files.iter().max_by_key(|(_, bytes)| bytes).map_or("", |(name, _)| name);
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        bail!(
            "the pack has {:.1} MiB and must stay below {:.0} MiB; the largest file is {largest}",
            mib(total),
            mib(most)
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_glibc_counts_by_number() {
        let symbols = "0000 DF *UND* 0000 (GLIBC_2.2.5) free\n0000 DF *UND* 0000 (GLIBC_2.34) __libc_start_main\n\
                       0000 DF *UND* 0000 (GLIBC_2.9) pipe2\n0000 DF *UND* 0000 (GCC_4.2.0) _Unwind_Resume\n\
                       0000 w  DO *UND* 0000 (GLIBC_PRIVATE) secret\n";
        assert_eq!(needed_glibc(symbols), Some(Version(2, 34)));
        assert_eq!(needed_glibc("no symbols"), None);
        assert!(Version(2, 9) < Version(2, 34) && Version(2, 34) < Version(3, 0));
    }

    #[test]
    fn ldd_is_understood() {
        let debian = "ldd (Debian GLIBC 2.36-9+deb12u14) 2.36\nCopyright (C) 2022 ...\n";
        assert_eq!(glibc_of_ldd(debian), Some(Version(2, 36)));
        assert_eq!(glibc_of_ldd("ldd (GNU libc) 2.17"), Some(Version(2, 17)));
        assert_eq!(glibc_of_ldd("musl libc (x86_64)"), None);
    }

    #[test]
    fn a_pack_that_is_too_large_is_refused() {
        let files = [("bin/locp".to_owned(), 40), ("tests/a".to_owned(), 19)];
        assert!(check_size(&files, 60).is_ok());
        let error = check_size(&files, 59).expect_err("59 bytes are not below 59").to_string();
        assert!(error.ends_with("the largest file is bin/locp"), "{error}");
    }

    #[test]
    fn what_it_is_stands_in_lines() {
        let built = Built {
            version: "0.1.0".to_owned(),
            glibc: Version(2, 34),
            date: "2026-11-25".to_owned(),
            commit: "0123456789ab".to_owned(),
            files: vec![("bin/locp".to_owned(), 7)],
        };
        let expect = "locp 0.1.0\nglibc 2.34\ndate 2026-11-25\ncommit 0123456789ab\nfile 7 bin/locp\n";
        assert_eq!(built.to_string(), expect);
    }
}
