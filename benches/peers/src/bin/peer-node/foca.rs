//! [`Foca`]: membership and broadcasts; socket and timers are its user's, here as in its `foca_insecure_udp_agent`.
//! A record is a custom broadcast. It keeps none: who joins late is told nothing, and what is lost stays lost.
//!
//! Default: `Config::simple()`. Best: `Config::new_lan` for the size of the cluster, as that example, with the ten
//! transmissions of `simple()` where its formula comes to less, and `broadcast()` for as long as there is a backlog, which
//! it offers to those who want news to spread sooner.

use crate::held::{Held, number, text};
use crate::node::{Later, Node, Place, Wrong, addr};
use ::foca::{AccumulatingRuntime, BroadcastHandler, Config, Identity, Invalidates, PostcardCodec, Timer};
use bytes::Bytes;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Between two rounds of broadcasts while there is a backlog, and how many calls make a round.
const ROUND: (Duration, usize) = (Duration::from_millis(1), 8);

/// See the module.
pub struct Foca {
    asked: mpsc::UnboundedSender<Asked>,
    held: Held,
}

enum Asked {
    Add(u64, u64, usize, oneshot::Sender<()>),
    Peers(oneshot::Sender<Vec<u8>>),
}

/// Who rejoins at the same address is somebody new, as in the example.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Id {
    number: u8,
    bump: u64,
}

impl Identity for Id {
    type Addr = u8;

    fn renew(&self) -> Option<Id> {
        Some(Id { bump: self.bump + 1, ..*self })
    }

    fn addr(&self) -> u8 {
        self.number
    }

    fn win_addr_conflict(&self, adversary: &Id) -> bool {
        self.bump > adversary.bump
    }
}

struct Key(u64);

impl Invalidates for Key {
    fn invalidates(&self, other: &Key) -> bool {
        self.0 == other.0
    }
}

struct Handler(Held);

impl BroadcastHandler<Id> for Handler {
    type Key = Key;
    type Error = std::fmt::Error;

    fn receive_item(&mut self, data: &[u8], _: Option<&Id>) -> Result<Option<Key>, std::fmt::Error> {
        let number = number(data).ok_or(std::fmt::Error)?;
        Ok(self.0.take_number(number).then_some(Key(number)))
    }
}

/// A timer, by when it is due and in which order it was set.
struct Due(Instant, u64, Timer<Id>);

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Due) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

struct Driver {
    foca: ::foca::Foca<Id, PostcardCodec, StdRng, Handler>,
    runtime: AccumulatingRuntime<Id>,
    socket: UdpSocket,
    timers: BinaryHeap<Reverse<Due>>,
    set: u64,
    best: bool,
}

impl Foca {
    /// Binds, and announces itself to the seed.
    pub async fn start(place: &Place) -> Result<Foca, Wrong> {
        let size = NonZeroU32::new(place.nodes.into()).ok_or("nobody")?;
        let simple = Config::simple();
        let config = if place.best {
            let lan = Config::new_lan(size);
            Config { max_transmissions: lan.max_transmissions.max(simple.max_transmissions), ..lan }
        } else {
            simple
        };
        let held = Held::new();
        let id = Id { number: place.number, bump: 0 };
        let rng: StdRng = rand::make_rng();
        let foca = ::foca::Foca::with_custom_broadcast(id, config, rng, PostcardCodec, Handler(held.clone()));
        let socket = UdpSocket::bind(place.addr()).await?;
        let (timers, runtime) = (BinaryHeap::new(), AccumulatingRuntime::new());
        let mut driver = Driver { foca, runtime, socket, timers, set: 0, best: place.best };
        if let Some(seed) = place.seed {
            driver.foca.announce(Id { number: seed, bump: 0 }, &mut driver.runtime)?;
        }
        let (asked, asking) = mpsc::unbounded_channel();
        let seed = place.seed;
        tokio::spawn(async move {
            if let Err(error) = driver.run(asking, seed).await {
                eprintln!("foca: {error}");
            }
        });
        Ok(Foca { asked, held })
    }
}

impl Driver {
    async fn run(&mut self, mut asking: mpsc::UnboundedReceiver<Asked>, seed: Option<u8>) -> Result<(), Wrong> {
        let mut buffer = vec![0; 65_536];
        let mut joining = tokio::time::interval(Duration::from_millis(500));
        loop {
            self.drain().await;
            let due = self.timers.peek().map_or(Instant::now() + Duration::from_secs(3600), |due| due.0.0);
            let backlog = self.best && self.foca.num_members() > 0 && self.foca.custom_broadcast_backlog() > 0;
            tokio::select! {
                received = self.socket.recv_from(&mut buffer) => {
                    let Ok((length, _)) = received else { continue };
                    // What it refuses it may refuse; the example only logs that.
                    let _ = self.foca.handle_data(&buffer[..length], &mut self.runtime);
                }
                Some(asked) = asking.recv() => self.answer(asked),
                () = tokio::time::sleep_until(due) => {
                    if let Some(Reverse(Due(.., timer))) = self.timers.pop() {
                        let _ = self.foca.handle_timer(timer, &mut self.runtime);
                    }
                }
                () = tokio::time::sleep(ROUND.0), if backlog => self.round(),
                _ = joining.tick(), if seed.is_some() && self.foca.num_members() == 0 => {
                    let number = seed.unwrap_or_default();
                    let _ = self.foca.announce(Id { number, bump: 0 }, &mut self.runtime);
                }
            }
        }
    }

    fn answer(&mut self, asked: Asked) {
        match asked {
            Asked::Add(first, count, size, done) => {
                for number in first..first + count {
                    let _ = self.foca.add_broadcast(text(number, size).as_bytes());
                }
                if self.best {
                    self.round();
                }
                let _ = done.send(());
            }
            Asked::Peers(told) => {
                let alive = self.foca.iter_members().map(|member| member.id().number);
                let _ = told.send(alive.collect());
            }
        }
    }

    fn round(&mut self) {
        for _ in 0..ROUND.1 {
            let _ = self.foca.broadcast(&mut self.runtime);
        }
    }

    async fn drain(&mut self) {
        while let Some((to, data)) = self.runtime.to_send() {
            let to: SocketAddr = addr(to.number);
            let data: Bytes = data;
            let _ = self.socket.send_to(&data, to).await;
        }
        while let Some((after, timer)) = self.runtime.to_schedule() {
            self.set += 1;
            self.timers.push(Reverse(Due(Instant::now() + after, self.set, timer)));
        }
        while self.runtime.to_notify().is_some() {}
    }
}

impl Node for Foca {
    fn add(&self, first: u64, count: u64, size: usize) -> Later<'_, ()> {
        Box::pin(async move {
            let (done, when) = oneshot::channel();
            self.asked.send(Asked::Add(first, count, size, done))?;
            Ok(when.await?)
        })
    }

    fn when(&self, count: u64, patience: Duration) -> Later<'_, (u64, u64)> {
        self.held.when(count, patience)
    }

    fn peers(&self) -> Later<'_, Vec<u8>> {
        Box::pin(async move {
            let (told, what) = oneshot::channel();
            self.asked.send(Asked::Peers(told))?;
            Ok(what.await?)
        })
    }
}
