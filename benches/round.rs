//! What a whole digest round costs two nodes together, all but sockets and disks: HELLO, one DID_YOU_HERE, and the
//! records of which one of them has none.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use gossip_node::proto::gossip::{Gossip, Guid, Kind};
use gossip_node::proto::time::Timestamp;
use gossip_node::sim::Network;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const DIFFERENCES: usize = 10;

/// Two nodes that have met; the second lacks the last few records.
fn apart(records: &[Gossip]) -> Network {
    let mut net = Network::new(1);
    net.check = false;
    let nodes = net.add_cluster(2);
    net.run(2 * SECOND);
    for (number, gossip) in records.iter().enumerate() {
        let holders = if number + DIFFERENCES < records.len() { &nodes[..] } else { &nodes[..1] };
        holders.iter().for_each(|&node| net.preload(node, gossip));
    }
    net
}

fn round(c: &mut Criterion) {
    let mut group = c.benchmark_group("digest round");
    group.sample_size(20);
    for count in [1000, 10_000] {
        let record = |n| {
            let msg = format!("what was said as number {n}").into_bytes();
            Gossip::make(Kind::Message, Timestamp(n), Guid([9; 16]), "elder", msg.into()).expect("it is a record")
        };
        let records: Vec<Gossip> = (0..count).map(record).collect();
        group.bench_function(format!("{DIFFERENCES} differences in {count}"), |b| {
            b.iter_batched(
                || apart(&records),
                |mut net| {
                    assert!(net.run_until(5 * SECOND, Network::converged));
                    net
                },
                BatchSize::PerIteration,
            );
        });
    }
}

criterion_group!(benches, round);
criterion_main!(benches);
