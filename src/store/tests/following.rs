//! Stories of those who follow: what arrives is told once at least, whatever happens to the rows.

use super::*;

/// GUIDs and the place behind them.
pub(super) fn arrived(running: &Running, network: NetworkId, after: Place) -> (Vec<Guid>, Place) {
    match running.store.arrived(network, after, 2, i64::MAX).unwrap() {
        Arrivals::Page { rows, next, .. } => (rows.into_iter().map(|(_, row)| row.guid).collect(), next),
        Arrivals::Behind { .. } => panic!("a backlog is kept"),
        Arrivals::Lost => panic!("the place is lost"),
    }
}

#[test]
fn arrivals_come_in_order_page_by_page_in_each_network() {
    let disk = Disk::new();
    let running = disk.open();
    let work = running.store.network("work").unwrap();
    let (late, early, long, other) = (gossip(9, "late"), gossip(1, "early"), long(5, 2), gossip(7, "other"));
    running.author(&late);
    begin(&running, &long);
    running.store.author(work, vec![other.clone().into()]);
    running.receipts(1);
    running.author(&early);
    running.store.submit(running.home, Fact::Piece(long.guid(), 1, piece(&long, 1)));
    running.receipts(2);

    let (first, place) = arrived(&running, running.home, Place::default());
    assert_eq!(first, [late.guid()], "of two rows one is of the other network");
    let (second, end) = arrived(&running, running.home, place);
    assert_eq!(second, [early.guid(), long.guid()], "a long record arrives when it is complete");
    assert_eq!(arrived(&running, running.home, end), (vec![], end));
    assert_eq!(end, running.store.last_place().unwrap());
    assert_eq!(arrived(&running, work, Place::default()).0, [other.guid()]);
    let behind = running.store.place(running.home, late.key()).unwrap().unwrap();
    assert_eq!(arrived(&running, running.home, behind).0, [early.guid()]);
    assert_eq!(running.store.place(work, late.key()).unwrap(), None);
    running.author(&gossip(2, "one more"));
    assert_eq!(arrived(&running, running.home, end).0, [gossip(2, "one more").guid()]);
}

#[test]
fn a_place_whose_row_is_gone_or_anothers_is_noticed() {
    let disk = Disk::new();
    let running = disk.open();
    let records = [gossip(1, "a"), gossip(2, "b"), gossip(3, "c")];
    records.iter().for_each(|record| running.author(record));
    let places: Vec<Place> =
        records.iter().map(|record| running.store.place(running.home, record.key()).unwrap().unwrap()).collect();
    let delete = |row: i64| {
        running.store.shared.db().execute("DELETE FROM gossip WHERE id = ?1", [row]).unwrap();
    };
    delete(places[0].row);
    assert_eq!(arrived(&running, running.home, places[0]).0, [records[1].guid(), records[2].guid()]);
    // The last is never taken away but with the whole store.
    delete(places[2].row);
    let lost = || running.store.arrived(running.home, places[2], 2, i64::MAX).unwrap() == Arrivals::Lost;
    assert!(lost(), "others may have come and gone");
    let next = gossip(4, "d");
    running.author(&next);
    assert!(lost(), "another has its number");
    assert_eq!(arrived(&running, running.home, places[1]).0, [next.guid()]);
}

#[test]
fn a_damaged_record_that_was_the_last_arrives_once_more() {
    let disk = Disk::new();
    let running = disk.open();
    let (whole, rotten) = (gossip(1, "whole"), gossip(2, "it rots"));
    [&whole, &rotten].into_iter().for_each(|record| running.author(record));
    running.store.shared.db().execute("UPDATE gossip SET msg = 'it rotted' WHERE msg = 'it rots'", []).unwrap();
    // Who follows passes over it, and has it condemned.
    let (told, place) = arrived(&running, running.home, Place::default());
    assert_eq!((told, place.row), (vec![whole.guid()], 2));
    let after = gossip(3, "the condemned is gone once this is held");
    running.author(&after);
    assert_eq!(running.keys().len(), 2);
    running.author(&rotten);
    assert_eq!(arrived(&running, running.home, place).0, [after.guid(), rotten.guid()]);
    running.assert_sound();
    running.store.close();
    assert!(disk.open().store.notes().is_empty(), "its rows are counted right");
}

#[test]
fn who_follows_misses_nothing_of_a_salvaged_store() {
    let disk = Disk::new();
    let all = furnished(&disk);
    let running = disk.open();
    let places: Vec<Place> = all.iter().map(|key| running.store.place(running.home, *key).unwrap().unwrap()).collect();
    drop(running);
    // A page in the middle is lost, and some of its records with it.
    let file = OpenOptions::new().write(true).open(disk.path()).unwrap();
    let leaf = file.metadata().unwrap().len() / schema::PAGE as u64 / 2;
    file.write_all_at(&[0xAA; schema::PAGE], leaf * schema::PAGE as u64).unwrap();
    file.write_all_at(&[0xAA; schema::PAGE], 0).unwrap();
    let running = disk.open();
    let held = running.keys();
    assert!(held.len() > 200 && running.store.notes()[0].contains("salvaged"));
    for (seen, place) in places.iter().enumerate().step_by(40) {
        let Arrivals::Page { rows, .. } = running.store.arrived(running.home, *place, 1000, i64::MAX).unwrap() else {
            panic!("behind record {seen} the place is lost");
        };
        let told: Vec<Guid> = rows.into_iter().map(|(_, row)| row.guid).collect();
        let unseen = all[seen + 1..].iter().filter(|key| held.contains(key));
        let missed = unseen.filter(|key| !told.contains(&key.guid)).count();
        assert_eq!(missed, 0, "of those who stood behind record {seen}");
    }
    running.assert_sound();
}

#[test]
fn who_follows_misses_nothing_where_most_or_all_is_lost() {
    // What is left of the rows: the first ones, or none. The others come from peers, and fewer than there were.
    for left in [10, 0] {
        let disk = Disk::new();
        let records: Vec<Gossip> = (0..100).map(|at| gossip(at, format!("hello {at}"))).collect();
        let running = disk.open();
        running.keep(&records);
        let place = running.store.place(running.home, records[89].key()).unwrap().unwrap();
        let db = running.store.shared.db();
        db.pragma_update(None, "secure_delete", true).unwrap();
        db.execute("DELETE FROM gossip WHERE id > ?1", [left as i64]).unwrap();
        drop(db);
        drop(running);
        let file = OpenOptions::new().write(true).open(disk.path()).unwrap();
        file.write_all_at(&[0xAA; schema::PAGE], 0).unwrap();
        drop(file);
        let running = disk.open();
        assert_eq!(running.keys().len(), left);
        running.keep(&records[60..]);
        let Arrivals::Page { rows, .. } = running.store.arrived(running.home, place, 1000, i64::MAX).unwrap() else {
            panic!("with {left} rows left the place is lost");
        };
        let told: BTreeSet<Guid> = rows.into_iter().map(|(_, row)| row.guid).collect();
        assert!(records[90..].iter().all(|record| told.contains(&record.guid())), "with {left} rows left");
        running.store.close();
        let again = disk.open();
        assert!(again.store.notes().is_empty(), "{:?}", again.store.notes());
        again.assert_sound();
    }
}
