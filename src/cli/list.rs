//! `gossip-node list`: a line a record, the newest last; for programs an object a line.

use super::context::{Context, json_line};
use super::failure::Failure;
use crate::api;
use crate::config::parse_duration;
use crate::display::{bytes, columns, local_time, rfc3339, short};
use crate::proto::time::Timestamp;
use clap::Args;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// List messages, the newest last.
#[derive(Args, Debug)]
#[command(after_help = "  \
gossip-node list
  gossip-node list --since 2h --search 'printer pap*'
  gossip-node list --limit 0 --json | jq -r .preview")]
pub struct List {
    /// At most so many, the newest; 0 is all
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u64,
    /// Not older than that: 30m, 2h, 2026-11-22, 2026-11-22T18:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<String>,
    /// Not newer than that
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<String>,
    /// Only what NAME says
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// Only messages with all of these words, found by an index: word, begin*, "a phrase"
    #[arg(long, value_name = "WORDS")]
    search: Option<String>,
    /// Only messages that contain TEXT
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
}

impl List {
    /// Lists.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let query = api::ListQuery {
            limit: Some(self.limit),
            since: self.since,
            until: self.until,
            who: self.who,
            q: self.search,
            grep: self.grep,
            ..api::ListQuery::default()
        };
        let list = context.client().list(query).await.map_err(context.explain())?;
        if context.json {
            return context.print(&list.iter().map(json_line).collect::<String>());
        }
        let rows: Vec<Vec<String>> = list.iter().map(row).collect();
        context.print(&columns(&rows))
    }
}

/// A record as people see it: when, who, its name, how it begins.
pub fn row(gossip: &api::Gossip) -> Vec<String> {
    let head = &gossip.head;
    let text = match &gossip.preview {
        // But for the end of its only line, that is not all.
        Some(preview) if (preview.len() as u64) + 1 < head.len => format!("{preview}…"),
        Some(preview) => preview.clone(),
        None => format!("({}, not all here yet)", bytes(head.len)),
    };
    vec![date(head), head.who_name.clone(), short(&head.guid).into_owned(), text]
}

/// When a record was created. Its creator's clock may be wrong or lie, so a date to come is marked.
pub fn date(head: &api::Added) -> String {
    format!("{}{}", local_time(&head.date_time), if head.date_doubtful { " (in the future)" } else { "" })
}

/// A time, as flags take it.
pub fn time(text: &str) -> Result<String, String> {
    since(text, jiff::Timestamp::now(), &TimeZone::system())
}

/// An RFC 3339 time, a date or date and time of this host's zone, or how long ago.
fn since(text: &str, now: jiff::Timestamp, zone: &TimeZone) -> Result<String, String> {
    if let Ok(ago) = parse_duration(text) {
        let ago = i64::try_from(ago.as_micros()).unwrap_or(i64::MAX);
        return Ok(at(now.as_microsecond().saturating_sub(ago)));
    }
    let time = text.parse::<jiff::Timestamp>().or_else(|_| {
        let civil = text.parse::<DateTime>()?;
        zone.to_ambiguous_timestamp(civil).compatible()
    });
    match time {
        Ok(time) => Ok(at(time.as_microsecond())),
        Err(_) => Err("say how long ago (30m, 2h) or a time (2026-11-22, 2026-11-22T18:00:00Z)".into()),
    }
}

/// Records are not older than 1970.
fn at(micros: i64) -> String {
    rfc3339(Timestamp(u64::try_from(micros).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-22T18:00:00.5Z";

    fn since_then(text: &str) -> Result<String, String> {
        since(text, NOW.parse().unwrap(), &TimeZone::fixed(jiff::tz::offset(1)))
    }

    #[test]
    fn since_is_a_time_or_how_long_ago() {
        for (text, time) in [
            ("2h", "2026-11-22T16:00:00.500000Z"),
            ("30m", "2026-11-22T17:30:00.500000Z"),
            ("500ms", "2026-11-22T18:00:00.000000Z"),
            ("90", "2026-11-22T17:58:30.500000Z"),
            ("2026-11-22T17:00:00Z", "2026-11-22T17:00:00.000000Z"),
            ("2026-11-22T17:00:00.123456+01:00", "2026-11-22T16:00:00.123456Z"),
            ("2026-11-22", "2026-11-21T23:00:00.000000Z"),
            ("2026-11-22 17:30", "2026-11-22T16:30:00.000000Z"),
        ] {
            assert_eq!(since_then(text).as_deref(), Ok(time), "{text}");
        }
        for text in ["", "soon", "2h ago", "-2h", "2026-13-01", "inf"] {
            assert!(since_then(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_date_to_come_is_marked() {
        let mut head = api::Added {
            guid: "43c54ed2-0173-8495-93c7-8a8c49826092".into(),
            kind: api::Kind::Message,
            date_time: "2026-11-22T18:02:00Z".into(),
            date_doubtful: true,
            who_name: "dove".into(),
            origin: "07070707-0707-0707-0707-070707070707".into(),
            sha2: None,
            len: 5,
        };
        assert!(date(&head).ends_with("(in the future)"));
        head.date_doubtful = false;
        assert!(!date(&head).contains("future"));
    }
}
