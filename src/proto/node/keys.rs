//! How a node's keys change while it runs: a key is accepted, then used, then accepted no longer. What is said and compared
//! under a key needs the ledger's sketch under it, which is built in the background first.

use super::{Node, To};
use crate::proto::keyring::KeyError;
use crate::proto::seal::{KeyId, NetworkKey};
use crate::proto::time::Tick;
use std::time::Duration;

/// Between two steps of a sketch: the node's time is for others in between.
const PAUSE: Duration = Duration::from_millis(1);

impl Node {
    /// Accepts another key: what is sealed with it opens from now on.
    pub fn add_key(&mut self, now: Tick, key: &NetworkKey) -> Result<(), KeyError> {
        self.settings.keys.add(key.clone())?;
        self.ledger.begin(key);
        self.next_build = now;
        Ok(())
    }

    /// Seals with a key of the ring, from when its sketch is whole on; whether it is, [`Keyring::primary`](crate::proto::keyring::Keyring::primary) tells.
    pub fn use_key(&mut self, key: KeyId) -> Result<(), KeyError> {
        if !self.settings.keys.contains(key) {
            return Err(KeyError::Unknown);
        }
        self.next_key = Some(key);
        self.change_primary();
        Ok(())
    }

    /// Accepts a key no longer.
    pub fn remove_key(&mut self, key: KeyId) -> Result<(), KeyError> {
        self.settings.keys.remove(key)?;
        self.next_key = self.next_key.filter(|next| *next != key);
        self.ledger.drop_key(key);
        self.repairs.forget_key(key);
        Ok(())
    }

    pub(super) fn build_sketches(&mut self, now: Tick) {
        if self.next_build <= now && self.ledger.build() {
            self.next_build = now + PAUSE;
            self.change_primary();
        }
    }

    pub(super) fn next_step(&self) -> Tick {
        if self.ledger.is_building() { self.next_build } else { Tick::NEVER }
    }

    fn change_primary(&mut self) {
        let Some(next) = self.next_key.filter(|&next| self.ledger.sketch_under(next).is_some()) else { return };
        let last = self.settings.keys.primary().key_id();
        self.next_key = None;
        // A ring that has a sketch under the key has the key.
        if next == last || self.settings.keys.prefer(next).is_err() {
            return;
        }
        self.ledger.prefer(next);
        // What waits to be sent may speak of our set, in the words of the key that was the primary when it was made.
        for (to, _) in &mut self.outbox {
            if let To::Peer(peer) = *to {
                *to = To::Under(last, peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::wire::Message;
    use crate::sim::{Network, PASSWORD};

    const NEW: &str = "sesame street";

    #[test]
    fn what_waits_to_be_sent_is_sealed_with_the_key_that_it_speaks_under() {
        let mut net = Network::new(7);
        let all = net.add_cluster(2);
        net.run(Duration::from_secs(5));
        all.iter().for_each(|&node| net.add_key(node, NEW).unwrap());
        net.create(0, "so that the roots differ").unwrap();
        net.run(Duration::from_secs(5));
        let (now, state, other) = (net.now(), net.node(0).ledger().state(), net.node(1).settings().guid);
        let node = net.node_mut(0);
        node.ping(now, other, None);
        node.use_key(Network::key_of(NEW).key_id()).unwrap();
        node.ping(now, other, None);
        net.capture = true;
        net.run(Duration::from_millis(1500));
        let hellos = net.captured.iter().filter(|(from, ..)| *from == net.addr(0)).filter_map(|(_, _, bytes)| {
            let opened = net.node(1).settings().keys.open(bytes).unwrap();
            match Message::decode(&opened).unwrap() {
                Message::Hello(hello) => Some((opened.key(), hello.state)),
                _ => None,
            }
        });
        let hellos: Vec<_> = hellos.collect();
        assert_eq!(hellos[0], (Network::key_of(PASSWORD).key_id(), state));
        assert_eq!(hellos[1].0, Network::key_of(NEW).key_id());
        assert_ne!(hellos[1].1.root, state.root);
    }
}
