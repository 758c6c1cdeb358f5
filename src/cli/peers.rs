//! `gossip-node peers`: who is known and how each is doing, a line a peer; for programs one list.

use super::context::Context;
use super::failure::Failure;
use crate::api::{Peer, Reach};
use crate::display::{age, bytes, display_line, short, table};
use clap::Args;
use std::collections::BTreeMap;

/// List peers, and how each is doing.
#[derive(Args, Debug)]
#[command(after_help = "\
A dash stands for what is not known. `explain` says why a peer is in its state.

  gossip-node peers
  gossip-node peers --reach suspect,unreachable
  gossip-node peers --json | jq -r '.[] | select(.reach == \"reachable\") | .ip'")]
pub struct Peers {
    /// Only those that are reached so: reachable, suspect, unreachable, left
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = state)]
    reach: Vec<Reach>,
}

fn state(text: &str) -> Result<Reach, String> {
    let all = [Reach::Reachable, Reach::Suspect, Reach::Unreachable, Reach::Left];
    let found = all.into_iter().find(|&state| reach(state) == text);
    found.ok_or_else(|| format!("say one of {}", all.map(reach).join(", ")))
}

/// A reach as people and programs spell it.
pub fn reach(reach: Reach) -> &'static str {
    match reach {
        Reach::Reachable => "reachable",
        Reach::Suspect => "suspect",
        Reach::Unreachable => "unreachable",
        Reach::Left => "left",
    }
}

impl Peers {
    /// Lists them.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let mut peers = context.client().peers().await.map_err(context.explain())?;
        peers.retain(|peer| self.reach.is_empty() || self.reach.contains(&peer.reach));
        if context.json {
            return context.print_json(&peers);
        }
        if peers.is_empty() {
            let none =
                if self.reach.is_empty() { "no peers yet: gossip-node register HOST:PORT" } else { "no such peer" };
            context.note(none);
            return Ok(());
        }
        context.print(&list(&peers, jiff::Timestamp::now()))
    }
}

fn list(peers: &[Peer], now: jiff::Timestamp) -> String {
    let heading = ["NAME", "GUID", "ADDRESS", "REACH", "RTT", "LOSS", "CLOCK", "HEARD", "FROM"];
    let mut text = table(&heading, peers.iter().map(|peer| row(peer, now)));
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    peers.iter().for_each(|peer| *count.entry(reach(peer.reach)).or_default() += 1);
    let counts: Vec<String> = count.iter().map(|(reach, count)| format!("{count} {reach}")).collect();
    text.push_str(&format!("\n  {}\n", counts.join(", ")));
    text
}

fn row(peer: &Peer, now: jiff::Timestamp) -> Vec<String> {
    vec![
        peer.name.clone(),
        short(&peer.guid).into_owned(),
        address(&peer.ip, peer.port),
        reach(peer.reach).into(),
        peer.rtt_ms.map_or("-".into(), rtt),
        peer.loss.map_or("-".into(), |loss| format!("{:.0} %", loss * 100.0)),
        peer.clock_offset_ms.map_or("-".into(), clock),
        peer.last_update.as_ref().map_or("never".into(), |then| age(then, now)),
        peer.bytes_per_s.map_or("-".into(), |rate| format!("{}/s", bytes(rate as u64))),
    ]
}

/// Milliseconds as the eye wants them.
pub fn rtt(rtt: f64) -> String {
    if rtt < 10.0 { format!("{rtt:.1} ms") } else { format!("{rtt:.0} ms") }
}

/// How a clock differs from this host's.
pub fn clock(ahead_ms: i64) -> String {
    match ahead_ms.unsigned_abs() {
        0..1000 => format!("{ahead_ms:+} ms"),
        _ => format!("{:+.1} s", ahead_ms as f64 / 1000.0),
    }
}

/// `IP:PORT`, with an IPv6 address in brackets.
pub fn address(ip: &str, port: u16) -> String {
    let ip = display_line(ip);
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_a_line_and_the_unknown_a_dash() {
        let peer = |name: &str, reach, known: Option<f64>| Peer {
            guid: "43c54ed2-0173-8495-93c7-8a8c49826092".into(),
            name: name.into(),
            ip: "fe80::1".into(),
            port: 6884,
            network_name: "home".into(),
            other_networks: Vec::new(),
            last_update: known.map(|_| "2026-01-10T11:59:57Z".into()),
            reach,
            reason: String::new(),
            since: None,
            place: 0.5,
            protocol_version: Some(1),
            incarnation: 1,
            rtt_ms: known,
            clock_offset_ms: None,
            loss: known.map(|_| 0.125),
            datagrams_per_s: known,
            bytes_per_s: known.map(|_| 2048.0),
            gossip_count: None,
            root: None,
            in_sync: false,
            differs: None,
        };
        let peers = [peer("nas\u{1b}[2J", Reach::Reachable, Some(0.42)), peer("desk", Reach::Left, None)];
        let text = list(&peers, "2026-01-10T12:00:00Z".parse().unwrap());
        for part in ["43c54ed2", "[fe80::1]:6884", "0.4 ms", "12 %", "3 s ago", "2.0 KiB/s", "1 left, 1 reachable"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let line = text.lines().find(|line| line.contains("desk")).unwrap();
        assert_eq!(line.split_whitespace().skip(3).collect::<Vec<_>>(), ["left", "-", "-", "-", "never", "-"]);
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn states_are_spelled_as_in_json() {
        for (text, state_of) in [("reachable", Reach::Reachable), ("left", Reach::Left)] {
            assert_eq!(state(text), Ok(state_of));
            assert_eq!(serde_json::to_value(state_of).unwrap(), text);
        }
        assert!(state("dead").unwrap_err().contains("unreachable"));
    }
}
