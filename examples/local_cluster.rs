//! A cluster of daemons in one process, through the library: each has its own home, socket and store. The first
//! argument says how many (3).
//!
//! ```sh
//! cargo run --release --example local_cluster -- 8
//! ```

use gossip_node::api::{RegisterRequest, WaitQuery};
use gossip_node::config::{Home, Network, ServerFile};
use gossip_node::daemon::Daemon;
use gossip_node::proto::gossip::Guid;
use gossip_node::proto::seal::Secret;
use std::error::Error;
use std::net::Ipv4Addr;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let nodes: u8 = std::env::args().nth(1).map_or(Ok(3), |count| count.parse())?;
    let homes = tempfile::tempdir()?;
    // A network's secret is made of its name and a password by `Secret::derive`; here any will do.
    let network = Network::new("example", Secret([7; 32]));

    let mut daemons = Vec::new();
    for number in 1..=nodes {
        let home = Home::new(homes.path().join(number.to_string()));
        home.create()?;
        let mut file = ServerFile::new(Guid::random([number; 16]), &format!("node-{number}"));
        (file.ip, file.port, file.networks) = (Ipv4Addr::LOCALHOST.into(), 0, vec![network.clone()]);
        file.save(&home.server_json())?;
        daemons.push(Daemon::start(home).await?);
    }

    let first = daemons.first().ok_or("a cluster has at least one node")?.addr().to_string();
    for (daemon, number) in daemons.iter().zip(1..) {
        if number > 1 {
            let request = RegisterRequest { address: first.clone(), timeout_ms: 10_000 };
            println!("node-{number} registered with {}", daemon.handle().register(None, request).await?.name);
        }
        daemon.handle().add(None, None, format!("hello from node-{number}").into()).await?;
    }

    for (daemon, number) in daemons.iter().zip(1..) {
        let count = u64::from(nodes);
        let all = WaitQuery { gossip: Some(count), peers: Some(count - 1), timeout_ms: 30_000, ..Default::default() };
        let waited = daemon.handle().wait(all).await?;
        let status = daemon.handle().status_network(None).await?;
        println!("node-{number} at {}: {} records, root {}", daemon.addr(), status.gossip_count, status.root);
        if !waited.holds {
            return Err(format!("node-{number} did not get everything in 30 s").into());
        }
    }

    for daemon in daemons {
        daemon.handle().stop();
        daemon.stopped().await?;
    }
    Ok(())
}
