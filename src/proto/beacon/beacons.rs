//! [`Beacons`]: a node's beacons in one network: when it sends its own, and which of those that it hears it answers. An
//! answer is one REGISTER: nothing is believed of a beacon but that it may be worth asking who is there.
//!
//! A beacon can be recorded and replayed from any address, so answers are what must be few: see [`Ignored`] for who gets
//! none. Whatever is replayed, a daemon sends at most [`BEACON_ANSWERS`](crate::proto::limits::BEACON_ANSWERS) datagrams a
//! second, and one in ten seconds to any source.

use super::heard::Heard;
use super::namesakes::{Namesake, Namesakes};
use super::rule::Rule;
use super::schedule::Schedule;
use super::{Answers, Beacon, BeaconKey, Unread};
use crate::proto::gossip::Guid;
use crate::proto::limits::{ANSWERERS, BEACON_SIZE};
use crate::proto::time::Tick;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

macro_rules! ignored {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why nothing follows from a datagram that came to the discovery port. The checks are made in this order.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Ignored { $($(#[$doc])* $name,)* }

        impl Ignored {
            /// All causes, in the order of the checks.
            pub const ALL: &[Ignored] = &[$(Ignored::$name,)*];

            /// The counter's name.
            pub fn name(self) -> &'static str {
                match self { $(Ignored::$name => $text,)* }
            }
        }
    };
}

ignored! {
    /// It came from beyond the link.
    OffLink = "off_link",
    /// It is no beacon.
    Malformed = "malformed",
    /// A beacon of a version that we do not speak.
    Version = "version",
    /// One of another network.
    Foreign = "foreign",
    /// One of a network with the name of ours and another password.
    Namesake = "namesake",
    /// Our own.
    Own = "own",
    /// It was here before, or a later one of its node was.
    Replay = "replay",
    /// We know this node already.
    Known = "known",
    /// It is left to others to answer, of whom there are enough.
    Left = "left_to_others",
    /// Too many others were answered in this second.
    Budget = "budget",
    /// Its source was answered a moment ago.
    Source = "source",
}

/// How a node stands to one that it heard a beacon of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether it knows that one, in this run of it, and reaches it.
    pub known: bool,
    /// How many nodes are in the network as far as it knows, itself included.
    pub nodes: usize,
}

/// The beacons of one network.
///
/// - Beacons out: [`poll_timeout`](Beacons::poll_timeout), [`poll_beacon`](Beacons::poll_beacon),
///   [`restart`](Beacons::restart), [`change_keys`](Beacons::change_keys).
/// - Beacons in: [`handle_datagram`](Beacons::handle_datagram), then for a fresh beacon [`answer`](Beacons::answer).
/// - Views: [`heard`](Beacons::heard), [`namesakes`](Beacons::namesakes), [`counts`](Beacons::counts).
#[derive(Debug)]
pub struct Beacons {
    /// Seals.
    key: BeaconKey,
    /// These open too.
    other_keys: Vec<BeaconKey>,
    rng: ChaCha8Rng,
    schedule: Schedule,
    /// The run that the last beacon was of.
    own: Option<(Guid, u64)>,
    counter: u32,
    heard: Heard,
    namesakes: Namesakes,
    answered: u64,
    ignored: BTreeMap<Ignored, u64>,
    #[cfg(test)]
    pub(super) lacking: Option<Rule>,
}

impl Beacons {
    /// Nothing said or heard yet.
    pub fn new(key: BeaconKey, seed: [u8; 32], now: Tick) -> Beacons {
        let mut rng = ChaCha8Rng::from_seed(seed);
        let schedule = Schedule::start(now, &mut rng);
        let (other_keys, own, counter, heard, namesakes, answered, ignored) = Default::default();
        Beacons {
            key,
            other_keys,
            rng,
            schedule,
            own,
            counter,
            heard,
            namesakes,
            answered,
            ignored,
            #[cfg(test)]
            lacking: None,
        }
    }

    /// The network's keys have changed: the first seals from now on, all open; nothing happens where there are none.
    pub fn change_keys(&mut self, keys: impl IntoIterator<Item = BeaconKey>) {
        let mut keys = keys.into_iter();
        if let Some(key) = keys.next() {
            (self.key, self.other_keys) = (key, keys.collect());
        }
    }

    /// When the next own beacon is due.
    pub fn poll_timeout(&self) -> Tick {
        self.schedule.next()
    }

    /// The bytes to send to the link if a beacon is due: of the node `guid` in this epoch, which receives at `port`.
    pub fn poll_beacon(&mut self, now: Tick, guid: Guid, epoch: u64, port: u16) -> Option<[u8; BEACON_SIZE]> {
        if !self.schedule.due(now, &mut self.rng) {
            return None;
        }
        // As a counter goes on over runs too, no two beacons of a node ever say the same.
        self.counter = self.counter.saturating_add(1);
        self.own = Some((guid, epoch));
        Some(self.key.seal(&Beacon { guid, epoch, counter: self.counter, port }))
    }

    /// Begins again with a beacon at once: the surroundings have changed.
    pub fn restart(&mut self, now: Tick) {
        self.schedule = Schedule::start(now, &mut self.rng);
    }

    /// Reads a datagram that came from `from`, which is on a link of this host or is not. What it gives is a beacon of
    /// another node that was not here before: [`answer`](Beacons::answer) says what follows.
    pub fn handle_datagram(
        &mut self,
        now: Tick,
        from: SocketAddr,
        on_link: bool,
        datagram: &[u8],
    ) -> Result<Beacon, Ignored> {
        let read = self.read(now, from, on_link, datagram);
        read.inspect_err(|&cause| self.count(cause))
    }

    /// Where to register because of a fresh beacon from `from`, if that is to be.
    pub fn answer(
        &mut self,
        now: Tick,
        from: SocketAddr,
        beacon: &Beacon,
        standing: Standing,
        answers: &mut Answers,
    ) -> Result<SocketAddr, Ignored> {
        let judged = self.judge(standing).and_then(|()| answers.admit(now, from.ip()));
        match judged {
            Ok(()) => {
                self.answered += 1;
                Ok(of_port(from, beacon.port))
            }
            Err(cause) => {
                self.count(cause);
                Err(cause)
            }
        }
    }

    /// Nodes of this network that were heard, the last one first: who, where to register, and when.
    pub fn heard(&self) -> impl Iterator<Item = (Guid, SocketAddr, Tick)> {
        self.heard.iter()
    }

    /// Neighbours that have a network of this name and another password.
    pub fn namesakes(&self) -> impl Iterator<Item = (IpAddr, Namesake)> {
        self.namesakes.iter()
    }

    /// What became of the datagrams that came, by name.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        let count = |&cause: &Ignored| (cause.name(), self.ignored.get(&cause).copied().unwrap_or_default());
        Ignored::ALL.iter().map(count).chain([("sent", u64::from(self.counter)), ("answered", self.answered)]).collect()
    }

    /// Panics if a bound is broken.
    pub fn check(&self) {
        self.heard.check();
        assert!(self.namesakes.iter().count() <= crate::proto::limits::NAMESAKES);
    }

    fn read(&mut self, now: Tick, from: SocketAddr, on_link: bool, datagram: &[u8]) -> Result<Beacon, Ignored> {
        if !on_link && !self.lacks(Rule::OnLink) {
            return Err(Ignored::OffLink);
        }
        let opened = self.other_keys.iter().map(|key| key.open(datagram)).find(Result::is_ok);
        // A neighbour that has any key of ours is no namesake, whichever it uses.
        let beacon = match opened.unwrap_or_else(|| self.key.open(datagram)) {
            Ok(beacon) => beacon,
            Err(Unread::Malformed) => return Err(Ignored::Malformed),
            Err(Unread::Version) => return Err(Ignored::Version),
            Err(Unread::Foreign) => return Err(Ignored::Foreign),
            Err(Unread::Namesake) => {
                self.namesakes.hear(now, from.ip());
                return Err(Ignored::Namesake);
            }
        };
        // No node receives at port 0.
        if beacon.port == 0 {
            return Err(Ignored::Malformed);
        }
        if self.own == Some((beacon.guid, beacon.epoch)) && !self.lacks(Rule::Own) {
            return Err(Ignored::Own);
        }
        if !self.heard.is_fresh(now, &beacon) && !self.lacks(Rule::Fresh) {
            return Err(Ignored::Replay);
        }
        self.heard.note(now, &beacon, of_port(from, beacon.port));
        Ok(beacon)
    }

    fn judge(&mut self, standing: Standing) -> Result<(), Ignored> {
        if standing.known && !self.lacks(Rule::Known) {
            return Err(Ignored::Known);
        }
        let draw = self.rng.random_range(0..standing.nodes.max(1));
        if draw >= ANSWERERS && !self.lacks(Rule::Few) {
            return Err(Ignored::Left);
        }
        Ok(())
    }

    fn count(&mut self, cause: Ignored) {
        *self.ignored.entry(cause).or_default() += 1;
    }
}

/// The same address, link included, at another port.
fn of_port(mut addr: SocketAddr, port: u16) -> SocketAddr {
    addr.set_port(port);
    addr
}
