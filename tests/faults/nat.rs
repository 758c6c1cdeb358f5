//! Daemons behind a router that rewrites addresses, forgets what it rewrote, and then chooses other ports.

use crate::cluster::{Cluster, NETWORK, Node, eventually, init_with};
use crate::lan::Namespace;
use crate::report;
use gossip_node::api::Reach;
use std::time::Instant;

/// Two hosts on the outside, and two behind a router with one address, as most homes have it.
struct Nat {
    outside: Namespace,
    router: Namespace,
    inside: Vec<Namespace>,
}

impl Nat {
    fn new() -> Nat {
        let (outside, router) = (Namespace::new(), Namespace::new());
        outside.ip(&format!(
            "link add eth0 type veth peer name out netns {}\naddr add 10.78.0.1/24 dev eth0\n\
             addr add 10.78.0.3/24 dev eth0\nlink set lo up\nlink set eth0 up\n",
            router.pid()
        ));
        router.ip("addr add 10.78.0.2/24 dev out\nlink set lo up\nlink set out up\n");
        let plug = |host: usize| {
            let namespace = Namespace::new();
            router.ip(&format!(
                "link add in{host} type veth peer name eth0 netns {}\naddr add 192.168.{host}.1/24 dev in{host}\n\
                 link set in{host} up\n",
                namespace.pid()
            ));
            namespace.ip(&format!(
                "addr add 192.168.{host}.2/24 dev eth0\nlink set lo up\nlink set eth0 up\n\
                 route add default via 192.168.{host}.1\n"
            ));
            namespace
        };
        let inside = (0..2).map(plug).collect();
        let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward";
        assert!(router.enter().args(["sh", "-c", forward]).status().unwrap().success());
        let nat = Nat { outside, router, inside };
        // Nobody outside reaches an address inside that is not rewritten.
        nat.rule("-t nat -A POSTROUTING -o out -p udp -j MASQUERADE --random-fully");
        nat.rule("-A FORWARD -i out -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT");
        nat.rule("-A FORWARD -i out -j DROP");
        nat
    }

    fn rule(&self, rule: &str) {
        let status = self.router.enter().args(["iptables", "-w"]).args(rule.split(' ')).status().unwrap();
        assert!(status.success(), "{rule}");
    }

    /// The router's line is cut for a moment, with which it forgets all that it rewrote: from now on it chooses other ports.
    fn rebind(&self) {
        self.router.ip("link set out down\nlink set out up\n");
    }
}

/// Waits until all hold the same. Those inside never hear each other, so they do not know that they do.
fn agree_on(cluster: &Cluster, count: u64) {
    cluster.wait_all(&["--gossip", &count.to_string()]);
    let all: Vec<_> = cluster.nodes.iter().map(Node::holds).collect();
    assert!(all.iter().all(|held| *held == (count, all[0].1.clone())), "{all:?}");
}

#[test]
#[ignore = "needs root, iproute2 and iptables: .ci/faults runs it"]
fn hosts_behind_a_router_that_forgets_their_ports_miss_nothing() {
    let nat = Nat::new();
    let mut cluster = Cluster::of_strangers(0);
    let places = [(&nat.outside, "10.78.0.1"), (&nat.outside, "10.78.0.3")];
    let places = places.into_iter().chain(nat.inside.iter().zip(["192.168.0.2", "192.168.1.2"]));
    for (number, (namespace, address)) in places.enumerate() {
        let home = cluster.dir().join(format!("n{}", number + 1));
        init_with(&home, NETWORK, "correct horse battery staple", &["--bind", &format!("{address}:6884")]);
        cluster.start(Node::within(home, namespace.pid()));
    }
    for node in &cluster.nodes[1..] {
        node.register(&cluster.nodes[0]);
    }
    // What those inside say to each other comes by the others.
    cluster.nodes[..2].iter().for_each(|node| node.wait(&["--peers", "3"]));
    let inside: Vec<String> =
        cluster.nodes[2..].iter().map(|node| node.ready["node_guid"].as_str().unwrap().to_owned()).collect();
    let ports = |node: &Node| -> Vec<String> {
        let peers = node.network().peers.into_iter();
        let peers = peers.filter(|peer| inside.contains(&peer.guid) && peer.reach == Reach::Reachable);
        peers.map(|peer| format!("{}:{}", peer.ip, peer.port)).collect()
    };
    let (mut said, mut slowest, mut moved) = (0, 0, 0);
    for round in 0..3 {
        for node in &cluster.nodes {
            node.add(&format!("round {round}"));
            said += 1;
        }
        agree_on(&cluster, said);
        let before = ports(&cluster.nodes[0]);
        assert!(before.len() == 2 && before.iter().all(|address| address.starts_with("10.78.0.2:")), "{before:?}");
        nat.rebind();
        let began = Instant::now();
        for node in &cluster.nodes {
            node.add(&format!("after the router forgot, round {round}"));
            said += 1;
        }
        agree_on(&cluster, said);
        slowest = slowest.max(began.elapsed().as_millis() as u64);
        eventually("they are reached at other ports", || {
            let now = ports(&cluster.nodes[0]);
            now.len() == 2 && now.iter().all(|address| !before.contains(address))
        });
        moved += 2;
    }
    report(
        "nat",
        serde_json::json!({ "rebindings": moved, "records": said, "lost": 0, "slowest_agreement_ms": slowest }),
    );
}
