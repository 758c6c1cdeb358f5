//! `gossip-node retention`: how long the network keeps records and nodes, shown or set for all of them.

use super::context::{Context, confirm};
use super::failure::Failure;
use crate::api;
use crate::client::Client;
use crate::config::parse_duration;
use crate::display::{counted, display_line, local_time, short};
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
    #[command(after_help = "\
Asks where messages would leave at once: nothing brings them back.

  gossip-node retention set --max-age 30d
  gossip-node retention set --max-age 30d --dry-run")]
    Set(Set),
}

#[derive(Args, Debug)]
#[command(override_usage = "gossip-node retention set [--max-age TIME] [--origin-timeout TIME]")]
struct Set {
    #[command(flatten)]
    terms: Terms,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Only say what would leave
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
struct Terms {
    /// Records that are older leave every node: 12h, 30d, or off
    #[arg(long, value_name = "TIME", value_parser = term)]
    max_age: Option<String>,
    /// A node that is not reached for longer is forgotten with what it said: 30d, or off
    #[arg(long, value_name = "TIME", value_parser = term)]
    origin_timeout: Option<String>,
}

fn term(text: &str) -> Result<String, String> {
    if text == "off" {
        return Ok(text.into());
    }
    // Seconds, where whoever types it mostly means days.
    let has_unit = text.contains(|c: char| c.is_ascii_alphabetic());
    let time = parse_duration(text).ok().filter(|_| has_unit);
    time.map(|_| text.to_owned()).ok_or_else(|| "say a time such as 12h or 30d, or off".into())
}

impl Set {
    async fn run(self, client: &Client, context: &Context) -> Result<api::RetentionChanged, Failure> {
        let Set { terms: Terms { max_age, origin_timeout }, yes, dry_run } = self;
        let change = |dry_run| api::RetentionChange {
            max_age: max_age.clone(),
            origin_timeout: origin_timeout.clone(),
            dry_run,
        };
        if !yes {
            let would = client.set_retention(&change(true)).await.map_err(context.explain())?;
            if dry_run {
                return Ok(would);
            }
            if would.leave > 0 {
                let leave = leave(would.leave);
                context.can_ask(&leave)?;
                context.note(&leave);
                confirm("Let them go", "nothing was changed")?;
            }
        }
        client.set_retention(&change(false)).await.map_err(context.explain())
    }
}

fn leave(count: u64) -> String {
    format!("{} here would leave every node at once, for ever", counted(count, "message"))
}

impl Retention {
    /// Shows or sets.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client();
        match self.what {
            None | Some(What::Show) => {
                let retention = client.retention().await.map_err(context.explain())?;
                if context.json { context.print_json(&retention) } else { context.print(&shown(&retention)) }
            }
            Some(What::Set(set)) => {
                let is_only_asked = set.dry_run;
                let changed = set.run(&client, context).await?;
                if context.json {
                    return context.print_json(&changed);
                }
                let would = if is_only_asked { leave(changed.leave) + "\n" } else { String::new() };
                context.print(&(shown(&changed.retention) + &would))
            }
        }
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
        for args in
            [&["set"][..], &["set", "--yes"], &["set", "--max-age", "soon"], &["set", "--max-age", "5"], &["drop"]]
        {
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
