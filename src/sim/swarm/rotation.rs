//! [`Rotation`]: the password of a swarm changes, host by host, while everything else happens too.

use super::Tally;
use crate::sim::{Network, PASSWORD};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use std::collections::BTreeSet;

/// How far a change of the password has come: the new key is accepted everywhere, then used everywhere, then the old one
/// is removed everywhere.
#[derive(Default)]
pub(super) struct Rotation {
    /// How many changes are over.
    turns: u32,
    phase: Phase,
    /// The hosts that are through with this phase.
    done: BTreeSet<usize>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Add,
    Use,
    Remove,
}

impl Rotation {
    fn password(turn: u32) -> String {
        if turn == 0 { PASSWORD.to_owned() } else { format!("password {turn}") }
    }

    /// A few hosts are told what comes next.
    pub(super) fn go_on(&mut self, net: &mut Network, rng: &mut ChaCha8Rng, tally: &mut Tally) {
        for _ in 0..rng.random_range(1..=net.hosts()) {
            let first = rng.random_range(0..net.hosts());
            let next = (0..net.hosts()).map(|step| (first + step) % net.hosts()).find(|host| !self.done.contains(host));
            match next {
                Some(host) => self.tell(net, host, tally),
                None => self.advance(tally),
            }
        }
    }

    /// All of them are told, until the change is over. False where somebody is not yet through.
    pub(super) fn finish(&mut self, net: &mut Network, tally: &mut Tally) -> bool {
        while self.phase != Phase::Add || !self.done.is_empty() {
            (0..net.hosts()).for_each(|host| self.tell(net, host, tally));
            if self.done.len() < net.hosts() {
                return false;
            }
            self.advance(tally);
        }
        true
    }

    fn advance(&mut self, tally: &mut Tally) {
        self.done.clear();
        self.phase = match self.phase {
            Phase::Add => Phase::Use,
            Phase::Use => Phase::Remove,
            Phase::Remove => {
                self.turns += 1;
                tally.add("rotations_finished", 1);
                Phase::Add
            }
        };
    }

    fn tell(&mut self, net: &mut Network, host: usize, tally: &mut Tally) {
        let (old, new) = (Rotation::password(self.turns), Rotation::password(self.turns + 1));
        let told = match self.phase {
            Phase::Add => net.add_key(host, &new),
            Phase::Use => net.use_key(host, &new),
            Phase::Remove => net.remove_key(host, &old),
        };
        // A copy of a home may have been told before; who still seals with the old key is told again later.
        let (old, new) = (Network::key_of(&old).key_id(), Network::key_of(&new).key_id());
        let keys = net.keys(host);
        let done = match self.phase {
            Phase::Add => keys.contains(new),
            Phase::Use => keys.primary().key_id() == new,
            Phase::Remove => !keys.contains(old),
        };
        if done {
            self.done.insert(host);
            tally.add("keys_changed", u64::from(told.is_ok()));
        }
    }
}
