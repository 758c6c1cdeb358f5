//! `gossip-node leave`: the running daemon says goodbye and stops.

use super::context::Context;
use super::failure::{Exit, Failure};
use crate::api::Left;
use crate::config::{parse_duration, show_duration};
use crate::display::counted;
use clap::Args;
use std::time::Duration;

/// Between two looks whether it has stopped.
const GLANCE: Duration = Duration::from_millis(20);

/// Say goodbye to the network and stop the daemon.
#[derive(Args, Debug)]
#[command(after_help = "\
Others then list this node as left, not as unreachable. It comes back with gossip-node run. Where a
service manager runs the daemon, stop it there: it says goodbye just so.

  gossip-node leave")]
pub struct Leave {
    /// Tell the others that it comes back at once: they say so of it until it does
    #[arg(long)]
    restarting: bool,
    /// How long to wait until it has stopped
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    timeout: Duration,
}

impl Leave {
    /// Leaves, and returns when the daemon has stopped.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client();
        let left = client.leave(self.restarting).await.map_err(context.explain())?;
        let stopped = async {
            while context.home.is_in_use() {
                tokio::time::sleep(GLANCE).await;
            }
        };
        let spinner = context.spinner("waiting until the daemon has stopped");
        let in_time = tokio::time::timeout(self.timeout, stopped).await;
        drop(spinner);
        if in_time.is_err() {
            let waited = show_duration(self.timeout);
            return Err(Failure::new(Exit::Timeout, format!("the daemon did not stop within {waited}"))
                .hint("its log says what it waits for: gossip-node logs"));
        }
        if context.json { context.print_json(&left) } else { context.print(&text(left)) }
    }
}

fn text(left: Left) -> String {
    let told = counted(left.told, "peer");
    match (left.told, left.heard) {
        (0, _) => "stopped; there was nobody to say goodbye to\n".into(),
        (1, 1) => "stopped; 1 peer heard the goodbye and tells the others\n".into(),
        (all, heard) if all == heard => format!("stopped; {told} heard the goodbye and tell the others\n"),
        (_, 0) => {
            format!("stopped; none of {told} is known to have heard the goodbye: they will find out in seconds\n")
        }
        (_, heard) => format!("stopped; {heard} of {told} are known to have heard the goodbye, and tell the others\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_who_heard() {
        let text = |told, heard| text(Left { told, heard });
        assert!(text(0, 0).contains("nobody"));
        assert!(text(1, 1).contains("1 peer heard"));
        assert!(text(3, 3).contains("3 peers heard"));
        assert!(text(3, 1).contains("1 of 3 peers"));
        assert!(text(2, 0).contains("none of 2 peers"));
    }
}
