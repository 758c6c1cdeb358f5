//! How help looks: what a command is for, then examples, then all that it takes; and the commands in groups. Each example
//! works as it stands there, which `tests/examples.rs` holds.

use clap::builder::StyledStr;
use clap::builder::styling::{AnsiColor, Style, Styles};
use clap::{ColorChoice, Command};
use std::ffi::OsString;
use std::fmt::Write as _;

/// What belongs together. Commands that are in no group come last, so that none is ever missing.
const GROUPS: [(&str, &[&str]); 6] = [
    ("Reading", &["list", "read", "follow", "status", "export", "ui"]),
    ("Writing", &["add", "create", "import", "forget"]),
    ("Network", &["peers", "explain", "ping", "register", "network", "keys", "retention"]),
    ("This node", &["init", "run", "leave", "config", "reload", "logs", "log-level"]),
    ("Operations", &["doctor", "check", "wait", "decode", "completions"]),
    ("Trying out", &["demo", "bench", "simulate"]),
];
/// Where a column of names ends.
const NAMES: usize = 14;

/// Colours of help and of errors in the command line.
const STYLES: Styles = Styles::styled()
    .header(Style::new().bold())
    .usage(Style::new().bold())
    .literal(AnsiColor::Cyan.on_default())
    .error(AnsiColor::Red.on_default().bold());

/// The command line with its help laid out, in colour as `args` say.
pub fn laid_out(command: Command, args: &[OsString]) -> Command {
    let groups = grouped(&command);
    let template = format!("{{about}}{{after-help}}\n\n{{usage-heading}} {{usage}}\n{groups}\n{{options}}");
    let laid_out = examples_first(command).styles(STYLES).color(color(args)).help_template(template);
    laid_out.mut_subcommands(below)
}

/// The same for commands, and for those below them.
fn below(command: Command) -> Command {
    let template = "{about}{after-help}\n\n{usage-heading} {usage}\n\n{all-args}";
    examples_first(command).help_template(template).mut_subcommands(below)
}

/// What is said beside usage and options: examples are two spaces in, and come first.
fn examples_first(command: Command) -> Command {
    let Some(text) = command.get_after_help().map(StyledStr::to_string) else { return command };
    let is_example =
        |line: &&str| line.starts_with("gossip-node ") || line.starts_with("  ") && line.contains("gossip-node ");
    let (examples, prose): (Vec<&str>, Vec<&str>) = text.lines().partition(is_example);
    let examples: Vec<String> = examples.iter().map(|line| format!("  {}", line.trim_start())).collect();
    let mut styled = StyledStr::new();
    let header = STYLES.get_header();
    if !examples.is_empty() {
        let _ = write!(styled, "{header}Examples:{header:#}\n{}", examples.join("\n"));
    }
    let prose = flowing(&prose);
    if !prose.is_empty() {
        let gap = if examples.is_empty() { "" } else { "\n\n" };
        let _ = write!(styled, "{gap}{prose}");
    }
    command.after_help(styled)
}

/// Lines of a paragraph joined, so that they are broken where the terminal ends; what is indented stays as it is.
fn flowing(lines: &[&str]) -> String {
    let mut text = String::new();
    for (at, line) in lines.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| lines.get(before)).copied().unwrap_or_default();
        let goes_on = ![*line, before].iter().any(|line| line.is_empty() || line.starts_with(' '));
        text.push_str(if goes_on { " " } else { "\n" });
        text.push_str(line);
    }
    let paragraphs = text.split("\n\n").map(|paragraph| paragraph.trim_matches('\n'));
    paragraphs.filter(|paragraph| !paragraph.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// All commands that are shown, a line each.
fn grouped(command: &Command) -> String {
    let (header, literal) = (STYLES.get_header(), STYLES.get_literal());
    let shown: Vec<&Command> = command.get_subcommands().filter(|command| !command.is_hide_set()).collect();
    let in_a_group = |name: &str| GROUPS.iter().any(|(_, names)| names.contains(&name));
    let others: Vec<&str> = shown.iter().map(|command| command.get_name()).filter(|name| !in_a_group(name)).collect();
    let mut text = String::new();
    for (group, names) in GROUPS.into_iter().chain([("More", &others[..])]) {
        let found: Vec<&&Command> =
            names.iter().filter_map(|name| shown.iter().find(|command| command.get_name() == *name)).collect();
        if found.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{header}{group}:{header:#}");
        for command in found {
            let (name, about) = (command.get_name(), command.get_about().map(StyledStr::to_string).unwrap_or_default());
            let _ = writeln!(text, "  {literal}{name:<NAMES$}{literal:#}{about}");
        }
    }
    text
}

/// What of a command line is its own: behind `--` is text, and behind `--exec` is another program's.
pub fn own(args: &[OsString]) -> &[OsString] {
    let end =
        args.iter().position(|arg| arg == "--" || arg == "--exec" || arg.as_encoded_bytes().starts_with(b"--exec="));
    args.split_at(end.unwrap_or(args.len())).0
}

/// What `--color` says, which also holds for what is said of a command line that makes no sense.
fn color(args: &[OsString]) -> ColorChoice {
    let args = own(args);
    let next = |at: usize| args.get(at + 1).and_then(|value| value.to_str());
    let said = args.iter().enumerate().find_map(|(at, arg)| match arg.to_str() {
        Some("--color") => next(at),
        Some(arg) => arg.strip_prefix("--color="),
        None => None,
    });
    match said {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory;

    fn all(command: &Command, found: &mut Vec<Command>) {
        found.push(command.clone());
        command.get_subcommands().filter(|below| below.get_name() != "help").for_each(|below| all(below, found));
    }

    #[test]
    fn every_command_is_in_a_group() {
        let command = Cli::command();
        let text = grouped(&command);
        assert!(!text.contains("More:"), "{text}");
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            assert!(text.contains(below.get_name()), "{}", below.get_name());
        }
    }

    #[test]
    fn every_command_has_an_example_and_help_fits_80_columns() {
        let mut commands = Vec::new();
        let mut root = laid_out(Cli::command(), &[]).term_width(80);
        root.build();
        all(&root, &mut commands);
        for mut command in commands.into_iter().filter(|command| !command.is_hide_set()) {
            let help = command.render_long_help().to_string();
            let name = command.get_name().to_owned();
            if command.get_subcommands().next().is_none() || name == "gossip-node" {
                assert!(help.contains("Examples:\n  "), "{name} has no example:\n{help}");
            }
            let wide = help.lines().find(|line| line.chars().count() > 80);
            assert_eq!(wide, None, "{name}");
        }
    }

    #[test]
    fn colour_is_known_before_the_command_line_is_understood() {
        let of = |args: &[&str]| color(&args.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(of(&["gossip-node", "--color=always", "list"]), ColorChoice::Always);
        assert_eq!(of(&["gossip-node", "lits", "--color", "never"]), ColorChoice::Never);
        assert_eq!(of(&["gossip-node", "list", "--color"]), ColorChoice::Auto);
        assert_eq!(of(&["gossip-node", "follow", "--exec", "x", "--color=always"]), ColorChoice::Auto);
        assert_eq!(of(&["gossip-node", "follow", "--color=never", "--exec", "x"]), ColorChoice::Never);
        assert_eq!(of(&["gossip-node", "add", "--", "--color=always"]), ColorChoice::Auto);
    }
}
