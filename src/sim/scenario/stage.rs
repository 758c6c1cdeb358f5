//! [`Stage`]: what all scenarios have in common: nodes come up and get to know each other, records are written, time
//! passes until something holds, figures are taken.

use super::figures::{Alarms, Cost, Delivery, Detection, Idle, is_everywhere};
use super::{Plan, Progress, Report};
use crate::proto::stats::Stats;
use crate::proto::time::Tick;
use crate::sim::Network;
use crate::sim::meter::Traffic;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

pub(super) const SECOND: Duration = Duration::from_secs(1);
/// How long nodes may take to meet all others.
const MEETING: Duration = Duration::from_secs(300);
/// Sessions with those to whom rumours go are opened bit by bit: so long is waited for them.
pub(super) const CALM: Duration = Duration::from_secs(40);
/// The mean over which idle nodes are measured.
pub const WINDOW: Duration = Duration::from_secs(10);
/// How long records may take to be everywhere.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A network on its way through a scenario.
pub(super) struct Stage<'a> {
    pub(super) net: Network,
    pub(super) plan: &'a Plan,
    pub(super) rng: ChaCha8Rng,
    pub(super) report: Report,
    progress: &'a mut dyn FnMut(Progress),
    started: Mark,
}

/// A moment from which figures are taken.
#[derive(Clone, Copy, Default)]
pub(super) struct Mark {
    pub(super) at: Tick,
    pub(super) traffic: Traffic,
    duplicates: u64,
}

impl<'a> Stage<'a> {
    pub(super) fn new(plan: &'a Plan, progress: &'a mut dyn FnMut(Progress)) -> Stage<'a> {
        let mut net = Network::new(plan.seed);
        net.check = plan.check;
        net.link = plan.link.clone();
        net.rounds = Some(plan.jobs);
        let (timing, timer) = (plan.timing, plan.gossip_timer);
        net.tune(move |settings| (settings.pace.timing, settings.pace.gossip_timer) = (timing, timer));
        let rng = ChaCha8Rng::seed_from_u64(plan.seed ^ 0x5ce_a810);
        Stage { net, plan, rng, report: Report::new(plan), progress, started: Mark::default() }
    }

    // ---- time ----

    /// Lets time pass until something holds, which is looked at every so often; how long it took.
    pub(super) fn wait(
        &mut self,
        phase: &'static str,
        most: Duration,
        every: Duration,
        mut holds: impl FnMut(&Network) -> bool,
    ) -> Option<Duration> {
        let begun = self.net.now();
        loop {
            let passed = self.net.now().since(begun);
            (self.progress)(Progress { phase, passed, of: most });
            if holds(&self.net) {
                return Some(passed);
            }
            if passed >= most {
                return None;
            }
            self.net.run(every.min(most - passed));
        }
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, phase: &'static str, span: Duration) {
        let slice = (span / 50).clamp(Duration::from_millis(10), SECOND);
        self.wait(phase, span, slice, |_| false);
    }

    // ---- nodes ----

    /// Starts so many nodes, and waits until each reaches all others. They know each other as those of a network do that
    /// is up for long, though nobody has a session yet; or they start within a second, and each registers with the first.
    pub(super) fn meet(&mut self, acquainted: bool) {
        let (all, begun) = (self.net.add_hosts(self.plan.nodes, acquainted), self.net.now());
        self.net.link.loss = if acquainted { 0.0 } else { self.plan.link.loss };
        let gap = SECOND / u32::try_from(all.len()).unwrap_or(u32::MAX);
        for (number, &host) in all.iter().enumerate() {
            if number % 100 == 0 {
                (self.progress)(Progress {
                    phase: "starting nodes",
                    passed: self.net.now().since(Tick(0)),
                    of: SECOND,
                });
            }
            self.net.start(host);
            if acquainted {
                continue;
            }
            if host != all[0] {
                self.net.register(host, all[0]);
            }
            self.net.run(gap);
        }
        if acquainted {
            self.net.acquaint();
        }
        let met = self.reunite("meeting all others").filter(|_| !acquainted);
        let sent = self.net.meter.traffic().all().datagrams as f64;
        self.report.met_s = met.map(|_| self.net.now().since(begun).as_secs_f64());
        self.report.met_datagrams_a_node = met.map(|_| sent / all.len() as f64);
        self.net.link.loss = self.plan.link.loss;
    }

    /// Waits until each node reaches all others; how long it took.
    pub(super) fn reunite(&mut self, phase: &'static str) -> Option<Duration> {
        // Who is complete is not asked again: the last ones make the figure.
        let mut first = 0;
        let every = if self.plan.nodes > 2000 { SECOND } else { SECOND / 10 };
        self.wait(phase, MEETING, every, |net| {
            let others = net.running().count() - 1;
            while first < net.hosts() && (!net.is_running(first) || reaches(net, first) >= others) {
                first += 1;
            }
            first == net.hosts()
        })
    }

    /// Nodes that know each other, have had time to settle down, and are measured while nothing happens.
    pub(super) fn warm_up(&mut self) {
        self.meet(true);
        self.pass("settling down", CALM);
        self.measure_idle(WINDOW);
        self.mark();
    }

    /// Measures what nodes send while nothing happens; the worst of all windows.
    pub(super) fn measure_idle(&mut self, lasting: Duration) {
        let counters = |net: &Network| -> Vec<Stats> { net.running().map(|host| net.node(host).stats()).collect() };
        let windows = lasting.as_micros().div_ceil(WINDOW.as_micros());
        for _ in 0..windows {
            let before = counters(&self.net);
            self.pass("idle", WINDOW);
            let idle = Idle::of(&before, &counters(&self.net), WINDOW);
            self.report.idle = Some(self.report.idle.map_or(idle, |worst| worst.worse(idle)));
        }
    }

    /// A node that runs.
    pub(super) fn anyone(&mut self) -> usize {
        let running: Vec<usize> = self.net.running().collect();
        running.choose(&mut self.rng).copied().unwrap_or_default()
    }

    // ---- records ----

    /// Begins to follow records and false alarms.
    pub(super) fn mark(&mut self) {
        self.net.meter.on = true;
        self.net.meter.forget();
        self.net.meter.watch.forget_alarms();
        self.started = self.now();
    }

    pub(super) fn now(&self) -> Mark {
        let duplicates = self.net.running().map(|host| self.net.node(host).stats().records_received_duplicate).sum();
        Mark { at: self.net.now(), traffic: self.net.meter.traffic(), duplicates }
    }

    /// What was sent since then.
    pub(super) fn traffic_since(&self, mark: Mark) -> Traffic {
        self.net.meter.traffic() - mark.traffic
    }

    /// Writes one record at this node.
    pub(super) fn write(&mut self, host: usize) {
        let text: String = (0..self.plan.size.max(1)).map(|_| self.rng.random_range(' '..='~')).collect();
        self.net.create(host, text);
    }

    /// Writes so many records at random nodes, one by one.
    pub(super) fn write_one_by_one(&mut self, phase: &'static str, records: usize) {
        let gap = Duration::from_secs_f64(1.0 / self.plan.rate);
        let of = gap * u32::try_from(records).unwrap_or(u32::MAX);
        for number in 0..records {
            (self.progress)(Progress { phase, passed: of.mul_f64(number as f64 / records as f64), of });
            let host = self.anyone();
            self.write(host);
            // An even gap would beat with the nodes' own timers.
            self.net.run(gap.mul_f64(self.rng.random_range(0.5..1.5)));
        }
    }

    /// Waits until all records are everywhere, and the last words about them are said.
    pub(super) fn await_records(&mut self) {
        // What was written last is followed from its commit on.
        self.pass("until all have all", SECOND / 10);
        self.wait("until all have all", PATIENCE, SECOND / 20, |net| {
            net.meter.trails().all(|trail| is_everywhere(net, trail))
        });
        self.pass("last words", SECOND);
    }

    /// Takes the figures of the records written since the mark.
    pub(super) fn measure_records(&mut self) {
        let (records, nodes) = (self.net.meter.records(), self.net.running().count());
        let duplicates = self.now().duplicates.saturating_sub(self.started.duplicates);
        self.report.records = records;
        self.report.delivery = Delivery::of(&self.net);
        self.report.cost = Cost::of(self.traffic_since(self.started), duplicates, nodes, records);
    }

    /// Takes the figures of what nodes said of each other since the mark.
    pub(super) fn measure_peers(&mut self) {
        let (watch, span) = (&self.net.meter.watch, self.net.now().since(self.started.at));
        self.report.detection = Detection::of(watch);
        self.report.alarms = Alarms::of(watch, self.net.running().count(), span);
    }

    /// The report of all that was measured.
    pub(super) fn close(mut self) -> Report {
        self.report.simulated_s = self.net.now().since(Tick(0)).as_secs_f64();
        self.report.events = self.net.events();
        self.report.note_traffic(self.net.meter.traffic());
        self.report.trace = self.net.trace().iter().map(|byte| format!("{byte:02x}")).collect();
        self.report
    }
}

/// How many others a node reaches.
fn reaches(net: &Network, host: usize) -> usize {
    net.node(host).peers().live()
}
