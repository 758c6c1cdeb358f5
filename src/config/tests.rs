//! Stories of `server.json`.

use super::*;
use crate::proto::seal::Secret;
use crate::proto::settings::Timing;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

const GUID: &str = "6f2c1a52-7d0e-4c6b-9f3e-2b1d0c9a8b7e";
const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        Place { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("server.json")
    }

    fn write(&self, text: &str) {
        fs::write(self.path(), text).unwrap();
        self.chmod(0o600);
    }

    fn chmod(&self, mode: u32) {
        fs::set_permissions(self.path(), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn error(&self) -> String {
        ServerFile::load(&self.path()).expect_err("it should be refused").to_string()
    }

    /// What is said about a file with these fields beside the two that are needed.
    fn error_of(&self, fields: &str) -> String {
        self.write(&format!(r#"{{"node_guid": "{GUID}", "node_name": "nas", {fields}}}"#));
        self.error()
    }
}

fn sample() -> ServerFile {
    let mut file = ServerFile::new(GUID.parse().unwrap(), "nas");
    file.networks.push(Network::new("home", Secret([7; 32])));
    file.seeds.push("192.168.1.10:6884".to_owned());
    file
}

#[test]
fn what_was_saved_is_loaded_and_nobody_else_may_read_it() {
    let place = Place::new();
    sample().save(&place.path()).unwrap();
    let loaded = ServerFile::load(&place.path()).unwrap();
    assert_eq!(loaded.file, sample());
    assert!(loaded.notes.is_empty());
    assert_eq!(fs::metadata(place.path()).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(place.dir.path()).unwrap().count(), 1, "nothing else is left");
    let text = fs::read_to_string(place.path()).unwrap();
    assert!(text.starts_with("{\n  \"node_guid\": ") && text.ends_with("}\n"), "{text}");
    assert!(text.contains(r#""gossip_timer": "1s""#) && text.contains(r#""peer_select_type": "both""#), "{text}");
}

#[test]
fn defaults_are_those_of_the_specification() {
    let place = Place::new();
    place.write(&format!(r#"{{"node_guid": "{GUID}", "node_name": "nas"}}"#));
    let file = ServerFile::load(&place.path()).unwrap().file;
    assert_eq!(file, ServerFile::new(GUID.parse().unwrap(), "nas"));
    assert_eq!((file.ip.to_string().as_str(), file.port), ("0.0.0.0", 6884));
    assert_eq!((file.gossip_timer, file.gossip_max_peer_count), (Duration::from_secs(1), 5));
    assert_eq!((file.peer_select_type, file.max_datagram), (PeerSelectType::Both, 1200));
}

#[test]
fn others_are_looked_for_unless_that_is_off_or_the_node_is_on_loopback() {
    let mut file = sample();
    for (ip, said, discovers) in [
        ("0.0.0.0", None, true),
        ("192.168.1.5", None, true),
        ("::", None, true),
        ("127.0.0.1", None, false),
        ("::1", None, false),
        ("127.0.0.1", Some(true), true),
        ("0.0.0.0", Some(false), false),
    ] {
        (file.ip, file.discovery) = (ip.parse().unwrap(), said);
        assert_eq!(file.discovers(), discovers, "{ip} {said:?}");
    }
}

#[test]
fn a_save_through_a_link_keeps_the_link() {
    let place = Place::new();
    let real = place.dir.path().join("real.json");
    sample().save(&real).unwrap();
    std::os::unix::fs::symlink(&real, place.path()).unwrap();
    let mut file = sample();
    file.port = 7000;
    file.save(&place.path()).unwrap();
    assert!(fs::symlink_metadata(place.path()).unwrap().is_symlink());
    assert_eq!(ServerFile::load(&real).unwrap().file.port, 7000);
}

#[test]
fn a_bare_number_is_seconds() {
    let place = Place::new();
    for (text, millis) in [("2", 2000), ("0.5", 500), (r#""3""#, 3000), (r#""250ms""#, 250)] {
        place.write(&format!(r#"{{"node_guid": "{GUID}", "node_name": "nas", "gossip_timer": {text}}}"#));
        assert_eq!(ServerFile::load(&place.path()).unwrap().file.gossip_timer, Duration::from_millis(millis), "{text}");
    }
}

#[test]
fn a_password_written_by_hand_becomes_a_key() {
    let place = Place::new();
    place.write(&format!(
        r#"{{"node_guid": "{GUID}", "node_name": "nas",
            "networks": [{{"network_name": "home", "network_password": "correct horse"}}]}}"#
    ));
    let looked = ServerFile::read(&place.path()).unwrap();
    assert!(looked.notes.is_empty() && fs::read_to_string(place.path()).unwrap().contains("horse"));
    let loaded = ServerFile::load(&place.path()).unwrap();
    assert_eq!(loaded.file, looked.file);
    assert_eq!(loaded.file.networks[0].network_key, Secret::derive("home", b"correct horse"));
    assert_eq!(loaded.notes.len(), 1);
    assert!(loaded.notes[0].contains("home") && !loaded.notes[0].contains("horse"), "{:?}", loaded.notes);
    assert!(!fs::read_to_string(place.path()).unwrap().contains("horse"));
    let again = ServerFile::load(&place.path()).unwrap();
    assert_eq!(again.file, loaded.file);
    assert!(again.notes.is_empty());
}

#[test]
fn key_and_password_together_are_refused() {
    let networks = format!(
        r#""networks": [{{"network_name": "home", "network_key": "{KEY}", "network_password": "correct horse"}}]"#
    );
    let error = Place::new().error_of(&networks);
    assert!(error.contains("networks.0 has both"), "{error}");
    assert!(!error.contains("horse") && !error.contains(KEY), "{error}");
}

#[test]
fn a_file_that_others_may_read_is_refused() {
    let place = Place::new();
    sample().save(&place.path()).unwrap();
    place.chmod(0o644);
    let error = place.error();
    assert!(error.contains("mode 0644") && error.contains("chmod 600 "), "{error}");
    for mode in [0o640, 0o604, 0o620] {
        place.chmod(mode);
        place.error();
    }
    place.chmod(0o400);
    ServerFile::load(&place.path()).expect("less is fine");
}

#[test]
fn what_is_no_configuration_is_refused() {
    let place = Place::new();
    assert!(place.error().contains("gossip-node init"));
    fs::create_dir(place.path()).unwrap();
    assert!(place.error().contains("not a regular file"));
    fs::remove_dir(place.path()).unwrap();
    place.write(&" ".repeat(MAX_FILE as usize + 1));
    assert!(place.error().contains("1 MiB"));
    place.write("{\n  \"port\": 1,,\n}");
    assert!(place.error().contains("line 2, column 13"), "{}", place.error());
    place.write("[]");
    assert!(place.error().contains("not an object"));
    place.write("{}");
    assert!(place.error().contains("node_guid is missing"));
}

#[test]
fn errors_name_the_key_and_say_what_to_do() {
    let network = |name: &str| format!(r#"{{"network_name": "{name}", "network_key": "{KEY}"}}"#);
    let list = |networks: Vec<String>| format!(r#""networks": [{}]"#, networks.join(", "));
    let place = Place::new();
    for (fields, parts) in [
        (r#""gosip_timer": "1s""#.to_owned(), vec!["gosip_timer is not", "did you mean gossip_timer?"]),
        (r#""colour": 1"#.to_owned(), vec!["colour is not a known key: known are node_guid"]),
        (
            r#""networks": [{"network_nam": "x"}]"#.to_owned(),
            vec!["networks.0.network_nam is", "did you mean network_name?"],
        ),
        (r#""port": "x""#.to_owned(), vec!["port invalid type: string \"x\", expected u16"]),
        (r#""port": 70000"#.to_owned(), vec!["port ", "70000"]),
        (r#""discovery": "maybe""#.to_owned(), vec!["discovery invalid type"]),
        (r#""discovery_port": 6884"#.to_owned(), vec!["discovery_port is 6884, and `port` is 6884", "of its own"]),
        (r#""discovery_port": 0"#.to_owned(), vec!["discovery_port is 0", "such as 6885"]),
        (r#""ip": "nas.local""#.to_owned(), vec!["ip ", "IP address"]),
        (r#""gossip_timer": "1 day""#.to_owned(), vec!["gossip_timer ", "500ms, 1s"]),
        (r#""gossip_timer": "5ms""#.to_owned(), vec!["gossip_timer is 5ms: say a time from 10ms to 1h"]),
        (r#""gossip_timer": "2h""#.to_owned(), vec!["gossip_timer is 2h"]),
        (r#""gossip_max_peer_count": 0"#.to_owned(), vec!["gossip_max_peer_count is 0: say a number from 1 to 64"]),
        (r#""max_datagram": 1500"#.to_owned(), vec!["max_datagram is 1500", "1200 to 1472"]),
        (r#""peer_select_type": "oldest""#.to_owned(), vec!["peer_select_type ", "`oldest_first`"]),
        (r#""seeds": ["nas"]"#.to_owned(), vec!["seeds.0 is \"nas\": it has no port", "HOST:PORT"]),
        (r#""seeds": ["a:1", "nas:0"]"#.to_owned(), vec!["seeds.1 ", "1 to 65535"]),
        (r#""seeds": ["::1:6884"]"#.to_owned(), vec!["seeds.0 ", "brackets"]),
        (r#""seeds": [7]"#.to_owned(), vec!["seeds.0 invalid type"]),
        (list(vec![network("home"), network("home")]), vec!["networks.1.network_name is \"home\", like"]),
        (list((0..9).map(|n| network(&n.to_string())).collect()), vec!["networks has 9 networks", "at most 8"]),
        (list(vec![network("a\\u202eb")]), vec!["networks.0.network_name is", "no name"]),
        (r#""networks": [{"network_name": "home"}]"#.to_owned(), vec!["networks.0.network_key is missing"]),
    ] {
        let error = place.error_of(&fields);
        assert!(parts.iter().all(|part| error.contains(part)), "{fields}: {error}");
    }
    place.write(&format!(r#"{{"node_guid": "{GUID}", "node_name": ""}}"#));
    assert!(place.error().contains("node_name is \"\""), "{}", place.error());
    place.write(r#"{"node_guid": "7", "node_name": "nas"}"#);
    assert!(place.error().contains("node_guid is \"7\", which is no UUID"), "{}", place.error());
}

#[test]
fn no_error_and_no_debug_output_shows_a_secret() {
    let place = Place::new();
    for networks in [
        r#""hunter2""#,
        r#"["hunter2"]"#,
        r#"[{"network_name": "home", "network_key": "hunter2"}]"#,
        r#"[{"network_name": "home", "network_key": ["hunter2"]}]"#,
        r#"[{"network_name": "home", "network_password": ["hunter2"]}]"#,
        r#"[{"network_name": "", "network_password": "hunter2"}]"#,
        r#"[{"network_name": "home", "password": "hunter2"}]"#,
    ] {
        let error = ServerFile::load(&{
            place.write(&format!(r#"{{"node_guid": "{GUID}", "node_name": "nas", "networks": {networks}}}"#));
            place.path()
        })
        .unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
    assert!(format!("{:?}", sample()).contains("Secret(..)"));
}

#[test]
fn set_changes_one_key() {
    let mut file = sample();
    for (key, value) in [
        ("gossip_timer", "500ms"),
        ("port", "7000"),
        ("discovery", "false"),
        ("peer_select_type", "oldest_first"),
        ("node_name", "7"),
        ("networks.0.network_name", "work"),
        ("seeds", r#"["a:1"]"#),
        ("seeds.0", "b:2"),
        ("seeds.1", "[::1]:3"),
    ] {
        file.set(key, value).unwrap_or_else(|error| panic!("{key}={value}: {error}"));
    }
    let mut expected = sample();
    expected.gossip_timer = Duration::from_millis(500);
    expected.port = 7000;
    expected.discovery = Some(false);
    expected.peer_select_type = PeerSelectType::OldestFirst;
    expected.node_name = "7".to_owned();
    expected.networks[0].network_name = "work".to_owned();
    expected.seeds = vec!["b:2".to_owned(), "[::1]:3".to_owned()];
    assert_eq!(file, expected);
}

#[test]
fn a_set_that_is_refused_changes_nothing() {
    let mut file = sample();
    for (key, value, part) in [
        ("gosip_timer", "1s", "did you mean gossip_timer?"),
        ("networks.0.key", "x", "did you mean network_key?"),
        ("gossip_timer", "1ms", "10ms to 1h"),
        ("port", "70000", "70000"),
        ("port.x", "1", "no keys below"),
        ("seeds.2", "a:1", "0 to 1"),
        ("seeds.x", "a:1", "0 to 1"),
        ("networks.1.network_name", "x", "networks.1.network_key is missing"),
        ("networks.0.network_password", "hunter2", "gossip-node init"),
        ("networks", r#"[{"network_name": "x", "network_password": "hunter2"}]"#, "gossip-node init"),
        ("networks.0.network_key", "hunter2", "gossip-node init"),
        ("networks.0.other_keys", r#"[{"network_key": "hunter2"}]"#, "keys add"),
        ("networks", r#"[{"network_name": "x", "other_keys": [{"network_key": "hunter2"}]}]"#, "keys add"),
        ("", "x", "is not a known key"),
    ] {
        let error = file.set(key, value).expect_err(key).to_string();
        assert!(error.contains(part) && !error.contains("hunter2"), "{key}={value}: {error}");
    }
    assert_eq!(file, sample());
}

#[test]
fn timing_is_a_profile_and_what_replaces_its_values() {
    let place = Place::new();
    let timing = |fields: &str| {
        place.write(&format!(r#"{{"node_guid": "{GUID}", "node_name": "nas", {fields}}}"#));
        let file = ServerFile::load(&place.path()).unwrap().file;
        file.timing.timing(file.profile, file.gossip_timer)
    };
    assert_eq!(timing(r#""profile": "lan", "timing": {}"#), Timing::LAN);
    assert_eq!(timing(r#""profile": "fast""#), Timing::FAST);
    let said = r#""profile": "fast", "timing": {"grace": 0.25, "suspicion_most": 3, "table_age": {"most": "2m"}}"#;
    let fast = Timing::FAST;
    let table_age = (fast.table_age.0, Duration::from_secs(120));
    assert_eq!(timing(said), Timing { grace: Duration::from_millis(250), suspicion_most: 3, table_age, ..fast });

    for (fields, part) in [
        (r#""profile": "slow""#, "profile"),
        (r#""timing": 5"#, "timing is not an object"),
        (r#""timing": {"suspicoin": "2s"}"#, "timing.suspicoin is not a known key: did you mean suspicion?"),
        (r#""timing": {"suspicion": "soon"}"#, "timing.suspicion"),
        (r#""timing": {"probe_timeout": "1s"}"#, "timing.probe_timeout is not an object"),
        (r#""timing": {"probe_timeout": {"mots": "1s"}}"#, "did you mean most?"),
        (
            r#""timing": {"probe_timeout": {"most": "2s"}}"#,
            "(2s) must be less than gossip_timer (1s): a probe has to end",
        ),
    ] {
        let error = place.error_of(fields);
        assert!(error.contains(part), "{part} in {error}");
    }
}

#[test]
fn every_value_of_timing_can_be_set_and_taken_back() {
    let mut file = sample();
    for (key, value) in [
        ("timing.probe_period", "800ms"),
        ("timing.probe_timeout.least", "50ms"),
        ("timing.probe_timeout.most", "200ms"),
        ("timing.suspicion", "3s"),
        ("timing.suspicion_most", "5"),
        ("timing.update_gap", "100ms"),
        ("timing.record_gap", "2ms"),
        ("timing.heard_gap", "4ms"),
        ("timing.announce", "0"),
        ("timing.grace", "6ms"),
        ("timing.rumor_timeout", "12ms"),
        ("timing.table_age.least", "5s"),
        ("timing.table_age.most", "50s"),
    ] {
        file.set(key, value).unwrap_or_else(|error| panic!("{key}: {error}"));
    }
    let ms = Duration::from_millis;
    let all = Timing {
        probe_period: ms(800),
        probe_timeout: (ms(50), ms(200)),
        suspicion: ms(3000),
        suspicion_most: 5,
        update_gap: ms(100),
        record_gap: ms(2),
        heard_gap: ms(4),
        announce: ms(0),
        grace: ms(6),
        rumor_timeout: ms(12),
        table_age: (ms(5000), ms(50_000)),
    };
    assert_eq!(file.timing.timing(file.profile, file.gossip_timer), all);
    let place = Place::new();
    file.save(&place.path()).unwrap();
    assert_eq!(ServerFile::load(&place.path()).unwrap().file, file);
    file.set("timing.suspicion", "null").unwrap();
    assert_eq!(file.timing.suspicion, None);
    let error = file.set("timing.heard_gap", "1s").unwrap_err().to_string();
    assert!(error.contains("timing.heard_gap (1s) must be less than timing.rumor_timeout (12ms)"), "{error}");
    file.set("timing", "{}").unwrap();
    assert!(file.timing.is_empty());
}

#[test]
fn http_is_at_its_default_at_an_address_or_off() {
    let mut file = sample();
    assert_eq!(file.http, HttpFile::default());
    assert!(!serde_json::to_string(&file).unwrap().contains("http"), "what is not said is not written");
    for (value, listen) in [
        ("off", Some(Listen::Off)),
        ("127.0.0.1:9000", Some(Listen::At("127.0.0.1:9000".parse().unwrap()))),
        ("[::1]:0", Some(Listen::At("[::1]:0".parse().unwrap()))),
        ("null", None),
    ] {
        file.set("http.listen", value).unwrap();
        assert_eq!(file.http.listen, listen, "{value}");
        let place = Place::new();
        file.save(&place.path()).unwrap();
        assert_eq!(ServerFile::load(&place.path()).unwrap().file, file);
    }
    file.set("http.hosts.0", "nas.example.org").unwrap();
    file.set("http.hosts.1", "192.0.2.7").unwrap();
    assert_eq!(file.http.hosts, ["nas.example.org", "192.0.2.7"]);
}

#[test]
fn http_that_cannot_be_is_refused_with_what_can() {
    let place = Place::new();
    for (fields, parts) in [
        (r#""http": {"listen": "on"}"#, &["http.listen", "\"on\"", "127.0.0.1:8684"][..]),
        (r#""http": {"listen": "127.0.0.1"}"#, &["http.listen", "IP:PORT"]),
        (r#""http": {"listen": "nas:8684"}"#, &["http.listen", "IP:PORT"]),
        (r#""http": {"listen": 8684}"#, &["http.listen"]),
        (r#""http": {"listn": "off"}"#, &["http.listn", "did you mean listen?"]),
        (r#""http": "off""#, &["http", "is not an object"]),
        (r#""http": {"hosts": ["a:80"]}"#, &["http.hosts.0", "without a port"]),
        (r#""http": {"hosts": ["a", "*"]}"#, &["http.hosts.1"]),
        (r#""http": {"hosts": [""]}"#, &["http.hosts.0"]),
    ] {
        let error = place.error_of(fields);
        for part in parts {
            assert!(error.contains(part), "{part} in {error}");
        }
    }
}
