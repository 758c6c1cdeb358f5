//! What a node makes of datagrams: of rumours that are new, that it has, and that are forged; and what writing costs it.

#[path = "../tests/common/pair.rs"]
mod pair;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use gossip_node::proto::gossip::{Gossip, Guid, Kind};
use gossip_node::proto::time::Timestamp;
use pair::Pair;
use std::hint::black_box;

/// Messages in one round.
const MESSAGES: usize = 200;
const SIZE: usize = 200;

/// Two nodes, and what the first one says of messages that it has just written.
fn fresh() -> (Pair, Vec<Vec<u8>>) {
    let mut pair = Pair::new();
    let datagrams = pair.write(MESSAGES, SIZE);
    (pair, datagrams)
}

fn datagrams(c: &mut Criterion) {
    let mut group = c.benchmark_group("handle_datagram");
    let count = fresh().1.len() as u64;
    group.throughput(Throughput::Elements(count));
    let all = |(mut pair, datagrams): (Pair, Vec<Vec<u8>>), accepted: bool| {
        for datagram in &datagrams {
            let taken = pair.second.node.handle_datagram(pair.now, pair.first.addr, datagram);
            assert_eq!(taken.is_ok(), accepted);
        }
        pair
    };
    group.bench_function("new records", |b| b.iter_batched(fresh, |pair| all(pair, true), BatchSize::LargeInput));
    let replayed = || {
        let (pair, datagrams) = fresh();
        (all((pair, datagrams.clone()), true), datagrams)
    };
    group.bench_function("replayed", |b| b.iter_batched(replayed, |pair| all(pair, false), BatchSize::LargeInput));
    let forged = || {
        let (pair, mut datagrams) = fresh();
        datagrams.iter_mut().for_each(|datagram| datagram[40] ^= 1);
        (pair, datagrams)
    };
    group.bench_function("forged", |b| b.iter_batched(forged, |pair| all(pair, false), BatchSize::LargeInput));
}

fn records(c: &mut Criterion) {
    let mut group = c.benchmark_group("records");
    group.throughput(Throughput::Elements(MESSAGES as u64));
    group.bench_function("authored, learnt and packed as rumours", |b| {
        b.iter_batched(
            Pair::new,
            |mut pair| {
                let datagrams = pair.write(MESSAGES, SIZE);
                (pair, datagrams)
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("taken in and settled", |b| {
        b.iter_batched(
            fresh,
            |(mut pair, datagrams)| {
                for datagram in &datagrams {
                    let _ = pair.second.node.handle_datagram(pair.now, pair.first.addr, datagram);
                    pair.second.settle(pair.now);
                }
                pair
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("made and named", |b| {
        let make =
            |n: usize| Gossip::make(Kind::Message, Timestamp(n as u64), Guid([9; 16]), "dove", "x".repeat(SIZE).into());
        b.iter(|| (0..MESSAGES).for_each(|n| drop(black_box(make(n)))));
    });
}

criterion_group!(benches, datagrams, records);
criterion_main!(benches);
