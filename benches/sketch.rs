//! What sketches cost: to keep, to answer from, to rewind and to decode.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use gossip_node::proto::gossip::Guid;
use gossip_node::proto::limits::{DIGEST_SYMBOLS, MAX_PREFIX, MIN_PREFIX, MORE_SYMBOLS, UNDO};
use gossip_node::proto::sketch::{Decoder, Sketch, Symbol, difference};
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};
use std::hint::black_box;

const KEY: [u8; 16] = *b"a key for bench!";

fn guids(count: usize) -> Vec<Guid> {
    let mut rng = ChaCha8Rng::seed_from_u64(count as u64);
    let draw = |_| {
        let mut guid = Guid::default();
        rng.fill_bytes(&mut guid.0);
        guid
    };
    (0..count).map(draw).collect()
}

fn sketch_of(guids: &[Guid], prefix: usize) -> Sketch {
    let mut sketch = Sketch::new(&KEY);
    sketch.grow(prefix, []);
    guids.iter().for_each(|guid| sketch.insert(*guid));
    sketch
}

fn symbols_of(sketch: &Sketch, count: usize) -> Vec<Symbol> {
    sketch.symbols_at(sketch.change(), 0..count).expect("within the prefix")
}

fn keep(c: &mut Criterion) {
    let mut group = c.benchmark_group("insert");
    let guids = guids(10_000);
    group.throughput(Throughput::Elements(guids.len() as u64));
    for prefix in [MIN_PREFIX, MAX_PREFIX] {
        let mut sketch = sketch_of(&[], prefix);
        group.bench_function(format!("10,000 into {prefix}"), |b| {
            b.iter(|| guids.iter().for_each(|guid| sketch.insert(*guid)));
        });
    }
}

fn peel(c: &mut Criterion) {
    let mut group = c.benchmark_group("peel");
    for (differences, symbols) in [(16, 60), (1000, 1474), (10_000, 13_920)] {
        let symbols = symbols_of(&sketch_of(&guids(differences), MAX_PREFIX), symbols);
        group.throughput(Throughput::Elements(differences as u64));
        group.bench_function(format!("{differences} differences"), |b| {
            b.iter_batched(
                || symbols.clone(),
                |symbols| {
                    let mut decoder = Decoder::new(&KEY);
                    decoder.extend(symbols);
                    assert!(decoder.is_done());
                    decoder
                },
                BatchSize::SmallInput,
            );
        });
    }
}

fn digest(c: &mut Criterion) {
    let mut group = c.benchmark_group("handle a digest");
    let all = guids(10_000);
    let ours = sketch_of(&all, MAX_PREFIX);
    for differences in [0, 14] {
        let theirs = symbols_of(&sketch_of(&all[differences..], MAX_PREFIX), DIGEST_SYMBOLS);
        group.bench_function(format!("{differences} differences"), |b| {
            b.iter(|| {
                let mut decoder = Decoder::new(&KEY);
                decoder.extend(difference(&symbols_of(&ours, DIGEST_SYMBOLS), black_box(&theirs)));
                assert!(decoder.is_done());
                decoder
            });
        });
    }
}

fn answer(c: &mut Criterion) {
    let mut group = c.benchmark_group("answer");
    let sketch = sketch_of(&guids(20_000), MAX_PREFIX);
    let now = sketch.change();
    group.bench_function("one datagram", |b| {
        b.iter(|| sketch.symbols_at(black_box(now), 10_000..10_000 + MORE_SYMBOLS));
    });
    for datagrams in [1, 16] {
        group.bench_function(format!("{datagrams} datagrams rewound by {UNDO}"), |b| {
            b.iter(|| sketch.symbols_at(black_box(now - UNDO as u64), 10_000..10_000 + datagrams * MORE_SYMBOLS));
        });
    }
}

criterion_group!(benches, keep, peel, digest, answer);
criterion_main!(benches);
