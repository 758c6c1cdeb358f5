//! `gossip-node wait`: for scripts and tests, instead of sleeping and hoping.

use super::context::Context;
use super::failure::Failure;
use crate::api;
use crate::config::parse_duration;
use crate::display::counted;
use clap::Args;
use std::time::Duration;

/// Wait until peers are reachable, messages here, all in sync.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["peers", "gossip", "in_sync"]))]
#[command(after_help = "Exits with 0 when all that is asked holds, with 6 when it does not in time.

  gossip-node wait --peers 1 --in-sync --timeout 1m")]
pub struct Wait {
    /// At least N peers are reachable
    #[arg(long, value_name = "N")]
    peers: Option<u64>,
    /// At least N messages are here and complete
    #[arg(long, value_name = "N")]
    gossip: Option<u64>,
    /// All reachable peers have what this node has, and there is one
    #[arg(long)]
    in_sync: bool,
    /// How long to wait
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    timeout: Duration,
}

impl Wait {
    /// Waits.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let asked = [
            self.peers.map(|peers| counted(peers, "peer")),
            self.gossip.map(|gossip| counted(gossip, "record")),
            self.in_sync.then(|| "all in sync".to_owned()),
        ];
        let spinner =
            context.spinner(format!("waiting for {}", asked.into_iter().flatten().collect::<Vec<_>>().join(", ")));
        let query = api::WaitQuery {
            network: None,
            peers: self.peers,
            gossip: self.gossip,
            in_sync: self.in_sync,
            timeout_ms: u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX),
        };
        let waited = context.client().wait(query).await;
        drop(spinner);
        let waited = waited.map_err(context.explain())?;
        if context.json {
            return context.print_json(&waited);
        }
        let in_sync = if waited.in_sync { ", in sync" } else { "" };
        let (peers, gossip) =
            (counted(waited.reachable_peers, "reachable peer"), counted(waited.gossip_count, "record"));
        context.print(&format!("{peers}, {gossip}{in_sync}\n"))
    }
}
