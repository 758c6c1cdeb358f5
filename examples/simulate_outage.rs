//! What an outage does to a network of yours, in virtual time: real nodes, every byte sealed and opened, on links that lose
//! what you say. The simulator is a library; with another seed it is another night.
//!
//! ```sh
//! cargo run --release --example simulate_outage                  # 40 nodes, 5 % loss, seed 1
//! cargo run --release --example simulate_outage -- 200 0.1 7     # nodes, loss, seed
//! ```

use gossip_node::proto::peers::Reach;
use gossip_node::sim::Network;
use std::error::Error;
use std::time::Duration;

/// Longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs until something holds, and says how long that took.
fn until(network: &mut Network, what: &str, holds: impl FnMut(&Network) -> bool) -> Result<(), Box<dyn Error>> {
    let began = network.now();
    if !network.run_until(PATIENCE, holds) {
        return Err(format!("not within {PATIENCE:?}: {what}").into());
    }
    println!("{:>8.2} s  {what}", network.now().since(began).as_secs_f64());
    Ok(())
}

/// Whether every node that runs reaches so many others.
fn all_reach(network: &Network, others: usize) -> bool {
    let reached = |node| network.node(node).peers().iter().filter(|(_, peer)| peer.reach == Reach::Reachable).count();
    network.running().all(|node| reached(node) >= others)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let nodes: usize = args.next().map_or(Ok(40), |nodes| nodes.parse())?;
    let loss: f64 = args.next().map_or(Ok(0.05), |loss| loss.parse())?;
    let seed: u64 = args.next().map_or(Ok(1), |seed| seed.parse())?;
    if !(4..=1000).contains(&nodes) || !(0.0..=0.5).contains(&loss) {
        return Err("say 4 to 1000 nodes, and a loss of 0.0 to 0.5".into());
    }
    println!("{nodes} nodes, {:.0} % of datagrams lost, seed {seed}", loss * 100.0);

    let mut network = Network::new(seed);
    let all = network.add_cluster(nodes);
    network.link.loss = loss;
    until(&mut network, "all have met, from one address that they were told", |network| all_reach(network, nodes - 1))?;
    network.create(all[0], "all is well").ok_or("the node refuses a record")?;
    until(&mut network, "the first record is on all disks", Network::converged)?;

    // A switch dies: two halves, in both of which people go on.
    let (one, other) = all.split_at(nodes / 2);
    network.partition(&[one, other]);
    for (number, half) in [one, other].into_iter().enumerate() {
        for record in 0..100 {
            let said = network.create(half[record % half.len()], format!("half {number}, record {record}"));
            said.ok_or("the node refuses a record")?;
            network.run(Duration::from_millis(100));
        }
    }
    // Meanwhile the power fails at a fifth of the hosts; their disks lose what was not committed.
    let dark: Vec<usize> = all.iter().copied().filter(|node| node % 5 == 4).collect();
    network.crash_all(&dark);
    network.run(Duration::from_secs(60));
    println!("{:>8} s  split into halves, 200 records written, {} hosts dark", 80, dark.len());

    network.heal();
    dark.iter().for_each(|&node| network.start(node));
    until(&mut network, "after the switch is back, all hold all records", Network::converged)?;
    until(&mut network, "and all reach all", |network| all_reach(network, nodes - 1))?;
    // Nothing that was acknowledged is lost, nothing is there that nobody said, or this panics.
    network.assert_converged();
    network.assert_safe();
    let seen = network.seen;
    println!("{seen:#?}");
    Ok(())
}
