//! `gossip-node check`: one line for a monitor, with the exit codes that monitors know (Nagios: 0 ok, 1 warning, 2 critical,
//! 3 unknown); or lines for node-exporter's textfile collector.

use super::context::Context;
use super::failure::Failure;
use crate::api::{NetworkStatus, Reach};
use crate::client::ClientError;
use crate::display::{counted, display_line};
use crate::http::exposition::{Exposition, network};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Say in one line how things are, for monitoring.
#[derive(Args, Debug)]
#[command(after_help = "\
Exits with 0 ok, 1 warning, 2 critical, 3 unknown, as Nagios and its kin want it. No daemon is critical.
Without a number only that is looked at.

  gossip-node check
  gossip-node check --warn-peers 1 --crit-peers 1 --warn-unreachable 3
  gossip-node check --warn-behind 100 --crit-behind 10000
  gossip-node check --prometheus > gossip_node.prom")]
pub struct Check {
    /// Warning below N reachable peers
    #[arg(long, value_name = "N")]
    warn_peers: Option<u64>,
    /// Critical below N reachable peers
    #[arg(long, value_name = "N", visible_alias = "peers")]
    crit_peers: Option<u64>,
    /// Warning from N peers on that do not answer
    #[arg(long, value_name = "N", visible_alias = "unreachable")]
    warn_unreachable: Option<u64>,
    /// Critical from N peers on that do not answer
    #[arg(long, value_name = "N")]
    crit_unreachable: Option<u64>,
    /// Warning from N records on that this node lacks
    #[arg(long, value_name = "N", visible_alias = "behind")]
    warn_behind: Option<u64>,
    /// Critical from N records on that this node lacks
    #[arg(long, value_name = "N")]
    crit_behind: Option<u64>,
    /// Print metrics for node-exporter's textfile collector instead
    #[arg(long, conflicts_with = "json")]
    prometheus: bool,
}

/// How bad it is, as Nagios counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
enum State {
    Ok = 0,
    Warning = 1,
    Critical = 2,
    Unknown = 3,
}

/// What a monitor is told where nothing can be known.
pub const UNKNOWN: u8 = State::Unknown as u8;

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Counts {
    /// Reachable peers.
    peers: u64,
    /// Peers that do not answer and did not say goodbye.
    unreachable: u64,
    /// Records that some reachable peer has more than this node.
    behind: u64,
    /// Records here.
    records: u64,
}

/// What is said.
#[derive(Debug, Serialize)]
struct Checked {
    state: State,
    what: String,
    counts: Option<Counts>,
}

impl Check {
    /// Checks.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let answer = match self.ask(context).await {
            Ok(networks) => Ok(Some(networks)),
            Err(ClientError::NoDaemon { .. } | ClientError::Silent(_) | ClientError::Broken(_)) => Ok(None),
            Err(error) => Err(error),
        };
        if self.prometheus {
            return context.print(&metrics(answer.map_err(context.explain())?.as_deref()));
        }
        let checked = match answer {
            Ok(Some(networks)) if networks.is_empty() => {
                Checked { state: State::Critical, what: "this node is in no network".to_owned(), counts: None }
            }
            Ok(Some(networks)) => self.judge(&networks),
            Ok(None) => {
                let what = format!("no gossip-node answers in {}", context.home.dir().display());
                Checked { state: State::Critical, what, counts: None }
            }
            Err(error) => Checked { state: State::Unknown, what: error.to_string(), counts: None },
        };
        if context.json {
            context.print_json(&checked)?;
        } else {
            context.print(&self.line(&checked))?;
        }
        // These codes are a monitor's, not this program's.
        if checked.state != State::Ok { std::process::exit(checked.state as i32) } else { Ok(()) }
    }

    /// The networks that are asked for, with their numbers in `server.json`.
    async fn ask(&self, context: &Context) -> Result<Vec<(usize, NetworkStatus)>, ClientError> {
        let client = context.client();
        let known = client.node().await?.networks;
        let asked = context.network.as_ref().map_or(known.clone(), |network| vec![network.clone()]);
        let mut all = Vec::new();
        for name in asked {
            let at = known.iter().position(|known| *known == name).unwrap_or_default();
            all.push((at, client.in_network(name).status_network().await?));
        }
        Ok(all)
    }

    fn judge(&self, networks: &[(usize, NetworkStatus)]) -> Checked {
        let counts = networks.iter().map(|(_, status)| count(status)).fold(Counts::default(), |all, one| Counts {
            peers: all.peers + one.peers,
            unreachable: all.unreachable + one.unreachable,
            behind: all.behind.max(one.behind),
            records: all.records + one.records,
        });
        let below = |bound: Option<u64>| bound.is_some_and(|bound| counts.peers < bound);
        let from = |count: u64, bound: Option<u64>| bound.is_some_and(|bound| count >= bound);
        let critical = below(self.crit_peers)
            || from(counts.unreachable, self.crit_unreachable)
            || from(counts.behind, self.crit_behind);
        let warning = below(self.warn_peers)
            || from(counts.unreachable, self.warn_unreachable)
            || from(counts.behind, self.warn_behind);
        let state = match (critical, warning) {
            (true, _) => State::Critical,
            (_, true) => State::Warning,
            _ => State::Ok,
        };
        let mut what = format!("{}, {}", counted(counts.peers, "reachable peer"), counted(counts.records, "record"));
        if counts.unreachable > 0 {
            let _ = write!(what, ", {} unreachable", counts.unreachable);
        }
        if counts.behind > 0 {
            let _ = write!(what, ", {} behind", counts.behind);
        }
        Checked { state, what, counts: Some(counts) }
    }

    fn line(&self, checked: &Checked) -> String {
        let state = match checked.state {
            State::Ok => "OK",
            State::Warning => "WARNING",
            State::Critical => "CRITICAL",
            State::Unknown => "UNKNOWN",
        };
        // A bar begins what is counted.
        let mut line = format!("GOSSIP {state} - {}", display_line(&checked.what).replace('|', "/"));
        if let Some(counts) = checked.counts {
            let bound = |bound: Option<u64>, end: &str| bound.map(|bound| format!("{bound}{end}")).unwrap_or_default();
            // A range is what is well: from the bound on, or up to it.
            let (warn, crit) = (bound(self.warn_peers, ":"), bound(self.crit_peers, ":"));
            let _ = write!(line, " | peers={};{warn};{crit};0", counts.peers);
            for (name, count, warn, crit) in [
                ("unreachable", counts.unreachable, self.warn_unreachable, self.crit_unreachable),
                ("behind", counts.behind, self.warn_behind, self.crit_behind),
            ] {
                let less = |at: Option<u64>| bound(at.map(|at| at.saturating_sub(1)), "");
                let _ = write!(line, " {name}={count};{};{};0", less(warn), less(crit));
            }
            let _ = write!(line, " records={};;;0", counts.records);
        }
        line.push('\n');
        line
    }
}

fn count(status: &NetworkStatus) -> Counts {
    let more = status.peers.iter().filter(|peer| peer.reach == Reach::Reachable).filter_map(|peer| peer.gossip_count);
    Counts {
        peers: status.count(Reach::Reachable),
        unreachable: status.count(Reach::Suspect) + status.count(Reach::Unreachable),
        behind: more.map(|more| more.saturating_sub(status.gossip_count)).max().unwrap_or(0),
        records: status.gossip_count,
    }
}

/// What Prometheus is told, of the networks if a daemon answers.
fn metrics(networks: Option<&[(usize, NetworkStatus)]>) -> String {
    let mut text = Exposition::default();
    let up = u64::from(networks.is_some());
    text.family("up", "gauge", "Whether a daemon answers.", [(String::new(), up)]);
    let Some(networks) = networks else { return text.0 };
    let each = |value: fn(&NetworkStatus) -> u64| networks.iter().map(move |(at, of)| (network(*at), value(of)));
    let mut peers = Vec::new();
    for (at, status) in networks {
        let mut by = BTreeMap::from([("left", 0), ("reachable", 0), ("suspect", 0), ("unreachable", 0)]);
        status.peers.iter().for_each(|peer| *by.entry(super::peers::reach(peer.reach)).or_default() += 1);
        peers.extend(by.into_iter().map(|(reach, count)| (format!("{},reach=\"{reach}\"", network(*at)), count)));
    }
    text.family("peers", "gauge", "Known peers, by how they are reached.", peers);
    let in_sync = |status: &NetworkStatus| status.peers.iter().filter(|peer| peer.in_sync).count() as u64;
    text.family("peers_in_sync", "gauge", "Reachable peers that hold the same.", each(in_sync));
    text.family("records", "gauge", "Complete records held.", each(|status| status.gossip_count));
    let behind = "Records that some reachable peer has more.";
    text.family("records_behind", "gauge", behind, each(|status| count(status).behind));
    text.0
}
