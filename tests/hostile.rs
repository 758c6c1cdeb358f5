//! Strangers, recordings and traitors: what comes from outside changes nothing, and what comes from inside is bounded.

use bytes::BytesMut;
use gossip_node::proto::fact::LIST;
use gossip_node::proto::gossip::{Draft, Gossip, Guid, Head, Invalid, Key, Kind};
use gossip_node::proto::limits::{
    CHALLENGES_PER_SECOND, DIGEST_SYMBOLS, ESTIMATORS, FEW_PEERS, FRAGMENT, GUIDS_PER_ASK, HEADER, HINTS_PER_TELLER,
    MAX_DATAGRAM, MIN_CHALLENGED, MORE_SYMBOLS, PAGE, PAGES_PER_ASK, PIECE, PIECES_PER_ASK, SESSIONS_PER_ADDRESS,
    SYMBOLS_PER_ASK, TAG,
};
use gossip_node::proto::node::Node;
use gossip_node::proto::ring::Range;
use gossip_node::proto::seal::{Header, NetworkKey, Secret};
use gossip_node::proto::settings::Settings;
use gossip_node::proto::sketch::Symbol;
use gossip_node::proto::stats::Rejected;
use gossip_node::proto::time::{Tick, Timestamp};
use gossip_node::proto::wire::{
    Address, Blob, CHALLENGE, Card, CardAsk, CardPage, DidYouHere, Fragment, HeadTold, Hello, Holding, List, Message,
    Name, PageAsk, PieceAsk, REGISTER, REGISTERED, Record, Symbols, SymbolsAsk, Tell, TellMeMore,
};
use gossip_node::sim::Network;
use gossip_node::sim::insider::Insider;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const STRANGER: ([u8; 4], u16) = ([10, 99, 0, 1], 9999);

type Datagram = (SocketAddr, SocketAddr, Vec<u8>);

fn old(number: u64) -> Gossip {
    let msg = format!("what was said as number {number}").into_bytes();
    Gossip::make(Kind::Message, Timestamp(1_600_000_000_000_000 + number), Guid([9; 16]), "elder", msg.into()).unwrap()
}

fn random_guid(rng: &mut ChaCha8Rng) -> Guid {
    let mut guid = Guid::default();
    rng.fill_bytes(&mut guid.0);
    guid
}

/// All of a node that can be seen.
#[derive(Debug, PartialEq)]
struct View {
    held: String,
    peers: String,
    sessions: usize,
    settled: bool,
    seen_at: Option<SocketAddr>,
}

fn view(net: &Network, node: usize) -> View {
    let node = net.node(node);
    View {
        held: format!("{:?}", node.ledger().state()),
        peers: format!("{:?}", node.peers().iter().collect::<Vec<_>>()),
        sessions: node.sessions(),
        settled: node.is_settled(),
        seen_at: node.seen_at(),
    }
}

/// Delivers what no peer has just sent. Whatever it is: no state changes, one cause is counted, and nothing is answered
/// but at most one CHALLENGE no longer than it, to where it came from.
fn suffer(net: &mut Network, node: usize, from: SocketAddr, bytes: &[u8]) -> (Result<(), Rejected>, bool) {
    net.capture = true;
    net.captured.clear();
    let (before, counted) = (view(net, node), net.node(node).stats().by_name());
    let taken = net.inject(node, from, bytes);
    assert_eq!(view(net, node), before, "{taken:?} {:02x?}", &bytes[..bytes.len().min(HEADER)]);
    let answer = net.captured.first().cloned();
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    match taken {
        Err(cause) => drop(expected.insert(cause.name(), 1)),
        Ok(()) => {
            assert_eq!(bytes[2], REGISTER, "only a first REGISTER is more than a cause to count");
            assert!(answer.is_some());
            expected.extend([("datagrams_received", 1), ("bytes_received", bytes.len() as u64)]);
        }
    }
    if let Some((_, to, answer)) = &answer {
        assert_eq!((net.captured.len(), *to, answer[2]), (1, from, CHALLENGE));
        assert!(answer.len() <= bytes.len() && bytes.len() >= MIN_CHALLENGED);
        expected.extend([("datagrams_sent", 1), ("bytes_sent", answer.len() as u64), ("challenge_sent", 1)]);
    }
    let counted: BTreeMap<&str, u64> = (net.node(node).stats().by_name().into_iter())
        .map(|(name, count)| (name, count - counted[name]))
        .filter(|&(_, more)| more > 0)
        .collect();
    assert_eq!(counted, expected);
    (taken, answer.is_some())
}

/// Three nodes that went through everything there is to say, and all that they said. They are at rest.
fn recorded() -> (Network, Vec<Datagram>) {
    let mut net = Network::new(77);
    net.capture = true;
    let all = net.add_cluster(2);
    for number in 0..1100 {
        let holders = if number < 1000 { &all[..] } else { &all[..1] };
        holders.iter().for_each(|&node| net.preload(node, &old(number)));
    }
    assert!(net.run_until(20 * SECOND, Network::converged));
    let late = net.add();
    net.register(late, all[0]);
    net.create(all[0], vec![b'x'; 100_000]);
    assert!(net.run_until(20 * SECOND, |net| net.converged() && net.node(0).ledger().state().count == 1101));
    let guest = net.add();
    net.register(guest, all[0]);
    assert!(net.run_until(20 * SECOND, Network::converged));
    net.stop(guest, false);
    net.run(5 * SECOND);
    assert!(net.running().all(|node| net.node(node).is_settled()));
    let mut recorded = std::mem::take(&mut net.captured);
    let (mut seen, mut most) = (BTreeMap::<u8, usize>::new(), 0);
    // Of the common kinds, forty each are enough.
    recorded.retain(|(_, _, bytes)| {
        let seen = seen.entry(bytes[2]).or_default();
        *seen += 1;
        most = most.max(*seen);
        *seen <= 40
    });
    let kinds: Vec<u8> = seen.into_keys().collect();
    assert_eq!(kinds, [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14], "every kind was recorded");
    assert!(most > 40);
    (net, recorded)
}

// ---- strangers ----

#[test]
fn a_wrong_password_and_another_networks_name_are_silence() {
    let mut net = Network::new(70);
    let all = net.add_cluster(2);
    net.run(2 * SECOND);
    let ours = net.node(all[0]).settings().keys.primary().key_id();
    let others = [("home", "close sesame"), ("home", "open sesame"), ("work", "open sesame")];
    let keys = others.map(|(name, password)| NetworkKey::new(&Secret::derive(name, password.as_bytes())));
    assert_eq!(keys.iter().map(NetworkKey::key_id).collect::<BTreeSet<_>>().len(), 3);
    for key in keys {
        for kind in 0..=u8::MAX {
            let mut datagram = BytesMut::new();
            let header = Header { kind, src_session: 1, dst_session: 0, counter: 1 };
            key.seal(&header, &mut datagram, |out| out.resize(HEADER + 200, 0));
            let honest = suffer(&mut net, all[0], STRANGER.into(), &datagram);
            assert_eq!(honest, (Err(Rejected::KeyId), false));
            datagram[4..8].copy_from_slice(&ours.0);
            let pretending = suffer(&mut net, all[0], STRANGER.into(), &datagram);
            assert_eq!(pretending, (Err(Rejected::Tag), false));
        }
    }
}

#[test]
fn random_bytes_of_all_lengths_are_silence() {
    let mut net = Network::new(71);
    let all = net.add_cluster(2);
    net.run(2 * SECOND);
    let id = net.node(all[0]).settings().keys.primary().key_id().0;
    let mut rng = ChaCha8Rng::seed_from_u64(71);
    let mut seen = BTreeSet::new();
    for len in 0..=1500 {
        for disguise in [&[][..], &[0x67], &[0x67, 1, 4, 0], &[0x67, 1, 4, 0, id[0], id[1], id[2], id[3]]] {
            let mut bytes = vec![0; len];
            rng.fill_bytes(&mut bytes);
            bytes.iter_mut().zip(disguise).for_each(|(byte, disguise)| *byte = *disguise);
            let (taken, answered) = suffer(&mut net, all[0], STRANGER.into(), &bytes);
            assert!(!answered);
            let cause = taken.unwrap_err();
            assert_eq!(cause == Rejected::Length, !(HEADER + TAG..=MAX_DATAGRAM).contains(&len));
            assert!(disguise.len() < 8 || matches!(cause, Rejected::Length | Rejected::Tag));
            seen.insert(cause);
        }
    }
    let before_the_session = [Rejected::Length, Rejected::Magic, Rejected::Version, Rejected::KeyId, Rejected::Tag];
    assert_eq!(seen, BTreeSet::from(before_the_session));
}

#[test]
fn damaged_datagrams_of_real_peers_are_silence() {
    let (mut net, recorded) = recorded();
    let mut rng = ChaCha8Rng::seed_from_u64(72);
    let mut seen = BTreeSet::new();
    for (from, to, bytes) in recorded.iter().step_by(7) {
        let Some(node) = net.running().find(|&node| net.addr(node) == *to) else { continue };
        let bits = (0..8 * HEADER).step_by(5).chain((0..8 * TAG).map(|bit| 8 * (bytes.len() - TAG) + bit));
        let random = (0..20).map(|_| rng.random_range(0..8 * bytes.len())).collect::<Vec<_>>();
        for bit in bits.chain(random) {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let (taken, answered) = suffer(&mut net, node, *from, &flipped);
            assert!(!answered, "bit {bit}");
            seen.insert(taken.unwrap_err());
        }
        for len in (0..bytes.len()).step_by(13).chain([bytes.len() - 1]) {
            let (taken, answered) = suffer(&mut net, node, *from, &bytes[..len]);
            assert!(!answered, "{len} bytes");
            seen.insert(taken.unwrap_err());
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(matches!(suffer(&mut net, node, *from, &longer), (Err(Rejected::Tag | Rejected::Length), false)));
    }
    let before_the_session = [Rejected::Length, Rejected::Magic, Rejected::Version, Rejected::KeyId, Rejected::Tag];
    assert_eq!(seen, BTreeSet::from(before_the_session));
}

// ---- recordings ----

#[test]
fn a_recording_played_to_the_same_node_is_a_replay() {
    let (mut net, recorded) = recorded();
    let mut challenged = 0;
    // What overtook the handshake was not taken then, and is new now.
    let ordinary = recorded.iter().filter(|(_, _, bytes)| bytes[2] > REGISTERED);
    let late = ordinary.filter(|(from, to, bytes)| {
        let node = net.running().find(|&node| net.addr(node) == *to);
        node.is_some_and(|node| net.inject(node, *from, bytes).is_ok())
    });
    assert!(late.count() <= 2);
    net.run(5 * SECOND);
    for (from, to, bytes) in &recorded {
        let Some(node) = net.running().find(|&node| net.addr(node) == *to) else { continue };
        for from in [*from, STRANGER.into()] {
            let (taken, answered) = suffer(&mut net, node, from, bytes);
            challenged += usize::from(answered);
            match (bytes[2], bytes[16..24] == [0; 8]) {
                (REGISTER, true) => assert_eq!((taken, answered), (Ok(()), true), "as new as the first time"),
                (REGISTER, false) => assert!(matches!(taken, Err(Rejected::Order | Rejected::Cookie)), "{taken:?}"),
                (CHALLENGE | REGISTERED, _) => assert_eq!((taken, answered), (Err(Rejected::Echo), false)),
                // The guest has said goodbye: nobody has a session with it.
                _ if taken == Err(Rejected::Session) => assert_eq!(answered, bytes.len() >= MIN_CHALLENGED),
                _ => assert_eq!((taken, answered), (Err(Rejected::Replay), false)),
            }
        }
    }
    assert!(challenged > 0 && challenged <= CHALLENGES_PER_SECOND as usize);
    net.run(5 * SECOND);
    net.assert_converged();
}

#[test]
fn a_recording_played_to_its_sender_is_an_echo() {
    let (mut net, recorded) = recorded();
    for (from, to, bytes) in &recorded {
        let Some(node) = net.running().find(|&node| net.addr(node) == *from) else { continue };
        assert_eq!(suffer(&mut net, node, *to, bytes), (Err(Rejected::OwnEcho), false));
    }
}

#[test]
fn a_recording_means_nothing_to_another_node() {
    let (mut net, recorded) = recorded();
    let mut challenged = 0;
    for (from, to, bytes) in &recorded {
        let Some(other) = net.running().find(|&node| ![*from, *to].contains(&net.addr(node))) else { continue };
        let (taken, answered) = suffer(&mut net, other, *from, bytes);
        challenged += usize::from(answered);
        match bytes[2] {
            REGISTER => assert_eq!((taken, answered), (Ok(()), true)),
            CHALLENGE | REGISTERED => assert_eq!((taken, answered), (Err(Rejected::Session), false)),
            _ => assert_eq!((taken, answered), (Err(Rejected::Session), bytes.len() >= MIN_CHALLENGED)),
        }
    }
    assert!(challenged > 0);
    net.run(5 * SECOND);
    net.assert_converged();
}

#[test]
fn a_recording_means_nothing_after_a_restart() {
    let (mut net, recorded) = recorded();
    net.crash(0);
    net.start(0);
    let at_once = view(&net, 0);
    assert_eq!(at_once.sessions, 0);
    for rested in [false, true] {
        if rested {
            net.run(5 * SECOND);
            assert_eq!(net.node(0).sessions(), 2, "it met its peers again");
        }
        let mut challenged = 0;
        for (from, to, bytes) in &recorded {
            if ![*from, *to].contains(&net.addr(0)) {
                continue;
            }
            let (taken, answered) = suffer(&mut net, 0, *from, bytes);
            challenged += usize::from(answered);
            match bytes[2] {
                REGISTER => assert_eq!((taken, answered), (Ok(()), true)),
                _ => assert_eq!(taken, Err(Rejected::Session)),
            }
        }
        assert!(challenged > 0);
    }
    net.run(5 * SECOND);
    net.assert_converged();
}

#[test]
fn what_a_node_said_where_it_was_before_brings_it_no_flood_of_greetings() {
    for restarts in [false, true] {
        let mut net = Network::new(78);
        net.capture = true;
        net.add_cluster(2);
        assert!(net.run_until(20 * SECOND, Network::converged));
        net.run(2 * SECOND);
        let (here, was) = (net.addr(0), net.addr(1));
        let said = std::mem::take(&mut net.captured).into_iter();
        let registered = |(from, to, bytes): &Datagram| (*from, *to) == (was, here) && bytes[2] == REGISTER;
        let with_cookie = said.filter(registered).map(|(.., bytes)| bytes).filter(|bytes| bytes[16..24] != [0; 8]);
        let recorded: Vec<Vec<u8>> = with_cookie.collect();
        assert!(!recorded.is_empty(), "it registered, with a cookie");
        if restarts {
            net.crash(1);
        }
        net.move_to(1, SocketAddr::from(([10, 0, 7, 7], 7007)));
        if restarts {
            net.start(1);
        }
        let there = net.addr(1);
        let met =
            |net: &Network| net.node(0).peers().iter().any(|(_, peer)| peer.addr == there && peer.reach.answers());
        assert!(net.run_until(60 * SECOND, met), "it is known where it is now");
        net.captured.clear();
        let mut greeted = 0;
        for time in 0..100 {
            let taken = net.inject(0, was, &recorded[time % recorded.len()]);
            assert_eq!(taken, Err(Rejected::Order), "restarts: {restarts}");
            greeted += net.captured.drain(..).filter(|(from, to, _)| (*from, *to) == (here, there)).count();
        }
        assert!(greeted <= usize::from(restarts), "restarts: {restarts}: {greeted} datagrams");
    }
}

#[test]
fn who_is_forgotten_until_the_end_of_time_is_told_so_and_promised_nothing() {
    let settings = Settings::new(Guid::random([1; 16]), "one", NetworkKey::new(&Secret([7; 32])));
    let guid = settings.guid;
    let mut node = Node::new(settings, [1; 32], Tick(0));
    let draft = || Draft { who_name: "one".to_owned(), msg: "hello".into() };
    assert!(node.author(Timestamp(1), draft()).is_ok());
    // By no date is it promised anything that a disk could not keep the order of.
    for up_to in [i64::MAX as u64, u64::MAX] {
        let msg = format!("origin {guid}\nup_to {up_to}\n");
        let forget = Gossip::make(Kind::Forget, Timestamp(up_to), Guid([9; 16]), "judge", msg.into()).unwrap();
        node.learn(Tick(1), &forget);
        assert!(matches!(node.author(Timestamp(2), draft()), Err(Invalid::Forgotten)));
    }
}

#[test]
fn a_flood_of_recordings_is_answered_a_thousand_times_a_second_at_most() {
    let (mut net, recorded) = recorded();
    let (_, _, register) = recorded.iter().find(|(_, _, bytes)| bytes[2] == REGISTER).unwrap();
    net.captured.clear();
    for n in 0..3 * CHALLENGES_PER_SECOND as u16 {
        let _ = net.inject(2, SocketAddr::from(([10, 99, 0, 2], 1024 + n)), register);
    }
    assert!(net.captured.len() <= CHALLENGES_PER_SECOND as usize);
    assert!(net.captured.iter().map(|(_, _, bytes)| bytes.len()).sum::<usize>() <= 1000 * register.len());
    assert_eq!(net.node(2).stats().challenge_suppressed, 2 * u64::from(CHALLENGES_PER_SECOND));
}

// ---- traitors ----

/// A node with something to take, a peer of it, and an insider with a session.
fn betrayed(seed: u64) -> (Network, Insider) {
    let mut net = Network::new(seed);
    let all = net.add_cluster(2);
    for number in 0..2000 {
        all.iter().for_each(|&node| net.preload(node, &old(number)));
    }
    net.run(2 * SECOND);
    let insider = Insider::met(&mut net, 0, 1);
    (net, insider)
}

#[test]
fn a_padded_hello_has_an_answer_that_is_no_longer_and_says_nothing_else() {
    let (mut net, mut insider) = betrayed(81);
    let len = |message: Message| {
        let mut body = BytesMut::new();
        message.encode(&mut body);
        body.len()
    };
    for padding in [1, 3, 100, 1000, MAX_DATAGRAM - HEADER - TAG - Hello::EMPTY - 18] {
        insider.hear(&mut net);
        let page_ask = Some(CardAsk { range: Range { from: 0, to: u64::MAX }, ..CardAsk::default() });
        let padding = Blob(vec![0; padding].into());
        let hello = Hello { stamp: 7, page_ask, padding, ..Hello::default() };
        insider.tell(&mut net, &Message::Hello(hello.clone())).unwrap();
        let backs: Vec<Hello> = (insider.hear(&mut net).into_iter())
            .filter_map(|(_, message)| if let Message::HelloBack(back) = message { Some(back) } else { None })
            .filter(|back| back.stamp == 7)
            .collect();
        let [back] = &backs[..] else { panic!("one answer: {backs:?}") };
        assert!(back.page.is_none() && back.updates.is_empty(), "{back:?}");
        assert_eq!(back.padding.0.len(), hello.padding.0.len(), "as long there as back");
        assert!(len(Message::HelloBack(back.clone())) <= len(Message::Hello(hello)));
    }
}

/// The node is as well as ever: what its peer says reaches it, and both hold what was created and nothing else.
fn is_well(mut net: Network) {
    net.check = true;
    net.create(1, "still there?");
    assert!(net.run_until(60 * SECOND, Network::converged));
    net.assert_converged();
    net.node(0).check();
}

#[test]
fn unknown_kinds_and_bad_bodies_are_counted() {
    let (mut net, mut insider) = betrayed(80);
    let mut rng = ChaCha8Rng::seed_from_u64(80);
    let mut seen = BTreeSet::new();
    for kind in 0..=u8::MAX {
        for len in [0, 1, 7, 16, 42, 100, 1424] {
            let mut body = vec![0; len];
            rng.fill_bytes(&mut body);
            for body in [body, vec![0; len], vec![0xff; len]] {
                match insider.tell_bytes(&mut net, kind, &body) {
                    Err(cause) => drop(seen.insert(cause)),
                    Ok(()) => assert!([4, 5, 8, 9, 12, 13, 14].contains(&kind), "kind {kind}"),
                }
                if insider.is_out(&net) {
                    insider.epoch += 1;
                    insider.register(&mut net).unwrap();
                }
            }
        }
    }
    assert!(seen.is_superset(&BTreeSet::from([Rejected::Kind, Rejected::Body])), "{seen:?}");
    is_well(net);
}

#[test]
fn a_record_under_a_wrong_name_is_counted_and_kept_out() {
    let (mut net, mut insider) = betrayed(81);
    let (a, b) = (old(5000), old(5001));
    let record = |guid, of: &Gossip, msg: &'static [u8]| Record::of(guid, of.head(), msg.into());
    let records = vec![
        Record::of(a.guid(), b.head(), b.msg().clone()),
        record(a.guid(), &a, b"something else"),
        record(a.guid(), &a, b""),
        record(a.guid(), &a, b"\xff\xfe"),
        Record::of(Guid::default(), a.head(), a.msg().clone()),
    ];
    let wrong = records.len() as u64;
    insider.tell(&mut net, &Message::Tell(Tell { records: List::new(records), ..Tell::default() })).unwrap();
    let heads = List::new(vec![HeadTold::of(b.guid(), a.head()), HeadTold::of(Guid::default(), a.head())]);
    insider.tell(&mut net, &Message::Tell(Tell { heads, ..Tell::default() })).unwrap();
    net.run(SECOND);
    assert_eq!(net.node(0).stats().records_wrong, wrong + 2);
    assert_eq!(net.node(0).ledger().state().count, 2000);
    is_well(net);
}

fn tell_fragment(guid: Guid, piece: u16, index: u8, bytes: usize) -> Message {
    let fragment = Fragment { guid, piece, index, bytes: Blob(vec![b'!'; bytes].into()) };
    Message::Tell(Tell { fragments: List::new(vec![fragment]), ..Tell::default() })
}

fn lie(number: u32) -> Head {
    let mut sha2 = [0xaa; 32];
    sha2[..4].copy_from_slice(&number.to_le_bytes());
    Head::new(Kind::Message, Timestamp(7), Guid([9; 16]), "liar", 16 << 20, sha2, [0xbb; 32]).unwrap()
}

#[test]
fn fragments_that_nobody_asked_for_or_that_do_not_fit_are_dropped() {
    let (mut net, mut insider) = betrayed(82);
    let mut rng = ChaCha8Rng::seed_from_u64(82);
    for piece in [0, 1, 255, 256, LIST] {
        for index in [0, 63, 64, 255] {
            let guid = if index == 0 { old(3).guid() } else { random_guid(&mut rng) };
            insider.tell(&mut net, &tell_fragment(guid, piece, index, FRAGMENT)).unwrap();
        }
    }
    assert_eq!(net.node(0).stats().fragments_unwanted, 20);
    let head = lie(0);
    let heads = List::new(vec![HeadTold::of(head.guid(), &head)]);
    insider.tell(&mut net, &Message::Tell(Tell { heads, ..Tell::default() })).unwrap();
    let asked = insider.hear(&mut net).into_iter().any(|(_, message)| match message {
        Message::TellMeMore(ask) => ask.pieces.iter().any(|ask| ask.guid == head.guid() && ask.piece == LIST),
        _ => false,
    });
    assert!(asked, "the list of its pieces, 8 KiB, is wanted now");
    for (index, bytes) in [(0, 0), (0, 1), (0, 1023), (7, 1023), (8, 1024), (8, 0), (63, 1024), (64, 1), (255, 1024)] {
        insider.tell(&mut net, &tell_fragment(head.guid(), LIST, index, bytes)).unwrap();
    }
    assert_eq!(net.node(0).stats().fragments_unwanted, 29);
    (0..8).for_each(|index| insider.tell(&mut net, &tell_fragment(head.guid(), LIST, index, 1024)).unwrap());
    assert_eq!(net.node(0).stats().pieces_wrong, 1, "what fits is still a lie");
    is_well(net);
}

#[test]
fn invented_long_records_do_not_keep_true_ones_out() {
    let (mut net, mut insider) = betrayed(83);
    for number in 0..1000 {
        let head = lie(number);
        let heads = List::new(vec![HeadTold::of(head.guid(), &head)]);
        insider.tell(&mut net, &Message::Tell(Tell { heads, ..Tell::default() })).unwrap();
    }
    net.run(2 * SECOND);
    let long = net.create(1, vec![b'y'; 300_000]).unwrap();
    assert!(net.run_until(120 * SECOND, |net| net.node(0).ledger().contains(&long)));
    is_well(net);
}

#[test]
fn invented_guids_are_wanted_within_bounds() {
    let (mut net, mut insider) = betrayed(84);
    net.check = false;
    let mut rng = ChaCha8Rng::seed_from_u64(84);
    for round in 0..2000u32 {
        let guids = List::new((0..70).map(|_| random_guid(&mut rng)).collect());
        let (answer, page, next, last) = (round % 3, 15, Key::default(), round % 5 == 0);
        insider.tell(&mut net, &Message::Holding(Holding { answer, page, next, last, guids })).unwrap();
        if round % 100 == 0 {
            net.node(0).check();
        }
    }
    net.node(0).check();
    let asked: usize = insider.hear(&mut net).iter().map(|(_, message)| asked_for(message)).sum();
    assert!(asked > 0 && asked <= 512, "{asked} GUIDs asked for at once: no more than a window");
    net.run(10 * SECOND);
    is_well(net);
}

#[test]
fn invented_guids_do_not_keep_true_records_out() {
    let (mut net, mut insider) = betrayed(92);
    net.check = false;
    let mut rng = ChaCha8Rng::seed_from_u64(92);
    for _ in 0..1000 {
        let (answer, page, next, last) = Default::default();
        let guids = List::new((0..70).map(|_| random_guid(&mut rng)).collect());
        insider.tell(&mut net, &Message::Holding(Holding { answer, page, next, last, guids })).unwrap();
    }
    for number in 10_000..10_500 {
        net.preload(1, &old(number));
    }
    // He answers every HELLO, so that he stays a peer, and gives nothing.
    let start = net.now();
    while !net.converged() && net.now().since(start) < 20 * SECOND {
        insider.attend(&mut net);
    }
    assert!(!insider.is_out(&net));
    is_well(net);
}

fn asked_for(message: &Message) -> usize {
    if let Message::TellMeMore(ask) = message { ask.guids.len() } else { 0 }
}

#[test]
fn a_wish_that_comes_and_goes_is_queued_within_bounds() {
    let (mut net, mut insider) = betrayed(85);
    net.check = false;
    let mut rng = ChaCha8Rng::seed_from_u64(85);
    let invented: Vec<Guid> = (0..70).map(|_| random_guid(&mut rng)).collect();
    for _ in 0..10 {
        let (answer, page, next, last) = Default::default();
        let guids = List::new(invented.clone());
        insider.tell(&mut net, &Message::Holding(Holding { answer, page, next, last, guids })).unwrap();
    }
    // The window is full. What follows is wanted, told as a head that is one too many, and wanted again.
    let heads: Vec<Head> = (0..1256).map(lie).collect();
    for heads in heads.chunks(8) {
        let heads = List::new(heads.iter().map(|head| HeadTold::of(head.guid(), head)).collect());
        insider.tell(&mut net, &Message::Tell(Tell { heads, ..Tell::default() })).unwrap();
    }
    for _ in 0..100 {
        for heads in heads[256..].chunks(64) {
            let (answer, page, next, last) = Default::default();
            let guids = List::new(heads.iter().map(Head::guid).collect());
            insider.tell(&mut net, &Message::Holding(Holding { answer, page, next, last, guids })).unwrap();
            for heads in heads.chunks(8) {
                let heads = List::new(heads.iter().map(|head| HeadTold::of(head.guid(), head)).collect());
                insider.tell(&mut net, &Message::Tell(Tell { heads, ..Tell::default() })).unwrap();
            }
        }
        net.node(0).check();
    }
    net.run(10 * SECOND);
    is_well(net);
}

fn random_symbols(rng: &mut ChaCha8Rng, count: usize) -> Vec<Symbol> {
    let mut symbol = || Symbol { sum: random_guid(rng).0, check: rng.random() };
    (0..count).map(|_| symbol()).collect()
}

#[test]
fn invented_symbols_end_in_nothing() {
    let (mut net, mut insider) = betrayed(86);
    let mut rng = ChaCha8Rng::seed_from_u64(86);
    let (mut rounds, mut pages) = (0, 0);
    for round in 0..300 {
        let symbols: [Symbol; DIGEST_SYMBOLS] = match round % 3 {
            0 => random_symbols(&mut rng, DIGEST_SYMBOLS).try_into().unwrap(),
            1 => [Symbol::default(); DIGEST_SYMBOLS],
            _ => [Symbol { sum: [1; 16], check: u64::MAX }; DIGEST_SYMBOLS],
        };
        let estimator = std::array::from_fn::<i16, ESTIMATORS, _>(|_| match round % 4 {
            0 => i16::MIN,
            1 => i16::MAX,
            2 => rng.random_range(-100..100),
            _ => rng.random_range(-30..30),
        });
        let count = [0, 2000, 2001, u32::MAX][round % 4];
        let prefix = [0, 1, 44, 1024, 65_536, u32::MAX][round % 6];
        let change = [0, 1, u64::MAX][round % 3];
        let digest = DidYouHere { change, count, root: rng.random(), prefix, symbols, estimator };
        insider.tell(&mut net, &Message::DidYouHere(Box::new(digest))).unwrap();
        for _ in 0..3 {
            for message in insider.attend(&mut net) {
                let Message::TellMeMore(ask) = message else { continue };
                if let Some(ask) = ask.symbols {
                    rounds += 1;
                    assert!(ask.chunks.count_ones() as usize <= SYMBOLS_PER_ASK);
                    for bit in (0..64).filter(|bit| ask.chunks >> bit & 1 == 1) {
                        let chunk = (ask.first + bit) as u16;
                        let len = [MORE_SYMBOLS, MORE_SYMBOLS, 1, 0][rng.random_range(0..4)];
                        let symbols = List::new(random_symbols(&mut rng, len));
                        let symbols = Symbols { change: ask.change, chunk, symbols };
                        insider.tell(&mut net, &Message::Symbols(symbols)).unwrap();
                    }
                }
                // Where much is to come from him already, no round is begun.
                if let Some(ask) = ask.page.filter(|_| round >= 150) {
                    pages += 1;
                    let guids = List::new((0..PAGE).map(|_| random_guid(&mut rng)).collect());
                    let next = Key { date_time: Timestamp(rng.random()), guid: random_guid(&mut rng) };
                    let (answer, page) = (ask.id, rng.random_range(0..20));
                    let holding = Holding { answer, page, next, last: rng.random_bool(0.1), guids };
                    insider.tell(&mut net, &Message::Holding(holding)).unwrap();
                }
            }
        }
    }
    assert!(rounds > 10 && pages > 10, "{rounds} rounds and {pages} pages were asked for");
    net.run(30 * SECOND);
    is_well(net);
}

/// Asks, and returns how many datagrams and bytes that cost the node. Reading takes the disk a moment.
fn cost(net: &mut Network, insider: &mut Insider, ask: TellMeMore) -> Vec<Message> {
    insider.hear(net);
    insider.tell(net, &Message::TellMeMore(ask)).unwrap();
    net.run(Duration::from_millis(2));
    let heard = insider.hear(net).into_iter().map(|(_, message)| message);
    heard.filter(|message| matches!(message, Message::Symbols(_) | Message::Holding(_) | Message::Tell(_))).collect()
}

#[test]
fn absurd_questions_get_bounded_answers() {
    let (mut net, mut insider) = betrayed(87);
    let mut rng = ChaCha8Rng::seed_from_u64(87);
    let now = net.node(0).ledger().sketch().change();
    for change in [0, 1, now - 1, now, now + 1, u64::MAX] {
        for first in [0, 21, 1000, 65_535, 65_536, u32::MAX / 47, u32::MAX - 64, u32::MAX - 63, u32::MAX - 1, u32::MAX]
        {
            for chunks in [0, 1, 1 << 63, u64::MAX] {
                let symbols = Some(SymbolsAsk { change, first, chunks });
                let answers = cost(&mut net, &mut insider, TellMeMore { symbols, ..Default::default() });
                assert!(answers.len() <= chunks.count_ones() as usize, "{} for {chunks:b}", answers.len());
            }
        }
    }
    let last = Key { date_time: Timestamp(u64::MAX), guid: Guid([255; 16]) };
    for after in [Key::default(), old(1990).key(), last] {
        for pages in [0, 1, 16, 17, 255] {
            let page = Some(PageAsk { id: 5, after, pages });
            let answers = cost(&mut net, &mut insider, TellMeMore { page, ..Default::default() });
            assert!((1..=usize::from(pages).clamp(1, PAGES_PER_ASK)).contains(&answers.len()));
        }
    }
    let asks = [
        (random_guid(&mut rng), 0, 1),
        (random_guid(&mut rng), LIST, 1),
        (old(1).guid(), 0, 1),
        (old(1).guid(), 1, 1),
        (old(1).guid(), 65_534, 1),
        (old(1).guid(), LIST, 1),
    ];
    for (guid, piece, most) in asks {
        let ask = PieceAsk { guid, piece, fragments: u64::MAX };
        let pieces = List::new(vec![ask; PIECES_PER_ASK]);
        let answers = cost(&mut net, &mut insider, TellMeMore { pieces, ..Default::default() });
        assert!(answers.len() <= most, "{} datagrams for piece {piece}", answers.len());
    }
    let guids = List::new((0..GUIDS_PER_ASK).map(|_| random_guid(&mut rng)).collect());
    let answers = cost(&mut net, &mut insider, TellMeMore { guids, ..Default::default() });
    assert!(matches!(&answers[..], [Message::Tell(tell)] if tell.lacking.len() == GUIDS_PER_ASK));
    is_well(net);
}

#[test]
fn the_same_question_ten_thousand_times_is_one_question() {
    let (mut net, mut insider) = betrayed(88);
    let long = net.create(0, vec![b'z'; 2 * PIECE]).unwrap();
    net.run(2 * SECOND);
    net.crash(1);
    // Another crash, of the cache alone: while the disk reads, nothing is answered.
    net.disk(0).crash();
    insider.hear(&mut net);
    let pieces = (0..4).map(|piece| PieceAsk { guid: long, piece, fragments: u64::MAX }).collect();
    let ask = TellMeMore { pieces: List::new(pieces), ..Default::default() };
    for _ in 0..10_000 {
        insider.tell(&mut net, &Message::TellMeMore(ask.clone())).unwrap();
    }
    net.run(Duration::from_millis(10));
    let answers = insider.hear(&mut net).len();
    assert!((128..=140).contains(&answers), "two pieces are 128 fragments, not {answers}");
    net.start(1);
    is_well(net);
}

#[test]
fn peers_that_somebody_makes_up_are_tried_a_few_times() {
    let (mut net, mut insider) = betrayed(89);
    let mut rng = ChaCha8Rng::seed_from_u64(89);
    let name = Name::new("nobody").unwrap();
    for _ in 0..1000 {
        let mut card = || Card {
            guid: random_guid(&mut rng),
            addr: Address(SocketAddr::from((rng.random::<[u8; 4]>(), rng.random()))),
            incarnation: rng.random(),
            name: name.clone(),
        };
        let cards = List::new((0..20).map(|_| card()).collect());
        let range = Range::all_but(0);
        let page = Some(CardPage { range, cards, ..CardPage::default() });
        let page_ask = Some(CardAsk { range, ..CardAsk::default() });
        let hello = Hello { stamp: u64::MAX, page_ask, page, ..Hello::default() };
        insider.tell(&mut net, &Message::Hello(hello.clone())).unwrap();
        insider.tell(&mut net, &Message::HelloBack(hello)).unwrap();
    }
    assert!(net.node(0).peers().iter().count() <= FEW_PEERS, "on one word, few of the made-up are listed");
    let before = net.node(0).stats().register_sent;
    net.run(60 * SECOND);
    let tried = net.node(0).stats().register_sent - before;
    // Hints are tried a few times. The few that are listed are probed, each tenth of a second for one, and are next on the
    // ring, too.
    let most = 8 * HINTS_PER_TELLER + (10 + 4) * FEW_PEERS;
    assert!(tried <= most as u64, "{tried} REGISTERs to nobody");
    is_well(net);
}

#[test]
fn who_pretends_to_be_the_node_itself_is_looked_for_within_bounds() {
    let (mut net, mut insider) = betrayed(90);
    net.check = false;
    insider.guid = net.node(0).settings().guid;
    insider.epoch = 0;
    for port in 1024..1024 + 6000 {
        insider.addr.set_port(port);
        let pretended = insider.register(&mut net);
        assert_eq!(pretended, Err(Rejected::Order));
        if port % 500 == 0 {
            net.run(SECOND);
        }
        net.run(Duration::from_millis(2));
    }
    net.node(0).check();
    net.run(120 * SECOND);
    let sent = net.node(0).stats().register_sent;
    assert!((10..=HINTS_PER_TELLER as u64 * 30).contains(&sent), "{sent} REGISTERs in search of 6,000 copies");
    is_well(net);
}

#[test]
fn a_crowd_from_one_address_has_a_crowds_share() {
    let (mut net, _) = betrayed(91);
    for n in 0..500 {
        let mut insider = Insider::new(&mut net, 0, 1000 + n);
        insider.addr = SocketAddr::from(([10, 66, 66, 66], 2000 + n));
        insider.epoch = u64::MAX;
        insider.counter = u64::MAX - 10;
        insider.register(&mut net).unwrap();
        insider.tell_bytes(&mut net, 12, &[0]).unwrap();
        net.run(Duration::from_millis(5));
    }
    let ordinary = 2;
    assert!(net.node(0).sessions() <= SESSIONS_PER_ADDRESS + ordinary);
    is_well(net);
}
