//! What left the network is nowhere to be found, is put aside, and is deleted for good.

use super::*;
use crate::proto::decree::{Decree, Terms};
use crate::proto::retention::{Left, Silence};
use crate::store::{Arrivals, Place, Request, Words};
use std::time::Duration;

fn settings() -> Gossip {
    let msg = Decree::Settings(Terms { max_age: Some(Duration::from_secs(60)), origin_timeout: None }).to_string();
    Gossip::make(Kind::Settings, Timestamp(3), Guid([7; 16]), "dove", Bytes::from(msg)).unwrap()
}

fn rows(running: &Running, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    running.store.shared.db().query_row(&sql, [], |row| row.get(0)).unwrap()
}

fn clear(running: &Running, fact: Fact) {
    running.store.submit(running.home, fact);
    assert_eq!(running.receipts(1), [Receipt::Cleared(true)]);
}

#[test]
fn what_left_is_out_of_all_lists_and_comes_back_as_gone_until_it_is_deleted() {
    let disk = Disk::new();
    let running = disk.open();
    let (old, large, young) = (gossip(1, "old words"), long(2, 3), gossip(4, "young words"));
    running.keep(&[old.clone(), large.clone(), settings(), young.clone()]);
    let request = Request { name: "once".into(), asked: [1; 32] };
    let authored = Authored { gossip: gossip(5, "asked for"), request: Some(request) };
    running.store.author(running.home, vec![authored.clone()]);
    running.receipts(1);
    let gone: Vec<Key> = vec![old.key(), large.key(), authored.gossip.key(), Key::default()];
    let until = Timestamp(9_000_000);
    clear(&running, Fact::Left(Left::Forgotten, until, gone.clone().into()));
    let silence = Silence { lasted: Duration::from_secs(7), knew: 3 };
    running.store.submit(running.home, Fact::Silence(Guid([1; 16]), Some(silence)));
    running.store.submit(running.home, Fact::Silence(Guid([2; 16]), Some(silence)));
    running.store.submit(running.home, Fact::Silence(Guid([2; 16]), None));
    running.keep(&[gossip(6, "last")]);
    let held = [settings().key(), young.key(), gossip(6, "last").key()];
    let is_gone = |running: &Running| {
        assert_eq!(running.keys(), held);
        let listed = running.store.list(running.home, &ListFilter::default()).unwrap();
        assert_eq!(listed.iter().map(Row::key).collect::<Vec<_>>(), held);
        for key in &gone[..3] {
            assert!(running.store.row(running.home, *key).unwrap().is_none());
            assert!(running.store.find(running.home, &(key.guid..=key.guid)).unwrap().is_empty());
            assert!(matches!(running.load(Load::Record(*key)), Loaded::Gone));
        }
        assert_eq!(running.store.totals(running.home).unwrap().complete, 3);
        assert_eq!(running.store.requested(running.home, "once").unwrap(), None);
        let arrived = running.store.arrived(running.home, Place::default(), 100, 1000).unwrap();
        assert!(matches!(arrived, Arrivals::Page { rows, .. } if rows.len() == 3));
    };
    is_gone(&running);
    let filter = ListFilter { words: Words::new("words"), limit: 9, ..ListFilter::default() };
    let indexed = || running.store.indexed().unwrap();
    super::paging::until(|| indexed().done == indexed().all);
    assert_eq!(running.store.list(running.home, &filter).unwrap().len(), 1);
    drop(running);

    let running = disk.open();
    is_gone(&running);
    let restored = running.restored();
    let back = restored.iter().filter(|fact| matches!(fact, Restored::Gone(_, Left::Forgotten, at) if *at == until));
    assert_eq!(back.count(), 3);
    assert!(matches!(restored[0], Restored::Held(line) if line == settings().line()), "decrees come first");
    let silences = restored
        .iter()
        .filter(|fact| matches!(fact, Restored::Silence(guid, of) if (*guid, *of) == (Guid([1; 16]), silence)));
    assert_eq!(silences.count(), 1);
    // It comes once more, and leaves once more.
    running.keep(std::slice::from_ref(&old));
    assert_eq!(running.keys().len(), 4);
    clear(&running, Fact::Left(Left::Expired, until, vec![old.key()].into()));
    is_gone(&running);
    assert_eq!((rows(&running, "gossip"), rows(&running, "aside"), rows(&running, "piece")), (6, 3, 4));
    clear(&running, Fact::Deleted(gone.clone().into()));
    is_gone(&running);
    let left = (rows(&running, "gossip"), rows(&running, "aside"), rows(&running, "piece"));
    assert_eq!(left, (4, 1, 0), "of the last row its number");
    drop(running);
    let running = disk.open();
    is_gone(&running);
    assert!(!running.restored().iter().any(|fact| matches!(fact, Restored::Gone(key, ..) if *key != old.key())));
    running.keep(&[gossip(7, "a later one")]);
    clear(&running, Fact::Deleted([old.key()].into()));
    assert_eq!((rows(&running, "gossip"), rows(&running, "aside")), (4, 0));
    running.assert_sound();
}

#[test]
fn a_damaged_store_gives_back_what_left_as_gone() {
    let disk = Disk::new();
    let running = disk.open();
    running.keep(&[gossip(1, "old"), gossip(2, "young")]);
    clear(&running, Fact::Left(Left::Expired, Timestamp(9_000_000), vec![gossip(1, "old").key()].into()));
    drop(running);
    fs::write(salvage::marker(&disk.path()), "").unwrap();
    let running = disk.open();
    assert_eq!(running.keys(), [gossip(2, "young").key()]);
    let restored = running.restored();
    assert!(
        restored
            .iter()
            .any(|fact| matches!(fact, Restored::Gone(key, Left::Expired, _) if *key == gossip(1, "old").key()))
    );
}

#[test]
fn who_follows_misses_nothing_where_the_newest_record_is_deleted() {
    let disk = Disk::new();
    let running = disk.open();
    let (first, newest, next) = (gossip(1, "first"), long(2, 3), gossip(3, "next"));
    running.keep(&[first.clone(), newest.clone()]);
    let place = running.store.place(running.home, newest.key()).unwrap().unwrap();
    let gone = [first.key(), newest.key()];
    clear(&running, Fact::Left(Left::Expired, Timestamp(9_000_000), gone.into()));
    clear(&running, Fact::Deleted(gone.into()));
    assert_eq!((rows(&running, "gossip"), rows(&running, "piece")), (1, 0), "of the newest no more than its number");
    running.keep(std::slice::from_ref(&next));
    let arrived = |after| super::following::arrived(&running, running.home, after).0;
    assert_eq!((arrived(place), arrived(Place::default())), (vec![next.guid()], vec![next.guid()]));
    drop(running);

    let running = disk.open();
    let restored = running.restored();
    assert!(restored.iter().any(|fact| matches!(fact, Restored::Gone(key, ..) if *key == newest.key())));
    clear(&running, Fact::Deleted([newest.key()].into()));
    assert_eq!((rows(&running, "gossip"), rows(&running, "aside")), (1, 0));
    drop(running);
    assert!(disk.open().store.notes().is_empty());
}
