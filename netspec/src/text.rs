//! The canonical text form of a conv spec, for keys, logs and the command line.

use crate::spec::{Activation, ConvSpec, DType, Epilogue, Layout, SpecError};
use std::fmt;
use std::str::FromStr;

const DTYPES: [(&str, DType); 4] =
    [("f32", DType::F32), ("tf32", DType::Tf32), ("f16", DType::F16), ("bf16", DType::Bf16)];
const LAYOUTS: [(&str, Layout); 2] = [("nchw", Layout::Nchw), ("nhwc", Layout::Nhwc)];
const ACTIVATIONS: [(&str, Activation); 5] = [
    ("relu", Activation::Relu),
    ("relu6", Activation::Relu6),
    ("silu", Activation::Silu),
    ("sigmoid", Activation::Sigmoid),
    ("hardswish", Activation::HardSwish),
];

fn word_of<T: PartialEq + Copy>(table: &[(&'static str, T)], value: T) -> &'static str {
    table.iter().find(|(_, v)| *v == value).map_or("", |(word, _)| word)
}

fn value_of<T: Copy>(table: &[(&'static str, T)], word: &str) -> Option<T> {
    table.iter().find(|(w, _)| *w == word).map(|&(_, value)| value)
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word_of(&DTYPES, *self))
    }
}

impl FromStr for DType {
    type Err = SpecError;
    fn from_str(s: &str) -> Result<DType, SpecError> {
        value_of(&DTYPES, s)
            .ok_or_else(|| SpecError::Text { word: s.to_owned(), expected: "one of f32, tf32, f16, bf16" })
    }
}

/// Prints `64>128 56x56 k3 s2 p1 relu` and so on: only what differs from the defaults.
impl fmt::Display for ConvSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.batch != 1 {
            write!(f, "n{} ", self.batch)?;
        }
        write!(f, "{}>{} {}x{}", self.c_in, self.c_out, self.height, self.width)?;
        write_pair(f, 'k', self.kernel, 0)?;
        write_pair(f, 's', self.stride, 1)?;
        let [top, left, bottom, right] = self.padding;
        if top == left && left == bottom && bottom == right {
            if top != 0 {
                write!(f, " p{top}")?;
            }
        } else {
            write!(f, " p{top}.{left}.{bottom}.{right}")?;
        }
        write_pair(f, 'd', self.dilation, 1)?;
        if self.groups != 1 {
            write!(f, " g{}", self.groups)?;
        }
        if self.dtype != DType::default() {
            write!(f, " {}", self.dtype)?;
        }
        if self.layout != Layout::default() {
            write!(f, " {}", word_of(&LAYOUTS, self.layout))?;
        }
        let Epilogue { bias, residual, activation } = self.epilogue;
        f.write_str(if bias { " bias" } else { "" })?;
        f.write_str(if residual { " add" } else { "" })?;
        if activation != Activation::None {
            write!(f, " {}", word_of(&ACTIVATIONS, activation))?;
        }
        Ok(())
    }
}

fn write_pair(f: &mut fmt::Formatter<'_>, letter: char, [a, b]: [usize; 2], default: usize) -> fmt::Result {
    match (a == b, a == default) {
        (true, true) => Ok(()),
        (true, false) => write!(f, " {letter}{a}"),
        (false, _) => write!(f, " {letter}{a}x{b}"),
    }
}

fn numbers<const N: usize>(text: &str, separator: char) -> Option<[usize; N]> {
    let parts: Vec<usize> = text.split(separator).map(str::parse).collect::<Result<_, _>>().ok()?;
    match parts.as_slice() {
        [one] => Some([*one; N]),
        _ => parts.try_into().ok(),
    }
}

/// Reads the form that `Display` writes; words may also be separated by commas, and stand in any order.
impl FromStr for ConvSpec {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<ConvSpec, SpecError> {
        let mut spec = ConvSpec::new(0, 0, [0, 0], [1, 1]);
        for word in text.split([' ', ',']).filter(|w| !w.is_empty()) {
            read_word(&mut spec, word).ok_or_else(|| SpecError::Text {
                word: word.to_owned(),
                expected: "a form like `n1 64>128 56x56 k3 s1 p1 d1 g1 f32 nchw bias add relu`",
            })?;
        }
        spec.validate()?;
        Ok(spec)
    }
}

fn read_word(spec: &mut ConvSpec, word: &str) -> Option<()> {
    if let Some(dtype) = value_of(&DTYPES, word) {
        spec.dtype = dtype;
    } else if let Some(layout) = value_of(&LAYOUTS, word) {
        spec.layout = layout;
    } else if let Some(activation) = value_of(&ACTIVATIONS, word) {
        spec.epilogue.activation = activation;
    } else if word == "bias" {
        spec.epilogue.bias = true;
    } else if word == "add" {
        spec.epilogue.residual = true;
    } else if let Some((c_in, c_out)) = word.split_once('>') {
        (spec.c_in, spec.c_out) = (c_in.parse().ok()?, c_out.parse().ok()?);
    } else if let Some(rest) = word.strip_prefix('n') {
        spec.batch = rest.parse().ok()?;
    } else if let Some(rest) = word.strip_prefix('k') {
        spec.kernel = numbers(rest, 'x')?;
    } else if let Some(rest) = word.strip_prefix('s') {
        spec.stride = numbers(rest, 'x')?;
    } else if let Some(rest) = word.strip_prefix('p') {
        spec.padding = numbers(rest, '.')?;
    } else if let Some(rest) = word.strip_prefix('d') {
        spec.dilation = numbers(rest, 'x')?;
    } else if let Some(rest) = word.strip_prefix('g') {
        spec.groups = rest.parse().ok()?;
    } else {
        let (height, width) = word.split_once('x')?;
        (spec.height, spec.width) = (height.parse().ok()?, width.parse().ok()?);
    }
    Some(())
}
