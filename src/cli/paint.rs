//! [`Paint`]: colour where it helps, on terminals that show it, and never where somebody said no. Words and marks say all
//! without it.

use clap::ColorChoice;
use clap::builder::styling::{AnsiColor, Style};
use std::io::IsTerminal;

/// Whether there is colour.
#[derive(Clone, Copy, Debug)]
pub struct Paint(bool);

impl Paint {
    /// As `--color` says; if it says nothing, where `stream` is a terminal, unless `NO_COLOR` is set.
    pub fn on(stream: &impl IsTerminal, choice: ColorChoice) -> Paint {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Paint(match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                let dumb = set("TERM").is_none_or(|term| term == "dumb");
                set("NO_COLOR").is_none() && stream.is_terminal() && !dumb
            }
        })
    }

    /// No colour.
    pub fn never() -> Paint {
        Paint(false)
    }

    /// All is well.
    pub fn good(self, text: &str) -> String {
        self.with(AnsiColor::Green.on_default(), text)
    }

    /// Somebody should look.
    pub fn warn(self, text: &str) -> String {
        self.with(AnsiColor::Yellow.on_default(), text)
    }

    /// Something is wrong.
    pub fn bad(self, text: &str) -> String {
        self.with(AnsiColor::Red.on_default().bold(), text)
    }

    /// Less important.
    pub fn faint(self, text: &str) -> String {
        self.with(Style::new().dimmed(), text)
    }

    fn with(self, style: Style, text: &str) -> String {
        if self.0 { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_where_it_is_wanted_and_nowhere_else() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(Paint::on(&file, ColorChoice::Always).bad("x"), "\u{1b}[1m\u{1b}[31mx\u{1b}[0m");
        for choice in [ColorChoice::Never, ColorChoice::Auto] {
            assert_eq!(Paint::on(&file, choice).good("x"), "x");
        }
    }
}
