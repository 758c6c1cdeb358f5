//! `gossip-node log-level`: what the daemon's log shows, and other words for it while the daemon runs.

use super::context::Context;
use super::failure::Failure;
use crate::api::LogLevel as Level;
use crate::config::LogFilter;
use crate::display::display_line;
use clap::Args;

/// Say what the daemon logs, or have it log more or less.
#[derive(Args, Debug)]
#[command(after_help = "\
What is said here holds until the next reload or restart; `log` in server.json holds for good.

  gossip-node log-level debug
  gossip-node log-level info,gossip_node::daemon=debug
  gossip-node log-level default")]
pub struct LogLevel {
    /// off, error, warn, info, debug or trace, also for parts of the program; default: as it is configured
    #[arg(value_name = "LEVEL", value_parser = wish)]
    level: Option<Wish>,
}

/// What it is to be.
#[derive(Clone, Debug)]
struct Wish(Option<String>);

fn wish(text: &str) -> Result<Wish, String> {
    if text == "default" { Ok(Wish(None)) } else { Ok(Wish(Some(text.parse::<LogFilter>()?.to_string()))) }
}

impl LogLevel {
    /// Asks, or tells.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client();
        let level = match self.level {
            None => client.log_level().await,
            Some(Wish(level)) => client.set_log_level(level).await,
        };
        let level: Level = level.map_err(context.explain())?;
        if context.json {
            return context.print_json(&level);
        }
        context.print(&format!("{} (by {})\n", display_line(&level.level), display_line(&level.origin)))
    }
}
