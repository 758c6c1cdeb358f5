//! The scenarios, each told in a few lines over a [`Stage`].

use super::report::{Maelstrom, Split};
use super::stage::{CALM, PATIENCE, SECOND, Stage, WINDOW};
use crate::proto::time::Tick;
use rand::RngExt;
use rand::seq::SliceRandom;
use std::collections::VecDeque;
use std::time::Duration;

/// Of how many nodes one leaves in a minute of churn.
const CHURN: f64 = 100.0;
/// How long who left stays away.
const AWAY: Duration = Duration::from_secs(10);
/// At how many nodes a burst is written.
const BURST_AUTHORS: usize = 100;

impl Stage<'_> {
    pub(super) fn join(&mut self) {
        self.meet(false);
        self.pass("settling down", CALM);
        self.mark();
        self.measure_idle(WINDOW);
        self.measure_peers();
    }

    pub(super) fn idle(&mut self) {
        self.warm_up();
        self.measure_idle(self.plan.lasting);
        self.measure_peers();
    }

    pub(super) fn spread(&mut self) {
        self.warm_up();
        self.write_one_by_one("writing", self.plan.records);
        self.await_records();
        self.measure_records();
        self.measure_peers();
    }

    pub(super) fn burst(&mut self) {
        self.warm_up();
        let mut authors: Vec<usize> = self.net.running().collect();
        authors.shuffle(&mut self.rng);
        authors.truncate(BURST_AUTHORS);
        for number in 0..self.plan.records {
            self.write(authors[number % authors.len()]);
        }
        self.await_records();
        self.measure_records();
        self.measure_peers();
    }

    pub(super) fn crash(&mut self) {
        self.warm_up();
        let mut all: Vec<usize> = self.net.running().collect();
        all.shuffle(&mut self.rng);
        all.truncate((all.len() as f64 * self.plan.crash).round() as usize);
        self.net.crash_all(&all);
        self.mark();
        self.write_one_by_one("writing after the crash", self.plan.records);
        self.await_records();
        self.measure_records();
        self.wait("until all know who is dead", 3 * PATIENCE, SECOND / 10, |net| {
            net.meter.watch.falls().all(|fall| fall.unaware() == 0)
        });
        self.measure_peers();
    }

    pub(super) fn split(&mut self) {
        self.warm_up();
        let mut all: Vec<usize> = self.net.running().collect();
        all.shuffle(&mut self.rng);
        let (left, right) = all.split_at(all.len() / 2);
        self.net.partition(&[left, right]);
        let until = self.net.now() + self.plan.split;
        let records = (self.plan.split.as_secs_f64() * self.plan.rate).round() as usize;
        self.write_one_by_one("split", records);
        self.pass("split", until.since(self.net.now()));
        let missing = self.net.meter.trails().map(|trail| self.net.hosts() - trail.reach()).sum::<usize>();
        let healed = self.now();
        self.net.heal();
        let span = self.wait("healing", PATIENCE, SECOND / 50, |net| net.converged());
        let traffic = self.traffic_since(healed);
        let reunited = self.reunite("meeting again").map(|more| (more + span.unwrap_or(PATIENCE)).as_secs_f64());
        self.report.records = self.net.meter.records();
        self.report.split = Some(Split {
            missing,
            healed_s: span.map(|span| span.as_secs_f64()),
            reunited_s: reunited,
            copies: traffic.copies as f64 / missing.max(1) as f64,
            datagrams_a_node: traffic.all().datagrams as f64 / self.plan.nodes as f64,
        });
    }

    /// One after the other leaves, in order or not, and comes back.
    pub(super) fn churn(&mut self) {
        self.warm_up();
        let gap = Duration::from_secs_f64(60.0 * CHURN / self.plan.nodes as f64);
        let (end, mut next) = (self.net.now() + self.plan.lasting, self.net.now());
        let mut away: VecDeque<(Tick, usize)> = VecDeque::new();
        let mut in_order = false;
        while self.net.now() < end {
            if self.net.now() >= next {
                let host = self.anyone();
                in_order = !in_order;
                if in_order {
                    self.net.stop(host, false)
                } else {
                    self.net.crash(host)
                }
                away.push_back((self.net.now() + AWAY, host));
                next = self.net.now() + gap.mul_f64(self.rng.random_range(0.5..1.5));
            }
            while let Some((_, host)) = away.pop_front_if(|(back, _)| *back <= self.net.now()) {
                self.net.start(host);
            }
            self.write_one_by_one("nodes come and go", 1);
        }
        away.into_iter().for_each(|(_, host)| self.net.start(host));
        self.await_records();
        self.measure_records();
        self.measure_peers();
    }

    pub(super) fn maelstrom(&mut self) {
        self.warm_up();
        let broadcasts = self.plan.broadcasts();
        let begun = self.now();
        self.write_one_by_one("broadcasting", broadcasts);
        self.wait("until all have all", PATIENCE, SECOND / 100, |net| net.converged());
        let traffic = self.traffic_since(begun);
        self.measure_records();
        // Each broadcast comes with a read, which a node answers by itself.
        let per_op = |count: u64| count as f64 / (2 * broadcasts) as f64;
        self.report.maelstrom = Some(Maelstrom {
            ops: 2 * broadcasts,
            messages: traffic.all().datagrams,
            messages_per_op: per_op(traffic.all().datagrams),
            of_records_per_op: per_op(traffic.of_records().datagrams),
            copies_per_op: per_op(traffic.copies),
            stable_ms: self.report.delivery.as_ref().and_then(|delivery| delivery.everywhere_ms),
        });
    }
}
