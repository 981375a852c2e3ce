//! The command line.

use std::path::PathBuf;

use crate::Result;
use gpu_bench::Selection;

pub(crate) const USAGE: &str = "usage:
  gpu_record PART --out FOLDER [--minutes 8.5] [--engine cuda[:INDEX]|simulated:NAME] [--select heuristic|autotune] [--seed N]
      records a part into FOLDER, or goes on with it; a folder that is complete stays as it is
  gpu_record specs PART        prints the convolutions of a part, one a line
  gpu_record describe FOLDER   writes README.md and summary.md again from what the folder holds
  gpu_record compare A B       how far two folders that hold the same convolutions agree
parts: sweep8, sweep8-c-in, sweep8-tf32, fine, grid, depthwise, truth, network, repeat, versus";

/// What to do.
pub(crate) enum Command {
    Record(Options),
    Specs { part: String },
    Describe { folder: PathBuf },
    Compare { folders: [PathBuf; 2] },
}

/// How a part is recorded.
pub(crate) struct Options {
    pub(crate) part: String,
    pub(crate) out: PathBuf,
    pub(crate) minutes: f64,
    pub(crate) engine: String,
    pub(crate) selection: Selection,
    pub(crate) seed: u64,
}

pub(crate) fn parse(args: &[String]) -> Result<Command> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    Ok(match words.as_slice() {
        ["specs", part] => Command::Specs { part: (*part).to_owned() },
        ["describe", folder] => Command::Describe { folder: folder.into() },
        ["compare", a, b] => Command::Compare { folders: [a.into(), b.into()] },
        [part, flags @ ..] if !part.starts_with('-') => Command::Record(record(part, flags)?),
        _ => return Err(USAGE.into()),
    })
}

fn record(part: &str, flags: &[&str]) -> Result<Options> {
    let mut options = Options {
        part: part.to_owned(),
        out: PathBuf::new(),
        minutes: 8.5,
        engine: "cuda".to_owned(),
        selection: Selection::Heuristic,
        seed: 0,
    };
    for pair in flags.chunks(2) {
        let [flag, value] = pair else { return Err(format!("{} needs a value\n{USAGE}", pair[0]).into()) };
        let wrong = || format!("{flag} cannot be {value}\n{USAGE}");
        match *flag {
            "--out" => options.out = value.into(),
            "--minutes" => {
                let minutes = value.parse().ok().filter(|&minutes: &f64| minutes > 0.0 && minutes < 1e4);
                options.minutes = minutes.ok_or_else(wrong)?;
            }
            "--engine" => options.engine = (*value).to_owned(),
            "--select" => {
                let known = [Selection::Heuristic, Selection::Autotune];
                options.selection = known.into_iter().find(|known| known.name() == *value).ok_or_else(wrong)?;
            }
            "--seed" => options.seed = value.parse().map_err(|_| wrong())?,
            _ => return Err(format!("there is no flag {flag}\n{USAGE}").into()),
        }
    }
    if options.out.as_os_str().is_empty() {
        return Err(format!("--out is missing\n{USAGE}").into());
    }
    Ok(options)
}
