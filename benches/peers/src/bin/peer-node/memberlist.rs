//! [`Memberlist`]: al8n's port of HashiCorp's library, over UDP and TCP. A record is a broadcast of its user's, queued in
//! its own `TransmitLimitedQueue`, and queued again by who hears it first, as Serf does.
//!
//! Default: `Options::lan()` and that queue. Best: `Options::local()`, its preset for a fast network, and besides all
//! records in `local_state`, so that its push/pull (on joining, then each 15 s) brings what was lost and what is old.

use crate::held::{Held, number, text};
use crate::node::{self, Later, Node, PORT, Place, Wrong, addr};
use ::memberlist::bytes::Bytes;
use ::memberlist::delegate::{CompositeDelegate, NodeDelegate, VoidDelegate};
use ::memberlist::net::NetTransportOptions;
use ::memberlist::proto::MaybeResolvedAddress;
use ::memberlist::queue::TransmitLimitedQueue;
use ::memberlist::tokio::{TokioSocketAddrResolver, TokioTcp, TokioTcpMemberlist};
use ::memberlist::{Broadcast, Options};
use smol_str::SmolStr;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Void = VoidDelegate<SmolStr, SocketAddr>;
type Delegate = CompositeDelegate<SmolStr, SocketAddr, Void, Void, Void, Void, User, Void>;
type List = TokioTcpMemberlist<SmolStr, TokioSocketAddrResolver, Delegate>;

/// See the module.
pub struct Memberlist {
    list: List,
    user: User,
}

/// What its user does with messages.
#[derive(Clone)]
struct User(Arc<Inner>);

struct Inner {
    held: Held,
    queue: TransmitLimitedQueue<Record, Arc<AtomicUsize>>,
    /// How many nodes the queue should reckon with.
    nodes: Arc<AtomicUsize>,
    /// All records, if they are to be kept.
    kept: Option<Mutex<BTreeMap<u64, Bytes>>>,
}

#[derive(Debug)]
struct Record(Bytes);

impl Broadcast for Record {
    type Id = SmolStr;
    type Message = Bytes;

    fn id(&self) -> Option<&SmolStr> {
        None
    }

    fn invalidates(&self, _: &Record) -> bool {
        false
    }

    fn message(&self) -> &Bytes {
        &self.0
    }

    fn encoded_len(message: &Bytes) -> usize {
        // With what the packet says of each: its kind and two lengths.
        message.len() + 8
    }

    async fn finished(&self) {}

    fn is_unique(&self) -> bool {
        true
    }
}

impl User {
    /// Whether it is new.
    fn take(&self, record: &Bytes) -> bool {
        let Some(number) = number(record) else { return false };
        if !self.0.held.take_number(number) {
            return false;
        }
        if let Some(kept) = &self.0.kept {
            kept.lock().unwrap_or_else(|poison| poison.into_inner()).insert(number, record.clone());
        }
        true
    }
}

impl NodeDelegate for User {
    async fn notify_message(&self, message: Cow<'_, [u8]>) {
        let record = Bytes::from(message.into_owned());
        if self.take(&record) {
            self.0.queue.queue_broadcast(Record(record)).await;
        }
    }

    async fn broadcast_messages<F>(&self, limit: usize, _: F) -> impl Iterator<Item = Bytes> + Send
    where
        F: Fn(Bytes) -> (usize, Bytes) + Send + Sync + 'static,
    {
        self.0.queue.get_broadcasts(limit).await.into_iter()
    }

    async fn local_state(&self, _: bool) -> Bytes {
        let Some(kept) = &self.0.kept else { return Bytes::new() };
        let mut all = Vec::new();
        for record in kept.lock().unwrap_or_else(|poison| poison.into_inner()).values() {
            all.extend_from_slice(&(record.len() as u32).to_be_bytes());
            all.extend_from_slice(record);
        }
        all.into()
    }

    async fn merge_remote_state(&self, state: &[u8], _: bool) {
        if self.0.kept.is_none() {
            return;
        }
        let mut rest = state;
        while let Some((length, more)) = rest.split_first_chunk::<4>() {
            let Some((record, more)) = more.split_at_checked(u32::from_be_bytes(*length) as usize) else { return };
            rest = more;
            self.take(&Bytes::copy_from_slice(record));
        }
    }
}

impl Memberlist {
    /// Listens, and joins.
    pub async fn start(place: &Place) -> Result<Memberlist, Wrong> {
        let nodes = Arc::new(AtomicUsize::new(1));
        let options = if place.best { Options::local() } else { Options::lan() };
        let user = User(Arc::new(Inner {
            held: Held::new(),
            queue: TransmitLimitedQueue::new(options.retransmit_mult(), nodes.clone()),
            nodes,
            kept: place.best.then(Mutex::default),
        }));
        let name = SmolStr::from(format!("node-{}", place.number));
        let mut net = NetTransportOptions::<SmolStr, TokioSocketAddrResolver, TokioTcp>::new(name);
        net.add_bind_address((place.ip(), PORT).into());
        let delegate = CompositeDelegate::new().with_node_delegate(user.clone());
        let list = List::with_delegate(delegate, net, options).await.map_err(said)?;
        if let Some(seed) = place.seed {
            for attempt in 0.. {
                match list.join(MaybeResolvedAddress::Resolved(addr(seed))).await {
                    Ok(_) => break,
                    Err(error) if attempt == 20 => return Err(said(error)),
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        }
        let (counted, nodes) = (list.clone(), user.0.nodes.clone());
        tokio::spawn(async move {
            loop {
                nodes.store(counted.num_online_members().await, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        Ok(Memberlist { list, user })
    }
}

fn said(error: impl std::fmt::Display) -> Wrong {
    error.to_string().into()
}

impl Node for Memberlist {
    fn add(&self, first: u64, count: u64, size: usize) -> Later<'_, ()> {
        Box::pin(async move {
            for number in first..first + count {
                let record = Bytes::from(text(number, size));
                self.user.take(&record);
                self.user.0.queue.queue_broadcast(Record(record)).await;
            }
            Ok(())
        })
    }

    fn when(&self, count: u64, patience: Duration) -> Later<'_, (u64, u64)> {
        self.user.0.held.when(count, patience)
    }

    fn peers(&self) -> Later<'_, Vec<u8>> {
        Box::pin(async move {
            let own = self.list.advertise_address().ip();
            let alive = self.list.online_members().await;
            let others = alive.iter().map(|member| member.address().ip()).filter(|ip| *ip != own);
            Ok(others.filter_map(node::number).collect())
        })
    }
}
