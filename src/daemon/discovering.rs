//! [`Discovering`]: the task that sends a daemon's beacons and hears those of others. It owns their sockets, and asks the
//! daemon's task no more than what a fresh beacon of another node of our networks needs: so whatever comes to the
//! discovery port, the nodes have no work with it.

use super::handle::Handle;
use super::member::Member;
use super::refusal::Refusal;
use super::{Clock, wall_clock};
use crate::api;
use crate::config::{RingKey, ServerFile};
use crate::discovery::{Arrival, Discovery};
use crate::display::rfc3339;
use crate::proto::beacon::{Answers, Beacon, BeaconKey, Beacons, Ignored};
use crate::proto::limits::NAMESAKES;
use crate::proto::time::Tick;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

/// Between two looks at the interfaces.
const LOOK: Duration = Duration::from_secs(5);
/// What was heard is shown this long after, with what else was heard by then.
const SHOW: Duration = Duration::from_millis(100);
/// Nodes heard that are shown.
const SHOWN: usize = 16;

/// See the module.
pub struct Discovering {
    clock: Clock,
    /// Where nodes that hear us register.
    port: u16,
    discovery: Discovery,
    networks: Vec<Network>,
    answers: Answers,
    /// When to show what was heard.
    show_at: Tick,
}

/// The beacons of one network.
struct Network {
    name: String,
    ring: watch::Receiver<Vec<RingKey>>,
    beacons: Beacons,
    shown: watch::Sender<api::Discovery>,
    /// Namesakes that were warned of.
    warned: usize,
}

impl Discovering {
    /// For a daemon that receives at `addr`, if it is to discover others. Its members are given what will be shown.
    pub fn new(file: &ServerFile, addr: SocketAddr, clock: Clock, members: &mut [Member]) -> Option<Discovering> {
        if !file.discovers() {
            return None;
        }
        let begin = |member: &mut Member| {
            #[expect(clippy::disallowed_methods, reason = "the daemon owns the randomness")]
            let seed = rand::random();
            let (name, ring) = (member.name.clone(), member.ring.subscribe());
            let primary = ring.borrow().first().map(|key| BeaconKey::new(&key.network_key, &name))?;
            let (shown, show) = watch::channel(api::Discovery { port: file.discovery_port, ..Default::default() });
            member.discovery = Some(show);
            let mut network =
                Network { name, ring, beacons: Beacons::new(primary, seed, clock.now()), shown, warned: 0 };
            network.change_keys();
            Some(network)
        };
        let networks = members.iter_mut().map(begin).collect::<Option<Vec<Network>>>()?;
        let discovery = Discovery::new(addr.ip(), file.discovery_port);
        let (answers, show_at) = (Answers::default(), Tick::NEVER);
        Some(Discovering { clock, port: addr.port(), discovery, networks, answers, show_at })
    }

    /// Runs until the daemon stops.
    pub async fn run(mut self, handle: Handle) {
        tokio::select! {
            () = handle.stopped() => {}
            // Refused only where it is stopping.
            _ = self.discover(&handle) => {}
        }
    }

    async fn discover(&mut self, handle: &Handle) -> Result<(), Refusal> {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while let Some(next) = self.networks.iter().map(|network| network.beacons.poll_timeout()).min() {
            let sleep = tokio::time::sleep_until(self.clock.instant(next.min(self.show_at)).into());
            tokio::select! {
                _ = looks.tick() => self.look(),
                () = self.discovery.readable() => {
                    for arrival in self.discovery.receive() {
                        self.hear(handle, arrival).await?;
                    }
                }
                () = sleep => self.speak(handle).await?,
            }
            if self.show_at <= self.clock.now() {
                self.show();
            }
        }
        Ok(())
    }

    fn look(&mut self) {
        let now = self.clock.now();
        if self.discovery.look() {
            self.networks.iter_mut().for_each(|network| network.beacons.restart(now));
        }
        self.show_at = now;
    }

    async fn speak(&mut self, handle: &Handle) -> Result<(), Refusal> {
        let now = self.clock.now();
        for (index, network) in self.networks.iter_mut().enumerate() {
            if network.beacons.poll_timeout() > now {
                continue;
            }
            network.turn_keys();
            let (guid, epoch) = handle.look(index, |member, _| member.node.run()).await?;
            if let Some(beacon) = network.beacons.poll_beacon(now, guid, epoch, self.port) {
                self.discovery.send(&beacon);
            }
        }
        Ok(())
    }

    async fn hear(&mut self, handle: &Handle, arrival: Arrival) -> Result<(), Refusal> {
        let Arrival { from, on_link, datagram } = arrival;
        let now = self.clock.now();
        self.show_at = self.show_at.min(now + SHOW);
        for (index, network) in self.networks.iter_mut().enumerate() {
            network.turn_keys();
            match network.beacons.handle_datagram(now, from, on_link, &datagram) {
                Err(Ignored::Namesake) => network.warn(from.ip()),
                Err(_) => {}
                Ok(beacon) => {
                    let Beacon { guid, epoch, .. } = beacon;
                    let standing = handle.look(index, move |member, _| member.node.standing(guid, epoch)).await?;
                    let answer = network.beacons.answer(now, from, &beacon, standing, &mut self.answers);
                    tracing::debug!(%from, %guid, ?answer, "beacon");
                    let Ok(to) = answer else { return Ok(()) };
                    let answer = move |member: &mut Member, moment: super::engine::Moment| {
                        member.node.answer_beacon(moment.now, to);
                        member.touch();
                    };
                    return handle.look(index, answer).await;
                }
            }
        }
        Ok(())
    }

    fn show(&mut self) {
        self.show_at = Tick::NEVER;
        self.clock.compare(wall_clock());
        let sources: Vec<String> = self.discovery.sources().map(|source| source.to_string()).collect();
        for Network { beacons, shown, .. } in &self.networks {
            let at = |tick: Tick| rfc3339(self.clock.date(tick));
            let heard = beacons.heard().take(SHOWN).map(|(guid, addr, tick)| api::Neighbour {
                guid: guid.to_string(),
                ip: host(addr),
                port: addr.port(),
                at: at(tick),
            });
            let namesakes = beacons.namesakes().map(|(ip, namesake)| api::Namesake {
                ip: ip.to_string(),
                first: at(namesake.first),
                last: at(namesake.last),
                times: namesake.times,
            });
            let counts = beacons.counts().into_iter().map(|(name, count)| (name.to_owned(), count));
            shown.send_replace(api::Discovery {
                port: self.discovery.port(),
                listens: self.discovery.listens(),
                sources: sources.clone(),
                heard: heard.collect(),
                namesakes: namesakes.collect(),
                counts: counts.collect(),
            });
        }
    }
}

impl Network {
    /// Takes up a ring that has changed.
    fn turn_keys(&mut self) {
        if self.ring.has_changed().unwrap_or(false) {
            self.change_keys();
        }
    }

    fn change_keys(&mut self) {
        let ring = self.ring.borrow_and_update();
        self.beacons.change_keys(ring.iter().map(|key| BeaconKey::new(&key.network_key, &self.name)));
    }

    /// Says it once for a neighbour, and not for more than one host can well have.
    fn warn(&mut self, from: IpAddr) {
        let is_new = self.beacons.namesakes().any(|(ip, namesake)| ip == from && namesake.times == 1);
        if is_new && self.warned < NAMESAKES {
            self.warned += 1;
            tracing::warn!(
                "a host at {from} has a network with the name of {:?} and another password, so the two do not meet: if they should, give one of them the other's password: `gossip-node keys add`, then `keys use`",
                self.name
            );
        }
    }
}

/// An address without its port, but with its link.
fn host(addr: SocketAddr) -> String {
    match addr {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => format!("{}%{}", v6.ip(), v6.scope_id()),
        _ => addr.ip().to_string(),
    }
}
