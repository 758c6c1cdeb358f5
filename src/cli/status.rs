//! `gossip-node status`: NETWORK_STATUS and GOSSIP_STATUS on one screen, or each alone.

use super::context::Context;
use super::failure::Failure;
use super::list::date;
use super::peers::{address, reach, rtt};
use crate::api::{self, Reach};
use crate::display::{age, bytes, counted, display_line, short, table};
use clap::{Args, ValueEnum};
use std::fmt::Write as _;
use std::net::SocketAddr;

/// Show peers, messages, or both.
#[derive(Args, Debug)]
pub struct Status {
    /// What to show [default: both]
    #[arg(value_enum)]
    what: Option<What>,
    /// At most so many messages, the newest; 0 is all
    #[arg(long, value_name = "N", default_value_t = api::STATUS_LIMIT, conflicts_with = "all")]
    limit: u64,
    /// All messages
    #[arg(long)]
    all: bool,
}

/// One of the two statuses.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// NETWORK_STATUS: this node and its peers
    Network,
    /// GOSSIP_STATUS: messages, with SHA2 where they are complete
    Gossip,
}

impl Status {
    /// Shows it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let limit = if self.all { 0 } else { self.limit };
        let client = context.client();
        let now = jiff::Timestamp::now();
        match self.what {
            Some(What::Network) => {
                let network = client.status_network().await.map_err(context.explain())?;
                if context.json { context.print_json(&network) } else { context.print(&network_text(&network, now)) }
            }
            Some(What::Gossip) => {
                let gossip = client.status_gossip(limit).await.map_err(context.explain())?;
                if context.json { context.print_json(&gossip) } else { context.print(&gossip_text(&gossip, now)) }
            }
            None => {
                let status = client.status(limit).await.map_err(context.explain())?;
                if context.json {
                    return context.print_json(&status);
                }
                let (network, gossip) = (network_text(&status.network, now), gossip_text(&status.gossip, now));
                context.print(&format!("{network}\n{gossip}"))
            }
        }
    }
}

fn network_text(status: &api::NetworkStatus, now: jiff::Timestamp) -> String {
    let mut text = format!(
        "{}  {}\n{} at {}, {}, root {}; sends {}\n",
        display_line(&status.network_name),
        health(status),
        display_line(&status.node_name),
        address(&status.ip, status.port),
        counted(status.gossip_count, "record"),
        short(&status.root),
        rate(&status.send_rate),
    );
    if let Some(http) = &status.http {
        let _ = writeln!(text, "page at http://{}/: gossip-node ui{}", display_line(http), reader(http));
    }
    for namesake in status.discovery.iter().flat_map(|discovery| &discovery.namesakes) {
        let ip = display_line(&namesake.ip);
        let _ = writeln!(text, "warning: a host at {ip} has a network of this name and another password");
    }
    law_text(&mut text, status);
    text.push_str(&others_text(status));
    if status.peers.is_empty() {
        text.push_str(match status.discovery {
            Some(_) => {
                "\n  no peers yet: those on this LAN with this name and password are found by themselves,\n  others by gossip-node register HOST:PORT\n"
            }
            None => "\n  no peers yet: gossip-node register HOST:PORT\n",
        });
        return text;
    }
    let heading = ["NAME", "ADDRESS", "REACH", "RTT", "LAST HEARD", "HAS", "IN SYNC"];
    text.push('\n');
    text.push_str(&table(&heading, status.peers.iter().map(|peer| peer_row(peer, status.gossip_count, now))));
    for peer in status.peers.iter().filter(|peer| peer.reach != Reach::Reachable && !peer.reason.is_empty()) {
        let _ = writeln!(text, "  {}: {}", display_line(&peer.name), display_line(&peer.reason));
    }
    text
}

/// How long things are kept, and what is wrong with clocks and versions.
fn law_text(text: &mut String, status: &api::NetworkStatus) {
    let api::Retention { max_age, origin_timeout, .. } = &status.retention;
    let age = max_age.as_ref().map(|age| format!("records are kept for {}", display_line(age)));
    let silent = origin_timeout.as_ref();
    let silent = silent.map(|span| format!("nodes that are not reached for {} are forgotten", display_line(span)));
    let said: Vec<String> = age.into_iter().chain(silent).collect();
    if !said.is_empty() {
        let _ = writeln!(text, "{}: gossip-node retention", said.join(", "));
    }
    if let Some(clock) = status.clock.as_ref().filter(|clock| clock.doubtful) {
        let way = if clock.ahead_ms > 0 { "ahead" } else { "behind" };
        let (seconds, peers) = (clock.ahead_ms.unsigned_abs() as f64 / 1000.0, counted(clock.peers, "peer"));
        let _ = writeln!(text, "warning: this host's clock is {seconds:.1} s {way} of most of {peers}");
    }
    for other in &status.other_versions {
        let (at, version) = (address(&other.ip, other.port), other.version);
        let _ =
            writeln!(text, "warning: {at} seems to speak protocol version {version}, so nothing is exchanged with it");
    }
}

/// What peers tell of other networks, a line each.
fn others_text(status: &api::NetworkStatus) -> String {
    const SHOWN: usize = 5;
    let mut text = String::new();
    for name in &status.other_networks {
        let nodes: Vec<&api::OtherNode> = status.other_nodes.iter().filter(|node| node.network_name == *name).collect();
        let shown: Vec<String> = nodes.iter().take(SHOWN).map(|node| display_line(&node.name).into_owned()).collect();
        let _ = write!(text, "other network {}", display_line(name));
        if !shown.is_empty() {
            let _ = write!(text, ": {}", shown.join(", "));
        }
        if nodes.len() > SHOWN {
            let _ = write!(text, " and {} more", nodes.len() - SHOWN);
        }
        text.push('\n');
    }
    text
}

/// Who else may read what goes to and from the page.
fn reader(http: &str) -> &'static str {
    let is_local = http.parse::<SocketAddr>().is_ok_and(|addr| addr.ip().to_canonical().is_loopback());
    if is_local { "" } else { " (warning: not encrypted, so who listens on that network can read it)" }
}

fn rate(rate: &api::SendRate) -> String {
    let seconds = rate.seconds.round();
    format!("{:.1} datagrams/s, {}/s (mean of {seconds:.0} s)", rate.datagrams_per_s, bytes(rate.bytes_per_s as u64))
}

fn health(status: &api::NetworkStatus) -> String {
    let reachable = status.peers.iter().filter(|peer| peer.reach == Reach::Reachable).count();
    let in_sync = status.peers.iter().filter(|peer| peer.in_sync).count();
    match (status.peers.len(), reachable) {
        (0, _) => "○ alone".into(),
        (known, 0) => format!("○ alone: none of {known} known peers answers"),
        (_, reachable) if in_sync == reachable => format!("● in sync with {in_sync} of {reachable} reachable peers"),
        (_, reachable) => format!("◐ catching up: in sync with {in_sync} of {reachable} reachable peers"),
    }
}

fn peer_row(peer: &api::Peer, own_count: u64, now: jiff::Timestamp) -> Vec<String> {
    let has = match peer.gossip_count {
        None => "-".into(),
        Some(count) if count == own_count => count.to_string(),
        Some(count) => format!("{count} ({:+})", i128::from(count) - i128::from(own_count)),
    };
    vec![
        peer.name.clone(),
        address(&peer.ip, peer.port),
        reach(peer.reach).into(),
        peer.rtt_ms.map_or("-".into(), rtt),
        peer.last_update.as_ref().map_or("never".into(), |then| age(then, now)),
        has,
        if peer.in_sync { "yes" } else { "no" }.into(),
    ]
}

fn gossip_text(status: &api::GossipStatus, now: jiff::Timestamp) -> String {
    let mut text = format!("{} complete", counted(status.complete, "record"));
    if status.incomplete > 0 {
        let _ = write!(text, ", {} on the way", status.incomplete);
    }
    let _ = writeln!(
        text,
        ", {}, root {}; {} of {} in sync",
        bytes(status.bytes),
        short(&status.root),
        status.in_sync_peers,
        counted(status.reachable_peers, "reachable peer"),
    );
    if status.gossip.is_empty() {
        return text;
    }
    text.push('\n');
    let rows = status.gossip.iter().map(|gossip| {
        let sha2 = match &gossip.sha2 {
            Some(sha2) => sha2.clone(),
            None => format!("{} % here", gossip.received.saturating_mul(100) / gossip.len.max(1)),
        };
        let head = [date(&gossip.date_time, now), gossip.who_name.clone(), short(&gossip.guid).into_owned()];
        head.into_iter().chain([bytes(gossip.len), sha2]).collect()
    });
    text.push_str(&table(&["DATE", "WHO", "GUID", "SIZE", "SHA2"], rows));
    let shown = status.gossip.len() as u64;
    if shown < status.count {
        let _ = writeln!(text, "  ... and {} older: gossip-node status gossip --all", status.count - shown);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(name: &str, reach: Reach, in_sync: bool) -> api::Peer {
        api::Peer {
            guid: "43c54ed2-0173-8495-93c7-8a8c49826092".into(),
            name: name.into(),
            ip: "192.168.1.21".into(),
            port: 6884,
            network_name: "home".into(),
            other_networks: Vec::new(),
            last_update: Some("2026-01-10T11:59:57Z".into()),
            reach,
            reason: "it missed 3 probes".into(),
            since: None,
            place: 0.5,
            protocol_version: Some(1),
            incarnation: 1,
            rtt_ms: Some(0.42),
            clock_offset_ms: None,
            loss: None,
            datagrams_per_s: None,
            bytes_per_s: None,
            gossip_count: Some(10),
            root: None,
            in_sync,
            differs: None,
        }
    }

    fn network(peers: Vec<api::Peer>) -> api::NetworkStatus {
        api::NetworkStatus {
            network_name: "home".into(),
            node_guid: "43c54ed2-0173-8495-93c7-8a8c49826092".into(),
            node_name: "nas".into(),
            ip: "0.0.0.0".into(),
            port: 6884,
            place: 0.5,
            version: "0.1.0".into(),
            other_networks: Vec::new(),
            other_nodes: Vec::new(),
            gossip_count: 12,
            root: "9f3c1a2b00000000".into(),
            discovery: None,
            retention: api::Retention {
                max_age: Some("720h".into()),
                origin_timeout: None,
                guid: None,
                date_time: None,
                horizon: None,
                aside: 0,
            },
            clock: Some(api::OwnClock { ahead_ms: -3100, peers: 3, doubtful: true }),
            other_versions: vec![api::OtherVersion {
                ip: "192.0.2.9".into(),
                port: 6884,
                version: 2,
                last_heard: "2026-01-10T11:59:57Z".into(),
            }],
            send_rate: api::SendRate { datagrams_per_s: 2.1, bytes_per_s: 310.0, seconds: 10.0 },
            http: Some("127.0.0.1:8684".into()),
            peers,
        }
    }

    #[test]
    fn the_headline_says_how_the_network_is() {
        let (good, late, gone) = (Reach::Reachable, Reach::Suspect, Reach::Unreachable);
        let health = |peers| health(&network(peers));
        assert_eq!(health(vec![]), "○ alone");
        assert_eq!(health(vec![peer("a", gone, false)]), "○ alone: none of 1 known peers answers");
        assert_eq!(
            health(vec![peer("a", good, true), peer("b", late, false)]),
            "● in sync with 1 of 1 reachable peers"
        );
        assert_eq!(
            health(vec![peer("a", good, true), peer("b", good, false)]),
            "◐ catching up: in sync with 1 of 2 reachable peers"
        );
    }

    #[test]
    fn peers_are_a_table_and_trouble_has_its_reason() {
        let now = "2026-01-10T12:00:00Z".parse().unwrap();
        let text = network_text(&network(vec![peer("desk\u{1b}[2J", Reach::Suspect, false)]), now);
        for part in [
            "192.168.1.21:6884",
            "suspect",
            "0.4 ms",
            "3 s ago",
            "10 (-2)",
            "it missed 3 probes",
            "sends 2.1 datagrams/s, 310 B/s (mean of 10 s)",
            "records are kept for 720h: gossip-node retention",
            "clock is 3.1 s behind of most of 3 peers",
            "192.0.2.9:6884 seems to speak protocol version 2",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn a_page_on_the_lan_is_said_to_be_readable_there() {
        let now = "2026-01-10T12:00:00Z".parse().unwrap();
        let mut status = network(vec![]);
        assert!(network_text(&status, now).contains("page at http://127.0.0.1:8684/: gossip-node ui\n"));
        for (http, warns) in [("192.0.2.7:8684", true), ("0.0.0.0:8684", true), ("[::1]:8684", false)] {
            status.http = Some(http.into());
            assert_eq!(network_text(&status, now).contains("not encrypted"), warns, "{http}");
        }
        status.http = None;
        assert!(!network_text(&status, now).contains("page"));
    }

    #[test]
    fn an_incomplete_record_has_no_hash_but_progress() {
        let gossip = api::GossipState {
            guid: "43c54ed2-0173-8495-93c7-8a8c49826092".into(),
            date_time: "2026-01-10T11:59:57Z".into(),
            who_name: "nas".into(),
            kind: api::Kind::Message,
            date_doubtful: false,
            len: 1000,
            complete: false,
            received: 340,
            sha2: None,
        };
        let status = api::GossipStatus {
            network_name: "home".into(),
            count: 5,
            complete: 4,
            incomplete: 1,
            bytes: 2048,
            root: "9f3c1a2b00000000".into(),
            reachable_peers: 1,
            in_sync_peers: 0,
            gossip: vec![gossip],
        };
        let text = gossip_text(&status, "2026-01-10T12:00:00Z".parse().unwrap());
        for part in ["4 records complete, 1 on the way, 2.0 KiB", "34 % here", "0 of 1 reachable peer", "and 4 older"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
