//! What agreeing costs: bytes and round trips for each difference, and that rounds end well while both sets change. Two
//! sketches and the round between them, with every datagram in its real size, over a link that loses some.

use bytes::BytesMut;
use gossip_node::proto::gossip::Guid;
use gossip_node::proto::limits::{HEADER, TAG, UNDO};
use gossip_node::proto::repairs::{Found, Repairs};
use gossip_node::proto::rtt::Rtt;
use gossip_node::proto::seal::KeyId;
use gossip_node::proto::sketch::Sketch;
use gossip_node::proto::time::Tick;
use gossip_node::proto::wire::{Message, Symbols};
use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const UNDER: KeyId = KeyId([7; 4]);
const KEY: [u8; 16] = [3; 16];
const PEER: Guid = Guid([1; 16]);
const ONE_WAY: Duration = Duration::from_millis(5);

/// One side's set, of which only what the other lacks is listed.
struct Side {
    sketch: Sketch,
    only_here: Vec<Guid>,
}

enum Flying {
    Ask(u64, u32, u64),
    Digest,
    Symbols(Symbols),
}

/// Two sets that differ, and the round by which the one finds out how.
struct Pair {
    rng: ChaCha8Rng,
    loss: f64,
    now: Tick,
    /// Changes a second on each side.
    pace: u64,
    changed: Tick,
    asking: Side,
    answering: Side,
    repairs: Repairs,
    rtt: Rtt,
    flying: BTreeMap<(Tick, u64), Flying>,
    flown: u64,
}

/// What a round came to.
#[derive(Default)]
struct Round {
    bytes: usize,
    trips: u32,
    /// Whether the difference was found, and was just the one that there was when the digest came.
    found: bool,
    right: bool,
}

impl Pair {
    /// Two sets with `common` in common, and so many differences, a part of them on each side.
    fn new(seed: u64, common: usize, differences: usize, loss: f64) -> Pair {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let side = || Side { sketch: Sketch::new(&KEY), only_here: Vec::new() };
        let (mut asking, mut answering) = (side(), side());
        let mut all: [Vec<Guid>; 2] = Default::default();
        for _ in 0..common {
            let guid = fresh(&mut rng);
            all.iter_mut().for_each(|all| all.push(guid));
        }
        for number in 0..differences {
            let guid = fresh(&mut rng);
            let here = usize::from(number % 3 == 0);
            all[here].push(guid);
            [&mut asking, &mut answering][here].only_here.push(guid);
        }
        for (side, all) in [&mut asking, &mut answering].into_iter().zip(all) {
            all.iter().for_each(|&guid| side.sketch.insert(guid));
            let wanted = Sketch::wanted_prefix(all.len() as u64);
            side.sketch.grow(wanted, all);
        }
        let mut rtt = Rtt::default();
        (0..20).for_each(|_| rtt.sample(2 * ONE_WAY));
        let (now, changed, flying, flown) = Default::default();
        let repairs = Repairs::default();
        Pair { rng, loss, now, pace: 0, changed, asking, answering, repairs, rtt, flying, flown }
    }

    /// From a digest to the difference; a digest that is lost, or a round that is dropped, is begun again.
    fn round(&mut self) -> Round {
        let mut round = Round::default();
        let mut truth = BTreeSet::new();
        self.flying.clear();
        round.trips = 1;
        self.send_digest(&mut round);
        loop {
            while let Some((_, _, ask)) = self.repairs.poll_ask(self.now, |_| true, |_| self.rtt) {
                let symbols = ask.symbols.expect("only symbols are asked for");
                round.trips += 1;
                self.send(
                    &mut round,
                    &Message::TellMeMore(ask.clone()),
                    Flying::Ask(symbols.change, symbols.first, symbols.chunks),
                );
            }
            let arrival = self.flying.first_key_value().map_or(Tick::NEVER, |(&(at, _), _)| at);
            let at = arrival.min(self.repairs.poll_timeout(|_| true));
            if at == Tick::NEVER {
                self.now = self.now + Duration::from_secs(1);
                self.change();
                self.send_digest(&mut round);
                continue;
            }
            self.now = self.now.max(at);
            self.change();
            if at != arrival {
                continue;
            }
            let Some((_, flying)) = self.flying.pop_first() else { continue };
            let found = match flying {
                Flying::Ask(change, first, chunks) => {
                    match Repairs::more(&self.answering.sketch, change, first, chunks) {
                        Some(all) => {
                            for symbols in all {
                                self.send(&mut round, &Message::Symbols(symbols.clone()), Flying::Symbols(symbols));
                            }
                        }
                        None => self.send_digest(&mut round),
                    }
                    continue;
                }
                Flying::Digest => {
                    // As it is when it comes: nothing changed meanwhile that it does not know.
                    let digest = Repairs::digest(&self.answering.sketch);
                    truth = self.asking.only_here.iter().chain(&self.answering.only_here).copied().collect();
                    self.repairs.handle_digest(self.now, PEER, UNDER, &digest, &self.asking.sketch, 0)
                }
                Flying::Symbols(symbols) => {
                    self.repairs.handle_symbols(self.now, PEER, UNDER, symbols, &self.asking.sketch)
                }
            };
            match found {
                Found::Nothing => {}
                Found::Large(_) => {
                    self.repairs.forget(&PEER);
                    return round;
                }
                Found::Difference(found) => {
                    round.found = true;
                    round.right = found.len() == truth.len() && found.into_iter().collect::<BTreeSet<_>>() == truth;
                    return round;
                }
            }
        }
    }

    fn send_digest(&mut self, round: &mut Round) {
        let digest = Message::DidYouHere(Box::new(Repairs::digest(&self.answering.sketch)));
        self.send(round, &digest, Flying::Digest);
    }

    fn send(&mut self, round: &mut Round, message: &Message, flying: Flying) {
        let mut body = BytesMut::new();
        message.encode(&mut body);
        round.bytes += HEADER + body.len() + TAG;
        if !self.rng.random_bool(self.loss) {
            self.flown += 1;
            let jitter = Duration::from_micros(self.rng.random_range(0..500));
            self.flying.insert((self.now + ONE_WAY + jitter, self.flown), flying);
        }
    }

    /// Makes the changes that are due: on both sides records appear and disappear, so that the difference stays about
    /// as large as it was.
    fn change(&mut self) {
        if self.pace == 0 {
            return;
        }
        while self.changed <= self.now {
            self.changed = self.changed + Duration::from_micros(1_000_000 / self.pace);
            for side in [&mut self.asking, &mut self.answering] {
                if self.rng.random_bool(0.5) {
                    let guid = fresh(&mut self.rng);
                    side.sketch.insert(guid);
                    side.only_here.push(guid);
                } else if let Some(last) = side.only_here.len().checked_sub(1) {
                    let gone = side.only_here.swap_remove(self.rng.random_range(0..=last));
                    side.sketch.remove(gone);
                }
            }
        }
    }
}

fn fresh(rng: &mut ChaCha8Rng) -> Guid {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    Guid::random(bytes)
}

/// The mean over so many pairs of bytes for each difference, and of round trips.
fn mean(pairs: u64, differences: usize, loss: f64) -> (f64, f64) {
    let (mut bytes, mut trips) = (0.0, 0.0);
    for seed in 0..pairs {
        let round = Pair::new(seed, 4 * differences + 1000, differences, loss).round();
        assert!(round.found && round.right, "seed {seed}: {differences} differences are found");
        bytes += round.bytes as f64 / differences as f64;
        trips += f64::from(round.trips);
    }
    (bytes / pairs as f64, trips / pairs as f64)
}

#[test]
fn the_cost_of_agreeing_is_the_size_of_the_difference() {
    for (pairs, differences, most) in [(300, 100, 55.0), (100, 1000, 42.0), (30, 10_000, 40.0)] {
        let (bytes, _) = mean(pairs, differences, 0.0);
        eprintln!("{differences} differences: {bytes:.1} bytes each, no loss");
        assert!(bytes <= most, "{differences} differences cost {bytes:.1} bytes each");
    }
}

#[test]
fn loss_makes_it_dearer_by_what_was_lost() {
    for (pairs, differences, most) in [(300, 100, 70.0), (100, 1000, 55.0), (30, 10_000, 52.0)] {
        let (bytes, _) = mean(pairs, differences, 0.2);
        eprintln!("{differences} differences: {bytes:.1} bytes each, 20 % loss");
        assert!(bytes <= most, "{differences} differences cost {bytes:.1} bytes each");
    }
}

#[test]
fn few_differences_take_one_round_trip_and_many_not_many_more() {
    for (pairs, differences, most) in [(500, 10, 1.05), (300, 100, 2.5), (100, 1000, 3.5)] {
        let (_, trips) = mean(pairs, differences, 0.0);
        eprintln!("{differences} differences: {trips:.2} round trips");
        assert!(trips <= most, "{differences} differences took {trips:.2} round trips");
    }
}

#[test]
fn rounds_end_well_while_both_sets_change_a_thousand_times_a_second() {
    let (mut rounds, mut found) = (0, 0);
    for (seed, loss) in [(1, 0.0), (2, 0.05), (3, 0.1), (4, 0.2)] {
        for differences in [40, 300, 2000] {
            // Large enough that no estimate takes the difference for half of the set.
            let mut pair = Pair::new(seed, 10_000, differences, loss);
            pair.pace = 1000;
            for _ in 0..500 {
                let round = pair.round();
                assert!(!round.found || round.right, "a wrong difference");
                rounds += 1;
                found += u32::from(round.found);
            }
        }
    }
    eprintln!("{found} of {rounds} rounds decoded under 1,000 changes a second on both sides");
    assert!(f64::from(found) >= 0.999 * f64::from(rounds), "{found} of {rounds}");
}

/// While thousands of records are on their way here, the set will have moved too far before a round is over.
#[test]
fn no_round_is_begun_that_what_is_coming_would_outrun() {
    for (coming, begun) in [(0, true), (UNDO, true), (UNDO + 1, false)] {
        let mut pair = Pair::new(1, 10_000, 1000, 0.0);
        let digest = Repairs::digest(&pair.answering.sketch);
        let found = pair.repairs.handle_digest(pair.now, PEER, UNDER, &digest, &pair.asking.sketch, coming);
        assert_eq!(found, Found::Nothing);
        let ask = pair.repairs.poll_ask(pair.now, |_| true, |_| pair.rtt);
        assert_eq!(ask.is_some(), begun, "{coming} are to come");
    }
}

/// What was asked for at once is compared with the set as it was then, however far it moves while the answers come.
#[test]
fn symbols_that_were_asked_for_serve_a_set_that_has_moved_on() {
    let mut pair = Pair::new(2, 10_000, 300, 0.0);
    let digest = Repairs::digest(&pair.answering.sketch);
    pair.repairs.handle_digest(pair.now, PEER, UNDER, &digest, &pair.asking.sketch, 0);
    let (_, _, ask) = pair.repairs.poll_ask(pair.now, |_| true, |_| pair.rtt).expect("a round is begun");
    let ask = ask.symbols.expect("symbols are asked for");
    let answers = Repairs::more(&pair.answering.sketch, ask.change, ask.first, ask.chunks).unwrap();
    let mut found = Found::Nothing;
    for symbols in answers {
        found = pair.repairs.handle_symbols(pair.now, PEER, UNDER, symbols, &pair.asking.sketch);
        (0..UNDO).for_each(|_| pair.asking.sketch.insert(fresh(&mut pair.rng)));
        if found != Found::Nothing {
            break;
        }
    }
    let Found::Difference(found) = found else { panic!("one ask is enough for this difference: {found:?}") };
    let truth: BTreeSet<Guid> = pair.asking.only_here.iter().chain(&pair.answering.only_here).copied().collect();
    assert_eq!(found.into_iter().collect::<BTreeSet<Guid>>(), truth);
}
