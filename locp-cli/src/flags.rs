//! How the parameters and functions that the library's errors name are spelled on the command line.
//!
//! A flag is the parameter's name with hyphens, as in the Python package, where it is a keyword argument.

use locp::{Error, ErrorKind, Parameter};

/// What a user of the command line types to follow an error's remedy, in parentheses behind a space; or nothing.
pub(crate) fn spelled(error: &Error) -> String {
    let mut words: Vec<String> = match error {
        Error::FreeSizes { inputs, .. } => {
            let flags: Vec<String> = inputs.iter().map(|input| stated(&input.likely.to_string())).collect();
            vec![format!("`{}`", flags.join(" "))]
        }
        _ => error.parameters().into_iter().map(flag).collect(),
    };
    words.extend(command(error).map(|command| format!("`locp {command}`")));
    if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) }
}

/// The flag that states an input's shape, as a shell takes it.
pub(crate) fn stated(shape: &str) -> String {
    let is_plain = shape.chars().all(|c| c.is_ascii_alphanumeric() || "=._-/:".contains(c));
    if is_plain { format!("--input {shape}") } else { format!("--input '{}'", shape.replace('\'', "'\\''")) }
}

/// The flag of a parameter: `` `--prune-residual` ``.
fn flag(parameter: Parameter) -> String {
    format!("`--{}`", parameter.name().replace('_', "-"))
}

/// The command for what the library calls by a function that is named otherwise.
fn command(error: &Error) -> Option<&'static str> {
    match error.kind() {
        ErrorKind::DamagedTable => Some("table set-aside"),
        ErrorKind::PortableTable => Some("table import"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{command, flag, spelled, stated};
    use crate::args::Cli;
    use clap::CommandFactory;
    use locp::{Error, Parameter};
    use std::collections::BTreeSet;

    /// All flags of a command and of those below it.
    fn flags(command: &clap::Command, found: &mut BTreeSet<String>) {
        found.extend(command.get_arguments().filter_map(|argument| Some(format!("`--{}`", argument.get_long()?))));
        command.get_subcommands().for_each(|below| flags(below, found));
    }

    #[test]
    fn every_parameter_has_a_flag() {
        let mut found = BTreeSet::new();
        flags(&Cli::command(), &mut found);
        let missing: Vec<String> = Parameter::ALL.into_iter().map(flag).filter(|flag| !found.contains(flag)).collect();
        assert_eq!(missing, [""; 0]);
        assert!(!found.contains("`--no-such-flag`"));
    }

    #[test]
    fn an_error_is_followed_by_what_to_type() {
        let path = std::path::PathBuf::from("model.onnx");
        assert_eq!(spelled(&Error::OnlyResidual { path: path.clone() }), " (`--prune-residual`)");
        assert_eq!(spelled(&Error::Interrupted), "");
        let stored = locp::netspec::DType::F32;
        let error = Error::StoredType { path, engine: "tract".to_owned(), stored, dtype: stored };
        assert_eq!(spelled(&error), " (`--dtype`, `--engine`)");
        assert_eq!(command(&error), None);
    }

    #[test]
    fn shapes_are_quoted_as_a_shell_needs() {
        assert_eq!(stated("a.b/c:0=1x3"), "--input a.b/c:0=1x3");
        assert_eq!(stated("the $input=1x3"), "--input 'the $input=1x3'");
        assert_eq!(stated("it's=1"), r"--input 'it'\''s=1'");
    }
}
