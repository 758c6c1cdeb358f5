//! What the running daemon sees of others.

use super::super::context::Context;
use super::super::peers::{address, clock as skew};
use super::{Daemon, Finding};
use crate::api::{Discovery, NetworkStatus, OwnClock, Reach};
use crate::display::counted;
use crate::proto::seal::PROTOCOL_VERSION;
use std::collections::BTreeSet;

/// How the log says that a copy of this node was met: see [`crate::daemon`].
const CLONE: &str = "another node has this node's GUID";

/// Whether nobody answers, in any network.
pub(super) fn is_lonely(networks: &[NetworkStatus]) -> bool {
    networks.iter().all(|network| network.count(Reach::Reachable) == 0)
}

/// All of it; `seeds` are those of `server.json`.
pub(super) fn network(daemon: &Daemon, seeds: &[String], context: &Context) -> Vec<Finding> {
    let several = daemon.networks.len() > 1;
    let mut found = Vec::new();
    for status in &daemon.networks {
        let of = if several { format!(" in {}", status.network_name) } else { String::new() };
        // Only where there are several it has to be said which.
        let context = context.of(several.then_some(&status.network_name));
        found.push(peers(status, &of, seeds, &context));
        found.extend(versions(status, &of));
        found.extend(passwords(status, &of));
    }
    found.extend(strangers(daemon.strange, context));
    found.extend(daemon.networks.iter().find_map(clock));
    // All networks are discovered by the same sockets.
    found.extend(daemon.networks.first().map(|status| discovery(status.discovery.as_ref(), &context.of(None))));
    found.extend(clones(daemon));
    found
}

fn peers(status: &NetworkStatus, of: &str, seeds: &[String], context: &Context) -> Finding {
    let (register, explain) = (context.command(&["register", "HOST:PORT"]), context.command(&["explain", "PEER"]));
    let reachable = status.count(Reach::Reachable);
    let silent = status.count(Reach::Suspect) + status.count(Reach::Unreachable);
    let behind = status.peers.iter().filter(|peer| peer.reach == Reach::Reachable && !peer.in_sync).count() as u64;
    let what = match (reachable, silent) {
        (0, 0) => format!("no peer is known{of}"),
        (reachable, 0) => {
            format!("in sync with {} of {}{of}", reachable - behind, counted(reachable, "reachable peer"))
        }
        (reachable, silent) => format!("{}{of}, {silent} do not answer", counted(reachable, "reachable peer")),
    };
    match (reachable, silent) {
        (0, 0) if !seeds.is_empty() => {
            let why = format!("what is added here goes nowhere: no seed answers ({})", seeds.join(", "));
            Finding::problem("peers", what, why)
                .hint("one that is off says nothing, and so does one with another network or password: compare both")
        }
        (0, 0) => Finding::warning("peers", what, "what is added here goes nowhere")
            .hint(format!("start a node on another host of this LAN, or {register}")),
        (0, _) => Finding::problem("peers", what, "this host is cut off from all that it knows")
            .hint(format!("look at cable, Wi-Fi and firewall; why one does not answer: {explain}")),
        (_, 0) => Finding::ok("peers", what),
        _ => Finding::warning("peers", what, "they are off, or something keeps them out")
            .hint(format!("{explain} says why")),
    }
}

/// Somebody sends here who is none of ours, or is no more.
fn strangers(datagrams: u64, context: &Context) -> Option<Finding> {
    (datagrams > 0).then(|| {
        let what = format!("{} came that no key of this node opens", counted(datagrams, "datagram"));
        let why = "who sends them has another network or password, or uses a key that was not added here";
        let keys = context.command(&["keys", "list"]);
        Finding::warning("keys", what, why).hint(format!("compare the keys of both hosts: {keys}"))
    })
}

fn versions(status: &NetworkStatus, of: &str) -> Option<Finding> {
    let other =
        status.peers.iter().filter(|peer| peer.protocol_version.is_some_and(|version| version != PROTOCOL_VERSION));
    let names = other.map(|peer| peer.name.clone());
    let strangers = status.other_versions.iter().map(|other| address(&other.ip, other.port));
    let names: Vec<String> = names.chain(strangers).collect();
    (!names.is_empty()).then(|| {
        let what = format!("{}{of} speak another version of the protocol", names.join(", "));
        Finding::warning("version", what, "not all of what one says is understood by the other")
            .hint("bring all nodes to one version")
    })
}

/// Whether this host's clock is like those of its peers.
fn clock(status: &NetworkStatus) -> Option<Finding> {
    let OwnClock { ahead_ms, peers, doubtful } = status.clock.as_ref()?;
    let what = format!("{} from most of {}", skew(*ahead_ms), counted(*peers, "peer"));
    Some(if *doubtful {
        let why = "what is said here has a wrong date, and stands in the wrong place in every list";
        Finding::warning("clock", what, why).hint("set the clock, best for good: timedatectl set-ntp true")
    } else {
        Finding::ok("clock", what)
    })
}

fn passwords(status: &NetworkStatus, of: &str) -> Option<Finding> {
    let namesakes = &status.discovery.as_ref()?.namesakes;
    let ips: BTreeSet<&str> = namesakes.iter().map(|namesake| namesake.ip.as_str()).collect();
    (!ips.is_empty()).then(|| {
        let ips: Vec<&str> = ips.into_iter().collect();
        let name = &status.network_name;
        let what = format!("{}{of}: a network of the name {name} with another password", ips.join(", "));
        let why = "one of both has a mistyped password, or they are strangers to each other";
        Finding::problem("password", what, why).hint(
            "type the password again on the wrong host: gossip-node init --force, or give one network another name",
        )
    })
}

fn discovery(discovery: Option<&Discovery>, context: &Context) -> Finding {
    let Some(Discovery { port, listens, sources, heard, counts, .. }) = discovery else {
        return Finding::ok("discovery", "is off: others are found by register and seeds alone");
    };
    let count = |name: &str| counts.get(name).copied().unwrap_or(0);
    if !listens {
        let why = "beacons of others are not heard";
        return Finding::problem("discovery", format!("does not listen at UDP port {port}"), why).hint(format!(
            "another program may have the port for itself: {}",
            context.command(&["logs", "--level", "warn"])
        ));
    }
    if sources.is_empty() {
        let why = "beacons go nowhere";
        return Finding::problem("discovery", "no interface is up that beacons could go out by", why)
            .hint("look at cable and Wi-Fi");
    }
    // All that this host hears of itself went out, and came back, by multicast or broadcast.
    if count("own") == 0 && count("sent") > 1 {
        let why = "what this node says to all, it should hear itself";
        return Finding::warning("discovery", "own beacons do not come back", why)
            .hint("neither multicast nor broadcast passes here: is UDP kept out by a firewall of this host?");
    }
    let others = heard.len() as u64;
    let what = format!("sends by multicast and broadcast from {}", sources.join(", "));
    if others == 0 {
        let why = "no other node's beacon was heard: none is near, or switch, access point or firewall keep it";
        let register = context.command(&["register", "HOST:PORT"]);
        return Finding::warning("discovery", what, why)
            .hint(format!("a guest Wi-Fi often keeps its hosts apart; {register} works without"));
    }
    Finding::ok("discovery", format!("{what}; hears {}", counted(others, "neighbour")))
}

fn clones(daemon: &Daemon) -> Option<Finding> {
    let line = daemon.log.lines.iter().rev().find(|line| line.text.contains(CLONE))?;
    let why = "this home was copied while the first was alive; this node took a new GUID and keeps its records";
    Some(
        Finding::warning("clone", format!("another node had this node's GUID, at {}", line.at), why)
            .hint("copy no home: on each host make a new one, with gossip-node init --home DIR"),
    )
}
