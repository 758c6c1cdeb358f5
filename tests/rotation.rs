//! Stories of changing the password: the new key is accepted everywhere, then used everywhere, then the old one is
//! removed, node by node and at any time, and nobody notices.

use gossip_node::proto::gossip::{Gossip, Guid, Kind};
use gossip_node::proto::keyring::KeyError;
use gossip_node::proto::limits::KEYS;
use gossip_node::proto::peers::Reach;
use gossip_node::proto::repairs::Repairs;
use gossip_node::proto::seal::claimed_key_id;
use gossip_node::proto::stats::{Rejected, Stats};
use gossip_node::proto::time::{Tick, Timestamp};
use gossip_node::proto::wire::{Message, SymbolsAsk, TellMeMore};
use gossip_node::sim::insider::Insider;
use gossip_node::sim::{Link, Network, PASSWORD};
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const NEW: &str = "sesame street";

/// A record that anyone might have said long ago.
fn old(number: u64) -> Gossip {
    let msg = format!("what was said as number {number}").into_bytes();
    Gossip::make(Kind::Message, Timestamp(1_600_000_000_000_000 + number), Guid([9; 16]), "elder", msg.into()).unwrap()
}

/// A change of the password in a network that is at work.
struct Rotation {
    net: Network,
    rng: ChaCha8Rng,
    all: Vec<usize>,
    records: usize,
    /// For each pair, since when the first has not reached the second.
    out: Vec<Option<Duration>>,
    longest: Duration,
    passed: Duration,
}

impl Rotation {
    const STEP: Duration = Duration::from_millis(100);

    fn new(seed: u64, nodes: usize, loss: f64) -> Rotation {
        let mut net = Network::new(seed);
        let all = net.add_cluster(nodes);
        net.run(20 * SECOND);
        net.link = Link { loss, ..Link::default() };
        let out = vec![None; nodes * nodes];
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Rotation { net, rng, all, records: 0, out, longest: Duration::ZERO, passed: Duration::ZERO }
    }

    /// Lets a step of time pass in which records are written, and notes who does not reach whom.
    fn work(&mut self) {
        for _ in 0..self.rng.random_range(0..4) {
            let node = self.all[self.rng.random_range(0..self.all.len())];
            let len = if self.rng.random_ratio(1, 20) { 3000 } else { 40 };
            self.records += usize::from(self.net.create(node, vec![b'a' + self.records as u8 % 26; len]).is_some());
        }
        self.net.run(Rotation::STEP);
        self.passed += Rotation::STEP;
        for (n, &from) in self.all.iter().enumerate() {
            for (m, &to) in self.all.iter().enumerate().filter(|&(m, _)| m != n) {
                let out = &mut self.out[n * self.all.len() + m];
                // Whoever has just come back from the dead has to be met again first, whichever keys there are.
                let then = Tick(self.net.now().0 - 15_000_000);
                let running = self.net.was_up_since(from, then) && self.net.was_up_since(to, then);
                let then = running.then(|| self.net.node(to).settings().guid);
                let reach = then.and_then(|guid| self.net.node(from).peers().peer(&guid).map(|peer| peer.reach));
                *out = match reach {
                    Some(Reach::Unreachable | Reach::Left) => out.or(Some(self.passed)),
                    _ => None,
                };
                self.longest = self.longest.max(out.map_or(Duration::ZERO, |since| self.passed - since));
            }
        }
    }

    /// Does the same at each node once, in any order, at any times.
    fn everywhere(&mut self, nodes: &[usize], mut act: impl FnMut(&mut Network, usize)) {
        let mut nodes = nodes.to_vec();
        nodes.shuffle(&mut self.rng);
        for node in nodes {
            (0..self.rng.random_range(0..12)).for_each(|_| self.work());
            act(&mut self.net, node);
        }
        (0..20).for_each(|_| self.work());
    }

    fn sum(&self, count: impl Fn(&Stats) -> u64) -> u64 {
        self.net.running().map(|node| count(&self.net.node(node).stats())).sum()
    }
}

#[test]
fn the_password_changes_under_load_and_loss_and_nobody_is_out() {
    for seed in 1..=3 {
        let mut rotation = Rotation::new(seed, 16, 0.3);
        let all = rotation.all.clone();
        // One is away from the beginning to the end. It has said something that nobody else has.
        let away = all[7];
        rotation.net.partition(&[&[away]]);
        rotation.net.create(away, "said before I left").unwrap();
        rotation.net.run(SECOND);
        rotation.net.stop(away, false);
        rotation.net.heal();
        let here: Vec<usize> = all.iter().copied().filter(|&node| node != away).collect();
        let (fallen, late) = (here[3], here[9]);

        rotation.everywhere(&here, |net, node| net.add_key(node, NEW).unwrap());
        // One dies with both keys on its disk and comes back in the middle; so does one that has used the new one.
        rotation.net.crash(fallen);
        rotation.everywhere(&here, |net, node| {
            net.use_key(node, NEW).unwrap();
            if node == late {
                net.crash(node);
                net.start(node);
            }
        });
        rotation.net.start(fallen);
        assert_eq!(rotation.net.primary(fallen), Network::key_of(NEW).key_id());
        (0..20).for_each(|_| rotation.work());
        assert_eq!(rotation.sum(|stats| stats.rejected(Rejected::KeyId)), 0, "everybody understood everybody");
        rotation.everywhere(&here, |net, node| net.remove_key(node, PASSWORD).unwrap());
        assert!(here.iter().all(|&node| rotation.net.node(node).settings().keys.iter().count() == 1));
        assert!(rotation.longest <= SECOND, "seed {seed}: somebody was out for {:?}", rotation.longest);
        let state = |net: &Network, node: usize| net.node(node).ledger().state();
        let agree = |net: &Network| here.iter().all(|&node| state(net, node) == state(net, here[0]));
        assert!(rotation.net.run_until(60 * SECOND, agree), "seed {seed}");

        // Who was away does not find back without the new password, and with it gets all, and what it had is not lost.
        let count = state(&rotation.net, here[0]).count;
        assert!(count > 100);
        rotation.net.start(away);
        rotation.net.run(20 * SECOND);
        assert_eq!(rotation.net.node(away).sessions(), 0);
        assert!(rotation.sum(|stats| stats.rejected(Rejected::KeyId)) > 0);
        rotation.net.add_key(away, NEW).unwrap();
        rotation.net.use_key(away, NEW).unwrap();
        let new = Network::key_of(NEW).key_id();
        assert!(rotation.net.run_until(SECOND, |net| net.primary(away) == new));
        rotation.net.remove_key(away, PASSWORD).unwrap();
        assert!(rotation.net.run_until(90 * SECOND, Network::converged), "seed {seed}");
        rotation.net.assert_converged();
        assert_eq!(state(&rotation.net, away).count, count + 1);
    }
}

#[test]
fn what_the_old_key_sealed_counts_until_it_is_removed_and_not_after() {
    let mut net = Network::new(11);
    let all = net.add_cluster(2);
    net.run(5 * SECOND);
    net.add_key(all[0], NEW).unwrap();
    net.add_key(all[1], NEW).unwrap();
    net.use_key(all[0], NEW).unwrap();
    net.create(all[1], "under the old key").unwrap();
    net.create(all[0], "under the new key").unwrap();
    net.run(5 * SECOND);
    assert!(net.converged());
    assert_eq!(net.node(all[0]).stats().sessions_opened, net.node(all[1]).stats().sessions_opened);
    let opened = net.node(all[0]).stats().sessions_opened;
    let seen = |net: &Network, of: usize| net.node(all[1 - of]).peers().iter().next().unwrap().1.key;
    assert_eq!(seen(&net, 0), Some(Network::key_of(NEW).key_id()));
    assert_eq!(seen(&net, 1), Some(Network::key_of(PASSWORD).key_id()));
    // The session went on across keys: no handshake was needed for the change.
    net.use_key(all[1], NEW).unwrap();
    net.run(5 * SECOND);
    assert_eq!(net.node(all[0]).stats().sessions_opened, opened);

    // A recording is a replay under whichever key, and under one that was removed it is nothing at all.
    net.use_key(all[1], PASSWORD).unwrap();
    net.capture = true;
    net.run(5 * SECOND);
    net.capture = false;
    let from = net.addr(all[1]);
    let recorded: Vec<_> = net.captured.drain(..).filter(|(sender, ..)| *sender == from).collect();
    assert!(recorded.len() > 2);
    for (from, _, bytes) in &recorded {
        assert_eq!(net.inject(all[0], *from, bytes), Err(Rejected::Replay));
    }
    net.use_key(all[1], NEW).unwrap();
    net.remove_key(all[0], PASSWORD).unwrap();
    for (from, _, bytes) in &recorded {
        assert_eq!(net.inject(all[0], *from, bytes), Err(Rejected::KeyId));
    }
    // Whoever goes on sealing with it is not heard any more.
    net.use_key(all[1], PASSWORD).unwrap();
    let unheard = net.create(all[1], "nobody hears this").unwrap();
    net.run(5 * SECOND);
    assert!(net.node(all[1]).ledger().contains(&unheard) && !net.node(all[0]).ledger().contains(&unheard));
}

#[test]
fn a_digest_is_compared_under_the_key_that_it_came_under() {
    for (seed, differences) in [(21, 10), (22, 600)] {
        let mut net = Network::new(seed);
        let all = net.add_cluster(2);
        net.run(5 * SECOND);
        all.iter().for_each(|&node| net.add_key(node, NEW).unwrap());
        net.use_key(all[1], NEW).unwrap();
        net.partition(&[&[all[0]], &[all[1]]]);
        for number in 0..4000 {
            all.iter().for_each(|&node| net.preload(node, &old(number)));
        }
        for number in 0..differences {
            net.preload(all[number as usize % 2], &old(10_000 + number));
        }
        net.run(SECOND);
        net.heal();
        assert_ne!(net.primary(all[0]), net.primary(all[1]));
        assert!(net.run_until(20 * SECOND, Network::converged), "{differences}");
        for &node in &all {
            let stats = net.node(node).stats();
            assert_eq!(stats.digests_paged, 0, "{differences}");
            // Nothing is found that is no difference; the same may be found by both.
            assert!(stats.differences_found <= 2 * differences, "{} of {differences}", stats.differences_found);
        }
        // Equal sets are equal under both keys: no digest is sent for nothing.
        let digests = |net: &Network| all.iter().map(|&node| net.node(node).stats().did_you_here_sent).sum::<u64>();
        net.run(2 * SECOND);
        let before = digests(&net);
        net.run(20 * SECOND);
        assert_eq!(digests(&net), before);
        // Whoever changes his key in the middle of a comparison does not confuse anybody.
        for number in 0..2000 {
            net.preload(all[0], &old(20_000 + number));
        }
        assert!(net.run_until(10 * SECOND, |net| net.node(all[0]).stats().symbols_sent > 0
            || net.node(all[1]).stats().symbols_sent > 0));
        net.use_key(all[0], NEW).unwrap();
        net.use_key(all[1], PASSWORD).unwrap();
        assert!(net.run_until(20 * SECOND, Network::converged), "{differences}");
    }
}

#[test]
fn symbols_are_answered_under_the_key_that_they_were_asked_under() {
    let mut net = Network::new(51);
    let node = net.add();
    (0..200).for_each(|number| net.preload(node, &old(number)));
    let mut insider = Insider::met(&mut net, node, 1);
    net.add_key(node, NEW).unwrap();
    net.use_key(node, NEW).unwrap();
    insider.keys.add(Network::key_of(NEW)).unwrap();
    net.run(Duration::from_millis(5));
    let (before, after) = (Network::key_of(PASSWORD).key_id(), Network::key_of(NEW).key_id());
    assert_eq!(net.primary(node), after);
    for key in [before, after] {
        insider.keys.prefer(key).unwrap();
        let change = net.node(node).ledger().sketch_under(key).unwrap().change();
        let symbols = Some(SymbolsAsk { change, first: 0, chunks: 1 });
        net.captured.clear();
        insider.tell(&mut net, &Message::TellMeMore(TellMeMore { symbols, ..Default::default() })).unwrap();
        net.run(Duration::from_millis(2));
        let to = insider.addr;
        let keys = net.captured.iter().filter(|(_, other, bytes)| *other == to && bytes[2] == 13);
        assert!(keys.map(|(.., bytes)| claimed_key_id(bytes)).eq([Some(key)]));
        let heard = insider.hear(&mut net).into_iter().map(|(_, message)| message);
        let heard: Vec<Message> = heard.filter(|message| matches!(message, Message::Symbols(_))).collect();
        let sketch = net.node(node).ledger().sketch_under(key).unwrap();
        let right = Repairs::more(sketch, change, 0, 1).unwrap().remove(0);
        assert_eq!(heard, [Message::Symbols(right)]);
    }
}

#[test]
fn a_key_is_used_when_its_sketch_is_whole_and_no_sooner() {
    let mut net = Network::new(31);
    let all = net.add_cluster(2);
    for number in 0..20_000 {
        all.iter().for_each(|&node| net.preload(node, &old(number)));
    }
    net.run(5 * SECOND);
    let (before, after) = (Network::key_of(PASSWORD).key_id(), Network::key_of(NEW).key_id());
    all.iter().for_each(|&node| net.add_key(node, NEW).unwrap());
    net.use_key(all[0], NEW).unwrap();
    assert_eq!(net.primary(all[0]), before, "there is much to build first");
    assert!(net.node(all[0]).ledger().is_building());
    // What comes and goes while it is built is in it too, on both sides of where it stands.
    for number in 0..400 {
        net.create(all[0], format!("meanwhile {number}")).unwrap();
    }
    assert!(net.run_until(SECOND, |net| net.primary(all[0]) == after));
    assert!(net.run_until(SECOND, |net| all.iter().all(|&node| !net.node(node).ledger().is_building())));
    assert!(net.run_until(10 * SECOND, Network::converged));
    net.node(all[0]).check();
    for claim in net.node(all[0]).ledger().claims() {
        assert!(net.node(all[1]).ledger().equals(claim));
    }
    assert_eq!(net.node(all[0]).ledger().claims().count(), 2);
}

#[test]
fn a_ring_is_bounded_and_never_without_its_primary() {
    let mut net = Network::new(41);
    let node = net.add();
    assert_eq!(net.add_key(node, PASSWORD), Err(KeyError::Known));
    for n in 1..KEYS {
        net.add_key(node, &format!("password {n}")).unwrap();
    }
    assert_eq!(net.add_key(node, NEW), Err(KeyError::Full));
    assert_eq!(net.remove_key(node, PASSWORD), Err(KeyError::Primary));
    assert_eq!(net.remove_key(node, NEW), Err(KeyError::Unknown));
    assert_eq!(net.use_key(node, NEW), Err(KeyError::Unknown));
    net.use_key(node, "password 2").unwrap();
    net.remove_key(node, PASSWORD).unwrap();
    net.crash(node);
    net.start(node);
    assert_eq!(net.primary(node), Network::key_of("password 2").key_id());
    assert_eq!(net.node(node).settings().keys.iter().count(), KEYS - 1);
}
