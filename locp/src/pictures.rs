//! PNG and JPEG files from a folder.

use crate::preprocess::Preprocess;
use resize::Pixel::Gray8;
use resize::Type;
use resize::px::Gray;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// The widest and highest picture that is decoded: a header may promise anything.
const LARGEST: usize = 1 << 15;

/// A picture of one channel, gray, or three: red, green, blue.
struct Picture {
    width: usize,
    height: usize,
    planes: Vec<Vec<u8>>,
}

/// The pictures below a folder, by their paths in order; of all of them or as many as asked for, spread evenly.
pub(crate) fn list(folder: &Path, count: Option<usize>) -> std::io::Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if is_picture(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    let (all, wanted) = (found.len(), count.unwrap_or(found.len()).min(found.len()));
    Ok((0..wanted).map(|i| found[i * all / wanted].clone()).collect())
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|end| end.to_str()).unwrap_or_default().to_ascii_lowercase();
    ["png", "jpg", "jpeg"].contains(&extension.as_str())
}

/// A picture as channels x height x width of a model's input.
pub(crate) fn read(path: &Path, [channels, height, width]: [usize; 3], how: &Preprocess) -> Result<Vec<f32>, String> {
    let bytes = std::fs::read(path).map_err(|e| format!("cannot be read ({e})"))?;
    // What a file is its first bytes say; names are often wrong.
    let picture = if bytes.starts_with(b"\x89PNG") { png(bytes)? } else { jpeg(bytes)? };
    let mut planes = picture.with_channels(channels).cropped([height, width], how)?.planes;
    if how.is_bgr {
        planes.reverse();
    }
    let mut values = Vec::with_capacity(channels * height * width);
    for (channel, plane) in planes.iter().enumerate() {
        let [mean, std] = [&how.mean, &how.std].map(|all| *all.get(channel).unwrap_or(&all[0]));
        values.extend(plane.iter().map(|&byte| (f32::from(byte) * (how.range / 255.0) - mean) / std));
    }
    Ok(values)
}

fn png(file: Vec<u8>) -> Result<Picture, String> {
    let unreadable = |e: &dyn std::fmt::Display| format!("is no whole PNG picture ({e})");
    let mut decoder = png::Decoder::new(Cursor::new(file));
    // Palettes, few bits and 16 bits become bytes; transparency is dropped, as most loaders do.
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(|e| unreadable(&e))?;
    let size = reader.output_buffer_size().filter(|&size| size <= 4 * LARGEST * LARGEST);
    let mut bytes = vec![0; size.ok_or_else(|| "is too large".to_owned())?];
    let info = reader.next_frame(&mut bytes).map_err(|e| unreadable(&e))?;
    bytes.truncate(info.buffer_size());
    let (stored, channels) = match info.color_type {
        png::ColorType::Grayscale => (1, 1),
        png::ColorType::GrayscaleAlpha => (2, 1),
        png::ColorType::Rgb => (3, 3),
        png::ColorType::Rgba => (4, 3),
        png::ColorType::Indexed => return Err("has a palette that cannot be resolved".to_owned()),
    };
    let planes = planes(&bytes, stored, channels);
    Ok(Picture { width: info.width as usize, height: info.height as usize, planes })
}

fn jpeg(file: Vec<u8>) -> Result<Picture, String> {
    let unreadable = |e: &dyn std::fmt::Display| format!("is no whole JPEG or PNG picture ({e})");
    let options = DecoderOptions::default()
        .set_max_width(LARGEST)
        .set_max_height(LARGEST)
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    let bytes = decoder.decode().map_err(|e| unreadable(&e))?;
    let (width, height) = decoder.dimensions().ok_or_else(|| unreadable(&"it has no size"))?;
    if bytes.len() != 3 * width * height {
        return Err(unreadable(&"its colors are none that are known"));
    }
    Ok(Picture { width, height, planes: planes(&bytes, 3, 3) })
}

/// The first so many channels of pixels that are stored with so many, plane by plane.
fn planes(bytes: &[u8], stored: usize, channels: usize) -> Vec<Vec<u8>> {
    (0..channels).map(|channel| bytes.iter().skip(channel).step_by(stored).copied().collect()).collect()
}

impl Picture {
    /// As gray or as colored as asked for.
    fn with_channels(self, channels: usize) -> Picture {
        let planes = match (self.planes.as_slice(), channels) {
            ([gray], 3) => vec![gray.clone(), gray.clone(), gray.clone()],
            ([r, g, b], 1) => vec![r.iter().zip(g).zip(b).map(|((&r, &g), &b)| luma([r, g, b])).collect()],
            _ => return self,
        };
        Picture { planes, ..self }
    }

    /// Resized so that it covers the input and the margin around it, and the middle of that.
    fn cropped(self, [height, width]: [usize; 2], how: &Preprocess) -> Result<Picture, String> {
        let factor = |wanted: usize, own: usize| (wanted as f64 / how.crop).floor() / own as f64;
        let factor = factor(height, self.height).max(factor(width, self.width));
        // The shorter side comes out as asked for in spite of rounding.
        let to = |own: usize, least: usize| ((own as f64 * factor + 1e-6) as usize).max(least);
        let (tall, wide) = (to(self.height, height), to(self.width, width));
        if tall > LARGEST || wide > LARGEST {
            return Err(format!("is {} x {}, which is too long for its width", self.width, self.height));
        }
        let filter = || if how.is_bicubic { Type::Catrom } else { Type::Triangle };
        let (top, left) = (half(tall - height), half(wide - width));
        let planes = self.planes.iter().map(|plane| {
            let own: Vec<Gray<u8>> = plane.iter().map(|&byte| Gray::new(byte)).collect();
            let mut large = vec![Gray::new(0); wide * tall];
            resize::new(self.width, self.height, wide, tall, Gray8, filter())?.resize(&own, &mut large)?;
            let row = |y: usize| &large[(top + y) * wide + left..(top + y) * wide + left + width];
            Ok((0..height).flat_map(row).map(|pixel| pixel.value()).collect())
        });
        let planes = planes.collect::<Result<_, resize::Error>>().map_err(|e| format!("cannot be resized ({e})"))?;
        Ok(Picture { width, height, planes })
    }
}

/// The luma of ITU-R BT.601, which Pillow and OpenCV take for gray.
fn luma(rgb: [u8; 3]) -> u8 {
    let [r, g, b] = rgb.map(u32::from);
    ((299 * r + 587 * g + 114 * b + 500) / 1000) as u8
}

/// The half, rounded to the even number where there is a choice, as torchvision's crop has it.
fn half(n: usize) -> usize {
    n / 2 + (n % 2) * (n / 2 % 2)
}
