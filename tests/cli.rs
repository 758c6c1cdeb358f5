//! What the command line does without a daemon: usage, `init`, and exit codes.
#![cfg(feature = "cli")]

#[path = "common/cluster.rs"]
mod cluster;

use cluster::gossip_node;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const PASSWORD: &str = "correct horse battery staple";

/// A directory with room for a home.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(TempDir::new().unwrap())
    }

    fn home(&self) -> PathBuf {
        self.0.path().join("home")
    }

    fn server_json(&self) -> PathBuf {
        self.home().join("server.json")
    }

    fn config(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.server_json()).unwrap()).unwrap()
    }

    /// Runs the program on this home; returns exit code, standard output and standard error.
    fn run(&self, args: &[&str], stdin: &str) -> (i32, String, String) {
        let output = gossip_node(&self.home()).args(args).write_stdin(stdin).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn init(&self, more: &[&str]) {
        let args = [&["init", "--network", "home", "--password-stdin"], more].concat();
        let (code, _, talk) = self.run(&args, PASSWORD);
        assert_eq!(code, 0, "{talk}");
    }
}

#[test]
fn a_command_line_that_makes_no_sense_exits_with_2() {
    let place = Place::new();
    for args in [
        &["nothing"][..],
        &["list", "--limit", "many"],
        &["list", "--since", "soon"],
        &["read", "43c5"],
        &["read", "../../node"],
        &["register", "nas"],
        &["register", "nas:0"],
        &["wait"],
        &["wait", "--peers", "1", "--timeout", "1 day"],
        &["status", "everything"],
        &["status", "--all", "--limit", "3"],
        &["demo", "--nodes", "1"],
        &["add"],
        &["add", "x", "--wait", "most"],
        &["add", "x", "--timeout", "1s"],
        &["follow", "--jobs", "2"],
        &["follow", "--exec"],
        &["follow", "--all", "--after", "43c54ed2"],
        &["peers", "--reach", "dead"],
        &["explain"],
        &["create"],
        &["init"],
        &["init", "--network", "home"],
        &["init", "--set", "port"],
        &["init", "--bind", "6884"],
        &["init", "--password", "x"],
        &["ping"],
        &["ping", "nas", "--size", "0"],
        &["ping", "nas", "--count", "0"],
        &["export", "--since", "soon"],
        &["import"],
        &["import", "x", "--skip", "-1"],
        &["config", "get"],
        &["config", "set", "port"],
        &["logs", "--level", "loud"],
        &["leave", "now"],
        &["doctor", "--fix"],
        &["completions", "csh"],
        &["list", "--color", "blue"],
        &["lits"],
    ] {
        let (code, data, talk) = place.run(args, "");
        assert_eq!((code, data.as_str()), (2, ""), "{args:?}: {talk}");
        assert!(talk.starts_with("error: "), "{args:?}: {talk}");
        let remedies = ["--help", "hint: ", "say ", "possible values", "tip: "];
        assert!(remedies.iter().any(|remedy| talk.contains(remedy)), "{args:?}: {talk}");
        // Whatever is wrong with a flag, its name is said.
        let mut flags = args.iter().filter(|arg| arg.starts_with("--") && !matches!(**arg, "--network" | "--json"));
        let has_none = flags.clone().next().is_none();
        assert!(has_none || flags.any(|flag| talk.contains(*flag)), "{args:?}: {talk}");
    }
    assert!(!place.home().exists());
}

#[test]
fn errors_are_json_where_json_is_asked_for() {
    let place = Place::new();
    for (args, code) in
        [(&["wait", "--json"][..], 2), (&["--json", "list"], 3), (&["add", "", "--json"], 4), (&["run", "--json"], 78)]
    {
        let (exit, data, talk) = place.run(args, "");
        let error: Value = serde_json::from_str(&talk).unwrap_or_else(|_| panic!("{args:?}: {talk}"));
        assert_eq!((exit, data.as_str(), &error["exit_code"]), (code, "", &code.into()), "{talk}");
        assert!(error["title"].as_str().is_some_and(|title| !title.is_empty()), "{talk}");
    }
}

#[test]
fn without_a_daemon_it_says_what_to_do() {
    let place = Place::new();
    for args in [
        &["list"][..],
        &["add", "x"],
        &["status"],
        &["read", "43c54ed2"],
        &["wait", "--in-sync"],
        &["register", "a:1"],
        &["peers"],
        &["explain", "nas"],
        &["ping", "nas"],
        &["follow"],
        &["ui"],
        &["export"],
        &["import", "-"],
        &["logs"],
        &["leave"],
    ] {
        let (code, _, talk) = place.run(args, "");
        assert_eq!(code, 3, "{talk}");
        assert!(talk.contains("tried: ") && talk.contains("hint: make it: gossip-node init"), "{talk}");
    }
    place.init(&[]);
    assert!(place.run(&["list"], "").2.contains("hint: start it: gossip-node run"));
}

#[test]
fn init_makes_a_home_for_its_owner_only() {
    let place = Place::new();
    let args = ["init", "--network", "home", "--password-stdin", "--name", "nas", "--json"];
    let more = ["--bind", "127.0.0.1:7000", "--seed", "a:1", "--seed", "[::1]:2", "--set", "gossip_timer=500ms"];
    let (code, data, talk) = place.run(&[&args[..], &more].concat(), "correct horse battery staple\n");
    assert_eq!(code, 0, "{talk}");
    let said: Value = serde_json::from_str(&data).unwrap();
    let config = place.config();
    assert_eq!((&said["created"], &said["node_guid"]), (&true.into(), &config["node_guid"]));
    assert_eq!(
        (&config["node_name"], &config["ip"], &config["port"]),
        (&"nas".into(), &"127.0.0.1".into(), &7000.into())
    );
    assert_eq!(config["gossip_timer"], "500ms");
    assert_eq!(config["seeds"], serde_json::json!(["a:1", "[::1]:2"]));
    assert_eq!(config["networks"][0]["network_name"], "home");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&place.home()), mode(&place.server_json())), (0o700, 0o600));
    let key = config["networks"][0]["network_key"].as_str().unwrap();
    let text = std::fs::read_to_string(place.server_json()).unwrap();
    assert!(!data.contains(key) && !talk.contains(key) && !text.contains(PASSWORD));
}

#[test]
fn a_password_is_the_same_from_a_file_and_from_standard_input() {
    let keys: Vec<Value> = ["", "\n", "\r\n"]
        .iter()
        .map(|end| {
            let place = Place::new();
            let file = place.0.path().join("password");
            std::fs::write(&file, format!("{PASSWORD}{end}")).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
            let args = ["server-files", "--network", "home", "--password-file", file.to_str().unwrap()];
            let (code, _, talk) = place.run(&args, "");
            assert_eq!(code, 0, "{talk}");
            assert!(talk.contains("others may read"), "{talk}");
            place.config()["networks"][0]["network_key"].clone()
        })
        .collect();
    let place = Place::new();
    place.init(&[]);
    assert!(keys.iter().all(|key| *key == place.config()["networks"][0]["network_key"]));
}

#[test]
fn an_empty_password_is_refused_and_a_weak_one_is_talked_about() {
    let place = Place::new();
    let args = ["init", "--network", "home", "--password-stdin"];
    assert_eq!(place.run(&args, "\n").0, 4);
    assert!(!place.server_json().exists());
    let (code, _, talk) = place.run(&args, "12345");
    assert_eq!(code, 0);
    assert!(talk.contains("weak") && !talk.contains("12345"), "{talk}");
}

#[test]
fn an_existing_home_is_changed_only_on_purpose() {
    let place = Place::new();
    place.init(&["--name", "nas", "--seed", "a:1"]);
    let before = place.config();
    std::fs::write(place.home().join("gossip.db"), "records").unwrap();

    let password = ["init", "--network", "lab", "--password-stdin"];
    let add = "network add";
    for (args, way) in [(&["init"][..], "--set"), (&password, add), (&[&password[..], &["--name", "x"]].concat(), add)]
    {
        let (code, _, talk) = place.run(args, PASSWORD);
        assert_eq!(code, 4, "{talk}");
        assert!(talk.contains("--force") && talk.contains(way), "{talk}");
    }
    assert_eq!(place.config(), before);

    let changes = ["--set", "gossip_timer=2s", "--bind", "127.0.0.1:7001", "--seed", "b:2"];
    let mut expected = before.clone();
    expected["gossip_timer"] = "2s".into();
    (expected["ip"], expected["port"]) = ("127.0.0.1".into(), 7001.into());
    expected["seeds"] = serde_json::json!(["a:1", "b:2"]);
    expected["node_name"] = "attic".into();
    for args in [&changes[..], &["--name", "attic"]] {
        let (code, _, talk) = place.run(&[&["init"], args].concat(), "");
        assert_eq!(code, 0, "{talk}");
    }
    assert_eq!(place.config(), expected);

    place.init(&["--force"]);
    let after = place.config();
    assert_eq!(after["node_guid"], before["node_guid"]);
    assert_eq!(after["networks"], before["networks"]);
    assert_eq!((&after["port"], &after["seeds"]), (&6884.into(), &serde_json::json!([])));
    assert_eq!(std::fs::read_to_string(place.home().join("gossip.db")).unwrap(), "records");
}

#[test]
fn a_set_that_cannot_be_changes_nothing() {
    let place = Place::new();
    place.init(&[]);
    let before = place.config();
    for (set, part) in
        [("gosip_timer=1s", "gossip_timer"), ("port=70000", "70000"), ("networks.0.network_password=x", "init")]
    {
        let (code, _, talk) = place.run(&["init", "--set", "node_name=other", "--set", set], "");
        assert_eq!(code, 2, "{talk}");
        assert!(talk.contains(part), "{talk}");
    }
    assert_eq!(place.config(), before);
}

#[test]
fn changes_that_are_made_at_once_are_all_made() {
    let place = Place::new();
    place.init(&[]);
    let changes =
        [("port", 7001), ("discovery_port", 7002), ("gossip_max_peer_count", 7), ("max_datagram", 1300), ("seeds", 0)];
    for _ in 0..5 {
        place.init(&["--force"]);
        std::thread::scope(|scope| {
            for (key, value) in changes {
                let value = if key == "seeds" { r#"["a:1"]"#.to_owned() } else { value.to_string() };
                let place = &place;
                scope.spawn(move || assert_eq!(place.run(&["config", "set", key, &value], "").0, 0));
            }
        });
        let config = place.config();
        for (key, value) in changes.into_iter().filter(|(key, _)| *key != "seeds") {
            assert_eq!(config[key], value, "{key} in {config}");
        }
        assert_eq!(config["seeds"], serde_json::json!(["a:1"]));
    }
}

#[test]
fn a_setting_is_set_though_the_daemon_is_of_no_use() {
    let place = Place::new();
    place.init(&[]);
    // One that hangs up on everybody.
    let listener = std::os::unix::net::UnixListener::bind(place.home().join("control.sock")).unwrap();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let (code, data, talk) = place.run(&["config", "set", "port", "7001"], "");
    assert_eq!((code, data.as_str()), (0, "port is 7001\n"), "{talk}");
    assert!(talk.contains("went away"), "{talk}");
    assert_eq!(place.config()["port"], 7001);
}

#[test]
fn a_name_that_is_none_is_refused() {
    for args in [["--name", "a\u{1b}b"], ["--name", ""], ["--network", "a\u{202E}b"]] {
        let place = Place::new();
        let network = if args[0] == "--network" { &[][..] } else { &["--network", "home"] };
        let (code, _, talk) = place.run(&[&["init", "--password-stdin"], network, &args].concat(), PASSWORD);
        assert_eq!(code, 2, "{talk}");
        assert!(!place.server_json().exists() && !talk.contains('\u{1b}') && !talk.contains('\u{202E}'), "{talk}");
    }
}

#[test]
fn a_wrong_configuration_exits_with_78() {
    let place = Place::new();
    let (code, _, talk) = place.run(&["run"], "");
    assert_eq!(code, 78, "{talk}");
    assert!(talk.contains("gossip-node init"), "{talk}");
    place.init(&["--bind", "127.0.0.1:0"]);
    let good = std::fs::read_to_string(place.server_json()).unwrap();
    for (bad, part) in [
        (good.replace("gossip_timer", "gosip_timer"), "gossip_timer"),
        (good.replace("\"port\": 0", "\"port\": \"x\""), "port"),
        (good.replace("\"port\": 0", "\"port\": 0,,"), "line"),
    ] {
        std::fs::write(place.server_json(), bad).unwrap();
        for args in [&["run"][..], &["init", "--set", "gossip_timer=1s"]] {
            let (code, _, talk) = place.run(args, "");
            assert_eq!(code, 78, "{talk}");
            assert!(talk.contains(part), "{talk}");
        }
    }
    std::fs::write(place.server_json(), good).unwrap();
    std::fs::set_permissions(place.server_json(), std::fs::Permissions::from_mode(0o640)).unwrap();
    let (code, _, talk) = place.run(&["run"], "");
    assert_eq!(code, 78, "{talk}");
    assert!(talk.contains("0640") && talk.contains("chmod 600"), "{talk}");
}

#[test]
fn what_cannot_be_said_is_refused_before_anything_is_sent() {
    let place = Place::new();
    for (args, expected) in [(&["add", ""][..], 4), (&["add", "-"], 4), (&["add", "x", "--who", "a\u{7}"], 2)] {
        let (code, _, talk) = place.run(args, "");
        assert_eq!(code, expected, "{talk}");
    }
    let too_long = vec![b'a'; (16 << 20) + 1];
    for bytes in [&too_long[..], b"\xff\xfe"] {
        gossip_node(&place.home()).args(["add", "-"]).write_stdin(bytes).assert().code(4);
    }
    gossip_node(&place.home()).args(["add", "-"]).write_stdin(&too_long[1..]).assert().code(3);
}

#[test]
fn timing_that_cannot_be_is_refused_with_the_relation_that_it_breaks() {
    let place = Place::new();
    place.init(&["--bind", "127.0.0.1:0", "--profile", "fast", "--set", "timing.suspicion=1500ms"]);
    let config = place.config();
    assert_eq!((&config["profile"], &config["timing"]["suspicion"]), (&"fast".into(), &"1500ms".into()));
    let relation = "timing.probe_timeout.most (2s) must be less than timing.probe_period (700ms)";
    let (code, _, talk) = place.run(&["init", "--set", "timing.probe_timeout.most=2s"], "");
    assert_eq!(code, 2, "{talk}");
    assert!(talk.contains(relation) && talk.contains("a probe has to end before the next begins"), "{talk}");
    assert_eq!(place.config(), config);

    let good = std::fs::read_to_string(place.server_json()).unwrap();
    std::fs::write(place.server_json(), good.replace(r#""suspicion": "1500ms""#, r#""probe_timeout": {"most": 2}"#))
        .unwrap();
    let (code, _, talk) = place.run(&["run"], "");
    assert_eq!(code, 78, "{talk}");
    assert!(talk.contains(relation), "{talk}");
    std::fs::write(place.server_json(), good).unwrap();
    let (code, ..) = place.run(&["init", "--profile", "lan", "--set", "timing={}"], "");
    assert_eq!((code, &place.config()["profile"], place.config().get("timing")), (0, &"lan".into(), None));
    let (code, _, talk) = place.run(&["init", "--profile", "slow"], "");
    assert_eq!(code, 2, "{talk}");
}
