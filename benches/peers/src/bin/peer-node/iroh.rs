//! [`Iroh`]: iroh-gossip, QUIC with a topic that all join. A record is a message to the topic. It keeps none beyond its
//! 30 s cache, and knows its neighbours, not all that are there.
//!
//! Without relays and without the public address lookup, which a namespace cannot reach: each is told the addresses of
//! all. Default: `Gossip::builder()`, so at most five neighbours. Best: an active view as large as the cluster, so that
//! every node is one hop away, and room for bursts between it and its user.

use crate::held::{Held, text};
use crate::node::{Later, Node, Place, Wrong, addr};
use ::iroh::address_lookup::memory::MemoryLookup;
use ::iroh::endpoint::presets::Minimal;
use ::iroh::protocol::Router;
use ::iroh::{Endpoint, EndpointAddr, EndpointId, RelayMode, SecretKey};
use iroh_gossip::api::{Event, GossipSender, JoinOptions};
use iroh_gossip::net::{GOSSIP_ALPN, Gossip};
use iroh_gossip::proto::{HyparviewConfig, TopicId};
use n0_future::StreamExt;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// See the module.
pub struct Iroh {
    sender: GossipSender,
    neighbours: Arc<Mutex<BTreeSet<u8>>>,
    held: Held,
    _router: Router,
}

fn key(number: u8) -> SecretKey {
    SecretKey::from_bytes(&[number; 32])
}

impl Iroh {
    /// Binds, and joins the topic.
    pub async fn start(place: &Place) -> Result<Iroh, Wrong> {
        let lookup = MemoryLookup::new();
        let mut numbers: HashMap<EndpointId, u8> = HashMap::new();
        for number in 1..=place.nodes {
            let id = key(number).public();
            numbers.insert(id, number);
            lookup.add_endpoint_info(EndpointAddr::new(id).with_ip_addr(addr(number)));
        }
        let endpoint = Endpoint::builder(Minimal)
            .secret_key(key(place.number))
            .address_lookup(lookup)
            .relay_mode(RelayMode::Disabled)
            .clear_ip_transports()
            .bind_addr(place.addr())?
            .bind()
            .await?;
        let mut builder = Gossip::builder();
        let mut options = JoinOptions::with_bootstrap(place.seed.map(|seed| key(seed).public()));
        if place.best {
            let capacity = usize::from(place.nodes).max(5);
            builder = builder
                .membership_config(HyparviewConfig { active_view_capacity: capacity, ..HyparviewConfig::default() });
            options.subscription_capacity = 262_144;
        }
        let gossip = builder.spawn(endpoint.clone());
        let router = Router::builder(endpoint).accept(GOSSIP_ALPN, gossip.clone()).spawn();
        let topic = gossip.subscribe_with_opts(TopicId::from_bytes([7; 32]), options).await?;
        let (sender, mut receiver) = topic.split();
        let (held, neighbours) = (Held::new(), Arc::<Mutex<BTreeSet<u8>>>::default());
        let (coming, near) = (held.clone(), neighbours.clone());
        tokio::spawn(async move {
            while let Some(Ok(event)) = receiver.next().await {
                let mut near = near.lock().unwrap_or_else(|poison| poison.into_inner());
                match event {
                    Event::Received(message) => {
                        coming.take(&message.content);
                    }
                    Event::NeighborUp(id) => near.extend(numbers.get(&id)),
                    Event::NeighborDown(id) => {
                        numbers.get(&id).map(|number| near.remove(number));
                    }
                    Event::Lagged => eprintln!("iroh-gossip: lagged"),
                }
            }
        });
        Ok(Iroh { sender, neighbours, held, _router: router })
    }
}

impl Node for Iroh {
    fn add(&self, first: u64, count: u64, size: usize) -> Later<'_, ()> {
        Box::pin(async move {
            for number in first..first + count {
                self.sender.broadcast(text(number, size).into()).await?;
                self.held.take_number(number);
            }
            Ok(())
        })
    }

    fn when(&self, count: u64, patience: Duration) -> Later<'_, (u64, u64)> {
        self.held.when(count, patience)
    }

    fn peers(&self) -> Later<'_, Vec<u8>> {
        Box::pin(async move {
            let near = self.neighbours.lock().unwrap_or_else(|poison| poison.into_inner());
            Ok(near.iter().copied().collect())
        })
    }
}
