//! `gossip-node demo`: a cluster in one process, on loopback, with temporary homes. Its nodes are real daemons with real
//! sockets, so that a second terminal can talk to any of them.

mod chaos;
mod cluster;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::log::log_to_stderr;
use super::signals::Signals;
use super::temporary;
use clap::Args;
use cluster::{Cluster, PATIENCE};
use std::path::Path;
use tracing::level_filters::LevelFilter;

/// Watch a cluster of nodes in one process agree.
#[derive(Args, Debug)]
#[command(after_help = "  \
gossip-node demo --nodes 7
  gossip-node demo --chaos                # its page can lose datagrams, split, kill
  gossip-node demo --once --json          # for scripts")]
pub struct Demo {
    /// How many nodes
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..=64))]
    nodes: u16,
    /// How many records to write, through all nodes in turn
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    records: u32,
    /// Exit after the table: with 0 if all nodes are equal, with 1 if they are not within 30 s
    #[arg(long)]
    once: bool,
    /// Let the page lose and delay datagrams, split the network and kill nodes, to watch it heal
    #[arg(long, conflicts_with = "once")]
    chaos: bool,
}

impl Demo {
    /// Shows it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        log_to_stderr(LevelFilter::WARN, None);
        let mut signals = Signals::take_all()?;
        let place = temporary::directory("gossip-demo-")?;
        let mut cluster = Cluster::new(context.clone(), self.chaos);
        let shown = tokio::select! {
            shown = self.show(&mut cluster, place.path()) => shown,
            code = signals.first() => if self.once { Err(Failure::interrupted(code)) } else { Ok(()) },
        };
        signals.now_kill();
        let stopped = cluster.stop().await;
        shown.and(stopped)
    }

    async fn show(&self, cluster: &mut Cluster, place: &Path) -> Result<(), Failure> {
        cluster.start(self.nodes, place).await?;
        cluster.register_all().await?;
        cluster.write(self.records).await?;
        let equal = cluster.agree(self.records.into()).await?;
        cluster.print_table().await?;
        if self.once {
            return if equal { Ok(()) } else { Err(not_equal()) };
        }
        cluster.invite();
        cluster.watch().await
    }
}

fn not_equal() -> Failure {
    Failure::new(Exit::No, "the nodes are not equal")
        .why(format!("they did not agree within {} s", PATIENCE.as_secs()))
        .hint("is the host very busy? GOSSIP_NODE_LOG=debug shows what they do")
}
