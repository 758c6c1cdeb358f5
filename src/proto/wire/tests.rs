//! The bytes of the protocol: frozen, canonical, and refused wherever they promise more than they bring.

use super::*;
use crate::proto::fact::LIST;
use crate::proto::gossip::{Gossip, Hash, Kind};
use crate::proto::limits::{
    CARDS, FRAGMENT, HEADER, HEARD, KNOWN, MAX_DATAGRAM, MAX_NAME, MIN_CHALLENGED, MIN_MAX_BODY, NETWORKS, TAG, UPDATES,
};
use crate::proto::node::{Node, Transmit};
use crate::proto::peers::{Met, Peers};
use crate::proto::ring::Range;
use crate::proto::seal::{Header, NetworkKey, Secret};
use crate::proto::settings::Settings;
use crate::proto::time::Tick;
use crate::sim::Disk;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};

fn key() -> NetworkKey {
    NetworkKey::new(&Secret([7; 32]))
}

fn sealed(kind: u8, body: &[u8]) -> Vec<u8> {
    let header =
        Header { kind, src_session: 0x0102_0304_0506_0708, dst_session: 0x1112_1314_1516_1718, counter: 0x2122 };
    let mut datagram = BytesMut::new();
    key().seal(&header, &mut datagram, |out| out.extend_from_slice(body));
    datagram.into()
}

fn body(message: &Message) -> Vec<u8> {
    let mut body = BytesMut::new();
    message.encode(&mut body);
    body.into()
}

/// Whatever a test decodes, what a node reads where it lies is the same.
fn decode(kind: u8, body: &[u8]) -> Result<Message, Rejected> {
    let datagram = sealed(kind, body);
    let opened = key().open(&datagram)?;
    let decoded = Message::decode(&opened);
    assert_eq!(Incoming::decode(&opened).map(copied), decoded);
    decoded
}

fn copied(incoming: Incoming<'_>) -> Message {
    let record = |record: RecordIn<'_>| {
        let Record { guid, kind, date_time, origin, who_name, msg } = record;
        Record { guid, kind, date_time, origin, who_name: Name(who_name.into()), msg: Blob(msg.into()) }
    };
    let push = |Pushed { range, hops, what }| Pushed { range, hops, what: record(what) };
    let part = |Fragment { guid, piece, index, bytes }: FragmentIn<'_>| Fragment {
        guid,
        piece,
        index,
        bytes: Blob(bytes.into()),
    };
    match incoming {
        Incoming::Tell(TellOf { records, heads, fragments, lacking }) => Message::Tell(Tell {
            records: List::new(records.into_iter().map(record).collect()),
            fragments: List::new(fragments.into_iter().map(part).collect()),
            heads,
            lacking,
        }),
        Incoming::Rumor(RumorOf { got, records, heads }) => {
            Message::Rumor(Rumor { got, records: List::new(records.into_iter().map(push).collect()), heads })
        }
        Incoming::Other(message) => message,
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn longest() -> Name {
    name(&"n".repeat(MAX_NAME))
}

fn guid(byte: u8) -> Guid {
    Guid([byte; 16])
}

fn state() -> LedgerState {
    LedgerState { count: 5, root: [6; 16] }
}

fn address() -> Address {
    Address("10.0.0.1:6884".parse().unwrap())
}

fn symbol(n: usize) -> Symbol {
    Symbol { sum: [n as u8; 16], check: n as u64 }
}

fn gossip(msg: Vec<u8>) -> Gossip {
    Gossip::make(Kind::Message, Timestamp(1_700_000_000_000_000), guid(7), "dove", msg.into()).unwrap()
}

fn record(msg: &str) -> Record {
    let gossip = gossip(msg.into());
    Record::of(gossip.guid(), gossip.head(), gossip.msg().clone())
}

fn head_told() -> HeadTold {
    let gossip = gossip(vec![b'a'; 100_000]);
    HeadTold::of(gossip.guid(), gossip.head())
}

fn fragment(bytes: usize) -> Fragment {
    Fragment { guid: guid(1), piece: LIST, index: 63, bytes: Blob(vec![b'f'; bytes].into()) }
}

fn register(text: &str, padding: usize) -> Register {
    let padding = Blob(vec![0; padding].into());
    Register { guid: guid(1), name: name(text), epoch: 2, incarnation: 5, cookie: [3; 16], padding }
}

fn card(name: Name) -> Card {
    Card { guid: guid(8), addr: Address("[fe80::1]:7000".parse().unwrap()), incarnation: 3, name }
}

fn update() -> Update {
    Update { guid: guid(8), addr: address(), incarnation: 9, word: Word::Suspect, accuser: 10 }
}

fn hello() -> Hello {
    let networks = List::new(vec![name("work"), name("zuhause")]);
    let cards = List::new(vec![card(name("hawk")), Card { addr: address(), ..card(name("鳩")) }]);
    Hello {
        stamp: 4,
        state: state(),
        horizon: Timestamp(11),
        list: ListState { count: 12, hash: 7 },
        incarnation: 13,
        health: 2,
        clock: Timestamp(14),
        updates: List::new(vec![update()]),
        page_ask: Some(CardAsk { range: Range { from: 15, to: 16 }, known: List::new(vec![19, 20]) }),
        page: Some(CardPage { range: Range { from: 17, to: 18 }, cards, strange: List::new(vec![21]) }),
        networks,
        padding: Blob(vec![0; 3].into()),
    }
}

fn quiet() -> Hello {
    Hello {
        updates: List::default(),
        page_ask: None,
        page: None,
        networks: List::default(),
        padding: Blob::default(),
        ..hello()
    }
}

fn pushed<T>(what: T) -> Pushed<T> {
    Pushed { range: Range { from: 1, to: u64::MAX }, hops: 2, what }
}

#[test]
fn the_link_of_an_address_stays_at_home() {
    let bytes = |addr: &str| {
        let mut bytes = BytesMut::new();
        let hello =
            Hello { updates: List::new(vec![Update { addr: Address(addr.parse().unwrap()), ..update() }]), ..quiet() };
        Message::Hello(hello).encode(&mut bytes);
        bytes
    };
    assert_eq!(bytes("[fe80::1%7]:6884"), bytes("[fe80::1]:6884"));
    assert_ne!(bytes("[fe80::1]:6884"), bytes("[fe80::2]:6884"));
}

/// One message of every kind.
fn samples() -> Vec<Message> {
    let next = Key { date_time: Timestamp(10), guid: guid(11) };
    let symbols = Some(SymbolsAsk { change: 12, first: 13, chunks: 14 });
    let page = Some(PageAsk { id: 15, after: next, pages: 16 });
    let pieces = List::new(vec![PieceAsk { guid: guid(2), piece: 3, fragments: u64::MAX }]);
    vec![
        Message::Register(register("dove", Register::fill(&name("dove")).0.len())),
        Message::Challenge(Challenge { cookie: [3; 16], echo: 4 }),
        Message::Registered(Registered {
            echo: 4,
            guid: guid(1),
            name: name("dove"),
            epoch: 2,
            incarnation: 5,
            seen: address(),
            state: state(),
        }),
        Message::Hello(hello()),
        Message::HelloBack(quiet()),
        Message::HelloFor(HelloFor { stamp: 1, guid: guid(2), addr: address(), errand: ProbeWord::Silent }),
        Message::DidYouHere(Box::new(DidYouHere {
            change: 1,
            count: 2,
            root: [3; 8],
            prefix: 1024,
            symbols: std::array::from_fn(symbol),
            estimator: std::array::from_fn(|n| n as i16 - 18),
        })),
        Message::TellMeMore(TellMeMore { guids: List::new(vec![guid(1), guid(2)]), pieces, symbols, page }),
        Message::Tell(Tell {
            records: List::new(vec![record("hello"), record("hello yourself")]),
            heads: List::new(vec![head_told()]),
            fragments: List::new(vec![fragment(20)]),
            lacking: List::new(vec![guid(3)]),
        }),
        Message::Rumor(Rumor {
            got: List::new(vec![guid(3)]),
            records: List::new(vec![pushed(record("hello"))]),
            heads: List::new(vec![pushed(head_told())]),
        }),
        Message::Heard(Heard {
            got: List::new(vec![guid(3)]),
            holds: List::new(vec![guid(4), guid(5)]),
            asks: List::new(vec![guid(6)]),
            parts: List::new(vec![parts()]),
        }),
        Message::Leave(Leave { restarting: true }),
        Message::Symbols(Symbols { change: 1, chunk: 2, symbols: List::new((0..3).map(symbol).collect()) }),
        Message::Holding(Holding { answer: 1, page: 2, next, last: true, guids: List::new(vec![guid(3)]) }),
        Message::Nodes(Nodes {
            network: name("zuhause"),
            after: guid(4),
            ask: false,
            last: true,
            cards: List::new(vec![card(name("hawk"))]),
        }),
    ]
}

fn parts() -> Parts {
    let mut parts = Parts { guid: guid(7), ..Parts::default() };
    [0, 65, LIST].into_iter().for_each(|piece| parts.insert(piece));
    parts
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_bytes_of_every_kind_are_frozen() {
    let frozen: Vec<&str> = include_str!("golden.txt").lines().filter(|line| !line.starts_with('#')).collect();
    let now: Vec<String> = samples().iter().map(|message| hex(&sealed(message.kind(), &body(message)))).collect();
    assert_eq!(now, frozen, "other versions would not understand us:\n{}\n", now.join("\n"));
}

#[test]
fn every_kind_has_a_sample_and_no_other_kind_is_understood() {
    let samples = samples();
    let kinds: Vec<u8> = samples.iter().map(Message::kind).collect();
    assert_eq!(kinds, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    for message in &samples {
        assert_eq!(decode(message.kind(), &body(message)).as_ref(), Ok(message));
    }
    for kind in (0..=u8::MAX).filter(|kind| !kinds.contains(kind)) {
        assert_eq!(decode(kind, &[0; 8]), Err(Rejected::Kind));
    }
}

#[test]
fn not_a_byte_may_be_missing_or_too_much() {
    for message in samples() {
        let body = body(&message);
        for len in 0..body.len() {
            assert_eq!(decode(message.kind(), &body[..len]), Err(Rejected::Body), "{len} bytes of {message:?}");
        }
        for more in [&[0][..], &[0; 8], &[255; 100]] {
            assert_eq!(decode(message.kind(), &[&body[..], more].concat()), Err(Rejected::Body), "{message:?}");
        }
    }
}

// ---- random messages, and random bytes ----

fn any_name() -> impl Strategy<Value = Name> {
    vec(select(vec!['a', 'z', ' ', '7', 'ß', '鳩', '🕊']), 1..=16)
        .prop_filter_map("a name", |chars| Name::new(&chars.into_iter().collect::<String>()))
}

fn any_guid() -> impl Strategy<Value = Guid> {
    any::<[u8; 16]>().prop_map(Guid)
}

fn any_address() -> impl Strategy<Value = Address> {
    let addr = |(ip, port): (IpAddr, u16)| Address(SocketAddr::new(ip.to_canonical(), port));
    any::<(IpAddr, u16)>().prop_map(addr)
}

fn any_state() -> impl Strategy<Value = LedgerState> {
    any::<(u64, [u8; 16])>().prop_map(|(count, root)| LedgerState { count, root })
}

fn any_key() -> impl Strategy<Value = Key> {
    any::<(u64, [u8; 16])>().prop_map(|(at, guid)| Key { date_time: Timestamp(at), guid: Guid(guid) })
}

fn any_symbol() -> impl Strategy<Value = Symbol> {
    any::<([u8; 16], u64)>().prop_map(|(sum, check)| Symbol { sum, check })
}

fn list<T: std::fmt::Debug, const MAX: usize>(
    item: impl Strategy<Value = T>,
    most: usize,
) -> impl Strategy<Value = List<T, MAX>> {
    vec(item, 0..=most.min(MAX)).prop_map(List::new)
}

fn blob<const MAX: usize>(most: usize) -> impl Strategy<Value = Blob<MAX>> {
    vec(any::<u8>(), 0..=most).prop_map(|bytes| Blob(bytes.into()))
}

fn any_handshake() -> impl Strategy<Value = Message> {
    let register = (any_guid(), any_name(), any::<(u64, u32)>(), any::<[u8; 16]>(), blob(REGISTER_SIZE));
    let registered = (any::<u64>(), any_guid(), any_name(), any::<(u64, u32)>(), any_address(), any_state());
    prop_oneof![
        register.prop_map(|(guid, name, (epoch, incarnation), cookie, padding)| Message::Register(Register {
            guid,
            name,
            epoch,
            incarnation,
            cookie,
            padding
        })),
        any::<([u8; 16], u64)>().prop_map(|(cookie, echo)| Message::Challenge(Challenge { cookie, echo })),
        registered.prop_map(|(echo, guid, name, (epoch, incarnation), seen, state)| Message::Registered(Registered {
            echo,
            guid,
            name,
            epoch,
            incarnation,
            seen,
            state
        })),
    ]
}

fn any_range() -> impl Strategy<Value = Range> {
    any::<(u64, u64)>().prop_map(|(from, to)| Range { from, to })
}

fn any_card() -> impl Strategy<Value = Card> {
    (any_guid(), any_address(), any::<u32>(), any_name()).prop_map(|(guid, addr, incarnation, name)| Card {
        guid,
        addr,
        incarnation,
        name,
    })
}

fn any_hello() -> impl Strategy<Value = Hello> {
    let words = vec![Word::Alive, Word::Suspect, Word::Dead, Word::Left, Word::Restarting];
    let update = (any_guid(), any_address(), any::<(u32, u32)>(), select(words))
        .prop_map(|(guid, addr, (incarnation, accuser), word)| Update { guid, addr, incarnation, word, accuser });
    let page = (any_range(), list(any_card(), 8), list(any::<u32>(), 8));
    let page = page.prop_map(|(range, cards, strange)| CardPage { range, cards, strange });
    let ask = (any_range(), list(any::<u32>(), 8)).prop_map(|(range, known)| CardAsk { range, known });
    let of_others = (list(update, 8), proptest::option::of(ask), proptest::option::of(page));
    let numbers = any::<(u64, u64, u32, u64, u32, u8, u64)>();
    (numbers, any_state(), of_others, list(any_name(), NETWORKS)).prop_map(
        |((stamp, horizon, count, hash, incarnation, health, clock), state, (updates, page_ask, page), networks)| {
            let (horizon, clock, list) = (Timestamp(horizon), Timestamp(clock), ListState { count, hash });
            let padding = Blob(vec![0; usize::from(health)].into());
            Hello {
                stamp,
                state,
                horizon,
                list,
                incarnation,
                health,
                clock,
                updates,
                page_ask,
                page,
                networks,
                padding,
            }
        },
    )
}

fn any_hello_for() -> impl Strategy<Value = Message> {
    let errands = vec![ProbeWord::Probe, ProbeWord::Answered, ProbeWord::Silent];
    (any::<u64>(), any_guid(), any_address(), select(errands))
        .prop_map(|(stamp, guid, addr, errand)| Message::HelloFor(HelloFor { stamp, guid, addr, errand }))
}

fn any_pushed<T: std::fmt::Debug>(what: impl Strategy<Value = T>) -> impl Strategy<Value = Pushed<T>> {
    (any_range(), any::<u8>(), what).prop_map(|(range, hops, what)| Pushed { range, hops, what })
}

fn any_rumor() -> impl Strategy<Value = Message> {
    let records = list(any_pushed(any_record()), 3);
    (list(any_guid(), 5), records, list(any_pushed(any_head()), 2))
        .prop_map(|(got, records, heads)| Message::Rumor(Rumor { got, records, heads }))
}

fn any_heard() -> impl Strategy<Value = Message> {
    let guids = || list(any_guid(), 20);
    let any_parts = (any_guid(), any::<bool>(), any::<[u64; 4]>());
    let parts = list(any_parts.prop_map(|(guid, list, pieces)| Parts { guid, list, pieces }), 3);
    (guids(), guids(), guids(), parts)
        .prop_map(|(got, holds, asks, parts)| Message::Heard(Heard { got, holds, asks, parts }))
}

fn any_digest() -> impl Strategy<Value = Message> {
    let fields = any::<(u64, u32, [u8; 8], u32)>();
    (fields, vec(any_symbol(), DIGEST_SYMBOLS), vec(any::<i16>(), ESTIMATORS)).prop_map(
        |((change, count, root, prefix), symbols, estimator)| {
            let (symbols, estimator) = (symbols.try_into().unwrap(), estimator.try_into().unwrap());
            Message::DidYouHere(Box::new(DidYouHere { change, count, root, prefix, symbols, estimator }))
        },
    )
}

fn any_ask() -> impl Strategy<Value = Message> {
    let piece = any::<([u8; 16], u16, u64)>();
    let piece = piece.prop_map(|(guid, piece, fragments)| PieceAsk { guid: Guid(guid), piece, fragments });
    let symbols = any::<(u64, u32, u64)>();
    let symbols = symbols.prop_map(|(change, first, chunks)| SymbolsAsk { change, first, chunks });
    let page = (any::<u32>(), any_key(), any::<u8>()).prop_map(|(id, after, pages)| PageAsk { id, after, pages });
    let (symbols, page) = (proptest::option::of(symbols), proptest::option::of(page));
    (list(any_guid(), GUIDS_PER_ASK), list(piece, PIECES_PER_ASK), symbols, page)
        .prop_map(|(guids, pieces, symbols, page)| Message::TellMeMore(TellMeMore { guids, pieces, symbols, page }))
}

fn any_record() -> impl Strategy<Value = Record> {
    (any_guid(), any::<u8>(), any::<u64>(), any_guid(), any_name(), blob(100)).prop_map(
        |(guid, kind, date_time, origin, who_name, msg)| Record { guid, kind, date_time, origin, who_name, msg },
    )
}

fn any_head() -> impl Strategy<Value = HeadTold> {
    let hashes = any::<(u32, Hash, Hash)>();
    (any_guid(), any::<u8>(), any::<u64>(), any_guid(), any_name(), hashes).prop_map(
        |(guid, kind, date_time, origin, who_name, (len, sha2, pieces))| HeadTold {
            guid,
            kind,
            date_time,
            origin,
            who_name,
            len,
            sha2,
            pieces,
        },
    )
}

fn any_tell() -> impl Strategy<Value = Message> {
    let fragment = (any_guid(), any::<u16>(), any::<u8>(), blob(40)).prop_map(|(guid, piece, index, bytes)| Fragment {
        guid,
        piece,
        index,
        bytes,
    });
    (list(any_record(), 3), list(any_head(), 2), list(fragment, 3), list(any_guid(), 5))
        .prop_map(|(records, heads, fragments, lacking)| Message::Tell(Tell { records, heads, fragments, lacking }))
}

fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        3 => any_handshake(),
        1 => any_hello().prop_map(Message::Hello),
        1 => any_hello().prop_map(Message::HelloBack),
        1 => any_hello_for(),
        2 => any_rumor(),
        1 => any_heard(),
        1 => any_digest(),
        2 => any_ask(),
        3 => any_tell(),
        1 => any::<bool>().prop_map(|restarting| Message::Leave(Leave { restarting })),
        1 => (any::<(u64, u16)>(), list(any_symbol(), MORE_SYMBOLS))
            .prop_map(|((change, chunk), symbols)| Message::Symbols(Symbols { change, chunk, symbols })),
        1 => (any::<(u32, u8, bool)>(), any_key(), list(any_guid(), PAGE)).prop_map(
            |((answer, page, last), next, guids)| Message::Holding(Holding { answer, page, next, last, guids })
        ),
        1 => (any_name(), any_guid(), any::<(bool, bool)>(), list(any_card(), 8)).prop_map(
            |(network, after, (ask, last), cards)| Message::Nodes(Nodes { network, after, ask, last, cards })
        ),
    ]
}

/// What was accepted says the same in the same bytes.
fn is_canonical(kind: u8, bytes: &[u8]) {
    if let Ok(message) = decode(kind, bytes) {
        assert_eq!(hex(&body(&message)), hex(bytes), "{message:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_encoded_decodes(message in any_message()) {
        // Full lists of every kind at once are no datagram: nothing packs them.
        prop_assume!(body(&message).len() <= MAX_DATAGRAM - HEADER - TAG);
        prop_assert_eq!(decode(message.kind(), &body(&message)), Ok(message));
    }

    #[test]
    fn what_is_accepted_has_no_other_bytes(
        message in any_message(),
        damage in vec((0..4, any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = body(&message);
        for (how, at, byte) in damage {
            let at = at.index(bytes.len() + 1);
            match how {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 if at < bytes.len() => bytes[at] = byte & 1,
                _ if at < bytes.len() => bytes[at] = byte,
                _ => {}
            }
        }
        is_canonical(message.kind(), &bytes);
    }

    #[test]
    fn random_bytes_are_refused_or_canonical(kind in 0..16u8, bytes in vec(prop_oneof![Just(0), Just(1), any::<u8>()], 0..200)) {
        is_canonical(kind, &bytes);
    }
}

// ---- counts that lie ----

thread_local! {
    static DECODED: Cell<usize> = const { Cell::new(0) };
}

/// An item that takes one byte on the wire and a kilobyte in memory, and counts how often it is decoded.
#[derive(Debug)]
struct Heavy(#[expect(dead_code, reason = "it is there to be large")] [u64; 128]);

impl Item for Heavy {
    const SIZE: usize = 1;
}

impl<C> Decode<C> for Heavy {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        DECODED.set(DECODED.get() + 1);
        Ok(Heavy([u8::decode(decoder)?.into(); 128]))
    }
}

borrow! { Heavy; }

fn heavy(count: u16, bytes: usize) -> (bool, usize) {
    let body = [&count.to_le_bytes()[..], &vec![0; bytes]].concat();
    DECODED.set(0);
    let decoded = whole::<List<Heavy, { u16::MAX as usize }>>(&body);
    (decoded.is_ok(), DECODED.get())
}

#[test]
fn a_count_is_paid_for_before_anything_is_made_of_it() {
    assert_eq!(heavy(15, 15), (true, 15));
    for (count, bytes) in [(15, 14), (15, 0), (u16::MAX, 0), (u16::MAX, 42), (u16::MAX, 1422)] {
        assert_eq!(heavy(count, bytes), (false, 0), "{bytes} bytes do not cover {count}");
    }
    assert_eq!(heavy(17, 17), (false, 0), "they do, and it is still too much memory");
    assert_eq!(heavy(1400, 1400), (false, 0));
}

#[test]
fn the_length_bomb_is_refused_wherever_it_lies() {
    for message in samples() {
        let body = body(&message);
        for at in 0..body.len() {
            for len in [at + 2, 42, body.len()] {
                let mut bomb = body.clone();
                bomb.resize(len.max(at + 2), 0);
                bomb[at..at + 2].copy_from_slice(&u16::MAX.to_le_bytes());
                is_canonical(message.kind(), &bomb);
            }
        }
    }
    // The counts themselves, each behind the shortest valid beginning.
    let fronts = [
        (1, 16, "a name"),
        (1, 16 + 3 + 8 + 16, "padding"),
        (3, 8 + 16, "a name"),
        (4, 8 + 24 + 8 + 12 + 4 + 1 + 8, "updates"),
        (4, 8 + 24 + 8 + 12 + 4 + 1 + 8 + 2 + 1 + 1, "networks"),
        (8, 0, "GUIDs"),
        (8, 2, "pieces"),
        (9, 0, "records"),
        (9, 2, "heads"),
        (9, 4, "fragments"),
        (9, 6, "lacking"),
        (10, 0, "acknowledged"),
        (10, 2, "records"),
        (10, 4, "heads"),
        (11, 0, "acknowledged"),
        (11, 2, "held"),
        (11, 4, "asked for"),
        (13, 8 + 2, "symbols"),
        (14, 4 + 1 + 24 + 1, "GUIDs"),
    ];
    for (kind, at, what) in fronts {
        for count in [u16::MAX, 1000, 500] {
            for len in [at + 2, at + 10, 42, 64, 100] {
                let mut bomb = vec![0; len.max(at + 2)];
                if what == "padding" {
                    bomb[16..19].copy_from_slice(&[1, 0, b'd']);
                }
                bomb[at..at + 2].copy_from_slice(&count.to_le_bytes());
                assert_eq!(decode(kind, &bomb), Err(Rejected::Body), "{count} {what} in {} bytes", bomb.len());
            }
        }
    }
}

#[test]
fn a_list_longer_than_allowed_is_refused_though_its_bytes_are_there() {
    let ask = |guids: u16| [&guids.to_le_bytes()[..], &vec![1; 16 * usize::from(guids)], &[0; 4]].concat();
    assert!(decode(8, &ask(GUIDS_PER_ASK as u16)).is_ok());
    assert_eq!(decode(8, &ask(GUIDS_PER_ASK as u16 + 1)), Err(Rejected::Body));
    let mut long = body(&Message::Register(register("x", 0)));
    long.splice(16..19, [&65u16.to_le_bytes()[..], &[b'n'; 65]].concat());
    assert_eq!(decode(1, &long), Err(Rejected::Body), "a name of 65 bytes");
    for bad in [&[0xff; 4][..], b"a\nb", "a\u{202e}".as_bytes(), b"  "] {
        let mut named = body(&Message::Register(register("x", 0)));
        named.splice(16..19, [&(bad.len() as u16).to_le_bytes()[..], bad].concat());
        assert_eq!(decode(1, &named), Err(Rejected::Body), "{bad:?} is no name");
    }
}

// ---- sizes ----

fn len<T: Encode>(item: &T) -> usize {
    let mut out = BytesMut::new();
    append(item, &mut out);
    out.len()
}

#[test]
fn no_item_is_smaller_than_its_list_supposes() {
    fn is_least<T: Encode + Item>(item: &T) {
        assert_eq!(len(item), T::SIZE, "{}", std::any::type_name::<T>());
    }
    let least = name("x");
    is_least(&0u8);
    is_least(&guid(1));
    is_least(&symbol(1));
    is_least(&least);
    is_least(&card(least.clone()));
    is_least(&update());
    is_least(&pushed(Record { who_name: least.clone(), msg: Blob::default(), ..record("x") }));
    is_least(&pushed(HeadTold { who_name: least.clone(), ..head_told() }));
    is_least(&PieceAsk { guid: guid(1), piece: 1, fragments: 1 });
    is_least(&Record { who_name: least.clone(), msg: Blob::default(), ..record("x") });
    is_least(&HeadTold { who_name: least, ..head_told() });
    is_least(&fragment(0));
    is_least(&parts());
}

#[test]
fn what_packers_count_with_is_what_is_encoded() {
    assert_eq!(len(&Tell::default()), Tell::EMPTY);
    assert_eq!(len(&Rumor::default()), Rumor::EMPTY);
    assert_eq!(len(&Heard::default()), Heard::EMPTY);
    assert_eq!(len(&quiet()), Hello::EMPTY);
    assert_eq!(len(&update()), Update::SIZE);
    assert_eq!(len(&parts()), Parts::SIZE);
    assert_eq!(len(&Hello { page: Some(CardPage::default()), ..quiet() }), Hello::EMPTY + CardPage::EMPTY);
    let (ask, page) = (hello().page_ask.unwrap(), hello().page.unwrap());
    assert_eq!(len(&Hello { page_ask: Some(ask.clone()), ..quiet() }), Hello::EMPTY + ask.size());
    assert_eq!(len(&Hello { page: Some(page.clone()), ..quiet() }), Hello::EMPTY + page.size());
    for text in ["x", "dove", &"n".repeat(MAX_NAME)] {
        for msg in [1, 200, 1000] {
            let record = Record { who_name: name(text), msg: Blob(vec![0; msg].into()), ..record("x") };
            assert_eq!(len(&record), Record::size(text.len(), msg));
        }
        assert_eq!(len(&HeadTold { who_name: name(text), ..head_told() }), HeadTold::size(text.len()));
        assert_eq!(len(&card(name(text))), Card::size(text.len()));
        assert_eq!(len(&pushed(record(text))), Pushed::<Record>::FRAME + len(&record(text)));
    }
    for bytes in [1, FRAGMENT] {
        assert_eq!(len(&fragment(bytes)), Fragment::size(bytes));
    }
}

#[test]
fn the_fullest_of_each_kind_fits_the_smallest_largest_datagram() {
    let symbols = List::new((0..MORE_SYMBOLS).map(symbol).collect());
    let symbols = Message::Symbols(Symbols { change: 1, chunk: 2, symbols });
    let (guids, next) = (List::new(vec![guid(1); PAGE]), Key::default());
    let page = Message::Holding(Holding { answer: 1, page: 1, next, last: false, guids });
    let guids =
        Message::TellMeMore(TellMeMore { guids: List::new(vec![guid(1); GUIDS_PER_ASK]), ..Default::default() });
    let piece = PieceAsk { guid: guid(1), piece: 1, fragments: 1 };
    let pieces = List::new(vec![piece; PIECES_PER_ASK]);
    let pieces = Message::TellMeMore(TellMeMore { pieces, ..Default::default() });
    let fragment = Message::Tell(Tell { fragments: List::new(vec![fragment(FRAGMENT)]), ..Default::default() });
    let digest = samples().into_iter().find(|message| message.kind() == 7).unwrap();
    for (message, exactly) in
        [(symbols, false), (page, true), (guids, false), (pieces, false), (fragment, false), (digest, true)]
    {
        let body = body(&message);
        assert!(body.len() <= MIN_MAX_BODY, "{} bytes of kind {}", body.len(), message.kind());
        assert!(!exactly || body.len() == MIN_MAX_BODY, "kind {} wastes nothing", message.kind());
        assert_eq!(decode(message.kind(), &body), Ok(message), "and what it claims to decode is allowed");
    }
}

#[test]
fn the_fullest_that_any_datagram_can_carry_may_be_decoded() {
    let most = MAX_DATAGRAM - HEADER - TAG;
    let records =
        Tell { records: List::new(vec![Record { who_name: name("x"), ..record("x") }; 30]), ..Tell::default() };
    let fragments = Tell { fragments: List::new(vec![fragment(150); 8]), ..Tell::default() };
    let heads = Tell { heads: List::new(vec![HeadTold { who_name: name("x"), ..head_told() }; 12]), ..Tell::default() };
    let page = CardPage { cards: List::new(vec![card(name("x")); CARDS]), ..CardPage::default() };
    let cards = Hello { page: Some(page), ..quiet() };
    let updates = Hello { updates: List::new(vec![update(); UPDATES]), ..quiet() };
    let small = Record { who_name: name("x"), ..record("x") };
    let rumor = Rumor { records: List::new(vec![pushed(small); 21]), ..Rumor::default() };
    let heard = Heard { asks: List::new(vec![guid(1); HEARD]), ..Heard::default() };
    let messages = [
        Message::Tell(records),
        Message::Tell(fragments),
        Message::Tell(heads),
        Message::Hello(cards),
        Message::Hello(updates),
        Message::Rumor(rumor),
        Message::Heard(heard),
    ];
    for message in messages {
        let body = body(&message);
        assert!(body.len() <= most && body.len() > most - 500, "{} bytes are near the bound", body.len());
        assert_eq!(decode(message.kind(), &body), Ok(message));
    }
}

#[test]
fn asks_and_pages_leave_room_for_the_longest_names_of_networks() {
    let networks = || List::new(vec![longest(); NETWORKS]);
    let fits = |full: Hello| {
        let body = body(&Message::Hello(full.clone()));
        assert!(body.len() <= MIN_MAX_BODY, "{} bytes", body.len());
        assert_eq!(decode(4, &body), Ok(Message::Hello(full)));
    };
    let ask = CardAsk { known: List::new(vec![1; KNOWN]), ..CardAsk::default() };
    fits(Hello { networks: networks(), page_ask: Some(ask), ..quiet() });
    for text in ["x", &"n".repeat(MAX_NAME)] {
        let mut peers = Peers::new(&Settings::new(guid(255), "me", key()), [0; 32], Tick(0));
        for n in 1..100 {
            let addr = SocketAddr::from(([10, 0, 0, n], 7000));
            peers.met(Tick(0), Met { guid: guid(n), name: text, addr, incarnation: 1 }, Timestamp(0));
        }
        for unknown in [0, KNOWN as u32] {
            let known = List::new((0..unknown).collect());
            let pages = peers.pages(guid(0), &CardAsk { range: Range::all_but(0), known });
            assert!(pages[1..].iter().all(|page| (6..=CARDS).contains(&page.cards.len())), "{pages:?}");
            pages.into_iter().for_each(|page| fits(Hello { networks: networks(), page: Some(page), ..quiet() }));
        }
    }
}

#[test]
fn every_register_has_one_size_and_no_answer_to_it_is_longer() {
    for chars in 1..=MAX_NAME {
        let settings = Settings::new(guid(1), &"n".repeat(chars), key());
        let (mut node, mut sent) = (Node::new(settings, [1; 32], Tick(0)), Transmit::default());
        node.register(Tick(0), "10.0.0.2:7000".parse().unwrap(), true);
        assert!(node.poll_transmit(Tick(0), &Disk::default(), &mut sent));
        assert_eq!((sent.bytes[2], sent.bytes.len()), (REGISTER, REGISTER_SIZE), "with a name of {chars} bytes");
    }
    let challenge = Message::Challenge(Challenge { cookie: [1; 16], echo: 1 });
    let challenge = sealed(CHALLENGE, &body(&challenge)).len();
    assert!(challenge <= MIN_CHALLENGED, "{challenge} bytes");
    let (name, seen, state) = (longest(), address(), state());
    let registered =
        Message::Registered(Registered { echo: 1, guid: guid(1), name, epoch: 1, incarnation: 1, seen, state });
    let registered = sealed(REGISTERED, &body(&registered)).len();
    assert!(registered <= REGISTER_SIZE, "{registered} bytes");
}
