//! Stories of the store.

#[cfg(test)]
mod aside;
#[cfg(test)]
mod checkpoints;
#[cfg(test)]
mod following;
#[cfg(test)]
mod paging;
#[cfg(test)]
mod requests;

use super::*;
use crate::proto::fact::{LIST, PeerFact, Receipt, Record, Restored};
use crate::proto::gossip::{Guid, Hash, Head, Key, Kind, piece_list};
use crate::proto::limits::PIECE;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::mpsc::{self, Receiver};

const HOME: &str = "home";

struct Disk {
    dir: tempfile::TempDir,
}

/// A store with its threads, and what they said.
struct Running {
    store: Store,
    home: NetworkId,
    receipts: Receiver<Vec<(NetworkId, Receipt)>>,
    lost: Receiver<(NetworkId, Guid)>,
    mended: Receiver<Mended>,
    loaded: Receiver<(NetworkId, Load, Loaded)>,
}

impl Disk {
    fn new() -> Disk {
        Disk { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("gossip.db")
    }

    fn open(&self) -> Running {
        self.start(Store::open(&self.path()).expect("a store always opens"))
    }

    fn start(&self, store: Store) -> Running {
        let home = store.network(HOME).unwrap();
        let (to_receipts, receipts) = mpsc::channel();
        let (to_loaded, loaded) = mpsc::channel();
        let (to_lost, lost) = mpsc::channel();
        let (to_mended, mended) = mpsc::channel();
        let on_written = move |written| match written {
            Written::Receipts(group) => drop(to_receipts.send(group)),
            Written::Lost(all) => all.into_iter().for_each(|one| to_lost.send(one).unwrap_or_default()),
            Written::Mended(all) => drop(to_mended.send(all)),
        };
        let on_loaded = move |all: Vec<_>| all.into_iter().for_each(|answer| drop(to_loaded.send(answer)));
        store.spawn(Box::new(on_written), Box::new(on_loaded)).unwrap();
        Running { store, home, receipts, lost, mended, loaded }
    }

    /// The files as a crash at this moment would leave them.
    fn crash(&self) -> Disk {
        let copy = Disk::new();
        for file in fs::read_dir(self.dir.path()).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), copy.dir.path().join(file.file_name())).unwrap();
        }
        copy
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<_> = names.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Running {
    /// The next `count` receipts.
    fn receipts(&self, count: usize) -> Vec<Receipt> {
        let mut receipts = Vec::new();
        while receipts.len() < count {
            receipts.extend(self.receipts.recv().unwrap().into_iter().map(|(_, receipt)| receipt));
        }
        assert_eq!(receipts.len(), count, "{receipts:?}");
        receipts
    }

    /// The next `count` records that were deleted.
    fn lost(&self, count: usize) -> BTreeSet<Guid> {
        (0..count).map(|_| self.lost.recv().unwrap().1).collect()
    }

    fn keep(&self, gossips: &[Gossip]) {
        for gossip in gossips {
            self.store.submit(self.home, Fact::Gossip(gossip.clone()));
        }
        let expected: Vec<_> = gossips.iter().map(|gossip| Receipt::Held(gossip.line())).collect();
        assert_eq!(self.receipts(gossips.len()), expected);
    }

    fn author(&self, gossip: &Gossip) {
        self.store.author(self.home, vec![gossip.clone().into()]);
        assert_eq!(self.receipts(1), [Receipt::Held(gossip.line())]);
    }

    fn load(&self, load: Load) -> Loaded {
        assert!(self.store.load(self.home, load));
        let (network, answered, loaded) = self.loaded.recv().unwrap();
        assert_eq!((network, answered), (self.home, load));
        loaded
    }

    fn record(&self, key: Key) -> Arc<Record> {
        match self.load(Load::Record(key)) {
            Loaded::Record(record) => record,
            other => panic!("{other:?}"),
        }
    }

    fn restored(&self) -> Vec<Restored> {
        let mut restored = Vec::new();
        self.store.restore(self.home, &mut |fact| restored.push(fact)).unwrap();
        restored
    }

    fn keys(&self) -> Vec<Key> {
        let held = |fact| match fact {
            Restored::Held(line) => Some(line.key),
            _ => None,
        };
        self.restored().into_iter().filter_map(held).collect()
    }

    /// Every record that the store says it holds can be read whole.
    fn assert_sound(&self) {
        for key in self.keys() {
            assert!(self.store.msg(self.home, key).unwrap().is_some(), "{key:?}");
        }
        assert_eq!(self.store.totals(self.home).unwrap().complete as usize, self.keys().len());
    }
}

fn gossip(at: u64, msg: impl Into<String>) -> Gossip {
    Gossip::make(Kind::Message, Timestamp(at), Guid([7; 16]), "dove", Bytes::from(msg.into())).unwrap()
}

fn long(at: u64, pieces: usize) -> Gossip {
    let line = format!("{at} says the dove\n");
    gossip(at, line.repeat(pieces * PIECE / line.len() - 1))
}

fn keys(gossips: &[Gossip]) -> Vec<Key> {
    gossips.iter().map(Gossip::key).collect()
}

fn piece(gossip: &Gossip, index: usize) -> Bytes {
    gossip.msg().slice(index * PIECE..index * PIECE + gossip.head().piece_len(index))
}

/// Fetched from a peer: all but the last piece.
fn begin(running: &Running, gossip: &Gossip) {
    let guid = gossip.guid();
    running.store.submit(running.home, Fact::Partial(guid, gossip.head().clone()));
    running.store.submit(running.home, Fact::List(guid, piece_list(gossip.msg()).into()));
    let last = gossip.head().piece_count() - 1;
    for index in (0..last).rev() {
        running.store.submit(running.home, Fact::Piece(guid, index as u16, piece(gossip, index)));
    }
    let expected: Vec<_> = (0..last).rev().map(|index| Receipt::Piece(guid, index as u16)).collect();
    assert_eq!(running.receipts(last), expected);
}

#[test]
fn what_was_committed_is_there_after_the_file_is_opened_again() {
    let disk = Disk::new();
    let gossips: Vec<_> = (0..300).map(|at| gossip(at, format!("hello {at}"))).collect();
    let long = long(1000, 3);
    let running = disk.open();
    running.keep(&gossips);
    running.author(&long);
    let peer = PeerFact {
        guid: Guid([9; 16]),
        name: "nas".into(),
        addr: "[fe80::1]:6884".parse().unwrap(),
        last_update: Timestamp(5),
    };
    running.store.submit(running.home, Fact::Peer(PeerFact { last_update: Timestamp(4), ..peer.clone() }));
    running.store.submit(running.home, Fact::Peer(peer.clone()));
    drop(running);
    assert_eq!(disk.names(), ["gossip.db"], "a store that was closed is one file");
    assert_eq!(fs::metadata(disk.path()).unwrap().mode() & 0o777, 0o600);

    let running = disk.open();
    assert!(running.store.notes().is_empty());
    let mut all = keys(&gossips);
    all.push(long.key());
    let mut restored = running.restored();
    assert!(matches!(restored.pop(), Some(Restored::Peer(found)) if found == peer));
    assert_eq!(restored.len(), 301);
    assert_eq!(running.keys(), all);
    let record = running.record(gossips[7].key());
    assert_eq!((&record.head, record.msg.as_ref()), (gossips[7].head(), Some(gossips[7].msg())));
    let record = running.record(long.key());
    assert_eq!((&record.head, record.msg.as_ref()), (long.head(), None));
    assert_eq!(running.store.msg(running.home, long.key()).unwrap().as_ref(), Some(long.msg()));
    let bytes: usize = gossips.iter().chain([&long]).map(|gossip| gossip.msg().len()).sum();
    let totals = Totals { complete: 301, incomplete: 0, bytes: bytes as u64 };
    assert_eq!(running.store.totals(running.home).unwrap(), totals);
}

#[test]
fn a_crash_leaves_what_was_answered_and_nothing_of_what_was_not() {
    let disk = Disk::new();
    let running = disk.open();
    let gossips: Vec<_> = (0..100).map(|at| gossip(at, "hello")).collect();
    running.keep(&gossips);
    let copy = {
        let mut db = running.store.shared.db();
        let transaction = db.transaction().unwrap();
        let mut batch = batch::Batch::new(&transaction).unwrap();
        batch.gossip(running.home, &gossip(500, "too late")).unwrap();
        batch.gossip(running.home, &long(501, 20)).unwrap();
        batch.finish().unwrap();
        disk.crash()
    };
    let after = copy.open();
    assert!(after.store.notes().is_empty(), "a crash is no damage: {:?}", after.store.notes());
    assert_eq!(after.keys(), keys(&gossips));
    after.assert_sound();
}

#[test]
fn facts_that_nobody_waits_for_are_committed_too_and_authored_ones_take_them_along() {
    let disk = Disk::new();
    let running = disk.open();
    running.keep(&[gossip(1, "alone")]);
    drop(running);

    // Before the threads start, so that both are queued when the writer looks.
    let store = Store::open(&disk.path()).unwrap();
    let home = store.network(HOME).unwrap();
    store.submit(home, Fact::Gossip(gossip(2, "queued")));
    store.author(home, vec![gossip(3, "authored").into()]);
    assert!(store.queued_bytes() > 0);
    let running = disk.start(store);
    assert_eq!(running.receipts.recv().unwrap().len(), 2, "one commit has both");
    running.store.close();
    assert_eq!(running.store.queued_bytes(), 0);
}

#[test]
fn a_record_that_is_here_is_answered_and_counted_once() {
    let disk = Disk::new();
    let running = disk.open();
    let gossip = gossip(1, "hello");
    running.keep(&[gossip.clone(), gossip.clone()]);
    running.author(&gossip);
    let long = long(2, 2);
    running.author(&long);
    running.author(&long);
    running.store.submit(running.home, Fact::Partial(long.guid(), long.head().clone()));
    assert_eq!(running.receipts(1), [Receipt::Held(long.line())]);
    let bytes = (gossip.msg().len() + long.msg().len()) as u64;
    assert_eq!(running.store.totals(running.home).unwrap(), Totals { complete: 2, incomplete: 0, bytes });
    running.assert_sound();
}

#[test]
fn a_long_record_survives_reopening_and_completes() {
    let disk = Disk::new();
    let long = long(5, 4);
    let running = disk.open();
    begin(&running, &long);
    let filter = ListFilter { include_incomplete: true, ..ListFilter::default() };
    let partials = running.store.list(running.home, &filter).unwrap();
    assert_eq!((partials.len(), partials[0].received, partials[0].complete), (1, 3 * PIECE as u64, false));
    assert_eq!(running.store.row(running.home, long.key()).unwrap().as_ref(), Some(&partials[0]));
    assert!(matches!(running.load(Load::Record(long.key())), Loaded::Gone), "it is not held");
    assert_eq!(running.store.msg(running.home, long.key()).unwrap(), None);
    drop(running);

    let running = disk.open();
    match &running.restored()[..] {
        [Restored::Partial { head, list: Some(list), pieces }] => {
            assert_eq!((head, &list[..], &pieces[..]), (long.head(), &piece_list(long.msg())[..], &[0, 1, 2][..]));
        }
        other => panic!("{other:?}"),
    }
    running.store.submit(running.home, Fact::Piece(long.guid(), 3, piece(&long, 3)));
    assert_eq!(running.receipts(2), [Receipt::Piece(long.guid(), 3), Receipt::Held(long.line())]);
    assert_eq!(running.store.msg(running.home, long.key()).unwrap().as_ref(), Some(long.msg()));
    for index in 0..4 {
        let load = Load::Piece(long.key(), index as u16);
        assert!(matches!(running.load(load), Loaded::Piece(bytes) if bytes == piece(&long, index)));
    }
    assert!(
        matches!(running.load(Load::Piece(long.key(), LIST)), Loaded::Piece(list) if list == piece_list(long.msg()))
    );
    assert!(matches!(running.load(Load::Piece(long.key(), 4)), Loaded::Gone));
    assert_eq!(running.store.totals(running.home).unwrap().incomplete, 0);
}

#[test]
fn a_whole_that_does_not_match_its_head_is_wrong_and_leaves_nothing() {
    let disk = Disk::new();
    let running = disk.open();
    let honest = long(5, 2);
    // The list may match while the text is none, or its hash another.
    let msg = vec![0xFF; 2 * PIECE];
    let pieces: Hash = sha2::Digest::finalize(<sha2::Sha256 as sha2::Digest>::new_with_prefix(piece_list(&msg))).into();
    let head =
        Head::new(Kind::Message, Timestamp(6), Guid([7; 16]), "hawk", msg.len() as u32, *honest.head().sha2(), pieces)
            .unwrap();
    let guid = head.guid();
    running.store.submit(running.home, Fact::Partial(guid, head));
    for index in 0..2 {
        running.store.submit(running.home, Fact::Piece(guid, index, Bytes::from(vec![0xFF; PIECE])));
    }
    assert_eq!(running.receipts(3), [Receipt::Piece(guid, 0), Receipt::Piece(guid, 1), Receipt::Wrong(guid)]);
    assert!(running.restored().is_empty());
    let left: i64 = running.store.shared.db().query_row("SELECT count(*) FROM piece", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
    // Late pieces, pieces of another size and those of what was given up are answered, so that nobody waits.
    running.store.submit(running.home, Fact::Piece(guid, 0, Bytes::from(vec![0xFF; PIECE])));
    assert_eq!(running.receipts(1), [Receipt::Failed(guid)]);
    begin(&running, &honest);
    running.store.submit(running.home, Fact::Piece(honest.guid(), 1, Bytes::from_static(b"short")));
    running.store.submit(running.home, Fact::Abandoned(honest.guid()));
    running.store.submit(running.home, Fact::Piece(honest.guid(), 1, piece(&honest, 1)));
    assert_eq!(running.receipts(2), [Receipt::Failed(honest.guid()); 2]);
    assert!(running.restored().is_empty());
}

#[test]
fn ten_thousand_records_share_few_commits() {
    let disk = Disk::new();
    let running = disk.open();
    let gossips: Vec<_> = (0..10_000).map(|at| gossip(at, format!("record {at} of many"))).collect();
    for gossip in &gossips {
        running.store.submit(running.home, Fact::Gossip(gossip.clone()));
    }
    let (mut receipts, mut commits) = (Vec::new(), 0);
    while receipts.len() < gossips.len() {
        receipts.extend(running.receipts.recv().unwrap().into_iter().map(|(_, receipt)| receipt));
        commits += 1;
    }
    assert!(commits <= 40, "{commits} commits");
    assert_eq!(receipts, gossips.iter().map(|gossip| Receipt::Held(gossip.line())).collect::<Vec<_>>());
    assert_eq!(running.keys(), keys(&gossips));

    let after = gossips[4000].key();
    assert!(
        matches!(running.load(Load::Page { after, limit: 70 }), Loaded::Page(page) if *page == keys(&gossips[4001..4071]))
    );
    let after = gossips[9999].key();
    assert!(matches!(running.load(Load::Page { after, limit: 70 }), Loaded::Page(page) if page.is_empty()));
}

#[test]
fn dates_at_the_far_end_of_time_keep_their_order() {
    let disk = Disk::new();
    let running = disk.open();
    let late = i64::MAX as u64;
    let mut gossips: Vec<_> =
        [0, 1, late - 1, late, late + 1, u64::MAX].into_iter().map(|at| gossip(at, "when?")).collect();
    gossips.reverse();
    running.keep(&gossips);
    gossips.reverse();
    assert_eq!(running.keys(), keys(&gossips));
    for from in 0..gossips.len() {
        let after = gossips[from].key();
        for limit in 0..4 {
            let expected = keys(&gossips[from + 1..(from + 1 + limit).min(gossips.len())]);
            assert!(matches!(running.load(Load::Page { after, limit }), Loaded::Page(page) if *page == expected));
        }
        let since = Some(after.date_time);
        let rows = running.store.list(running.home, &ListFilter { since, ..ListFilter::default() }).unwrap();
        assert_eq!(rows.iter().map(Row::key).collect::<Vec<_>>(), keys(&gossips[from..]));
    }
    let rows = running.store.list(running.home, &ListFilter { limit: 3, ..ListFilter::default() }).unwrap();
    assert_eq!(rows.iter().map(Row::key).collect::<Vec<_>>(), keys(&gossips[3..]));
    assert_eq!(running.keys(), keys(&gossips));
}

#[test]
fn two_networks_keep_apart() {
    let disk = Disk::new();
    let running = disk.open();
    let work = running.store.network("work").unwrap();
    assert_eq!(running.store.network(HOME).unwrap(), running.home);
    assert_ne!(work, running.home);
    let (ours, both) = (gossip(1, "ours"), gossip(2, "both"));
    running.keep(&[ours.clone(), both.clone()]);
    running.store.author(work, vec![both.clone().into()]);
    assert_eq!(running.receipts.recv().unwrap(), [(work, Receipt::Held(both.line()))]);
    let mut there = Vec::new();
    running.store.restore(work, &mut |fact| there.push(fact)).unwrap();
    assert!(matches!(there[..], [Restored::Held(line)] if line.key == both.key()));
    assert_eq!(running.keys(), [ours.key(), both.key()]);
    assert_eq!(running.store.totals(work).unwrap(), Totals { complete: 1, incomplete: 0, bytes: 4 });
    assert!(running.store.find(work, &(ours.guid()..=ours.guid())).unwrap().is_empty());
}

#[test]
fn epochs_only_rise_whatever_the_clock_does() {
    let disk = Disk::new();
    let next = |clock| {
        let running = disk.open();
        running.store.next_epoch(running.home, Timestamp(clock)).unwrap()
    };
    assert_eq!([next(1000), next(1000), next(5), next(2000), next(0)], [1000, 1001, 1002, 2000, 2001]);
    assert_eq!([next(u64::MAX), next(0)], [i64::MAX as u64; 2], "nothing is taken for damage");
}

#[test]
fn lists_are_the_newest_that_match_in_order() {
    let disk = Disk::new();
    let running = disk.open();
    let say = |at, who: &str, msg: &str| {
        Gossip::make(Kind::Message, Timestamp(at), Guid([7; 16]), who, Bytes::from(msg.to_owned())).unwrap()
    };
    let (split, begun) = (long(4, 2), long(5, 3));
    let across = String::from_utf8(split.msg()[PIECE - 9..PIECE + 9].to_vec()).unwrap();
    running.keep(&[say(1, "dove", "The Olive branch"), say(2, "hawk", "no"), say(3, "dove", "still waiting")]);
    running.author(&split);
    begin(&running, &begun);
    let list = |filter: ListFilter| {
        let rows = running.store.list(running.home, &filter).unwrap();
        rows.iter().map(|row| row.key().date_time.0).collect::<Vec<_>>()
    };
    let all = ListFilter::default();
    let who = |who: &str| Some(who.to_owned());
    assert_eq!(list(all.clone()), [1, 2, 3, 4]);
    assert_eq!(list(ListFilter { limit: 2, ..all.clone() }), [3, 4]);
    assert_eq!(list(ListFilter { limit: 2, include_incomplete: true, ..all.clone() }), [4, 5]);
    assert_eq!(list(ListFilter { who: who("hawk"), include_incomplete: true, ..all.clone() }), [2]);
    assert_eq!(list(ListFilter { since: Some(Timestamp(2)), ..all.clone() }), [2, 3, 4]);
    assert_eq!(list(ListFilter { grep: who("oLIVE"), include_incomplete: true, ..all.clone() }), [1]);
    assert_eq!(list(ListFilter { grep: Some(across), ..all.clone() }), [4], "also across two pieces");

    let rows = running.store.list(running.home, &ListFilter { include_incomplete: true, ..all }).unwrap();
    assert_eq!(rows[0].msg().unwrap(), "The Olive branch");
    assert_eq!((rows[3].start.as_deref(), rows[3].msg()), (Some(&split.msg()[..START]), None));
    assert_eq!(rows[3].received, split.msg().len() as u64);
    assert_eq!((rows[4].complete, rows[4].received, rows[4].start.as_ref()), (false, 2 * PIECE as u64, None));
}

#[test]
fn a_record_is_found_by_the_beginning_of_its_guid() {
    let disk = Disk::new();
    let running = disk.open();
    let gossips: Vec<_> = (0..2000).map(|at| gossip(at, "hello")).collect();
    let begun = long(5000, 2);
    running.keep(&gossips);
    begin(&running, &begun);
    let find = |digits: &str| running.store.find(running.home, &Guid::span(digits).unwrap()).unwrap();
    for gossip in [&gossips[0], &gossips[1999], &begun] {
        let guid = gossip.guid().to_string();
        for digits in [13, 36] {
            assert_eq!(find(&guid[..digits]), [gossip.key()], "{guid}");
        }
        assert_eq!(find(&guid.replace('-', "").to_uppercase()), [gossip.key()]);
    }
    assert_eq!(find(&gossips[0].guid().to_string()[..1]).len(), MATCHES);
}

#[test]
fn records_asked_for_together_are_answered_one_by_one_in_the_order_of_the_asks() {
    let disk = Disk::new();
    let mut gossips: Vec<Gossip> = (0..40).map(|number| gossip(number / 4, format!("{number}"))).collect();
    gossips.push(gossip(u64::MAX, "from the far future"));
    let running = disk.open();
    running.keep(&gossips);
    gossips.push(long(5, 2));
    running.author(&gossips[41]);
    let (absent, rotten) = (gossip(6, "never said"), gossips[20].key());
    let sql = "UPDATE gossip SET msg = 'rot' WHERE guid = ?1";
    assert_eq!(running.store.shared.db().execute(sql, [rotten.guid.0]), Ok(1));
    drop(running);

    // One behind the other, as a new node asks, with one that is not there and another twice; then back.
    let mut keys: Vec<Key> = gossips.iter().map(Gossip::key).chain([absent.key()]).collect();
    keys.sort();
    keys.push(rotten);
    let back: Vec<Key> = keys.iter().rev().copied().collect();
    keys.extend(back);
    let store = Store::open(&disk.path()).unwrap();
    let home = store.network(HOME).unwrap();
    // Before the reader's thread begins, so that all are read in one.
    assert!(keys.iter().all(|key| store.load(home, Load::Record(*key))));
    let running = disk.start(store);
    for key in keys {
        let (_, load, loaded) = running.loaded.recv().unwrap();
        assert_eq!(load, Load::Record(key));
        match loaded {
            Loaded::Record(record) => {
                let said = gossips.iter().find(|gossip| gossip.key() == key).unwrap();
                let short = (said.head().piece_count() == 1).then_some(said.msg());
                assert!(key != rotten && record.head == *said.head() && record.msg.as_ref() == short);
            }
            Loaded::Gone => assert_eq!(key, absent.key()),
            Loaded::Bad(bad) => assert_eq!((bad, key), (rotten, rotten)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_record_that_rots_is_reported_and_can_come_back() {
    let disk = Disk::new();
    let running = disk.open();
    let (short, long, fine) = (gossip(1, "hello"), long(2, 3), gossip(3, "fine"));
    running.keep(&[short.clone(), fine.clone()]);
    running.author(&long);
    {
        let db = running.store.shared.db();
        db.execute("UPDATE gossip SET msg = 'hallo' WHERE msg = 'hello'", []).unwrap();
        db.execute("UPDATE piece SET bytes = zeroblob(65536) WHERE idx = 1", []).unwrap();
    }
    assert!(matches!(running.load(Load::Record(short.key())), Loaded::Bad(key) if key == short.key()));
    assert!(matches!(running.load(Load::Piece(long.key(), 0)), Loaded::Piece(_)), "this piece is whole");
    assert!(matches!(running.load(Load::Piece(long.key(), 1)), Loaded::Bad(key) if key == long.key()));
    assert_eq!(running.lost(2), [short.guid(), long.guid()].into());
    running.keep(std::slice::from_ref(&short));
    assert_eq!(running.keys(), [short.key(), fine.key()]);
    begin(&running, &long);
    running.store.submit(running.home, Fact::Piece(long.guid(), 2, piece(&long, 2)));
    assert_eq!(running.receipts(2)[1], Receipt::Held(long.line()));
    running.assert_sound();

    // People's reads notice it as well.
    running.store.shared.db().execute("UPDATE gossip SET msg = 'hallo' WHERE msg = 'hello'", []).unwrap();
    assert_eq!(running.store.msg(running.home, short.key()).unwrap(), None);
    assert_eq!(running.lost(1), [short.guid()].into());
    assert!(!running.keys().contains(&short.key()));

    // So do lists, which show nothing that nobody said.
    running.keep(std::slice::from_ref(&short));
    running.store.shared.db().execute("UPDATE gossip SET msg = 'hallo' WHERE msg = 'hello'", []).unwrap();
    running.store.shared.db().execute("UPDATE piece SET bytes = zeroblob(65536) WHERE idx = 0", []).unwrap();
    let listed = running.store.list(running.home, &ListFilter::default()).unwrap();
    assert!(listed.iter().all(|row| row.guid != short.guid() && row.guid != long.guid()), "{listed:?}");
    assert_eq!(running.lost(2), [short.guid(), long.guid()].into());
    assert_eq!(running.store.last_error(), None);
}

#[test]
fn a_list_of_pieces_that_rots_is_made_anew_and_its_record_is_not_lost() {
    let disk = Disk::new();
    let (running, long) = (disk.open(), long(2, 3));
    running.author(&long);
    let rot = "UPDATE piece SET bytes = zeroblob(96) WHERE idx = 65535";
    assert_eq!(running.store.shared.db().execute(rot, []).unwrap(), 1);
    assert!(matches!(running.load(Load::Piece(long.key(), LIST)), Loaded::Bad(key) if key == long.key()));
    running.author(&gossip(9, "the other is whole once this is held"));
    assert!(
        matches!(running.load(Load::Piece(long.key(), LIST)), Loaded::Piece(list) if list == piece_list(long.msg()))
    );
    assert!(running.lost.try_recv().is_err());
    running.assert_sound();
}

#[test]
fn a_full_disk_fails_facts_until_there_is_room() {
    let disk = Disk::new();
    disk.open().keep(&[gossip(1, "before")]);
    let store = Store::open(&disk.path()).unwrap();
    let limit = |store: &Store, pages: i64| {
        let db = store.shared.db();
        db.pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, i64>(0)).unwrap();
    };
    limit(&store, 20);
    let home = store.network(HOME).unwrap();
    let long = long(2, 4);
    store.submit(home, Fact::Partial(long.guid(), long.head().clone()));
    store.submit(home, Fact::Piece(long.guid(), 0, piece(&long, 0)));
    store.submit(home, Fact::Piece(long.guid(), 1, piece(&long, 1)));
    store.author(home, vec![gossip(3, "in the same commit").into()]);
    let running = disk.start(store);
    let (failed, authored) = (Receipt::Failed(long.guid()), Receipt::Failed(gossip(3, "in the same commit").guid()));
    assert_eq!(running.receipts(4), [failed, failed, failed, authored]);
    let error = running.store.last_error().expect("the reason is told");
    assert!(error.contains("full"), "{error}");
    assert_eq!(running.store.msg(running.home, gossip(1, "before").key()).unwrap().unwrap(), "before");
    running.author(&gossip(4, "small enough"));
    limit(&running.store, 1 << 30);
    running.author(&long);
    assert_eq!(running.store.last_error(), None);
    running.assert_sound();
    assert_eq!(running.keys().len(), 3);
}

#[test]
fn who_cannot_read_just_now_does_not_say_that_the_disk_is_full() {
    let disk = Disk::new();
    let running = disk.open();
    let away = disk.dir.path().join("away");
    fs::rename(disk.path(), &away).unwrap();
    assert!(running.store.totals(running.home).is_err());
    assert_eq!(running.store.last_error(), None);
    fs::rename(away, disk.path()).unwrap();
    assert!(running.store.totals(running.home).is_ok());
}

#[test]
fn closing_commits_what_is_queued() {
    let disk = Disk::new();
    let running = disk.open();
    for at in 0..1000 {
        running.store.submit(running.home, Fact::Gossip(gossip(at, "hello")));
    }
    running.store.close();
    running.store.close();
    assert_eq!(running.receipts.try_iter().flatten().count(), 1000);
    drop(running);
    assert_eq!(disk.open().keys().len(), 1000);
}

#[test]
fn a_store_of_a_newer_program_is_refused_and_left_alone() {
    let disk = Disk::new();
    disk.open().store.shared.db().pragma_update(None, "user_version", schema::VERSION + 1).unwrap();
    let before = fs::read(disk.path()).unwrap();
    let error = Store::open(&disk.path()).unwrap_err().to_string();
    assert!(
        error.contains(&format!("version {}", schema::VERSION + 1)) && error.contains("use a newer one"),
        "{error}"
    );
    assert_eq!(fs::read(disk.path()).unwrap(), before);
}

/// A store with short and long records, a peer, and something begun; and the keys that it holds.
fn furnished(disk: &Disk) -> Vec<Key> {
    let running = disk.open();
    let mut gossips: Vec<_> =
        (0..400).map(|at| gossip(at, format!("hello {at} ").repeat(1 + at as usize % 90))).collect();
    running.keep(&gossips);
    for at in 1000..1003 {
        let long = long(at, 2);
        running.author(&long);
        gossips.push(long);
    }
    begin(&running, &long(2000, 2));
    let addr = "10.0.0.1:6884".parse().unwrap();
    let peer = PeerFact { guid: Guid([9; 16]), name: "nas".into(), addr, last_update: Timestamp(5) };
    running.store.submit(running.home, Fact::Peer(peer));
    running.store.close();
    keys(&gossips)
}

/// Opens a damaged store, reads all of it, and if that meets damage opens it again. Returns what is held then.
fn reopen(disk: &Disk, story: &str) -> (Vec<Key>, bool) {
    let mut salvaged = false;
    for _ in 0..3 {
        let running = disk.open();
        salvaged |= !running.store.notes().is_empty();
        let restored = running.store.restore(running.home, &mut drop);
        assert!(!matches!(&restored, Err(error) if !error.is_damage()), "{story}: {restored:?}");
        if restored.is_ok() {
            let held = running.keys();
            let read = |key: &Key| (*key, running.store.msg(running.home, *key));
            let read: Vec<_> = held.iter().filter(|key| key.date_time != Timestamp(9000)).map(read).collect();
            if read.iter().any(|(_, msg)| msg.is_err()) {
                let mended = running.mended.recv().unwrap();
                assert!(mended.note.contains("salvaged"), "{story}: {}", mended.note);
                salvaged = true;
                continue;
            }
            let sound: Vec<Key> =
                read.iter().filter(|(_, msg)| matches!(msg, Ok(Some(_)))).map(|(key, _)| *key).collect();
            running.store.author(running.home, vec![gossip(9000, story).into()]);
            let receipts = running.receipts(1);
            if running.store.last_error().is_none() {
                assert!(matches!(receipts[..], [Receipt::Held(_)]), "{story}");
                return (sound, salvaged);
            }
        }
    }
    panic!("{story}: still damaged after two salvages");
}

#[test]
fn garbage_is_set_aside_and_the_store_begins_anew() {
    for garbage in [vec![b'x'; 1], vec![0; 5000], b"SQLite format 3\0 or so it says".repeat(300)] {
        let disk = Disk::new();
        fs::write(disk.path(), &garbage).unwrap();
        let running = disk.open();
        assert!(running.store.notes()[0].contains("0 records"), "{:?}", running.store.notes());
        running.author(&gossip(1, "hello"));
        drop(running);
        let names = disk.names();
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(names[1].starts_with("gossip.db.corrupt-"), "{names:?}");
        assert_eq!(fs::read(disk.dir.path().join(&names[1])).unwrap(), garbage, "it is kept as it was");
    }
}

#[test]
fn a_ruined_head_costs_nothing() {
    // The header, the schema, and the roots of the tables may all be gone: the rows still say what they are.
    let disk = Disk::new();
    let all = furnished(&disk);
    let file = OpenOptions::new().write(true).open(disk.path()).unwrap();
    file.write_all_at(&[0xAA; schema::PAGE], 0).unwrap();
    let running = disk.open();
    let note = &running.store.notes()[0];
    assert!(note.contains("403 records, 1 peers and 1 networks"), "{note}");
    assert_eq!(running.keys(), all);
    running.assert_sound();
    assert!(matches!(running.restored().last(), Some(Restored::Peer(_))));
    assert!(running.store.next_epoch(running.home, Timestamp(0)).is_ok());
    running.store.close();
    assert!(Store::open(&disk.path()).unwrap().notes().is_empty(), "it is whole now");
}

#[test]
fn what_was_begun_and_rotted_begins_anew() {
    let disk = Disk::new();
    let (running, long) = (disk.open(), long(5, 2));
    begin(&running, &long);
    running.store.shared.db().execute("UPDATE partial SET sha2 = x'00'", []).unwrap();
    begin(&running, &long);
    running.store.submit(running.home, Fact::Piece(long.guid(), 1, piece(&long, 1)));
    assert_eq!(running.receipts(2), [Receipt::Piece(long.guid(), 1), Receipt::Held(long.line())]);
    running.assert_sound();
}

#[test]
fn what_is_only_in_the_log_is_salvaged_too() {
    let disk = Disk::new();
    let running = disk.open();
    let gossips: Vec<_> = (0..200).map(|at| gossip(at, format!("hello {at}"))).collect();
    running.keep(&gossips);
    let long = long(500, 2);
    running.author(&long);
    let copy = disk.crash();
    assert!(copy.names().contains(&"gossip.db-wal".to_owned()));
    fs::write(copy.path(), b"garbage").unwrap();
    fs::remove_file(copy.dir.path().join("gossip.db-shm")).unwrap();
    let after = copy.open();
    assert!(!after.store.notes().is_empty());
    let mut all = keys(&gossips);
    all.push(long.key());
    assert_eq!(after.keys(), all);
    after.assert_sound();
}

#[test]
fn wherever_bytes_flip_the_store_opens_and_keeps_the_rest() {
    let whole = Disk::new();
    let all: BTreeSet<Key> = furnished(&whole).into_iter().collect();
    let content = fs::read(whole.path()).unwrap();
    let mut random = Lcg(20);
    let mut salvages = 0;
    for round in 0..60 {
        let disk = Disk::new();
        let mut damaged = content.clone();
        // Anywhere, in the pages that matter to all others, and in the head of a page.
        let at = match round % 3 {
            0 => random.below(damaged.len()),
            1 => random.below(10 * schema::PAGE),
            _ => random.below(damaged.len() / schema::PAGE) * schema::PAGE + random.below(8),
        };
        for byte in damaged[at..].iter_mut().take(1 + random.below(64)) {
            *byte ^= 1 + random.below(255) as u8;
        }
        fs::write(disk.path(), damaged).unwrap();
        let (held, salvaged) = reopen(&disk, &format!("round {round}: flipped at {at}"));
        salvages += usize::from(salvaged);
        let held: BTreeSet<Key> = held.into_iter().collect();
        assert!(held.is_subset(&all), "round {round}: nothing that nobody said");
        let lost = all.difference(&held).count();
        assert!(lost <= 30, "round {round}: {lost} records lost by damage at {at}");
    }
    assert!(salvages >= 5, "only {salvages} of the damages needed a salvage");
}

#[test]
fn wherever_it_is_cut_the_store_opens_and_keeps_the_rest() {
    let whole = Disk::new();
    let all: BTreeSet<Key> = furnished(&whole).into_iter().collect();
    let content = fs::read(whole.path()).unwrap();
    for cut in [0, 1, 99, 100, 4095, 4096, 8192, 20_000, 123_456, content.len() / 2, content.len() - 1] {
        let disk = Disk::new();
        fs::write(disk.path(), &content[..cut]).unwrap();
        let (held, _) = reopen(&disk, &format!("cut at {cut}"));
        assert!(held.iter().all(|key| all.contains(key)));
        if cut > content.len() / 2 {
            assert!(held.len() > all.len() / 2, "{} held after a cut at {cut}", held.len());
        }
    }
}

#[test]
fn a_salvage_cut_short_is_done_again_or_finished() {
    let disk = Disk::new();
    let all = furnished(&disk);
    // Begun and never finished.
    fs::write(disk.dir.path().join("gossip.db.salvaging"), b"half").unwrap();
    let running = disk.open();
    assert_eq!((running.keys(), running.store.notes().len()), (all.clone(), 0));
    drop(running);
    // Finished, with the damaged file moved away and the new one not yet in its place.
    fs::rename(disk.path(), disk.dir.path().join("gossip.db.salvaged")).unwrap();
    fs::write(disk.dir.path().join("gossip.db-wal"), b"old log").unwrap();
    let running = disk.open();
    assert_eq!((running.keys(), running.store.notes().len()), (all, 1));
    running.assert_sound();
}

/// Ruins the page that has the row of this record, and no other page.
fn ruin(disk: &Disk, msg: &str) {
    let file = OpenOptions::new().read(true).write(true).open(disk.path()).unwrap();
    let content = fs::read(disk.path()).unwrap();
    let at = content.windows(msg.len()).position(|window| window == msg.as_bytes()).unwrap();
    file.write_all_at(&[0xAA; 16], (at / schema::PAGE * schema::PAGE) as u64).unwrap();
}

#[test]
fn damage_met_in_use_is_salvaged_at_once_and_what_is_lost_is_said() {
    let disk = Disk::new();
    let all = furnished(&disk);
    let victim = gossip(50, "hello 50 ".repeat(51));
    ruin(&disk, &"hello 50 ".repeat(51));
    let running = disk.open();
    assert!(running.store.notes().is_empty(), "the start does not see it");
    assert_eq!(running.keys(), all);
    // What a salvage that failed left is in nobody's way.
    fs::write(salvage::beside(&disk.path(), ".salvaging"), [0xAA; 100]).unwrap();
    let list = || running.store.list(running.home, &ListFilter::default());
    assert!(list().unwrap_err().is_damage());
    let mended = running.mended.recv().unwrap();
    let [(home, held)] = &mended.held[..] else { panic!("{mended:?}") };
    let lost = all.len() - held.len();
    assert!(*home == running.home && (1..=30).contains(&lost), "{lost}: {}", mended.note);
    assert!(held.is_sorted_by_key(|line| line.key.guid) && held.iter().all(|line| all.contains(&line.key)));
    assert!(held.iter().all(|line| line.key != victim.key()));
    assert_eq!((running.store.last_error(), list().unwrap().len()), (None, held.len()));
    running.keep(&[victim.clone(), gossip(5000, "goes on")]);
    running.assert_sound();
    assert_eq!(running.keys().len(), held.len() + 2);
    let epoch = running.store.next_epoch(running.home, Timestamp(1)).unwrap();
    drop(running);
    assert!(disk.names().iter().any(|name| name.starts_with("gossip.db.corrupt-")), "it is kept as it was");
    let running = disk.open();
    assert!(running.store.notes().is_empty(), "{:?}", running.store.notes());
    assert!(running.keys().contains(&victim.key()) && epoch > 0);
}

#[test]
fn a_key_that_is_out_of_its_place_hides_nothing() {
    let whole = Disk::new();
    let all = furnished(&whole);
    let content = fs::read(whole.path()).unwrap();
    let home = whole.open().home.0 as u32;
    let gossip = gossip(200, "hello 200 ".repeat(21));
    let pattern = [&home.to_be_bytes()[..], &200_u16.to_be_bytes(), &gossip.guid().0].concat();
    let places: Vec<usize> =
        (0..content.len() - pattern.len()).filter(|&at| content[at..at + pattern.len()] == pattern).collect();
    assert!(places.len() >= 2, "in its row and in the index: {places:?}");
    for at in places {
        let disk = Disk::new();
        let mut damaged = content.clone();
        damaged[at..at + 4].copy_from_slice(&[0, 0, 0, 1]);
        fs::write(disk.path(), damaged).unwrap();
        let (held, _) = reopen(&disk, &format!("its network is another at {at}"));
        assert!(held.len() >= all.len() - 1);
        let running = disk.open();
        let listed = running.store.list(running.home, &ListFilter::default()).unwrap().len();
        assert!(listed >= all.len(), "{listed} of {} at {at}", all.len());
    }
}

#[test]
fn what_is_called_held_is_whole_even_where_a_damaged_row_was() {
    let disk = Disk::new();
    let running = disk.open();
    let short = gossip(1, "hello");
    running.keep(std::slice::from_ref(&short));
    running.store.shared.db().execute("UPDATE gossip SET msg = 'hallo'", []).unwrap();
    running.keep(std::slice::from_ref(&short));
    assert_eq!(running.store.msg(running.home, short.key()).unwrap().as_ref(), Some(short.msg()));
    running.assert_sound();
}

#[test]
fn who_waits_for_a_commit_that_meets_damage_gets_it_nevertheless() {
    let disk = Disk::new();
    let all = furnished(&disk);
    // The index of the pieces is read by each commit.
    let root: i64 = {
        let db = Connection::open(disk.path()).unwrap();
        let sql = "SELECT rootpage FROM sqlite_schema WHERE tbl_name = 'piece' AND type = 'index'";
        db.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let file = OpenOptions::new().write(true).open(disk.path()).unwrap();
    file.write_all_at(&[0xAA; 16], (root as u64 - 1) * schema::PAGE as u64).unwrap();
    let running = disk.open();
    running.author(&gossip(5000, "said"));
    assert_eq!(running.mended.recv().unwrap().held[0].1.len(), all.len(), "all of it was there");
    assert_eq!((running.keys().len(), running.store.last_error()), (all.len() + 1, None));
    running.assert_sound();
}

/// Numbers that are the same in each run.
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}
