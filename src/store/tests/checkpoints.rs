//! Stories of the log, and of who copies it into the file.

use super::super::checkpoints::MOST;
use super::super::schema::{self, PAGE};
use super::super::{rows, salvage};
use super::*;

/// MiB of records that are written.
const WRITTEN: u64 = 48;

fn len(disk: &Disk, suffix: &str) -> u64 {
    fs::metadata(salvage::beside(&disk.path(), suffix)).map_or(0, |file| file.len())
}

#[test]
fn the_log_is_copied_beside_the_commits_and_begins_anew() {
    let disk = Disk::new();
    let running = disk.open();
    for at in 0..WRITTEN {
        running.author(&long(at, 16));
        // A commit of a mebibyte may be the last one before it is as long as it may get.
        assert!(len(&disk, "-wal") < (u64::from(MOST) + 600) * PAGE as u64, "after {at}");
    }
    assert!(len(&disk, "") > (WRITTEN << 20) - u64::from(MOST) * PAGE as u64, "{}", len(&disk, ""));
    running.assert_sound();
    assert_eq!(running.keys().len(), WRITTEN as usize);
}

#[test]
fn who_reads_for_long_keeps_no_commit_waiting_and_the_log_begins_anew_afterwards() {
    let disk = Disk::new();
    let running = disk.open();
    running.author(&long(0, 1));
    let before = |db: &Connection| rows::last(db).unwrap();
    running
        .store
        .shared
        .reading(|db| {
            let row = before(db);
            (1..=WRITTEN).for_each(|at| running.author(&long(at, 16)));
            assert_eq!(before(db), row, "it sees what was there");
            let millisecond = std::time::Duration::from_millis(1);
            let is_at_rest = |_| {
                std::thread::sleep(millisecond);
                running.store.shared.log.is_copied()
            };
            assert!((0..10_000).any(is_at_rest), "what cannot be copied now is not tried again and again");
            Ok(())
        })
        .unwrap();
    assert!(len(&disk, "-wal") > WRITTEN << 20);
    (WRITTEN + 1..WRITTEN + 3).for_each(|at| running.author(&long(at, 16)));
    assert!(len(&disk, "") > WRITTEN << 20, "it is copied now");
    assert_eq!(running.keys().len() as u64, WRITTEN + 3);
}

#[test]
fn what_the_disk_took_and_lost_is_copied_again() {
    let disk = Disk::new();
    let running = disk.open();
    (0..2).for_each(|at| running.author(&long(at, 16)));
    // Who reads keeps the log from being copied beyond this, and from beginning anew.
    let reader = schema::open_reader(&disk.path()).unwrap();
    let snapshot = reader.unchecked_transaction().unwrap();
    assert!(rows::last(&snapshot).unwrap().is_some());
    (2..8).for_each(|at| running.author(&long(at, 16)));
    while !running.store.shared.log.is_copied() {
        std::thread::yield_now();
    }
    drop(snapshot);
    drop(reader);
    // What was copied is not on the disk, and a sync says so.
    let file = OpenOptions::new().write(true).open(disk.path()).unwrap();
    file.write_all_at(&vec![0; 1 << 20], 1 << 19).unwrap();
    lock(&running.store.shared.trouble).unsynced = true;
    running.store.shared.queue.push(NetworkId(0), Job::Mend);
    (8..WRITTEN).for_each(|at| running.author(&long(at, 16)));
    running.store.close();
    drop(running);
    let running = disk.open();
    assert!(running.store.notes().is_empty(), "{:?}", running.store.notes());
    running.assert_sound();
    assert_eq!(running.keys().len(), WRITTEN as usize);
}
