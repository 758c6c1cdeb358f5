//! `gossip-node retention`: how long the network keeps records and nodes, shown or set for all of them.

use super::context::Context;
use super::failure::Failure;
use crate::api;
use crate::config::parse_duration;
use crate::display::{display_line, local_time, short};
use clap::{Args, Subcommand};
use std::fmt::Write as _;

/// Show or set how long the network keeps records and nodes.
#[derive(Args, Debug)]
#[command(after_help = "\
These settings belong to the network, not to a host: set anywhere, they hold everywhere.

  gossip-node retention
  gossip-node retention set --max-age 30d --origin-timeout 90d
  gossip-node retention set --max-age off")]
pub struct Retention {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show them
    #[command(after_help = "  gossip-node retention show")]
    Show,
    /// Set them, for all nodes of the network
    #[command(after_help = "  gossip-node retention set --max-age 30d")]
    Set(Set),
}

#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
#[command(override_usage = "gossip-node retention set [--max-age TIME] [--origin-timeout TIME]")]
struct Set {
    /// Records that are older leave every node: 12h, 30d, or off
    #[arg(long, value_name = "DURATION", value_parser = term)]
    max_age: Option<String>,
    /// A node that is not reached for longer is forgotten with what it said: 30d, or off
    #[arg(long, value_name = "DURATION", value_parser = term)]
    origin_timeout: Option<String>,
}

fn term(text: &str) -> Result<String, String> {
    if text == "off" {
        return Ok(text.into());
    }
    parse_duration(text).map(|_| text.to_owned()).map_err(|_| "say a time such as 12h or 30d, or off".into())
}

impl Retention {
    /// Shows or sets.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client();
        let answer = match self.what {
            None | Some(What::Show) => client.retention().await,
            Some(What::Set(Set { max_age, origin_timeout })) => {
                client.set_retention(&api::RetentionChange { max_age, origin_timeout }).await
            }
        };
        let retention = answer.map_err(context.explain())?;
        if context.json { context.print_json(&retention) } else { context.print(&shown(&retention)) }
    }
}

fn shown(retention: &api::Retention) -> String {
    let mut text = String::new();
    let _ = match &retention.max_age {
        Some(age) => writeln!(text, "max_age         {}: older records leave every node", display_line(age)),
        None => writeln!(text, "max_age         off: records stay"),
    };
    let _ = match &retention.origin_timeout {
        Some(span) => {
            writeln!(text, "origin_timeout  {}: who is not reached for longer is forgotten", display_line(span))
        }
        None => writeln!(text, "origin_timeout  off: nobody is forgotten"),
    };
    let _ = match &retention.guid {
        Some(guid) => writeln!(text, "set by          record {}", short(guid)),
        None => writeln!(text, "set by          nobody yet"),
    };
    if let Some(horizon) = &retention.horizon {
        let _ = writeln!(text, "horizon         {}: older records have left", local_time(horizon));
    }
    if retention.aside > 0 {
        let _ = writeln!(text, "on the disk     {} that left and are deleted later", retention.aside);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;

    #[test]
    fn something_is_to_be_set_and_every_time_is_one() {
        let parse = |args: &[&str]| Cli::try_parse_from(["gossip-node", "retention"].iter().chain(args));
        for args in [&[][..], &["show"], &["set", "--max-age", "30d"], &["set", "--origin-timeout", "off"]] {
            assert!(parse(args).is_ok(), "{args:?}");
        }
        for args in [&["set"][..], &["set", "--max-age", "soon"], &["drop"]] {
            assert!(parse(args).is_err(), "{args:?}");
        }
    }

    #[test]
    fn what_is_off_is_said_to_be() {
        let off = api::Retention {
            max_age: None,
            origin_timeout: None,
            guid: None,
            date_time: None,
            horizon: None,
            aside: 0,
        };
        let text = shown(&off);
        assert!(text.contains("max_age         off") && text.contains("nobody yet") && !text.contains("horizon"));
        let horizon = Some("2026-01-10T12:00:00Z".to_owned());
        let on = api::Retention { max_age: Some("30d".into()), horizon, aside: 3, ..off };
        assert!(["30d: older", "horizon", "3 that left"].iter().all(|part| shown(&on).contains(part)));
    }
}
