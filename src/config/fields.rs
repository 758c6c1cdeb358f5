//! How the fields of `server.json` are written: GUIDs as UUIDs, durations as `500ms`, keys as hex digits.

use serde::{Deserialize, Deserializer, Serializer, de::Error};
use serde_path_to_error::{Path, Segment};
use std::time::Duration;

/// A time as people write it: `500ms`, `1s`, `1.5s`, `2m`, `1h`, `30d`; a bare number is seconds.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds = match unit.trim_start() {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" | "" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(format!("{text:?} is no time: say 500ms, 1s, 2m, 1h or 30d")),
    };
    match number.parse::<f64>() {
        // Rounded to the microsecond, or 0.3 ms would be 299 µs.
        Ok(number) if number * seconds <= 1e9 => Ok(Duration::from_micros((number * seconds * 1e6).round() as u64)),
        _ => Err(format!("{text:?} is no time: say 500ms, 1s, 2m, 1h or 30d")),
    }
}

/// `span` in the largest unit that shows it without a fraction, as [`parse_duration`] reads it.
pub fn show_duration(span: Duration) -> String {
    let micros = span.as_micros();
    match micros {
        0 => "0s".to_owned(),
        _ if micros.is_multiple_of(86_400_000_000) => format!("{}d", micros / 86_400_000_000),
        _ if micros.is_multiple_of(3_600_000_000) => format!("{}h", micros / 3_600_000_000),
        _ if micros.is_multiple_of(60_000_000) => format!("{}m", micros / 60_000_000),
        _ if micros.is_multiple_of(1_000_000) => format!("{}s", micros / 1_000_000),
        _ if micros.is_multiple_of(1000) => format!("{}ms", micros / 1000),
        _ => format!("{micros}us"),
    }
}

/// A path as [`set`](super::ServerFile::set) takes it.
pub(super) fn dotted(path: &Path) -> String {
    let segments = path.iter().map(|segment| match segment {
        Segment::Seq { index } => index.to_string(),
        Segment::Map { key } => key.clone(),
        Segment::Enum { variant } => variant.clone(),
        Segment::Unknown => "?".to_owned(),
    });
    let path = segments.collect::<Vec<_>>().join(".");
    if path.is_empty() { "the file".to_owned() } else { path }
}

pub(super) mod guid {
    use super::*;
    use crate::proto::gossip::Guid;

    pub fn serialize<S: Serializer>(guid: &Guid, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(guid)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Guid, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(|_| D::Error::custom(format!("is {text:?}, which is no UUID")))
    }
}

pub(super) mod duration {
    use super::*;

    pub fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&show_duration(*span))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let value = serde_json::Value::deserialize(from)?;
        match &value {
            serde_json::Value::String(text) => parse_duration(text),
            serde_json::Value::Number(seconds) => parse_duration(&seconds.to_string()),
            other => Err(format!("{other} is no time: say 500ms, 1s, 2m, 1h or 30d")),
        }
        .map_err(D::Error::custom)
    }
}

/// The same where nothing may be said: absent, or null.
pub(super) mod some_duration {
    use super::*;

    pub fn serialize<S: Serializer>(span: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => duration::serialize(span, to),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        match serde_json::Value::deserialize(from)? {
            serde_json::Value::Null => Ok(None),
            value => duration::deserialize(value).map(Some).map_err(D::Error::custom),
        }
    }
}

/// A date where nothing may be said, RFC 3339.
pub(super) mod some_date {
    use super::*;
    use crate::proto::time::Timestamp;

    pub fn serialize<S: Serializer>(date: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        let date = date.and_then(|date| i64::try_from(date.0).ok());
        match date.and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok()) {
            Some(date) => to.collect_str(&date),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else { return Ok(None) };
        let date = text.parse::<jiff::Timestamp>().ok().and_then(|date| u64::try_from(date.as_microsecond()).ok());
        let date = date.ok_or_else(|| D::Error::custom(format!("is {text:?}, which is no date")));
        date.map(|micros| Some(Timestamp(micros)))
    }
}

pub(super) mod secret {
    use super::*;
    use crate::proto::seal::Secret;
    use zeroize::Zeroizing;

    pub fn serialize<S: Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex(secret))
    }

    /// The secret as 64 hex digits.
    pub fn hex(secret: &Secret) -> Zeroizing<String> {
        Zeroizing::new(secret.0.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect())
    }

    fn digit(nibble: u8) -> char {
        char::from_digit(nibble.into(), 16).unwrap_or('0')
    }

    /// Never repeats what it was given.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        let value = serde_json::Value::deserialize(from)?;
        let text = value.as_str().unwrap_or_default();
        let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
        let mut secret = Secret([0; 32]);
        match digits {
            Some(digits) if digits.len() == 64 => {
                for (byte, pair) in secret.0.iter_mut().zip(digits.chunks(2)) {
                    *byte = pair[0] << 4 | pair[1];
                }
                Ok(secret)
            }
            _ => Err(D::Error::custom("is not 64 hex digits: `gossip-node init` makes it from the password")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        for (text, micros) in [
            ("1s", 1_000_000),
            ("500ms", 500_000),
            ("0.3ms", 300),
            ("1.5 s", 1_500_000),
            ("5", 5_000_000),
            ("2m", 120_000_000),
            ("1h", 3_600_000_000),
            ("20us", 20),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_micros(micros)), "{text}");
        }
        for text in ["", "s", "-1s", "1 day", "1e3", "99999999999", "1..2s", "nan"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_shown_reads_back() {
        for (micros, shown) in [
            (0, "0s"),
            (1, "1us"),
            (1500, "1500us"),
            (500_000, "500ms"),
            (1_000_000, "1s"),
            (90_000_000, "90s"),
            (120_000_000, "2m"),
            (90_000_000_000, "25h"),
            (2_592_000_000_000, "30d"),
        ] {
            let span = Duration::from_micros(micros);
            assert_eq!((show_duration(span).as_str(), parse_duration(shown)), (shown, Ok(span)));
        }
    }
}
