//! What happens while a swarm is in chaos.

use super::{Fault, Swarm};
use crate::proto::decree::{Decree, Terms};
use crate::proto::gossip::{Gossip, Guid, Kind};
use crate::proto::time::Timestamp;
use crate::sim::{BEGINNING, Reads};
use bytes::Bytes;
use rand::RngExt;
use rand::seq::IndexedRandom;
use std::net::SocketAddr;
use std::time::Duration;

/// How long a network keeps records, where it does not keep them for ever.
const MAX_AGE: Duration = Duration::from_secs(3600);
/// Records that are there from the beginning where some are to grow too old.
const OLD: u64 = 40;
/// Clones that there are at most.
const CLONES: usize = 2;

impl Swarm {
    pub(super) fn something_happens(&mut self) {
        let node = self.rng.random_range(0..self.net.hosts());
        match self.rng.random_range(0..10) {
            0..4 => self.say(node),
            4 | 5 if !self.net.is_running(node) => self.start(node),
            4 | 5 => self.net.resume(node),
            _ => {
                if let Some(&fault) = self.options.faults.choose(&mut self.rng) {
                    self.go_wrong(fault, node);
                }
            }
        }
        if let Some(stranger) = &mut self.stranger {
            stranger.act(&mut self.net, &mut self.rng, &mut self.tally);
        }
    }

    fn go_wrong(&mut self, fault: Fault, node: usize) {
        let (awake, eased) = (self.net.is_awake(node), self.rng.random_bool(0.4));
        match fault {
            Fault::Partitions | Fault::Cuts | Fault::Clogs if eased => self.net.heal(),
            Fault::Partitions => self.split(),
            Fault::Cuts => {
                let other = self.rng.random_range(0..self.net.hosts());
                self.net.cut(node, other);
                self.tally.add("cuts", 1);
            }
            Fault::Clogs => {
                let (other, span) = (self.rng.random_range(0..self.net.hosts()), self.seconds(60));
                self.net.clog(node, other, span);
                self.tally.add("clogs", 1);
            }
            Fault::Crashes | Fault::TornCommits | Fault::Corruption | Fault::Backups if self.net.is_running(node) => {
                self.break_down(fault, node);
            }
            Fault::Leaves if awake => {
                self.net.stop(node, false);
                self.tally.add("leaves", 1);
            }
            Fault::Moves => self.move_away(node),
            Fault::Rebindings => {
                self.moves += 1;
                self.net.rebind(node, 20_000 + self.moves);
                self.moved.insert(node);
                self.tally.add("nat_rebindings", 1);
            }
            Fault::FullDisks => {
                let full = !self.net.disk(node).full;
                self.net.disk(node).full = full;
                self.tally.add("disks_full", u64::from(full));
            }
            Fault::BadReads => {
                let some = [Reads::Sound, Reads::Never, Reads::Gone, Reads::Wrong][self.rng.random_range(0..4)];
                self.net.disk(node).reads = some;
                self.tally.add("bad_reads", u64::from(some != Reads::Sound));
            }
            Fault::Clocks => self.turn_clock(node),
            Fault::Pauses if awake => {
                let span = self.seconds(60);
                self.net.pause(node, span);
                self.tally.add("pauses", 1);
            }
            Fault::Clones if self.net.hosts() < self.options.nodes + CLONES => {
                self.net.clone_home(node);
                self.tally.add("homes_cloned", 1);
            }
            Fault::Keys => self.rotation.go_on(&mut self.net, &mut self.rng, &mut self.tally),
            _ => {}
        }
    }

    fn seconds(&mut self, most: u64) -> Duration {
        Duration::from_millis(self.rng.random_range(1..=1000 * most))
    }

    /// A node goes down the hard way; half of the time it is back at once.
    fn break_down(&mut self, fault: Fault, node: usize) {
        match fault {
            Fault::TornCommits => {
                let kept = self.rng.random_range(0..20);
                self.net.crash_torn(node, kept);
                self.tally.add("torn_commits", 1);
            }
            Fault::Corruption => {
                let (share, all) = (self.rng.random_range(0.0..=1.0), self.rng.random_bool(0.3));
                self.net.corrupt(node, share, all);
                self.tally.add("corrupt_stores", 1);
            }
            Fault::Backups => match self.backup.take() {
                Some((node, backup)) => {
                    self.net.restore_backup(node, backup);
                    self.tally.add("backups_restored", 1);
                }
                None => return self.backup = Some((node, self.net.back_up(node))),
            },
            _ => self.net.crash(node),
        }
        if self.rng.random_bool(0.5) && !self.net.is_running(node) {
            self.start(node);
        }
    }

    /// From one byte to the longest, as often short as long.
    fn say(&mut self, node: usize) {
        let magnitude = self.rng.random_range(0.0..=(self.options.longest as f64).ln());
        let len = (magnitude.exp() as usize).clamp(1, self.options.longest);
        let msg: Vec<u8> = (0..len).map(|_| self.rng.random_range(b' '..=b'~')).collect();
        if self.net.is_awake(node) && self.net.create(node, msg).is_some() {
            self.tally.add("records", 1);
            self.tally.add("long_records", u64::from(len > 65_536));
        }
    }

    pub(super) fn start(&mut self, node: usize) {
        if self.options.has(Fault::Clocks) && self.rng.random_bool(0.3) {
            self.turn_clock(node);
        }
        self.net.start(node);
    }

    /// By seconds or by decades, forwards or back.
    fn turn_clock(&mut self, node: usize) {
        let most = [60, 86_400, 70 * 365 * 86_400][self.rng.random_range(0..3)];
        let seconds: i64 = self.rng.random_range(-most..=most);
        self.net.set_clock(node, seconds * 1_000_000);
        self.tally.add("clock_jumps", 1);
    }

    fn split(&mut self) {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for node in 0..self.net.hosts() {
            if self.rng.random_bool(0.5) { left.push(node) } else { right.push(node) }
        }
        self.net.partition(&[&left, &right]);
        self.tally.add("partitions", 1);
    }

    fn move_away(&mut self, node: usize) {
        self.moves += 1;
        let [high, low] = self.moves.to_be_bytes();
        self.net.move_to(node, SocketAddr::from(([10, 1 + high, low, node as u8], 6884)));
        self.moved.insert(node);
        self.tally.add("moves", 1);
    }

    /// Where the network keeps nothing for ever, there are records that grow too old one after the other, all of them
    /// before the chaos is over.
    pub(super) fn remember(&mut self) {
        if !self.options.has(Fault::Retention) {
            return;
        }
        let terms = Decree::Settings(Terms { max_age: Some(MAX_AGE), origin_timeout: None });
        let make = |kind, at, msg: String| Gossip::make(kind, at, Guid([9; 16]), "elder", Bytes::from(msg));
        let law = make(Kind::Settings, Timestamp(1), terms.to_string()).expect("a decree by the rules");
        self.net.preload(0, &law);
        self.law = Some(law);
        let oldest = BEGINNING.0 - MAX_AGE.as_micros() as u64;
        let step = self.options.span().as_micros() as u64 / (2 * OLD);
        for number in 1..=OLD {
            let record = make(Kind::Message, Timestamp(oldest + number * step), format!("elder {number}"));
            let node = self.rng.random_range(0..self.net.hosts());
            self.net.preload(node, &record.expect("a message by the rules"));
        }
    }
}
