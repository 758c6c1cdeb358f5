//! What insiders may cost at most, and what a great many peers and records cost.

use crate::cluster::{Cluster, NETWORK, Node, init};
use crate::flood::memory;
use crate::{amount, chance, report};
use gossip_node::config::ServerFile;
use gossip_node::proto::fact::{Fact, PeerFact};
use gossip_node::proto::gossip::{Gossip, Guid, Head, Kind};
use gossip_node::proto::limits::{FRAGMENT, HINTS, HINTS_PER_TELLER};
use gossip_node::proto::ring::Range;
use gossip_node::proto::time::Timestamp;
use gossip_node::proto::wire::{Address, Blob, Card, CardPage, Fragment, HeadTold, Hello, List, Message, Name, Tell};
use gossip_node::sim::Network;
use gossip_node::sim::insider::Insider;
use gossip_node::store::Store;
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Whether somebody made this address up.
fn is_made_up(addr: &SocketAddr) -> bool {
    matches!(addr, SocketAddr::V4(addr) if addr.ip().octets()[0] == 10 && addr.ip().octets()[1] >= 128)
}

#[test]
#[ignore = "takes long: .ci/faults runs it"]
fn of_all_peers_that_an_insider_makes_up_none_gets_any_further() {
    let (mut chance, peers) = (chance(), amount("FAULTS_PEERS", 50_000) as usize);
    let mut net = Network::new(61);
    let honest = net.add_cluster(32);
    net.run(20 * SECOND);
    let mut insider = Insider::met(&mut net, 0, 1);
    net.check = false;
    let name = Name::new("nobody").unwrap();
    let (mut named, mut tried, mut hellos) = (0, BTreeSet::new(), 0);
    while named < peers {
        let mut card = || Card {
            guid: Guid::random(chance.random()),
            addr: Address(SocketAddr::from((
                [10, chance.random_range(128..=255), chance.random(), chance.random()],
                6884,
            ))),
            incarnation: chance.random(),
            name: name.clone(),
        };
        let cards = List::new((0..20).map(|_| card()).collect());
        named += 20;
        let page = Some(CardPage { range: Range::all_but(0), cards, ..CardPage::default() });
        insider.tell(&mut net, &Message::Hello(Hello { stamp: u64::MAX, page, ..Hello::default() })).unwrap();
        hellos += 1;
        if hellos % 500 == 0 {
            net.node(0).check();
            net.run(SECOND);
            let captured = std::mem::take(&mut net.captured);
            let own = insider.addr;
            for (from, to, bytes) in captured.into_iter().filter(|(_, to, _)| is_made_up(to) || *to == own) {
                if is_made_up(&to) {
                    assert_eq!(from, net.addr(honest[0]), "what he named to one, that one alone tries");
                    tried.insert(to);
                    continue;
                }
                // He stays a peer: he answers.
                let heard = Message::decode(&insider.keys.open(&bytes).unwrap());
                if let Ok(Message::Hello(hello)) = heard {
                    let _ = insider.tell(&mut net, &Message::HelloBack(hello));
                }
            }
        }
    }
    net.run(30 * SECOND);
    let captured = std::mem::take(&mut net.captured);
    for (from, to, _) in captured.into_iter().filter(|(_, to, _)| is_made_up(to)) {
        assert_eq!(from, net.addr(honest[0]));
        tried.insert(to);
    }
    let guids: BTreeSet<Guid> = honest.iter().map(|&node| net.guid(node)).collect();
    let mut shares = Vec::new();
    for &node in &honest {
        net.node(node).check();
        let listed: Vec<Guid> = net.node(node).peers().iter().map(|(guid, _)| guid).collect();
        let invented = listed.iter().filter(|guid| !guids.contains(*guid) && **guid != insider.guid).count();
        assert_eq!(invented, 0, "node {node} lists what was made up");
        shares.push(listed.iter().filter(|guid| guids.contains(*guid)).count() * 100 / listed.len());
        assert!(net.node(node).peers().live() >= honest.len() - 1, "nobody honest was crowded out");
    }
    // One who tells has so many hints at once, and each gets a few tries.
    assert!(!tried.is_empty() && tried.len() <= HINTS * 4, "{} were tried", tried.len());
    let counts = serde_json::json!({ "made_up": named, "tried_by_the_node_told": tried.len(), "hints_of_a_teller_at_most":
        HINTS_PER_TELLER, "listed_anywhere": 0, "passed_on": 0, "honest_percent_of_choices": shares.iter().min() });
    report("fake_peers", counts);
    assert!(
        shares.iter().all(|share| *share >= 95),
        "the only one who is listed and not honest is himself: {shares:?}"
    );
}

/// Answers with the first half of what is asked for of each piece.
fn half(ask: &gossip_node::proto::wire::TellMeMore) -> Vec<Message> {
    let mut all = Vec::new();
    for piece in ask.pieces.iter() {
        let asked: Vec<u8> = (0..64).filter(|index| piece.fragments >> index & 1 == 1).collect();
        for &index in &asked[..asked.len() / 2] {
            let bytes = Blob(vec![index; FRAGMENT].into());
            let fragment = Fragment { guid: piece.guid, piece: piece.piece, index, bytes };
            all.push(Message::Tell(Tell { fragments: List::new(vec![fragment]), ..Tell::default() }));
        }
    }
    all
}

#[test]
#[ignore = "takes long: .ci/faults runs it"]
fn thousands_of_half_finished_messages_hold_no_true_one_up() {
    let streams = amount("FAULTS_STREAMS", 2000) as u32;
    let mut net = Network::new(62);
    net.add_cluster(3);
    net.run(5 * SECOND);
    let transfer = |net: &mut Network, byte: u8| {
        let (long, began) = (net.create(1, vec![byte; 1_000_000]).unwrap(), net.now());
        assert!(net.run_until(300 * SECOND, |net| net.node(0).ledger().contains(&long)));
        net.now().since(began)
    };
    let quiet = transfer(&mut net, b'q');
    net.check = false;
    let mut insiders: Vec<Insider> = (0..100).map(|n| Insider::met(&mut net, 0, n)).collect();
    let (mut begun, mut halves, mut slowest) = (BTreeMap::new(), 0, Duration::ZERO);
    for number in 0..streams {
        let insider = &mut insiders[number as usize % 100];
        let mut sha2 = [0xaa; 32];
        sha2[..4].copy_from_slice(&number.to_le_bytes());
        let head = Head::new(Kind::Message, Timestamp(7), Guid([9; 16]), "liar", 16 << 20, sha2, [0xbb; 32]).unwrap();
        *begun.entry(insider.guid).or_insert(0) += 1;
        let heads = List::new(vec![HeadTold::of(head.guid(), &head)]);
        let _ = insider.tell(&mut net, &Message::Tell(Tell { heads, ..Tell::default() }));
        for (_, message) in insider.hear(&mut net) {
            match message {
                Message::TellMeMore(ask) => {
                    for answer in half(&ask) {
                        halves += u32::from(insider.tell(&mut net, &answer).is_ok());
                    }
                }
                Message::Hello(hello) => drop(insider.tell(&mut net, &Message::HelloBack(hello))),
                _ => {}
            }
        }
        if number % 1000 == 999 {
            net.node(0).check();
            slowest = slowest.max(transfer(&mut net, (number / 1000) as u8 + b'0'));
            net.node(0).check();
        }
    }
    let counts = serde_json::json!({ "streams": streams, "insiders": begun.len(), "fragments_of_halves": halves,
        "quiet_ms": quiet.as_millis() as u64, "slowest_true_one_ms": slowest.as_millis() as u64 });
    report("half_finished", counts);
    assert!(halves > 0, "some were begun");
    // All slabs may be theirs: a true piece waits until a silent one is given up.
    assert!(slowest <= 10 * SECOND, "{slowest:?} instead of {quiet:?}");
}

#[test]
#[ignore = "takes long: .ci/faults runs it"]
fn ten_thousand_peers_and_a_hundred_thousand_records_fit_in_128_mib() {
    let (peers, records) = (10_000_u32, 100_000_u64);
    let mut cluster = Cluster::of_strangers(1);
    let home = cluster.dir().join("n2");
    init(&home, NETWORK, "correct horse battery staple");
    let store = Store::open(&home.join("gossip.db")).unwrap();
    let name = &ServerFile::load(&home.join("server.json")).unwrap().file.networks[0].network_name.clone();
    let network = store.network(name).unwrap();
    store.spawn(Box::new(|_| ()), Box::new(|_| ())).unwrap();
    for number in 0..records {
        let msg = format!("record {number:0>200}");
        let date = Timestamp(1_600_000_000_000_000 + number);
        let gossip = Gossip::make(Kind::Message, date, Guid([9; 16]), "elder", msg.into()).unwrap();
        store.submit(network, Fact::Gossip(gossip));
    }
    for number in 0..peers {
        let (mut guid, [_, _, high, low]) = ([0x77; 16], number.to_be_bytes());
        guid[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
        // Nobody is there, and nothing leaves this host.
        let addr = SocketAddr::from(([127, 9, high, low], 6884));
        let name = format!("peer-{number}").into();
        let last_update = Timestamp(1_700_000_000_000_000);
        store.submit(network, Fact::Peer(PeerFact { guid: Guid::random(guid), name, addr, last_update }));
    }
    store.close();
    drop(store);
    cluster.start(Node::new(home));
    let (other, node) = (&cluster.nodes[0], &cluster.nodes[1]);
    let status = node.network();
    assert_eq!((status.peers.len(), status.gossip_count), (peers as usize, records));
    node.register(other);
    other.wait(&["--gossip", &records.to_string(), "--in-sync"]);
    node.add("one more");
    other.wait(&["--gossip", &(records + 1).to_string()]);
    let most = memory(node);
    report("memory", serde_json::json!({ "peers": peers, "records": records, "rss_mib": most >> 20 }));
    assert!(most <= 128 << 20, "{most} bytes");
}
