//! Stories about the bytes of beacons and about who is answered; and a model of a link on which somebody replays them,
//! which finds out when a [`Rule`] is taken away.

use super::rule::Rule;
use super::*;
use crate::proto::limits::{BEACON_ANSWER_GAP, BEACON_ANSWERS, BEACONS, NAMESAKES};
use crate::proto::time::Tick;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn key(name: &str, password: u8) -> BeaconKey {
    let mut secret = [password; 32];
    secret[..4].copy_from_slice(name.as_bytes());
    BeaconKey::new(&Secret(secret), name)
}

fn beacon(node: u8, counter: u32) -> Beacon {
    Beacon { guid: Guid([node; 16]), epoch: 1000, counter, port: 6884 }
}

fn host(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number], 50_000))
}

fn node(seed: u8) -> Beacons {
    Beacons::new(key("home", 1), [seed; 32], Tick(0))
}

const STRANGE: Standing = Standing { known: false, nodes: 1 };

#[test]
fn a_beacon_is_read_by_those_of_its_network_and_is_frozen() {
    let bytes = key("home", 1).seal(&beacon(7, 3));
    assert_eq!(key("home", 1).open(&bytes), Ok(beacon(7, 3)));
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, GOLDEN);
}

/// Made by another program from the layout alone.
const GOLDEN: &str =
    "6201e7d308395afd29ed974d3dec077639ce0d4e4bd88873cba3a0b09233f1475e2be2846d9e320fecec155cf8d627c66f026d7b";

#[test]
fn another_password_is_noticed_where_the_name_is_the_same_and_nowhere_else() {
    let bytes = key("home", 1).seal(&beacon(7, 3));
    assert_eq!(key("home", 2).open(&bytes), Err(Unread::Namesake));
    assert_eq!(key("work", 1).open(&bytes), Err(Unread::Foreign));
    assert_eq!(key("work", 2).open(&bytes), Err(Unread::Foreign));
}

#[test]
fn a_beacon_is_read_under_every_key_of_the_ring_and_sent_under_the_first() {
    let mut node = node(1);
    node.change_keys([key("home", 2), key("home", 1)]);
    for (number, password) in [1, 2].into_iter().enumerate() {
        let other = beacon(10 + number as u8, 1);
        let bytes = key("home", password).seal(&other);
        assert_eq!(node.handle_datagram(Tick(0), host(1 + number as u8), true, &bytes), Ok(other));
    }
    assert_eq!(node.namesakes().count(), 0, "whoever uses another key of the ring has the password");
    let bytes = key("home", 3).seal(&beacon(7, 3));
    assert_eq!(node.handle_datagram(Tick(0), host(9), true, &bytes), Err(Ignored::Namesake));
    let due = node.poll_timeout();
    let sent = node.poll_beacon(due, Guid([7; 16]), 1, 6884).unwrap();
    assert!(key("home", 2).open(&sent).is_ok());
    // What was removed is another password's.
    node.change_keys([key("home", 2)]);
    let bytes = key("home", 1).seal(&beacon(12, 1));
    assert_eq!(node.handle_datagram(Tick(0), host(3), true, &bytes), Err(Ignored::Namesake));
}

#[test]
fn a_changed_beacon_is_nobodys_and_raises_no_alarm() {
    let bytes = key("home", 1).seal(&beacon(7, 3));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes;
        flipped[bit / 8] ^= 1 << (bit % 8);
        let opened = key("home", 1).open(&flipped);
        match bit / 8 {
            0 => assert_eq!(opened, Err(Unread::Malformed)),
            1 => assert_eq!(opened, Err(Unread::Version)),
            // Who has the key does not look at the name's tag.
            48.. => assert_eq!(opened, Ok(beacon(7, 3))),
            _ => assert_eq!(opened, Err(Unread::Foreign), "bit {bit}"),
        }
    }
    for len in 0..bytes.len() {
        assert_eq!(key("home", 1).open(&bytes[..len]), Err(if len == 1 { Unread::Version } else { Unread::Malformed }));
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(key("home", 1).open(&longer), Err(Unread::Malformed));
}

#[test]
fn without_the_key_nothing_ties_one_beacon_to_another() {
    // The same node in two networks and in two runs, and a node that has nothing to do with it.
    let said = |epoch, counter| Beacon { epoch, counter, ..beacon(7, 0) };
    let mut all = Vec::new();
    for counter in 0..40 {
        all.push(key("home", 1).seal(&said(1000, counter)));
        all.push(key("home", 1).seal(&said(1001, counter)));
        all.push(key("home", 2).seal(&said(1000, counter)));
        all.push(key("work", 1).seal(&said(1000, counter)));
        all.push(key("work", 3).seal(&beacon(9, counter)));
    }
    let mut seen = BTreeSet::new();
    for (at, one) in all.iter().enumerate() {
        assert_eq!(one[..2], all[0][..2]);
        for other in &all[..at] {
            let equal = one[2..].iter().zip(&other[2..]).filter(|(a, b)| a == b).count();
            assert!(equal <= 6, "of 50 random bytes, 0.2 are equal: {equal}");
        }
        seen.extend(one[2..].windows(4).map(<[u8]>::to_vec));
    }
    assert_eq!(seen.len(), all.len() * 47, "no four bytes come twice");
}

#[test]
fn a_stranger_of_our_network_is_answered_at_the_port_that_it_names() {
    let (mut node, mut answers) = (node(1), Answers::default());
    let bytes = key("home", 1).seal(&beacon(7, 1));
    let link: SocketAddr = "[fe80::7%3]:50000".parse().unwrap();
    let heard = node.handle_datagram(Tick(0), link, true, &bytes).unwrap();
    let to = node.answer(Tick(0), link, &heard, STRANGE, &mut answers).unwrap();
    assert_eq!(to, "[fe80::7%3]:6884".parse().unwrap(), "its link is kept");
    assert_eq!(node.heard().collect::<Vec<_>>(), [(Guid([7; 16]), to, Tick(0))]);
    // It comes by multicast and by broadcast.
    assert_eq!(node.handle_datagram(Tick(9), link, true, &bytes), Err(Ignored::Replay));
    assert_eq!((node.counts()["answered"], node.counts()["replay"]), (1, 1));
    node.check();
}

#[test]
fn a_node_that_runs_again_is_fresh_and_its_earlier_run_is_not() {
    let mut node = node(1);
    let mut hear = |now, epoch, counter| {
        let bytes = key("home", 1).seal(&Beacon { epoch, counter, ..beacon(7, 0) });
        node.handle_datagram(now, host(7), true, &bytes).is_ok()
    };
    assert!(hear(Tick(0), 5, 9) && hear(Tick(1), 6, 1));
    assert!(!hear(Tick(2), 5, 10) && !hear(Tick(3), 6, 1) && hear(Tick(4), 6, 2));
    // A node that was restored from an old copy is heard again once it was silent for long.
    assert!(hear(Tick(5) + Duration::from_secs(300), 5, 1));
}

#[test]
fn its_own_beacons_come_back_and_mean_nothing() {
    let mut node = node(1);
    let now = node.poll_timeout();
    assert_eq!(node.poll_beacon(Tick(0), Guid([1; 16]), 5, 6884), None, "not due yet");
    let bytes = node.poll_beacon(now, Guid([1; 16]), 5, 6884).unwrap();
    assert_eq!(node.handle_datagram(now, host(1), true, &bytes), Err(Ignored::Own));
    // A copy of this node has its GUID, and is somebody else.
    let copy = key("home", 1).seal(&Beacon { epoch: 6, ..beacon(1, 1) });
    assert!(node.handle_datagram(now, host(2), true, &copy).is_ok());
}

#[test]
fn when_the_surroundings_change_it_speaks_at_once() {
    let mut node = node(1);
    let mut now = Tick(0);
    for _ in 0..8 {
        now = node.poll_timeout();
        node.poll_beacon(now, Guid([1; 16]), 5, 6884).unwrap();
    }
    assert!(node.poll_timeout() > now + 20 * SECOND);
    node.restart(now);
    assert!(node.poll_timeout() < now + SECOND);
}

#[test]
fn neighbours_with_another_password_are_remembered_and_few() {
    let mut node = node(1);
    let mut hear = |now: u64, number: u8, counter| {
        let bytes = key("home", 2).seal(&beacon(number, counter));
        assert_eq!(node.handle_datagram(Tick(now), host(number), true, &bytes), Err(Ignored::Namesake));
        node.namesakes().collect::<BTreeMap<IpAddr, Namesake>>()
    };
    hear(5, 1, 1);
    let heard = hear(9, 1, 2);
    assert_eq!(heard[&host(1).ip()], Namesake { first: Tick(5), last: Tick(9), times: 2 });
    for number in 2..=NAMESAKES as u8 + 1 {
        hear(10 + u64::from(number), number, 1);
    }
    let heard = hear(99, 2, 2);
    assert_eq!(heard.len(), NAMESAKES);
    assert!(!heard.contains_key(&host(1).ip()), "who was silent for longest has gone");
}

#[test]
fn a_flood_of_nodes_leaves_bounded_tables() {
    let (mut node, mut answers) = (node(1), Answers::default());
    let mut now = Tick(0);
    for number in 0..4 * BEACONS as u32 {
        now = now + Duration::from_millis(5);
        let [a, b, c, d] = number.to_be_bytes();
        let from = SocketAddr::from(([10, b, c, d], 50_000));
        let said = Beacon { guid: Guid([a, b, c, d, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]), ..beacon(0, 1) };
        let heard = node.handle_datagram(now, from, true, &key("home", 1).seal(&said)).unwrap();
        let _ = node.answer(now, from, &heard, STRANGE, &mut answers);
        assert!(answers.len() <= BEACON_ANSWERS * BEACON_ANSWER_GAP.as_secs() as usize);
    }
    node.check();
    assert_eq!(node.heard().count(), BEACONS);
}

/// What must never happen on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Violation {
    BeyondTheLink,
    Itself,
    Twice,
    Needless,
    Crowd,
    SourceAgain,
    TooMany,
}

/// One node under test among many that send beacons, and somebody who replays all of them from anywhere.
struct Link {
    node: Beacons,
    answers: Answers,
    others: Vec<Beacons>,
    known: usize,
    nodes: usize,
    now: Tick,
    rng: ChaCha8Rng,
    recorded: Vec<[u8; BEACON_SIZE]>,
    answered: Vec<(Tick, IpAddr)>,
    counted: BTreeSet<(Guid, u64, u32)>,
    asked: usize,
    left: usize,
    violations: BTreeSet<Violation>,
}

const OTHERS: usize = 40;

fn guid(number: usize) -> Guid {
    Guid([number as u8; 16])
}

impl Link {
    fn new(seed: u64, nodes: usize, lacking: Option<Rule>) -> Link {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut node = node(255);
        node.lacking = lacking;
        let mut answers = Answers::default();
        answers.lacking = lacking;
        let others = (0..OTHERS).map(|_| Beacons::new(key("home", 1), rng.random(), Tick(0))).collect();
        let (known, now) = (OTHERS / 4, Tick(0));
        let (recorded, answered, counted, asked, left, violations) = Default::default();
        Link { node, answers, others, known, nodes, now, rng, recorded, answered, counted, asked, left, violations }
    }

    fn run(mut self) -> BTreeSet<Violation> {
        for _ in 0..4000 {
            self.now = self.now + Duration::from_millis(self.rng.random_range(0..40));
            if let Some(bytes) = self.node.poll_beacon(self.now, guid(200), 1, 6884) {
                self.recorded.push(bytes);
                self.receive(host(200), true, &bytes);
            }
            for other in 0..OTHERS {
                // As if they all had just come.
                if self.rng.random_bool(0.01) {
                    self.others[other].restart(self.now);
                }
                if let Some(bytes) = self.others[other].poll_beacon(self.now, guid(other), 1, 6884) {
                    self.recorded.push(bytes);
                    // What is lost on its way may still have been recorded.
                    if self.rng.random_bool(0.5) {
                        self.receive(host(other as u8), true, &bytes);
                    }
                }
            }
            if !self.recorded.is_empty() {
                let bytes = self.recorded[self.rng.random_range(0..self.recorded.len())];
                let (source, on_link) = (host(self.rng.random_range(0..=255)), self.rng.random_bool(0.5));
                self.receive(source, on_link, &bytes);
            }
            self.node.check();
        }
        // Of all nodes, eight answer on the mean: where there are a hundred, this one seldom does.
        if self.nodes >= 100 && self.left * 4 < self.asked * 3 {
            self.violations.insert(Violation::Crowd);
        }
        self.violations
    }

    fn receive(&mut self, from: SocketAddr, on_link: bool, bytes: &[u8]) {
        let Ok(heard) = self.node.handle_datagram(self.now, from, on_link, bytes) else { return };
        let known = (0..self.known).any(|other| guid(other) == heard.guid);
        let standing = Standing { known, nodes: self.nodes };
        let answer = self.node.answer(self.now, from, &heard, standing, &mut self.answers);
        self.asked += usize::from(!known);
        self.left += usize::from(answer == Err(Ignored::Left));
        let Ok(to) = answer else { return };
        assert_eq!(to, SocketAddr::new(from.ip(), heard.port));
        let (now, answered) = (self.now, &self.answered);
        let recent = |span| answered.iter().filter(move |(at, _)| now.since(*at) < span);
        let broken = [
            (Violation::BeyondTheLink, !on_link),
            (Violation::Itself, heard.guid == guid(200)),
            (Violation::Needless, known),
            (Violation::SourceAgain, recent(10 * SECOND).any(|(_, ip)| *ip == from.ip())),
            (Violation::TooMany, recent(SECOND).count() >= 10),
            (Violation::Twice, !self.counted.insert((heard.guid, heard.epoch, heard.counter))),
        ];
        self.violations.extend(broken.into_iter().filter(|(_, broken)| *broken).map(|(violation, _)| violation));
        self.answered.push((self.now, from.ip()));
    }
}

#[test]
fn whatever_is_replayed_little_is_sent_and_only_to_strangers_on_the_link() {
    for seed in 0..20 {
        for nodes in [1, 100] {
            assert_eq!(Link::new(seed, nodes, None).run(), BTreeSet::new(), "seed {seed}, {nodes} nodes");
        }
    }
}

#[test]
fn every_rule_of_answering_is_needed() {
    for (rule, nodes, wanted) in [
        (Rule::OnLink, 1, Violation::BeyondTheLink),
        (Rule::Own, 1, Violation::Itself),
        (Rule::Fresh, 1, Violation::Twice),
        (Rule::Known, 1, Violation::Needless),
        (Rule::Few, 100, Violation::Crowd),
        (Rule::Source, 1, Violation::SourceAgain),
        (Rule::Budget, 1, Violation::TooMany),
    ] {
        let found = Link::new(1, nodes, Some(rule)).run();
        assert!(found.contains(&wanted), "without {rule:?}: {found:?}");
    }
}
