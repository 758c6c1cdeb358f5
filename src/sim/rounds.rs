//! Rounds: virtual time on several cores. Nothing that a host does reaches another one sooner than a link takes at least. So
//! whatever is due within that time happens at once, host by host, and is seen afterwards in the order of time: what is
//! known as conservative simulation with lookahead (Chandy and Misra, *Asynchronous Distributed Simulation via a Sequence
//! of Parallel Computations*, CACM 24:4, 1981). How many cores there are changes nothing in what happens.

use super::Network;
use super::host::Host;
use super::hosts::Hosts;
use super::shelf::Shelf;
use super::step::{Input, Step};
use super::workers::Workers;
use crate::proto::node::Node;
use crate::proto::time::Tick;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

/// Fewer inputs are not worth another thread.
const FEW: usize = 16;
/// More would take much memory, until all is seen.
const MANY: usize = 20_000;
const INSTANT: Duration = Duration::from_micros(1);

/// What happens to some hosts in a round.
struct Job {
    part: usize,
    hosts: Vec<Host>,
    /// When, to which of them, what.
    due: Vec<(Tick, usize, Input)>,
    /// All that is due before then.
    until: Tick,
}

/// The hosts, and what they did: when, and which of them.
type Done = (usize, Vec<Host>, Vec<(Tick, usize, Step)>);

impl Network {
    /// Lets this much time pass, round by round.
    pub(super) fn run_rounds(&mut self, span: Duration, cores: usize) {
        let (end, shelf, workers) = (self.now + span, self.shelf.clone(), Workers::new());
        thread::scope(|scope| {
            let _shift = workers.shift();
            let work = |job| live(job, &shelf);
            let mut hired = 1;
            while self.agenda.due() <= end && self.agenda.due() != Tick::NEVER {
                // Without any delay each instant is a round.
                let until = (self.agenda.due() + self.link.delay.max(INSTANT)).min(end + INSTANT);
                let jobs = self.jobs(until);
                let done = if jobs.iter().map(|job| job.due.len()).sum::<usize>() < FEW {
                    jobs.into_iter().map(work).collect()
                } else {
                    (hired..cores).for_each(|_| workers.hire(scope, work));
                    hired = hired.max(cores);
                    workers.run(jobs, work)
                };
                self.see_all(done);
            }
        });
        self.now = end;
    }

    /// Has every running node do something now.
    pub(super) fn everywhere(&mut self, act: impl Fn(&mut Node, SocketAddr) + Sync) {
        let (now, cores, workers) = (self.now, self.rounds.unwrap_or(1), Workers::new());
        let work = |(part, mut hosts): (usize, Vec<Host>)| {
            let act = |host: &mut Host| {
                let addr = host.addr;
                host.act(now, |node| act(node, addr))
            };
            let steps = hosts.iter_mut().map(act).enumerate().map(|(host, step)| (now, host, step)).collect();
            (part, hosts, steps)
        };
        let parts = (0..self.hosts.parts()).map(|part| (part, self.hosts.lend(part))).collect();
        let done = thread::scope(|scope| {
            let _shift = workers.shift();
            (1..cores).for_each(|_| workers.hire(scope, &work));
            workers.run(parts, &work)
        });
        self.see_all(done);
    }

    /// All that is due before then, or the first of it where it is much, by the parts of the network that it happens in.
    fn jobs(&mut self, mut until: Tick) -> VecDeque<Job> {
        let (mut inputs, mut last) = (0, Tick(0));
        let mut parts: BTreeMap<usize, Vec<(Tick, usize, Input)>> = BTreeMap::new();
        while self.agenda.due() < until {
            if inputs >= MANY && self.agenda.due() > last {
                until = self.agenda.due();
                break;
            }
            let Some((at, event)) = self.agenda.next() else { break };
            (inputs, last) = (inputs + 1, at);
            let Some((host, input)) = self.find(event) else { continue };
            let (part, host) = Hosts::part_of(host);
            parts.entry(part).or_default().push((at, host, input));
        }
        parts.into_iter().map(|(part, due)| Job { part, hosts: self.hosts.lend(part), due, until }).collect()
    }

    /// What was done in a round is seen in the order of time.
    fn see_all(&mut self, done: Vec<Done>) {
        let mut all: Vec<(Tick, usize, Step)> = Vec::new();
        for (part, hosts, steps) in done {
            self.hosts.give_back(part, hosts);
            all.extend(steps.into_iter().map(|(at, host, step)| (at, Hosts::number(part, host), step)));
        }
        all.sort_by_key(|&(at, host, _)| (at, host));
        for (at, host, step) in all {
            self.now = at;
            self.see(host, step);
        }
    }
}

/// Has hosts do what they do in a round.
fn live(job: Job, shelf: &Shelf) -> Done {
    let Job { part, mut hosts, due, until } = job;
    let mut steps = Vec::with_capacity(due.len());
    // What they plan for themselves within the round, in the order in which they planned it.
    let (mut planned, mut plans) = (BTreeMap::new(), 0u64);
    let mut due = due.into_iter().peekable();
    loop {
        let sooner = planned.first_key_value().map(|(&(at, _), _)| at);
        let next = due.next_if(|(at, ..)| sooner.is_none_or(|sooner| *at <= sooner));
        let planned_next = || planned.pop_first().map(|((at, _), (host, input))| (at, host, input));
        let Some((at, host, input)) = next.or_else(planned_next) else { return (part, hosts, steps) };
        let mut step = hosts[host].take(at, input, shelf);
        for (at, input) in step.plans.extract_if(.., |(at, _)| *at < until) {
            plans += 1;
            planned.insert((at, plans), (host, input));
        }
        steps.push((at, host, step));
    }
}
