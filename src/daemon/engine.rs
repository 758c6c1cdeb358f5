//! [`Engine`]: the daemon's task. It never waits for a disk: facts go to the store's writer, what is missing is asked of
//! its reader, and both answer as events.

use super::cache::Cache;
use super::command::Command;
use super::heed;
use super::member::Member;
use super::news::News;
use super::reload::InForce;
use super::splits::Splits;
use super::tally::Tally;
use super::view;
use super::{Clock, rename, wall_clock};
use crate::api;
use crate::effects::{Effects, settle};
use crate::net::Socket;
use crate::proto::fact::{Fact, Receipt};
use crate::proto::gossip::Guid;
use crate::proto::node::Transmit;
use crate::proto::seal::claimed_key_id;
use crate::proto::time::{Tick, Timestamp};
use crate::store::{Load, Loaded, NetworkId, Store, Written};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use tokio::sync::mpsc::{Receiver, UnboundedReceiver};
use tokio::sync::watch;

/// Datagrams received, and sent, before something else has its turn.
const BUDGET: usize = 512;

/// What the store says.
pub enum Event {
    /// Facts are on disk, or were refused; or a damaged file was salvaged.
    Written(Written),
    /// Something was read.
    Loaded(Vec<(NetworkId, Load, Loaded)>),
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
        self.clock.date(tick.min(self.now))
    }
}

/// All that the daemon's task owns.
pub struct Engine {
    pub(super) in_force: Arc<InForce>,
    pub(super) addr: SocketAddr,
    pub(super) socket: Socket,
    pub(super) store: Arc<Store>,
    pub(super) members: Vec<Member>,
    pub(super) clock: Clock,
    pub(super) changed: watch::Sender<u64>,
    pub(super) wake: Tick,
    /// When the networks hear of each other again, where there are several and `server.json` allows it.
    pub(super) share_at: Tick,
    pub(super) http: Arc<OnceLock<SocketAddr>>,
    /// What was said of leaving by who asked for it.
    pub(super) leave: Arc<watch::Sender<Option<bool>>>,
    /// Tells what became of the goodbye.
    pub(super) farewell: watch::Sender<Option<api::Left>>,
}

/// What a node wants done, done.
struct Shell<'a> {
    id: NetworkId,
    name: &'a str,
    news: &'a mut News,
    splits: &'a mut Splits,
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
            Fact::Reach(fact) => {
                self.splits.note(&fact);
                heed::reached(self.name, &fact);
                self.news.reached(view::reached(&fact, self.name, wall_clock()));
            }
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
            let sleep = tokio::time::sleep_until(self.clock.instant(self.wake).into());
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
                let ours = |member: &Member| claimed.is_some_and(|key| member.node.settings().keys.contains(key));
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
            Event::Written(Written::Receipts(receipts)) => {
                for (id, receipt) in &receipts {
                    let Some(member) = touched(&mut self.members, *id) else { continue };
                    member.receive(now, *receipt, &self.store);
                }
                for member in &self.members {
                    let held = |(id, receipt): &&(NetworkId, Receipt)| *id == member.id && receipt.is_held();
                    member.news.arrived(receipts.iter().filter(held).count() as u64);
                }
            }
            Event::Written(Written::Lost(lost)) => {
                for (id, guid) in lost {
                    let Some(member) = touched(&mut self.members, id) else { continue };
                    tracing::warn!(%guid, "a record was damaged on disk: it will be fetched again");
                    member.node.handle_lost(guid);
                }
            }
            Event::Written(Written::Mended(mended)) => {
                tracing::warn!("{}", mended.note);
                for (id, held) in mended.held {
                    let Some(member) = touched(&mut self.members, id) else { continue };
                    member.mended(now, &held, &self.store);
                    // Rows have other numbers now, and whoever follows is to look at them.
                    member.news.arrived(1);
                }
            }
            Event::Loaded(loaded) => self.take_loaded(loaded),
        }
    }

    fn take_loaded(&mut self, loaded: Vec<(NetworkId, Load, Loaded)>) {
        for (id, load, loaded) in loaded {
            let Some(member) = touched(&mut self.members, id) else { continue };
            member.cache.insert(load, loaded);
            member.loaded = true;
        }
        // There is room again, and who had none may have nothing else under way that would come and wake it.
        for member in self.members.iter_mut().filter(|member| member.refused) {
            (member.loaded, member.touched) = (true, true);
        }
    }

    fn obey(&mut self, command: Command) {
        let now = self.clock.now();
        match command {
            Command::Add { network, all, made } => {
                if let Some(member) = self.members.get_mut(network) {
                    member.author(all, made, &self.store);
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
                self.clock.compare(wall_clock());
                if let Some(member) = self.members.get_mut(network) {
                    look(member, Moment { addr: self.addr, clock: self.clock, now, http: self.http.get().copied() });
                }
            }
        }
    }

    /// Lets every node that something happened to, or whose time has come, do what it wants done.
    pub(super) fn settle(&mut self) {
        let (now, wall) = (self.clock.now(), wall_clock());
        self.share(now);
        self.wake = self.share_at;
        let mut changed = false;
        for member in &mut self.members {
            member.node.handle_clock(now, wall);
            if member.wake <= now {
                member.node.handle_timeout(now);
                member.touched = true;
            }
            if std::mem::take(&mut member.loaded) {
                member.node.handle_loaded();
            }
            if std::mem::take(&mut member.touched) {
                changed = true;
                member.pinging.look(now, &mut member.node);
                let Member { id, name, node, news, splits, rate, tally, cache, heed, .. } = member;
                heed.look(now, name, node);
                rate.sample(now, || node.stats());
                let (store, socket) = (&*self.store, &mut self.socket);
                let mut shell =
                    Shell { id: *id, name, news, splits, tally, cache, store, socket, budget: BUDGET, identity: None };
                let wake = settle(node, now, &mut shell);
                let identity = shell.identity;
                member.wake = wake.at;
                member.splits.look(now, &member.node);
                if let Some(guid) = identity {
                    rename(&self.in_force, guid);
                }
                member.refused = !member.cache.ask(|load| self.store.load(member.id, load));
                member.registered();
                self.socket.flush();
                member.unsent += self.socket.take_unsent();
            }
            self.wake = self.wake.min(member.wake);
        }
        // That somebody only looked is nothing to look for again.
        if changed {
            self.changed.send_modify(|changes| *changes += 1);
        }
    }

    /// Says goodbye, keeps what is on its way, and answers who still waits.
    async fn stop(mut self, mut commands: Receiver<Command>, mut events: UnboundedReceiver<Event>) -> io::Result<()> {
        commands.close();
        let left = self.say_goodbye().await;
        self.farewell.send_replace(Some(left));
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || store.close()).await.map_err(io::Error::other)?;
        while let Ok(event) = events.try_recv() {
            self.take(event);
        }
        Ok(())
    }
}

/// The member of a network, to which something happens.
fn touched(members: &mut [Member], id: NetworkId) -> Option<&mut Member> {
    let member = members.iter_mut().find(|member| member.id == id)?;
    member.touched = true;
    Some(member)
}
