//! [`Chitchat`]: a record is a key with its value in this node's own state.
//!
//! Default: gossip each second, as its own (private) `Config::default`. Best: each 50 ms, as its own `for_test`, the first
//! heartbeats expected at that pace (as its `perf_test`), and the compressed digest of protocol V1.

use crate::held::{Held, text};
use crate::node::{Later, Node, Place, Wrong, addr, number};
use ::chitchat::transport::UdpTransport;
use ::chitchat::{ChitchatConfig, ChitchatHandle, ChitchatId, FailureDetectorConfig, ProtocolVersion, spawn_chitchat};
use std::time::Duration;

/// See the module.
pub struct Chitchat {
    handle: ChitchatHandle,
    held: Held,
}

impl Chitchat {
    /// Spawns its server.
    pub async fn start(place: &Place) -> Result<Chitchat, Wrong> {
        let gossip_interval = Duration::from_millis(if place.best { 50 } else { 1000 });
        let mut failure_detector_config = FailureDetectorConfig::default();
        if place.best {
            failure_detector_config.initial_interval = gossip_interval;
        }
        let config = ChitchatConfig {
            chitchat_id: ChitchatId::new(format!("node-{}", place.number), 0, place.addr()),
            cluster_id: "peers".into(),
            gossip_interval,
            listen_addr: place.addr(),
            seed_nodes: place.seed.map(|seed| addr(seed).to_string()).into_iter().collect(),
            failure_detector_config,
            marked_for_deletion_grace_period: Duration::from_secs(15 * 60),
            catchup_callback: None,
            extra_liveness_predicate: None,
            protocol_version: if place.best { ProtocolVersion::V1 } else { ProtocolVersion::V0 },
        };
        let handle = spawn_chitchat(config, Vec::new(), &UdpTransport).await?;
        let held = Held::new();
        let coming = held.clone();
        let listening = handle.with_chitchat(move |chitchat| {
            let coming = coming.clone();
            chitchat.subscribe_event("r:", move |event| {
                if let Ok(number) = event.key.parse() {
                    coming.take_number(number);
                }
            })
        });
        listening.await.forever();
        Ok(Chitchat { handle, held })
    }
}

impl Node for Chitchat {
    fn add(&self, first: u64, count: u64, size: usize) -> Later<'_, ()> {
        Box::pin(async move {
            for number in first..first + count {
                let value = text(number, size);
                let set = self.handle.with_chitchat(|chitchat| {
                    chitchat.self_node_state().set(format!("r:{number}"), &value);
                });
                set.await;
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
            let alive = self.handle.with_chitchat(|chitchat| {
                let own = chitchat.self_chitchat_id().clone();
                let others = chitchat.live_nodes().filter(|id| **id != own);
                others.filter_map(|id| number(id.gossip_advertise_addr.ip())).collect()
            });
            Ok(alive.await)
        })
    }
}
