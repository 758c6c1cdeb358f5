//! Stories of the protocol, told by the simulator: real nodes, real bytes, virtual time, one seed.

use gossip_node::proto::gossip::{Gossip, Guid, Kind};
use gossip_node::proto::stats::Rejected;
use gossip_node::proto::time::Timestamp;
use gossip_node::sim::meter::KINDS;
use gossip_node::sim::{Link, Network, Reads};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A record that anyone might have said long ago.
fn old(number: u64) -> Gossip {
    let msg = format!("what was said as number {number}").into_bytes();
    Gossip::make(Kind::Message, Timestamp(1_600_000_000_000_000 + number), Guid([9; 16]), "elder", msg.into()).unwrap()
}

/// Printable text that does not repeat itself.
fn long_text(len: usize, seed: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..len).map(|_| rng.random_range(b' '..=b'~')).collect()
}

#[test]
fn two_nodes_meet_and_agree() {
    let mut net = Network::new(1);
    let (a, b) = (net.add(), net.add());
    net.register(b, a);
    let (from_a, from_b) = (net.create(a, "hello").unwrap(), net.create(b, "hello yourself").unwrap());
    assert!(net.run_until(5 * SECOND, |net| net.converged() && net.node(a).ledger().state().count == 2));
    assert_eq!(net.disk(b).gossip(from_a).unwrap().msg(), "hello");
    assert_eq!(net.disk(a).gossip(from_b).unwrap().msg(), "hello yourself");
    net.assert_converged();
}

/// What is new is on its way to all whom its author knew. Who meets it only then need not be told that it is there, and ask.
#[test]
fn who_has_just_been_met_is_told_at_once_what_is_new() {
    let mut net = Network::new(17);
    let (a, b) = (net.add(), net.add());
    let news: Vec<Guid> = (0..10).map(|number| net.create(a, format!("news {number}")).unwrap()).collect();
    net.run(SECOND / 20);
    net.register(b, a);
    assert!(net.run_until(SECOND, |net| news.iter().all(|guid| net.node(b).ledger().contains(guid))));
    let sent = net.meter.traffic().kinds;
    let asked = KINDS.iter().position(|kind| *kind == "TELL_ME_MORE").unwrap();
    assert_eq!(sent[asked].datagrams, 0, "nothing had to be asked for: {sent:?}");
}

/// A newcomer's beacon has one who holds much register with it. What flows elsewhere does not flow to the newcomer.
#[test]
fn a_newcomer_that_is_called_on_lacks_much_no_longer_than_it_takes_to_fetch_it() {
    let mut net = Network::new(101);
    let (a, b) = (net.add(), net.add());
    for number in 0..500 {
        net.create(a, format!("news {number}"));
    }
    net.run(SECOND / 50);
    net.register(a, b);
    assert!(net.run_until(SECOND / 5, |net| net.node(b).ledger().state().count == 500));
}

#[test]
fn everyone_gets_to_know_everyone_from_one_seed() {
    let mut net = Network::new(2);
    let all = net.add_cluster(40);
    let knows_all = |net: &Network, node: usize| {
        net.node(node).peers().iter().filter(|(_, peer)| peer.reach.answers()).count() == 39
    };
    assert!(net.run_until(20 * SECOND, |net| all.iter().all(|&node| knows_all(net, node))));
}

#[test]
fn a_late_joiner_gets_everything_from_one_seed() {
    let mut net = Network::new(3);
    let all = net.add_cluster(4);
    for round in 0..300 {
        net.create(all[round % 4], format!("number {round}"));
    }
    assert!(net.run_until(30 * SECOND, |net| net.converged() && net.node(0).ledger().state().count == 300));
    let late = net.add();
    net.register(late, all[2]);
    assert!(net.run_until(5 * SECOND, Network::converged));
    net.assert_converged();
}

#[test]
fn a_partition_heals_by_itself() {
    let mut net = Network::new(4);
    let all = net.add_cluster(6);
    net.run(3 * SECOND);
    net.partition(&[&all[..3], &all[3..]]);
    for round in 0..100 {
        net.create(all[round % 6], format!("said apart: {round}"));
    }
    net.run(60 * SECOND);
    assert!(!net.converged(), "the partition was real");
    assert!(net.seen.cut > 0);
    net.heal();
    assert!(net.run_until(60 * SECOND, Network::converged));
    net.assert_converged();
}

#[test]
fn a_long_msg_survives_20_percent_loss() {
    let mut net = Network::new(5);
    let all = net.add_cluster(2);
    net.link = Link { loss: 0.2, duplicate: 0.05, ..Link::default() };
    let text = long_text(3 << 20, 5);
    let guid = net.create(all[0], text.clone()).unwrap();
    net.create(all[1], long_text(40_000, 6));
    net.create(all[1], long_text(65_536, 7));
    net.create(all[1], long_text(65_537, 8));
    assert!(net.run_until(120 * SECOND, |net| net.converged() && net.node(0).ledger().state().count == 4));
    assert!(net.disk(all[1]).gossip(guid).unwrap().msg() == &text);
    assert!(net.seen.lost > 100 && net.seen.duplicated > 100);
    net.assert_converged();
}

#[test]
fn a_long_msg_goes_on_where_a_crash_stopped_it() {
    let mut net = Network::new(6);
    let all = net.add_cluster(2);
    net.run(3 * SECOND);
    net.create(all[0], long_text(8 << 20, 9));
    let halfway = |net: &Network| net.node(all[1]).stats().fragments_received > 4000;
    assert!(net.run_until(60 * SECOND, halfway));
    net.crash(all[1]);
    net.start(all[1]);
    assert!(net.run_until(60 * SECOND, Network::converged));
    let again = net.node(all[1]).stats().fragments_received;
    let on_the_way = 48 * 64;
    assert!(again <= 8192 - 4000 + on_the_way, "{again} fragments came after the crash: what was on disk stays");
    net.assert_converged();
}

#[test]
fn a_wrong_password_is_silence() {
    let mut net = Network::new(7);
    let (a, stranger) = (net.add(), net.add_with_password("close sesame"));
    net.register(stranger, a);
    net.create(a, "not for you");
    net.run(10 * SECOND);
    assert_eq!(net.node(a).stats().datagrams_sent, 0, "not a word");
    assert!(net.node(a).stats().rejected(Rejected::KeyId) > 3, "but it was counted");
    assert_eq!(net.node(a).peers().iter().count(), 0);
    assert_eq!(net.node(stranger).ledger().state().count, 0);
}

#[test]
fn a_restart_loses_nothing_acknowledged() {
    let mut net = Network::new(8);
    let all = net.add_cluster(3);
    net.run(2 * SECOND);
    for round in 0..200 {
        net.create(all[round % 3], format!("number {round}"));
        net.run(Duration::from_millis(3));
        if round % 20 == 7 {
            let victim = all[(round / 20) % 3];
            net.crash(victim);
            net.start(victim);
        }
    }
    assert!(net.run_until(60 * SECOND, Network::converged));
    assert!((0..3).map(|node| net.disk(node).lost).sum::<u64>() > 0, "crashes really lost something");
    net.assert_converged();
    let state = net.node(0).ledger().state();
    all.iter().for_each(|&node| net.crash(node));
    all.iter().for_each(|&node| net.start(node));
    assert!(net.running().all(|node| net.node(node).ledger().state() == state), "all is there before anyone speaks");
    net.run(5 * SECOND);
    let asked: u64 = all.iter().map(|&node| net.node(node).stats().tell_me_more_sent).sum();
    assert_eq!(asked, 0, "and there is nothing to fetch");
}

#[test]
fn sets_may_change_while_symbols_travel() {
    let mut net = Network::new(9);
    let all = net.add_cluster(2);
    net.link = Link { loss: 0.1, delay: Duration::from_millis(20), ..Link::default() };
    for number in 0..3000 {
        net.preload(all[0], &old(number));
        if number % 5 != 0 {
            net.preload(all[1], &old(number));
        }
    }
    for round in 0..500 {
        net.create(all[round % 2], format!("new: {round}"));
        net.run(Duration::from_millis(2));
    }
    assert!(net.run_until(60 * SECOND, Network::converged));
    assert!(net.node(0).stats().symbols_sent + net.node(1).stats().symbols_sent > 0, "more than one digest was needed");
    net.assert_converged();
}

/// Two stores of 10,000 records and a thousand differences, on a link as slow as one around the world.
fn far_apart(seed: u64) -> Network {
    let mut net = Network::new(seed);
    net.check = false;
    net.link = Link { delay: Duration::from_millis(400), jitter: Duration::from_millis(50), ..Link::default() };
    let all = net.add_cluster(2);
    for number in 0..10_000 {
        let node = if number % 10 == 3 { &all[number as usize / 10 % 2..][..1] } else { &all[..] };
        node.iter().for_each(|&node| net.preload(node, &old(number)));
    }
    net
}

#[test]
fn a_round_that_takes_longer_than_the_timer_is_not_begun_again() {
    let mut net = far_apart(30);
    assert!(net.run_until(10 * SECOND, Network::converged));
    for node in 0..2 {
        let stats = net.node(node).stats();
        assert_eq!((stats.digests_restarted, stats.digests_paged), (0, 0));
    }
    assert!(net.node(0).stats().symbols_sent + net.node(1).stats().symbols_sent < 200);
    net.assert_converged();
}

#[test]
fn sets_that_move_too_far_while_symbols_travel_begin_again() {
    let mut restarted = 0;
    for side in [0, 1] {
        let mut net = far_apart(31);
        let asked = |net: &Network| net.node(0).stats().symbols_sent + net.node(1).stats().symbols_sent > 0;
        assert!(net.run_until(60 * SECOND, asked));
        // More changes than either side can undo.
        (100_000..105_000).for_each(|number| net.preload(side, &old(number)));
        assert!(net.run_until(30 * SECOND, Network::converged));
        restarted += net.node(0).stats().digests_restarted + net.node(1).stats().digests_restarted;
        net.assert_converged();
    }
    assert!(restarted > 0);
}

#[test]
fn ten_differences_in_many_are_one_datagram_and_equal_stores_are_none() {
    let mut net = Network::new(10);
    net.check = false;
    let all = net.add_cluster(2);
    for number in 0..100_000 {
        let node = if number % 10_000 == 3 { &all[..1] } else { &all[..] };
        node.iter().for_each(|&node| net.preload(node, &old(number)));
    }
    net.preload(all[1], &old(100_001));
    assert!(net.run_until(10 * SECOND, Network::converged));
    net.run(10 * SECOND);
    let digests: u64 = all.iter().map(|&node| net.node(node).stats().did_you_here_sent).sum();
    assert_eq!(digests, 1, "eleven differences, one digest");
    net.assert_converged();

    let mut net = Network::new(11);
    net.check = false;
    let all = net.add_cluster(2);
    for number in 0..100_000 {
        all.iter().for_each(|&node| net.preload(node, &old(number)));
    }
    net.run(10 * SECOND);
    let digests: u64 = all.iter().map(|&node| net.node(node).stats().did_you_here_sent).sum();
    assert_eq!(digests, 0, "equal stores need none");
}

#[test]
fn a_new_node_pages_a_large_ledger() {
    let mut net = Network::new(12);
    net.check = false;
    let all = net.add_cluster(2);
    for number in 0..10_000 {
        net.preload(all[0], &old(number));
    }
    net.preload(all[1], &old(1_000_000));
    assert!(net.run_until(30 * SECOND, Network::converged));
    assert!(net.node(all[0]).stats().holding_sent >= 10_000 / 70);
    net.assert_converged();
}

#[test]
fn a_full_disk_makes_a_node_read_only_until_there_is_room() {
    let mut net = Network::new(13);
    let all = net.add_cluster(2);
    net.run(2 * SECOND);
    net.disk(all[1]).full = true;
    for round in 0..50 {
        net.create(all[0], format!("number {round}"));
    }
    net.create(all[0], long_text(300_000, 1));
    net.run(20 * SECOND);
    assert_eq!(net.node(all[1]).ledger().state().count, 0);
    net.disk(all[1]).full = false;
    assert!(net.run_until(30 * SECOND, Network::converged));
    net.assert_converged();
}

#[test]
fn the_longest_msg_and_those_around_one_piece_arrive() {
    let mut net = Network::new(16);
    let all = net.add_cluster(3);
    net.run(2 * SECOND);
    for (seed, len) in [1, 1023, 1024, 1025, 65_535, 65_536, 65_537, 16 << 20].into_iter().enumerate() {
        net.create(all[0], long_text(len, seed as u64));
    }
    assert!(net.run_until(60 * SECOND, |net| net.converged() && net.node(0).ledger().state().count == 8));
    net.assert_converged();
}

#[test]
fn many_records_that_just_miss_a_datagram_cost_little_more_than_their_bytes() {
    let mut net = Network::new(17);
    net.check = false;
    let all = net.add_cluster(2);
    let of = |number: u64| {
        let at = Timestamp(1_600_000_000_000_000 + number);
        Gossip::make(Kind::Message, at, Guid([9; 16]), "elder", long_text(2000, number).into()).unwrap()
    };
    (0..3000).for_each(|number| net.preload(all[0], &of(number)));
    assert!(net.run_until(10 * SECOND, Network::converged));
    let stats = net.node(all[1]).stats();
    assert!(stats.fragments_received + stats.fragments_unwanted < 6200, "each of them comes about once: {stats:?}");
    assert!(stats.tell_me_more_sent < 2500, "and asking for them is cheaper: {stats:?}");
    net.assert_converged();
}

#[test]
fn a_new_node_gets_a_hundred_thousand_records_at_once() {
    let mut net = Network::new(18);
    net.check = false;
    let all = net.add_cluster(2);
    (0..100_000).for_each(|number| net.preload(all[0], &old(number)));
    let late = net.add();
    net.register(late, all[0]);
    assert!(net.run_until(30 * SECOND, |net| net.node(late).ledger().state().count == 100_000));
    let stats = net.node(late).stats();
    assert!(stats.datagrams_received < 60_000 && stats.tell_me_more_sent < 15_000, "{stats:?}");
    assert!(stats.records_received_duplicate < 1000 && stats.digests_paged < 20, "{stats:?}");
}

#[test]
fn copies_of_a_home_become_nodes_of_their_own() {
    let mut net = Network::new(19);
    let all = net.add_cluster(3);
    net.create(all[1], "before");
    net.run(5 * SECOND);
    // Neither copy knows the other's address: who meets both must tell.
    let copies = [net.clone_home(all[1]), net.clone_home(all[1])];
    for (node, msg) in [(all[1], "the first"), (copies[0], "the second"), (copies[1], "the third")] {
        net.create(node, msg);
    }
    let guids = |net: &Network| -> std::collections::BTreeSet<Guid> {
        net.running().map(|node| net.node(node).settings().guid).collect()
    };
    let all_said = |net: &Network| net.node(0).ledger().state().count == 4;
    assert!(net.run_until(60 * SECOND, |net| guids(net).len() == 5 && net.converged() && all_said(net)));
    assert_eq!(net.seen.renamed, 2);
    net.assert_converged();
}

#[test]
fn copies_in_one_epoch_agree_on_who_is_who() {
    for seed in 0..8 {
        let mut net = Network::new(20 + seed);
        let all = net.add_cluster(3);
        net.run(5 * SECOND);
        net.crash(all[2]);
        // By a clock that is far behind, both count on from the epoch in the home that they share.
        net.set_clock(all[2], -400 * 24 * 3_600_000_000);
        let copy = net.clone_home(all[2]);
        net.start(all[2]);
        net.create(all[2], "one");
        net.create(copy, "the other");
        let met = |net: &Network| {
            let knows =
                |node: usize| net.node(node).peers().iter().filter(|(_, peer)| peer.reach.answers()).count() == 3;
            net.converged() && net.running().all(knows)
        };
        assert!(net.run_until(60 * SECOND, met), "nobody keeps to the session of the one that took another GUID");
        assert_ne!(net.node(all[2]).settings().guid, net.node(copy).settings().guid);
        net.assert_converged();
    }
}

/// One of four nodes answers as its disk reads; the newest must get everything all the same, and in good time.
fn beside_one_that_reads(reads: Reads) -> Network {
    let mut net = Network::new(21);
    let all = net.add_cluster(4);
    let long = Gossip::make(Kind::Message, Timestamp(7), Guid([9; 16]), "elder", long_text(500_000, 1).into()).unwrap();
    for &node in &all[..3] {
        (0..3000).for_each(|number| net.preload(node, &old(number)));
        net.preload(node, &long);
    }
    net.disk(all[1]).reads = reads;
    net.check = false;
    net.partition(&[&[all[1], all[3]], &[all[0], all[2]]]);
    net.register(all[3], all[1]);
    net.run(20 * SECOND);
    assert_eq!(net.node(all[3]).ledger().state().count, 0, "it has met nobody else yet");
    net.heal();
    let first = net.now();
    assert!(net.run_until(30 * SECOND, |net| net.node(all[3]).ledger().state().count == 3001), "{reads:?}");
    assert!(net.now().since(first) < 20 * SECOND);
    net.assert_converged();
    net
}

#[test]
fn a_peer_that_never_has_what_it_names_stops_nobody() {
    beside_one_that_reads(Reads::Gone);
}

#[test]
fn a_peer_that_never_answers_stops_nobody() {
    beside_one_that_reads(Reads::Never);
}

#[test]
fn a_peer_that_answers_with_something_else_stops_nobody() {
    let net = beside_one_that_reads(Reads::Wrong);
    assert!(net.node(3).stats().records_wrong > 100, "and is found out");
}

#[test]
fn the_same_seed_is_the_same_story() {
    let story = |seed| {
        let mut net = Network::new(seed);
        net.link = Link { loss: 0.1, duplicate: 0.1, flip: 0.01, ..Link::default() };
        let all = net.add_cluster(4);
        for round in 0..50 {
            net.create(all[round % 4], format!("number {round}"));
            net.run(Duration::from_millis(50));
        }
        net.trace()
    };
    assert_eq!(story(14), story(14));
    assert_ne!(story(14), story(15));
}
