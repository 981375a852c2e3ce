//! Arrays from `.npy` files and from the members of `.npz` archives.

use crate::{Error, Fault};
use flate2::bufread::DeflateDecoder;
use npyz::{NpyFile, TypeStr};
use rawzip::{CompressionMethod, ZipArchive};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Deflate's best ratio is below this: what an archive promises beyond it is a lie.
const MOST_DEFLATED: u64 = 1032;

/// An array's shape and its elements in C order.
pub(crate) type Array = (Vec<usize>, Vec<f32>);

/// Reads a `.npy` file.
pub(crate) fn read_array(path: &Path) -> Result<Array, Error> {
    let file = File::open(path).map_err(|e| Error::read(path, e))?;
    let length = file.metadata().map_err(|e| Error::read(path, e))?.len();
    read_npy(BufReader::new(file), length).map_err(|fault| Error::Array { path: path.to_owned(), fault })
}

/// Reads all arrays of a `.npz` archive, with their names, in its order.
pub(crate) fn read_archive(path: &Path) -> Result<Vec<(String, Array)>, Error> {
    let bytes = std::fs::read(path).map_err(|e| Error::read(path, e))?;
    let bad = |fault: Fault| Error::Array { path: path.to_owned(), fault };
    let broken = |e: rawzip::Error| bad(format!("it is not a whole .npz archive ({e})").into());
    let archive = ZipArchive::from_slice(bytes.as_slice()).map_err(broken)?;
    let mut arrays = Vec::new();
    let mut entries = archive.entries();
    while let Some(entry) = entries.next_entry().map_err(broken)? {
        let raw_name = entry.file_path();
        let name = String::from_utf8_lossy(raw_name.as_ref());
        let name = name.strip_suffix(".npy").unwrap_or(&name).to_owned();
        let (length, method) = (entry.uncompressed_size_hint(), entry.compression_method());
        let inside = |fault: Fault| bad(fault.within(&format!("the array `{name}`")));
        let member = archive.get_entry(entry.wayfinder()).map_err(|e| inside(e.to_string().into()))?;
        if length > MOST_DEFLATED * (member.data().len() as u64).max(1) {
            return Err(inside("it is said to be larger than what its bytes can hold".to_owned().into()));
        }
        let mut plain = Vec::new();
        let read = match method {
            CompressionMethod::STORE => member.verifying_reader(member.data()).read_to_end(&mut plain),
            CompressionMethod::DEFLATE => {
                let decoder = DeflateDecoder::new(member.data()).take(length);
                member.verifying_reader(decoder).read_to_end(&mut plain)
            }
            _ => {
                let what = "it is compressed in a way that numpy does not use";
                return Err(inside(Fault::new(what, "save it with numpy.savez")));
            }
        };
        read.map_err(|e| inside(Fault::new(format!("it is damaged ({e})"), "save it again")))?;
        let array = read_npy(plain.as_slice(), length).map_err(inside)?;
        arrays.push((name, array));
    }
    Ok(arrays)
}

fn read_npy<R: Read>(reader: R, length: u64) -> Result<Array, Fault> {
    let npy = NpyFile::new(reader).map_err(|e| format!("it is not a .npy array ({e})"))?;
    let shape: Vec<usize> = npy.shape().iter().map(|&d| d as usize).collect();
    if npy.order() != npyz::Order::C {
        return Err(Fault::new("its elements are in Fortran order", "save it with numpy.ascontiguousarray"));
    }
    let npyz::DType::Plain(element) = npy.dtype() else {
        return Err(Fault::new("it is a structured array", "expected plain numbers"));
    };
    // A header may promise more elements than the file holds; nothing is allocated before that is known.
    let count = shape.iter().try_fold(1u64, |n, &d| n.checked_mul(d as u64));
    let needed = count.and_then(|n| n.checked_mul(element.size_field()));
    if needed.is_none_or(|needed| needed > length) {
        return Err(format!("it is truncated: the header promises {shape:?}, the file has {length} bytes").into());
    }
    let values = read_values(npy, &element).ok_or_else(|| {
        let expected = "expected unsigned bytes, 32- or 64-bit integers, f32 or f64";
        Fault::new(format!("its elements are {element}"), expected)
    })?;
    Ok((shape, values.map_err(|e| format!("it cannot be read ({e})"))?))
}

fn read_values<R: Read>(npy: NpyFile<R>, element: &TypeStr) -> Option<std::io::Result<Vec<f32>>> {
    fn all<T: npyz::Deserialize, R: Read>(npy: NpyFile<R>, f: fn(T) -> f32) -> std::io::Result<Vec<f32>> {
        npy.data::<T>().map_err(std::io::Error::other)?.map(|v| v.map(f)).collect()
    }
    Some(match element.to_string().trim_start_matches(['<', '|', '=']) {
        "f4" => all::<f32, R>(npy, |v| v),
        "f8" => all::<f64, R>(npy, |v| v as f32),
        "u1" => all::<u8, R>(npy, f32::from),
        "i4" => all::<i32, R>(npy, |v| v as f32),
        "i8" => all::<i64, R>(npy, |v| v as f32),
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::DeflateEncoder;
    use npyz::WriterBuilder;
    use rawzip::ZipArchiveWriter;
    use std::io::Write;

    fn npy(values: &[f64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(&[values.len() as u64])
            .writer(&mut bytes)
            .begin_nd()
            .unwrap();
        writer.extend(values.iter().copied()).unwrap();
        writer.finish().unwrap();
        bytes
    }

    /// An archive as `numpy.savez` and `numpy.savez_compressed` write it, of these members.
    fn archive(members: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut archive = ZipArchiveWriter::new(&mut bytes);
        for (name, content) in members {
            let (mut entry, config) = archive.new_file(name).compression_method(method).start().unwrap();
            if method == CompressionMethod::STORE {
                let mut writer = config.wrap(&mut entry);
                writer.write_all(content).unwrap();
                let (_, descriptor) = writer.finish().unwrap();
                entry.finish(descriptor).unwrap();
            } else {
                let mut writer = config.wrap(DeflateEncoder::new(&mut entry, Compression::default()));
                writer.write_all(content).unwrap();
                let (encoder, descriptor) = writer.finish().unwrap();
                encoder.finish().unwrap();
                entry.finish(descriptor).unwrap();
            }
        }
        archive.finish().unwrap();
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Vec<(String, Array)>, Error> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        read_archive(file.path())
    }

    const METHODS: [CompressionMethod; 2] = [CompressionMethod::STORE, CompressionMethod::DEFLATE];

    #[test]
    fn archives_come_back_by_name() {
        for method in METHODS {
            let bytes = archive(&[("conv1.weight.npy", npy(&[1.5, 2.0])), ("b.npy", npy(&[0.0; 300]))], method);
            let arrays = read(&bytes).unwrap();
            assert_eq!(arrays[0], ("conv1.weight".to_owned(), (vec![2], vec![1.5, 2.0])));
            assert_eq!((arrays[1].0.as_str(), arrays[1].1.0.as_slice(), arrays.len()), ("b", &[300][..], 2));
        }
    }

    #[test]
    fn damage_is_noticed_and_named() {
        for method in METHODS {
            let bytes = archive(&[("conv1.weight.npy", npy(&[1.5, 2.0, 3.25, 4.75]))], method);
            for end in 0..bytes.len() {
                assert!(read(&bytes[..end]).is_err(), "{end} of {} bytes were taken for an archive", bytes.len());
            }
            let middle = bytes.windows(2).position(|pair| pair == *b"PK").unwrap() + 60;
            let mut flipped = bytes.clone();
            flipped[middle] ^= 0x55;
            let error = read(&flipped).unwrap_err().to_string();
            assert!(error.contains("conv1.weight"), "{error}");
        }
        let error = read(&archive(&[("a.npy", b"nonsense".to_vec())], CompressionMethod::STORE)).unwrap_err();
        assert!(error.to_string().contains("the array `a`: it is not a .npy array"), "{error}");
    }
}
