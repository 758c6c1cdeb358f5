//! `gossip-node status`: NETWORK_STATUS and GOSSIP_STATUS on one screen, or each alone. Its first line says whether all is
//! well.

mod sentence;

use super::context::Context;
use super::failure::Failure;
use super::list::date;
use super::paint::Paint;
use super::peers::{address, reach, rtt};
use crate::api::{self, Reach};
use crate::display::{age, bytes, clipped, counted, display_line, short, table};
use clap::{Args, ValueEnum};
use std::fmt::Write as _;
use std::net::SocketAddr;

/// What a screen of 24 lines has room for, where all is shown: peers, those of them whose reason is told, and records.
const PEERS: usize = 6;
const REASONS: usize = 2;
/// Lines above the peers that leave room for [`PEERS`].
const USUAL: usize = 6;
/// Lines that peers have where more is said above.
const LEAST: usize = 5;
const RECORDS: u64 = 5;
/// Longest name in a table, in characters.
const NAME: usize = 14;

/// Show peers, messages, or both.
#[derive(Args, Debug)]
#[command(after_help = "\
The first line says whether all is well. What has no room is summarised; `peers` and `list` show all.

  gossip-node status
  gossip-node status gossip --limit 20     # with SHA-256 where complete
  gossip-node status network --json")]
pub struct Status {
    /// What to show [default: both]
    #[arg(value_enum)]
    what: Option<What>,
    /// At most so many messages, the newest; 0 is all [default: 20, or 5 of both]
    #[arg(long, value_name = "N", conflicts_with = "all")]
    limit: Option<u64>,
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
        let asked = if self.all { Some(0) } else { self.limit };
        let client = context.client();
        let (now, paint) = (jiff::Timestamp::now(), context.paint);
        match self.what {
            Some(What::Network) => {
                let network = client.status_network().await.map_err(context.explain())?;
                if context.json {
                    return context.print_json(&network);
                }
                context.print(&network_text(&network, usize::MAX, now, paint))
            }
            Some(What::Gossip) => {
                let gossip =
                    client.status_gossip(asked.unwrap_or(api::STATUS_LIMIT)).await.map_err(context.explain())?;
                if context.json { context.print_json(&gossip) } else { context.print(&gossip_text(&gossip, true)) }
            }
            None => {
                let limit = asked.unwrap_or(if context.json { api::STATUS_LIMIT } else { RECORDS });
                let status = client.status(limit).await.map_err(context.explain())?;
                if context.json {
                    return context.print_json(&status);
                }
                let network = network_text(&status.network, PEERS, now, paint);
                context.print(&format!("{network}\n{}", gossip_text(&status.gossip, false)))
            }
        }
    }
}

fn network_text(status: &api::NetworkStatus, most: usize, now: jiff::Timestamp, paint: Paint) -> String {
    let mut text = format!(
        "{}\n{} at {}, {}, root {}; sends {}\n",
        sentence::of(status, now, paint),
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
        let warning = paint.warn("warning:");
        let _ = writeln!(text, "{warning} a host at {ip} has a network of this name and another password");
    }
    if let Some(split) = status.splits.first() {
        text.push_str(&sentence::split(&status.node_name, split, now));
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
    text.push('\n');
    // What is said above leaves less room on one screen.
    let said = text.lines().count().saturating_sub(USUAL);
    let most = if most == usize::MAX { most } else { most.saturating_sub(said).max(LEAST) };
    text.push_str(&peers_text(status, most, now));
    text
}

/// Peers, those in trouble first where there is no room for all.
fn peers_text(status: &api::NetworkStatus, most: usize, now: jiff::Timestamp) -> String {
    let mut peers: Vec<&api::Peer> = status.peers.iter().collect();
    if peers.len() > most {
        peers.sort_by_key(|peer| (well(peer), peer.reach == Reach::Left));
    }
    let troubled = |peer: &&&api::Peer| peer.reach != Reach::Reachable && !peer.reason.is_empty();
    let reasons: Vec<&&api::Peer> =
        peers.iter().filter(troubled).take(if most < usize::MAX { REASONS } else { usize::MAX }).collect();
    let room = if peers.len() > most { most.saturating_sub(reasons.len() + 1) } else { peers.len() };
    let (shown, others) = peers.split_at_checked(room).unwrap_or((&peers, &[]));
    let heading = ["NAME", "ADDRESS", "REACH", "RTT", "HEARD", "HAS", "SYNC"];
    let mut text = table(&heading, shown.iter().map(|peer| peer_row(peer, status.gossip_count, now)));
    if !others.is_empty() {
        let count = others.len();
        let fine = others.iter().filter(|peer| well(peer)).count();
        let how =
            if fine == count { "all reachable and in sync".into() } else { format!("{fine} reachable and in sync") };
        let _ = writeln!(text, "  ... and {count} more, {how}: gossip-node peers");
    }
    for peer in reasons {
        let _ = writeln!(text, "  {}: {}", display_line(&clipped(&peer.name, NAME)), display_line(&peer.reason));
    }
    text
}

/// Reachable, and holding the same.
fn well(peer: &api::Peer) -> bool {
    peer.reach == Reach::Reachable && peer.in_sync
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
    format!("{:.1} datagrams/s, {}/s", rate.datagrams_per_s, bytes(rate.bytes_per_s as u64))
}

fn peer_row(peer: &api::Peer, own_count: u64, now: jiff::Timestamp) -> Vec<String> {
    let has = match peer.gossip_count {
        None => "-".into(),
        Some(count) if count == own_count => count.to_string(),
        Some(count) => format!("{count} ({:+})", i128::from(count) - i128::from(own_count)),
    };
    vec![
        clipped(&peer.name, NAME),
        address(&peer.ip, peer.port),
        reach(peer.reach).into(),
        peer.rtt_ms.map_or("-".into(), rtt),
        peer.last_update.as_ref().map_or("never".into(), |then| age(then, now)),
        has,
        match (peer.in_sync, peer.reach) {
            (true, _) => "yes".into(),
            (false, api::Reach::Reachable | api::Reach::Suspect) => "no".into(),
            (false, _) => "-".into(),
        },
    ]
}

/// With all of each SHA-256, or as much of it as a line has room for.
fn gossip_text(status: &api::GossipStatus, whole: bool) -> String {
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
        let head = &gossip.head;
        let sha2 = match &head.sha2 {
            Some(sha2) if whole => sha2.clone(),
            Some(sha2) => sha2.chars().take(16).collect(),
            None => format!("{} % here", gossip.received.saturating_mul(100) / head.len.max(1)),
        };
        vec![date(head), clipped(&head.who_name, NAME), short(&head.guid).into_owned(), bytes(head.len), sha2]
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
                max_age: Some("30d".into()),
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
            splits: Vec::new(),
            peers,
        }
    }

    fn text_of(status: &api::NetworkStatus, most: usize) -> String {
        network_text(status, most, "2026-01-10T12:00:00Z".parse().unwrap(), Paint::never())
    }

    #[test]
    fn the_first_line_says_how_the_network_is() {
        let (good, late, gone) = (Reach::Reachable, Reach::Suspect, Reach::Unreachable);
        let first = |peers| text_of(&network(peers), PEERS).lines().next().unwrap().to_owned();
        assert_eq!(first(vec![]), "○ home: alone");
        assert_eq!(first(vec![peer("a", gone, false)]), "○ home: alone: a does not answer");
        assert_eq!(first(vec![peer("a", good, true)]), "● home: all is well: in sync with 1 reachable peer");
        assert_eq!(
            first(vec![peer("a", good, true), peer("b", late, false)]),
            "◐ home: b is late; in sync with the other 1"
        );
        assert_eq!(
            first(vec![peer("a", good, true), peer("b", good, false)]),
            "◐ home: catching up: in sync with 1 of 2 reachable peers"
        );
        let mut silent: Vec<api::Peer> = ["a", "b", "c", "d", "e"].map(|name| peer(name, gone, false)).into();
        silent[1].since = Some("2026-01-10T11:56:00Z".into());
        silent.push(peer("f", good, true));
        let line = first(silent);
        assert!(
            line.starts_with("◐ home: a, b, c and 2 more do not answer, since ") && line.contains("(4 min ago)"),
            "{line}"
        );
    }

    #[test]
    fn many_peers_and_long_names_fit_one_screen_with_those_in_trouble_first() {
        let mut peers: Vec<api::Peer> = (0..40).map(|n| peer(&format!("{n:0>64}"), Reach::Reachable, true)).collect();
        (peers[30].reach, peers[31].reach) = (Reach::Unreachable, Reach::Suspect);
        let mut status = network(peers);
        status.splits.push(api::Split {
            from: "2026-01-10T11:01:00Z".into(),
            to: "2026-01-10T11:11:00Z".into(),
            peers: vec!["desk".into(), "laptop".into()],
            peer_count: 2,
            records: Some(311),
            took_ms: Some(800.0),
        });
        let text = text_of(&status, PEERS);
        assert!(text.lines().count() + 9 < 24, "{text}");
        let table: Vec<&str> = text.lines().filter(|line| line.contains("192.168.1.21")).collect();
        assert!(table.iter().all(|line| line.chars().count() <= 80), "{text}");
        assert!(table[0].contains("unreachable") && table[1].contains("suspect"), "{text}");
        assert!(text.contains("... and 38 more, all reachable and in sync"), "{text}");
        assert!(
            text.contains("nas, desk and laptop were apart from ")
                && text.contains("; 311 records were exchanged in 800 ms\n"),
            "{text}"
        );
        assert_eq!(text_of(&status, usize::MAX).matches("192.168.1.21").count(), 40);
    }

    #[test]
    fn peers_are_a_table_and_trouble_has_its_reason() {
        let text = text_of(&network(vec![peer("desk\u{1b}[2J", Reach::Suspect, false)]), PEERS);
        for part in [
            "192.168.1.21:6884",
            "suspect",
            "0.4 ms",
            "3 s ago",
            "10 (-2)",
            "it missed 3 probes",
            "sends 2.1 datagrams/s, 310 B/s\n",
            "records are kept for 30d: gossip-node retention",
            "clock is 3.1 s behind of most of 3 peers",
            "192.0.2.9:6884 seems to speak protocol version 2",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn a_page_on_the_lan_is_said_to_be_readable_there() {
        let mut status = network(vec![]);
        assert!(text_of(&status, PEERS).contains("page at http://127.0.0.1:8684/: gossip-node ui\n"));
        for (http, warns) in [("192.0.2.7:8684", true), ("0.0.0.0:8684", true), ("[::1]:8684", false)] {
            status.http = Some(http.into());
            assert_eq!(text_of(&status, PEERS).contains("not encrypted"), warns, "{http}");
        }
        status.http = None;
        assert!(!text_of(&status, PEERS).contains("page"));
    }

    #[test]
    fn an_incomplete_record_has_no_hash_but_progress() {
        let head = api::Added {
            guid: "43c54ed2-0173-8495-93c7-8a8c49826092".into(),
            date_time: "2026-01-10T11:59:57Z".into(),
            who_name: "nas".into(),
            origin: "07070707-0707-0707-0707-070707070707".into(),
            kind: api::Kind::Message,
            date_doubtful: false,
            len: 1000,
            sha2: None,
        };
        let gossip = api::GossipState { head, complete: false, received: 340 };
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
        let text = gossip_text(&status, true);
        for part in ["4 records complete, 1 on the way, 2.0 KiB", "34 % here", "0 of 1 reachable peer", "and 4 older"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
