//! [`Report`]: the figures of one run, as they are shown and as programs read them.

use super::figures::{Alarms, Cost, Delivery, Detection, Idle, MedianMax};
use super::{Plan, Scenario};
use crate::sim::meter::{Count, KINDS, Traffic};
use serde::Serialize;
use std::collections::BTreeMap;

/// How a split healed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Split {
    /// Pairs of a record and a node that lacked it when the link came back.
    pub missing: usize,
    /// Seconds until all nodes held the same.
    pub healed_s: Option<f64>,
    /// Seconds until each node reached all others.
    pub reunited_s: Option<f64>,
    /// Whole records sent for each that was missing.
    pub copies: f64,
    /// Datagrams that a node sent meanwhile.
    pub datagrams_a_node: f64,
}

/// Maelstrom's broadcast workload, by its own rules: reads are operations that cost no message, and every datagram
/// between nodes is a message, whatever it is for and however much is in it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Maelstrom {
    /// Broadcasts and reads.
    pub ops: usize,
    /// Datagrams.
    pub messages: u64,
    /// Datagrams an operation.
    pub messages_per_op: f64,
    /// Datagrams that spread or repair records, an operation.
    pub of_records_per_op: f64,
    /// Copies of records an operation, as if each had travelled in a message of its own.
    pub copies_per_op: f64,
    /// Milliseconds until a broadcast was everywhere.
    pub stable_ms: Option<MedianMax>,
}

/// The figures of one run. What is unknown, or has no meaning in its scenario, is null.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What happened.
    pub scenario: Scenario,
    /// How many nodes there were.
    pub nodes: usize,
    /// Which share of the datagrams was lost.
    pub loss: f64,
    /// Least and greatest delay of a link in milliseconds.
    pub latency_ms: [f64; 2],
    /// How many records were followed.
    pub records: usize,
    /// Bytes of their MSG.
    pub size: usize,
    /// What drew everything.
    pub seed: u64,
    /// Seconds that passed in the simulation.
    pub simulated_s: f64,
    /// Things that happened in it: datagrams, timers, commits.
    pub events: u64,
    /// Seconds until each node reached all others, where they did not know each other from the start.
    pub met_s: Option<f64>,
    /// Datagrams that a node sent until then.
    pub met_datagrams_a_node: Option<f64>,
    /// How records came.
    pub delivery: Option<Delivery>,
    /// What that cost.
    pub cost: Option<Cost>,
    /// What nodes sent while nothing happened.
    pub idle: Option<Idle>,
    /// How crashes were noticed.
    pub detection: Option<Detection>,
    /// False alarms.
    pub alarms: Option<Alarms>,
    /// How a split healed.
    pub split: Option<Split>,
    /// The broadcast workload.
    pub maelstrom: Option<Maelstrom>,
    /// Datagrams and bytes of the whole run by kind, all nodes together.
    pub traffic: BTreeMap<&'static str, Count>,
    /// A hash of all that was delivered: equal for equal plans.
    pub trace: String,
}

impl Report {
    pub(super) fn new(plan: &Plan) -> Report {
        let (met_s, met_datagrams_a_node, delivery, cost, idle, detection) = Default::default();
        let (alarms, split, maelstrom, traffic, trace, records, simulated_s, events) = Default::default();
        let (delay, jitter) = (plan.link.delay, plan.link.jitter);
        Report {
            scenario: plan.scenario,
            nodes: plan.nodes,
            loss: plan.link.loss,
            latency_ms: [delay, delay + jitter].map(super::figures::millis),
            records,
            size: plan.size,
            seed: plan.seed,
            simulated_s,
            events,
            met_s,
            met_datagrams_a_node,
            delivery,
            cost,
            idle,
            detection,
            alarms,
            split,
            maelstrom,
            traffic,
            trace,
        }
    }

    pub(super) fn note_traffic(&mut self, traffic: Traffic) {
        let kinds = KINDS.into_iter().zip(traffic.kinds);
        self.traffic = kinds.filter(|(_, count)| count.datagrams > 0).collect();
    }
}
