//! `peers`: the same work done by gossip-node and by its peers, each node a process in a network namespace of its own,
//! all on one bridge. Started by `benches/peers/run`, which builds what this needs. Progress goes to standard error, the
//! table to standard output.
//!
//! What is measured, and how, is in [`work`]; who takes part, and in which configurations, in [`kind`]; how each is driven,
//! in `peer-node`'s files. Neither this package nor anything that it builds is part of what gossip-node ships. It takes in
//! chitchat (MIT), reconcile with rbsr, iroh and iroh-gossip (MIT or Apache-2.0), foca and memberlist (MPL-2.0), and runs
//! the agent of Serf (MPL-2.0) as Debian built it; what these take in themselves is under MIT, Apache-2.0, BSD, ISC and their like.

mod cluster;
mod kind;
mod network;
mod report;
mod scenario;
mod work;

use clap::Parser;
use kind::{Config, Kind};
use report::{Report, Row};
use scenario::{Pace, Scenario, Work};

/// Whatever went wrong.
type Wrong = Box<dyn std::error::Error + Send + Sync>;

/// The same work done by gossip-node and by its peers
#[derive(Parser, Debug)]
struct Arguments {
    /// A line of JSON for each figure instead of tables
    #[arg(long)]
    json: bool,
    /// Only these (all of: gossip-node, embedded, chitchat, reconcile, serf, memberlist, foca, iroh-gossip)
    #[arg(long, value_name = "KIND", value_enum, value_delimiter = ',')]
    only: Vec<Kind>,
    /// Only this configuration, of each both
    #[arg(long, value_name = "CONFIG", value_enum)]
    config: Option<Config>,
    /// Only this work
    #[arg(long, value_name = "ROW", value_enum, value_delimiter = ',')]
    rows: Vec<Work>,
    /// In less than three minutes: fewer samples, fewer records, the best configuration alone
    #[arg(long)]
    quick: bool,
    /// After so many, nothing more is begun
    #[arg(long, default_value_t = 19, value_parser = clap::value_parser!(u16).range(1..))]
    minutes: u16,
}

#[tokio::main]
async fn main() -> Result<(), Wrong> {
    let said = Arguments::parse();
    network::bridge().await?;
    let pace = if said.quick { Pace::QUICK } else { Pace::FULL };
    let kinds = if said.only.is_empty() { Kind::ALL.to_vec() } else { said.only };
    let works = if said.rows.is_empty() { Work::ALL.to_vec() } else { said.rows };
    let configs = match (said.config, said.quick) {
        (Some(config), _) => vec![config],
        (None, true) => vec![Config::Best],
        (None, false) => vec![Config::Best, Config::Default],
    };
    let mut report = Report::new();
    for config in configs {
        for kind in &kinds {
            for scenario in Scenario::ALL.into_iter().filter(|scenario| scenario.is_wanted(&works)) {
                if report.since() > f64::from(said.minutes) * 60.0 {
                    break;
                }
                eprintln!("{:6.1} s  {} ({}): {}", report.since(), kind.name(), config.name(), scenario.name());
                for (figure, cell) in scenario.run(*kind, config, &pace, &works).await {
                    eprintln!("          {}: {cell}", figure.name());
                    report.add(Row { kind: *kind, config, figure, cell });
                }
            }
        }
    }
    if said.json {
        report.print_json()?
    } else {
        report.print_tables()
    }
    Ok(())
}
