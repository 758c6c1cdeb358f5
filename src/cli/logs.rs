//! `gossip-node logs`: the last lines of the running daemon's log, and those that come.

use super::context::Context;
use super::failure::Failure;
use super::signals::Signals;
use crate::api::{LogLine, LogQuery};
use crate::client::ClientError;
use crate::display::{display_line, local_millis};
use clap::Args;
use std::time::Duration;

/// Between two looks for new lines.
const GLANCE: Duration = Duration::from_millis(300);

/// Show the daemon's log.
#[derive(Args, Debug)]
#[command(after_help = "\
The daemon keeps its last 1,000 lines; what is older, its standard error has (journalctl).

  gossip-node logs
  gossip-node logs -f --level warn")]
pub struct Logs {
    /// Go on with what comes, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Only lines at this level or worse
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = ["error", "warn", "info"])]
    level: String,
    /// At most so many of the last lines; 0 is all that are kept
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    lines: usize,
}

impl Logs {
    /// Shows them.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let mut signals = Signals::take()?;
        let (client, mut after, mut run, mut gone) = (context.client(), None, None, false);
        loop {
            let query = LogQuery { after, level: Some(self.level.clone()) };
            let log = tokio::select! {
                log = client.log(query) => log,
                code = signals.first() => return if self.follow { Ok(()) } else { std::process::exit(code.into()) },
            };
            match log {
                Ok(log) => {
                    if std::mem::take(&mut gone) {
                        context.note("the daemon is back");
                    }
                    // A daemon that was started again counts from the beginning.
                    if run.replace(log.run).is_some_and(|before| before != log.run) {
                        after = Some(0);
                        continue;
                    }
                    let first = after.is_none() && self.lines > 0;
                    let left_out = if first { log.lines.len().saturating_sub(self.lines) } else { 0 };
                    for line in log.lines.iter().skip(left_out) {
                        if context.json { context.print_json(line)? } else { context.print(&text(line, context))? }
                    }
                    after = Some(log.next);
                }
                Err(ClientError::NoDaemon { .. } | ClientError::Broken(_)) if self.follow && after.is_some() => {
                    if !std::mem::replace(&mut gone, true) {
                        context.note("the daemon went away: waiting until it is back");
                    }
                }
                Err(error) => return Err(context.explain()(error)),
            }
            if !self.follow {
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep(GLANCE) => (),
                _ = signals.first() => return Ok(()),
            }
        }
    }
}

fn text(line: &LogLine, context: &Context) -> String {
    let level = format!("{:<5}", line.level.to_ascii_uppercase());
    let level = match line.level.as_str() {
        "error" => context.paint.bad(&level),
        "warn" => context.paint.warn(&level),
        _ => context.paint.faint(&display_line(&level)),
    };
    format!("{} {level} {}\n", local_millis(&line.at), display_line(&line.text))
}
