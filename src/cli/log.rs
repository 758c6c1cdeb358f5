//! Where the log goes: to standard error, as far as somebody wants it there, and its last lines into the [`Journal`].

use crate::daemon::Journal;
use crate::display::display_safe;
use std::fmt::{self, Write as _};
use std::io::{self, Write};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// Logs to standard error what `GOSSIP_NODE_LOG` asks for, and keeps what says more than how it goes. What a peer sent may
/// be part of a line, so lines are made safe.
pub fn log_to_stderr(default: &str) {
    let filter = EnvFilter::try_from_env("GOSSIP_NODE_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let shown = tracing_subscriber::fmt::layer().with_writer(|| SafeStderr).with_filter(filter);
    let kept = Keep.with_filter(LevelFilter::INFO);
    // Fails only where a logger is there already, as in tests.
    let _ = tracing_subscriber::registry().with(shown).with(kept).try_init();
}

/// Standard error behind [`display_safe`]. A log that nobody reads is no reason to stop.
struct SafeStderr;

impl Write for SafeStderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().lock().write_all(display_safe(&String::from_utf8_lossy(line)).as_bytes());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Puts lines into the journal.
struct Keep;

impl<S: Subscriber> Layer<S> for Keep {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let (metadata, mut text) = (event.metadata(), Text::default());
        event.record(&mut text);
        Journal::of_process().note(*metadata.level(), metadata.target(), &format!("{}{}", text.message, text.fields));
    }
}

/// A line: what it says, and then its fields.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_kept_with_its_fields_and_no_text_acts_on_who_reads_it() {
        let before = Journal::of_process().last();
        let subscriber = tracing_subscriber::registry().with(Keep.with_filter(LevelFilter::INFO));
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!("how it goes");
            tracing::warn!(seed = %"nas\u{1b}[2J", "cannot look up: {}", 7);
        });
        let log = Journal::of_process().after(before, tracing::Level::INFO);
        let line = log.lines.iter().find(|line| line.text.starts_with("cannot look up: 7")).expect("it is kept");
        assert_eq!((line.level.as_str(), line.target.as_str()), ("warn", module_path!()));
        assert_eq!(line.text, "cannot look up: 7 seed=nas\\u{1b}[2J");
        assert!(!log.lines.iter().any(|line| line.text == "how it goes"));
    }
}
