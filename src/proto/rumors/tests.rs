//! Mutants of spreading: stories that only end well by a rule, told with it and without it.

use super::{Learnt, Rule, Rumors, Ways};
use crate::proto::gossip::{Guid, Key};
use crate::proto::ring::{Range, place};
use crate::proto::rtt::Rtt;
use crate::proto::seal::{NetworkKey, Secret};
use crate::proto::settings::Settings;
use crate::proto::time::{Tick, Timestamp};
use crate::sim::Network;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Copies that came to `nodes` nodes within 200 ms, before any digest: a share of all. `loss` of all datagrams is lost.
fn delivered(rule: Option<Rule>, nodes: usize, loss: f64, seed: u64) -> f64 {
    let mut net = Network::new(seed);
    net.check = false;
    let all = net.add_cluster(nodes);
    assert!(net.run_until(60 * SECOND, |net| all.iter().all(|&node| net.node(node).peers().live() == nodes - 1)));
    if let Some(rule) = rule {
        all.iter().for_each(|&node| net.node_mut(node).spread_without(rule));
    }
    net.run(3 * SECOND);
    net.link.loss = loss;
    let (mut here, records) = (0, 40);
    for number in 0..records {
        let guid: Guid = net.create(number * 7 % nodes, format!("number {number}")).expect("it runs");
        net.run(Duration::from_millis(200));
        here += all.iter().filter(|&&node| net.node(node).ledger().contains(&guid)).count();
    }
    here as f64 / (records * nodes) as f64
}

#[test]
fn without_acknowledgements_every_record_is_sent_six_times() {
    let sent = |rule: Option<Rule>| {
        let mut net = Network::new(1);
        let all = net.add_cluster(10);
        net.run(10 * SECOND);
        if let Some(rule) = rule {
            all.iter().for_each(|&node| net.node_mut(node).spread_without(rule));
        }
        net.create(0, "hello");
        net.run(5 * SECOND);
        all.iter().map(|&node| net.node(node).stats().rumor_sent).sum::<u64>()
    };
    assert_eq!(sent(None), 9);
    assert!(sent(Some(Rule::Acknowledgement)) > 30);
}

#[test]
fn rumours_reach_almost_everybody_before_any_digest_at_ten_per_cent_loss() {
    let share = delivered(None, 60, 0.1, 5);
    assert!(share > 0.999, "{share}");
}

#[test]
fn whoever_has_a_record_already_still_serves_the_first_range_that_comes_for_it() {
    let missing = |rule| (1..4).map(|seed| 1.0 - delivered(rule, 60, 0.2, seed)).sum::<f64>();
    let (with, without) = (missing(None), missing(Some(Rule::LateRange)));
    assert!(with * 2.0 < without, "{with} of all copies were missing with the rule, {without} without it");
}

#[test]
fn a_range_whose_head_is_cut_off_goes_to_the_next_peer_of_the_part() {
    let mut net = Network::new(3);
    let all = net.add_cluster(30);
    assert!(net.run_until(60 * SECOND, |net| all.iter().all(|&node| net.node(node).peers().live() == 29)));
    net.run(2 * SECOND);
    // Five nodes fall silent at once; nobody knows yet.
    (5..10).for_each(|node| net.crash(node));
    let guid = net.create(0, "hello").expect("it runs");
    let everywhere = |net: &Network| net.running().all(|node| net.node(node).ledger().contains(&guid));
    assert!(net.run_until(Duration::from_millis(300), everywhere));
    let stats: Vec<_> = net.running().map(|node| net.node(node).stats()).collect();

    assert!(stats.iter().map(|stats| stats.rumors_repeated).sum::<u64>() >= 5, "what was silent was tried again");
}

/// A network as one node sees it.
struct Ring {
    peers: BTreeMap<u64, Guid>,
    met: BTreeSet<Guid>,
}

impl Ring {
    /// Of so many others, none of whom was met.
    fn of(peers: u32) -> Ring {
        let guid = |n: u32| Guid(std::array::from_fn(|i| n.to_be_bytes()[i % 4]));
        Ring { peers: (1..=peers).map(guid).map(|guid| (place(&guid), guid)).collect(), met: BTreeSet::new() }
    }
}

impl Ways for Ring {
    fn ring(&self, range: Range) -> impl Iterator<Item = (u64, Guid)> {
        let around = self.peers.range(range.from..).chain(self.peers.range(..range.from));
        around.map(|(&place, &guid)| (place, guid)).filter(move |(place, _)| range.contains(*place))
    }

    fn rtt(&self, _: &Guid) -> Rtt {
        let mut rtt = Rtt::default();
        rtt.sample(Duration::from_millis(1));
        rtt
    }

    fn met(&self, peer: &Guid) -> bool {
        self.met.contains(peer)
    }

    fn live(&self) -> usize {
        self.peers.len()
    }
}

fn rumors() -> Rumors {
    let settings = Settings::new(Guid([0; 16]), "node", NetworkKey::new(&Secret([7; 32])));
    Rumors::new(&settings, [7; 32], Tick(0))
}

/// Whom a node wants to meet until nobody is left.
fn wanted(rumors: &mut Rumors, ring: &Ring) -> BTreeMap<Guid, u32> {
    let (mut wanted, mut now) = (BTreeMap::new(), Tick(0));
    while rumors.poll_timeout() != Tick::NEVER {
        now = now.max(rumors.poll_timeout());
        rumors.handle_timeout(now, ring);
        while let Some(peer) = rumors.poll_stranger(now, ring) {
            *wanted.entry(peer).or_default() += 1;
        }
    }
    wanted
}

#[test]
fn a_handshake_that_was_lost_is_tried_again_and_no_more_than_a_few_times() {
    let mut ring = Ring::of(1000);
    let once = wanted(&mut rumors(), &ring);
    assert!((30..60).contains(&once.len()), "whom records go to, and the next ones on the ring: {}", once.len());
    // One peer may be wanted for several distances, and as a neighbour.
    assert!(once.values().all(|&times| (4..=16).contains(&times)), "{once:?}");
    ring.met = once.into_keys().collect();
    assert_eq!(wanted(&mut rumors(), &ring), BTreeMap::new(), "who was met is not wanted");
}

#[test]
fn who_may_have_to_serve_a_range_instead_is_greeted_at_the_first_silence() {
    let (mut ring, mut rumors, now) = (Ring::of(1000), rumors(), Tick(0));
    ring.met = wanted(&mut rumors, &ring).into_keys().collect();
    let key = Key { date_time: Timestamp(1), guid: Guid([9; 16]) };
    let learnt = Learnt { key, hops: 0, long: false, head: None };
    rumors.learnt(now, learnt, Some(Range::all_but(rumors.me)), &ring);
    let parcels = |rumors: &Rumors| -> Vec<(Guid, Range)> {
        rumors.lanes.iter().flat_map(|(&peer, lane)| lane.parcels.values().map(move |it| (peer, it.range))).collect()
    };
    let handed = parcels(&rumors);
    assert!((2..=5).contains(&handed.len()) && handed.iter().all(|(peer, _)| ring.met(peer)), "{handed:?}");
    assert_eq!(rumors.poll_stranger(now, &ring), None);
    for (peer, _) in &handed {
        rumors.count_silence(now, *peer, key.guid, &ring);
    }
    let heirs: BTreeSet<Guid> =
        handed.iter().filter_map(|(_, range)| ring.ring(*range).next()).map(|it| it.1).collect();
    let greeted: BTreeSet<Guid> = std::iter::from_fn(|| rumors.poll_stranger(now, &ring)).collect();
    assert_eq!(greeted, heirs.difference(&ring.met).copied().collect());
    assert!(!greeted.is_empty());
}
