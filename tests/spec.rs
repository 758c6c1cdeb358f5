//! The protocol's page is enough to write another implementation from: `spec/decode.py`, with Python's standard library
//! alone, reads every golden vector and what real nodes send, and makes the same of the same as we do; `gossip-node
//! decode` shows the same, field by field.
#![cfg(feature = "cli")]

use gossip_node::proto::gossip::{Gossip, Guid, Kind};
use gossip_node::proto::node::Node;
use gossip_node::proto::ring::place;
use gossip_node::proto::seal::{NetworkKey, Secret};
use gossip_node::proto::settings::Settings;
use gossip_node::proto::sketch::Sketch;
use gossip_node::proto::time::{Tick, Timestamp};
use gossip_node::proto::wire::Message;
use gossip_node::sim::{Network, PASSWORD};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

const GOLDEN: &str = include_str!("../src/proto/wire/golden.txt");
const VECTORS: &str = include_str!("../spec/vectors.txt");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn array<const N: usize>(hex: &str) -> [u8; N] {
    bytes(hex).try_into().unwrap()
}

/// What the other implementation says; nothing where there is no Python, which CI has.
fn python(args: &[&str], input: String) -> Option<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/decode.py");
    let started = Command::new("python3").arg(script).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = started else {
        println!("not tried: there is no python3");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join().unwrap();
    assert!(output.status.success(), "{args:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// What `gossip-node decode` says of the same.
fn program(secret: &Secret, lines: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    let file = serde_json::json!({
        "node_guid": "66293724-40fa-4ae7-bd00-127dfffd2cc3", "node_name": "hawk",
        "networks": [{ "network_name": "home", "network_key": hex(&secret.0) }],
    });
    let path = home.path().join("server.json");
    std::fs::write(&path, file.to_string()).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_gossip-node"));
    command.args(["decode", "--json", "--home"]).arg(home.path()).env_remove("GOSSIP_NODE_NETWORK");
    let output = command.write_stdin(lines).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Has it decode datagrams that a secret seals, and counts them by name; each is what its header says, and true.
fn decoded(secret: &Secret, datagrams: &[Vec<u8>]) -> Option<BTreeMap<String, usize>> {
    let lines: String = datagrams.iter().map(|datagram| hex(datagram) + "\n").collect();
    let ours = program(secret, &lines);
    let said = python(&["--key", &hex(&secret.0)], lines)?;
    assert_eq!(said.lines().count(), datagrams.len());
    for (said, ours) in said.lines().zip(ours.lines()) {
        let [said, ours] = [said, ours].map(|line| serde_json::from_str::<Value>(line).unwrap());
        assert_eq!(said, ours, "both say the same, field by field");
    }
    let mut counted = BTreeMap::new();
    for (line, datagram) in said.lines().zip(datagrams) {
        let said: Value = serde_json::from_str(line).unwrap();
        let name = Message::NAMES[usize::from(datagram[2]) - 1];
        assert_eq!(said["datagram"], name, "{line}: {}", hex(datagram));
        assert!(!line.contains("\"invalid\""), "{line}");
        *counted.entry(name.to_owned()).or_default() += 1;
    }
    Some(counted)
}

#[test]
fn another_implementation_reads_every_golden_vector_and_nothing_damaged() {
    let golden: Vec<Vec<u8>> = GOLDEN.lines().filter(|line| !line.starts_with('#')).map(bytes).collect();
    let secret = Secret([7; 32]);
    let Some(counted) = decoded(&secret, &golden) else { return };
    assert_eq!(counted.len(), Message::NAMES.len());
    let damage = |datagram: &Vec<u8>| {
        let mut damaged = datagram.clone();
        damaged[datagram.len() / 2] ^= 1;
        hex(&damaged) + "\n"
    };
    let said = python(&["--key", &hex(&secret.0)], golden.iter().map(damage).collect()).unwrap();
    assert_eq!(said.lines().filter(|line| line.contains("\"error\"")).count(), golden.len(), "{said}");
}

#[test]
fn another_implementation_reads_what_real_nodes_send() {
    let mut network = Network::new(7);
    network.capture = true;
    network.link.loss = 0.1;
    let all = network.add_cluster(4);
    for number in 0..40 {
        network.create(all[number % 4], format!("message {number}")).unwrap();
        network.run(Duration::from_millis(50));
    }
    network.create(all[0], "long ".repeat(20_000)).unwrap();
    network.run(Duration::from_secs(5));
    network.partition(&[&all[..2], &all[2..]]);
    for number in 0..30 {
        network.create(all[number % 4], format!("apart {number}")).unwrap();
    }
    network.run(Duration::from_secs(2));
    network.heal();
    assert!(network.run_until(Duration::from_secs(60), Network::converged));
    // What the simulator makes of a password, in place of Argon2.
    let secret = Secret(Sha256::digest(PASSWORD).into());
    let captured: Vec<Vec<u8>> = network.captured.iter().map(|(_, _, datagram)| datagram.clone()).collect();
    let Some(counted) = decoded(&secret, &captured) else { return };
    println!("{counted:?}");
    for name in ["REGISTER", "CHALLENGE", "REGISTERED", "HELLO", "HELLO_BACK", "TELL", "TELL_ME_MORE", "RUMOR", "HEARD"]
    {
        assert!(counted.contains_key(name), "no {name}: {counted:?}");
    }
}

#[test]
fn both_make_the_same_of_the_same() {
    for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split(' ').collect();
        match fields[..] {
            ["password", network, password, secret] => {
                assert_eq!(hex(&Secret::derive(network, &bytes(password)).0), secret, "{line}");
            }
            ["keys", secret, _mac, key_id, digest, ..] => {
                let key = NetworkKey::new(&Secret(array(secret)));
                assert_eq!((key.key_id().to_string().as_str(), hex(&key.digest_key()).as_str()), (key_id, digest));
            }
            ["name", ..] => {}
            ["record", kind, date, origin, who, msg, sha2, pieces, guid] => {
                let kind = Kind::try_from(kind.parse::<u8>().unwrap()).unwrap();
                let (text, times) = msg.split_once('*').unwrap_or((msg, "1"));
                let msg = bytes(text).repeat(times.parse().unwrap());
                let (who, origin) = (String::from_utf8(bytes(who)).unwrap(), Guid(array(origin)));
                let gossip = Gossip::make(kind, Timestamp(date.parse().unwrap()), origin, &*who, msg.into()).unwrap();
                let made = [hex(gossip.head().sha2()), hex(gossip.head().pieces()), hex(&gossip.guid().0)];
                assert_eq!(made, [sha2, pieces, guid], "{line}");
            }
            ["place", guid, at] => assert_eq!(format!("{:016x}", place(&Guid(array(guid)))), at, "{line}"),
            ["list", guid, incarnation, addr, hash] => {
                // A node that knows nobody lists itself alone; its incarnation is the second in which it started.
                let started = Timestamp(incarnation.parse::<u64>().unwrap() * 1_000_000);
                let key = NetworkKey::new(&Secret([7; 32]));
                let settings = Settings { started, ..Settings::new(Guid(array(guid)), "somebody", key) };
                let mut node = Node::new(settings, [1; 32], Tick(0));
                node.acquaint(Tick(0), addr.parse().unwrap(), std::iter::empty());
                assert_eq!(format!("{:016x}", node.peers().list().hash), hash, "{line}");
            }
            ["sketch", key, guids, root, symbols, estimator] => {
                let mut sketch = Sketch::new(&array(key));
                guids.split(',').for_each(|guid| sketch.insert(Guid(array(guid))));
                assert_eq!(hex(&sketch.root()), root);
                let now = sketch.change();
                let made = sketch.symbols_at(now, 0..symbols.split(',').count()).unwrap();
                let made: Vec<String> = made.iter().map(|s| hex(&s.sum) + &hex(&s.check.to_le_bytes())).collect();
                assert_eq!(made.join(","), symbols);
                let made: Vec<String> = sketch.estimator_at(now).unwrap().iter().map(i16::to_string).collect();
                assert_eq!(made.join(","), estimator);
            }
            ["beacon", "home", secret, guid, epoch, counter, port, datagram] => {
                let said: Value = serde_json::from_str(&program(&Secret(array(secret)), datagram)).unwrap();
                let body = &said["body"];
                let numbers = [&body["epoch"], &body["counter"], &body["port"]].map(Value::to_string);
                assert_eq!(body["guid"], Guid(array(guid)).to_string(), "{line}");
                assert_eq!(numbers, [epoch, counter, port], "{line}");
            }
            _ => panic!("unknown: {line}"),
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/vectors.txt");
    if let Some(said) = python(&["--vectors", path], String::new()) {
        assert_eq!(said.lines().count(), VECTORS.lines().filter(|line| !line.starts_with('#')).count());
    }
}
