//! Where the log goes: to standard error, as far as somebody wants it there, and its last lines into the [`Journal`]. What
//! is said too often is counted instead (`limit`), and nobody who logs waits for who reads the log (`pipe`).

mod limit;
mod lines;
mod pipe;

use crate::config::LogFilter;
use crate::daemon::{Journal, Loudness};
use clap::ValueEnum;
use limit::Limit;
use lines::{AsJournal, Safe};
use pipe::Pipe;
use std::fmt::{self, Write as _};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, reload};

/// Says what to log.
const LEVEL: &str = "GOSSIP_NODE_LOG";
/// How long the end of a command waits for what is still to be logged.
const LAST_WORDS: Duration = Duration::from_secs(1);

static PIPE: OnceLock<Pipe> = OnceLock::new();

/// What a line of the log looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// With the time and the level, for people.
    Text,
    /// An object a line, for programs.
    Json,
    /// With a priority that systemd's journal reads, which has the time itself.
    Journal,
}

impl LogFormat {
    /// What suits standard error.
    fn fitting() -> LogFormat {
        if is_journal(std::env::var("JOURNAL_STREAM").ok()) { LogFormat::Journal } else { LogFormat::Text }
    }
}

/// Whether standard error is what systemd says is its journal: a device and an inode.
fn is_journal(stream: Option<String>) -> bool {
    let stderr = || std::fs::File::from(io::stderr().as_fd().try_clone_to_owned().ok()?).metadata().ok();
    let named = stream.and_then(|stream| {
        let (device, inode) = stream.split_once(':')?;
        Some((device.parse::<u64>().ok()?, inode.parse::<u64>().ok()?))
    });
    named.is_some_and(|named| stderr().is_some_and(|file| named == (file.dev(), file.ino())))
}

/// Logs to standard error what the environment asks for, or else `server.json`, or else `default`, and keeps what says more
/// than how it goes. What a peer sent may be part of a line, so lines are made safe.
pub fn log_to_stderr(default: LevelFilter, format: Option<LogFormat>) {
    let asked = std::env::var(LEVEL).ok().filter(|asked| !asked.is_empty());
    let asked = asked.map(|asked| asked.parse::<LogFilter>());
    let (shown, loudness) = reload::Layer::new(Targets::new());
    let format = format.unwrap_or_else(LogFormat::fitting);
    let limit = Limit::default();
    let pipe = Pipe::open(format, limit.clone());
    // Innermost: what it holds back is asked of nobody else.
    let registry = tracing_subscriber::registry().with(limit);
    let registry = registry.with(written(format, pipe.clone()).with_filter(shown));
    if registry.with(Keep.with_filter(LevelFilter::INFO)).try_init().is_err() {
        // There is a logger already, as in tests.
        return;
    }
    let _ = PIPE.set(pipe);
    let apply = move |filter: &LogFilter| {
        let parts = filter.parts.iter().map(|(part, level)| (part.as_str(), *level));
        let _ = loudness.reload(Targets::new().with_targets(parts).with_default(filter.level));
    };
    let environment = asked.clone().and_then(Result::ok);
    Loudness::of_process().set_up(LogFilter::all(default), environment, Box::new(apply));
    if let Some(Err(wrong)) = asked {
        tracing::warn!("{LEVEL} is not taken: {wrong}");
    }
}

/// Has what was logged so far written, as far as that is possible in a second.
pub fn flush() {
    if let Some(pipe) = PIPE.get() {
        pipe.flush(LAST_WORDS);
    }
}

fn written<S>(format: LogFormat, pipe: Pipe) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = tracing_subscriber::fmt::layer();
    match format {
        LogFormat::Text => layer.with_writer(move || Safe::text(&pipe)).boxed(),
        LogFormat::Journal => layer.event_format(AsJournal::default()).with_writer(move || Safe::text(&pipe)).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_writer(move || Safe::json(&pipe)).boxed(),
    }
}

/// Puts lines into the journal.
struct Keep;

impl<S: Subscriber> Layer<S> for Keep {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let (metadata, text) = (event.metadata(), Text::of(event));
        Journal::of_process().note(*metadata.level(), metadata.target(), &format!("{}{}", text.message, text.fields));
    }
}

/// A line: what it says, and then its fields.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn of(event: &Event<'_>) -> Text {
        let mut text = Text::default();
        event.record(&mut text);
        text
    }
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

    #[test]
    fn the_journal_is_known_by_device_and_inode() {
        let stderr = std::fs::File::from(io::stderr().as_fd().try_clone_to_owned().unwrap()).metadata().unwrap();
        assert!(is_journal(Some(format!("{}:{}", stderr.dev(), stderr.ino()))));
        for other in [None, Some(""), Some("1"), Some("x:y"), Some("1:1")] {
            assert!(!is_journal(other.map(str::to_owned)), "{other:?}");
        }
    }
}
