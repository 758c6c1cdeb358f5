//! [`typed`]: command lines for people to type, which work as they are shown.

use crate::display::quoted;
use std::ffi::OsStr;
use std::path::Path;

/// The line that runs a command, given by its words, for this home and network.
pub fn typed<W: AsRef<str>>(home: &Path, network: Option<&str>, words: &[W]) -> String {
    let (command, rest) = words.split_at(words.len().min(1));
    // In front of the rest: behind `--` they would be no flags any more.
    let mut globals = option("--home", &home.to_string_lossy());
    globals.extend(network.into_iter().flat_map(|name| option("--network", name)));
    let words = command.iter().map(AsRef::as_ref).chain(globals.iter().map(String::as_str));
    words.chain(rest.iter().map(AsRef::as_ref)).fold("gossip-node".to_owned(), |line, word| line + " " + &quoted(word))
}

/// This program as whoever started it can type it again: by its path where no shell would find it by its name.
pub fn program() -> String {
    program_of(std::env::args_os().next().as_deref())
}

fn program_of(started: Option<&OsStr>) -> String {
    let path = started.map(OsStr::to_string_lossy).filter(|path| path.contains('/'));
    path.map_or_else(|| "gossip-node".to_owned(), quoted)
}

/// A flag and its value, in one word where the value looks like a flag itself.
pub fn option(flag: &str, value: &str) -> Vec<String> {
    if value.starts_with('-') { vec![format!("{flag}={value}")] } else { vec![flag.to_owned(), value.to_owned()] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_no_shell_finds_is_named_by_its_path() {
        let program = |started: &str| program_of(Some(OsStr::new(started)));
        assert_eq!(program("target/release/gossip-node"), "target/release/gossip-node");
        assert_eq!(program("../my builds/gossip-node"), "'../my builds/gossip-node'");
        assert_eq!((program("gossip-node"), program_of(None)), ("gossip-node".into(), "gossip-node".into()));
    }

    #[test]
    fn a_line_names_home_and_network_and_quotes_what_a_shell_would_take_apart() {
        let (home, other) = (Path::new("/h"), Path::new("my home"));
        assert_eq!(typed(home, None, &["run"]), "gossip-node run --home /h");
        assert_eq!(
            typed(other, Some("-x"), &["add", "--", "it's"]),
            r"gossip-node add --home 'my home' '--network=-x' -- 'it'\''s'"
        );
    }
}
