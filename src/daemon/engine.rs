//! [`Engine`]: the daemon's task. It never waits for a disk: facts go to the store's writer, what is missing is asked of
//! its reader, and both answer as events.

use super::cache::Cache;
use super::handle::{Adding, Command, Refusal};
use super::news::News;
use super::rate::Rate;
use super::tally::Tally;
use super::view;
use super::{Clock, rename, wall_clock};
use crate::api;
use crate::config::{Home, ServerFile};
use crate::effects::{Effects, settle};
use crate::net::Socket;
use crate::proto::fact::{Fact, Receipt};
use crate::proto::gossip::{Draft, Gossip, Guid, Key};
use crate::proto::node::{Node, Transmit};
use crate::proto::seal::claimed_key_id;
use crate::proto::time::{Tick, Timestamp};
use crate::store::{Authored, Load, Loaded, NetworkId, Store};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use tokio::sync::mpsc::{Receiver, UnboundedReceiver};
use tokio::sync::{oneshot, watch};

/// Datagrams received, and sent, before something else has its turn.
const BUDGET: usize = 512;

/// What the store says.
pub enum Event {
    /// Facts are on disk, or were refused.
    Receipts(Vec<(NetworkId, Receipt)>),
    /// Something was read.
    Loaded(NetworkId, Load, Loaded),
}

/// What somebody wants done with a member.
pub type Look = Box<dyn FnOnce(&mut Member, Moment) + Send>;

/// Where and when a member is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The daemon's UDP address.
    pub addr: SocketAddr,
    /// Its clock.
    pub clock: Clock,
    /// What that says.
    pub now: Tick,
    /// Where the control API listens on TCP.
    pub http: Option<SocketAddr>,
}

impl Moment {
    /// The time of something that happened.
    pub fn wall(&self, tick: Tick) -> Timestamp {
        Timestamp(self.clock.wall.0.saturating_add(tick.0.min(self.now.0)))
    }
}

/// The daemon in one network.
pub struct Member {
    /// NETWORK_NAME.
    pub name: String,
    /// In the store.
    pub id: NetworkId,
    /// The protocol.
    pub node: Node,
    /// For those who follow.
    pub news: News,
    /// What it sends.
    pub rate: Rate,
    /// With whom it talks, while somebody wants to know.
    pub tally: Tally,
    /// What its beacons told, where discovery is on.
    pub discovery: Option<watch::Receiver<api::Discovery>>,
    cache: Cache,
    /// When the node wants to be woken.
    wake: Tick,
    /// Whether it has to be settled.
    touched: bool,
    /// Records authored here that are on their way to the disk, with who waits.
    adding: BTreeMap<Guid, (Gossip, oneshot::Sender<Result<api::Added, Refusal>>)>,
    /// Who waits for a record made elsewhere to be on the disk.
    pub importing: BTreeMap<Guid, Vec<oneshot::Sender<bool>>>,
    /// Who waits for a node to register.
    registering: Vec<(SocketAddr, Tick, oneshot::Sender<api::Registered>)>,
}

impl Member {
    /// A node that has not done anything yet.
    pub fn new(name: String, id: NetworkId, node: Node) -> Member {
        let (rate, tally, cache, adding, importing, registering) = Default::default();
        // The epoch grows with each start.
        let news = News::new(node.settings().epoch);
        let (wake, touched, discovery) = (Tick(0), true, None);
        Member { name, id, node, news, rate, tally, discovery, cache, wake, touched, adding, importing, registering }
    }

    /// Has it settled: it was told something.
    pub fn touch(&mut self) {
        self.touched = true;
    }
}

/// All that the daemon's task owns.
pub struct Engine {
    pub(super) home: Home,
    pub(super) file: Arc<ServerFile>,
    pub(super) addr: SocketAddr,
    pub(super) socket: Socket,
    pub(super) store: Arc<Store>,
    pub(super) members: Vec<Member>,
    pub(super) clock: Clock,
    pub(super) changed: watch::Sender<u64>,
    pub(super) wake: Tick,
    pub(super) http: Arc<OnceLock<SocketAddr>>,
}

/// What a node wants done, done.
struct Shell<'a> {
    id: NetworkId,
    name: &'a str,
    news: &'a mut News,
    tally: &'a mut Tally,
    cache: &'a Cache,
    store: &'a Store,
    socket: &'a mut Socket,
    budget: usize,
    identity: Option<Guid>,
}

impl Effects for Shell<'_> {
    type Bodies = Cache;

    fn keep(&mut self, fact: Fact) {
        match fact {
            Fact::Identity(guid) => self.identity = Some(guid),
            Fact::Reach(fact) => self.news.reached(view::reached(&fact, self.name, wall_clock())),
            fact => {
                if let Fact::Partial(guid, head) = &fact {
                    self.tally.begun(*guid, head);
                }
                self.cache.keep(&fact);
                self.store.submit(self.id, fact);
            }
        }
    }

    fn bodies(&self) -> &Cache {
        self.cache
    }

    fn transmit(&mut self, transmit: &Transmit) -> bool {
        self.socket.send(transmit.to, &transmit.bytes);
        self.tally.sent(transmit.to, &transmit.bytes);
        self.budget -= 1;
        self.budget > 0
    }
}

impl Engine {
    /// Runs until it is told to stop.
    pub async fn run(
        mut self,
        mut commands: Receiver<Command>,
        mut events: UnboundedReceiver<Event>,
        mut stopping: watch::Receiver<bool>,
    ) -> io::Result<()> {
        self.settle();
        loop {
            let sleep = tokio::time::sleep_until(self.clock.instant(self.wake.min(FAR)).into());
            tokio::select! {
                readable = self.socket.readable() => {
                    readable?;
                    self.receive();
                }
                Some(command) = commands.recv() => self.obey(command),
                Some(event) = events.recv() => {
                    self.take(event);
                    while let Ok(event) = events.try_recv() {
                        self.take(event);
                    }
                }
                () = sleep, if self.wake != Tick::NEVER => {}
                _ = stopping.wait_for(|&stop| stop) => break,
            }
            self.settle();
        }
        self.stop(commands, events).await
    }

    fn receive(&mut self) {
        let Engine { socket, members, clock, .. } = self;
        let now = clock.now();
        let mut budget = BUDGET;
        while budget > 0 {
            let received = socket.receive(|from, datagram| {
                // Those that name no network of ours are the first one's to count.
                let claimed = claimed_key_id(datagram);
                let ours = |member: &Member| claimed == Some(member.node.settings().key.key_id());
                let index = members.iter().position(ours).unwrap_or(0);
                if let Some(member) = members.get_mut(index) {
                    member.touched = true;
                    match member.node.handle_datagram(now, from, datagram) {
                        Ok(()) => member.tally.received(from, datagram),
                        Err(cause) => tracing::trace!(%from, cause = cause.name(), "datagram dropped"),
                    }
                }
            });
            match received {
                Ok(0) => return,
                Ok(count) => budget = budget.saturating_sub(count),
                Err(error) => {
                    tracing::debug!(%error, "receiving");
                    return;
                }
            }
        }
    }

    fn take(&mut self, event: Event) {
        let now = self.clock.now();
        match event {
            Event::Receipts(receipts) => {
                for (id, receipt) in receipts {
                    let Some(member) = self.members.iter_mut().find(|member| member.id == id) else { continue };
                    member.touched = true;
                    member.receive(now, receipt, &self.store);
                }
            }
            Event::Loaded(id, load, loaded) => {
                let Some(member) = self.members.iter_mut().find(|member| member.id == id) else { return };
                member.touched = true;
                if let Loaded::Bad(key) = loaded {
                    tracing::warn!(guid = %key.guid, "a record was damaged on disk: it will be fetched again");
                    member.node.handle_lost(key.guid);
                }
                member.cache.insert(load, loaded);
                member.node.handle_loaded();
            }
        }
    }

    fn obey(&mut self, command: Command) {
        let now = self.clock.now();
        match command {
            Command::Add { network, all } => {
                if let Some(member) = self.members.get_mut(network) {
                    member.author(all, &self.store);
                }
            }
            Command::Register { network, addr, seed, reply } => {
                for (index, member) in self.members.iter_mut().enumerate() {
                    if network.is_none_or(|network| network == index) {
                        member.node.register(now, addr, seed);
                        member.touched = true;
                    }
                }
                if let (Some(reply), Some(member)) = (reply, network.and_then(|index| self.members.get_mut(index))) {
                    member.registering.push((addr, now, reply));
                }
            }
            Command::Look { network, look } => {
                if let Some(member) = self.members.get_mut(network) {
                    look(member, Moment { addr: self.addr, clock: self.clock, now, http: self.http.get().copied() });
                }
            }
        }
    }

    /// Lets every node that something happened to, or whose time has come, do what it wants done.
    fn settle(&mut self) {
        let now = self.clock.now();
        self.wake = Tick::NEVER;
        for member in &mut self.members {
            if member.wake <= now {
                member.node.handle_timeout(now);
                member.touched = true;
            }
            if std::mem::take(&mut member.touched) {
                let Member { id, name, node, news, rate, tally, cache, .. } = member;
                rate.sample(now, || node.stats());
                let (store, socket) = (&*self.store, &mut self.socket);
                let mut shell =
                    Shell { id: *id, name, news, tally, cache, store, socket, budget: BUDGET, identity: None };
                let wake = settle(node, now, &mut shell);
                member.wake = wake.at;
                if let Some(guid) = shell.identity {
                    rename(&self.home, &mut self.file, guid);
                }
                member.cache.ask(|load| self.store.load(member.id, load));
                member.registered();
            }
            self.wake = self.wake.min(member.wake);
        }
        self.socket.flush();
        self.changed.send_modify(|changes| *changes += 1);
    }

    /// Says goodbye, keeps what is on its way, and answers who still waits.
    async fn stop(mut self, mut commands: Receiver<Command>, mut events: UnboundedReceiver<Event>) -> io::Result<()> {
        commands.close();
        let now = self.clock.now();
        for member in &mut self.members {
            member.node.leave(now, false);
            member.touched = true;
        }
        self.settle();
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || store.close()).await.map_err(io::Error::other)?;
        while let Ok(event) = events.try_recv() {
            self.take(event);
        }
        Ok(())
    }
}

/// The farthest that a timer is set: tokio's reach less far than ours.
const FAR: Tick = Tick(u64::MAX / 1_000_000);

impl Member {
    /// Makes records and has them kept.
    fn author(&mut self, all: Vec<Adding>, store: &Store) {
        let mut made = Vec::new();
        for Adding { who_name, msg, request, reply } in all {
            let who_name = who_name.unwrap_or_else(|| self.node.settings().node_name.clone());
            match self.node.author(wall_clock(), Draft { who_name, msg }) {
                Ok(gossip) => {
                    self.cache.keep_gossip(&gossip);
                    made.push(Authored { gossip: gossip.clone(), request });
                    self.adding.insert(gossip.guid(), (gossip, reply));
                }
                Err(invalid) => drop(reply.send(Err(Refusal::Invalid(invalid.to_string())))),
            }
        }
        if !made.is_empty() {
            store.author(self.id, made);
        }
    }

    fn receive(&mut self, now: Tick, receipt: Receipt, store: &Store) {
        if let Receipt::Held(_) = receipt {
            self.news.arrived();
        }
        if let Receipt::Held(Key { guid, .. }) | Receipt::Failed(guid) | Receipt::Wrong(guid) = receipt {
            for reply in self.importing.remove(&guid).into_iter().flatten() {
                let _ = reply.send(matches!(receipt, Receipt::Held(_)));
            }
        }
        let waits = match receipt {
            Receipt::Held(key) => self.adding.remove(&key.guid),
            Receipt::Failed(guid) => self.adding.remove(&guid),
            Receipt::Piece(..) | Receipt::Wrong(_) => None,
        };
        let Some((gossip, reply)) = waits else {
            if let Receipt::Failed(_) = receipt {
                let why = store.last_error().unwrap_or_else(|| "unknown".to_owned());
                tracing::warn!("the disk takes no records ({why}): this node only reads until it does");
            }
            return self.node.handle_receipt(now, receipt);
        };
        let answer = if let Receipt::Held(_) = receipt {
            self.node.learn(now, &gossip);
            Ok(view::added(&gossip.guid(), gossip.head(), true))
        } else {
            let why = store.last_error().unwrap_or_else(|| "it does not say why".to_owned());
            Err(Refusal::Unavailable(format!("the disk did not take the record: {why}")))
        };
        // Who asked may have gone; the record is kept all the same.
        let _ = reply.send(answer);
    }

    /// Answers those whose node has registered since they asked.
    fn registered(&mut self) {
        if self.registering.is_empty() {
            return;
        }
        let (node, name) = (&self.node, &self.name);
        let waiting = std::mem::take(&mut self.registering);
        for (addr, since, reply) in waiting {
            let met =
                node.peers().iter().find(|(_, peer)| peer.addr == addr && peer.met.is_some_and(|met| met >= since));
            match met {
                Some((guid, peer)) => drop(reply.send(view::registered(&guid, &peer, name))),
                None if reply.is_closed() => {}
                None => self.registering.push((addr, since, reply)),
            }
        }
    }
}
