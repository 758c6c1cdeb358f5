//! What one datagram costs on either side: encode and seal, open and decode.

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gossip_node::proto::gossip::{Gossip, Guid, Kind};
use gossip_node::proto::limits::{FRAGMENT, HEADER, MIN_MAX_DATAGRAM, TAG};
use gossip_node::proto::ring::Range;
use gossip_node::proto::seal::{Header, NetworkKey, Secret};
use gossip_node::proto::time::Timestamp;
use gossip_node::proto::wire::{
    Address, Blob, Card, CardPage, Fragment, Hello, LedgerState, List, Message, Name, Record, Tell, TellMeMore,
};
use std::hint::black_box;
use std::net::SocketAddr;

fn hello(cards: u8) -> Message {
    let name = Name::new("a-node-of-some-lab").expect("it is a name");
    let card = |n| {
        let addr = Address(SocketAddr::from(([10, 0, 0, n], 6884)));
        Card { guid: Guid([n; 16]), addr, incarnation: 1, name: name.clone() }
    };
    Message::Hello(Hello {
        stamp: 1,
        state: LedgerState { count: 100_000, root: [2; 16] },
        page: Some(CardPage {
            range: Range::all_but(0),
            cards: List::new((0..cards).map(card).collect()),
            ..CardPage::default()
        }),
        networks: List::new(vec![Name::new("work").expect("it is a name")]),
        ..Hello::default()
    })
}

/// As many records of 200 bytes as fit.
fn records() -> Message {
    let record = |n: u64| {
        let msg = vec![b'a' + n as u8; 200].into();
        let gossip = Gossip::make(Kind::Message, Timestamp(n), Guid([9; 16]), "dove", msg).expect("it is a record");
        Record::of(gossip.guid(), gossip.head(), gossip.msg().clone())
    };
    let most = (MIN_MAX_DATAGRAM - HEADER - TAG - Tell::EMPTY) / Record::size(4, 200);
    Message::Tell(Tell { records: List::new((0..most as u64).map(record).collect()), ..Tell::default() })
}

fn fragment() -> Message {
    let fragment = Fragment { guid: Guid([1; 16]), piece: 2, index: 3, bytes: Blob(vec![4; FRAGMENT].into()) };
    Message::Tell(Tell { fragments: List::new(vec![fragment]), ..Tell::default() })
}

fn guids() -> Message {
    let guids = List::new((0..40).map(|n| Guid([n; 16])).collect());
    Message::TellMeMore(TellMeMore { guids, ..TellMeMore::default() })
}

fn datagrams(c: &mut Criterion) {
    let key = NetworkKey::new(&Secret([7; 32]));
    let messages = [
        ("HELLO", hello(0)),
        ("HELLO with 10 cards", hello(10)),
        ("TELL of records", records()),
        ("TELL of a fragment", fragment()),
        ("TELL_ME_MORE of 40", guids()),
    ];
    for (name, message) in messages {
        let header = Header { kind: message.kind(), src_session: 1, dst_session: 2, counter: 3 };
        let mut datagram = BytesMut::new();
        key.seal(&header, &mut datagram, |out| message.encode(out));
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Bytes(datagram.len() as u64));
        let mut out = BytesMut::new();
        group.bench_function("encode and seal", |b| {
            b.iter(|| key.seal(&header, &mut out, |out| black_box(&message).encode(out)));
        });
        group.bench_function("open and decode", |b| {
            b.iter(|| {
                let verified = key.open(black_box(&datagram)).expect("its tag is right");
                Message::decode(&verified).expect("its body is right")
            });
        });
    }
}

criterion_group!(benches, datagrams);
criterion_main!(benches);
