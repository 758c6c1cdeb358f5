//! A node inside another program: what `gossip_node::Daemon` promises to who builds on it.

use gossip_node::config::{Home, Profile};
use gossip_node::proto::node::Node;
use gossip_node::proto::seal::Secret;
use gossip_node::{
    BuildError, Builder, Cursor, Daemon, Error, Handle, Query, Received, Since, StartError, Subscription,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);
/// Between two tries.
const TICK: Duration = Duration::from_millis(10);

/// A node of the network of these tests, on loopback, at any port.
fn node(name: &str) -> Builder {
    let builder = Daemon::builder().network("home").key(Secret([7; 32])).bind((Ipv4Addr::LOCALHOST, 0)).name(name);
    builder.configure(|file| file.profile = Profile::Fast)
}

async fn next(subscription: &mut Subscription) -> Received {
    let next = tokio::time::timeout(SOON, subscription.next()).await.expect("a record in time");
    next.expect("the node runs").expect("the disk reads")
}

/// What is said next, and so on.
async fn texts(subscription: &mut Subscription, count: usize) -> (Vec<String>, Cursor) {
    let (mut texts, mut cursor) = (Vec::new(), None);
    for _ in 0..count {
        let received = next(subscription).await;
        texts.push(received.record.msg);
        cursor = Some(received.cursor);
    }
    (texts, cursor.expect("there is one at least"))
}

async fn meet(one: &Handle, other: &Daemon) {
    let met = one.register(other.addr().to_string(), SOON).await.unwrap();
    assert_eq!(met.network_name, "home");
}

/// All files in a directory and below.
fn files(dir: &Path) -> BTreeSet<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return BTreeSet::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { BTreeSet::from([path]) }).collect()
}

#[tokio::test]
async fn two_in_one_process_share_a_record_and_know_each_other() {
    let nas = node("nas").in_memory().start().await.unwrap();
    let desk = node("desk").in_memory().start().await.unwrap();
    let mut arriving = desk.handle().subscribe(Since::Now).await.unwrap();
    meet(&desk.handle(), &nas).await;
    let guid = nas.handle().add_as("cron", "the backup is done").await.unwrap();
    let received = next(&mut arriving).await;
    assert_eq!((received.record.guid, &*received.record.msg), (guid, "the backup is done"));
    assert_eq!(
        (&*received.record.who_name, received.record.origin),
        ("cron", nas.handle().get(guid).await.unwrap().unwrap().origin)
    );
    assert_eq!(desk.handle().get(guid).await.unwrap(), Some(received.record.clone()));
    nas.handle().wait_in_sync(SOON).await.unwrap();
    desk.handle().wait_in_sync(SOON).await.unwrap();
    let peers = desk.handle().peers().await.unwrap();
    assert_eq!(peers.iter().map(|peer| &*peer.name).collect::<Vec<_>>(), ["nas"]);
    let status = desk.handle().status().await.unwrap();
    assert_eq!((status.gossip.complete, status.gossip.in_sync_peers), (1, 1));
    // A message of many pieces, too.
    let long = "long ".repeat(60_000);
    nas.handle().add(long.clone()).await.unwrap();
    assert_eq!(next(&mut arriving).await.record.msg, long);
}

#[tokio::test]
async fn a_subscriber_that_restarts_misses_nothing_and_is_told_nothing_twice() {
    let place = tempfile::tempdir().unwrap();
    let home = place.path().join("desk");
    let nas = node("nas").in_memory().start().await.unwrap();
    let desk = node("desk").home(&home).seed(nas.addr().to_string()).start().await.unwrap();
    let mut arriving = desk.handle().subscribe(Since::All).await.unwrap();
    for number in 0..5 {
        nas.handle().add(format!("early {number}")).await.unwrap();
    }
    // It deals with two of them, and is gone: what it read ahead counts for nothing.
    let (early, cursor) = texts(&mut arriving, 2).await;
    let kept = serde_json::to_string(&cursor).unwrap();
    desk.handle().wait_in_sync(SOON).await.unwrap();
    desk.leave().await.unwrap();
    assert!(arriving.next().await.is_none_or(|read_ahead| read_ahead.is_ok()));
    for number in 0..5 {
        nas.handle().add(format!("late {number}")).await.unwrap();
    }
    let desk = node("desk").home(&home).start().await.unwrap();
    let cursor: Cursor = serde_json::from_str(&kept).unwrap();
    let mut arriving = desk.handle().subscribe(Since::After(cursor)).await.unwrap();
    let (late, last) = texts(&mut arriving, 8).await;
    let all: BTreeSet<&String> = early.iter().chain(&late).collect();
    assert_eq!(all.len(), 10, "{early:?} {late:?}");
    // At the end there is nothing, until there is.
    let mut behind = desk.handle().subscribe(Since::After(last)).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(50), behind.next()).await.is_err());
    desk.handle().add("the latest").await.unwrap();
    assert_eq!(next(&mut behind).await.record.msg, "the latest");
    assert_eq!(next(&mut arriving).await.record.msg, "the latest");
}

#[tokio::test]
async fn dropping_it_frees_port_and_home_and_ends_its_subscriptions() {
    let place = tempfile::tempdir().unwrap();
    let home = place.path().join("nas");
    let nas = node("nas").home(&home).start().await.unwrap();
    let (addr, handle) = (nas.addr(), nas.handle());
    let guid = handle.add("kept").await.unwrap();
    let mut arriving = handle.subscribe(Since::Now).await.unwrap();
    assert!(Home::new(home.clone()).is_in_use());
    let again = node("nas").home(&home).start().await.unwrap_err();
    assert!(matches!(again, BuildError::Start(StartError::Locked { .. })), "{again}");
    drop(nas);
    assert!(tokio::time::timeout(SOON, arriving.next()).await.unwrap().is_none());
    let free = || UdpSocket::bind(addr).is_ok() && !Home::new(home.clone()).is_in_use();
    let freed = async {
        while !free() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, freed).await.expect("port and home are free");
    // Whoever still holds a handle is told.
    let refused = [
        handle.add("too late").await.map(drop),
        handle.get(guid).await.map(drop),
        handle.list(Query::default()).await.map(drop),
        handle.subscribe(Since::Now).await.map(drop),
        handle.peers().await.map(drop),
        handle.leave().await.map(drop),
    ];
    for refused in refused {
        let error = refused.unwrap_err();
        assert!(matches!(error, Error::Refused(_)) && error.to_string().contains("stopping"), "{error}");
    }
    let nas = node("nas").home(&home).bind(addr).start().await.unwrap();
    assert_eq!(nas.handle().get(guid).await.unwrap().unwrap().msg, "kept");
}

/// The runtime of whoever embeds it may go without a word.
#[test]
fn it_ends_with_the_runtime_that_it_was_started_in() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let daemon = first.block_on(node("nas").home(&home).start()).unwrap();
    let guid = first.block_on(daemon.handle().add("before the runtime went")).unwrap();
    let address = daemon.addr();
    drop(first);
    drop(daemon);
    // Its thread says goodbye, closes the store, and only then gives the home away.
    runtime().block_on(async {
        let again = async {
            loop {
                match node("nas").home(&home).bind(address).start().await {
                    Ok(again) => return again,
                    Err(BuildError::Start(StartError::Locked { .. })) => tokio::time::sleep(TICK).await,
                    Err(other) => panic!("{other}"),
                }
            }
        };
        let again = tokio::time::timeout(SOON, again).await.expect("home and port are free");
        assert!(again.handle().get(guid).await.unwrap().is_some());
    });
}

#[tokio::test]
async fn one_in_memory_leaves_no_file() {
    let before: BTreeSet<PathBuf> = homes();
    let node = node("nas").in_memory().start().await.unwrap();
    node.handle().add("gone with the node").await.unwrap();
    // Others of these tests come and go meanwhile: theirs may be among these, and go like ours.
    let ours: Vec<PathBuf> = homes().difference(&before).cloned().collect();
    assert!(!ours.is_empty() && ours.iter().any(|dir| !files(dir).is_empty()), "{ours:?}");
    let address = node.addr();
    node.leave().await.unwrap();
    assert!(UdpSocket::bind(address).is_ok(), "the port is free");
    let gone = async {
        while ours.iter().any(|dir| dir.exists()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, gone).await.expect("all homes in memory are gone");
}

/// Directories of nodes in memory that there are now.
fn homes() -> BTreeSet<PathBuf> {
    let there = ["/dev/shm".into(), std::env::temp_dir()].into_iter();
    let entries = there.filter_map(|dir| std::fs::read_dir(dir).ok()).flatten().flatten();
    let named =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("gossip-node-"));
    entries.map(|entry| entry.path()).filter(named).collect()
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Limit {
    service: String,
    requests_a_second: u32,
}

#[tokio::test]
async fn payloads_have_types_and_others_are_an_error_not_a_panic() {
    let nas = node("nas").in_memory().start().await.unwrap();
    let limit = Limit { service: "billing".into(), requests_a_second: 50 };
    let guid = nas.handle().add_json(&limit).await.unwrap();
    assert_eq!(nas.handle().get(guid).await.unwrap().unwrap().json::<Limit>().unwrap(), limit);
    let other = nas.handle().add("fifty").await.unwrap();
    let error = nas.handle().get(other).await.unwrap().unwrap().json::<Limit>().unwrap_err();
    assert!(matches!(error, Error::Payload(_)), "{error}");
    for wrong in ["", &"x".repeat((16 << 20) + 1)] {
        assert!(nas.handle().add(wrong).await.is_err());
    }
    assert!(nas.handle().add_as("a\u{202E}b", "x").await.is_err());
}

#[tokio::test]
async fn a_goodbye_is_known() {
    let nas = node("nas").in_memory().start().await.unwrap();
    let desk = node("desk").in_memory().start().await.unwrap();
    meet(&desk.handle(), &nas).await;
    nas.handle().wait_in_sync(SOON).await.unwrap();
    let left = desk.leave().await.unwrap();
    assert_eq!((left.told, left.heard), (1, 1));
    let known = async {
        loop {
            let peers = nas.handle().peers().await.unwrap();
            if peers.iter().all(|peer| peer.reach == gossip_node::api::Reach::Left) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // Whoever says nothing is unreachable in the end, and never known as left.
    tokio::time::timeout(SOON, known).await.expect("it is known as left");
}

#[tokio::test]
async fn pages_go_through_all_from_either_end_and_are_bounded_by_bytes() {
    let nas = node("nas").in_memory().start().await.unwrap();
    let gossip = nas.handle();
    for number in 0..7 {
        gossip.add_as(if number % 2 == 0 { "even" } else { "odd" }, format!("number {number}")).await.unwrap();
    }
    let all = async |mut query: Query| {
        let mut pages = Vec::new();
        loop {
            let listed = gossip.list(query).await.unwrap();
            pages.push(listed.records.iter().map(|record| record.msg.chars().last().unwrap()).collect::<String>());
            let Some(next) = listed.next else { return pages.concat() };
            query = next;
        }
    };
    assert_eq!(all(Query { limit: 3, ..Query::default() }).await, "0123456");
    assert_eq!(all(Query { limit: 1, newest_first: true, ..Query::default() }).await, "6543210");
    assert_eq!(all(Query { who_name: Some("odd".into()), ..Query::default() }).await, "135");
    assert_eq!(all(Query { contains: Some("NUMBER 4".into()), ..Query::default() }).await, "4");
    for _ in 0..3 {
        gossip.add("x".repeat(9 << 20)).await.unwrap();
    }
    let long = Query { contains: Some("xxx".into()), ..Query::default() };
    let first = gossip.list(long.clone()).await.unwrap();
    assert!(first.records.len() == 2 && first.next.is_some(), "a page of 18 MiB is a page");
    assert_eq!(all(long).await, "xxx");
    for limit in [0, 1001] {
        assert!(gossip.list(Query { limit, ..Query::default() }).await.is_err());
    }
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_said_before_anything_is_taken() {
    let place = tempfile::tempdir().unwrap();
    let home = place.path().join("nas");
    let said = async |builder: Builder| builder.start().await.unwrap_err().to_string();
    assert!(said(Daemon::builder().in_memory()).await.contains("which network"));
    assert!(said(Daemon::builder().password("x").network("home").in_memory()).await.contains("before it"));
    assert!(said(Daemon::builder().network("home").in_memory()).await.contains("no password"));
    assert!(said(Daemon::builder().network("home").password("").in_memory()).await.contains("empty"));
    assert!(said(node("nas")).await.contains(".in_memory()"));
    assert!(said(node("nas").home(&home).seed("nowhere")).await.contains("seeds.0"));
    let renamed = node("nas").home(&home).configure(|file| file.networks[0].network_name = "work".to_owned());
    assert!(said(renamed).await.contains("no network \"home\""));
    assert!(!home.join("server.json").exists(), "nothing wrong is written");
    let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let refused = said(node("nas").home(&home).bind(taken.local_addr().unwrap())).await;
    assert!(refused.contains("cannot bind UDP"), "{refused}");
    // A home keeps its name and its key.
    let first = node("nas").home(&home).start().await.unwrap();
    let guid = first.handle().add("here").await.unwrap();
    first.leave().await.unwrap();
    let other = Daemon::builder().network("home").password("another").home(&home).bind((Ipv4Addr::LOCALHOST, 0));
    assert!(matches!(other.start().await.unwrap_err(), BuildError::OtherKey { network, .. } if network == "home"));
    let again = node("nas").home(&home).start().await.unwrap();
    assert_eq!(again.handle().get(guid).await.unwrap().unwrap().origin.to_string(), {
        let file = gossip_node::config::ServerFile::load(&home.join("server.json")).unwrap().file;
        file.node_guid.to_string()
    });
}

#[tokio::test]
async fn one_node_is_in_several_networks_and_a_password_is_a_key() {
    let builder = node("nas").network("work").key(Secret::derive("work", b"battery staple")).in_memory();
    let nas = builder.start().await.unwrap();
    let work = Daemon::builder().network("work").password("battery staple").bind((Ipv4Addr::LOCALHOST, 0));
    let desk = work.name("desk").in_memory().start().await.unwrap();
    let at_work = nas.network("work").unwrap();
    assert_eq!((nas.handle().network_name(), at_work.network_name()), ("home", "work"));
    at_work.register(desk.addr().to_string(), SOON).await.unwrap();
    let mut arriving = desk.handle().subscribe(Since::All).await.unwrap();
    nas.handle().add("for home").await.unwrap();
    at_work.add("for work").await.unwrap();
    assert_eq!(next(&mut arriving).await.record.msg, "for work");
    assert!(nas.network("elsewhere").is_err());
}

#[test]
fn all_of_it_goes_from_thread_to_thread_and_shows_itself() {
    fn goes<T: Send + Sync + std::fmt::Debug + 'static>() {}
    goes::<Daemon>();
    goes::<Handle>();
    goes::<Subscription>();
    goes::<Error>();
    goes::<BuildError>();
    goes::<Node>();
    fn moves<T: Send + 'static>(_: T) {}
    moves(Daemon::builder().start());
}

// ---- what it costs to take it in ----

/// Crates that a program takes in with `default-features = false`, ours not counted.
const CRATES: usize = 75;

#[test]
fn without_features_it_takes_in_few_crates() {
    let tree = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--no-default-features", "--edges", "normal", "--prefix", "none"])
        .args(["--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let line = |line: &str| line.trim_end_matches(" (*)").trim_end_matches(" (proc-macro)").to_owned();
    let crates: BTreeSet<String> = tree.lines().map(line).filter(|name| !name.starts_with("gossip-node ")).collect();
    println!("{} crates: {}", crates.len(), crates.iter().cloned().collect::<Vec<_>>().join(", "));
    assert!(crates.len() <= CRATES, "{} crates, more than {CRATES}: is all of it needed? {crates:#?}", crates.len());
    for heavy in ["axum ", "clap ", "hyper ", "utoipa ", "tracing-subscriber "] {
        assert!(!crates.iter().any(|name| name.starts_with(heavy)), "{heavy}");
    }
}
