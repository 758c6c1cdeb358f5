//! Stories of a sketch that is built while records come and go.

use super::*;
use crate::proto::decree::Terms;
use crate::proto::seal::Secret;

fn key(n: u8) -> NetworkKey {
    NetworkKey::new(&Secret([n; 32]))
}

/// Record number `n` of some; their GUIDs are spread evenly.
fn record(n: u32) -> Line {
    let mut guid = [1; 16];
    guid[..4].copy_from_slice(&n.wrapping_mul(0x9e37_79b1).to_be_bytes());
    let key = Key { date_time: Timestamp(u64::from(n)), guid: Guid(guid) };
    Line { key, origin: Guid([7; 16]), decree: None }
}

fn ledger(records: u32) -> Ledger {
    let mut ledger = Ledger::new(&key(1));
    (0..records).for_each(|n| assert!(ledger.insert(record(n))));
    ledger
}

#[test]
fn a_sketch_that_is_built_meanwhile_is_the_one_of_a_ledger_that_always_had_its_key() {
    let mut built = ledger(10_000);
    built.begin(&key(2));
    assert!(built.sketch_under(key(2).key_id()).is_none() && built.is_building());
    let mut next = 10_000;
    while built.build() {
        built.check();
        // On both sides of where it stands, as their GUIDs are spread.
        for _ in 0..700 {
            assert!(built.insert(record(next)));
            assert!(built.remove(record(next - 10_000).key.guid));
            next += 1;
        }
        built.check();
        built.prefer(key(2).key_id());
        assert_eq!(built.sketch_under(key(2).key_id()).is_some(), !built.is_building());
    }
    assert!(next > 13_000, "it took several steps");
    let mut always = Ledger::new(&key(2));
    (next - 10_000..next).for_each(|n| assert!(always.insert(record(n))));
    assert_eq!(built.state(), always.state(), "whole, it could be preferred");
    let symbols = |ledger: &Ledger| ledger.sketch().symbols_at(ledger.sketch().change(), 0..ledger.sketch().prefix());
    assert_eq!(symbols(&built), symbols(&always));
    let mut claims = built.claims();
    assert!(claims.all(|claim| claim.key == key(1).key_id() || always.equals(claim)));
}

#[test]
fn a_sketch_grows_while_it_is_built_and_after() {
    let mut grown = ledger(100);
    grown.begin(&key(2));
    while grown.build() {}
    (100..9000).for_each(|n| assert!(grown.insert(record(n))));
    grown.begin(&key(3));
    grown.build();
    (9000..20_000).for_each(|n| assert!(grown.insert(record(n))));
    grown.check();
    while grown.build() {}
    grown.check();
    assert_eq!(grown.claims().count(), 3);
    for n in [2, 3] {
        let mut always = Ledger::new(&key(n));
        (0..20_000).for_each(|n| assert!(always.insert(record(n))));
        let (grown, always) = (grown.sketch_under(key(n).key_id()).unwrap(), always.sketch());
        assert_eq!((grown.prefix(), grown.root()), (always.prefix(), always.root()));
        let symbols = |sketch: &Sketch| sketch.symbols_at(sketch.change(), 0..sketch.prefix());
        assert_eq!(symbols(grown), symbols(always));
    }
}

#[test]
fn a_change_names_one_set_however_often_its_key_comes_and_goes() {
    let mut ledger = ledger(50);
    let id = key(2).key_id();
    let mut last = 0;
    for round in 0..3 {
        ledger.begin(&key(2));
        while ledger.build() {}
        let sketch = ledger.sketch_under(id).unwrap();
        assert!(sketch.change() > last && (round == 0 || sketch.estimator_at(last).is_none()));
        last = sketch.change();
        ledger.drop_key(id);
        assert!(ledger.sketch_under(id).is_none());
    }
}

#[test]
fn claims_are_compared_under_their_own_key() {
    let (mut ours, mut theirs) = (ledger(100), Ledger::new(&key(2)));
    (0..100).for_each(|n| assert!(theirs.insert(record(n))));
    let claim = theirs.claims().next().unwrap();
    assert!(!ours.equals(claim), "nothing is known of it yet");
    ours.begin(&key(2));
    while ours.build() {}
    assert!(ours.equals(claim));
    assert!(!ours.equals(Claim { key: key(1).key_id(), ..claim }));
    ours.remove(record(7).key.guid);
    assert!(!ours.equals(claim));
}

fn line(at: u64, guid: u8, origin: u8) -> Line {
    let key = Key { date_time: Timestamp(at), guid: Guid([guid; 16]) };
    Line { key, origin: Guid([origin; 16]), decree: None }
}

#[test]
fn what_was_taken_in_can_be_taken_out_and_leaves_nothing_behind() {
    let mut ledger = Ledger::new(&key(7));
    let empty = ledger.state();
    let settings = Line { decree: Some(Decree::Settings(Terms::default())), ..line(9, 4, 1) };
    let all = [line(5, 1, 1), line(7, 2, 1), line(3, 3, 2), settings];
    assert!(all.into_iter().all(|line| ledger.insert(line)));
    assert!(!ledger.insert(all[0]), "it is there");
    assert_eq!(ledger.lines().collect::<Vec<_>>(), all);
    assert_eq!(ledger.messages_of(&Guid([1; 16])), 2, "a decree is no message");
    assert_eq!(ledger.newest_of(&Guid([1; 16])), Some(Timestamp(7)));
    ledger.check();
    assert!(all.into_iter().all(|line| ledger.remove(line.key.guid)));
    assert!(!ledger.remove(all[0].key.guid));
    assert_eq!((ledger.state(), ledger.newest_of(&Guid([1; 16]))), (empty, None));
    assert!(ledger.insert(line(1, 9, 9)));
    assert_eq!(ledger.lines().next(), Some(line(1, 9, 9)), "the place of a former origin is used again");
    ledger.check();
}
