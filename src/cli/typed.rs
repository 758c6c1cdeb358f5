//! [`typed`]: command lines for people to type, which work as they are shown.

use crate::display::quoted;
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

/// A flag and its value, in one word where the value looks like a flag itself.
pub fn option(flag: &str, value: &str) -> Vec<String> {
    if value.starts_with('-') { vec![format!("{flag}={value}")] } else { vec![flag.to_owned(), value.to_owned()] }
}

#[cfg(test)]
mod tests {
    use super::*;

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
