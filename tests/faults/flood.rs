//! Datagrams of strangers and recordings, as many as the machine can send, while honest nodes work.

use crate::cluster::{Cluster, Node, block_on};
use crate::watch::Watch;
use crate::{amount, chance, report};
use bytes::BytesMut;
use gossip_node::config::ServerFile;
use gossip_node::proto::limits::{HEADER, MIN_MAX_DATAGRAM, REGISTER_SIZE, TAG};
use gossip_node::proto::seal::{Header, NetworkKey, Secret};
use gossip_node::proto::stats::Rejected;
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt};
use serde_json::{Value, json};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a node may grow by.
const GROWTH: u64 = 16 << 20;

/// The key of the network that a node is in.
fn key_of(node: &Node) -> NetworkKey {
    NetworkKey::new(&ServerFile::load(&node.home.join("server.json")).unwrap().file.networks[0].network_key)
}

/// A datagram of any kind with random content, sealed.
fn sealed(key: &NetworkKey, kind: u8, len: usize, chance: &mut ChaCha8Rng) -> BytesMut {
    let header =
        Header { kind, src_session: chance.random(), dst_session: 0, counter: chance.random_range(1..1 << 20) };
    let (mut datagram, mut body) = (BytesMut::new(), vec![0; len.saturating_sub(HEADER + TAG)]);
    chance.fill_bytes(&mut body);
    key.seal(&header, &mut datagram, |out| out.extend_from_slice(&body));
    datagram
}

/// A socket that nobody here reads but to count what is sent to it.
fn deaf() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

/// Bytes that came back.
fn sent_back(socket: &UdpSocket) -> u64 {
    let mut buffer = [0; 2048];
    std::iter::from_fn(|| socket.recv(&mut buffer).ok()).map(|len| len as u64).sum()
}

/// One sort of what a flood is made of.
struct Sort {
    name: &'static str,
    datagrams: Vec<Vec<u8>>,
    socket: UdpSocket,
    /// Datagrams and bytes to the victim, and bytes that came back.
    sent: u64,
    bytes: u64,
    back: u64,
}

/// All sorts. `recorded` is what a member once said to the victim.
fn sorts(victim: &Node, recorded: Vec<Vec<u8>>, chance: &mut ChaCha8Rng) -> Vec<Sort> {
    let (key, other) = (key_of(victim), NetworkKey::new(&Secret([9; 32])));
    let mut some =
        |make: &mut dyn FnMut(&mut ChaCha8Rng) -> Vec<u8>| (0..512).map(|_| make(chance)).collect::<Vec<_>>();
    let mut garbage = |len: usize| {
        some(&mut |chance| {
            let mut bytes = vec![0; len];
            chance.fill_bytes(&mut bytes);
            bytes
        })
    };
    let (short, long) = (garbage(64), garbage(MIN_MAX_DATAGRAM));
    let lens = [HEADER + TAG, 64, REGISTER_SIZE, MIN_MAX_DATAGRAM];
    let forged = some(&mut |chance| {
        let (kind, len) = (chance.random_range(1..=15), lens[chance.random_range(0..lens.len())]);
        let mut datagram = sealed(&key, kind, len, chance);
        *datagram.last_mut().unwrap() ^= 1;
        datagram.into()
    });
    let elsewhere = some(&mut |chance| sealed(&other, chance.random_range(1..=15), REGISTER_SIZE, chance).into());
    let all = [
        ("garbage of 64 bytes", short),
        ("garbage of 1,200 bytes", long),
        ("unauthenticated", forged),
        ("of another network", elsewhere),
        ("recorded", recorded),
    ];
    all.into_iter()
        .map(|(name, datagrams)| Sort { name, datagrams, socket: deaf(), sent: 0, bytes: 0, back: 0 })
        .collect()
}

/// Sends all sorts in turn, as fast as it goes, until it is told that it is over.
fn flood(mut sorts: Vec<Sort>, to: SocketAddr, over: Arc<AtomicBool>) -> JoinHandle<Vec<Sort>> {
    let run = move || {
        for turn in 0_usize.. {
            if over.load(Ordering::Relaxed) {
                break;
            }
            for sort in &mut sorts {
                for shift in 0..16 {
                    let datagram = &sort.datagrams[(turn * 16 + shift) % sort.datagrams.len()];
                    if sort.socket.send_to(datagram, to).is_ok() {
                        sort.sent += 1;
                        sort.bytes += datagram.len() as u64;
                    }
                }
                sort.back += sent_back(&sort.socket);
            }
        }
        std::thread::sleep(Duration::from_millis(500));
        sorts.iter_mut().for_each(|sort| sort.back += sent_back(&sort.socket));
        sorts
    };
    std::thread::spawn(run)
}

/// The same in trains of 50 by one call of the kernel, and only what a stranger can make.
fn flood_by_trains(sorts: &[Sort], to: SocketAddr, span: Duration) -> (u64, u64) {
    let state = UdpSocketState::new(UdpSockRef::from(&sorts[1].socket)).unwrap();
    let train: Vec<u8> = sorts[1].datagrams.iter().take(50).flatten().copied().collect();
    let (began, mut sent, mut back) = (Instant::now(), 0, 0);
    while began.elapsed() < span {
        let segment_size = Some(MIN_MAX_DATAGRAM);
        let transmit = Transmit { destination: to, ecn: None, contents: &train, segment_size, src_ip: None };
        sent += 50 * u64::from(state.try_send(UdpSockRef::from(&sorts[1].socket), &transmit).is_ok());
        back += sent_back(&sorts[1].socket);
    }
    (sent, back)
}

/// What a member says to the victim, through somebody who listens.
fn recorded(cluster: &mut Cluster) -> Vec<Vec<u8>> {
    let victim: SocketAddr = cluster.nodes[0].address().parse().unwrap();
    let (front, back) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let address = front.local_addr().unwrap().to_string();
    back.connect(victim).unwrap();
    for socket in [&front, &back] {
        socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    }
    let over = Arc::new(AtomicBool::new(false));
    let listening = std::thread::spawn({
        let over = over.clone();
        move || {
            let (mut all, mut member, mut buffer) = (Vec::new(), None, [0; 2048]);
            while !over.load(Ordering::Relaxed) {
                if let Ok((len, from)) = front.recv_from(&mut buffer) {
                    member = Some(from);
                    all.push(buffer[..len].to_vec());
                    let _ = back.send(&buffer[..len]);
                }
                if let (Ok(len), Some(member)) = (back.recv(&mut buffer), member) {
                    let _ = front.send_to(&buffer[..len], member);
                }
            }
            all
        }
    });
    cluster.join();
    let member = cluster.nodes.pop().unwrap();
    member.output(["register", &address, "--timeout", "60s"]);
    for number in 0..100 {
        member.add(&format!("recorded {number}"));
    }
    member.wait(&["--gossip", "100", "--in-sync"]);
    over.store(true, Ordering::Relaxed);
    let all = listening.join().unwrap();
    let mut member = member;
    member.kill();
    assert!(all.len() > 100, "{}", all.len());
    all
}

/// Bytes in memory.
pub fn memory(node: &Node) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// How it is to be a member: how long a record takes to all, how long the API, and the most memory of the victim.
struct Service {
    convergence: Vec<Duration>,
    api: Vec<Duration>,
    memory: u64,
}

impl Service {
    /// Uses the cluster for so long.
    fn of(cluster: &Cluster, watch: &mut Watch, span: Duration) -> Service {
        let (over, client) = (Arc::new(AtomicBool::new(false)), cluster.nodes[0].client());
        let asking = std::thread::spawn({
            let over = over.clone();
            move || {
                let mut took = Vec::new();
                block_on(async {
                    for turn in 0.. {
                        if over.load(Ordering::Relaxed) {
                            break;
                        }
                        let began = Instant::now();
                        match turn % 3 {
                            0 => drop(client.status_network().await.unwrap()),
                            1 => drop(client.list(Default::default()).await.unwrap()),
                            _ => drop(client.node().await.unwrap()),
                        }
                        took.push(began.elapsed());
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                });
                took
            }
        });
        let (began, mut convergence, mut most) = (Instant::now(), Vec::new(), 0);
        while began.elapsed() < span {
            let client = cluster.nodes[1 + convergence.len() % 2].client();
            let added = watch.run(client.add(None, format!("honest {began:?} {}", convergence.len()).into())).unwrap();
            let answered = Instant::now();
            let last = watch.until("it is everywhere", |watch| watch.is_at(&added.guid, cluster.nodes.len()));
            convergence.push(last.saturating_duration_since(answered));
            most = most.max(memory(&cluster.nodes[0]));
            watch.watch_for(Duration::from_millis(50));
        }
        over.store(true, Ordering::Relaxed);
        let mut api = asking.join().unwrap();
        convergence.sort();
        api.sort();
        Service { convergence, api, memory: most }
    }

    fn counts(&self) -> Value {
        json!({ "records": self.convergence.len(), "convergence_p50_ms": millis(&self.convergence, 50),
            "convergence_p99_ms": millis(&self.convergence, 99), "asked": self.api.len(), "api_p50_ms": millis(&self.api, 50),
            "api_p99_ms": millis(&self.api, 99), "rss_mib": self.memory >> 20 })
    }
}

/// A percentile of what is sorted.
fn millis(all: &[Duration], percent: usize) -> f64 {
    let at = all[(all.len() * percent / 100).min(all.len() - 1)];
    at.as_micros() as f64 / 1000.0
}

#[test]
#[ignore = "takes all of the machine: .ci/faults runs it alone"]
fn a_flood_of_strangers_and_recordings_is_silence_and_honest_nodes_go_on() {
    let (span, mut chance) = (Duration::from_secs(amount("FAULTS_FLOOD", 10)), chance());
    let mut cluster = Cluster::of(3);
    let recorded = recorded(&mut cluster);
    cluster.wait_all(&["--gossip", "100", "--in-sync"]);
    let victim: SocketAddr = cluster.nodes[0].address().parse().unwrap();
    let mut watch = Watch::over(&cluster.nodes);
    Service::of(&cluster, &mut watch, Duration::from_secs(3));
    let quiet = Service::of(&cluster, &mut watch, Duration::from_secs(10).min(span));
    let rejected = |node: &Node| {
        let stats = node.json(["status", "--limit", "1"])["stats"].clone();
        Rejected::ALL.iter().map(|cause| stats[cause.name()].as_u64().unwrap()).sum::<u64>()
    };
    let (over, before) = (Arc::new(AtomicBool::new(false)), rejected(&cluster.nodes[0]));
    let flooding = flood(sorts(&cluster.nodes[0], recorded, &mut chance), victim, over.clone());
    let began = Instant::now();
    let flooded = Service::of(&cluster, &mut watch, span);
    over.store(true, Ordering::Relaxed);
    let sorts = flooding.join().unwrap();
    let seconds = began.elapsed().as_secs_f64();
    let read = rejected(&cluster.nodes[0]) - before;
    let sent: u64 = sorts.iter().map(|sort| sort.sent).sum();
    let (by_trains, back) = flood_by_trains(&sorts, victim, span.min(Duration::from_secs(60)));
    std::thread::sleep(Duration::from_millis(500));
    let back = back + sent_back(&sorts[1].socket);
    let growth = flooded.memory.max(memory(&cluster.nodes[0])).saturating_sub(quiet.memory);
    let of_sorts: Vec<Value> = (sorts.iter())
        .map(|sort| json!({ "sort": sort.name, "datagrams": sort.sent, "bytes": sort.bytes, "bytes_back": sort.back }))
        .collect();
    report(
        "flood",
        json!({ "seconds": seconds.round(), "datagrams": sent, "datagrams_a_second": (sent as f64 / seconds).round(),
            "read_and_rejected": read, "sorts": of_sorts, "quiet": quiet.counts(), "flooded": flooded.counts(),
            "rss_growth_kib": growth >> 10, "by_trains": by_trains, "bytes_back_by_trains": back }),
    );
    for sort in &sorts {
        let most = if sort.name == "recorded" { sort.bytes } else { 0 };
        assert!(sort.back <= most, "{}: {} bytes came back for {}", sort.name, sort.back, sort.bytes);
    }
    assert_eq!(back, 0);
    assert!(read > sent / 100, "the flood reached it: {read} of {sent}");
    assert!(growth <= GROWTH, "{growth} bytes more");
    assert!(millis(&flooded.api, 99) <= 50.0, "the API takes {} ms", millis(&flooded.api, 99));
    // Where a quiet network is done in a few milliseconds, three times that is less than what a busy scheduler takes.
    let most = 3.0 * millis(&quiet.convergence, 99).max(10.0);
    assert!(millis(&flooded.convergence, 99) <= most, "{} ms instead of {most}", millis(&flooded.convergence, 99));
    cluster.wait_all(&["--peers", "2", "--in-sync"]);
}

#[test]
fn nothing_that_an_unproven_address_sends_is_answered_by_more_bytes() {
    let (cluster, mut chance) = (Cluster::of(2), chance());
    let node = &cluster.nodes[0];
    let (key, to) = (key_of(node), node.address());
    let (mut answered, mut worst) = (0, 0.0_f64);
    for kind in 0..=32 {
        let (socket, mut sent, mut back) = (deaf(), 0, 0);
        for len in (HEADER + TAG..=MIN_MAX_DATAGRAM).step_by(48) {
            let mut datagram = sealed(&key, kind, len, &mut chance);
            sent += socket.send_to(&datagram, &to).unwrap() as u64;
            // As one of a session that it does not know.
            let header = Header { kind, src_session: chance.random(), dst_session: chance.random(), counter: 1 };
            datagram.clear();
            key.seal(&header, &mut datagram, |out| out.resize(len - TAG, 0));
            sent += socket.send_to(&datagram, &to).unwrap() as u64;
            std::thread::sleep(Duration::from_millis(5));
            back += sent_back(&socket);
            assert!(back <= sent, "kind {kind}: {back} bytes for {sent}");
        }
        std::thread::sleep(Duration::from_millis(20));
        back += sent_back(&socket);
        answered += usize::from(back > 0);
        worst = worst.max(back as f64 / sent as f64);
        assert!(back <= sent, "kind {kind}: {back} bytes for {sent}");
    }
    report("amplification", json!({ "kinds": 33, "kinds_answered": answered, "most_bytes_out_for_one_in": worst }));
    assert!(answered > 0, "members without a session are challenged, so something was looked at");
}
