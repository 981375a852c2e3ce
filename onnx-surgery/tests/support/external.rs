//! Models whose data lie in a file beside them, as torch's exporter writes them.
#![allow(dead_code)] // Every test binary uses another part of it.

use super::support::Message;
use std::path::{Path, PathBuf};

/// A tensor's message whose data are elsewhere: keys and values as given.
pub(crate) fn outside(name: &str, element: i64, shape: &[usize], entries: &[(&str, &str)]) -> Message {
    let message = shape.iter().fold(Message::default(), |m, &d| m.int(1, d as i64)).int(2, element).text(8, name);
    let entry = |(key, value): &(&str, &str)| Message::default().text(1, key).text(2, value);
    entries.iter().fold(message, |m, e| m.inner(13, entry(e))).int(14, 1)
}

/// A data file under construction.
#[derive(Default)]
pub(crate) struct DataFile(pub(crate) Vec<u8>);

impl DataFile {
    /// Appends f32 data and returns the tensor that names them.
    pub(crate) fn weights(&mut self, location: &str, name: &str, shape: &[usize]) -> Message {
        let seed = name.bytes().fold(7u64, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(b)));
        let raw: Vec<u8> =
            super::support::noise(shape.iter().product(), seed).iter().flat_map(|v| v.to_le_bytes()).collect();
        self.0.resize(self.0.len().next_multiple_of(16), 0xee);
        let (offset, length) = (self.0.len().to_string(), raw.len().to_string());
        self.0.extend(raw);
        let entries = [("location", location), ("offset", &offset), ("length", &length), ("checksum", "0123abcd")];
        outside(name, 1, shape, &entries)
    }
}

/// Writes a model and the file beside it, and returns the model's path.
pub(crate) fn save(folder: &Path, name: &str, model: &[u8], data: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, model).expect("writable");
    std::fs::write(folder.join(format!("{name}.data")), data).expect("writable");
    path
}
