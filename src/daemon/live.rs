//! What a node does at this moment, measured for all who look: one task a network takes samples while anybody looks, and
//! passes them on to all. Who is slow misses samples and holds nobody up.

use super::engine::Moment;
use super::handle::Handle;
use super::journal::Journal;
use super::member::Member;
use super::refusal::Refusal;
use super::tally::Begun;
use super::view::View;
use crate::api;
use crate::display::rfc3339;
use crate::proto::gossip::Guid;
use crate::proto::stats::Rejected;
use crate::proto::time::Timestamp;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, broadcast};
use tokio::time::{MissedTickBehavior, interval};

/// Between two samples.
const TICK: Duration = Duration::from_millis(100);
/// Samples in a second: then all is looked at.
const TICKS: u64 = 10;
/// Samples between two tellings of one fetch.
const FETCH_TICKS: u64 = 3;
/// Samples that wait for who is slow.
const KEPT: usize = 64;
/// Peers in one sample of traffic, and of metrics.
const BUSY: usize = 32;
const CHANGED: usize = 64;
/// Fetches that are told of at once.
const FETCHES: usize = 16;
/// After so many samples without a word of it, a fetch was given up.
const LOST_TICKS: u64 = 50;
/// Warnings that are told in one sample.
const WARNINGS: usize = 10;

/// Where samples come out.
pub struct Pulse {
    samples: broadcast::Sender<Arc<api::Event>>,
    wanted: Notify,
}

impl Default for Pulse {
    fn default() -> Pulse {
        Pulse { samples: broadcast::Sender::new(KEPT), wanted: Notify::new() }
    }
}

impl Pulse {
    /// All samples from here on.
    pub fn look(&self) -> broadcast::Receiver<Arc<api::Event>> {
        let samples = self.samples.subscribe();
        self.wanted.notify_one();
        samples
    }

    fn is_wanted(&self) -> bool {
        self.samples.receiver_count() > 0
    }

    fn tell(&self, event: api::Event) {
        // All who looked may have gone.
        let _ = self.samples.send(Arc::new(event));
    }
}

/// Measures a network until the daemon stops.
pub async fn run(handle: Handle, network: usize, pulse: Arc<Pulse>) {
    tokio::select! {
        () = handle.stopped() => (),
        Err(_) = measure(&handle, network, &pulse) => (),
    }
}

async fn measure(handle: &Handle, network: usize, pulse: &Pulse) -> Result<Infallible, Refusal> {
    loop {
        if !pulse.is_wanted() {
            pulse.wanted.notified().await;
        }
        Meter::new(handle, network, pulse).run().await?;
    }
}

/// What is measured of one node, from when somebody looks until nobody does.
struct Meter<'a> {
    handle: &'a Handle,
    network: usize,
    pulse: &'a Pulse,
    tick: u64,
    /// Counts at the last second.
    before: Option<Counts>,
    /// Peers as they were told.
    shown: BTreeMap<String, api::Peer>,
    /// The last of them that had its turn.
    turn: String,
    fetches: BTreeMap<Guid, Fetching>,
    /// The last line of the log that was looked at.
    logged: u64,
}

/// A long record under way.
struct Fetching {
    who_name: String,
    len: u64,
    told: Option<(u64, u64)>,
    seen: u64,
}

/// What a node did since it started.
#[derive(Clone, Copy)]
struct Counts {
    sent: api::Amount,
    received: api::Amount,
    arrived: u64,
    duplicate: u64,
    dropped: u64,
}

/// A look at a node.
struct Sample {
    at: Timestamp,
    spans: Vec<api::Span>,
    begun: Vec<Begun>,
    /// Of each long record under way, how much is here.
    fetching: Vec<(Begun, u64)>,
    /// Those asked for that are complete.
    complete: Vec<Guid>,
    second: Option<(View, Counts, u64)>,
}

impl<'a> Meter<'a> {
    fn new(handle: &'a Handle, network: usize, pulse: &'a Pulse) -> Meter<'a> {
        let (tick, before, shown, turn, fetches) = Default::default();
        let logged = Journal::of_process().last();
        Meter { handle, network, pulse, tick, before, shown, turn, fetches, logged }
    }

    async fn run(mut self) -> Result<(), Refusal> {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.pulse.is_wanted() {
            ticks.tick().await;
            let (all, asked) = (self.tick.is_multiple_of(TICKS), self.fetches.keys().copied().collect::<Vec<_>>());
            let look = move |member: &mut Member, moment: Moment| sample(member, moment, all, &asked);
            let sample = self.handle.look(self.network, look).await?;
            self.tell(sample);
            self.tick += 1;
        }
        self.handle.look(self.network, |member, _| member.tally.rest()).await
    }

    fn tell(&mut self, sample: Sample) {
        let at = rfc3339(sample.at);
        if !sample.spans.is_empty() {
            self.pulse.tell(api::Event::Traffic(api::Traffic { at: at.clone(), spans: sample.spans }));
        }
        self.tell_fetches(&at, sample.begun, sample.fetching, &sample.complete);
        if let Some((view, counts, incomplete)) = sample.second {
            self.tell_second(at, view, counts, incomplete);
        }
        let log = Journal::of_process().after(self.logged, tracing::Level::WARN);
        self.logged = log.next;
        for line in log.lines.into_iter().take(WARNINGS) {
            let warning = api::Warning { at: line.at, level: line.level, what: line.text };
            self.pulse.tell(api::Event::Warning(warning));
        }
    }

    fn tell_fetches(&mut self, at: &str, begun: Vec<Begun>, under_way: Vec<(Begun, u64)>, complete: &[Guid]) {
        let fetches = &mut self.fetches;
        let all = begun.into_iter().map(|begun| (begun, None));
        for ((guid, who_name, len), received) in all.chain(under_way.into_iter().map(|(of, here)| (of, Some(here)))) {
            if fetches.len() >= FETCHES && !fetches.contains_key(&guid) {
                continue;
            }
            let new = Fetching { who_name, len: len as u64, told: None, seen: self.tick };
            let fetch = fetches.entry(guid).or_insert(new);
            fetch.seen = self.tick;
            let Some(received) = received else { continue };
            if fetch.told.is_none_or(|(before, when)| before != received && self.tick >= when + FETCH_TICKS) {
                fetch.told = Some((received, self.tick));
                // All of it is told when it is on disk, and not before.
                self.pulse.tell(fetch.event(at, &guid, received.min(fetch.len - 1)));
            }
        }
        for guid in complete {
            if let Some(fetch) = fetches.remove(guid) {
                self.pulse.tell(fetch.event(at, guid, fetch.len));
            }
        }
        fetches.retain(|_, fetch| self.tick < fetch.seen + LOST_TICKS);
    }

    fn tell_second(&mut self, at: String, view: View, counts: Counts, incomplete: u64) {
        let before = self.before.replace(counts);
        let (known, reachable_peers, in_sync_peers) = (view.network.peers.len(), view.reachable, view.in_sync);
        let Some(before) = before else { return };
        let peers = self.changed(view.network.peers);
        let amount = |now: api::Amount, before: api::Amount| api::Amount {
            datagrams: now.datagrams - before.datagrams,
            bytes: now.bytes - before.bytes,
        };
        self.pulse.tell(api::Event::Metrics(api::Metrics {
            at,
            gossip_count: view.network.gossip_count,
            root: view.network.root,
            incomplete,
            reachable_peers,
            in_sync_peers,
            known_peers: known as u64,
            sent: amount(counts.sent, before.sent),
            received: amount(counts.received, before.received),
            records_new: counts.arrived - before.arrived,
            records_duplicate: counts.duplicate - before.duplicate,
            datagrams_dropped: counts.dropped - before.dropped,
            peers,
        }));
    }

    /// Peers that are shown otherwise than when they were last told, by turns.
    fn changed(&mut self, peers: Vec<api::Peer>) -> Vec<api::Peer> {
        let now: BTreeMap<String, api::Peer> = peers.into_iter().map(|peer| (peer.guid.clone(), peer)).collect();
        self.shown.retain(|guid, _| now.contains_key(guid));
        let behind = now.range::<str, _>((Bound::Excluded(self.turn.as_str()), Bound::Unbounded));
        let around = behind.chain(now.range::<str, _>((Bound::Unbounded, Bound::Included(self.turn.as_str()))));
        let changed = around.map(|(_, peer)| peer).filter(|peer| self.shown.get(&peer.guid) != Some(*peer));
        let changed: Vec<api::Peer> = changed.take(CHANGED).cloned().collect();
        self.turn = changed.last().map_or_else(String::new, |last| last.guid.clone());
        self.shown.extend(changed.iter().map(|peer| (peer.guid.clone(), peer.clone())));
        changed
    }
}

impl Fetching {
    fn event(&self, at: &str, guid: &Guid, received: u64) -> api::Event {
        let Fetching { who_name, len, .. } = self;
        let (at, guid, who_name) = (at.to_owned(), guid.to_string(), who_name.clone());
        api::Event::Fetch(api::Fetch { at, guid, who_name, len: *len, received })
    }
}

/// Looks at a node: at all of it, or only at what changes all the time.
fn sample(member: &mut Member, moment: Moment, all: bool, asked: &[Guid]) -> Sample {
    let (counts, begun) = member.tally.take();
    let node = &member.node;
    let under_way = |(guid, head, here): (Guid, &crate::proto::gossip::Head, usize)| {
        ((guid, head.who_name().to_owned(), head.len()), here as u64)
    };
    let (told, others): (Vec<_>, Vec<_>) = node.fetching().partition(|(guid, ..)| asked.contains(guid));
    let fetching = told.into_iter().chain(others).take(FETCHES).map(under_way).collect();
    let names = asked.iter().copied().chain(begun.iter().map(|(guid, ..)| *guid));
    let second = all.then(|| {
        let stats = node.stats();
        let counts = Counts {
            sent: api::Amount { datagrams: stats.datagrams_sent, bytes: stats.bytes_sent },
            received: api::Amount { datagrams: stats.datagrams_received, bytes: stats.bytes_received },
            arrived: member.news.latest().records,
            duplicate: stats.records_received_duplicate,
            dropped: Rejected::ALL.iter().map(|&cause| stats.rejected(cause)).sum(),
        };
        (View::new(member, moment), counts, node.fetching().count() as u64)
    });
    Sample {
        at: moment.wall(moment.now),
        spans: spans(member, counts),
        complete: names.filter(|guid| node.ledger().contains(guid)).collect(),
        begun,
        fetching,
        second,
    }
}

/// The peers with the most of what was counted by address.
fn spans(member: &Member, counts: BTreeMap<SocketAddr, api::Span>) -> Vec<api::Span> {
    if counts.is_empty() {
        return Vec::new();
    }
    let of = |(guid, peer): (Guid, crate::proto::peers::Peer<'_>)| {
        counts.get(&peer.addr).map(|span| api::Span { peer: guid.to_string(), ..span.clone() })
    };
    let mut spans: Vec<api::Span> = member.node.peers().iter().filter_map(of).collect();
    let all = |span: &api::Span| {
        let api::Span { rumors_out, rumors_in, repairs_out, repairs_in, hellos_out, hellos_in, .. } = span;
        rumors_out + rumors_in + repairs_out + repairs_in + hellos_out + hellos_in
    };
    spans.sort_by_key(|span| std::cmp::Reverse(all(span)));
    spans.truncate(BUSY);
    spans
}
