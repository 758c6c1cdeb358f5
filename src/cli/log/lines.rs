//! What lines of the log look like, and what keeps their text from being more than text: a line is one line, whatever
//! strangers sent, and nothing in it acts on who reads it.

use super::pipe::Pipe;
use crate::display::{display_line, json_safe};
use std::fmt;
use std::io::{self, Write};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Longest line, in bytes.
const LONGEST: usize = 4 << 10;

/// Lines on their way into the pipe.
pub struct Safe {
    pipe: Pipe,
    made: fn(&str) -> String,
}

impl Safe {
    /// Of text.
    pub fn text(pipe: &Pipe) -> Safe {
        Safe { pipe: pipe.clone(), made: text }
    }

    /// Of JSON.
    pub fn json(pipe: &Pipe) -> Safe {
        Safe { pipe: pipe.clone(), made: json }
    }
}

impl Write for Safe {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.pipe.write((self.made)(&String::from_utf8_lossy(line)));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn text(line: &str) -> String {
    let mut line = display_line(line.trim_end_matches('\n')).into_owned();
    if line.len() > LONGEST {
        line.truncate(line.floor_char_boundary(LONGEST));
        line.push_str(" ...");
    }
    line.push('\n');
    line
}

/// A line cut short would be no JSON, so one that is too long says only that.
fn json(line: &str) -> String {
    let line = line.trim_end_matches('\n');
    if line.len() > LONGEST {
        return format!("{{\"level\":\"WARN\",\"message\":\"a line of {} bytes was too long to log\"}}\n", line.len());
    }
    format!("{}\n", json_safe(line))
}

/// What a level is to the journal (syslog's priorities).
pub fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// Without time and level, of which the journal has its own, behind a priority.
pub struct AsJournal(Format<Full, ()>);

impl Default for AsJournal {
    fn default() -> AsJournal {
        AsJournal(Format::default().without_time().with_level(false))
    }
}

impl<S, N> FormatEvent<S, N> for AsJournal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        write!(to, "<{}>", priority(*event.metadata().level()))?;
        self.0.format_event(context, to, event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::is_hostile;

    #[test]
    fn a_line_is_one_line_and_acts_on_nobody() {
        assert_eq!(text("a\n<0>b\u{1b}[2J\u{202E}\n"), "a <0>b\\u{1b}[2J\\u{202e}\n");
        let long = text(&"ü".repeat(LONGEST));
        assert!(long.len() < LONGEST + 8 && long.ends_with("ü ...\n"));
    }

    #[test]
    fn json_stays_json_with_the_same_values() {
        let said = "a\n\u{1b}[2J\u{9b}31m\u{202E}\u{7f}\u{feff}\"\\";
        let line = json(&format!("{}\n", serde_json::json!({ "message": said })));
        assert!(line.ends_with("}\n") && !line.trim_end_matches('\n').contains(is_hostile), "{line}");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["message"], said);
        let value: serde_json::Value = serde_json::from_str(&json(&"x".repeat(LONGEST + 1))).unwrap();
        assert!(value["message"].as_str().unwrap().contains("too long"));
    }
}
