//! The worst day of a real daemon, as stories: killed while it writes, a full disk, a disk that fails, a damaged store, a
//! wrong clock, copies of a home, a router that forgets, what insiders may cost, a flood of datagrams. `.ci/faults` runs them, and with it what they need is there.
//!
//! How much of each is told by the environment, so that the same stories run for seconds or for hours: `FAULTS_KILLS`,
//! `FAULTS_CORRUPT` (stores), `FAULTS_FULL` (times), `FAULTS_FLOOD` (seconds), `FAULTS_PEERS` (made up), `FAULTS_STREAMS` (half
//! finished), with `FAULTS_SEED` to draw from. Each prints what it counted, and appends it to the file `FAULTS_LOG`, if that
//! is set, with the commit.
#![cfg(all(feature = "cli", target_os = "linux"))]
#![expect(clippy::disallowed_methods, reason = "how long real processes take is what is measured")]

#[path = "../common/cluster.rs"]
mod cluster;
#[path = "../common/lan.rs"]
mod lan;
#[path = "../common/watch.rs"]
mod watch;

mod burden;
mod clock;
mod corrupt;
mod disk;
mod flood;
mod homes;
mod kills;
mod nat;

use cluster::Node;
use gossip_node::api::{Gossip, ListQuery};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::Command;
use std::sync::LazyLock;

/// How often, or for how long: what the environment says, else `usual`.
fn amount(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |value| value.parse().unwrap_or_else(|_| panic!("{name}={value} is no number")))
}

/// Lines of the log so far.
fn logged() -> Vec<serde_json::Value> {
    let text = std::env::var_os("FAULTS_LOG").and_then(|log| std::fs::read_to_string(log).ok()).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The seed of this run: another one each time where there is a log.
fn seed() -> u64 {
    static SEED: LazyLock<u64> = LazyLock::new(|| amount("FAULTS_SEED", 1 + logged().len() as u64));
    *SEED
}

/// What a story draws from; `FAULTS_SEED` repeats it as far as real processes can be repeated.
fn chance() -> ChaCha8Rng {
    println!("FAULTS_SEED={}", seed());
    ChaCha8Rng::seed_from_u64(seed())
}

/// Says what a story counted.
fn report(story: &str, counts: serde_json::Value) {
    println!("{story}: {counts}");
    let Some(log) = std::env::var_os("FAULTS_LOG") else { return };
    let output = |command: &str, args: &[&str]| {
        let output = Command::new(command).args(args).output().map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&output).trim().to_owned()
    };
    let commit = output("git", &["-C", env!("CARGO_MANIFEST_DIR"), "rev-parse", "--short", "HEAD"]);
    let (at, seed) = (output("date", &["-u", "+%FT%TZ"]), seed());
    let release = !cfg!(debug_assertions);
    let line = serde_json::json!({ "at": at, "commit": commit, "release": release, "seed": seed, "story": story, "counts": counts });
    let mut file = std::fs::File::options().create(true).append(true).open(log).unwrap();
    writeln!(file, "{line}").unwrap();
    let lines: Vec<_> = logged().into_iter().filter(|line| line["story"] == story).collect();
    let mut sums = BTreeMap::new();
    for (name, count) in lines.iter().filter_map(|line| line["counts"].as_object()).flatten() {
        if let Some(count) = count.as_u64() {
            let sum: &mut u64 = sums.entry(name.as_str()).or_default();
            *sum = if is_a_most(name) { count.max(*sum) } else { count + *sum };
        }
    }
    println!("{story}, all {} runs so far: {}", lines.len(), serde_json::json!(sums));
}

/// Whether the greatest of such counts says more than their sum.
fn is_a_most(name: &str) -> bool {
    ["_ms", "_mib", "_kib", "percent", "at_most", "a_second"].iter().any(|part| name.contains(part))
}

/// All records that a node lists, newest last; 0 is all of them.
fn list(node: &Node, limit: usize) -> Vec<Gossip> {
    let query = ListQuery { limit: Some(limit as u64), ..Default::default() };
    cluster::block_on(node.client().list(query)).unwrap()
}

/// Whether a store of this node was ever set aside for damage.
fn set_aside(node: &Node) -> bool {
    let names = std::fs::read_dir(&node.home).unwrap().map(|entry| entry.unwrap().file_name());
    names.into_iter().any(|name| name.to_string_lossy().contains(".corrupt-"))
}
