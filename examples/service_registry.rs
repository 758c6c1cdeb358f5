//! Who offers what, on all hosts: a service says where it is, everybody knows within milliseconds, and it is off the list
//! when its host says goodbye, or seconds after it died.
//!
//! ```sh
//! REGISTRY_PASSWORD=secret cargo run --release --example service_registry -- HOME web=10.0.0.7:80   # offers, and shows
//! REGISTRY_PASSWORD=secret cargo run --release --example service_registry -- HOME                   # shows
//! ```

use gossip_node::api::Reach;
use gossip_node::config::Profile;
use gossip_node::display::display_line;
use gossip_node::proto::gossip::Guid;
use gossip_node::{Builder, Daemon, Handle, Query};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::process::{Child, Command};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);
/// With whom to register, for the process that is to die.
const DIES: &str = "REGISTRY_DIES";

/// What a node offers: the latest record of each counts.
#[derive(Serialize, Deserialize)]
struct Offer {
    /// Addresses by names of services.
    services: BTreeMap<String, String>,
}

/// All that can be reached now: lines of service and address.
async fn offered(gossip: &Handle) -> Result<BTreeSet<String>, gossip_node::Error> {
    let mut latest: BTreeMap<Guid, Offer> = BTreeMap::new();
    // Old offers pile up unless the network has a `max_age`; from the newest back, the first of each node counts.
    let mut query = Some(Query { newest_first: true, limit: 1000, ..Query::default() });
    while let Some(page) = query {
        let listed = gossip.list(page).await?;
        for record in listed.records {
            let Ok(offer) = record.json::<Offer>() else { continue };
            latest.entry(record.origin).or_insert(offer);
        }
        query = listed.next;
    }
    // Whom nobody reaches offers nothing; this node itself is none of its peers.
    let gone = |reach: Reach| matches!(reach, Reach::Unreachable | Reach::Left);
    let peers = gossip.peers().await?;
    for peer in peers.iter().filter(|peer| gone(peer.reach)) {
        peer.guid.parse().ok().and_then(|guid: Guid| latest.remove(&guid));
    }
    let services = latest.into_values().flat_map(|offer| offer.services);
    // Anybody in the network may have said anything.
    Ok(services.map(|(service, at)| format!("{:<12} {}", display_line(&service), display_line(&at))).collect())
}

/// Waits until that many are offered, and prints them.
async fn until(gossip: &Handle, count: usize, why: &str) -> Result<(), Box<dyn Error>> {
    let holds = async {
        loop {
            match offered(gossip).await? {
                offered if offered.len() == count => return Ok::<_, gossip_node::Error>(offered),
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let offered = tokio::time::timeout(SOON, holds).await??;
    println!("{why}:");
    offered.iter().for_each(|line| println!("  {line}"));
    Ok(())
}

async fn offer(gossip: &Handle, service: &str, address: &str) -> Result<(), gossip_node::Error> {
    let services = BTreeMap::from([(service.to_owned(), address.to_owned())]);
    gossip.add_json(&Offer { services }).await.map(drop)
}

fn node() -> Builder {
    let builder = Daemon::builder().network("registry").password("demonstration").bind(([127, 0, 0, 1], 0));
    builder.in_memory().configure(|file| file.profile = Profile::Fast)
}

/// A process that ends when this is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Offers something until somebody kills this process.
async fn offer_until_killed(seed: String) -> Result<(), Box<dyn Error>> {
    let dies = node().name("dies").seed(seed).start().await?;
    offer(&dies.handle(), "time", "10.0.0.9:123").await?;
    std::future::pending().await
}

/// Three nodes, of which one leaves and one dies.
async fn demonstrate() -> Result<(), Box<dyn Error>> {
    let stays = node().name("stays").start().await?;
    let seed = stays.addr().to_string();
    let leaves = node().name("leaves").seed(seed.clone()).start().await?;
    // In a process of its own: only one that is killed says no goodbye.
    let dies = Killed(Command::new(std::env::current_exe()?).env(DIES, seed).spawn()?);
    offer(&stays.handle(), "web", "10.0.0.7:80").await?;
    offer(&leaves.handle(), "mail", "10.0.0.8:25").await?;
    until(&stays.handle(), 3, "all are there").await?;
    leaves.leave().await?;
    until(&stays.handle(), 2, "one said goodbye").await?;
    drop(dies);
    until(&stays.handle(), 1, "one died").await?;
    stays.leave().await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    if let Ok(seed) = std::env::var(DIES) {
        return offer_until_killed(seed).await;
    }
    let mut args = std::env::args().skip(1);
    let Some(home) = args.next() else { return demonstrate().await };
    let password = std::env::var("REGISTRY_PASSWORD").map_err(|_| "set REGISTRY_PASSWORD, the same on all hosts")?;
    let daemon = Daemon::builder().network("registry").password(password).home(home).start().await?;
    for given in args {
        let (service, address) = given.split_once('=').ok_or("say SERVICE=ADDRESS")?;
        offer(&daemon.handle(), service, address).await?;
    }
    let mut shown = None;
    loop {
        let offered = offered(&daemon.handle()).await?;
        if shown.as_ref() != Some(&offered) {
            offered.iter().for_each(|line| println!("{line}"));
            println!();
            shown = Some(offered);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
