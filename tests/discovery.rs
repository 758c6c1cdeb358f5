//! Daemons that find each other: nobody says an address to any of them. On loopback, and, where `.ci/namespaces` runs them,
//! on hosts of their own.
#![cfg(all(feature = "cli", target_os = "linux"))]
#![expect(clippy::disallowed_methods, reason = "how long real processes take is what is measured")]

#[path = "common/cluster.rs"]
mod cluster;
#[path = "common/lan.rs"]
mod lan;

use cluster::{Cluster, NETWORK, Node, eventually, init_with};
use gossip_node::api::{NetworkStatus, Reach};
use gossip_node::proto::limits::{BEACON_ANSWERS, BEACON_SIZE, REGISTER_SIZE};
use lan::Lan;
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

const PASSWORD: &str = "correct horse battery staple";
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 103, 110);

/// A port that nobody has, as far as that can be known.
fn free_port() -> u16 {
    UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port()
}

/// A daemon on loopback that discovers at this port.
fn start<'a>(cluster: &'a mut Cluster, password: &str, discovery_port: u16) -> &'a Node {
    let home = cluster.dir().join(format!("n{}", cluster.nodes.len() + 1));
    let port = format!("discovery_port={discovery_port}");
    let more = ["--bind", "127.0.0.1:0", "--set", "discovery=true", "--set", &port];
    init_with(&home, NETWORK, password, &more);
    cluster.start(Node::new(home))
}

fn reached(status: &NetworkStatus) -> usize {
    status.peers.iter().filter(|peer| peer.reach == Reach::Reachable).count()
}

fn namesakes(node: &Node) -> Vec<String> {
    node.network().discovery.unwrap().namesakes.into_iter().map(|namesake| namesake.ip).collect()
}

#[test]
fn daemons_of_one_network_find_each_other_and_notice_who_has_another_password() {
    let (mut cluster, port) = (Cluster::of_strangers(0), free_port());
    for _ in 0..3 {
        start(&mut cluster, PASSWORD, port);
    }
    cluster.wait_all(&["--peers", "2"]);
    start(&mut cluster, "another", port);
    let (stranger, others) = cluster.nodes.split_last().unwrap();
    for node in others {
        eventually("the stranger is noticed", || !namesakes(node).is_empty());
        let text = String::from_utf8(node.output(["status"])).unwrap();
        assert!(text.contains("a host at 127.0.0.1 has a network of this name and another password"), "{text}");
        assert_eq!(reached(&node.network()), 2);
        let told = String::from_utf8(node.command(["doctor"]).output().unwrap().stdout).unwrap();
        assert!(
            told.contains("problem  password   127.0.0.1: a network of the name test with another password"),
            "{told}"
        );
    }
    eventually("it notices them", || namesakes(stranger) == ["127.0.0.1"]);
    assert!(stranger.network().peers.is_empty());
    let log = std::fs::read_to_string(stranger.home.with_extension("log")).unwrap();
    assert_eq!(log.matches("another password").count(), 1, "{log}");
}

#[test]
fn on_loopback_nobody_is_looked_for_unless_that_is_asked_for() {
    let cluster = Cluster::of_strangers(1);
    let status = cluster.nodes[0].network();
    assert_eq!((status.discovery, status.peers), (None, vec![]));
}

/// Somebody without the key at the discovery port, who hears all and can say what he heard from any address.
struct Recorder {
    ear: UdpSocket,
    port: u16,
    heard: Vec<[u8; BEACON_SIZE]>,
}

impl Recorder {
    fn new(port: u16) -> Recorder {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into()).unwrap();
        socket.join_multicast_v4(&GROUP, &Ipv4Addr::LOCALHOST).unwrap();
        socket.set_read_timeout(Some(cluster::PATIENCE)).unwrap();
        Recorder { ear: socket.into(), port, heard: Vec::new() }
    }

    /// Waits until it heard so many different beacons.
    fn hear(&mut self, count: usize) {
        while self.heard.len() < count {
            let mut bytes = [0; BEACON_SIZE + 1];
            let (len, _) = self.ear.recv_from(&mut bytes).unwrap();
            let beacon = bytes[..len].try_into().unwrap();
            if !self.heard.contains(&beacon) {
                self.heard.push(beacon);
            }
        }
    }

    fn say(&self, beacon: &[u8], from: Ipv4Addr) {
        let mouth = UdpSocket::bind((from, 0)).unwrap();
        let mouth = Socket::from(mouth);
        mouth.set_multicast_if_v4(&from).unwrap();
        mouth.send_to(beacon, &SocketAddr::from((GROUP, self.port)).into()).unwrap();
    }
}

#[test]
fn recorded_beacons_make_a_daemon_send_next_to_nothing() {
    const RECORDED: usize = 2 * BEACON_ANSWERS;
    let (mut cluster, port) = (Cluster::of_strangers(0), free_port());
    let mut recorder = Recorder::new(port);
    start(&mut cluster, PASSWORD, port);
    let at: SocketAddr = cluster.nodes[0].address().parse().unwrap();
    recorder.hear(1);
    for count in 2..=RECORDED {
        cluster.nodes[0].kill();
        cluster.nodes[0].start_again();
        recorder.hear(count);
    }
    cluster.nodes[0].kill();

    // Who was not there before cannot know that they are old.
    start(&mut cluster, PASSWORD, port);
    eventually("it listens", || cluster.nodes[1].network().discovery.unwrap().listens);
    let began = Instant::now();
    let source = |number: usize| Ipv4Addr::new(127, 0, 7, number as u8 + 1);
    let victims: Vec<UdpSocket> =
        (0..RECORDED).map(|number| UdpSocket::bind((source(number), at.port())).unwrap()).collect();
    for round in 0..3 {
        for (number, beacon) in recorder.heard.iter().enumerate() {
            recorder.say(beacon, source((number + round) % RECORDED));
        }
    }
    let counts = || cluster.nodes[1].network().discovery.unwrap().counts;
    eventually("all of it was heard", || {
        let counts = counts();
        counts["answered"] + counts["budget"] + counts["source"] + counts["replay"] >= 3 * RECORDED as u64
    });
    let took = began.elapsed().as_secs() as usize + 1;
    let mut all = 0;
    for victim in victims {
        victim.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let mut bytes = [0; 1500];
        let mut came = Vec::new();
        while let Ok(len) = victim.recv(&mut bytes) {
            came.push(len);
        }
        assert!(came.len() <= 1 && came.iter().all(|len| *len == REGISTER_SIZE), "{came:?} to one that said nothing");
        all += came.len();
    }
    println!("{RECORDED} recordings, each from 3 addresses: {all} REGISTERs, {:?}", counts());
    assert!(0 < all && all <= BEACON_ANSWERS * took && all <= RECORDED, "{all}");
    assert_eq!(counts()["answered"], all as u64);
    assert!(cluster.nodes[1].network().peers.is_empty(), "nothing is believed of a beacon");
}

// ---- on hosts of their own ----

/// A home as `init` makes it, and a daemon on a host.
fn run_on(lan: &Lan, host: usize, cluster: &mut Cluster, password: &str, more: &[&str]) {
    let home = cluster.dir().join(format!("host-{}", host + 1));
    init_with(&home, NETWORK, password, more);
    cluster.start(Node::within(home, lan.hosts[host].pid()));
}

#[test]
#[ignore = "needs root, iproute2 and iptables: .ci/namespaces runs it"]
fn three_hosts_need_no_address_and_a_fourth_with_another_password_is_noticed() {
    let (lan, mut cluster) = (Lan::of(4), Cluster::of_strangers(0));
    for host in 0..3 {
        run_on(&lan, host, &mut cluster, PASSWORD, &[]);
    }
    let began = Instant::now();
    cluster.wait_all(&["--peers", "2"]);
    let took = began.elapsed();
    println!("three hosts all reach each other {took:?} after the last was ready");
    assert!(took <= Duration::from_secs(3), "beacons are lost or not answered at once: {took:?}");

    run_on(&lan, 3, &mut cluster, "another", &[]);
    let (stranger, others) = cluster.nodes.split_last().unwrap();
    for node in others {
        eventually("the stranger is noticed", || namesakes(node) == [Lan::address(3)]);
        assert_eq!(reached(&node.network()), 2);
    }
    eventually("it notices them", || namesakes(stranger).len() == 3);
    assert!(stranger.network().peers.is_empty());
    // Both sides are told so by the doctor, with what to do.
    for node in &cluster.nodes {
        let output = node.command(["doctor"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let told = text.lines().find(|line| line.starts_with("problem  password")).unwrap_or_else(|| panic!("{text}"));
        assert!(
            told.contains("a network of the name test with another password") && told.contains("10.77.0."),
            "{text}"
        );
        assert!(text.contains("type the password again on the wrong host"), "{text}");
        assert_eq!(output.status.code(), Some(1), "{text}");
    }
}

#[test]
#[ignore = "needs root, iproute2 and iptables: .ci/namespaces runs it"]
fn hosts_with_nothing_but_addresses_of_the_link_find_each_other() {
    let (lan, mut cluster) = (Lan::of(3), Cluster::of_strangers(0));
    for host in 0..3 {
        lan.hosts[host].ip(&format!("addr del {}/24 dev eth0\n", Lan::address(host)));
        run_on(&lan, host, &mut cluster, PASSWORD, &["--bind", "[::]:6884"]);
    }
    cluster.wait_all(&["--peers", "2"]);
    for node in &cluster.nodes {
        let status = node.network();
        assert!(status.peers.iter().all(|peer| peer.ip.starts_with("fe80::")), "{status:#?}");
        assert!(status.discovery.unwrap().heard.iter().all(|heard| heard.ip.contains('%')));
    }
    cluster.nodes[0].add("over the link");
    cluster.agree_on(1);
}

#[test]
#[ignore = "needs root, iproute2 and iptables: .ci/namespaces runs it"]
fn a_host_that_is_plugged_in_later_is_found() {
    let (lan, mut cluster) = (Lan::of(2), Cluster::of_strangers(0));
    lan.hosts[1].ip("link set eth0 down\n");
    for host in 0..2 {
        run_on(&lan, host, &mut cluster, PASSWORD, &[]);
    }
    assert!(cluster.nodes[1].network().discovery.unwrap().sources.is_empty());
    lan.hosts[1].ip("link set eth0 up\n");
    let began = Instant::now();
    cluster.wait_all(&["--peers", "1"]);
    println!("two hosts reach each other {:?} after the cable was plugged in", began.elapsed());
}

#[test]
fn a_daemon_that_is_given_the_others_password_is_found_under_it() {
    let (mut cluster, port) = (Cluster::of_strangers(0), free_port());
    start(&mut cluster, PASSWORD, port);
    start(&mut cluster, "another", port);
    let [one, other] = &cluster.nodes[..] else { unreachable!() };
    eventually("it is taken for a namesake", || !namesakes(one).is_empty());
    let add = ["keys", "add", "--password-stdin"];
    one.command(add).write_stdin("another").assert().success();
    one.output(["keys", "use"]);
    cluster.wait_all(&["--peers", "1"]);
    assert_eq!((reached(&one.network()), reached(&other.network())), (1, 1));
}
