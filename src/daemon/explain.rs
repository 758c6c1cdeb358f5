//! Which peer somebody means, and why it is in its state.

use super::handle::{Handle, Refusal};
use super::view::View;
use crate::api;
use crate::config::nearest;
use crate::display::{rfc3339, short};
use crate::proto::gossip::Guid;
use crate::proto::time::{Tick, Timestamp};

/// Fewest hex digits that name a peer.
const LEAST_PREFIX: usize = 4;
/// Peers that are listed where several are meant.
const LISTED: usize = 8;

impl Handle {
    /// Why a peer is in its state. `who` is its name, its address, or the beginning of its GUID.
    pub async fn explain(&self, network: Option<&str>, who: &str) -> Result<api::Explanation, Refusal> {
        let who = who.to_owned();
        self.look(self.network(network)?, move |member, moment| {
            let view = View::new(member, moment);
            let peer = find(&view.network.peers, &who)?.clone();
            let guid: Option<Guid> = peer.guid.parse().ok();
            let explained = guid.and_then(|guid| member.node.peers().explain(&guid));
            let explained = explained.ok_or_else(|| Refusal::NotFound(format!("{who:?} is gone just now")))?;
            // What is still to come has a time as well, which `Moment::wall` would cut off.
            let wall = |tick: Tick| rfc3339(Timestamp(moment.clock.wall.0.saturating_add(tick.0)));
            let told = |(at, what): (Tick, String)| api::Moment { at: wall(at), what };
            Ok(api::Explanation {
                peer,
                since: explained.since.map(wall),
                reason: explained.reason.to_string(),
                evidence: explained.evidence.into_iter().map(told).collect(),
                next: explained.next.map(told),
            })
        })
        .await?
    }
}

/// The one peer that `who` means.
pub(super) fn find<'a>(peers: &'a [api::Peer], who: &str) -> Result<&'a api::Peer, Refusal> {
    let digits: String = who.chars().filter(|&c| c != '-').map(|c| c.to_ascii_lowercase()).collect();
    let is_prefix = digits.len() >= LEAST_PREFIX && digits.chars().all(|c| c.is_ascii_hexdigit());
    let by_name = |peer: &&api::Peer| peer.name == who;
    let by_address = |peer: &&api::Peer| {
        let bracketed = format!("[{}]:{}", peer.ip, peer.port);
        peer.ip == who || format!("{}:{}", peer.ip, peer.port) == who || bracketed == who
    };
    let by_guid = |peer: &&api::Peer| is_prefix && peer.guid.replace('-', "").starts_with(&digits);
    let found: Vec<&api::Peer> =
        peers.iter().filter(|peer| by_name(peer) || by_address(peer) || by_guid(peer)).collect();
    match found[..] {
        [peer] => Ok(peer),
        [] => {
            let names: Vec<&str> = peers.iter().map(|peer| peer.name.as_str()).collect();
            let near = nearest(who, &names).map(|near| format!(": did you mean {near}?")).unwrap_or_default();
            Err(Refusal::NotFound(format!(
                "no peer has the name, the address or (from {LEAST_PREFIX} digits on) the beginning of the GUID \
                 {who:?}{near}"
            )))
        }
        _ => {
            let named =
                |peer: &&api::Peer| format!("{} at {}:{} ({})", peer.name, peer.ip, peer.port, short(&peer.guid));
            let listed: Vec<String> = found.iter().take(LISTED).map(named).collect();
            let more = if found.len() > LISTED { ", ..." } else { "" };
            Err(Refusal::Invalid(format!("{who:?} may be any of {}: {}{more}", found.len(), listed.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(guid: &str, name: &str, ip: &str, port: u16) -> api::Peer {
        api::Peer {
            guid: format!("{guid}-0173-8495-93c7-8a8c49826092"),
            name: name.into(),
            ip: ip.into(),
            port,
            network_name: "home".into(),
            other_networks: Vec::new(),
            last_update: None,
            reach: api::Reach::Reachable,
            reason: String::new(),
            since: None,
            place: 0.5,
            protocol_version: Some(1),
            incarnation: 1,
            rtt_ms: None,
            clock_offset_ms: None,
            loss: None,
            datagrams_per_s: None,
            bytes_per_s: None,
            gossip_count: None,
            root: None,
            in_sync: false,
            differs: None,
        }
    }

    #[test]
    fn a_peer_is_found_by_name_address_and_guid() {
        let peers = [
            peer("43c54ed2", "nas", "192.0.2.1", 6884),
            peer("43c5ffff", "desk", "fe80::1", 6884),
            peer("beef0000", "desk", "192.0.2.3", 6884),
            peer("00000000", "beef", "192.0.2.3", 6885),
        ];
        for (who, found) in [
            ("nas", 0),
            ("192.0.2.1", 0),
            ("192.0.2.3:6885", 3),
            ("[fe80::1]:6884", 1),
            ("43c54", 0),
            ("43C5FFFF-0173", 1),
            ("0000", 3),
        ] {
            assert_eq!(find(&peers, who).unwrap().guid, peers[found].guid, "{who}");
        }
        for (who, parts) in [
            ("desk", ["any of 2", "43c5ffff"]),
            ("43c5", ["nas at 192.0.2.1:6884 (43c54ed2)", "desk at fe80::1"]),
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
