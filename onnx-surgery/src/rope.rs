//! Bytes to be written, as pieces: borrowed from the source file, owned, or computed while writing.

use crate::patch::Cut;
use bytes::Bytes;
use std::io::{self, Write};

enum Piece {
    /// Bytes of the source file (or of anything else that lives as long).
    Copy(Bytes),
    /// A tensor's elements with positions removed or zeroed, never held in memory as a whole.
    Cut(Cut),
}

/// A sequence of pieces whose total length is known before anything is written.
///
/// Lengths of enclosing messages stand before their contents, and a model may be half a gigabyte:
/// knowing lengths without building contents keeps private memory small.
#[derive(Default)]
pub(crate) struct Rope {
    pieces: Vec<Piece>,
    len: usize,
}

impl Rope {
    pub(crate) fn from_owned(bytes: Vec<u8>) -> Rope {
        let mut rope = Rope::default();
        rope.push_copy(bytes.into());
        rope
    }

    pub(crate) fn from_cut(cut: Cut) -> Rope {
        Rope { len: cut.len(), pieces: vec![Piece::Cut(cut)] }
    }

    pub(crate) fn push_copy(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.len += bytes.len();
            self.pieces.push(Piece::Copy(bytes));
        }
    }

    pub(crate) fn append(&mut self, mut other: Rope) {
        self.len += other.len;
        self.pieces.append(&mut other.pieces);
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Copy(bytes) => out.write_all(bytes),
            Piece::Cut(cut) => cut.write_to(out),
        })
    }
}
