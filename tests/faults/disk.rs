//! A disk that is full, and one that fails.

use crate::cluster::{Cluster, NETWORK, Node, block_on, eventually, init};
use crate::{amount, chance, list, report};
use gossip_node::client::ClientError;
use rand::RngExt;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A file system in memory of so many MiB, at a directory, until the story ends.
struct SmallDisk<'a>(&'a Path);

impl SmallDisk<'_> {
    fn new(dir: &Path, mib: u64) -> SmallDisk<'_> {
        std::fs::create_dir(dir).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"]).arg(dir);
        assert!(mount.status().unwrap().success(), "a tmpfs needs root");
        SmallDisk(dir)
    }

    /// Fills all of it.
    fn fill(&self) {
        let mut ballast = std::fs::File::options().create(true).append(true).open(self.0.join("ballast")).unwrap();
        while std::io::Write::write(&mut ballast, &[0; 4096]).is_ok_and(|written| written > 0) {}
    }

    /// Makes room.
    fn free(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["--lazy"]).arg(self.0).status();
    }
}

fn add(node: &Node, text: String) -> Result<String, ClientError> {
    block_on(node.client().add(None, text.into())).map(|added| added.guid)
}

/// All of it is there, and nothing else but what nobody heard the fate of.
fn check(node: &Node, acknowledged: &BTreeSet<String>, refused: u64) {
    let held: BTreeSet<String> = list(node, 0).into_iter().map(|record| record.head.guid).collect();
    assert!(acknowledged.is_subset(&held), "{} were lost", acknowledged.difference(&held).count());
    assert!(held.len() as u64 <= acknowledged.len() as u64 + refused);
}

#[test]
#[ignore = "needs root, for a small file system: .ci/faults runs it"]
fn a_full_disk_takes_nothing_and_when_there_is_room_it_goes_on() {
    let (times, mut chance) = (amount("FAULTS_FULL", 1), chance());
    let mut cluster = Cluster::of_strangers(1);
    let dir = cluster.dir().join("small");
    let disk = SmallDisk::new(&dir, 8 + 4 * times);
    let home = dir.join("n2");
    init(&home, NETWORK, "correct horse battery staple");
    let mut node = Node::new(home);
    node.start();
    cluster.nodes.push(node);
    cluster.nodes[1].register(&cluster.nodes[0]);
    cluster.wait_all(&["--peers", "1"]);
    let (mut acknowledged, mut refused, mut slowest) = (BTreeSet::new(), 0, Duration::ZERO);
    for time in 0..times {
        for number in 0..50 {
            acknowledged.insert(add(&cluster.nodes[1], format!("{time} while there was room {number}")).unwrap());
        }
        disk.fill();
        let (began, before) = (Instant::now(), refused);
        let mut others = 0;
        // Some may still fit.
        while refused < before + 20 || began.elapsed() < Duration::from_secs(1) {
            let text = format!(
                "{time} into a full disk {refused} {} {}",
                acknowledged.len(),
                "x".repeat(chance.random_range(1..9000))
            );
            match add(&cluster.nodes[1], text) {
                Ok(guid) => drop(acknowledged.insert(guid)),
                Err(ClientError::Refused(problem)) => {
                    assert_eq!(problem.status, 503, "{problem:?}");
                    refused += 1;
                }
                Err(error) => panic!("it is dead: {error}"),
            }
            // What others said is lost on it, but not on them.
            others += 1;
            acknowledged.insert(add(&cluster.nodes[0], format!("{time} said elsewhere meanwhile {others}")).unwrap());
        }
        assert!(cluster.nodes[1].network().peers.iter().all(|peer| peer.reach == gossip_node::api::Reach::Reachable));
        // Even killed on a full disk.
        let killed = time % 4 == 3;
        if killed {
            cluster.nodes[1].kill();
        }
        disk.free();
        if killed {
            cluster.nodes[1].start_again();
        }
        let freed = Instant::now();
        eventually("it writes again", || match add(&cluster.nodes[1], format!("{time} there is room again")) {
            Ok(guid) => acknowledged.insert(guid),
            Err(_) => {
                refused += 1;
                false
            }
        });
        slowest = slowest.max(freed.elapsed());
        assert!(freed.elapsed() <= Duration::from_secs(30), "{:?}", freed.elapsed());
        cluster.wait_all(&["--peers", "1", "--in-sync"]);
        check(&cluster.nodes[1], &acknowledged, refused);
    }
    cluster.nodes[1].kill();
    cluster.nodes[1].start_again();
    check(&cluster.nodes[1], &acknowledged, refused);
    report(
        "full",
        serde_json::json!({ "times": times, "acknowledged": acknowledged.len(), "lost": 0, "refused": refused,
        "slowest_back_ms": slowest.as_millis() as u64 }),
    );
    cluster.nodes[1].kill();
}

/// Has system calls of a process fail, until it is dropped.
struct Failing(Child);

impl Failing {
    fn calls(pid: u32, calls: &str, how: &str) -> Failing {
        let mut strace = Command::new("strace");
        strace.args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            &format!("trace={calls}"),
            "-e",
            &format!("inject={calls}:{how}"),
        ]);
        strace.args(["-p", &pid.to_string()]).stdin(Stdio::null());
        Failing(strace.spawn().expect("strace is installed by .ci/faults"))
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        // It lets go of the process in order.
        let _ = Command::new("kill").args(["-s", "INT", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs strace: .ci/faults runs it"]
fn a_disk_that_fails_is_told_of_and_nothing_is_acknowledged_that_it_did_not_take() {
    let mut cluster = Cluster::of(2);
    let (mut acknowledged, mut refused, mut counts) = (BTreeSet::new(), 0, serde_json::Map::new());
    let faults = [
        ("fdatasync,fsync", "error=EIO"),
        ("fdatasync,fsync", "error=EIO:when=2+3"),
        ("pwrite64", "error=ENOSPC"),
        ("pwrite64", "error=EIO:when=3+5"),
        ("pread64", "error=EIO:when=1+7"),
    ];
    for (round, (calls, how)) in faults.into_iter().enumerate() {
        let before = refused;
        let failing = Failing::calls(cluster.nodes[0].pid(), calls, how);
        let began = Instant::now();
        let mut number = 0;
        while began.elapsed() < Duration::from_secs(3) {
            number += 1;
            match add(
                &cluster.nodes[0],
                format!("{round} while {calls} fails {number} {}", "x".repeat(number * 37 % 3000)),
            ) {
                Ok(guid) => drop(acknowledged.insert(guid)),
                Err(ClientError::Refused(problem)) => {
                    assert_eq!(problem.status, 503, "{problem:?}");
                    refused += 1;
                }
                Err(error) => panic!("{calls} fails and it is dead: {error}"),
            }
            acknowledged.insert(add(&cluster.nodes[1], format!("{round} said elsewhere {number}")).unwrap());
        }
        drop(failing);
        let freed = Instant::now();
        eventually("it writes again", || match add(&cluster.nodes[0], format!("{round} again")) {
            Ok(guid) => acknowledged.insert(guid),
            Err(_) => {
                refused += 1;
                false
            }
        });
        assert!(freed.elapsed() <= Duration::from_secs(30), "{calls}: {:?}", freed.elapsed());
        counts.insert(format!("{calls} {how}"), serde_json::json!({ "refused": refused - before, "tried": number }));
        cluster.wait_all(&["--peers", "1", "--in-sync"]);
        check(&cluster.nodes[0], &acknowledged, refused);
        cluster.nodes[0].kill();
        cluster.nodes[0].start_again();
        check(&cluster.nodes[0], &acknowledged, refused);
        assert!(calls == "pread64" || refused > before, "{calls} {how} really happened");
    }
    report("failing", serde_json::json!({ "acknowledged": acknowledged.len(), "lost": 0, "faults": counts }));
}
