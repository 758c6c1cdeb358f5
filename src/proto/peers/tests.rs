//! The rules of membership, shown by hand and in the simulator: what holds with a rule, and what goes wrong without it.

use super::probing::DOUBTS;
use super::rule::Rule;
use super::*;
use crate::proto::fact::PeerFact;
use crate::proto::limits::{CONTACTS, DATAGRAMS_PER_PEER, FEW_PEERS, HINTS_PER_TELLER, NEWS, PAGES_PER_HELLO};
use crate::proto::seal::{NetworkKey, Secret};
use crate::proto::settings::Pace;
use crate::proto::stats::Rejected;
use crate::proto::time::Timestamp;
use crate::proto::wire::{Address, Card, CardAsk, CardPage, HelloFor, List, Name, ProbeWord, Update, Word};
use crate::sim::Network;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv6Addr, SocketAddrV6};

thread_local! {
    static LACKING: Cell<Option<Rule>> = const { Cell::new(None) };
    static MOST_CONTACTS: Cell<usize> = const { Cell::new(CONTACTS) };
}

/// How many contacts each node of this thread keeps: of few it is soon seen what becomes of those who have to go.
pub(super) fn most_contacts() -> usize {
    MOST_CONTACTS.get()
}

/// The rule that nodes lack that are made on this thread.
pub(super) fn lacking() -> Option<Rule> {
    LACKING.get()
}

const SECOND: Duration = Duration::from_secs(1);

fn secs(seconds: u64) -> Tick {
    Tick(seconds * 1_000_000)
}

fn guid(n: u16) -> Guid {
    let [high, low] = n.to_be_bytes();
    Guid([high, low, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, high, low])
}

fn addr(n: u16) -> SocketAddr {
    let [high, low] = n.to_be_bytes();
    SocketAddr::from(([10, 0, high, low], 7000))
}

/// A node that has met nodes 1 to `met`, at one second.
fn peers(met: u16) -> Peers {
    let key = NetworkKey::new(&Secret([7; 32]));
    let mut peers = Peers::new(&Settings::new(guid(0), "me", key), [0; 32], Tick(0));
    for n in 1..=met {
        meet(&mut peers, secs(1), n, 5);
    }
    peers
}

fn meet(peers: &mut Peers, now: Tick, n: u16, incarnation: u32) {
    peers.met(now, Met { guid: guid(n), name: &format!("n{n}"), addr: addr(n), incarnation }, Timestamp(0));
    peers.check();
}

fn update(n: u16, word: Word, incarnation: u32) -> Update {
    Update { guid: guid(n), addr: Address(addr(n)), incarnation, word, accuser: 1 }
}

fn reach(peers: &Peers, n: u16) -> Reach {
    peers.peer(&guid(n)).expect("it is listed").reach
}

/// All that is to be sent until then; nobody answers.
fn pass(peers: &mut Peers, until: Tick) -> Vec<Errand> {
    let mut errands: Vec<Errand> = std::iter::from_fn(|| peers.poll_errand()).collect();
    while peers.poll_timeout() <= until {
        let now = peers.poll_timeout();
        peers.handle_timeout(now, &[]);
        errands.extend(std::iter::from_fn(|| peers.poll_errand()));
        peers.news_for(&guid(9999), Vec::new(), 24);
        peers.check();
    }
    errands
}

// ---- by hand ----

#[test]
fn the_dead_stay_dead_whatever_others_say_and_are_tried_at_once() {
    let mut peers = peers(4);
    peers.hear(secs(9), guid(1), &[update(4, Word::Dead, 5)]);
    assert_eq!(reach(&peers, 4), Reach::Unreachable);
    assert_eq!(peers.poll_gone(), Some(guid(4)));
    assert_eq!(
        peers.heard(secs(9), &guid(4), 100, None, Timestamp(0)),
        Err(Rejected::Session),
        "a datagram alone changes nothing"
    );
    for incarnation in [0, 5, 6, u32::MAX] {
        peers.hear(secs(9), guid(1), &[update(4, Word::Alive, incarnation)]);
        assert_eq!(reach(&peers, 4), Reach::Unreachable);
    }
    assert!(pass(&mut peers, secs(9) + SECOND / 4).contains(&Errand::Register(addr(4))));
    meet(&mut peers, secs(10), 4, 7);
    assert_eq!(reach(&peers, 4), Reach::Reachable);
}

#[test]
fn few_who_are_said_to_be_back_are_registered_with_at_once_and_many_one_by_one() {
    for (back, expected) in [(50, 50..=52), (200, 8..=10)] {
        let mut peers = peers(1 + back);
        let all = |word, incarnation| (2..2 + back).map(|n| update(n, word, incarnation)).collect::<Vec<_>>();
        peers.hear(secs(4), guid(1), &all(Word::Dead, 5));
        pass(&mut peers, secs(4));
        peers.hear(secs(4), guid(1), &all(Word::Alive, 6));
        peers.handle_timeout(secs(4), &[]);
        let registered = pass(&mut peers, secs(5)).into_iter().filter(|errand| matches!(errand, Errand::Register(_)));
        // One a second is the turn of who is dead for longest.
        let registered = registered.count();
        assert!(expected.contains(&registered), "{registered} of {back} in a second");
    }
}

#[test]
fn only_a_peer_that_does_not_answer_can_be_forgotten_and_is_met_anew() {
    let mut peers = peers(4);
    while peers.poll_fact().is_some() {}
    assert!(!peers.forget(&guid(4)) && !peers.forget(&guid(5)));
    peers.hear(secs(9), guid(1), &[update(4, Word::Dead, 5)]);
    assert!(peers.forget(&guid(4)));
    peers.check();
    assert!(peers.peer(&guid(4)).is_none());
    let facts: Vec<Fact> = std::iter::from_fn(|| peers.poll_fact()).collect();
    assert!(matches!(facts.last(), Some(Fact::Forgotten(gone)) if *gone == guid(4)), "{facts:?}");
    meet(&mut peers, secs(10), 4, 7);
    assert_eq!(reach(&peers, 4), Reach::Reachable);
    let evidence = peers.explain(&guid(4)).expect("it is listed").evidence;
    assert!(evidence.iter().all(|(at, _)| *at == secs(10)), "nothing of what was before: {evidence:?}");
}

#[test]
fn who_comes_back_in_the_incarnation_in_which_it_died_hears_of_that_and_objects() {
    let mut peers = peers(4);
    peers.hear(secs(9), guid(1), &[update(4, Word::Dead, 5)]);
    meet(&mut peers, secs(10), 4, 5);
    let told = peers.news_for(&guid(4), Vec::new(), 24);
    assert!(told.iter().any(|told| (told.guid, told.word, told.incarnation) == (guid(4), Word::Dead, 5)));
    peers.incarnate(secs(10), &guid(4), 6);
    assert_eq!((reach(&peers, 4), peers.peer(&guid(4)).unwrap().incarnation), (Reach::Reachable, 6));
    let told = peers.news_for(&guid(3), Vec::new(), 24);
    assert!(told.iter().any(|told| (told.guid, told.word, told.incarnation) == (guid(4), Word::Alive, 6)));
    assert_eq!(peers.objection(&guid(4)), None);
}

#[test]
fn a_node_objects_to_what_is_said_of_it_with_a_later_incarnation() {
    let mut peers = peers(3);
    let before = peers.incarnation();
    let me = |word, incarnation| Update { guid: guid(0), ..update(0, word, incarnation) };
    peers.hear(secs(2), guid(1), &[me(Word::Suspect, before)]);
    assert_eq!((peers.incarnation(), peers.health()), (before + 1, 1));
    peers.hear(secs(2), guid(1), &[me(Word::Suspect, before), me(Word::Alive, before + 1)]);
    assert_eq!((peers.incarnation(), peers.health()), (before + 1, 1), "what is outdone needs no other");
    peers.hear(secs(2), guid(1), &[me(Word::Left, before + 7)]);
    assert_eq!(peers.incarnation(), before + 8);
    let told = peers.news_for(&guid(2), Vec::new(), 1);
    assert_eq!((told[0].guid, told[0].incarnation), (guid(0), before + 8), "first of all");
}

#[test]
fn a_stale_accusation_is_answered_with_the_later_incarnation() {
    let mut peers = peers(4);
    peers.incarnate(secs(5), &guid(4), 8);
    for word in [Word::Suspect, Word::Dead, Word::Left] {
        let newer = peers.hear(secs(5), guid(1), &[update(4, word, 7)]);
        assert_eq!(newer.iter().map(|newer| (newer.word, newer.incarnation)).collect::<Vec<_>>(), [(Word::Alive, 8)]);
        assert_eq!(reach(&peers, 4), Reach::Reachable);
    }
}

#[test]
fn whom_we_hear_ourselves_others_cannot_declare_dead() {
    let mut peers = peers(4);
    peers.heard(secs(20), &guid(4), 100, None, Timestamp(0)).unwrap();
    peers.hear(secs(21), guid(1), &[update(4, Word::Dead, 5)]);
    assert_eq!(reach(&peers, 4), Reach::Suspect, "it may object first");
    assert!(peers.objection(&guid(4)).is_some());
    peers.incarnate(secs(21), &guid(4), 6);
    assert_eq!(reach(&peers, 4), Reach::Reachable);
}

#[test]
fn it_takes_three_tellers_at_three_addresses_to_list_who_was_not_met() {
    let mut peers = peers(FEW_PEERS as u16);
    for teller in [1, 1, 2, 2, 3] {
        assert!(peers.peer(&guid(100)).is_none());
        peers.hear(secs(2), guid(teller), &[update(100, Word::Alive, 1)]);
    }
    let listed = peers.peer(&guid(100)).expect("three named it");
    assert_eq!((listed.reach, listed.reason, listed.name), (Reach::Reachable, Reason::Named, ""));
    peers.hear(secs(2), guid(1), &[update(101, Word::Dead, 1), update(102, Word::Suspect, 1)]);
    assert_eq!(peers.iter().count(), FEW_PEERS + 1, "nobody gets listed by bad news");
    assert_eq!(peers.live(), FEW_PEERS + 1);
}

#[test]
fn addresses_of_a_link_are_kept_with_it_and_believed_only_from_there() {
    let on = |n: u16, link: u32| {
        SocketAddr::from(SocketAddrV6::new(Ipv6Addr::from_bits((0xfe80 << 112) | u128::from(n)), 7000, 0, link))
    };
    let named = |n: u16| Update { addr: Address(on(n, 0)), ..update(n, Word::Alive, 5) };
    let mut peers = peers(1);
    peers.met(secs(1), Met { guid: guid(2), name: "n2", addr: on(2, 3), incarnation: 5 }, Timestamp(0));
    // One hop further it would mean another link, or none.
    peers.hear(secs(2), guid(1), &[named(8)]);
    assert!(peers.peer(&guid(8)).is_none());
    peers.hear(secs(2), guid(2), &[named(9)]);
    assert_eq!(peers.addr(&guid(9)), Some(on(9, 3)), "it is on the link of who names it");
    assert!(pass(&mut peers, secs(8)).contains(&Errand::Register(on(9, 3))));
    // Who was not talked with for long is still known where it is.
    for n in 100..100 + CONTACTS as u16 {
        meet(&mut peers, secs(9), n, 5);
    }
    assert!(peers.contacts.get(&guid(2)).is_none());
    assert_eq!(peers.addr(&guid(2)), Some(on(2, 3)));
    // Lists are compared without: a link has another number on every host.
    let list = |link| {
        let mut one = self::peers(0);
        one.met(secs(1), Met { guid: guid(2), name: "n2", addr: on(2, link), incarnation: 5 }, Timestamp(0));
        one.list()
    };
    assert_eq!(list(3), list(4));
}

#[test]
fn what_one_teller_makes_up_is_bounded() {
    let mut peers = peers(3);
    for n in 1000..6000 {
        peers.hear(secs(2), guid(1), &[update(n, Word::Alive, 1)]);
        let name = Name::new("nobody").unwrap();
        let card = Card { guid: guid(n + 6000), addr: Address(addr(n + 6000)), incarnation: 1, name };
        peers.told(secs(2), guid(1), &CardPage { cards: List::new(vec![card]), ..CardPage::default() });
        peers.check();
    }
    assert!(peers.iter().count() <= FEW_PEERS, "few are listed on one word");
    let tried = pass(&mut peers, secs(300))
        .into_iter()
        .filter(|errand| matches!(errand, Errand::Register(to) if to.ip() >= addr(1000).ip()));
    assert!(tried.count() <= 8 * HINTS_PER_TELLER + 300, "hints a few times each, one dead peer a second");
}

#[test]
fn a_flood_of_handshakes_is_bounded_and_the_dead_make_room() {
    let mut peers = peers(0);
    for n in 0..u16::MAX {
        peers.met(secs(1), Met { guid: guid(n), name: "n", addr: addr(n), incarnation: 1 }, Timestamp(0));
        if n % 2 == 0 {
            peers.left(secs(1), &guid(n), false);
        }
        std::iter::from_fn(|| peers.poll_fact()).for_each(drop);
        std::iter::from_fn(|| peers.poll_errand()).for_each(drop);
        std::iter::from_fn(|| peers.poll_gone()).for_each(drop);
    }
    peers.check();
    assert_eq!(peers.iter().count(), PEERS);
    assert!(peers.contacts.all().len() <= CONTACTS);
    (0..NEWS).for_each(|_| peers.news.take(1, 1, &mut Vec::new()));
    assert!(peers.news.is_empty());
}

#[test]
fn who_sends_too_much_in_a_second_is_heard_in_the_next() {
    let mut peers = peers(2);
    let dropped = |peers: &mut Peers, second: u64, times: u32| {
        let heard = |peers: &mut Peers| peers.heard(secs(second), &guid(1), 1100, None, Timestamp(0));
        (0..times).filter(|_| heard(peers) == Err(Rejected::Budget)).count()
    };
    assert_eq!(dropped(&mut peers, 9, DATAGRAMS_PER_PEER), 0);
    assert_eq!(dropped(&mut peers, 9, 10), 10);
    assert!(peers.heard(secs(9), &guid(2), 1100, None, Timestamp(0)).is_ok(), "others are not held up");
    assert_eq!(dropped(&mut peers, 10, 10), 0);
}

#[test]
fn equal_views_are_equal_lists_whatever_happened_before() {
    let listed = |order: &[u16]| {
        let mut peers = peers(0);
        for &n in order {
            meet(&mut peers, secs(1), n, 5);
        }
        peers
    };
    let (mut one, mut other) = (listed(&[1, 2, 3, 4]), listed(&[4, 2, 1, 3]));
    assert_eq!(one.list(), other.list());
    one.hear(secs(9), guid(1), &[update(4, Word::Dead, 5)]);
    assert_ne!(one.list(), other.list());
    other.left(secs(9), &guid(4), true);
    assert_eq!(one.list(), other.list());
    one.incarnate(secs(9), &guid(2), 6);
    assert_ne!(one.list(), other.list());
    other.hear(secs(9), guid(1), &[update(2, Word::Alive, 6)]);
    assert_eq!(one.list(), other.list());
    assert_eq!(one.list().count, 4);
}

#[test]
fn all_are_probed_in_turn_and_newcomers_among_them() {
    let mut peers = peers(10);
    let mut turns = Vec::new();
    for turn in 0..40 {
        if turn == 15 {
            meet(&mut peers, secs(2), 11, 1);
        }
        if turn == 25 {
            peers.left(secs(2), &guid(3), false);
        }
        turns.extend(peers.table.oldest().and_then(|place| peers.table.at(place)).map(|entry| entry.guid));
        peers.table.check();
    }
    assert_eq!(turns[..10].iter().collect::<BTreeSet<_>>().len(), 10);
    for n in (1..=11).filter(|n| *n != 3) {
        let at: Vec<usize> = (0..40).filter(|&turn| turns[turn] == guid(n)).collect();
        assert!(at.windows(2).all(|pair| pair[1] - pair[0] <= 2 * 11), "node {n} at {at:?}");
        assert!(at.last() > Some(&27));
    }
    assert!(!turns[25..].contains(&guid(3)));
}

#[test]
fn probes_have_a_period_of_their_own_where_that_is_shorter_than_the_round() {
    let probes = |period: u64| {
        let mut settings = Settings::new(guid(0), "me", NetworkKey::new(&Secret([7; 32])));
        settings.pace.timing.probe_period = Duration::from_millis(period);
        let mut peers = Peers::new(&settings, [0; 32], Tick(0));
        (1..=100).for_each(|n| meet(&mut peers, secs(1), n, 5));
        let neighbour = peers.ring(Range::all_but(peers.place)).next().unwrap().1;
        let (mut hellos, mut to_neighbour, mut now) = (0, 0, Tick(0));
        while now <= secs(60) {
            now = peers.poll_timeout();
            peers.handle_timeout(now, &[]);
            while let Some(errand) = peers.poll_errand() {
                if let Errand::Hello(guid) = errand {
                    hellos += 1;
                    to_neighbour += u32::from(guid == neighbour);
                    peers.answered(now, &guid, now, 0);
                }
            }
            peers.check();
        }
        (hellos, to_neighbour)
    };
    let (often, rarely, never) = (probes(500), probes(1000), probes(5000));
    assert!((110..=130).contains(&often.0) && (55..=65).contains(&rarely.0));
    assert!((55..=65).contains(&never.0), "GOSSIP_TIMER is less");
    assert!((36..=44).contains(&often.1), "each third goes to the next on the ring: {often:?}");
    assert!(rarely.1 <= 1 && never.1 <= 1, "all have their turn: {rarely:?} {never:?}");
}

#[test]
fn who_is_doubted_is_probed_at_once_but_not_everybody_together() {
    let mut peers = peers(10);
    while peers.poll_errand().is_some() {}
    for n in [1, 1, 2, 3] {
        peers.doubt(secs(2), &guid(n));
    }
    peers.doubt(secs(2), &guid(99));
    let probed: Vec<Errand> = std::iter::from_fn(|| peers.poll_errand()).collect();
    assert_eq!(probed, [Errand::Hello(guid(1))]);
    peers.doubt(secs(2) + DOUBTS, &guid(1));
    assert_eq!(peers.poll_errand(), None, "it is being probed");
    peers.doubt(secs(2) + DOUBTS * 2, &guid(2));
    assert_eq!(peers.poll_errand(), Some(Errand::Hello(guid(2))));
    peers.answered(secs(3), &guid(2), secs(3), 0);
    assert_eq!(reach(&peers, 2), Reach::Reachable);
    pass(&mut peers, secs(4));
    assert_eq!(reach(&peers, 1), Reach::Suspect);
}

#[test]
fn who_was_asked_to_probe_and_says_nothing_is_asked_again() {
    let mut peers = peers(10);
    (peers.next_probe, peers.next_round, peers.next_news) = (Tick::NEVER, Tick::NEVER, Tick::NEVER);
    while peers.poll_errand().is_some() {}
    peers.begin_probe(secs(2), guid(1), true);
    let (mut asked, mut said) = (BTreeMap::<Guid, u32>::new(), None);
    while reach(&peers, 1) == Reach::Reachable {
        let now = peers.poll_timeout();
        peers.handle_timeout(now, &[]);
        for errand in std::iter::from_fn(|| peers.poll_errand()).collect::<Vec<_>>() {
            let Errand::For(helper, ask) = errand else { continue };
            *asked.entry(helper).or_default() += 1;
            if said.is_none() {
                said = Some(helper);
                peers.take_errand(now, helper, HelloFor { errand: ProbeWord::Silent, ..ask });
            }
        }
    }
    assert_eq!(reach(&peers, 1), Reach::Suspect);
    assert_eq!(asked.len(), 3);
    for (helper, times) in asked {
        assert!(if said == Some(helper) { times == 1 } else { (3..=5).contains(&times) }, "{times} times");
    }
    assert_eq!(peers.health(), 1, "most of them were silent, too");
}

#[test]
fn a_favour_that_is_asked_for_twice_is_one_and_is_answered_twice() {
    let mut peers = peers(10);
    let ask = HelloFor { stamp: 7, guid: guid(1), addr: Address(addr(1)), errand: ProbeWord::Probe };
    let answers = |errands: &[Errand], errand| {
        errands.iter().filter(|one| **one == Errand::For(guid(2), HelloFor { errand, ..ask })).count()
    };
    (0..5).for_each(|_| peers.take_errand(secs(2), guid(2), ask));
    assert_eq!(peers.favours.len(), 1);
    let errands = pass(&mut peers, secs(2) + SECOND / 2);
    assert_eq!(answers(&errands, ProbeWord::Silent), 1, "{errands:?}");
    peers.take_errand(secs(2) + SECOND / 2, guid(2), ask);
    assert_eq!(answers(&pass(&mut peers, secs(2) + SECOND / 2), ProbeWord::Silent), 1, "it was lost");
    for _ in 0..2 {
        peers.take_errand(secs(2) + SECOND / 2, guid(2), ask);
        peers.answered(secs(3), &guid(1), secs(3), 0);
        assert_eq!(answers(&pass(&mut peers, secs(3)), ProbeWord::Answered), 1);
        assert!(peers.favours.is_empty());
    }
}

#[test]
fn the_ring_has_the_live_in_order_from_where_one_asks() {
    let mut peers = peers(50);
    peers.left(secs(2), &guid(7), false);
    let places = |range| peers.ring(range).map(|(place, _)| place).collect::<Vec<u64>>();
    let all = places(Range::all_but(place(&guid(0))));
    assert_eq!(all.len(), 49);
    for from in [0, 1 << 62, 3 << 62, u64::MAX] {
        let range = Range { from, to: from.wrapping_add(1 << 63) };
        let (half, rest) = (places(range), places(Range { from: range.to, to: from }));
        assert!(
            half.is_sorted_by_key(|place| place.wrapping_sub(from)) && half.iter().all(|place| range.contains(*place))
        );
        assert_eq!(half.len() + rest.len(), 49);
    }
    assert!(places(Range::EMPTY).is_empty());
    let drawn: BTreeSet<Guid> = (0..2000).filter_map(|_| peers.random()).collect();
    assert_eq!(drawn.len(), 49);
}

#[test]
fn pages_hold_what_they_cover_and_the_asker_lacks() {
    let peers = peers(200);
    let all = Range::all_but(place(&guid(0)));
    let known: Vec<u32> = (100..=200).map(|n| peers.table.find(&guid(n)).unwrap().1.mark()).collect();
    let (mut range, mut seen) = (all, BTreeSet::new());
    while !range.is_empty() {
        let pages = peers.pages(guid(1), &CardAsk { range, known: List::new(known.clone()) });
        assert!(pages.len() <= PAGES_PER_HELLO);
        for page in pages {
            assert_eq!(page.range.from, range.from);
            assert!(page.cards.iter().all(|card| page.range.contains(place(&card.guid)) && seen.insert(card.guid)));
            assert!(page.range.to == all.to || page.cards.len() > 10);
            range.from = page.range.to;
        }
    }
    assert_eq!(seen, (2..100).map(guid).collect(), "all but the one who asks");
}

#[test]
fn a_newcomer_to_whom_nobody_speaks_asks_whether_its_list_is_still_another() {
    let (mut one, other) = (peers(20), peers(21));
    (one.next_probe, one.next_round) = (Tick::NEVER, Tick::NEVER);
    one.compare_list(secs(1), &guid(1), other.list());
    let mut now = secs(1) + SECOND / 20;
    let asks = |errands: Vec<Errand>| errands.into_iter().filter(|errand| matches!(errand, Errand::Ask(..)));
    let mut asked: Vec<Errand> = asks(pass(&mut one, now)).collect();
    assert!(!asked.is_empty(), "it pages at once");
    while let Some(Errand::Ask(whom, ask)) = asked.pop() {
        now = now + SECOND / 1000;
        let range = Range { from: ask.range.from, to: ask.range.from };
        one.told(now, whom, &CardPage { range, cards: List::new(Vec::new()), strange: List::new(Vec::new()) });
        asked.extend(asks(pass(&mut one, now)));
    }
    one.compare_list(now, &guid(2), other.list());
    let hellos = |errands: Vec<Errand>| errands.iter().filter(|errand| matches!(errand, Errand::Hello(_))).count();
    let patience = SECOND * 4 / 10;
    assert_eq!(hellos(pass(&mut one, now + patience * 99 / 100)), 0);
    assert_eq!(hellos(pass(&mut one, now + patience)), 1, "one is asked");
    assert_eq!(hellos(pass(&mut one, now + SECOND * 3)), 0, "and no more until it answers");
}

#[test]
fn only_a_newcomer_lets_news_of_the_living_end_where_others_know() {
    for (now, is_over) in [(secs(2), true), (secs(3600), false)] {
        let mut one = peers(20);
        let list = one.list();
        (1..=8).for_each(|n| one.compare_list(now, &guid(n), list));
        assert_eq!(one.news.is_empty(), is_over);
    }
}

#[test]
fn who_is_listed_by_the_asker_alone_is_named_to_it_and_probed_there() {
    let (mut one, mut other) = (peers(20), peers(20));
    // The other one heard that this one died; the news is over.
    other.die(secs(1), place(&guid(7)));
    let range = Range::all_but(place(&guid(0)));
    let marks = |peers: &Peers| List::new(peers.table.range(range).map(|(_, entry)| entry.mark()).collect());
    let pages = other.pages(guid(0), &CardAsk { range, known: marks(&one) });
    let [page] = &pages[..] else { panic!("{pages:?}") };
    assert_eq!((page.cards.len(), page.strange.len(), page.range), (0, 1, range));

    one.compare_list(secs(3600), &guid(0), other.list());
    let hour = secs(3610);
    one.compare_list(hour, &guid(0), other.list());
    one.contacts.iter().map(|(guid, _)| *guid).collect::<Vec<_>>().iter().for_each(|guid| {
        one.contacts.get_mut(guid).unwrap().heard = Some(hour);
    });
    one.contacts.get_mut(&guid(7)).unwrap().heard = None;
    one.turn_pages(hour);
    let asked = std::iter::from_fn(|| one.poll_errand()).find_map(|errand| match errand {
        Errand::Ask(whom, ask) if ask.range.contains(place(&guid(7))) => Some((whom, ask)),
        _ => None,
    });
    let (whom, ask) = asked.unwrap();
    for page in other.pages(guid(0), &ask) {
        one.told(hour, whom, &page);
    }
    let probed = pass(&mut one, hour);
    assert!(probed.contains(&Errand::Hello(guid(7))), "{probed:?}");

    // When that one suspects it, those who know tell it.
    let told = other.hear(hour, guid(1), &[update(7, Word::Suspect, 5)]);
    assert_eq!(told.iter().map(|update| (update.guid, update.word)).collect::<Vec<_>>(), [(guid(7), Word::Dead)]);
}

#[test]
fn whom_we_talk_with_is_known_though_its_handshake_was_long_ago() {
    let mut peers = peers(0);
    let many = CONTACTS as u16 + 1;
    (1..=many).for_each(|n| meet(&mut peers, secs(1), n, 5));
    let first = (1..=many).map(guid).find(|guid| peers.contacts.get(guid).is_none()).expect("one had to go");
    peers.heard(secs(9), &first, 100, None, Timestamp(0)).unwrap();
    assert!(peers.some_contacts(CONTACTS, None).contains(&first));
    assert!(peers.listening(CONTACTS).contains(&first));
}

#[test]
fn the_few_who_live_are_found_among_the_many_who_died() {
    let mut peers = peers(504);
    (5..=504).for_each(|n| peers.die(secs(2), place(&guid(n))));
    let found: BTreeSet<Guid> = peers.some_contacts(4, None).into_iter().collect();
    assert_eq!(found, (1..=4).map(guid).collect());
}

#[test]
fn the_disk_knows_within_an_hour_who_is_still_heard_and_at_a_stop_when() {
    let mut peers = peers(1);
    let kept = |peers: &mut Peers| -> Vec<Timestamp> {
        let facts = std::iter::from_fn(|| peers.poll_fact());
        facts.filter_map(|fact| if let Fact::Peer(fact) = fact { Some(fact.last_update) } else { None }).collect()
    };
    assert_eq!(kept(&mut peers), [Timestamp(0)]);
    for second in 2..7300 {
        peers.heard(secs(second), &guid(1), 100, None, Timestamp(second)).unwrap();
    }
    assert_eq!(kept(&mut peers), [Timestamp(3601), Timestamp(7201)]);
    peers.keep_all(secs(7309), Timestamp(20_000_000));
    peers.keep_all(secs(7309), Timestamp(20_000_000));
    assert_eq!(kept(&mut peers), [Timestamp(10_000_000)], "it was last heard ten seconds before");
    // Who shakes hands again and again is kept again.
    for second in [7310, 7360, 7410] {
        peers.met(secs(second), Met { guid: guid(1), name: "n1", addr: addr(1), incarnation: 5 }, Timestamp(second));
    }
    assert_eq!(kept(&mut peers), [Timestamp(7410)]);
}

#[test]
fn a_remembered_peer_is_looked_for_where_it_was_and_where_others_name_it() {
    let mut peers = peers(1);
    let fact = PeerFact { guid: guid(9), name: "n9".into(), addr: addr(9), last_update: Timestamp(1) };
    peers.restore(secs(1), fact);
    peers.hear(secs(2), guid(1), &[Update { addr: Address(addr(50)), ..update(9, Word::Alive, 7) }]);
    peers.check();
    assert_eq!(peers.addr(&guid(9)), Some(addr(9)), "one who tells may be wrong, or lie");
    let tried = pass(&mut peers, secs(3));
    assert!([9, 50].iter().all(|&n| tried.contains(&Errand::Register(addr(n)))), "{tried:?}");
    peers.met(secs(3), Met { guid: guid(9), name: "n9", addr: addr(50), incarnation: 7 }, Timestamp(2));
    peers.check();
    assert_eq!((peers.addr(&guid(9)), peers.peer(&guid(9)).unwrap().addr), (Some(addr(50)), addr(50)));
}

#[test]
fn it_is_told_when_each_dead_peer_is_tried_again() {
    let mut peers = peers(9);
    (5..=9).for_each(|n| peers.die(secs(2), place(&guid(n))));
    pass(&mut peers, secs(4));
    let said: BTreeSet<(Tick, SocketAddr)> =
        (5..=9).map(|n| (peers.explain(&guid(n)).unwrap().next.unwrap().0, addr(n))).collect();
    let mut tried = BTreeSet::new();
    while tried.len() < said.len() {
        let now = peers.poll_timeout();
        peers.handle_timeout(now, &[]);
        let registers = std::iter::from_fn(|| peers.poll_errand());
        tried.extend(registers.filter_map(|errand| match errand {
            Errand::Register(addr) => Some((now, addr)),
            _ => None,
        }));
    }
    assert_eq!(tried, said);
    peers.left(secs(20), &guid(4), false);
    let (_, text) = peers.explain(&guid(4)).unwrap().next.unwrap();
    assert!(text.contains("one of 8"), "most turns of one that said goodbye are left out: {text}");
}

#[test]
fn a_seed_that_lives_rests_even_where_this_node_talks_with_too_many_others() {
    let mut peers = peers(0);
    peers.hint(Tick(0), addr(1), None, true);
    (1..=CONTACTS as u16 + 1).for_each(|n| meet(&mut peers, secs(u64::from(n > 1) + 1), n, 5));
    assert!(peers.contacts.get(&guid(1)).is_none(), "it is no contact any more");
    let tried = |errands: &[Errand]| errands.contains(&Errand::Register(addr(1)));
    while peers.poll_errand().is_some() {}
    peers.handle_timeout(secs(2), &[]);
    while peers.poll_errand().is_some() {}
    let errands = pass(&mut peers, secs(12));
    assert!(!tried(&errands), "{errands:?}");
    peers.die(secs(12), place(&guid(1)));
    assert!(tried(&pass(&mut peers, secs(17))), "it is looked for as soon as it is dead");
}

// ---- in the simulator ----

/// So many nodes that know each other, all of which lack a rule.
fn cluster(nodes: usize, rule: Option<Rule>, seed: u64) -> Network {
    LACKING.set(rule);
    let mut net = Network::new(seed);
    net.add_cluster(nodes);
    net.run(30 * SECOND);
    LACKING.set(None);
    net
}

fn seen(net: &Network, by: usize, node: usize) -> Reach {
    net.node(by).peers().peer(&net.node(node).settings().guid).map_or(Reach::Unreachable, |peer| peer.reach)
}

/// Whether a node that hears nobody for a moment is dead for nobody, then and later.
fn a_moments_silence_is_forgiven(rule: Option<Rule>) -> bool {
    let mut net = cluster(12, rule, 5);
    net.partition(&[&[3]]);
    let forgotten = |net: &Network| (0..12).any(|node| node != 3 && seen(net, node, 3) == Reach::Unreachable);
    let noticed = |net: &Network| (0..12).any(|node| node != 3 && seen(net, node, 3) != Reach::Reachable);
    assert!(net.run_until(10 * SECOND, noticed), "its silence is noticed");
    let early = net.run_until(5 * SECOND / 2, forgotten);
    net.heal();
    !early && !net.run_until(30 * SECOND, forgotten)
}

#[test]
fn when_a_peer_was_last_heard_is_known_over_a_restart_long_after_the_handshake() {
    let mut net = Network::new(3);
    net.add_cluster(2);
    let remembered = |net: &mut Network, span: Duration| {
        net.run(span);
        net.stop(0, false);
        net.start(0);
        net.node(0).peers().peer(&net.guid(1)).expect("it is remembered").remembered.0
    };
    let first = remembered(&mut net, 30 * SECOND);
    let later = remembered(&mut net, 600 * SECOND);
    assert!(later - first >= 590_000_000, "{} s", (later - first) / 1_000_000);
}

/// Whether a node that others announce counts as alive where it was not met, in a network of so many.
fn comes_back_unmet(nodes: usize, rule: Option<Rule>, seed: u64) -> bool {
    let mut net = cluster(nodes, rule, seed);
    let guid = net.node(3).settings().guid;
    net.cut(0, 3);
    net.cut(3, 0);
    net.crash(3);
    net.run(30 * SECOND);
    let mut others = (0..nodes).filter(|node| *node != 3);
    assert!(others.all(|node| net.node(node).peers().peer(&guid).unwrap().reach == Reach::Unreachable));
    LACKING.set(rule);
    net.start(3);
    LACKING.set(None);
    net.register(3, 1);
    net.run(10 * SECOND);
    assert_eq!(seen(&net, 1, 3), Reach::Reachable, "it is back");
    let unmet = seen(&net, 0, 3) == Reach::Reachable;
    net.heal();
    assert!(net.run_until(3 * SECOND, |net| seen(net, 0, 3) == Reach::Reachable), "once they meet it is back anyway");
    unmet
}

#[test]
fn without_suspicion_a_moments_silence_is_death() {
    assert!(a_moments_silence_is_forgiven(None));
    assert!(!a_moments_silence_is_forgiven(Some(Rule::Suspicion)));
}

#[test]
fn without_incarnations_no_objection_is_heard() {
    assert!(a_moments_silence_is_forgiven(None));
    assert!(!a_moments_silence_is_forgiven(Some(Rule::Incarnation)));
}

#[test]
fn without_own_ears_the_dead_come_back_by_hearsay() {
    assert!((0..10).all(|seed| !comes_back_unmet(4, None, seed)), "two say so");
    assert!((0..10).any(|seed| comes_back_unmet(4, Some(Rule::OwnEars), seed)));
    assert!((0..10).any(|seed| comes_back_unmet(5, None, seed)), "three do, and have met it");
}

#[test]
fn where_more_live_than_a_node_talks_with_a_crash_is_known_in_time_long_after_all_met() {
    let (nodes, few) = (64, 24);
    MOST_CONTACTS.set(few);
    let mut net = Network::new(28);
    net.thorough = 64;
    net.add_cluster(nodes);
    net.run(300 * SECOND);
    // The seed of them all, which the others go on to register with.
    let dead = net.guid(0);
    net.crash(0);
    let known = |net: &Network| {
        net.running().all(|node| net.node(node).peers().peer(&dead).is_some_and(|peer| !peer.reach.answers()))
    };
    assert!(net.run_until(10 * SECOND, known), "all know that it is dead");
    for node in net.running() {
        let explained = net.node(node).peers().explain(&dead).expect("it is listed");
        let alone = explained.evidence.iter().find(|(_, text)| text.contains("nobody else could be asked"));
        assert_eq!(alone, None, "node {node} has somebody to ask");
        let others = net.running().filter(|other| *other != node && seen(&net, node, *other) != Reach::Reachable);
        assert_eq!(others.count(), 0, "node {node} takes nobody else for dead");
    }
    MOST_CONTACTS.set(CONTACTS);
}

#[test]
fn three_tellers_at_three_addresses_bring_back_whom_they_met_unless_it_died_again() {
    let dead = || {
        let mut peers = peers(9);
        peers.hear(secs(9), guid(1), &[update(4, Word::Dead, 5)]);
        while !peers.news.is_empty() {
            peers.news.take(1, 1, &mut Vec::new());
        }
        peers
    };
    let mut back = dead();
    for teller in [1, 1, 2, 2, 3] {
        assert_eq!(reach(&back, 4), Reach::Unreachable);
        assert!(back.news.is_empty(), "what is not believed is not passed on");
        back.hear(secs(9), guid(teller), &[update(4, Word::Alive, 6)]);
        back.check();
    }
    let listed = back.peer(&guid(4)).unwrap();
    assert_eq!((listed.reach, listed.reason, listed.incarnation), (Reach::Reachable, Reason::Named, 6));
    assert!(!back.news.is_empty());
    let mut gone = dead();
    for (teller, word, incarnation) in
        [(1, Word::Alive, 6), (2, Word::Alive, 6), (5, Word::Dead, 6), (3, Word::Alive, 6), (6, Word::Alive, 5)]
    {
        gone.hear(secs(9), guid(teller), &[update(4, word, incarnation)]);
        gone.check();
    }
    assert_eq!(reach(&gone, 4), Reach::Unreachable, "its death in that incarnation is the later word");
}

#[test]
fn another_pace_holds_at_once_even_where_the_next_round_was_hours_away() {
    let key = NetworkKey::new(&Secret([7; 32]));
    let hour = Duration::from_secs(3600);
    let timing = Timing { probe_period: hour, ..Timing::LAN };
    let pace = Pace { gossip_timer: hour, timing, ..Pace::default() };
    let slow = Settings { pace, ..Settings::new(guid(0), "me", key) };
    let mut peers = Peers::new(&slow, [0; 32], Tick(0));
    (1..=3).for_each(|n| meet(&mut peers, secs(1), n, 5));
    let hellos = |errands: Vec<Errand>| errands.iter().filter(|errand| matches!(errand, Errand::Hello(_))).count();
    assert_eq!(hellos(pass(&mut peers, secs(600))), 0);
    let fast = Pace { gossip_timer: Duration::from_millis(500), timing: Timing::FAST, ..pace };
    peers.adjust(secs(600), fast);
    let count = hellos(pass(&mut peers, secs(601)));
    assert!((1..=10).contains(&count), "{count}");
}

#[test]
fn a_node_whose_address_another_one_took_is_looked_for_where_that_one_was() {
    let mut peers = peers(2);
    let met = Met { guid: guid(2), name: "n2", addr: addr(1), incarnation: 6 };
    peers.met(secs(2), met, Timestamp(0));
    peers.check();
    assert_eq!((reach(&peers, 1), reach(&peers, 2)), (Reach::Left, Reach::Reachable));
    let first = peers.peer(&guid(1)).unwrap();
    assert_eq!(first.reason.to_string(), "another node answers at its address");
    (3..20).for_each(|second| peers.met(secs(second), met, Timestamp(0)));
    let told = peers.explain(&guid(1)).unwrap().evidence;
    let displaced = told.iter().filter(|(_, text)| text.contains("another node shook hands")).count();
    assert_eq!(displaced, 1, "only the first time it was there: {told:?}");
    let mut asked = Vec::new();
    for second in 2..12 {
        peers.handle_timeout(secs(second), &[]);
        while let Some(errand) = peers.poll_errand() {
            if let Errand::Register(at) = errand {
                asked.push(at);
            }
        }
    }
    assert!(asked.contains(&addr(2)), "{asked:?}");
    // So it is where both had said goodbye before they swapped.
    let mut peers = self::peers(2);
    [1, 2].into_iter().for_each(|n| peers.left(secs(2), &guid(n), false));
    peers.met(secs(3), met, Timestamp(0));
    assert!(pass(&mut peers, secs(4)).contains(&Errand::Register(addr(2))));
    // Who merely moves leaves nobody behind.
    let mut peers = self::peers(2);
    peers.met(secs(2), Met { guid: guid(2), name: "n2", addr: addr(9), incarnation: 6 }, Timestamp(0));
    assert_eq!(reach(&peers, 1), Reach::Reachable);
    assert_eq!(peers.hints.next(), Tick::NEVER);
}

#[test]
fn who_left_the_list_is_tried_now_and_then_but_for_those_at_whose_address_another_one_is() {
    let mut peers = peers(2);
    pass(&mut peers, secs(26 * 3600));
    assert_eq!(peers.iter().count(), 0);
    let tried = |errands: Vec<Errand>| -> BTreeSet<SocketAddr> {
        let tried = errands.into_iter().filter_map(|errand| match errand {
            Errand::Register(addr) => Some(addr),
            _ => None,
        });
        tried.collect()
    };
    assert_eq!(tried(pass(&mut peers, secs(26 * 3600 + 180))), [addr(1), addr(2)].into());
    let at = secs(26 * 3600 + 180);
    peers.met(at, Met { guid: guid(3), name: "n3", addr: addr(1), incarnation: 5 }, Timestamp(0));
    let until = secs(26 * 3600 + 400);
    let mut later = BTreeSet::new();
    while peers.poll_timeout() <= until {
        let now = peers.poll_timeout();
        peers.heard(now, &guid(3), 100, None, Timestamp(0)).unwrap();
        peers.hello_answered(now, &guid(3), now);
        later.extend(tried(pass(&mut peers, now)));
    }
    assert_eq!(later, [addr(2)].into());
    meet(&mut peers, until, 2, 6);
    let turns = (0..120).filter_map(|_| peers.former.turn());
    assert_eq!(turns.collect::<Vec<_>>(), [addr(1), addr(1)], "the other one is back");
    assert!(std::iter::from_fn(|| peers.poll_fact()).all(|fact| !matches!(fact, Fact::Forgotten(_))));
}
