//! [`LogFilter`]: which lines the log shows, as people say it: `warn`, or `info,gossip_node::daemon=debug`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::fmt;
use std::str::FromStr;
use tracing::level_filters::LevelFilter;

/// Longest filter, in bytes.
const MOST: usize = 1024;

/// A level for all, and for parts of the program levels of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter {
    /// What holds where nothing else is said.
    pub level: LevelFilter,
    /// Parts (`gossip_node::daemon`, with all below it), each with its level.
    pub parts: Vec<(String, LevelFilter)>,
}

impl LogFilter {
    /// The same level for all.
    pub const fn all(level: LevelFilter) -> LogFilter {
        LogFilter { level, parts: Vec::new() }
    }
}

impl FromStr for LogFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<LogFilter, String> {
        let wrong = |what: &str| {
            format!(
                "{what:?} is no level: say off, error, warn, info, debug or trace; of a part of the program PART=LEVEL"
            )
        };
        if text.len() > MOST {
            return Err(format!("a filter of the log has at most {MOST} bytes"));
        }
        let (mut level, mut parts) = (None, Vec::new());
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word.split_once('=') {
                None => level = Some(named(word).ok_or_else(|| wrong(word))?),
                Some((part, of)) if is_part(part.trim()) => {
                    parts.push((part.trim().to_owned(), named(of.trim()).ok_or_else(|| wrong(of))?));
                }
                Some((part, _)) => return Err(wrong(part)),
            }
        }
        if level.is_none() && parts.is_empty() {
            return Err(wrong(text));
        }
        // Who asks for one part alone wants the rest as if nobody had asked.
        Ok(LogFilter { level: level.unwrap_or(LevelFilter::INFO), parts })
    }
}

fn named(word: &str) -> Option<LevelFilter> {
    let all = [LevelFilter::OFF, LevelFilter::ERROR, LevelFilter::WARN, LevelFilter::INFO];
    let mut all = all.into_iter().chain([LevelFilter::DEBUG, LevelFilter::TRACE]);
    all.find(|level| level.to_string().eq_ignore_ascii_case(word))
}

fn is_part(part: &str) -> bool {
    !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.level)?;
        self.parts.iter().try_for_each(|(part, level)| write!(f, ",{part}={level}"))
    }
}

impl Serialize for LogFilter {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LogFilter {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<LogFilter, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_read_as_people_write_them_and_back() {
        for (text, shown) in [
            ("warn", "warn"),
            ("WARN", "warn"),
            ("off", "off"),
            ("info, gossip_node::daemon=debug", "info,gossip_node::daemon=debug"),
            ("gossip_node::net=trace", "info,gossip_node::net=trace"),
        ] {
            let filter: LogFilter = text.parse().unwrap();
            assert_eq!(filter.to_string(), shown);
            assert_eq!(shown.parse(), Ok(filter));
        }
        for wrong in ["", ",", "loud", "a b=info", "=info", "info,gossip_node=loud", "info,x=", &"a".repeat(MOST + 1)] {
            assert!(wrong.parse::<LogFilter>().is_err(), "{wrong}");
        }
        assert!("\u{1b}[2J".parse::<LogFilter>().unwrap_err().contains("u{1b}"), "what is said back is escaped");
    }
}
