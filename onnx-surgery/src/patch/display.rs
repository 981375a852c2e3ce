//! A patch as a diff, for people.

use super::{Change, Patch};
use std::fmt;

impl fmt::Display for Patch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changes.is_empty() {
            return f.write_str("nothing changes");
        }
        for (i, change) in self.changes.iter().enumerate() {
            write!(f, "{}{change}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Shrink { tensor, axis, before, removed } => {
                let after = before - removed.len();
                write!(f, "{tensor}: axis {axis}: {before} -> {after} (without {})", Ranges(removed))
            }
            Change::Zero { tensor, axis, length, zeroed } => {
                write!(f, "{tensor}: axis {axis} of {length}: zero at {}", Ranges(zeroed))
            }
            Change::Copy { tensor, copy, readers, identity } => match identity {
                Some(_) => write!(f, "{copy}: a tensor of its own, no longer `{tensor}`"),
                None => {
                    let n = readers.len();
                    write!(f, "{copy}: a copy of `{tensor}` for {n} of its readers")
                }
            },
            Change::Attribute { node, name, element, before, after, .. } => match element {
                Some(i) => write!(f, "{node}: {name}[{i}]: {before} -> {after}"),
                None => write!(f, "{node}: {name}: {before} -> {after}"),
            },
            Change::Positions { tensor, before, after } => {
                write!(f, "{tensor}: {before} positions -> {}", after.len())
            }
            Change::Number { tensor, index, before, after } => write!(f, "{tensor}[{index}]: {before} -> {after}"),
            Change::Constant { node, tensor, channels, keep, .. } => {
                let after = if keep.len() < *channels { format!(" -> {}", keep.len()) } else { String::new() };
                write!(f, "{node}: a constant of {channels}{after} channels in its place (`{tensor}`)")
            }
            Change::Remove { node, .. } => write!(f, "{node}: goes, as nothing reads it any more"),
            Change::Unread { tensor } => write!(f, "{tensor}: goes with the nodes that read it"),
            Change::Stated { tensor, axis, before, after } => {
                write!(f, "{tensor}: stated shape, axis {axis}: {before} -> {after}")
            }
        }
    }
}

/// Ascending positions as `0-3, 7`.
struct Ranges<'a>(&'a [usize]);

impl fmt::Display for Ranges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, run) in self.0.chunk_by(|a, b| a + 1 == *b).enumerate() {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            write!(f, "{}{first}", if i == 0 { "" } else { ", " })?;
            if first != last {
                write!(f, "-{last}")?;
            }
        }
        Ok(())
    }
}
