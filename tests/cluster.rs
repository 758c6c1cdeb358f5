//! Stories of several real daemons: they meet, they agree, they survive.
#![cfg(feature = "cli")]

#[path = "common/cluster.rs"]
mod cluster;

use cluster::{Cluster, NETWORK, Node, block_on, eventually, init, random_text};
use gossip_node::api::Reach;
use std::time::Duration;

#[test]
fn five_nodes_agree_a_sixth_catches_up_and_a_power_cut_takes_nothing() {
    let mut cluster = Cluster::of(5);
    let mut guids = cluster.add_many(1000, 200);
    let long = random_text(42, 4 << 20);
    let long_guid = cluster.nodes[3].add_stdin(&long);
    guids.push(long_guid.clone());
    let root = cluster.agree_on(1001);
    for node in &cluster.nodes {
        assert!(node.output(["read", &long_guid, "--raw"]) == long, "{}", node.home.display());
    }

    // The sixth knows one node, and nobody asks it for anything.
    let seed = cluster.nodes[4].address();
    let home = cluster.dir().join("late");
    init(&home, NETWORK, "correct horse battery staple");
    cluster::gossip_node(&home).args(["init", "--set", &format!("seeds.0={seed}")]).assert().success();
    cluster.start(Node::new(home)).wait(&["--peers", "5", "--gossip", "1001", "--in-sync"]);
    assert_eq!(cluster.agree_on(1001), root);
    assert!(cluster.nodes[5].output(["read", &long_guid, "--raw"]) == long);
    guids.sort();
    let mut held = cluster.nodes[5].guids();
    held.sort();
    assert_eq!(held, guids);

    // What others created is on disk within 100 ms: that is the promise, so that long is waited.
    std::thread::sleep(Duration::from_millis(100));
    cluster.nodes.iter_mut().for_each(Node::kill);
    cluster.nodes.iter_mut().for_each(Node::start_again);
    for node in &cluster.nodes {
        assert_eq!(node.holds(), (1001, root.clone()));
    }
    cluster.wait_all(&["--peers", "5", "--in-sync"]);
    for node in &cluster.nodes {
        assert_eq!(node.stat("records_received_new"), 0, "nothing was left to fetch");
        assert_eq!(node.stat("fragments_received"), 0);
    }
}

#[test]
fn a_node_killed_while_it_adds_keeps_every_guid_that_was_printed() {
    let mut cluster = Cluster::of_strangers(1);
    let client = cluster.nodes[0].client();
    let (sender, added) = std::sync::mpsc::channel();
    let adding = std::thread::spawn(move || {
        block_on(async {
            for number in 0.. {
                match client.add(None, format!("record {number}").into()).await {
                    Ok(added) => sender.send(added.guid).unwrap(),
                    Err(_) => return,
                }
            }
        });
    });
    let mut printed: Vec<String> = added.iter().take(100).collect();
    cluster.nodes[0].kill();
    adding.join().unwrap();
    printed.extend(added.iter());
    cluster.nodes[0].start_again();
    let held = cluster.nodes[0].guids();
    assert!(printed.iter().all(|guid| held.contains(guid)));
    assert!(held.len() <= printed.len() + 1, "at most the one that was under way is there besides");
    assert_eq!(cluster.nodes[0].holds().0, held.len() as u64);
}

#[test]
fn a_goodbye_is_heard_and_the_way_back_is_short() {
    let mut cluster = Cluster::of(3);
    assert_eq!(cluster.nodes[2].stop("TERM").code(), Some(0));
    assert!(std::fs::symlink_metadata(cluster.nodes[2].home.join("control.sock")).is_err());
    let guid = cluster.nodes[0].add("while you were away");
    let left = |node: &Node| node.network().peers.iter().any(|peer| peer.name == "n3" && peer.reach == Reach::Left);
    for node in &cluster.nodes[..2] {
        eventually("the others know that it left", || left(node));
    }
    cluster.nodes[2].start_again();
    cluster.nodes[2].wait(&["--peers", "2", "--gossip", "1", "--in-sync"]);
    assert_eq!(cluster.nodes[2].guids(), [guid]);
}

#[test]
fn registering_says_what_came_of_it() {
    let mut cluster = Cluster::of_strangers(2);
    let others =
        [("other-password", NETWORK, "another"), ("other-network", "elsewhere", "correct horse battery staple")];
    for (name, network, password) in others {
        let home = cluster.dir().join(name);
        init(&home, network, password);
        cluster.start(Node::new(home));
    }
    let first = &cluster.nodes[0];
    let registered = first.json(["register", &cluster.nodes[1].address()]);
    assert_eq!(registered["name"], "n2");
    assert_eq!(registered["network_name"], NETWORK);
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for address in [nobody, cluster.nodes[2].address(), cluster.nodes[3].address()] {
        let failed = first.command(["register", &address, "--timeout", "1s"]).assert().code(6);
        let talk = String::from_utf8(failed.get_output().stderr.clone()).unwrap();
        assert!(talk.contains("password") && talk.contains(&address), "{talk}");
    }
    // There it shows that somebody knocks.
    let found = cluster.nodes[2].command(["doctor"]).output().unwrap().stdout;
    assert!(String::from_utf8_lossy(&found).contains("no key of this node opens"), "{found:?}");
    let itself = first.command(["register", &first.address()]).assert().code(2);
    assert!(String::from_utf8_lossy(&itself.get_output().stderr).contains("this very node"));
    let peers = first.network().peers;
    assert_eq!(peers.iter().map(|peer| peer.name.as_str()).collect::<Vec<_>>(), ["n2"]);
}

#[test]
fn statuses_have_what_scripts_rely_on() {
    let cluster = Cluster::of(2);
    let guid = cluster.nodes[1].add("hello");
    cluster.agree_on(1);
    let status = cluster.nodes[0].json(["status"]);
    let keys = |value: &serde_json::Value| {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys.join(" ")
    };
    assert_eq!(keys(&status), "gossip network stats");
    assert_eq!(
        keys(&status["network"]),
        "clock discovery gossip_count http ip network_name node_guid node_name other_networks other_nodes other_versions peers place port retention root send_rate splits version"
    );
    let peer = &status["network"]["peers"][0];
    for key in "guid name ip port network_name last_update reach rtt_ms gossip_count root in_sync".split(' ') {
        assert!(peer.get(key).is_some(), "{key} in {peer}");
    }
    assert_eq!((&peer["reach"], &peer["in_sync"]), (&"reachable".into(), &true.into()));
    assert_eq!(peer["guid"], cluster.nodes[1].ready["node_guid"]);
    assert_eq!(peer["port"].to_string(), cluster.nodes[1].address().rsplit_once(':').unwrap().1);
    let gossip = &status["gossip"];
    for key in "network_name count complete incomplete bytes root reachable_peers in_sync_peers gossip".split(' ') {
        assert!(gossip.get(key).is_some(), "{key} in {gossip}");
    }
    let record = &gossip["gossip"][0];
    assert_eq!(keys(record), "complete date_doubtful date_time guid kind len origin received sha2 who_name");
    assert_eq!((record["guid"].as_str(), record["who_name"].as_str()), (Some(guid.as_str()), Some("n2")));
    assert_eq!(record["sha2"], "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    assert_eq!(gossip["root"], status["network"]["root"]);

    let text = String::from_utf8(cluster.nodes[0].output(["status"])).unwrap();
    assert!(
        text.contains("all is well: in sync with 1 reachable peer")
            && text.contains("n2")
            && text.contains("2cf24dba5fb0"),
        "{text}"
    );
}

#[test]
fn waiting_ends_with_what_was_asked_or_with_the_time() {
    let cluster = Cluster::of_strangers(2);
    let node = &cluster.nodes[0];
    node.command(["wait", "--in-sync", "--timeout", "200ms"]).assert().code(6);
    node.command(["wait", "--peers", "1", "--timeout", "200ms"]).assert().code(6);
    node.command(["wait", "--peers", "0", "--gossip", "0", "--timeout", "0"]).assert().code(0);
    node.register(&cluster.nodes[1]);
    let waited = node.json(["wait", "--peers", "1", "--in-sync", "--timeout", "60s"]);
    assert_eq!(waited["holds"], true);
    node.command(["wait", "--gossip", "1", "--timeout", "200ms"]).assert().code(6);
}

#[test]
fn the_demo_ends_with_equal_nodes() {
    let dir = tempfile::tempdir().unwrap();
    let output = cluster::gossip_node(dir.path()).args(["demo", "--once", "--nodes", "3", "--json"]).assert().code(0);
    let demo: serde_json::Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(demo["equal"], true);
    assert_eq!(demo["nodes"].as_array().unwrap().len(), 3);
    assert!(demo["nodes"].as_array().unwrap().iter().all(|node| node["gossip_count"] == 20 && node["equal"] == true));
    let text =
        cluster::gossip_node(dir.path()).args(["demo", "--once", "--nodes", "2", "--records", "3"]).assert().code(0);
    let text = String::from_utf8(text.get_output().stdout.clone()).unwrap();
    assert!(text.contains("node-2 registered with node-1") && text.contains("equal"), "{text}");
}
