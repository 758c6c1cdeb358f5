//! What must hold once a swarm is calm.

use super::{Adversary, Swarm};
use crate::proto::gossip::Guid;
use crate::proto::peers::{Peer, Reach};
use crate::sim::{Link, Network, Reads};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
/// For so long it is watched on where they did not agree, to tell what is late from what never comes.
const LONGER: Duration = Duration::from_secs(1200);
/// How often they are looked at until they are quiet, half a minute each time.
const QUIETER: usize = 10;
/// Datagrams that a node sends in 10 s at most when there is nothing to say.
const QUIET: u64 = 40;
/// And where somebody named peers that nobody ever met, which are tried again now and then.
const HAUNTED: u64 = 80;

impl Swarm {
    /// The faults stop, and everyone runs.
    pub(super) fn calm_down(&mut self) {
        self.net.link = Link::default();
        self.net.capture = false;
        self.net.captured.clear();
        self.net.heal();
        for node in 0..self.net.hosts() {
            self.net.disk(node).full = false;
            self.net.disk(node).reads = Reads::Sound;
            self.net.resume(node);
            if !self.net.is_running(node) {
                self.start(node);
            }
        }
        // A network may lose its settings with the only disk that had them; then it has none.
        if let Some(law) = self.law.take() {
            let held = self.net.running().any(|node| self.net.node(node).ledger().contains(&law.guid()));
            self.tally.add("laws_lost", u64::from(!held));
        }
        // Who moved, or knows nobody where he is now, is registered by hand, as any new host.
        let addrs: Vec<SocketAddr> = (0..self.net.hosts()).map(|node| self.net.addr(node)).collect();
        for (node, addr) in addrs.iter().enumerate() {
            let knows = |peer: &SocketAddr| peer != addr && addrs.contains(peer);
            let alone = !self.net.node(node).peers().iter().any(|(_, peer)| knows(&peer.addr));
            if alone || self.moved.contains(&node) {
                let others = |other: &usize| *other != node && !self.moved.contains(other);
                let with = (0..addrs.len()).find(others).unwrap_or(usize::from(node == 0));
                self.net.register(node, with);
            }
        }
    }

    pub(super) fn agree(&mut self) {
        let begun = self.net.now();
        let rotated = (0..30).any(|_| {
            let over = self.rotation.finish(&mut self.net, &mut self.tally);
            self.net.run(SECOND);
            over
        });
        assert!(rotated, "the password does not change");
        // What somebody made up is wanted for as long as nobody knows better.
        let settles = !self.options.adversary.is_some_and(Adversary::is_inside);
        let agree = move |net: &Network| {
            let count = |node| net.node(node).ledger().state().count;
            let equal = net.running().all(|node| count(node) == count(0)) && net.converged();
            let settled = || net.running().all(|node| net.node(node).is_settled());
            equal && (!settles || settled()) && guids(net).len() == net.hosts()
        };
        let patience = self.patience();
        let agreed = self.net.run_until(patience, agree);
        if !agreed {
            let why = self.describe();
            let (later, waited) = (self.net.run_until(LONGER, agree), self.net.now().since(begun).as_secs());
            let later = if later { format!("only in {waited} s") } else { format!("not even in {waited} s") };
            panic!("no agreement in {patience:?}, {later}: {why}");
        }
        self.net.assert_converged();
        self.tally.most("most_ms_to_agreement", self.net.now().since(begun).as_millis() as u64);
    }

    /// Once all agree, and peers that were gone have been tried again, nodes only greet one another.
    pub(super) fn be_quiet(&mut self) {
        let sent = |net: &Network| -> Vec<u64> {
            (0..net.hosts()).map(|node| net.node(node).stats().datagrams_sent).collect()
        };
        let haunted = self.options.adversary.is_some_and(Adversary::is_inside);
        let bound = if haunted { HAUNTED } else { QUIET };
        let mut most = u64::MAX;
        for _ in 0..QUIETER {
            self.net.run(25 * SECOND);
            let before = sent(&self.net);
            self.net.run(10 * SECOND);
            let spent = sent(&self.net).into_iter().zip(before).map(|(after, before)| after - before);
            most = spent.max().unwrap_or(0);
            if most <= bound {
                break;
            }
        }
        assert!(most <= bound, "not quiet: {most} datagrams in 10 s: {}", self.describe());
        self.tally.most("most_sent_in_10s_of_calm", most);
        self.net.assert_converged();
        self.nobody_is_made_up();
    }

    /// Whom nobody ever met is not held for alive, or not for long: who knows nobody believes the first who tells it of
    /// others, and finds out by its probes, one after the other.
    fn nobody_is_made_up(&mut self) {
        let made_up = |addr: SocketAddr| super::adversary::is_made_up(addr);
        let believed = |(_, peer): &(Guid, Peer<'_>)| peer.reach == Reach::Reachable && made_up(peer.addr);
        let believer = |net: &Network| {
            net.running().find_map(|node| Some((node, format!("{:?}", net.node(node).peers().iter().find(believed)?))))
        };
        let end = self.net.now() + (60 + 2 * self.net.hosts() as u32) * SECOND;
        while let Some(believer) = believer(&self.net) {
            assert!(self.net.now() < end, "somebody believes in a peer that was made up: {believer:?}");
            self.net.run(5 * SECOND);
        }
    }

    /// What keeps nodes from agreeing.
    fn describe(&self) -> String {
        let net = &self.net;
        let (mut told, usual) = (String::new(), net.node(0).ledger().state());
        for node in net.running() {
            let (running, guid, addr) = (net.node(node), net.guid(node), net.addr(node));
            let state = running.ledger().state();
            if state != usual || !running.is_settled() || node == 0 {
                told += &format!(
                    "\nnode {node} {guid} at {addr}: {} records, settled {}",
                    state.count,
                    running.is_settled()
                );
            }
            let odd = |&(peer, ref of): &(Guid, Peer<'_>)| {
                let there = net.running().find(|&other| net.guid(other) == peer).map(|other| net.addr(other));
                there != Some(of.addr) || of.reach != Reach::Reachable
            };
            for (peer, of) in running.peers().iter().filter(odd).take(3) {
                told += &format!("\nnode {node} has {peer} at {}: {:?}, {}", of.addr, of.reach, of.reason);
            }
        }
        let (hosts, names) = (net.hosts(), guids(net).len());
        told + &format!("\n{hosts} hosts, {names} names, acknowledged and not at node 0: {:?}", net.lacking(0))
    }
}

fn guids(net: &Network) -> BTreeSet<Guid> {
    net.running().map(|node| net.node(node).settings().guid).collect()
}
