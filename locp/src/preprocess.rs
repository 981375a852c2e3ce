//! How a picture becomes what a model takes.

use crate::Error;
use std::str::FromStr;

/// How a picture becomes what a model takes: resized so that it covers the input and a margin, cropped to its middle,
/// scaled, and normalized channel by channel.
///
/// Written as `imagenet`, `inception` or `unit`, settings after it, all separated by commas:
/// `imagenet,order=bgr,crop=1`. `mean` and `std` are one number or one per channel, `mean=0.485/0.456/0.406`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Preprocess {
    /// Subtracted from each channel once it is scaled.
    pub mean: Vec<f32>,
    /// What each channel is divided by then.
    pub std: Vec<f32>,
    /// The share of the resized picture's shorter side that the input covers.
    pub crop: f64,
    /// What a full byte becomes: 1, or 255 where values stay as they are.
    pub range: f32,
    /// Whether blue is the first of three channels.
    pub is_bgr: bool,
    /// Bicubic rather than bilinear interpolation.
    pub is_bicubic: bool,
    /// Of so many pictures at most, spread evenly over the folder.
    pub count: Option<usize>,
}

impl Preprocess {
    /// From 0 to 1, nothing cropped but what the input's aspect ratio demands.
    pub fn unit() -> Preprocess {
        let (mean, std) = (vec![0.0], vec![1.0]);
        Preprocess { mean, std, crop: 1.0, range: 1.0, is_bgr: false, is_bicubic: false, count: None }
    }

    /// What torchvision's ImageNet classifiers take: 224 of 256 pixels, each channel by ImageNet's mean and deviation.
    pub fn imagenet() -> Preprocess {
        let (mean, std) = (vec![0.485, 0.456, 0.406], vec![0.229, 0.224, 0.225]);
        Preprocess { mean, std, crop: 0.875, ..Preprocess::unit() }
    }

    /// The same crop, from -1 to 1.
    pub fn inception() -> Preprocess {
        Preprocess { mean: vec![0.5], std: vec![0.5], crop: 0.875, ..Preprocess::unit() }
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let number = |text: &str| text.parse::<f64>().ok().filter(|n| n.is_finite());
        let one = |text: &str| number(text).ok_or_else(|| format!("`{key}={text}` is no number"));
        let numbers = || -> Result<Vec<f32>, String> { value.split('/').map(|text| Ok(one(text)? as f32)).collect() };
        match (key, value) {
            ("mean", _) => self.mean = numbers()?,
            ("std", _) => {
                self.std = numbers()?;
                if self.std.iter().any(|&std| std <= 0.0) {
                    return Err(format!("`{key}={value}` has to be above 0"));
                }
            }
            ("crop", _) => {
                self.crop = one(value)?;
                if !(self.crop > 0.0 && self.crop <= 1.0) {
                    return Err(format!("`{key}={value}` is no share above 0 and up to 1"));
                }
            }
            ("range", "1") => self.range = 1.0,
            ("range", "255") => self.range = 255.0,
            ("order", "rgb") => self.is_bgr = false,
            ("order", "bgr") => self.is_bgr = true,
            ("filter", "bilinear") => self.is_bicubic = false,
            ("filter", "bicubic") => self.is_bicubic = true,
            ("count", _) => match value.parse() {
                Ok(count) if count > 0 => self.count = Some(count),
                _ => return Err(format!("`{key}={value}` is no number of pictures")),
            },
            _ => return Err(format!("`{key}={value}` is no setting")),
        }
        Ok(())
    }
}

impl FromStr for Preprocess {
    type Err = Error;

    fn from_str(text: &str) -> Result<Preprocess, Error> {
        let refused = |why: String| Error::Preprocess { text: text.to_owned(), why };
        let mut all = Preprocess::unit();
        for (place, part) in text.split(',').enumerate() {
            match (part.trim().split_once('='), part.trim()) {
                (Some((key, value)), _) => all.set(key, value).map_err(refused)?,
                (None, "unit") if place == 0 => all = Preprocess::unit(),
                (None, "imagenet") if place == 0 => all = Preprocess::imagenet(),
                (None, "inception") if place == 0 => all = Preprocess::inception(),
                (None, other) => return Err(refused(format!("`{other}` is no setting"))),
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[test]
    fn settings_come_after_a_name_and_mistakes_are_named() {
        let read = |text: &str| text.parse::<Preprocess>();
        assert_eq!(read("imagenet").unwrap(), Preprocess::imagenet());
        let own = read("inception,order=bgr,range=255,mean=1/2/3,filter=bicubic,count=8").unwrap();
        let expected = Preprocess {
            mean: vec![1.0, 2.0, 3.0],
            range: 255.0,
            is_bgr: true,
            is_bicubic: true,
            count: Some(8),
            ..Preprocess::inception()
        };
        assert_eq!(own, expected);
        for (text, said) in [
            ("", "`` is no setting"),
            ("imagnet", "`imagnet` is no setting"),
            ("crop=1,imagenet", "`imagenet` is no setting"),
            ("std=0.2/0/0.2", "above 0"),
            ("mean=a", "`mean=a` is no number"),
            ("crop=1.5", "no share"),
            ("count=0", "no number of pictures"),
            ("order=gbr", "`order=gbr`"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
