//! What keeps a node running: moving records from home to home, its log and settings, leaving, and looking for what is
//! wrong. Real daemons, real commands.
#![cfg(feature = "cli")]

#[path = "common/cluster.rs"]
mod cluster;

use cluster::{Cluster, NETWORK, Node, eventually, gossip_node, init_with, random_text};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// Runs a command; returns exit code, standard output and standard error.
fn run(node: &Node, args: &[&str]) -> (i32, String, String) {
    run_with(node, args, b"")
}

fn run_with(node: &Node, args: &[&str], stdin: &[u8]) -> (i32, String, String) {
    let output = node.command(args.iter().copied()).write_stdin(stdin).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

// ---- records on the move ----

#[test]
fn what_is_exported_and_imported_makes_equal_roots() {
    let cluster = Cluster::of_strangers(2);
    let [a, b] = &cluster.nodes[..] else { unreachable!("there are two") };
    cluster::block_on(async {
        for number in 0..300 {
            a.client()
                .add(Some(format!("who-{}", number % 7)), format!("\u{1b}[2J {number} \"\\\n").into())
                .await
                .unwrap();
        }
    });
    for (seed, len) in [(1, 5000), (2, 200_000), (3, 1_000_000)] {
        a.add_stdin(&random_text(seed, len));
    }
    let file = cluster.dir().join("all.jsonl");
    let path = file.to_str().unwrap();
    let (code, data, talk) = run(a, &["export", "--output", path]);
    assert_eq!((code, data.as_str()), (0, ""), "{talk}");
    assert!(talk.contains("303 records in "), "{talk}");
    let lines = std::fs::read_to_string(&file).unwrap();
    assert_eq!((lines.lines().count(), run(a, &["export"]).1 == lines), (303, true), "the same on standard output");

    let (code, data, talk) = run(b, &["import", path]);
    assert_eq!((code, data.as_str()), (0, "303 new, 0 known, 0 refused of 303 lines\n"), "{talk}");
    assert_eq!(a.holds(), b.holds());
    // Once more, from where somebody stopped, and from a pipe.
    assert_eq!(run(b, &["import", path]).1, "0 new, 303 known, 0 refused of 303 lines\n");
    assert_eq!(run(b, &["import", path, "--skip", "300"]).1, "0 new, 3 known, 0 refused of 303 lines\n");
    let (code, data, _) = run_with(b, &["import", "-", "--json"], lines.as_bytes());
    let told: Value = serde_json::from_str(&data).unwrap();
    assert_eq!((code, told), (0, serde_json::json!({"new": 0, "known": 303, "left": 0, "refused": 0, "lines": 303})));
}

#[test]
fn a_record_that_was_changed_is_refused_by_its_line_and_the_others_are_taken() {
    let cluster = Cluster::of_strangers(2);
    let [a, b] = &cluster.nodes[..] else { unreachable!("there are two") };
    ["one", "two", "three"].iter().for_each(|text| drop(a.add(text)));
    let lines = run(a, &["export"]).1.replace("\"two\"", "\"2wo\"") + "\nnonsense\n";
    let (code, data, talk) = run_with(b, &["import", "-"], lines.as_bytes());
    assert_eq!((code, data.as_str()), (1, "2 new, 0 known, 2 refused of 5 lines\n"), "{talk}");
    for part in ["line 2: ", "SHA-256", "line 5: ", "error: 2 lines refused", "hint: "] {
        assert!(talk.contains(part), "{part} in {talk}");
    }
    assert_eq!(b.holds().0, 2);
    // Elsewhere it was in a network that is not this daemon's.
    let elsewhere = lines.replace(NETWORK, "elsewhere");
    let (code, _, talk) = run_with(b, &["import", "-"], elsewhere.as_bytes());
    assert_eq!(code, 5, "{talk}");
    assert!(talk.contains("hint: take them into a network of this daemon: --network NAME"), "{talk}");
    let (code, ..) = run_with(b, &["import", "-", "--network", NETWORK], elsewhere.as_bytes());
    assert_eq!(code, 1, "the two lines are refused still");
    let (code, _, talk) = run(b, &["import", "nowhere.jsonl"]);
    assert_eq!(code, 5, "{talk}");
}

#[test]
fn what_the_network_keeps_no_longer_is_no_fault_of_an_import() {
    let cluster = Cluster::of_strangers(2);
    let [a, b] = &cluster.nodes[..] else { unreachable!("there are two") };
    a.add("old");
    let lines = run(a, &["export"]).1;
    b.output(["retention", "set", "--max-age", "1s"]);
    let expected = "0 new, 0 known, 1 not kept any more, 0 refused of 1 line\n";
    eventually("it is too old", || {
        let (code, data, _) = run_with(b, &["import", "-"], lines.as_bytes());
        assert_eq!(code, 0, "{data}");
        data == expected
    });
}

#[test]
fn an_export_leaves_pipes_and_links_what_they_are() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    node.add("said");
    assert!(run(node, &["export", "--output", "-"]).1.contains("said"));
    let place = |name: &str| cluster.dir().join(name);
    let (pipe, link, target) = (place("pipe"), place("link"), place("target"));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reading = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::read_to_string(pipe).unwrap()
    });
    assert_eq!(run(node, &["export", "--output", pipe.to_str().unwrap()]).0, 0);
    assert!(reading.join().unwrap().contains("said"));
    std::fs::write(&target, "").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    assert_eq!(run(node, &["export", "--output", link.to_str().unwrap()]).0, 0);
    assert!(link.is_symlink() && std::fs::read_to_string(&target).unwrap().contains("said"));
}

#[test]
fn an_export_is_there_as_a_whole_or_not_at_all_and_takes_what_is_asked() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    node.add("early");
    let file = cluster.dir().join("kept.jsonl");
    std::fs::write(&file, "what was there").unwrap();
    let path = file.to_str().unwrap();
    assert_eq!(run(node, &["export", "--network", "other", "--output", path]).0, 5);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "what was there");
    let (code, _, talk) = run(node, &["export", "--output", "/nowhere/at/all"]);
    assert_eq!(code, 4, "{talk}");
    assert_eq!(run(node, &["export", "--until", "1h"]).1, "");
    assert_eq!(run(node, &["export", "--since", "1h"]).1.lines().count(), 1);
    assert_eq!(run(node, &["export", "--output", path]).0, 0);
    assert!(std::fs::read_to_string(&file).unwrap().contains("early"));
    let others: Vec<_> =
        std::fs::read_dir(cluster.dir()).unwrap().flatten().filter(|entry| entry.path().is_file()).collect();
    assert_eq!(others.len(), 2, "the file and the daemon's log, and nothing half written: {others:?}");
}

// ---- the daemon's log and settings ----

#[test]
fn the_log_is_shown_by_level_and_goes_on() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    // A seed that cannot be looked up is warned of.
    let home = cluster.dir().join("warned");
    init_with(
        &home,
        NETWORK,
        "correct horse battery staple",
        &["--bind", "127.0.0.1:0", "--seed", "no.such.host.invalid:1"],
    );
    let mut warned = Node::new(home);
    warned.start();
    eventually("it is warned", || run(&warned, &["logs", "--level", "warn"]).1.contains("no.such.host.invalid:1"));
    let (code, data, _) = run(&warned, &["logs", "--level", "warn", "-n", "1"]);
    assert_eq!((code, data.lines().count()), (0, 1));
    assert!(data.contains(" WARN  "), "{data}");
    assert_eq!(run(node, &["logs", "--level", "error"]), (0, String::new(), String::new()));
    assert_eq!(run(node, &["logs", "--level", "loud"]).0, 2);
    let mut following = Command::new(cluster::PROGRAM);
    let shown = cluster.dir().join("shown");
    following
        .args(["logs", "--follow", "--json", "--home"])
        .arg(&warned.home)
        .stdout(std::fs::File::create(&shown).unwrap())
        .stderr(Stdio::null());
    let mut following = following.spawn().unwrap();
    let first_lines = || {
        let text = std::fs::read_to_string(&shown).unwrap();
        let whole = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        whole.filter(|line| line["seq"] == 1 && line["text"].is_string()).count()
    };
    eventually("the log is followed", || first_lines() == 1);
    // It looks away until the daemon has started again and said as much as before: its lines are shown from the first on.
    let follower = following.id().to_string();
    let signal = |name: &str| assert!(Command::new("kill").args(["-s", name, &follower]).status().unwrap().success());
    let said = |node: &Node| run(node, &["logs", "--json", "-n", "0"]).1.lines().count();
    signal("STOP");
    let before = said(&warned);
    warned.stop("TERM");
    warned.start();
    eventually("it says as much again", || said(&warned) >= before);
    signal("CONT");
    eventually("the new run is followed from its first line on", || first_lines() == 2);
    signal("TERM");
    assert_eq!(following.wait().unwrap().code(), Some(0));
    warned.stop("TERM");
}

#[test]
fn settings_are_read_and_set_by_key_with_where_they_come_from() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    assert_eq!(run(node, &["config", "get", "gossip_timer"]), (0, "1s\n".into(), String::new()));
    let (code, data, talk) = run(node, &["config", "set", "gossip_timer", "500ms"]);
    assert_eq!((code, data.as_str()), (0, "gossip_timer is 500ms\n"), "{talk}");
    assert_eq!(run(node, &["config", "get", "gossip_timer"]).1, "500ms\n");
    let (_, data, _) = run(node, &["config", "show", "--origin"]);
    let line = |key: &str| data.lines().find(|line| line.trim_start().starts_with(key)).unwrap_or_default();
    assert!(line("gossip_timer ").contains("file"), "{data}");
    assert!(line("gossip_timer ").contains("(running: 1s)"), "{data}");
    assert!(line("http.hosts ").contains("default") && line("timing.suspicion ").contains("profile"), "{data}");
    assert!(line("port ").contains("runtime") && line("networks.0.network_key").contains("(secret)"), "{data}");
    assert!(run(node, &["config", "get", "timing"]).1.lines().count() > 5);
    for (args, code, part) in [
        (&["config", "get", "gosip_timer"][..], 5, "did you mean gossip_timer?"),
        (&["config", "set", "gosip_timer", "1s"], 2, "did you mean gossip_timer?"),
        (&["config", "set", "port", "70000"], 2, "port"),
        (&["config", "set", "gossip_timer", "-1s"], 2, "gossip_timer"),
        (&["config"], 2, "Usage"),
    ] {
        let (exit, _, talk) = run(node, args);
        assert_eq!(exit, code, "{args:?}: {talk}");
        assert!(talk.contains(part), "{args:?}: {talk}");
    }
    // Without a daemon the file is all there is, and without a file nothing is.
    let place = tempfile::tempdir().unwrap();
    let home = place.path().join("home");
    gossip_node(&home).args(["config", "show"]).assert().code(78);
    init_with(&home, NETWORK, "secret words that are long", &[]);
    let output = gossip_node(&home).args(["config", "get", "port", "--json"]).output().unwrap();
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&shown["value"], &shown["running"]), (&6884.into(), &Value::Null));
}

// ---- goodbye ----

#[test]
fn who_leaves_is_heard_and_is_gone_when_the_command_returns() {
    let mut cluster = Cluster::of(3);
    let (code, data, talk) = run(&cluster.nodes[0], &["leave"]);
    assert_eq!((code, data.as_str()), (0, "stopped; 2 peers heard the goodbye and tell the others\n"), "{talk}");
    assert!(cluster.nodes[0].ended().success());
    for node in &cluster.nodes[1..] {
        eventually("it left", || {
            node.json(["peers"])[0]["reach"] == "left" || node.json(["peers"])[1]["reach"] == "left"
        });
    }
    assert_eq!(run(&cluster.nodes[0], &["leave"]).0, 3, "it is gone");
    // One that is frozen hears nothing.
    cluster.nodes[1].signal("STOP");
    let (code, data, talk) = run(&cluster.nodes[2], &["leave", "--json"]);
    assert_eq!(code, 0, "{talk}");
    assert_eq!(serde_json::from_str::<Value>(&data).unwrap(), serde_json::json!({"told": 1, "heard": 0}));
    cluster.nodes[1].signal("CONT");
    assert!(cluster.nodes[2].ended().success());
}

// ---- what is wrong ----

#[test]
fn a_ping_measures_and_a_sweep_finds_how_long_a_datagram_may_be() {
    let mut cluster = Cluster::of(2);
    let node = &cluster.nodes[0];
    let (code, data, talk) = run(node, &["ping", "n2", "--count", "3"]);
    assert_eq!(code, 0, "{talk}");
    assert_eq!(data.lines().count(), 4, "{data}");
    assert!(data.contains("3 sent, 3 answered, 0 % lost; min/median/max "), "{data}");
    let swept: Value = serde_json::from_str(&run(node, &["ping", "n2", "--sweep", "--json"]).1).unwrap();
    assert_eq!(swept["longest"], 1472, "loopback takes all of them: {swept}");
    assert_eq!(run(node, &["ping", "n2", "--size", "1400", "--count", "1"]).0, 0);
    let (code, _, talk) = run(node, &["ping", "n3"]);
    assert_eq!(code, 5, "{talk}");
    assert!(talk.contains("did you mean n2?"), "{talk}");
    assert_eq!(run(node, &["ping", "n2", "--size", "1473"]).0, 2);
    cluster.nodes[1].signal("STOP");
    let (code, data, talk) = run(&cluster.nodes[0], &["ping", "n2", "--count", "2", "--timeout", "200ms"]);
    assert_eq!(code, 6, "{talk}");
    assert!(
        data.contains("2 sent, 0 answered, 100 % lost\n") && talk.contains("gossip-node explain n2"),
        "{data}{talk}"
    );
    cluster.nodes[1].signal("CONT");
    cluster.nodes[1].kill();
}

#[test]
fn a_monitor_hears_ok_warning_critical_and_nothing_else() {
    let mut cluster = Cluster::of(2);
    cluster.nodes[0].add("x");
    cluster.wait_all(&["--gossip", "1", "--in-sync"]);
    let node = &cluster.nodes[0];
    let expected =
        "GOSSIP OK - 1 reachable peer, 1 record | peers=1;;;0 unreachable=0;;;0 behind=0;;;0 records=1;;;0\n";
    assert_eq!(run(node, &["check"]), (0, expected.into(), String::new()));
    let line = run(node, &["check", "--warn-peers", "2", "--crit-unreachable", "3"]);
    assert_eq!(
        (line.0, line.1.contains("WARNING") && line.1.contains("peers=1;2:;;0 unreachable=0;;2;0")),
        (1, true),
        "{line:?}"
    );
    assert_eq!(run(node, &["check", "--peers", "2"]).0, 2);
    let (code, data, _) = run(node, &["check", "--prometheus"]);
    assert_eq!(code, 0);
    for part in [
        "gossip_node_up 1\n",
        "gossip_node_peers{network=\"0\",reach=\"reachable\"} 1\n",
        "gossip_node_records{network=\"0\"} 1\n",
    ] {
        assert!(data.contains(part), "{part} in {data}");
    }
    assert!(data.lines().all(|line| line.starts_with('#') || line.starts_with("gossip_node_")), "{data}");
    // A mistake of whoever set it up is no state of the node.
    for args in [
        &["check", "--peers", "many"][..],
        &["--network", "home", "check", "--peers", "many"],
        &["--json", "check", "--peers", "many"],
        &["check", "--network", "other"],
        &["check", "--network", "other", "--prometheus"],
    ] {
        let (code, data, _) = run(node, args);
        assert_eq!((code, data.contains("gossip_node_up")), (3, false), "{args:?}: {data}");
    }
    cluster.nodes[0].kill();
    let (code, data, _) = run(&cluster.nodes[0], &["check"]);
    assert_eq!((code, data.starts_with("GOSSIP CRITICAL - no gossip-node answers")), (2, true), "{data}");
    assert!(run(&cluster.nodes[0], &["check", "--prometheus"]).1.contains("gossip_node_up 0\n"));
}

fn doctored(node: &Node) -> (i32, Vec<Value>) {
    let (code, data, talk) = run(node, &["doctor", "--json"]);
    let findings: Value = serde_json::from_str(&data).unwrap_or_else(|_| panic!("{data}{talk}"));
    (code, findings["checks"].as_array().unwrap().clone())
}

fn level(checks: &[Value], name: &str) -> String {
    let found = checks.iter().find(|check| check["check"] == name);
    found.map_or("nothing".into(), |check| check["level"].as_str().unwrap().to_owned())
}

#[test]
fn a_doctor_finds_what_is_wrong_and_says_what_to_do() {
    let mut cluster = Cluster::of(2);
    let (code, checks) = doctored(&cluster.nodes[0]);
    assert_eq!(code, 0, "{checks:#?}");
    for name in ["home", "config", "daemon", "port", "peers", "store", "disk"] {
        assert_eq!(level(&checks, name), "ok", "{name} in {checks:#?}");
    }
    for check in &checks {
        let well = check["level"] == "ok";
        assert!(
            check["what"].is_string() && check["why"].is_null() == well && check["hint"].is_null() == well,
            "{check}"
        );
    }
    // All that it knew is gone, and others can look into its home.
    cluster.nodes[1].kill();
    eventually("it is cut off", || cluster.nodes[0].json(["peers"])[0]["reach"] != "reachable");
    std::fs::set_permissions(&cluster.nodes[0].home, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (code, checks) = doctored(&cluster.nodes[0]);
    assert_eq!((code, level(&checks, "peers").as_str(), level(&checks, "home").as_str()), (1, "problem", "warning"));
    let (_, text, _) = run(&cluster.nodes[0], &["doctor"]);
    assert!(text.contains("do: chmod 700 ") && text.contains("1 problem, "), "{text}");

    // Without a daemon: a port that another program has.
    cluster.nodes[0].kill();
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    assert_eq!(run(&cluster.nodes[0], &["config", "set", "port", &port]).0, 0);
    let (code, checks) = doctored(&cluster.nodes[0]);
    assert_eq!((code, level(&checks, "port").as_str(), level(&checks, "daemon").as_str()), (1, "problem", "warning"));
    let found = checks.iter().find(|check| check["check"] == "port").unwrap();
    assert!(found["why"].as_str().unwrap().contains(&format!("pid {}", std::process::id())), "{found}");
    let nowhere = tempfile::tempdir().unwrap();
    let output = gossip_node(&nowhere.path().join("none")).args(["doctor"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().contains("gossip-node init"));
}

#[test]
fn what_is_not_as_somebody_thinks_is_said_in_words() {
    let mut cluster = Cluster::of_strangers(1);
    let node = &mut cluster.nodes[0];
    node.stop("TERM");
    assert_eq!(run(node, &["config", "set", "seeds", r#"["127.0.0.1:9"]"#]).0, 0);
    node.start_again();
    let (code, checks) = doctored(node);
    let peers = checks.iter().find(|check| check["check"] == "peers").unwrap();
    assert_eq!((code, peers["level"].as_str()), (1, Some("problem")), "{peers}");
    assert!(peers["why"].as_str().unwrap().contains("no seed answers (127.0.0.1:9)"), "{peers}");

    let name = node.ready["node_name"].as_str().unwrap().to_owned();
    let (code, _, talk) = run(node, &["explain", &name]);
    assert!(code != 0 && talk.contains("is this node itself"), "{talk}");

    node.add("short");
    node.add(&"long ".repeat(1000));
    let (_, list, _) = run(node, &["list"]);
    let ends: Vec<bool> = list.lines().map(|line| line.ends_with('…')).collect();
    assert_eq!(ends, [false, true], "{list}");

    // A file that somebody wrote by hand.
    node.stop("TERM");
    let file = node.home.join("server.json");
    let mut settings: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    settings["networks"] = serde_json::json!([]);
    std::fs::write(&file, settings.to_string()).unwrap();
    node.start_again();
    let (code, data, _) = run(node, &["check"]);
    assert_eq!((code, data.as_str()), (2, "GOSSIP CRITICAL - this node is in no network\n"));
    for args in [&["status"][..], &["add", "hello"], &["status", "--network", NETWORK]] {
        let (code, _, talk) = run(node, args);
        assert!(code != 0 && talk.contains("is in no network") && talk.contains("network add"), "{args:?}: {talk}");
    }
    let (code, _, talk) = run(node, &["network", "remove", "lab", "--yes"]);
    assert!(code == 5 && talk.contains("not in the network \"lab\"") && talk.contains("it is in no network"), "{talk}");
}

#[test]
fn another_daemon_in_a_copied_home_is_noticed() {
    let mut cluster = Cluster::of(2);
    let copy = cluster.dir().join("copy");
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(cluster.nodes[0].home.join("server.json"), copy.join("server.json")).unwrap();
    let mut clone = Node::new(copy);
    clone.start();
    clone.register(&cluster.nodes[1]);
    let renamed = |node: &Node| level(&doctored(node).1, "clone") == "warning";
    eventually("one of both notices", || renamed(&clone) || renamed(&cluster.nodes[0]));
    clone.stop("TERM");
    cluster.nodes.iter_mut().for_each(Node::kill);
}

// ---- whoever reads may go ----

#[test]
fn who_reads_may_go_and_nothing_is_said_of_it() {
    let cluster = Cluster::of(2);
    cluster.add_many(400, 200);
    cluster.wait_all(&["--gossip", "400", "--in-sync"]);
    let node = &cluster.nodes[0];
    for args in [
        "list --limit 0",
        "list --limit 0 --json",
        "export",
        "status gossip --all",
        "status --all --json",
        "follow --all",
        "follow --all --json",
        "logs -n 0",
        "config show",
        "completions bash",
        "peers",
        "doctor",
        "--help",
        "follow --help",
    ] {
        // Reads one line and goes.
        let line = format!("{} {args} 2>\"$TALK\" | head -1 | wc -l; cat \"$TALK\"", cluster::PROGRAM);
        let mut command = Command::new("timeout");
        command.args(["60", "sh", "-c", &line]).env("GOSSIP_NODE_HOME", &node.home);
        let output = command.env("TALK", cluster.dir().join("talk")).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let talk = said.lines().skip(1).filter(|line| !line.starts_with("following ")).collect::<Vec<_>>();
        assert!(output.status.success() && talk.is_empty(), "{args}: {said}");
    }
}

/// All that there is to say fits into the pipe, so that writing never tells that nobody reads it.
#[test]
fn who_follows_ends_with_who_reads_though_nothing_happens() {
    let cluster = Cluster::of(1);
    cluster.add_many(3, 20);
    let line = format!("{} follow --all | head -1 | wc -l", cluster::PROGRAM);
    let mut command = Command::new("timeout");
    let output =
        command.args(["30", "sh", "-c", &line]).env("GOSSIP_NODE_HOME", &cluster.nodes[0].home).output().unwrap();
    assert!(output.status.success(), "it went on: {}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout.trim_ascii(), b"1");
}

// ---- how all is, at a glance ----

#[test]
fn who_was_apart_is_told_with_what_was_exchanged() {
    let mut cluster = Cluster::of_strangers(0);
    for name in ["nas", "desk"] {
        let home = cluster.dir().join(name);
        init_with(&home, NETWORK, "correct horse battery staple", &["--bind", "127.0.0.1:0", "--profile", "fast"]);
        cluster.start(Node::new(home));
    }
    let [nas, desk] = &cluster.nodes[..] else { unreachable!("there are two") };
    nas.register(desk);
    nas.add("before");
    cluster.wait_all(&["--gossip", "1", "--in-sync"]);
    let first = || run(nas, &["status"]).1.lines().next().unwrap().to_owned();
    assert_eq!(first(), "● test: all is well: in sync with 1 reachable peer");
    // It looks each second how many there are.
    eventually("a while has passed", || nas.network().peers[0].rtt_ms.is_some());
    desk.signal("STOP");
    eventually("it is gone", || nas.network().peers[0].reach == gossip_node::api::Reach::Unreachable);
    assert!(first().starts_with("○ test: alone: desk does not answer, since "), "{}", first());
    (0..5).for_each(|number| drop(nas.add(&format!("meanwhile {number}"))));
    desk.signal("CONT");
    cluster.wait_all(&["--gossip", "6", "--in-sync"]);
    eventually("it is told", || nas.network().splits.first().is_some_and(|split| split.records.is_some()));
    let split = nas.network().splits[0].clone();
    assert_eq!((split.records, split.peers.join(","), split.peer_count), (Some(5), "desk".into(), 1), "{split:?}");
    let text = run(nas, &["status"]).1;
    assert!(
        text.contains("nas and desk were apart from ") && text.contains("; 5 records were exchanged in "),
        "{text}"
    );
    assert!(text.lines().count() < 24, "{text}");
}

// ---- what strangers say ----

/// Whether a character acts on a terminal instead of being seen.
fn acts(c: char) -> bool {
    let bidi = matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{061C}');
    bidi || c.is_control() && c != '\n' && c != '\t'
}

#[test]
fn nothing_that_strangers_say_acts_on_a_terminal() {
    let cluster = Cluster::of(2);
    let [a, b] = &cluster.nodes[..] else { unreachable!("there are two") };
    let everything: String = (1..0x2100).filter_map(char::from_u32).chain(['\u{FEFF}']).filter(|c| acts(*c)).collect();
    let all = [
        everything.clone(),
        everything.chars().map(|c| format!("x{c}[2J")).collect(),
        "\u{1b}]0;title\u{7}\u{1b}[31mred\u{9b}2J\r\u{202e}gpj.exe\u{8}\u{8}".to_owned(),
        format!("\n\t{}", everything.repeat(40)),
    ];
    for text in &all {
        b.add_stdin(text.as_bytes());
    }
    cluster.wait_all(&["--gossip", "4", "--in-sync"]);
    let guid = a.guids()[2].clone();
    let count = all.len().to_string();
    for args in [
        vec!["list"],
        vec!["list", "--json"],
        vec!["list", "--grep", "red"],
        vec!["read", &guid],
        vec!["read", &guid, "--json"],
        vec!["follow", "--all", "--count", &count],
        vec!["follow", "--all", "--count", &count, "--json"],
        vec!["status"],
        vec!["status", "--json"],
        vec!["status", "gossip", "--all"],
        vec!["peers"],
        vec!["explain", "n2"],
        vec!["logs", "-n", "0"],
        vec!["export"],
        vec!["doctor"],
        vec!["check"],
        vec!["config", "show"],
        // What is typed is said back.
        vec!["read", "\u{1b}[2J"],
        vec!["explain", "\u{1b}[2J\u{202e}"],
        vec!["ping", "\u{9b}2J"],
        vec!["list", "--since", "\u{1b}[2J"],
        vec!["config", "get", "\u{1b}[2J"],
        vec!["config", "set", "\u{1b}[2J", "\u{202e}"],
        vec!["register", "\u{1b}[2J:1"],
        vec!["list", "--network", "\u{1b}[2J"],
        vec!["import", "\u{1b}[2J"],
    ] {
        let (_, data, talk) = run(a, &args);
        let found = data.chars().chain(talk.chars()).find(|c| acts(*c));
        assert_eq!(found, None, "{args:?}: {data}{talk}");
        assert!(!data.is_empty() || !talk.is_empty() || args[0] == "logs", "{args:?} says nothing");
    }
    for node in &cluster.nodes {
        let log = std::fs::read_to_string(node.home.with_extension("log")).unwrap();
        assert_eq!(log.chars().find(|c| acts(*c)), None, "{log}");
    }
    // All of it is there all the same.
    assert_eq!(a.output(["read", &guid, "--raw"]), all[2].as_bytes());
}
