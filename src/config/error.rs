//! [`ConfigError`]: what is wrong with `server.json`, why, and what to do about it.

use std::path::PathBuf;

/// What is wrong with a configuration. No message shows a key or a password.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no file.
    #[error("there is no {}: run `gossip-node init` to make it", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// It cannot be read or written.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others than its owner may read it.
    #[error(
        "{} has mode {mode:04o}, so others can get at {holds}: run `chmod 600 {}`",
        path.display(),
        path.display()
    )]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// What is in it.
        holds: &'static str,
    },
    /// The file of the token holds none.
    #[error("{} is not 64 hex digits: remove it, and the next start of the daemon makes another", path.display())]
    Token {
        /// The file.
        path: PathBuf,
    },
    /// It is longer than [`MAX_FILE`](super::MAX_FILE).
    #[error("{} is longer than 1 MiB, so it is no server.json: run `gossip-node init` in another home", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is not JSON.
    #[error("{} is not JSON at line {line}, column {column}: mend it there (a comma or quote too few or many?)", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line of the error, from 1.
        line: usize,
        /// Column of the error.
        column: usize,
    },
    /// A key has a value that it cannot have, is missing, or does not exist.
    #[error("server.json: {key} {problem}{}{hint}", if hint.is_empty() { "" } else { ": " })]
    Value {
        /// The key, with dots: `networks.0.network_name`.
        key: String,
        /// What is wrong with it.
        problem: String,
        /// What to do; may be empty.
        hint: String,
    },
}

impl ConfigError {
    pub(super) fn value(key: impl Into<String>, problem: impl Into<String>, hint: impl Into<String>) -> ConfigError {
        ConfigError::Value { key: key.into(), problem: problem.into(), hint: hint.into() }
    }

    /// `key` is none of `known`; the nearest of these is suggested.
    pub(super) fn unknown(parent: &str, key: &str, known: &[&str]) -> ConfigError {
        let path = if parent.is_empty() { key.to_owned() } else { format!("{parent}.{key}") };
        let hint = match nearest(key, known) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("known are {}", known.join(", ")),
        };
        // Debug escapes what a terminal might act on.
        ConfigError::value(format!("{path:?}").trim_matches('"'), "is not a known key", hint)
    }
}

/// The one of `known` that `key` most likely means, if any is near: a typing error or two away, or what `key` is the
/// beginning or the end of (`timer`, `peer_select`).
pub fn nearest<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    let key: String = key.to_ascii_lowercase().replace('-', "_").chars().take(64).collect();
    let (near, distance) =
        known.iter().map(|name| (*name, edit_distance(&key, name))).min_by_key(|(_, distance)| *distance)?;
    if distance <= 2.max(key.len() / 4) && distance < near.len() {
        return Some(near);
    }
    let part = |name: &&&str| key.len() >= 3 && (name.starts_with(&key) || name.ends_with(&key));
    known.iter().find(part).copied()
}

/// Letters to insert, delete, replace or swap with their neighbour until `a` is `b` (optimal string alignment).
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_single_typing_errors() {
        for (a, b, distance) in
            [("port", "port", 0), ("prot", "port", 1), ("por", "port", 1), ("sport", "port", 1), ("", "ip", 2)]
        {
            assert_eq!(edit_distance(a, b), distance, "{a} {b}");
        }
    }

    #[test]
    fn only_near_keys_are_suggested() {
        let known = ["port", "gossip_timer", "peer_select_type"];
        assert_eq!(nearest("gosip-timer", &known), Some("gossip_timer"));
        assert_eq!(nearest("timer", &known), Some("gossip_timer"));
        assert_eq!(nearest("peer_select", &known), Some("peer_select_type"));
        assert_eq!(nearest("colour", &known), None);
        assert_eq!(nearest("", &known), None);
    }
}
