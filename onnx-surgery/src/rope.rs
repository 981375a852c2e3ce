//! Bytes to be written, as pieces: borrowed from the source file, owned, or computed while writing.

use crate::patch::Cut;
use bytes::Bytes;
use std::io::{self, Write};

#[derive(Clone)]
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
#[derive(Clone, Default)]
pub(crate) struct Rope {
    pieces: Vec<Piece>,
    len: usize,
}

impl Rope {
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

    /// All bytes in memory. For what is known to be short.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len());
        self.write_to(&mut bytes).expect("a vector takes everything");
        bytes
    }
}

impl From<Bytes> for Rope {
    fn from(bytes: Bytes) -> Rope {
        let mut rope = Rope::default();
        rope.push_copy(bytes);
        rope
    }
}

impl From<Vec<u8>> for Rope {
    fn from(bytes: Vec<u8>) -> Rope {
        Bytes::from(bytes).into()
    }
}

impl From<Cut> for Rope {
    fn from(cut: Cut) -> Rope {
        Rope { len: cut.len(), pieces: vec![Piece::Cut(cut)] }
    }
}
