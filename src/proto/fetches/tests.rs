//! Stories of fetching that need an unusual peer.

use super::*;
use crate::proto::fact::LIST;
use crate::proto::gossip::{Kind, piece_list};
use crate::proto::limits::{PARTIALS, PIECE};
use crate::proto::time::Timestamp;
use std::time::Duration;

const A: Guid = Guid([1; 16]);
const B: Guid = Guid([2; 16]);
const C: Guid = Guid([3; 16]);

fn record(number: u64, len: usize) -> Gossip {
    let msg = vec![b'a' + (number % 26) as u8; len];
    Gossip::make(Kind::Message, Timestamp(number), Guid([9; 16]), "somebody", msg.into()).unwrap()
}

fn ms(ms: u64) -> Tick {
    Tick(0) + Duration::from_millis(ms)
}

/// Asks as long as there is something to ask; returns what was asked of whom.
fn ask_all(fetches: &mut Fetches, now: Tick) -> Vec<(Guid, TellMeMore)> {
    let asks = std::iter::from_fn(|| fetches.poll_ask(now, |_| Rtt::default())).collect();
    fetches.check();
    asks
}

#[test]
fn a_window_is_not_closed_by_what_was_asked_of_another() {
    let mut fetches = Fetches::default();
    let gossip = record(1, 10);
    // A and B are asked for all that their windows allow, and never answer; what waits for A comes unasked from C.
    for number in 1000..1200 {
        fetches.want(record(number, 10).guid(), A);
    }
    fetches.want(gossip.guid(), A);
    ask_all(&mut fetches, ms(0));
    assert!(fetches.handle_record(ms(1), C, gossip.clone()).is_some());
    fetches.handle_settled(&gossip.guid());
    // It is lost again, and wanted of B. Then A is gone.
    fetches.want(gossip.guid(), B);
    assert_eq!(ask_all(&mut fetches, ms(2)).len(), 1);
    fetches.forget(&A);
    fetches.check();
    assert!(fetches.handle_record(ms(3), B, gossip.clone()).is_some());
    fetches.check();
    assert_eq!(fetches.flows[&B].in_flight, 0, "B's window is wide open");
}

#[test]
fn a_silent_holder_does_not_keep_what_others_hold() {
    let mut fetches = Fetches::default();
    let all: Vec<Gossip> = (0..1000).map(|number| record(number, 10)).collect();
    all.iter().for_each(|gossip| fetches.want(gossip.guid(), A));
    ask_all(&mut fetches, ms(0));
    all.iter().for_each(|gossip| fetches.want(gossip.guid(), B));
    let mut came = BTreeSet::new();
    for now in 1..3000 {
        fetches.handle_timeout(ms(now));
        for (peer, ask) in ask_all(&mut fetches, ms(now)) {
            for guid in ask.guids.iter().filter(|_| peer == B) {
                let gossip = all.iter().find(|gossip| gossip.guid() == *guid).unwrap();
                assert!(fetches.handle_record(ms(now), B, gossip.clone()).is_some());
                fetches.handle_settled(guid);
                came.insert(*guid);
            }
        }
    }
    assert_eq!(came.len(), 1000);
    assert!(fetches.is_idle());
}

#[test]
fn long_records_beyond_what_may_be_under_way_wait_for_a_place() {
    let mut fetches = Fetches::default();
    let all: Vec<Gossip> = (0..2 * PARTIALS as u64).map(|number| record(number, 70_000)).collect();
    all.iter().for_each(|gossip| fetches.want(gossip.guid(), A));
    let (mut heads, mut done) = (0, 0);
    for now in 0..2000 {
        fetches.handle_timeout(ms(now));
        for (_, ask) in ask_all(&mut fetches, ms(now)) {
            for guid in ask.guids.iter() {
                heads += 1;
                let head = all.iter().find(|gossip| gossip.guid() == *guid).unwrap().head().clone();
                fetches.handle_head(ms(now), A, *guid, head);
            }
            for piece in ask.pieces.iter() {
                let gossip = all.iter().find(|gossip| gossip.guid() == piece.guid).unwrap();
                let bytes = match piece.piece {
                    crate::proto::fact::LIST => piece_list(gossip.msg()),
                    piece => gossip.msg().chunks(crate::proto::limits::PIECE).nth(piece.into()).unwrap().to_vec(),
                };
                for (index, part) in
                    bytes.chunks(1024).enumerate().filter(|(index, _)| piece.fragments >> index & 1 == 1)
                {
                    let arrived = fetches.handle_fragment(ms(now), A, piece.guid, piece.piece, index as u8, part);
                    if let Arrived::Fact(Fact::Piece(guid, piece, _)) = arrived {
                        fetches.handle_piece_kept(&guid, piece);
                        if piece == 1 {
                            fetches.handle_settled(&guid);
                            done += 1;
                        }
                    }
                }
            }
        }
    }
    assert_eq!(done, all.len());
    assert!(heads <= 3 * PARTIALS, "{heads}: what waits is asked for once more, not again and again");
    assert!(fetches.is_idle());
}

#[test]
fn a_long_record_that_nobody_holds_makes_place_for_one_that_somebody_does() {
    let mut fetches = Fetches::default();
    let all: Vec<Gossip> = (0..=PARTIALS as u64).map(|number| record(number, 70_000)).collect();
    for gossip in &all[..PARTIALS] {
        let facts = fetches.handle_head(ms(0), A, gossip.guid(), gossip.head().clone()).unwrap();
        assert!(matches!(facts[..], [Fact::Partial(..)]));
    }
    fetches.forget(&A);
    let facts = fetches.handle_head(ms(1), B, all[PARTIALS].guid(), all[PARTIALS].head().clone()).unwrap();
    assert!(matches!(facts[..], [Fact::Abandoned(_), Fact::Partial(..)]));
    fetches.check();
    assert!(fetches.restore(record(5000, 70_000).head().clone(), None, &[]).is_some(), "and none is restored beyond");
}

#[test]
fn a_peer_that_only_drips_loses_the_piece_to_another() {
    let mut fetches = Fetches::default();
    let gossip = record(1, 60_000);
    fetches.want(gossip.guid(), A);
    ask_all(&mut fetches, ms(0));
    fetches.want(gossip.guid(), B);
    fetches.handle_head(ms(1), A, gossip.guid(), gossip.head().clone());
    let fragment = |index: usize| &gossip.msg()[index * 1024..(index * 1024 + 1024).min(60_000)];
    let mut came = None;
    for now in 2..60_000 {
        fetches.handle_timeout(ms(now));
        for (peer, ask) in ask_all(&mut fetches, ms(now)) {
            for piece in ask.pieces.iter().filter(|_| peer == B) {
                for index in (0..59).filter(|index| piece.fragments >> index & 1 == 1) {
                    let arrived = fetches.handle_fragment(ms(now), B, piece.guid, 0, index, fragment(index.into()));
                    if let Arrived::Fact(_) = arrived {
                        came = Some(now);
                    }
                }
            }
        }
        if now % 200 == 0 {
            let index = (now / 200) as usize % 59;
            fetches.handle_fragment(ms(now), A, gossip.guid(), 0, index as u8, fragment(index));
        }
    }
    assert!(came.is_some_and(|at| at < 15_000), "{came:?}");
}

#[test]
fn a_piece_list_that_was_damaged_on_the_disk_is_asked_for_again() {
    let mut fetches = Fetches::default();
    let gossip = record(1, 70_000);
    let mut list = piece_list(gossip.msg());
    list[0] ^= 1;
    assert!(fetches.restore(gossip.head().clone(), Some(list.into()), &[0]).is_none());
    fetches.want(gossip.guid(), A);
    let asked = ask_all(&mut fetches, ms(0));
    assert!(asked.iter().any(|(_, ask)| ask.pieces.iter().any(|piece| piece.piece == LIST)), "{asked:?}");
}

#[test]
fn a_record_is_condemned_when_it_is_wrong_without_what_an_earlier_start_left() {
    let mut fetches = Fetches::default();
    let gossip = record(1, 70_000);
    assert!(fetches.restore(gossip.head().clone(), None, &[0]).is_none());
    fetches.condemn(gossip.guid());
    assert!(!fetches.is_known(&gossip.guid()), "the piece may have been damaged on the disk");
    fetches.want(gossip.guid(), A);
    fetches.handle_head(ms(0), A, gossip.guid(), gossip.head().clone());
    fetches.condemn(gossip.guid());
    assert!(fetches.is_known(&gossip.guid()), "all of it came from others");
    fetches.check();
}

#[test]
fn who_is_condemned_now_is_known_whoever_was_before() {
    let mut fetches = Fetches::default();
    let mut all: Vec<Guid> = (0..=CONDEMNED as u64).map(|number| record(number, 10).guid()).collect();
    all.sort_unstable_by(|a, b| b.cmp(a));
    all.iter().for_each(|guid| fetches.condemn(*guid));
    fetches.check();
    assert!(!fetches.is_known(&all[0]) && all[1..].iter().all(|guid| fetches.is_known(guid)), "the oldest makes room");
}

#[test]
fn records_on_their_way_to_the_disk_count_what_they_take_however_short_they_are() {
    let mut fetches = Fetches::default();
    let all: Vec<Gossip> = (0..20_000).map(|number| record(number, 1)).collect();
    let taken = |fetches: &mut Fetches| {
        all.iter().filter(|gossip| fetches.handle_record(ms(0), A, (*gossip).clone()).is_some()).count()
    };
    assert_eq!(taken(&mut fetches), ARRIVING / (FACT_OVERHEAD + 1));
    all.iter().for_each(|gossip| fetches.handle_settled(&gossip.guid()));
    fetches.check();
    assert!(taken(&mut fetches) > 0, "what is on disk takes nothing more");
}

#[test]
fn a_head_that_comes_while_the_disk_rests_is_not_taken() {
    let mut fetches = Fetches::default();
    let gossip = record(1, 2 * PIECE);
    fetches.pause(&record(2, 10).guid(), ms(5000));
    assert!(fetches.handle_head(ms(1), A, gossip.guid(), gossip.head().clone()).is_none());
    assert!(!fetches.is_partial(&gossip.guid()));
    assert!(fetches.handle_head(ms(5000), A, gossip.guid(), gossip.head().clone()).is_some());
    assert!(fetches.is_partial(&gossip.guid()));
}

#[test]
fn a_queue_that_is_full_takes_no_wish_of_another_either() {
    let mut fetches = Fetches::default();
    let guid = |number: usize| record(number as u64, 1).guid();
    (0..WANTED_PER_PEER).for_each(|number| fetches.want(guid(number), A));
    let others = guid(WANTED_PER_PEER);
    fetches.want(others, B);
    fetches.want(others, A);
    assert_eq!((fetches.queued(&A), fetches.queued(&B)), (WANTED_PER_PEER, 1));
}
