//! `gossip-node explain`: why a peer is in its state, what is known of it, and what comes next.

use super::context::Context;
use super::failure::Failure;
use super::peers::{address, reach, rtt};
use crate::api::{Explanation, Reach};
use crate::display::{age, display_line, local_millis, local_time};
use clap::Args;
use std::fmt::Write as _;

/// Say why a peer is in its state.
#[derive(Args, Debug)]
#[command(after_help = "  \
gossip-node explain desk
  gossip-node explain 192.168.1.21:6884 --json")]
pub struct Explain {
    /// Its name, its address, or the first 4 or more hex digits of its GUID
    #[arg(value_name = "PEER")]
    peer: String,
}

impl Explain {
    /// Says it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let explained = context.client().explain(&self.peer).await.map_err(context.explain())?;
        if context.json {
            return context.print_json(&explained);
        }
        context.print(&text(&explained, jiff::Timestamp::now()))
    }
}

fn text(explained: &Explanation, now: jiff::Timestamp) -> String {
    let peer = &explained.peer;
    let since = match &explained.since {
        Some(since) => format!(" since {} ({})", local_time(since), age(since, now)),
        None => String::new(),
    };
    let (name, network) = (display_line(&peer.name), display_line(&peer.network_name));
    let mut text = format!("{name} is {}{since}: {}\n\n", reach(peer.reach), display_line(&explained.reason));
    let heard =
        peer.last_update.as_ref().map_or("never".into(), |then| format!("{} ({})", local_time(then), age(then, now)));
    let holds = match (peer.gossip_count, peer.in_sync) {
        (Some(count), true) => format!("{count}, the same as here"),
        (Some(count), false) if matches!(peer.reach, Reach::Unreachable | Reach::Left) => {
            format!("{count} when last heard")
        }
        (Some(count), false) => format!("{count}, not the same as here"),
        (None, _) => "not known".into(),
    };
    for (label, value) in [
        ("guid", peer.guid.clone()),
        ("address", address(&peer.ip, peer.port)),
        ("network", network.into_owned()),
        ("heard", heard),
        ("rtt", peer.rtt_ms.map_or("not known".into(), rtt)),
        ("records", holds),
    ] {
        let _ = writeln!(text, "{label:<8} {}", display_line(&value));
    }
    if !explained.evidence.is_empty() {
        text.push_str("\nevidence, the latest first:\n");
    }
    for moment in &explained.evidence {
        let _ = writeln!(text, "  {}  {}", local_millis(&moment.at), display_line(&moment.what));
    }
    if let Some(next) = &explained.next {
        let _ = writeln!(text, "\nnext, {}: {}", until(&next.at, now), display_line(&next.what));
    }
    text
}

/// When something to come is due.
fn until(at: &str, now: jiff::Timestamp) -> String {
    match at.parse::<jiff::Timestamp>().map(|at| at.as_millisecond().saturating_sub(now.as_millisecond())) {
        Ok(millis @ 1..120_000) => format!("in {:.1} s ({})", millis as f64 / 1000.0, local_time(at)),
        Ok(..=0) => "now".into(),
        _ => format!("at {}", local_time(at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Moment, Peer};

    #[test]
    fn it_tells_reason_evidence_and_deadline() {
        let peer = Peer {
            guid: "43c54ed2-0173-8495-93c7-8a8c49826092".into(),
            name: "desk\u{202E}".into(),
            ip: "192.0.2.21".into(),
            port: 6884,
            network_name: "home".into(),
            other_networks: Vec::new(),
            last_update: Some("2026-01-10T11:59:57Z".into()),
            reach: Reach::Suspect,
            reason: "ignored".into(),
            since: None,
            place: 0.5,
            protocol_version: Some(1),
            incarnation: 1,
            rtt_ms: Some(0.4),
            clock_offset_ms: None,
            loss: None,
            datagrams_per_s: None,
            bytes_per_s: None,
            gossip_count: Some(12),
            root: None,
            in_sync: true,
            differs: None,
        };
        let moment = |at: &str, what: &str| Moment { at: at.into(), what: what.into() };
        let explained = Explanation {
            peer,
            since: Some("2026-01-10T11:59:58Z".into()),
            reason: "2 others\ncould not reach it either".into(),
            evidence: vec![moment("2026-01-10T11:59:58Z", "nas suspects it"), moment("2026-01-10T11:59:57Z", "probed")],
            next: Some(moment("2026-01-10T12:00:01.5Z", "it counts as unreachable")),
        };
        let text = text(&explained, "2026-01-10T12:00:00Z".parse().unwrap());
        for part in [
            "desk\\u{202e} is suspect since ",
            "(2 s ago): 2 others could not reach it either\n",
            "12, the same as here",
            "nas suspects it\n",
            "next, in 1.5 s (",
            "): it counts as unreachable\n",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains('\u{202E}'));
    }
}
