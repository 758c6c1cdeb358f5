//! What goes wrong in a simulated network, when a story says so: on the way, in a host, on its disk.

use super::{Disk, Network};
use crate::proto::gossip::{Guid, Key};
use crate::proto::time::Tick;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

impl Network {
    /// Splits the network: nodes hear only those of their own side. Nodes not named are on side 0.
    pub fn partition(&mut self, sides: &[&[usize]]) {
        self.hosts.iter_mut().for_each(|host| host.side = 0);
        for (side, nodes) in sides.iter().enumerate() {
            nodes.iter().for_each(|&node| self.hosts[node].side = side as u32 + 1);
        }
    }

    /// Stops what `from` sends to `to`; the other direction stays as it is.
    pub fn cut(&mut self, from: usize, to: usize) {
        self.cuts.insert((from, to));
    }

    /// Holds back what `from` sends to `to` for so long; then it comes all at once.
    pub fn clog(&mut self, from: usize, to: usize, span: Duration) {
        self.clogs.insert((from, to), self.now + span);
    }

    /// Ends every partition, cut, clog and NAT.
    pub fn heal(&mut self) {
        self.partition(&[]);
        self.cuts.clear();
        self.clogs.clear();
        self.hosts.iter_mut().for_each(|host| host.holes = None);
    }

    /// Kills a node; its disk loses what it had not committed.
    pub fn crash(&mut self, node: usize) {
        self.crash_all(&[node]);
    }

    /// Kills nodes at once.
    pub fn crash_all(&mut self, nodes: &[usize]) {
        for &node in nodes {
            let host = &mut self.hosts[node];
            host.node = None;
            host.disk.crash();
            (host.wake, host.alarm, host.committing) = (Tick::NEVER, Tick::NEVER, Tick::NEVER);
            host.paused = None;
            self.seen.crashed += 1;
        }
        self.mourn(nodes);
    }

    /// From now on a host's wall clock is wrong by so many microseconds. Its node reads it when it starts, and for the
    /// dates of new records.
    pub fn set_clock(&mut self, node: usize, off: i64) {
        self.hosts[node].clock = off;
    }

    /// From now on a host's wall clock goes wrong by so many microseconds a second.
    pub fn set_drift(&mut self, node: usize, drift: i64) {
        self.hosts[node].drift = drift;
    }

    /// Stops a process for so long; what comes meanwhile waits for it.
    pub fn pause(&mut self, node: usize, span: Duration) {
        self.hosts[node].paused = Some(self.now + span);
    }

    /// Has it go on.
    pub fn resume(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        if host.paused.take().is_some() {
            host.wake = host.wake.max(self.now + Duration::from_micros(1));
            (host.alarm, host.committing) = (Tick::NEVER, Tick::NEVER);
            let plans = host.plan(self.now);
            self.schedule(node, plans);
        }
    }

    /// Whether a node runs and is not paused.
    pub fn is_awake(&self, node: usize) -> bool {
        self.is_running(node) && !self.sleeps(node)
    }

    pub(super) fn sleeps(&self, node: usize) -> bool {
        self.hosts[node].sleeps(self.now)
    }

    /// Kills a node in the middle of a commit: of what was not on disk, only so many facts are, and nobody knows it.
    pub fn crash_torn(&mut self, node: usize, kept: usize) {
        let kept = self.hosts[node].disk.tear(kept, &self.shelf);
        self.seen.torn += kept as u64;
        self.crash(node);
    }

    /// Kills a node and damages its disk: each record and peer is lost with this probability, and `all` that is not
    /// a record. What no other disk has is lost for good; nobody promises more of one disk.
    pub fn corrupt(&mut self, node: usize, share: f64, all: bool) {
        self.crash(node);
        self.seen.corrupted += self.hosts[node].disk.corrupt(share, all, &mut self.rng);
        self.disown();
    }

    /// Kills a node, whose disk loses this one record.
    pub fn lose(&mut self, node: usize, key: Key) {
        self.crash(node);
        self.hosts[node].disk.lose(key);
        self.disown();
    }

    /// A copy of what a node has on disk.
    pub fn back_up(&self, node: usize) -> Disk {
        let mut disk = self.hosts[node].disk.clone();
        disk.crash();
        disk
    }

    /// Kills a node and puts a backup in the place of its disk. What no other disk has is lost for good.
    pub fn restore_backup(&mut self, node: usize, backup: Disk) {
        self.crash(node);
        let disk = &mut self.hosts[node].disk;
        let (lost, refused, commit) = (disk.lost, disk.refused, disk.commit);
        *disk = backup;
        (disk.lost, disk.refused, disk.commit) = (lost, refused, commit);
        self.disown();
    }

    fn disown(&mut self) {
        let held: BTreeSet<Guid> = self.hosts.iter().flat_map(|host| host.disk.guids()).collect();
        let before = self.acknowledged.len();
        self.acknowledged.retain(|guid| held.contains(guid));
        self.seen.disowned += (before - self.acknowledged.len()) as u64;
    }

    /// A NAT in front of a host forgets it: others see it come from another port, and nothing reaches it any more but
    /// from where it sends something to.
    pub fn rebind(&mut self, node: usize, port: u16) {
        let mut addr = self.hosts[node].addr;
        addr.set_port(port);
        self.move_to(node, addr);
        self.hosts[node].holes = Some(BTreeSet::new());
    }

    /// Gives a node another address, as a DHCP server would.
    pub fn move_to(&mut self, node: usize, addr: SocketAddr) {
        self.places.remove(&self.hosts[node].addr);
        self.hosts[node].addr = addr;
        self.places.insert(addr, node);
    }

    /// Adds a host with a copy of another's home, its GUID and its clock included, and starts it.
    pub fn clone_home(&mut self, of: usize) -> usize {
        let mut disk = self.hosts[of].disk.clone();
        disk.crash();
        let (settings, seeds) = (self.hosts[of].settings.clone(), self.hosts[of].seeds.clone());
        let host = self.move_in(settings, disk, self.hosts[of].clock);
        self.start(host);
        seeds.into_iter().filter(|&seed| seed != host).for_each(|seed| self.register(host, seed));
        host
    }
}
