//! Requests that may come again are known for a day, however many there are.

use super::*;
use crate::store::Request;

const HOUR: u64 = 3_600_000_000;

fn named(at: u64) -> Authored {
    let request = Request { name: format!("request {at}"), asked: [1; 32] };
    Authored { gossip: gossip(at, format!("message {at}")), request: Some(request) }
}

#[test]
fn a_request_is_known_for_a_day_and_not_much_longer() {
    let disk = Disk::new();
    let running = disk.open();
    let known = |at: u64| running.store.requested(running.home, &format!("request {at}")).unwrap();
    let all: Vec<Authored> = (0..5000).map(named).collect();
    running.store.author(running.home, all.clone());
    running.receipts(all.len());
    running.store.author(running.home, vec![named(23 * HOUR)]);
    running.receipts(1);
    assert!(all.iter().all(|one| known(one.gossip.head().date_time().0) == Some(([1; 32], one.gossip.key()))));
    let later: Vec<Authored> = (0..2000).map(|n| named(25 * HOUR + n)).collect();
    running.store.author(running.home, later);
    running.receipts(2000);
    assert_eq!((0..5000).find(|at| known(*at).is_some()), None, "they take no room any more");
    assert!(known(23 * HOUR).is_some() && known(25 * HOUR).is_some());
}
