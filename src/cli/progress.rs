//! [`Progress`] and [`Spinner`]: what people see on a terminal while something takes its time.

use super::context::Context;
use crate::display::{bytes, counted, display_safe};
use std::time::Duration;

impl Context {
    /// Shows on a terminal how many records were dealt with so far.
    pub fn progress(&self, done: &'static str) -> Progress {
        Progress(self.spinner(""), done)
    }

    /// Shows on a terminal that something takes its time.
    pub fn spinner(&self, what: impl Into<String>) -> Spinner {
        let bar = indicatif::ProgressBar::new_spinner().with_message(display_safe(&what.into()).into_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        Spinner(bar)
    }
}

/// Shows on a terminal how far something has come.
pub struct Progress(Spinner, &'static str);

impl Progress {
    /// So many records, so many bytes.
    pub fn set(&self, records: u64, size: u64) {
        self.0.0.set_message(format!("{} {}, {}", counted(records, "record"), self.1, bytes(size)));
    }
}

/// Turns until it is dropped.
pub struct Spinner(indicatif::ProgressBar);

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
