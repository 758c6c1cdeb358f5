//! [`Place`]: where examples are run as they are printed: a small cluster, and a directory with what they read.

#![allow(dead_code, reason = "each test file uses its own part of it")]

use super::cluster::{Cluster, Node, PROGRAM, init_with};
use bytes::BytesMut;
use gossip_node::proto::seal::{Header, NetworkKey, Secret};
use gossip_node::proto::wire::{Leave, Message};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The network that examples name.
pub const NETWORK: &str = "home";
/// Its password.
pub const PASSWORD: &str = "correct horse battery staple";
/// A record that examples name.
const HELLO: &str = r#"{"guid":"43c54ed2-0173-8495-93c7-8a8c49826092","kind":"message","date_time":"1970-01-01T00:00:00.000001Z","origin":"07070707-0707-0707-0707-070707070707","who_name":"dove","sha2":"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824","len":5,"msg":"hello"}"#;

/// Two daemons, `nas` and `desk`, and a directory with what examples read.
pub struct Place {
    /// The daemons.
    pub cluster: Cluster,
    /// The directory.
    pub work: PathBuf,
}

impl Place {
    /// They have met, hold the same, and know of a third that is gone.
    pub fn new() -> Place {
        let mut cluster = Cluster::of_strangers(0);
        let dir = cluster.dir().to_owned();
        for name in ["nas", "desk", "old-laptop"] {
            let home = dir.join(name);
            // A seed that is nowhere gives the log a line.
            init_with(&home, NETWORK, PASSWORD, &["--bind", "127.0.0.1:0", "--seed", "no.such.host.invalid:1"]);
            cluster.start(Node::new(home));
        }
        // One that was here once and is not any more.
        cluster.nodes[2].register(&cluster.nodes[0]);
        cluster.nodes[0].wait(&["--peers", "1"]);
        cluster.nodes[2].stop("TERM");
        cluster.nodes.pop();
        cluster.nodes[0].register(&cluster.nodes[1]);
        cluster.wait_all(&["--peers", "1"]);
        cluster.nodes[0].command(["import", "-"]).write_stdin(HELLO).assert().success();
        cluster.nodes[0].add("the printer works, paper is in");
        cluster.wait_all(&["--gossip", "2", "--in-sync"]);
        let work = dir.join("work");
        std::fs::create_dir(&work).unwrap();
        for (name, text, mode) in [
            ("secret.txt", PASSWORD, 0o600),
            ("work.txt", "another horse at work", 0o600),
            ("new.txt", "a newer battery staple", 0o600),
            ("next.txt", "the next battery staple", 0o600),
            ("report.txt", "all is well\n", 0o644),
            ("on-message", "#!/bin/sh\ncat > /dev/null\n", 0o755),
        ] {
            std::fs::write(work.join(name), text).unwrap();
            std::fs::set_permissions(work.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let datagram = goodbye();
        std::fs::write(work.join("datagrams.hex"), hex(&datagram)).unwrap();
        std::fs::write(work.join("lan.pcap"), recorded(&datagram)).unwrap();
        init_with(&dir.join("spare"), NETWORK, PASSWORD, &["--bind", "127.0.0.1:0"]);
        Place { cluster, work }
    }

    /// The home that an example is about: most are about a daemon that runs, some need a home of their own.
    fn home(&self, example: &str) -> PathBuf {
        let dir = self.cluster.dir();
        if example.contains("gossip-node init") && !example.contains("gossip-node reload") {
            let home = dir.join("new");
            if example.contains("--network") {
                let _ = std::fs::remove_dir_all(&home);
            }
            return home;
        }
        let name = if example.contains("gossip-node run") { "spare" } else { "nas" };
        dir.join(name)
    }

    /// Runs an example in a shell. One that goes on for ever is ended as soon as it has said something.
    pub fn run(&self, example: &str) -> (ExitStatus, String, String) {
        // No host has these names here: they are those of the other node.
        let desk = self.cluster.nodes[1].address();
        let line = ["192.168.1.10:6884", "192.168.1.21:6884", "nas:6884"]
            .iter()
            .fold(example.to_owned(), |line, name| line.replace(name, &desk));
        let endless = is_endless(example);
        // A signal has to meet the program, not the shell.
        let alone = endless && !line.contains('|') && !line.contains('=');
        let line = if alone { format!("exec {line}") } else { line };
        let dir = Path::new(PROGRAM).parent().unwrap();
        let path = format!("{}:{}:{}", self.work.display(), dir.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("sh");
        command
            .args(["-c", &line])
            .current_dir(&self.work)
            .env("PATH", path)
            .env("HOME", &self.work)
            .env("GOSSIP_NODE_HOME", self.home(example));
        for name in ["GOSSIP_NODE_NETWORK", "GOSSIP_NODE_LOG", "DISPLAY", "WAYLAND_DISPLAY"] {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap();
        let (said, heard) = mpsc::channel();
        let read = |mut from: Box<dyn Read + Send>, said: mpsc::Sender<()>| {
            std::thread::spawn(move || {
                let (mut all, mut some) = (Vec::new(), [0; 4096]);
                while let Ok(count @ 1..) = from.read(&mut some) {
                    all.extend_from_slice(&some[..count]);
                    let _ = said.send(());
                }
                String::from_utf8(all).unwrap()
            })
        };
        let data = read(Box::new(child.stdout.take().unwrap()), said.clone());
        let talk = read(Box::new(child.stderr.take().unwrap()), said);
        if endless {
            // What may have nothing to say is given the time to fail.
            let _ = heard.recv_timeout(Duration::from_secs(2));
            assert!(child.try_wait().unwrap().is_none(), "{example} has ended by itself");
            // What it runs itself is not for us to end.
            let whom = if alone { child.id().to_string() } else { format!("-{}", child.id()) };
            let signal = Command::new("kill").args(["-s", "TERM", "--", &whom]).status().unwrap();
            assert!(signal.success(), "{example}");
        }
        let status = child.wait().unwrap();
        (status, data.join().unwrap(), talk.join().unwrap())
    }
}

/// A datagram of the network.
pub fn goodbye() -> BytesMut {
    let key = NetworkKey::new(&Secret::derive(NETWORK, PASSWORD.as_bytes()));
    let leave = Message::Leave(Leave { restarting: false });
    let (mut datagram, header) =
        (BytesMut::new(), Header { kind: leave.kind(), src_session: 1, dst_session: 2, counter: 3 });
    key.seal(&header, &mut datagram, |out| leave.encode(out));
    datagram
}

/// Bytes as people write them.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file that tcpdump would have written of it: IPv4 without a link around it.
fn recorded(datagram: &[u8]) -> Vec<u8> {
    let len = u16::try_from(datagram.len()).unwrap();
    let head = [0xA1B2_C3D4, 0x0002_0004, 0, 0, 65_535, 101].map(u32::to_be_bytes);
    let packet = [1_700_000_000, 5, u32::from(len) + 28, u32::from(len) + 28].map(u32::to_be_bytes);
    let ip =
        [[0x45, 0], (len + 28).to_be_bytes(), [0; 2], [0x40, 0], [64, 17], [0; 2], [10, 0], [0, 1], [10, 0], [0, 2]];
    let udp = [6884, 6884, len + 8, 0].map(u16::to_be_bytes);
    [head.as_flattened(), packet.as_flattened(), ip.as_flattened(), udp.as_flattened(), datagram].concat()
}

/// What is there until somebody ends it.
pub fn is_endless(example: &str) -> bool {
    let said = |word: &str| example.contains(word);
    said("gossip-node run") && !said(" --help")
        || said("gossip-node follow") && !said("--count")
        || said("gossip-node demo") && !said("--once")
        || said("logs -f")
        || said("/events")
}
