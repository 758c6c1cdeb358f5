//! Which peer somebody means: by its name, its address, or the beginning of its GUID.

use super::refusal::Refusal;
use crate::config::nearest;
use crate::display::short;
use crate::proto::gossip::Guid;
use crate::proto::node::Node;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

/// Fewest hex digits that name a peer.
pub const LEAST_PREFIX: usize = 4;
/// Peers that are listed where several are meant.
const LISTED: usize = 8;

/// A peer as people call it.
type Called<'a> = (Guid, &'a str, SocketAddr);

/// The one peer of a node that `who` means.
///
/// # Errors
/// When that is none, or any of several.
pub fn meant(node: &Node, who: &str) -> Result<Guid, Refusal> {
    let all: Vec<Called<'_>> = node.peers().iter().map(|(guid, peer)| (guid, peer.name, peer.addr)).collect();
    match find(&all, who) {
        Err(Refusal::NotFound(_)) if is_me(node, who) => {
            Err(Refusal::NotFound(format!("{who:?} is this node itself, and no peer of it")))
        }
        found => found,
    }
}

fn is_me(node: &Node, who: &str) -> bool {
    let settings = node.settings();
    settings.node_name == who || begun(who, LEAST_PREFIX).is_some_and(|span| span.contains(&settings.guid))
}

/// The GUIDs that begin with what somebody gave, if it has at least so many hex digits.
pub fn begun(text: &str, least: usize) -> Option<RangeInclusive<Guid>> {
    Guid::span(text).filter(|_| text.chars().filter(|&c| c != '-').count() >= least)
}

fn find(peers: &[Called<'_>], who: &str) -> Result<Guid, Refusal> {
    let begun = begun(who, LEAST_PREFIX);
    let (ip, at) = (who.parse::<IpAddr>().ok(), who.parse::<SocketAddr>().ok());
    let by_address = |addr: SocketAddr| ip == Some(addr.ip()) || at == Some(addr);
    let by_guid = |guid: &Guid| begun.as_ref().is_some_and(|span| span.contains(guid));
    let is_meant = |&(ref guid, name, addr): &Called<'_>| name == who || by_address(addr) || by_guid(guid);
    let found: Vec<Called<'_>> = peers.iter().copied().filter(is_meant).collect();
    match found[..] {
        [(guid, ..)] => Ok(guid),
        [] => {
            let names: Vec<&str> = peers.iter().map(|&(_, name, _)| name).collect();
            let near = nearest(who, &names).map(|near| format!(": did you mean {near}?")).unwrap_or_default();
            Err(Refusal::NotFound(format!(
                "no peer has the name, the address or (from {LEAST_PREFIX} digits on) the beginning of the GUID \
                 {who:?}{near}"
            )))
        }
        _ => {
            let named = |(guid, name, addr): &Called<'_>| format!("{name} at {addr} ({})", short(&guid.to_string()));
            let listed: Vec<String> = found.iter().take(LISTED).map(named).collect();
            let more = if found.len() > LISTED { ", ..." } else { "" };
            Err(Refusal::Invalid(format!("{who:?} may be any of {}: {}{more}", found.len(), listed.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer<'a>(guid: &str, name: &'a str, addr: &str) -> Called<'a> {
        let guid = format!("{guid}-0173-8495-93c7-8a8c49826092");
        (guid.parse().unwrap(), name, addr.parse().unwrap())
    }

    #[test]
    fn a_peer_is_found_by_name_address_and_guid() {
        let peers = [
            peer("43c54ed2", "nas", "192.0.2.1:6884"),
            peer("43c5ffff", "desk", "[fe80::1]:6884"),
            peer("beef0000", "desk", "192.0.2.3:6884"),
            peer("00000000", "beef", "192.0.2.3:6885"),
        ];
        for (who, found) in [
            ("nas", 0),
            ("192.0.2.1", 0),
            ("192.0.2.3:6885", 3),
            ("[fe80::1]:6884", 1),
            ("fe80::1", 1),
            ("43c54", 0),
            ("43C5FFFF-0173", 1),
            ("0000", 3),
        ] {
            assert_eq!(find(&peers, who).unwrap(), peers[found].0, "{who}");
        }
        for (who, parts) in [
            ("desk", ["any of 2", "43c5ffff"]),
            ("43c5", ["nas at 192.0.2.1:6884 (43c54ed2)", "desk at [fe80::1]:6884"]),
            ("192.0.2.3", ["beef0000", "00000000"]),
            ("beef", ["beef0000", "00000000"]),
        ] {
            let Err(Refusal::Invalid(why)) = find(&peers, who) else { panic!("{who} is ambiguous") };
            parts.iter().for_each(|part| assert!(why.contains(part), "{part} in {why}"));
        }
        for who in ["", "na", "43c", "192.0.2", "desk2"] {
            assert!(matches!(find(&peers, who), Err(Refusal::NotFound(_))), "{who}");
        }
    }
}
