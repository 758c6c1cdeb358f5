//! Stories of large ledgers on real disks and sockets: the cost of agreeing is the size of the difference.

use gossip_node::api::{RegisterRequest, Status, WaitQuery};
use gossip_node::config::{Home, Network, ServerFile};
use gossip_node::daemon::Daemon;
use gossip_node::proto::fact::Fact;
use gossip_node::proto::gossip::{Gossip, Guid, Kind};
use gossip_node::proto::seal::Secret;
use gossip_node::proto::time::Timestamp;
use gossip_node::store::Store;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::path::Path;

const RECORDS: u64 = 100_000;

fn old(number: u64) -> Gossip {
    let msg = format!("what was said as number {number}, long before this test: {number:0>150}");
    Gossip::make(Kind::Message, Timestamp(1_600_000_000_000_000 + number), Guid([9; 16]), "elder", msg.into()).unwrap()
}

/// A home whose node already holds these records.
fn home(dir: &Path, number: u8, records: &[Range<u64>]) -> Home {
    let home = Home::new(dir.join(number.to_string()));
    home.create().unwrap();
    let mut file = ServerFile::new(Guid::random([number; 16]), &format!("node-{number}"));
    (file.ip, file.port) = (Ipv4Addr::LOCALHOST.into(), 0);
    file.networks = vec![Network::new("large", Secret([7; 32]))];
    file.save(&home.server_json()).unwrap();
    let store = Store::open(&home.gossip_db()).unwrap();
    let network = store.network("large").unwrap();
    store.spawn(Box::new(|_| ()), Box::new(|_| ())).unwrap();
    records.iter().flat_map(Clone::clone).for_each(|number| store.submit(network, Fact::Gossip(old(number))));
    store.close();
    home
}

async fn in_sync(daemon: &Daemon, records: u64) -> Status {
    let query = WaitQuery { gossip: Some(records), in_sync: true, timeout_ms: 120_000, ..WaitQuery::default() };
    let waited = daemon.handle().wait(query).await.unwrap();
    assert!(waited.holds, "{waited:?}");
    daemon.handle().status(None, 1).await.unwrap()
}

async fn register(daemon: &Daemon, with: &Daemon) {
    let request = RegisterRequest { address: with.addr().to_string(), timeout_ms: 10_000 };
    daemon.handle().register(None, request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_differences_in_a_hundred_thousand_are_one_datagram_and_a_newcomer_gets_all() {
    let homes = tempfile::tempdir().unwrap();
    let (first, second) = (0..RECORDS - 5, 5..RECORDS);
    let all = RECORDS;
    let a = Daemon::start(home(homes.path(), 1, &[first])).await.unwrap();
    let b = Daemon::start(home(homes.path(), 2, &[second])).await.unwrap();
    register(&b, &a).await;
    let (of_a, of_b) = (in_sync(&a, all).await, in_sync(&b, all).await);
    assert_eq!(of_a.network.root, of_b.network.root);
    let sum = |counter: &str| of_a.stats[counter] + of_b.stats[counter];
    assert_eq!(sum("did_you_here_sent"), 1, "ten differences, one digest");
    assert_eq!(sum("symbols_sent") + sum("holding_sent"), 0);
    assert_eq!(sum("records_received_new"), 10);

    let c = Daemon::start(home(homes.path(), 3, &[])).await.unwrap();
    register(&c, &a).await;
    let of_c = in_sync(&c, all).await;
    assert_eq!(of_c.network.root, of_a.network.root);
    assert_eq!(of_c.stats["records_received_new"], all);
    assert!(of_c.stats["records_received_duplicate"] < all / 100, "and hardly anything twice");

    // All stop and start again: equal stores exchange no digest and fetch nothing.
    for daemon in [a, b, c] {
        daemon.handle().stop();
        daemon.stopped().await.unwrap();
    }
    let start = |number: u8| Daemon::start(Home::new(homes.path().join(number.to_string())));
    let (a, b) = (start(1).await.unwrap(), start(2).await.unwrap());
    register(&b, &a).await;
    for status in [in_sync(&a, all).await, in_sync(&b, all).await] {
        assert_eq!(status.network.root, of_a.network.root);
        assert_eq!(status.stats["did_you_here_sent"] + status.stats["tell_me_more_sent"], 0);
    }
}
