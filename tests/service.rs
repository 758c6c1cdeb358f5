//! Stories of a daemon as a service: what the service manager hears, a configuration that is read again, a log that is
//! read by machines, by nobody, or too slowly.
#![cfg(feature = "cli")]

#[path = "common/cluster.rs"]
mod cluster;

use cluster::{Cluster, Node, PATIENCE, PROGRAM, eventually, init};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use tempfile::TempDir;

/// A home in a directory of its own.
fn home() -> (TempDir, PathBuf) {
    let dir = TempDir::with_prefix("gn-").unwrap();
    let home = dir.path().join("n1");
    init(&home, "test", "a password of four words\n");
    (dir, home)
}

fn server_json(node: &Node) -> PathBuf {
    node.home.join("server.json")
}

/// Changes the file as an editor would.
fn edit(node: &Node, change: impl FnOnce(&mut Value)) {
    let path = server_json(node);
    let mut file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut file);
    std::fs::write(&path, serde_json::to_vec(&file).unwrap()).unwrap();
}

fn keys(changes: &Value) -> Vec<&str> {
    changes.as_array().unwrap().iter().map(|change| change["key"].as_str().unwrap()).collect()
}

/// One of the settings as they hold.
fn setting(node: &Node, key: &str) -> Value {
    let (status, answer) = node.http(b"GET /api/v1/config HTTP/1.0\r\nHost: localhost\r\n\r\n");
    assert_eq!(status, 200);
    let settings: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let mut found = settings["values"].as_array().unwrap().iter().filter(|setting| setting["key"] == key);
    found.next().unwrap_or_else(|| panic!("no {key}")).clone()
}

fn log(node: &Node) -> String {
    std::fs::read_to_string(node.log()).unwrap()
}

// ---- the service manager ----

/// A socket as a service manager has it.
struct Manager(UnixDatagram);

impl Manager {
    fn new(path: &Path) -> Manager {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Manager(socket)
    }

    /// What it hears next.
    fn hear(&self) -> String {
        let mut buffer = [0; 4096];
        let len = self.0.recv(&mut buffer).expect("it hears something");
        String::from_utf8(buffer[..len].to_vec()).unwrap()
    }

    /// The next that begins so.
    fn hear_of(&self, begin: &str) -> String {
        loop {
            let heard = self.hear();
            if heard.starts_with(begin) {
                return heard;
            }
        }
    }
}

#[test]
fn a_service_manager_hears_when_it_is_ready_that_it_lives_and_when_it_ends() {
    let (dir, home) = home();
    let path = dir.path().join("notify");
    let manager = Manager::new(&path);
    let mut node = Node::new(home);
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    node.env.push(variable("NOTIFY_SOCKET", path.to_str().unwrap()));
    node.env.push(variable("WATCHDOG_USEC", "300000"));
    node.start();
    let mut cluster = Cluster::of_strangers(0);
    cluster.nodes.push(node);
    let node = &mut cluster.nodes[0];

    assert_eq!(manager.hear(), "STATUS=opening the store\n");
    assert_eq!(manager.hear(), "READY=1\nSTATUS=test: 0 of 0 reachable, 0 records\n");
    (0..3).for_each(|_| assert_eq!(manager.hear_of("WATCHDOG"), "WATCHDOG=1\n"));
    node.add("hello");
    assert_eq!(manager.hear_of("STATUS"), "STATUS=test: 0 of 0 reachable, 1 record\n");

    edit(node, |file| file["port"] = json!(7000));
    node.signal("HUP");
    assert!(manager.hear_of("RELOADING=1\nMONOTONIC_USEC=").lines().count() == 2);
    assert_eq!(manager.hear_of("READY=1"), "READY=1\nSTATUS=test: 0 of 0 reachable, 1 record; restart for: port\n");
    eventually("the log says so", || log(node).contains("server.json is read again"));

    // Stopped as a whole it says nothing; then it goes on.
    node.signal("STOP");
    let drained = || {
        manager.0.set_read_timeout(Some(Duration::from_millis(900))).unwrap();
        let mut buffer = [0; 4096];
        std::iter::from_fn(|| manager.0.recv(&mut buffer).ok()).count()
    };
    assert!(drained() < 5, "what was on its way");
    manager.0.set_read_timeout(Some(PATIENCE)).unwrap();
    node.signal("CONT");
    manager.hear_of("WATCHDOG");
    assert!(node.stop("TERM").success());
    manager.hear_of("STOPPING=1");
}

#[test]
fn a_service_manager_that_is_gone_or_deaf_holds_nobody_up() {
    let (dir, home) = home();
    let path = dir.path().join("notify");
    // It never reads, so its queue is soon full.
    let _deaf = UnixDatagram::bind(&path).unwrap();
    let mut node = Node::new(home);
    node.env.push(("NOTIFY_SOCKET".to_owned(), path.to_str().unwrap().to_owned()));
    node.env.push(("WATCHDOG_USEC".to_owned(), "3000".to_owned()));
    node.start();
    let mut cluster = Cluster::of_strangers(0);
    cluster.nodes.push(node);
    let node = &mut cluster.nodes[0];
    eventually("it is told that nobody listens", || log(node).contains("takes no news"));
    node.add("hello");
    assert!(node.stop("TERM").success());
}

// ---- the configuration ----

#[test]
fn what_can_be_taken_up_is_and_the_rest_is_named() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    assert_eq!(String::from_utf8(node.output(["reload"])).unwrap(), "nothing has changed\n");
    node.output(["init", "--set", "gossip_timer=500ms", "--set", "timing.suspicion=3s", "--set", "max_datagram=1400"]);
    let reloaded = node.json(["reload"]);
    assert_eq!(keys(&reloaded["applied"]), ["gossip_timer", "timing.suspicion"]);
    assert_eq!(reloaded["restart"], json!([{ "key": "max_datagram", "from": 1200, "to": 1400 }]));

    let (timer, datagram) = (setting(node, "gossip_timer"), setting(node, "max_datagram"));
    assert_eq!(
        (&timer["value"], &timer["origin"], &timer["restart"]),
        (&json!("500ms"), &json!("file"), &json!(false))
    );
    assert_eq!((&datagram["value"], &datagram["restart"]), (&json!(1200), &json!(true)), "what holds is shown");

    let text = String::from_utf8(node.output(["reload"])).unwrap();
    assert_eq!(text, "  needs a restart  max_datagram  1200 -> 1400\n", "for as long as it is so");
    node.output(["init", "--set", "max_datagram=1200"]);
    assert_eq!(String::from_utf8(node.output(["reload"])).unwrap(), "nothing has changed\n");
}

#[test]
fn a_file_that_is_no_good_changes_nothing() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let (path, good) = (server_json(node), std::fs::read(server_json(node)).unwrap());
    let text = String::from_utf8(good.clone()).unwrap();
    let long = format!("{text}{}", " ".repeat(2 << 20));
    for (bad, why) in [
        (&text[..text.len() / 2], "is not JSON"),
        ("", "is not JSON"),
        (&text.replace("\"1s\"", "\"1ms\""), "gossip_timer is 1ms"),
        (&text.replace("gossip_timer", "gosip_timer"), "did you mean gossip_timer"),
        (&long, "longer than 1 MiB"),
    ] {
        std::fs::write(&path, bad).unwrap();
        let refused = node.command(["reload"]).assert().code(78);
        let said = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
        assert!(said.contains(why) && said.contains("the daemon goes on as it was"), "{said}");
    }
    std::fs::write(&path, &good).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    node.command(["reload"]).assert().code(78);
    std::fs::remove_file(&path).unwrap();
    let refused = node.command(["reload", "--json"]).assert().code(78);
    let said: Value = serde_json::from_slice(&refused.get_output().stderr).unwrap();
    assert!(said["detail"].as_str().unwrap().contains("there is no "), "{said}");
    std::fs::create_dir(&path).unwrap();
    node.command(["reload"]).assert().code(78);
    std::fs::remove_dir(&path).unwrap();
    // By a signal too, and it is in the log.
    node.signal("HUP");
    eventually("the signal is refused", || log(node).matches("not reloaded: there is no ").count() == 2);
    assert_eq!(setting(node, "gossip_timer")["value"], "1s");
    node.add("as it was");
    std::fs::write(&path, &good).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    node.output(["reload"]);
}

#[test]
fn a_seed_that_is_added_is_met_and_whoever_was_met_stays_when_it_is_taken_back() {
    let cluster = Cluster::of_strangers(2);
    let other = cluster.nodes[1].address();
    let node = &cluster.nodes[0];
    edit(node, |file| file["seeds"] = json!(["nowhere.invalid:1", other]));
    assert_eq!(keys(&node.json(["reload"])["applied"]), ["seeds"]);
    node.wait(&["--peers", "1"]);
    edit(node, |file| file["seeds"] = json!([]));
    assert_eq!(keys(&node.json(["reload"])["applied"]), ["seeds"]);
    node.wait(&["--peers", "1"]);
}

#[test]
fn names_of_the_host_hold_without_a_restart() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let token = std::fs::read_to_string(node.home.join("token")).unwrap();
    let asked = || {
        let mut stream = TcpStream::connect(node.ready["http"].as_str().unwrap()).unwrap();
        let token = token.trim();
        write!(stream, "GET /api/v1/node HTTP/1.0\r\nHost: nas.example.org\r\nAuthorization: Bearer {token}\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(asked(), "403");
    node.output(["init", "--set", r#"http.hosts=["nas.example.org"]"#]);
    assert_eq!(keys(&node.json(["reload"])["applied"]), ["http.hosts"]);
    assert_eq!(asked(), "200");
    node.output(["init", "--set", "http.hosts=[]"]);
    node.output(["reload"]);
    assert_eq!(asked(), "403");
}

// ---- the log ----

#[test]
fn the_log_is_louder_for_as_long_as_somebody_wants_it() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let level = |args: &[&str]| node.json(["log-level"].into_iter().chain(args.iter().copied()));
    assert_eq!(level(&[]), json!({ "level": "info", "origin": "default" }));
    assert_eq!(level(&["gossip_node=trace"]), json!({ "level": "info,gossip_node=trace", "origin": "runtime" }));
    let garbage = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    eventually("a datagram of a stranger is in the log", || {
        garbage.send_to(&[0; 64], node.address()).unwrap();
        log(node).contains("datagram dropped")
    });
    assert_eq!(level(&["default"])["origin"], "default");
    node.output(["init", "--set", "log=warn"]);
    assert_eq!(keys(&node.json(["reload"])["applied"]), ["log"]);
    assert_eq!(level(&[]), json!({ "level": "warn", "origin": "file" }));
    level(&["debug"]);
    node.output(["reload"]);
    assert_eq!(level(&[])["level"], "warn", "until the configuration is read again");
    let wrong = String::from_utf8(node.command(["log-level", "loud"]).assert().code(2).get_output().stderr.clone());
    assert!(wrong.unwrap().contains("\"loud\" is no level"));
    node.command(["init", "--set", "log=loud"]).assert().code(2);
    let body = br#"{"level":"loud"}"#;
    let head = format!(
        "PUT /api/v1/log/level HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    assert_eq!(node.http(&[head.as_bytes(), body].concat()).0, 400);
}

/// Starts a daemon in such an environment whose log goes to a file; it has something to say.
fn logging(dir: &TempDir, home: &Path, env: &[(&str, &str)]) -> String {
    let path = dir.path().join("stderr");
    let file = std::fs::File::create(&path).unwrap();
    let stream = file.metadata().map(|found| format!("{}:{}", found.dev(), found.ino())).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["run", "--home"]).arg(home).env_remove("GOSSIP_NODE_LOG");
    for (name, value) in env {
        command.env(name, value.replace("STREAM", &stream));
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    std::fs::read_to_string(&path).unwrap()
}

#[test]
fn lines_suit_who_reads_them() {
    let (dir, home) = home();
    let text = logging(&dir, &home, &[]);
    let line = text.lines().find(|line| line.contains("stopping")).unwrap_or_else(|| panic!("{text}"));
    assert!(line.starts_with("20") && line.contains("Z  INFO gossip_node::cli::run: stopping"), "{line}");
    let journal = logging(&dir, &home, &[("JOURNAL_STREAM", "STREAM")]);
    assert!(journal.lines().any(|line| line == "<6>gossip_node::cli::run: stopping"), "{journal}");
    let elsewhere = logging(&dir, &home, &[("JOURNAL_STREAM", "1:1")]);
    assert!(!elsewhere.contains("<6>"), "{elsewhere}");
    let lines = logging(&dir, &home, &[("GOSSIP_NODE_LOG_FORMAT", "json"), ("JOURNAL_STREAM", "STREAM")]);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line = lines.iter().find(|line| line["message"] == "stopping").unwrap_or_else(|| panic!("{lines:?}"));
    assert_eq!((&line["level"], &line["target"]), (&json!("INFO"), &json!("gossip_node::cli::run")));
    assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    let wrong = logging(&dir, &home, &[("GOSSIP_NODE_LOG", "lo\u{1b}[2Jud")]);
    assert!(wrong.contains("GOSSIP_NODE_LOG is not taken") && !wrong.contains('\u{1b}'), "{wrong:?}");
}

#[test]
fn a_daemon_does_not_wait_for_who_reads_its_log() {
    let (_dir, home) = home();
    let mut command = Command::new(PROGRAM);
    command.args(["run", "--json", "--home"]).arg(&home).env("GOSSIP_NODE_LOG", "trace");
    // Nobody reads this pipe, and a pipe holds 64 KiB.
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    let garbage = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    (0..5000).for_each(|_| drop(garbage.send_to(&[0; 64], ready["address"].as_str().unwrap())));
    let node = Node::new(home);
    let (told, tell) = mpsc::channel();
    std::thread::spawn(move || {
        (0..20).for_each(|n| drop(node.add(&format!("record {n}"))));
        told.send(node.stat("rejected_magic")).unwrap();
    });
    let dropped = tell.recv_timeout(PATIENCE).expect("it answers while its log stands still");
    assert!(dropped > 1000, "{dropped}: enough to fill a pipe with");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
    assert!(child.wait().unwrap().success(), "and ends");
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(text.contains("datagram dropped"), "it had something to say");
}
