//! What a node makes of datagrams: of rumours that are new, that it has, and that are forged; and what writing costs it.

#[path = "../tests/common/pair.rs"]
mod pair;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use gossip_node::proto::gossip::{Gossip, Guid, Kind};
use gossip_node::proto::limits::{HEADER, TAG};
use gossip_node::proto::seal::{Header, NetworkKey, Secret};
use gossip_node::proto::time::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use pair::Pair;
use sha2::Sha256;
use std::hint::black_box;

/// Messages in one round.
const MESSAGES: usize = 200;
const SIZE: usize = 200;

/// A tag over as many bytes, by the hash alone: the floor under `seal` and `open`.
fn seal(c: &mut Criterion) {
    let key = NetworkKey::new(&Secret([7; 32]));
    let bare = Hmac::<Sha256>::new_from_slice(&[7; 32]).expect("any key");
    let header = Header { kind: 8, src_session: 1, dst_session: 2, counter: 3 };
    for size in [64, 256, 1200] {
        let mut group = c.benchmark_group(format!("{size} B"));
        group.throughput(Throughput::Bytes(size as u64));
        let (body, mut out) = (vec![7; size - HEADER - TAG], Vec::new());
        let signed = vec![7; size - TAG];
        group.bench_function("bare HMAC", |b| {
            b.iter(|| bare.clone().chain_update(black_box(&signed)).finalize().into_bytes());
        });
        group.bench_function("seal", |b| {
            b.iter(|| key.seal(&header, &mut out, |out| out.extend_from_slice(black_box(&body))));
        });
        group.bench_function("open", |b| b.iter(|| key.open(black_box(&out)).is_ok()));
    }
}

fn datagrams(c: &mut Criterion) {
    let mut group = c.benchmark_group("handle_datagram");
    let fresh = || {
        let mut pair = Pair::new();
        let datagrams = pair.write(MESSAGES, SIZE);
        (pair, datagrams)
    };
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
            || {
                let mut pair = Pair::new();
                let datagrams = pair.write(MESSAGES, SIZE);
                (pair, datagrams)
            },
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

criterion_group!(benches, seal, datagrams, records);
criterion_main!(benches);
