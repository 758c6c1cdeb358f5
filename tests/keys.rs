//! Changing the password of daemons that are at work, and daemons that are in several networks.
#![cfg(feature = "cli")]

#[path = "common/cluster.rs"]
mod cluster;

use cluster::{Cluster, NETWORK, Node, block_on, eventually, gossip_node, init, init_with};
use gossip_node::api::{Keys, NetworkStatus};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

const OLD: &str = "correct horse battery staple";
const NEW: &str = "wrong donkey charger paperclip";

/// Exit code, standard output and standard error of a command about a home.
fn run(home: &Path, args: &[&str], stdin: &str) -> (i32, String, String) {
    let output = gossip_node(home).args(args).write_stdin(stdin).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// What a command that must succeed prints as JSON.
fn json(home: &Path, args: &[&str], stdin: &str) -> Value {
    let (code, data, talk) = run(home, &[args, &["--json"]].concat(), stdin);
    assert_eq!(code, 0, "{args:?}: {talk}");
    serde_json::from_str(&data).unwrap()
}

fn keys(node: &Node) -> Keys {
    serde_json::from_value(json(&node.home, &["keys", "list"], "")).unwrap()
}

fn server_json(home: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(home.join("server.json")).unwrap()).unwrap()
}

/// Adds records through all nodes, one after the other, until it is told to stop.
struct Writing {
    over: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<u64>,
}

impl Writing {
    fn start(cluster: &Cluster) -> Writing {
        let clients: Vec<_> = cluster.nodes.iter().map(Node::client).collect();
        let over = Arc::new(AtomicBool::new(false));
        let told = over.clone();
        let thread = std::thread::spawn(move || {
            block_on(async {
                let mut count = 0;
                while !told.load(Ordering::Relaxed) {
                    let client = &clients[count as usize % clients.len()];
                    client.add(None, format!("record {count}").into()).await.unwrap();
                    count += 1;
                }
                count
            })
        });
        Writing { over, thread }
    }

    fn stop(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

#[test]
fn three_daemons_change_their_password_while_records_are_added() {
    let mut cluster = Cluster::of(3);
    let writing = Writing::start(&cluster);
    let before = keys(&cluster.nodes[0]).keys.remove(0).key_id;
    for node in &cluster.nodes {
        let (code, data, talk) = run(&node.home, &["keys", "add", "--password-stdin"], NEW);
        assert_eq!(code, 0, "{talk}");
        assert!(data.contains("seals and opens") && talk.contains("keys use") && !(data + &talk).contains(NEW));
    }
    let after = keys(&cluster.nodes[0]).keys.remove(1);
    assert!(!after.primary && after.added.is_some() && after.key_id != before);
    assert_eq!(run(&cluster.nodes[0].home, &["keys", "add", "--password-stdin"], NEW).0, 4, "it is there already");

    // Two of three use it: the third, which does not, is not to be shut out.
    for node in &cluster.nodes[..2] {
        let used: Keys = serde_json::from_value(json(&node.home, &["keys", "use"], "")).unwrap();
        assert!(used.keys[0].primary && used.keys[0].key_id == after.key_id);
    }
    let users = |node: &Node, key: &str| -> Vec<String> {
        let ring = keys(node);
        let key = ring.keys.iter().find(|other| other.key_id == key).unwrap();
        key.used_by.iter().map(|user| user.name.clone()).collect()
    };
    eventually("it is seen who uses which", || users(&cluster.nodes[0], &after.key_id) == ["n2"]);
    assert_eq!(users(&cluster.nodes[0], &before), ["n3"]);
    let (code, _, talk) = run(&cluster.nodes[0].home, &["keys", "remove", &before], "");
    assert_eq!(code, 4, "{talk}");
    assert!(talk.contains("n3 last used this key") && talk.contains("keys use"), "{talk}");
    let (code, _, talk) = run(&cluster.nodes[0].home, &["keys", "remove", &after.key_id], "");
    assert_eq!(code, 4, "the key that seals is never removed: {talk}");
    let text = String::from_utf8(cluster.nodes[0].output(["keys", "list"])).unwrap();
    assert!(text.contains(&before) && text.contains("n3"), "{text}");

    json(&cluster.nodes[2].home, &["keys", "use", &after.key_id[..3]], "");
    for node in &cluster.nodes {
        eventually("nobody uses the old one", || users(node, &before).is_empty());
        let left: Keys = serde_json::from_value(json(&node.home, &["keys", "remove"], "")).unwrap();
        assert_eq!(left.keys.iter().map(|key| key.key_id.as_str()).collect::<Vec<_>>(), [after.key_id.as_str()]);
    }
    let count = writing.stop();
    cluster.agree_on(count);
    assert!(cluster.nodes.iter().all(|node| node.stat("rejected_key_id") == 0));

    // It is in the file, for the owner alone, and holds after a restart; what the old password opened is gone.
    for node in &cluster.nodes {
        let file = server_json(&node.home);
        assert!(file["networks"][0]["other_keys"].is_null() && file["networks"][0]["added"].is_string());
        let mode = std::fs::metadata(node.home.join("server.json")).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let log = std::fs::read_to_string(node.home.with_extension("log")).unwrap();
        let key = file["networks"][0]["network_key"].as_str().unwrap();
        assert!(!log.contains(NEW) && !log.contains(key));
    }
    cluster.nodes[1].stop("TERM");
    cluster.nodes[1].start_again();
    cluster.wait_all(&["--peers", "2"]);
    let (code, ..) = {
        let home = cluster.dir().join("late");
        init(&home, NETWORK, OLD);
        let late = cluster.start(Node::new(home));
        let address = late.address();
        let (first, late) = (cluster.nodes[0].address(), cluster.nodes.last().unwrap());
        assert_ne!(address, first);
        run(&late.home, &["register", &first, "--timeout", "1s"], "")
    };
    assert_eq!(code, 6);
    // The API says no in the same words, and shows no key.
    let first = &cluster.nodes[0];
    let post = |body: &str| {
        let len = body.len();
        let head = "POST /api/v1/keys HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n";
        first.http(format!("{head}Content-Length: {len}\r\n\r\n{body}").as_bytes())
    };
    for (body, status) in [
        (r#"{"password":""}"#, 400),
        (r#"{"password":31415926535}"#, 400),
        (r#"{"password":["31415926535"]}"#, 400),
        (r#"{"pasword":"31415926535"}"#, 400),
        (r#"{"password":"31415926535"}"#, 200),
    ] {
        let (code, answer) = post(body);
        assert_eq!(code, status, "{answer}");
        assert!(!answer.contains("31415926535"), "{answer}");
    }
    let delete =
        |key: &str| first.http(format!("DELETE /api/v1/keys/{key} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes());
    assert_eq!(delete("nothing").0, 400);
    assert_eq!(delete("00000000").0, 404);
}

#[test]
fn keys_and_networks_change_where_no_daemon_runs() {
    let dir = TempDir::new().unwrap();
    let home = &dir.path().join("home");
    init(home, NETWORK, OLD);
    let first = json(home, &["keys", "list"], "")["keys"][0]["key_id"].clone();
    assert_eq!(run(home, &["keys", "use"], "").0, 5, "there is no other");
    assert_eq!(run(home, &["keys", "add"], "").0, 2, "there is no terminal to ask on");
    assert_eq!(run(home, &["keys", "add", "--password-stdin"], "\n").0, 4, "an empty one");
    let (code, _, talk) = run(home, &["keys", "add", "--password-stdin"], NEW);
    assert!(code == 0 && talk.contains("next start"), "{talk}");
    let ring = json(home, &["keys", "use"], "");
    assert_eq!((&ring["keys"][1]["key_id"], &ring["keys"][0]["primary"]), (&first, &true.into()));
    assert_eq!(run(home, &["keys", "remove"], "").0, 4, "nobody knows who uses it");
    let ring = json(home, &["keys", "remove", "--force"], "");
    assert_eq!(ring["keys"].as_array().unwrap().len(), 1);
    // It is the key that `init` makes of the same password.
    let other = &dir.path().join("other");
    init(other, NETWORK, NEW);
    let key = |home: &Path| server_json(home)["networks"][0]["network_key"].clone();
    assert_eq!(key(home), key(other));

    let (code, data, talk) = run(home, &["network", "add", "work", "--password-stdin"], "12345");
    assert_eq!(code, 0, "{talk}");
    assert!(talk.contains("weak") && !(data + &talk).contains("12345"));
    assert_eq!(run(home, &["network", "add", "work", "--password-stdin"], OLD).0, 4);
    assert_eq!(run(home, &["network", "add", "a\u{202e}b", "--password-stdin"], OLD).0, 2);
    let (code, _, talk) = run(home, &["keys", "list"], "");
    assert!(code == 2 && talk.contains("test, work"), "{talk}");
    assert_eq!(run(home, &["keys", "list", "--network", "play"], "").0, 5);
    let listed = json(home, &["network", "list"], "");
    assert_eq!((&listed[1]["network_name"], &listed[1]["running"]), (&"work".into(), &Value::Null));
    let (code, _, talk) = run(home, &["network", "remove", "work"], "");
    assert!(code == 2 && talk.contains("records stay") && talk.contains("--yes"), "{talk}");
    assert_eq!(run(home, &["network", "remove", "play", "--yes"], "").0, 5);
    assert_eq!(json(home, &["network", "remove", "work", "--yes"], "").as_array().unwrap().len(), 1);
    let (code, _, talk) = run(home, &["network", "remove", NETWORK, "--yes"], "");
    assert!(code == 4 && talk.contains("only network"), "{talk}");
    assert_eq!(run(&dir.path().join("nowhere"), &["keys", "list"], "").0, 78);
    assert!(!dir.path().join("nowhere").exists());
}

/// What a node knows of one of its networks.
fn status(node: &Node, network: &str) -> NetworkStatus {
    serde_json::from_value(json(&node.home, &["status", "network", "--network", network], "")).unwrap()
}

#[test]
fn a_daemon_in_two_networks_keeps_their_records_apart_and_tells_each_who_is_in_the_other() {
    let mut cluster = Cluster::of_strangers(0);
    for (name, network) in [("at-home", "home"), ("at-both", "home"), ("at-work", "work")] {
        let home = cluster.dir().join(name);
        let share = if name == "at-both" { "share_networks=false" } else { "share_networks=true" };
        init_with(&home, network, OLD, &["--bind", "127.0.0.1:0", "--set", share]);
        if name == "at-both" {
            assert_eq!(run(&home, &["network", "add", "work", "--password-stdin"], OLD).0, 0);
        }
        cluster.start(Node::new(home));
    }
    let [home, both, work] = &cluster.nodes[..] else { unreachable!() };
    home.register(both);
    work.register(both);

    // A command that does not say which network does nothing, and says which there are.
    let guid = "43c54ed2-0173-8495-93c7-8a8c49826092";
    for args in [
        &["add", "hello"][..],
        &["list"],
        &["read", guid],
        &["status"],
        &["status", "network"],
        &["status", "gossip"],
        &["peers"],
        &["explain", "at-home"],
        &["register", "127.0.0.1:9"],
        &["follow", "--all"],
        &["wait", "--peers", "0"],
        &["keys", "list"],
        &["keys", "use"],
        &["keys", "remove"],
    ] {
        let (code, data, talk) = run(&both.home, args, "");
        assert_eq!((code, data.as_str()), (2, ""), "{args:?}: {talk}");
        assert!(talk.contains("home, work"), "{args:?}: {talk}");
    }

    // Nothing goes from one to the other.
    home.add("said at home");
    work.add("said at work");
    for network in ["home", "work"] {
        json(&both.home, &["add", "said at both", "--network", network], "");
    }
    for (node, network) in [(home, "home"), (both, "home"), (both, "work"), (work, "work")] {
        let args = ["wait", "--gossip", "2", "--in-sync", "--timeout", "100s", "--network", network];
        assert_eq!(run(&node.home, &args, "").0, 0);
        let (_, list, _) = run(&node.home, &["list", "--network", network], "");
        let other = if network == "home" { "said at work" } else { "said at home" };
        assert!(list.contains("said at both") && !list.contains(other), "{list}");
        assert_eq!(status(node, network).gossip_count, 2);
    }
    assert_ne!(status(both, "home").root, status(both, "work").root);
    for (node, network) in [(home, "home"), (work, "work")] {
        let status = status(node, network);
        assert_eq!((status.other_networks.len(), status.other_nodes.len()), (0, 0), "it shares nothing");
        assert_eq!(status.peers.iter().map(|peer| peer.name.as_str()).collect::<Vec<_>>(), ["at-both"]);
    }

    cluster.nodes[1].stop("TERM");
    gossip_node(&cluster.nodes[1].home).args(["init", "--set", "share_networks=true"]).assert().success();
    cluster.nodes[1].start_again();
    let [home, both, work] = &cluster.nodes[..] else { unreachable!() };
    for (node, network, other) in [(home, "home", "work"), (work, "work", "home")] {
        let far = if other == "work" { "at-work" } else { "at-home" };
        let others = |status: &NetworkStatus| {
            let nodes = status.other_nodes.iter().filter(|node| node.network_name == other);
            nodes.map(|node| (node.name.clone(), node.port)).collect::<Vec<_>>()
        };
        let port = |node: &Node| node.address().rsplit_once(':').unwrap().1.parse::<u16>().unwrap();
        let mut expected = vec![
            ("at-both".to_owned(), port(both)),
            (far.to_owned(), port(if far == "at-work" { work } else { home })),
        ];
        eventually("the other network's nodes are known", || {
            let mut seen = others(&status(node, network));
            seen.sort();
            expected.sort();
            seen == expected
        });
        let status = status(node, network);
        assert_eq!(status.other_networks, [other]);
        // They are for people: nobody of them is a peer, and nothing of theirs is here.
        assert_eq!(status.peers.iter().map(|peer| peer.name.as_str()).collect::<Vec<_>>(), ["at-both"]);
        assert_eq!(status.gossip_count, 2);
        let (_, text, _) = run(&node.home, &["status", "network"], "");
        assert!(text.contains(&format!("other network {other}: ")) && text.contains(far), "{text}");
    }
}
