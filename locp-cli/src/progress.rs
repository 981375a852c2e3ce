//! Progress on stderr: a bar with the time left where a person looks, nothing elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bars on stderr, one stage at a time; each leaves a line behind when it ends.
#[derive(Debug)]
pub(crate) struct Bars {
    bar: Mutex<Option<ProgressBar>>,
    is_drawn: bool,
    is_told: bool,
}

impl Bars {
    /// `is_drawn`: whether to draw bars; `is_told`: whether each finished stage leaves a line.
    pub(crate) fn new(is_drawn: bool, is_told: bool) -> Bars {
        Bars { bar: Mutex::new(None), is_drawn, is_told }
    }

    fn bar(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const LABEL: usize = 11;

impl locp::Progress for Bars {
    fn begin(&self, stage: &str, total: Option<u64>) {
        let bar = match total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::new_spinner(),
        };
        // Without a terminal indicatif draws nothing, which is what a log file wants.
        bar.set_draw_target(if self.is_drawn { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() });
        let template = match total {
            Some(_) => "{prefix:11} [{bar:24}] {pos}/{len} {elapsed} left {eta}",
            None => "{prefix:11} {spinner} {pos} {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(stage.to_owned());
        bar.tick();
        *self.bar() = Some(bar);
    }

    fn advance(&self, by: u64) {
        if let Some(bar) = &*self.bar() {
            bar.inc(by);
        }
    }

    fn end(&self, summary: &str) {
        let Some(bar) = self.bar().take() else { return };
        let stage = bar.prefix();
        bar.finish_and_clear();
        if self.is_told && !summary.is_empty() {
            crate::output::log(&format!("{stage:LABEL$} {summary}"));
        }
    }
}
