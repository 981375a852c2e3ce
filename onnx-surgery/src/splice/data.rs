//! The file beside a model, with the data of its tensors.

use super::number;
use crate::rope::Rope;
use crate::wire::length_field;
use bytes::Bytes;
use std::collections::HashMap;

/// Data of this size and more begin at a multiple of [`PAGE`], as torch's exporter places them: the boundary from
/// which every system can map a file. The others begin where any element type is aligned, and a cache line.
const LARGE: usize = 1 << 20;
const PAGE: usize = 1 << 16;
const LINE: usize = 1 << 6;

static ZEROS: [u8; PAGE] = [0; PAGE];

/// Offset and length of a tensor's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    offset: usize,
    length: usize,
}

#[derive(Default)]
pub(super) struct DataFile {
    pub(super) rope: Rope,
    /// Where data went that are copied as they are; tensors that shared their bytes go on sharing them.
    copied: HashMap<(usize, usize), Extent>,
}

impl DataFile {
    /// Data that the source has, too.
    pub(super) fn copy(&mut self, source: Bytes) -> Extent {
        let key = (source.as_ptr() as usize, source.len());
        if let Some(&known) = self.copied.get(&key) {
            return known;
        }
        let extent = self.push(source.into());
        self.copied.insert(key, extent);
        extent
    }

    pub(super) fn push(&mut self, data: Rope) -> Extent {
        let boundary = if data.len() >= LARGE { PAGE } else { LINE };
        let padding = self.rope.len().next_multiple_of(boundary) - self.rope.len();
        if data.len() > 0 {
            self.rope.push_copy(Bytes::from_static(&ZEROS[..padding]));
        }
        let extent = Extent { offset: self.rope.len(), length: data.len() };
        self.rope.append(data);
        extent
    }
}

/// The fields that tell where a tensor's data are. A checksum is left out: nothing here computes one.
pub(super) fn entries(location: &str, extent: Extent) -> Rope {
    let values = [
        ("location", location.to_owned()),
        ("offset", extent.offset.to_string()),
        ("length", extent.length.to_string()),
    ];
    let mut rope = Rope::default();
    for (key, value) in values {
        let mut entry = length_field(number::ENTRY_KEY, key.as_bytes().to_vec().into());
        entry.append(length_field(number::ENTRY_VALUE, value.into_bytes().into()));
        rope.append(length_field(number::TENSOR_EXTERNAL, entry));
    }
    rope
}
