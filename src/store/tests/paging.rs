//! Stories of lists: pages from either end, and words found.

use super::*;
use std::time::{Duration, Instant};

fn say(at: u64, who: &str, msg: &str) -> Gossip {
    Gossip::make(Kind::Message, Timestamp(at), Guid([7; 16]), who, Bytes::from(msg.to_owned())).unwrap()
}

/// All records that match, page by page, and how many pages that took.
fn paged(running: &Running, filter: &ListFilter, order: Order) -> (Vec<u64>, usize) {
    let (mut dates, mut pages, mut after) = (Vec::new(), 0, None);
    loop {
        let page = running.store.page(running.home, filter, order, after).unwrap();
        assert!(page.rows.len() <= filter.limit);
        dates.extend(page.rows.iter().map(|row| row.key().date_time.0));
        pages += 1;
        match page.next {
            None => return (dates, pages),
            next => after = next,
        }
    }
}

/// Waits until it is so.
#[expect(clippy::disallowed_methods, reason = "a test waits")]
pub(super) fn until(mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < end, "never");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until the index has all that is here.
fn indexed(running: &Running) {
    until(|| running.store.indexed().is_ok_and(|indexed| indexed.done == indexed.all));
}

fn found(running: &Running, text: &str) -> Vec<u64> {
    let filter = ListFilter { words: Words::new(text), ..ListFilter::default() };
    let rows = running.store.list(running.home, &filter).unwrap();
    rows.iter().map(|row| row.key().date_time.0).collect()
}

#[test]
fn pages_from_either_end_have_each_record_once() {
    let disk = Disk::new();
    let running = disk.open();
    let early = 1..=9;
    let late = [i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX - 1];
    let mut dates: Vec<u64> = early.chain(late).collect();
    let who = |at: u64| if at.is_multiple_of(2) { "dove" } else { "hawk" };
    let gossips: Vec<_> = dates.iter().map(|&at| say(at, who(at), "hello")).collect();
    running.keep(&gossips);
    // Some of one date, told apart by their names; and long ones of which something is missing.
    running.keep(&[say(5, "dove", "other"), say(5, "dove", "another")]);
    dates.extend([5, 5]);
    for at in [4, 20] {
        begin(&running, &long(at, 3));
        dates.push(at);
    }
    dates.sort();
    for limit in [1, 2, 3, 5, dates.len() - 1, dates.len(), 1000] {
        let filter = ListFilter { limit, include_incomplete: true, ..ListFilter::default() };
        let (oldest, pages) = paged(&running, &filter, Order::Oldest);
        assert_eq!((&oldest, pages), (&dates, dates.len().div_ceil(limit)), "{limit}");
        let (mut newest, pages) = paged(&running, &filter, Order::Newest);
        newest.reverse();
        assert_eq!((newest, pages), (oldest, dates.len().div_ceil(limit)), "{limit}");
        let (since, until) = (Some(Timestamp(3)), Some(Timestamp(5)));
        let within = ListFilter { since, until, ..filter.clone() };
        assert_eq!(paged(&running, &within, Order::Oldest).0, [3, 4, 4, 5, 5, 5], "{limit}");
        assert_eq!(paged(&running, &within, Order::Newest).0, [5, 5, 5, 4, 4, 3], "{limit}");
        let until_late = ListFilter { since: Some(Timestamp(9)), until: Some(Timestamp(late[1])), ..filter.clone() };
        assert_eq!(paged(&running, &until_late, Order::Newest).0, [late[1], late[0], 20, 9], "{limit}");
        let by = ListFilter { who: Some("dove".into()), until, ..filter };
        assert_eq!(paged(&running, &by, Order::Oldest).0, [2, 4, 4, 5, 5], "{limit}");
    }
    let nothing = ListFilter { limit: 5, since: Some(Timestamp(8)), until: Some(Timestamp(7)), ..Default::default() };
    assert_eq!(paged(&running, &nothing, Order::Newest), (vec![], 1));
}

#[test]
fn a_page_costs_no_more_where_little_matches() {
    let disk = Disk::new();
    let running = disk.open();
    let many: Vec<_> = (1..=30_000).map(|at| say(at, if at == 17 { "dove" } else { "hawk" }, "hello")).collect();
    running.keep(&many);
    let filter = ListFilter { limit: 10, who: Some("dove".into()), ..ListFilter::default() };
    let page = running.store.page(running.home, &filter, Order::Newest, None).unwrap();
    assert!(page.rows.is_empty() && page.next.is_some(), "{page:?}");
    assert_eq!(paged(&running, &filter, Order::Newest), (vec![17], 2));
    assert_eq!(paged(&running, &filter, Order::Oldest), (vec![17], 2));
    assert_eq!(running.store.list(running.home, &filter).unwrap().len(), 1, "a list looks at all");
}

#[test]
fn words_are_found_wherever_they_are_in_a_msg() {
    let disk = Disk::new();
    let running = disk.open();
    running.keep(&[
        say(1, "dove", "The printer is out of paper"),
        say(2, "dove", "Out of office; the paper says hello"),
        say(3, "hawk", "Äpfel, straße, 東京"),
    ]);
    let mut text = "word ".repeat(30_000);
    text.insert_str(100_000, "unseen ");
    text.insert_str(1000, "needle ");
    running.author(&say(4, "dove", &text));
    indexed(&running);
    for (words, expected) in [
        ("printer", &[1][..]),
        ("PAPER", &[1, 2]),
        ("paper hello", &[2]),
        ("\"out of paper\"", &[1]),
        ("pap* print*", &[1]),
        ("apfel", &[3]),
        ("straße", &[3]),
        ("東京", &[3]),
        ("needle", &[4]),
        ("unseen", &[]),
        ("printer AND paper", &[]),
        ("msg:paper) OR \"", &[]),
        ("paper\" printer", &[1]),
    ] {
        assert_eq!(found(&running, words), expected, "{words}");
    }
    let by = ListFilter { words: Words::new("word* OR"), limit: 1, ..ListFilter::default() };
    assert!(running.store.page(running.home, &by, Order::Newest, None).unwrap().rows.is_empty());
    let by = ListFilter { words: Words::new("paper"), limit: 1, ..ListFilter::default() };
    assert_eq!(paged(&running, &by, Order::Newest), (vec![2, 1], 2));
    assert_eq!(paged(&running, &by, Order::Oldest), (vec![1, 2], 2));
    let by = ListFilter { since: Some(Timestamp(2)), limit: 10, ..by };
    assert_eq!(paged(&running, &by, Order::Oldest), (vec![2], 1));
    let work = running.store.network("work").unwrap();
    assert!(running.store.list(work, &by).unwrap().is_empty(), "each network has its own");
}

#[test]
fn the_index_goes_on_where_it_stood_and_a_store_without_one_gets_one() {
    let disk = Disk::new();
    let many: Vec<_> = (1..=2000).map(|at| say(at, "dove", &format!("number{at}"))).collect();
    let running = disk.open();
    running.keep(&many[..1000]);
    indexed(&running);
    running.keep(&many[1000..]);
    drop(running);
    let running = disk.open();
    indexed(&running);
    assert_eq!((found(&running, "number7"), found(&running, "number1999")), (vec![7], vec![1999]));
    drop(running);
    let db = Connection::open(disk.path()).unwrap();
    db.execute_batch(
        "DROP TABLE search; DROP TABLE request; DROP TABLE aside; DROP TABLE silence; DROP INDEX gossip_decree;
         DROP INDEX gossip_key; CREATE UNIQUE INDEX gossip_key ON gossip (network, date_time, guid);
         PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(db);
    let running = disk.open();
    assert!(running.store.notes().is_empty(), "{:?}", running.store.notes());
    indexed(&running);
    assert_eq!(found(&running, "number1234"), [1234]);
    assert_eq!(running.store.totals(running.home).unwrap().complete, 2000);
}

#[test]
fn a_damaged_index_is_made_anew_and_no_record_is_in_danger() {
    let disk = Disk::new();
    let running = disk.open();
    let gossips: Vec<_> = (1..=50).map(|at| say(at, "dove", &format!("number{at}"))).collect();
    running.keep(&gossips);
    indexed(&running);
    drop(running);
    let db = Connection::open(disk.path()).unwrap();
    db.execute_batch("UPDATE search_data SET block = x'00ff00ff' WHERE id > 10;").unwrap();
    drop(db);
    let running = disk.open();
    let filter = ListFilter { words: Words::new("number7"), ..ListFilter::default() };
    let damage = running.store.list(running.home, &filter).unwrap_err();
    assert!(!damage.is_damage(), "{damage:?}");
    until(|| running.store.list(running.home, &filter).is_ok_and(|rows| rows.len() == 1));
    assert_eq!(running.keys().len(), 50);
    drop(running);
    assert!(disk.open().store.notes().is_empty());
    assert_eq!(disk.names().iter().filter(|name| name.contains("corrupt")).count(), 0);
}

#[test]
fn a_deleted_record_leaves_the_index_too() {
    let disk = Disk::new();
    let running = disk.open();
    let gossips = [say(1, "dove", "first words"), say(2, "dove", "second words")];
    running.keep(&gossips);
    indexed(&running);
    drop(running);
    let db = Connection::open(disk.path()).unwrap();
    db.execute("UPDATE gossip SET msg = 'changed words' WHERE date_time = 2", []).unwrap();
    drop(db);
    let running = disk.open();
    assert!(matches!(running.load(Load::Record(gossips[1].key())), Loaded::Bad(_)));
    // The next has the number of the one that was deleted.
    running.keep(&[say(3, "dove", "third words")]);
    indexed(&running);
    assert_eq!(
        (found(&running, "second"), found(&running, "third"), found(&running, "words")),
        (vec![], vec![3], vec![1, 3])
    );
}
