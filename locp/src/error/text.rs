//! What errors say: what is wrong, what to do, and by which parameters.

use super::{Error, Parameter};
use crate::FreeInput;
use onnx_surgery::{ModelError, SizeError};
use std::borrow::Cow;

const CHECK_PATH: &str = "check the path and its permissions";
const ANOTHER_PATH: &str = "choose another path";

impl Error {
    /// What to do about it, as the error's text ends; `None` if no step is known.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Error::Unavailable(error) => Some(error.remedy.clone()),
            Error::Timing(error) => error.remedy().map(str::to_owned),
            Error::Model(error) => error.remedy().map(str::to_owned),
            Error::Surgery(error) => error.remedy().map(str::to_owned),
            Error::Table(error) => error.remedy().map(str::to_owned),
            Error::Budget(error) => Some(error.remedy().to_owned()),
            Error::Infeasible(error) => Some(error.remedy().to_owned()),
            Error::Scores { source, .. }
            | Error::Value(source)
            | Error::Problem(benefit::ProblemError::Curve { source, .. }) => source.remedy(),
            Error::Repair { source, .. } => source.remedy().map(str::to_owned),
            _ => self.own_remedy().map(Cow::into_owned),
        }
    }

    /// The parameters that the remedy refers to.
    pub fn parameters(&self) -> Vec<Parameter> {
        match self {
            Error::NoPreprocess { .. } | Error::Preprocess { .. } => vec![Parameter::Preprocess],
            Error::NoMatch { parameter, .. } => vec![*parameter],
            Error::Contradiction { parameters, .. } => parameters.clone(),
            Error::WhichMachine { .. } => vec![Parameter::Machine],
            Error::Whole { .. } => vec![Parameter::Table],
            Error::NoModels { .. } | Error::NothingTimed { .. } => vec![Parameter::Engine],
            Error::FreeSizes { .. } => vec![Parameter::Input],
            Error::Model(ModelError::FixedBatch { .. }) => vec![Parameter::Batch],
            Error::Model(ModelError::Sizes(SizeError::Batch { .. })) => vec![Parameter::Batch, Parameter::Input],
            Error::Model(ModelError::Sizes(_)) => vec![Parameter::Input],
            Error::StoredType { .. } => vec![Parameter::Dtype, Parameter::Engine],
            Error::Infeasible(_) => vec![
                Parameter::Latency,
                Parameter::MinShare,
                Parameter::MultipleOf,
                Parameter::AtLeast,
                Parameter::Freeze,
                Parameter::Only,
                Parameter::PruneResidual,
            ],
            Error::OnlyResidual { .. } => vec![Parameter::PruneResidual],
            Error::Floor { .. } => vec![Parameter::Latency, Parameter::ValueFloor],
            _ => Vec::new(),
        }
    }

    /// The whole text. Errors of other crates bring theirs with them.
    pub(super) fn line(&self) -> String {
        let what = self.what();
        match self.own_remedy() {
            Some(remedy) => format!("{what}; {remedy}"),
            None => what,
        }
    }

    /// What to do, where this crate says it.
    fn own_remedy(&self) -> Option<Cow<'static, str>> {
        let remedy = match self {
            Error::Read { .. } => CHECK_PATH,
            Error::Write { .. } => "check the path, its permissions and the free space",
            Error::SameFile { .. } => ANOTHER_PATH,
            Error::NoFolder { .. } => "make it first or choose another path",
            Error::NoFile { .. } => "name a file that exists or is to be made",
            Error::Picture { .. } => "repair it or take it out of the folder",
            Error::NoPreprocess { .. } => "state how the model takes them, for example by the preprocessing `imagenet`",
            Error::Preprocess { .. } => {
                "write imagenet, inception or unit, and after it, separated by commas, any of mean=, std= (one number, or one per channel with / between), crop=SHARE, range=1|255, order=rgb|bgr, filter=bilinear|bicubic, count=N"
            }
            Error::NoMatch { .. } => "`inspect` lists their names, and `*` stands for any text",
            Error::Contradiction { .. } => "leave out one of them",
            Error::Count { .. } => "give one label per image",
            Error::Label { classes, .. } => {
                return Some(format!("give class indices from 0 to {}", classes.saturating_sub(1)).into());
            }
            Error::ImageShape { .. } => "save the images in that shape",
            Error::Output { .. } => "accuracy needs a classifier",
            Error::Incomparable { .. } => "give a model and one that was made from it",
            Error::UnknownEngine { .. } => {
                "use auto, tract, onnxruntime[:cuda|:tensorrt], cuda[:INDEX][:autotune], simulated:h100, simulated:t4, simulated:orin or recorded:FILE"
            }
            Error::NoTable { .. } => {
                "give a latency table, recorded:FILE, or simulated:h100, simulated:t4 or simulated:orin"
            }
            Error::WhichMachine { .. } => {
                "choose one of them by a part of its text, or put its lines into a file of their own"
            }
            Error::Whole { .. } => "to start a new one all the same, move it by hand or use another table",
            Error::NoModels { .. } => "use the engine tract",
            Error::StoredType { stored, .. } => {
                let or = "or an engine that times convolutions in that type (cuda, simulated:h100)";
                return Some(format!("use the data type {stored}, {or}").into());
            }
            Error::FreeSizes { inputs, .. } => {
                let likely: Vec<String> = inputs.iter().map(likely).collect();
                return Some(
                    format!("state their sizes in {}, for example {}", Parameter::Input, likely.join(", ")).into(),
                );
            }
            Error::NothingTimed { .. } => "use an engine that times whole models, tract or onnxruntime",
            Error::Unrelated { .. } => "compare a model with one that was made from it",
            Error::NothingToPrune { .. } => "`inspect` lists the groups, and why they keep their channels",
            Error::OnlyResidual { .. } => "open them with `prune_residual`",
            Error::Floor { .. } => "allow more time or a lower value",
            Error::NotFaster { remedy, .. } => remedy,
            Error::NoLayer { .. } => "`inspect` lists the layers",
            Error::SearchOutOfRange { .. } => "let it ask only for widths of its configuration",
            Error::Interrupted => "what was measured is kept, run again to go on",
            Error::Array { fault, .. } | Error::Plan { fault, .. } => {
                return fault.remedy().map(|remedy| remedy.to_owned().into());
            }
            _ => return None,
        };
        Some(remedy.into())
    }

    /// What is wrong.
    fn what(&self) -> String {
        match self {
            Error::Read { path, source } => format!("cannot read {}: {source}", path.display()),
            Error::Write { path, source } => format!("cannot write {}: {source}", path.display()),
            Error::SameFile { path } => {
                format!("the output {} is already an input or another output", path.display())
            }
            Error::NoFolder { path } => format!("the folder of the output {} does not exist", path.display()),
            Error::NoFile { path } => format!("the output {} is not a regular file", path.display()),
            Error::Array { path, fault } | Error::Plan { path, fault } => {
                format!("{}: {}", path.display(), fault.what())
            }
            Error::Picture { path, what } => format!("the picture {} {what}", path.display()),
            Error::NoPreprocess { path } => format!("{} is a folder of pictures", path.display()),
            Error::Preprocess { text, why } => format!("the preprocessing `{text}`: {why}"),
            Error::Scores { path, source } => format!("{}: {source}", path.display()),
            Error::NoMatch { parameter, pattern } => format!("`{pattern}` in {parameter} fits no channel group"),
            Error::Contradiction { first, second, why, .. } => {
                format!("{first} and {second} exclude each other: {why}")
            }
            Error::Count { images, labels } => format!("there are {images} images and {labels} labels"),
            Error::Label { index, label, classes } => {
                format!("label {index} is {label}, but the model has {classes} outputs")
            }
            Error::ImageShape { path, found, input, expected } => {
                format!("{}: one image is {found:?}, but the model's input `{input}` takes {expected}", path.display())
            }
            Error::Output { path } => {
                format!("{}: its first output is not an N x classes tensor of floating-point scores", path.display())
            }
            Error::Incomparable { dense, pruned, what } => {
                format!("{} and {} cannot be compared: {what}", dense.display(), pruned.display())
            }
            Error::Repair { layer, source } => {
                format!("layer `{layer}` cannot be fitted to the calibration images: {source}")
            }
            Error::UnknownEngine { name } => format!("there is no engine `{name}`"),
            Error::NoTable { name } => format!("there is no table {name}"),
            Error::WhichMachine { path, machines } => {
                format!("{} holds {} machines that fit ({})", path.display(), machines.len(), machines.join(", "))
            }
            Error::Whole { path } => format!("the table {} is not damaged and stays where it is", path.display()),
            Error::NoModels { engine, what } => {
                format!("the engine {engine} has no device to run whole models on, which {what} needs")
            }
            Error::StoredType { path, engine, stored, dtype } => {
                format!("{}: {engine} runs it as it is stored, in {stored}, not in {dtype}", path.display())
            }
            Error::NothingTimed { path, first, reason, engine } => format!(
                "{}: none of its layers can be timed alone (first `{first}`: {reason}), and {engine} runs no whole models",
                path.display()
            ),
            Error::FreeSizes { path, inputs } => {
                let free: Vec<String> = inputs.iter().map(free).collect();
                format!("{}: {}", path.display(), free.join(", "))
            }
            Error::Unrelated { a, b, what } => {
                format!("{} is not a version of {}: {what}", b.display(), a.display())
            }
            Error::NothingToPrune { path, why } => format!("{}: nothing can be pruned: {why}", path.display()),
            Error::OnlyResidual { path } => format!(
                "{}: nothing can be pruned: all its groups are residual streams, which stay as they are",
                path.display()
            ),
            Error::Floor { limit_ms, value, floor, bound } => {
                let bound = bound.map_or(String::new(), |bound| format!(" (and none exceeds {bound})"));
                format!(
                    "the latency budget and the lowest value contradict each other: the best plan that was found within {limit_ms:.4} ms has the value {value}, below {floor}{bound}"
                )
            }
            Error::NotFaster { why, .. } => format!("not written: {why}"),
            Error::SearchOutOfRange { asked, most } => {
                format!("the search asked for width {asked} of a line of {most} widths")
            }
            Error::NoLayer { name } => format!("the model has no prunable layer `{name}`"),
            Error::Interrupted => "interrupted".to_owned(),
            Error::Unavailable(error) => error.to_string(),
            Error::Timing(error) => error.to_string(),
            Error::Model(error) => error.to_string(),
            Error::Surgery(error) => error.to_string(),
            Error::Table(error) => error.to_string(),
            Error::Problem(error) => error.to_string(),
            Error::LatencyFit(error) => error.to_string(),
            Error::Budget(error) => error.to_string(),
            Error::Value(error) => error.to_string(),
            Error::Infeasible(error) => error.to_string(),
        }
    }
}

/// What is not known of an input.
fn free(input: &FreeInput) -> String {
    match input.axes.as_slice() {
        [] => format!("the shape of the input `{}` is unknown", input.name),
        [axis] => format!("the input `{}` has a free dimension ({axis})", input.name),
        axes => format!("the input `{}` has free dimensions ({})", input.name, axes.join(", ")),
    }
}

/// A shape that may be stated for it, and where it is from.
fn likely(input: &FreeInput) -> String {
    match input.from_metadata {
        Some([height, width]) => format!("{} ({height}x{width} is what the file's metadata says)", input.likely),
        None => format!("{} (a guess)", input.likely),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Error, Fault, Parameter};
    use std::io::ErrorKind;
    use std::path::PathBuf;

    #[track_caller]
    fn check(error: &Error, text: &str, remedy: &str) {
        assert_eq!(error.to_string(), text);
        let report = error.report();
        assert_eq!((report.message.as_str(), report.remedy.as_str()), (text, remedy));
    }

    fn path() -> PathBuf {
        PathBuf::from("a; b.onnx")
    }

    #[test]
    fn a_remedy_is_not_cut_out_of_names_and_reasons() {
        let read = Error::read(&path(), ErrorKind::NotFound.into());
        let text = "cannot read a; b.onnx: entity not found; check the path and its permissions";
        check(&read, text, "check the path and its permissions");
        let array = |fault| Error::Array { path: path(), fault };
        check(
            &array(Fault::new("odd; very", "save it; again")),
            "a; b.onnx: odd; very; save it; again",
            "save it; again",
        );
        check(&array("odd; very".to_owned().into()), "a; b.onnx: odd; very", "");
        let model = onnx_surgery::ModelError::Read { path: path(), source: ErrorKind::NotFound.into() };
        check(&model.into(), "cannot read a; b.onnx: entity not found", "");
        let table = sharing::StoreError::Damaged { path: path(), reason: "torn; twice".to_owned() };
        let text =
            "the table a; b.onnx is damaged (torn; twice); it is left as it is; set it aside and start a new one";
        check(&table.into(), text, "set it aside and start a new one");
    }

    #[test]
    fn remedies_name_parameters_and_no_flags() {
        let only = Error::OnlyResidual { path: path() };
        assert_eq!(only.parameters(), [Parameter::PruneResidual]);
        assert_eq!(only.remedy().as_deref(), Some("open them with `prune_residual`"));
        let pattern = Error::NoMatch { parameter: Parameter::AtLeast, pattern: "conv*".to_owned() };
        assert!(pattern.to_string().starts_with("`conv*` in `at_least` fits no channel group; "), "{pattern}");
    }
}
