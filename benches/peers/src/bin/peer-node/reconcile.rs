//! [`Reconcile`]: reconcile-rs, whose rounds are those of its crate `rbsr`. A record is a key with its value in a
//! `ReplicatedMap`, told to all at once by `insert` and mended by range fingerprints. With a cluster key, as its README
//! asks of any real deployment: so its datagrams are authenticated, as ours are. It has no failure detector.
//!
//! Default: `Config::new`. Best: the faster anti-entropy and repair that its README gives as an example (500 and 50 ms).

use crate::held::{Held, text};
use crate::node::{self, Later, Node, PORT, Place, Wrong, ip};
use ::reconcile::tokio_util::sync::CancellationToken;
use ::reconcile::{ClusterKey, ReplicatedMap, replicated_map::Config};
use std::time::Duration;

/// See the module.
pub struct Reconcile {
    map: ReplicatedMap<u64, String>,
    held: Held,
}

impl Reconcile {
    /// Binds, and runs.
    pub async fn start(place: &Place) -> Result<Reconcile, Wrong> {
        let key = ClusterKey::from_hex(&"07".repeat(32)).map_err(|error| format!("{error:?}"))?;
        let config = Config::new(PORT).with_listen_addr(place.ip()).with_cluster_key(key);
        let config = config.with_net("10.77.0.0/24".parse()?).map_err(|error| format!("{error:?}"))?;
        let mut map = ReplicatedMap::new(config).await.map_err(|error| format!("{error:?}"))?;
        if place.best {
            map.set_reconcile_interval(Duration::from_millis(500));
            map.set_repair_interval(Duration::from_millis(50));
        }
        // It has no introductions: each node is told all addresses, as a name in the DNS would.
        for number in (1..=place.nodes).filter(|number| *number != place.number) {
            map = map.with_seed(ip(number));
        }
        let held = Held::new();
        let coming = held.clone();
        map.set_pre_insert(move |number, _| {
            coming.take_number(*number);
        });
        tokio::spawn(map.clone().run(CancellationToken::new()));
        Ok(Reconcile { map, held })
    }
}

impl Node for Reconcile {
    fn add(&self, first: u64, count: u64, size: usize) -> Later<'_, ()> {
        Box::pin(async move {
            if count == 1 {
                self.map.insert(first, text(first, size));
            } else {
                let all: Vec<_> = (first..first + count).map(|number| (number, text(number, size))).collect();
                self.map.insert_bulk(&all);
            }
            Ok(())
        })
    }

    fn when(&self, count: u64, patience: Duration) -> Later<'_, (u64, u64)> {
        self.held.when(count, patience)
    }

    fn peers(&self) -> Later<'_, Vec<u8>> {
        Box::pin(async move { Ok(self.map.peers().into_iter().filter_map(node::number).collect()) })
    }
}
