//! Figures of a run, each from what the meter saw. What is not known is none.

use crate::proto::stats::Stats;
use crate::proto::time::Tick;
use crate::sim::Network;
use crate::sim::meter::{Count, Traffic, Trail, Way};
use crate::sim::watch::{Fall, Watch};
use serde::Serialize;
use std::time::Duration;

/// Bytes of IPv4 and UDP around a datagram.
const IP_UDP: u64 = 28;

/// Median and maximum.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MedianMax {
    /// The median.
    pub median: f64,
    /// The maximum.
    pub max: f64,
}

impl MedianMax {
    /// Of values, all of which must be known.
    pub fn of(values: impl IntoIterator<Item = Option<f64>>) -> Option<MedianMax> {
        let mut values: Vec<f64> = values.into_iter().collect::<Option<_>>()?;
        values.sort_by(f64::total_cmp);
        Some(MedianMax { median: *values.get(values.len().checked_sub(1)? / 2)?, max: *values.last()? })
    }
}

/// How many nodes a record went through until it came.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Hops {
    /// The median.
    pub p50: u8,
    /// The maximum.
    pub max: u8,
}

/// How records came to the nodes that were up all the while.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Delivery {
    /// Pairs of a record and a node that was to get it.
    pub expected: usize,
    /// Which share of these came.
    pub delivered: f64,
    /// Which share came first as a rumour.
    pub by_rumor: f64,
    /// Which share needed no repair: it came as a rumour or was announced, though a digest may have been faster.
    pub before_repair: f64,
    /// Milliseconds until half of these pairs had come.
    pub p50_ms: Option<f64>,
    /// Milliseconds until 99 of 100 had.
    pub p99_ms: Option<f64>,
    /// Milliseconds until all had.
    pub last_ms: Option<f64>,
    /// Milliseconds until a record was everywhere.
    pub everywhere_ms: Option<MedianMax>,
    /// Hops of the rumours.
    pub hops: Option<Hops>,
    /// Milliseconds until 0, 1, ... 100 of 100 pairs had come.
    pub curve_ms: Vec<Option<f64>>,
}

impl Delivery {
    /// Of the records that the network's meter followed; none if there is none.
    pub(super) fn of(net: &Network) -> Option<Delivery> {
        let (mut after, mut hops, mut everywhere) = (Vec::new(), Vec::new(), Vec::new());
        let (mut expected, mut unaided) = (0, 0);
        for trail in net.meter.trails() {
            let due = |host: usize| host != trail.origin && net.was_up_since(host, trail.born);
            let receivers = net.running().filter(|&host| due(host)).count();
            if receivers == 0 {
                continue;
            }
            expected += receivers;
            let earlier = after.len();
            for arrival in trail.arrivals.iter().filter(|arrival| due(arrival.host as usize)) {
                after.push(arrival.after);
                unaided += usize::from(trail.needed_no_repair(arrival.host as usize));
                if let Way::Rumor(number) = arrival.way {
                    hops.push(number);
                }
            }
            let last = after[earlier..].last().map(|&micros| f64::from(micros) / 1e3);
            everywhere.push(last.filter(|_| after.len() - earlier == receivers));
        }
        if expected == 0 {
            return None;
        }
        after.sort_unstable();
        hops.sort_unstable();
        let until = |share: f64| {
            let rank = ((share * expected as f64).ceil() as usize).saturating_sub(1);
            after.get(rank).map(|&micros| f64::from(micros) / 1e3)
        };
        Some(Delivery {
            expected,
            delivered: after.len() as f64 / expected as f64,
            by_rumor: hops.len() as f64 / expected as f64,
            before_repair: unaided as f64 / expected as f64,
            p50_ms: until(0.5),
            p99_ms: until(0.99),
            last_ms: until(1.0),
            everywhere_ms: MedianMax::of(everywhere),
            hops: hops.last().map(|&max| Hops { p50: hops[hops.len() / 2], max }),
            curve_ms: (0..=100).map(|percent| until(f64::from(percent) / 100.0)).collect(),
        })
    }
}

/// Whether all who run have a record.
pub(super) fn is_everywhere(net: &Network, trail: &Trail) -> bool {
    trail.reach() == net.hosts() || net.running().all(|host| trail.reached(host))
}

/// What spreading and repair cost, HELLO and the like aside.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// Whole records sent for each that a node was to get.
    pub copies: f64,
    /// Whole records that came where they were already, for each that a node was to get.
    pub duplicates: f64,
    /// Datagrams a node and record.
    pub datagrams: f64,
    /// Bytes of UDP payload a node and record.
    pub bytes: f64,
    /// The same with 28 bytes of IPv4 and UDP for each datagram.
    pub bytes_ip_udp: f64,
    /// Datagrams that a node sent, whatever for, on average.
    pub datagrams_a_node: f64,
}

impl Cost {
    pub(super) fn of(traffic: Traffic, duplicates: u64, nodes: usize, records: usize) -> Option<Cost> {
        let (pairs, Count { datagrams, bytes }) = ((nodes * records) as f64, traffic.of_records());
        let receivers = (nodes.saturating_sub(1) * records) as f64;
        (receivers > 0.0).then(|| Cost {
            copies: traffic.copies as f64 / receivers,
            duplicates: duplicates as f64 / receivers,
            datagrams: datagrams as f64 / pairs,
            bytes: bytes as f64 / pairs,
            bytes_ip_udp: (bytes + datagrams * IP_UDP) as f64 / pairs,
            datagrams_a_node: traffic.all().datagrams as f64 / nodes as f64,
        })
    }
}

/// What a node sends while nothing happens, on the mean of ten seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Idle {
    /// Datagrams a second.
    pub datagrams: f64,
    /// Bytes of UDP payload a second.
    pub bytes: f64,
    /// Datagrams a second of the node that sent most.
    pub most_datagrams: f64,
    /// Bytes a second of the node that sent most.
    pub most_bytes: f64,
}

impl Idle {
    /// From the counters of each node at the start and at the end of so many seconds.
    pub(super) fn of(before: &[Stats], after: &[Stats], span: Duration) -> Idle {
        let (mut idle, seconds, nodes) = (Idle::default(), span.as_secs_f64(), before.len() as f64);
        for (before, after) in before.iter().zip(after) {
            let datagrams = (after.datagrams_sent - before.datagrams_sent) as f64 / seconds;
            let bytes = (after.bytes_sent - before.bytes_sent) as f64 / seconds;
            idle.datagrams += datagrams / nodes;
            idle.bytes += bytes / nodes;
            idle.most_datagrams = idle.most_datagrams.max(datagrams);
            idle.most_bytes = idle.most_bytes.max(bytes);
        }
        idle
    }

    /// The worse of two in each figure.
    pub(super) fn worse(self, other: Idle) -> Idle {
        Idle {
            datagrams: self.datagrams.max(other.datagrams),
            bytes: self.bytes.max(other.bytes),
            most_datagrams: self.most_datagrams.max(other.most_datagrams),
            most_bytes: self.most_bytes.max(other.most_bytes),
        }
    }
}

/// How crashes were noticed, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Detection {
    /// How many nodes crashed.
    pub crashed: usize,
    /// How many of them all others knew for dead at the end.
    pub known: usize,
    /// Until somebody suspected one.
    pub suspected_s: Option<MedianMax>,
    /// Until somebody held one for dead.
    pub declared_s: Option<MedianMax>,
    /// Until all held it for dead.
    pub known_s: Option<MedianMax>,
}

impl Detection {
    pub(super) fn of(watch: &Watch) -> Option<Detection> {
        let crashed = watch.falls().count();
        let until = |moment: fn(&Fall) -> Option<Tick>| {
            MedianMax::of(watch.falls().map(|fall| fall.until(moment(fall)).map(|span| span.as_secs_f64())))
        };
        (crashed > 0).then(|| Detection {
            crashed,
            known: watch.falls().filter(|fall| fall.unaware() == 0).count(),
            suspected_s: until(|fall| fall.suspected),
            declared_s: until(|fall| fall.declared),
            known_s: until(|fall| fall.known),
        })
    }
}

/// False alarms: what nodes said of others that were up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Alarms {
    /// For how many hours of how many nodes they were counted.
    pub node_hours: f64,
    /// How often a node suspected another, a node and hour.
    pub suspicions: f64,
    /// How often a node held another for dead, a node and hour.
    pub declarations: f64,
    /// About how many nodes that was said.
    pub accused: usize,
}

impl Alarms {
    pub(super) fn of(watch: &Watch, nodes: usize, span: Duration) -> Option<Alarms> {
        let node_hours = nodes as f64 * span.as_secs_f64() / 3600.0;
        (node_hours > 0.0).then(|| Alarms {
            node_hours,
            suspicions: watch.suspicions as f64 / node_hours,
            declarations: watch.declarations as f64 / node_hours,
            accused: watch.accused(),
        })
    }
}

pub(super) fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}
