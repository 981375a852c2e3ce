//! From what a tensor says to bytes of a file in the model's folder, or to the reason why not.

use super::Claim;
use crate::error::{ExternalProblem, ModelError};
use crate::file;
use bytes::Bytes;
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The data files of a model, each mapped once.
pub(super) struct Files {
    /// The model's folder, without links.
    folder: PathBuf,
    by_location: HashMap<String, usize>,
    maps: Vec<(PathBuf, Bytes)>,
}

/// Part of a data file.
pub(super) struct Place {
    file: usize,
    range: Range<usize>,
}

impl Files {
    pub(super) fn new(model: &Path) -> Result<Files, ModelError> {
        let folder = model.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let read = |source| ModelError::Read { path: folder.to_owned(), source };
        Ok(Files { folder: folder.canonicalize().map_err(read)?, by_location: HashMap::new(), maps: vec![] })
    }

    /// Where the claimed bytes are.
    pub(super) fn range(&mut self, claim: &Claim) -> Result<Place, ModelError> {
        let file = match self.by_location.get(&claim.location) {
            Some(&file) => file,
            None => self.open(claim)?,
        };
        self.by_location.insert(claim.location.clone(), file);
        let file_bytes = self.maps[file].1.len();
        let offset = number(claim, "offset", claim.offset.as_deref())?.unwrap_or(0);
        // Writers may leave the length out.
        let rest = || claim.expected.unwrap_or(file_bytes.saturating_sub(offset));
        let length = number(claim, "length", claim.length.as_deref())?.unwrap_or_else(rest);
        let range = offset.checked_add(length).filter(|&end| end <= file_bytes).map(|end| offset..end);
        let Some(range) = range else {
            return Err(claim.error(ExternalProblem::PastTheEnd { offset, length, file_bytes }));
        };
        match claim.expected {
            Some(expected) if expected != length => Err(claim.error(ExternalProblem::Length { length, expected })),
            _ => Ok(Place { file, range }),
        }
    }

    pub(super) fn slice(&self, place: &Place) -> Bytes {
        self.maps[place.file].1.slice(place.range.clone())
    }

    pub(super) fn into_paths_and_maps(self) -> (Vec<PathBuf>, Vec<Bytes>) {
        self.maps.into_iter().unzip()
    }

    fn open(&mut self, claim: &Claim) -> Result<usize, ModelError> {
        check_location(&claim.location).map_err(|problem| claim.error(problem))?;
        let expected = self.folder.join(&claim.location);
        let path = expected.canonicalize().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                claim.error(ExternalProblem::Missing { expected: expected.clone() })
            }
            _ => ModelError::Read { path: expected.clone(), source: error },
        })?;
        // A link may lead anywhere, the file's own or that of a folder on the way.
        if !path.starts_with(&self.folder) {
            return Err(claim.error(ExternalProblem::LeadsOut));
        }
        if let Some(known) = self.maps.iter().position(|(known, _)| *known == path) {
            return Ok(known);
        }
        if !path.is_file() {
            return Err(claim.error(ExternalProblem::NoFile));
        }
        let map = file::map(&path)?;
        self.maps.push((path, map));
        Ok(self.maps.len() - 1)
    }
}

/// Whether a location is a relative path that stays below the model's folder, by the rules of every system at once:
/// a model must not be harmless on one and read `C:\secrets` on another.
fn check_location(location: &str) -> Result<(), ExternalProblem> {
    let has_drive = matches!(location.as_bytes(), [drive, b':', ..] if drive.is_ascii_alphabetic());
    if location.is_empty() {
        return Err(ExternalProblem::NoLocation);
    }
    if location.starts_with(['/', '\\']) || has_drive {
        return Err(ExternalProblem::Absolute);
    }
    if location.split(['/', '\\']).any(|part| part == "..") {
        return Err(ExternalProblem::Climbs);
    }
    if location.contains(['\\', '\0']) {
        return Err(ExternalProblem::NotPortable);
    }
    Ok(())
}

fn number(claim: &Claim, key: &'static str, value: Option<&str>) -> Result<Option<usize>, ModelError> {
    let Some(value) = value else { return Ok(None) };
    let is_plain = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let number = if is_plain { value.parse().ok() } else { None };
    number.map(Some).ok_or_else(|| claim.error(ExternalProblem::Number { key, value: value.to_owned() }))
}

/// Tensors may share all of their bytes, as tied weights do; sharing a part is no exporter's doing.
pub(super) fn check_overlaps(claims: &[Claim], places: &[Place]) -> Result<(), ModelError> {
    let mut order: Vec<usize> = (0..places.len()).filter(|&i| !places[i].range.is_empty()).collect();
    order.sort_by_key(|&i| (places[i].file, places[i].range.start, places[i].range.end));
    for pair in order.windows(2) {
        let [a, b] = [pair[0], pair[1]].map(|i| &places[i]);
        // Sorted by their starts and all equal or apart so far, none reaches further than the last one.
        if a.file == b.file && a.range != b.range && b.range.start < a.range.end {
            let other = claims[pair[0]].tensor.clone();
            return Err(claims[pair[1]].error(ExternalProblem::Overlap { other }));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_stay_below_the_folder_on_every_system() {
        for fine in ["model.onnx.data", "weights/a b.bin", "./x", "a..b", "...", "..data", "x/", "ab:c"] {
            assert_eq!(check_location(fine), Ok(()), "{fine}");
        }
        for absolute in ["/etc/passwd", "\\\\host\\share", "\\x", "C:\\x", "c:x", "C:/x"] {
            assert_eq!(check_location(absolute), Err(ExternalProblem::Absolute), "{absolute}");
        }
        for climbing in ["..", "../x", "a/../../x", "a\\..\\x", "a/.."] {
            assert_eq!(check_location(climbing), Err(ExternalProblem::Climbs), "{climbing}");
        }
        assert_eq!(check_location(""), Err(ExternalProblem::NoLocation));
        for odd in ["a\\b", "a\0"] {
            assert_eq!(check_location(odd), Err(ExternalProblem::NotPortable), "{odd:?}");
        }
    }
}
