//! The worst day of a real daemon, as stories: killed while it writes, a full disk, a disk that fails, copies of a
//! home, a flood of datagrams. `.ci/faults` runs them, and with it what they need is there.
//!
//! How much of each is told by the environment, so that the same stories run for seconds or for hours: `FAULTS_KILLS`,
//! `FAULTS_FULL` (times), `FAULTS_FLOOD` (seconds), with `FAULTS_SEED` to draw from. Each prints what it counted, and appends
//! it to the file `FAULTS_LOG`, if that is set, with the commit.
#![cfg(all(feature = "cli", target_os = "linux"))]
#![expect(clippy::disallowed_methods, reason = "how long real processes take is what is measured")]

#[path = "../common/cluster.rs"]
mod cluster;
#[path = "../common/watch.rs"]
mod watch;

mod disk;
mod flood;
mod homes;
mod kills;

use cluster::Node;
use gossip_node::api::{Gossip, ListQuery};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::io::Write;
use std::process::Command;

/// How often, or for how long: what the environment says, else `usual`.
fn amount(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |value| value.parse().unwrap_or_else(|_| panic!("{name}={value} is no number")))
}

/// What a story draws from; `FAULTS_SEED` repeats it as far as real processes can be repeated.
fn chance() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(amount("FAULTS_SEED", 1))
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
    let (at, seed) = (output("date", &["-u", "+%FT%TZ"]), amount("FAULTS_SEED", 1));
    let release = !cfg!(debug_assertions);
    let line = serde_json::json!({ "at": at, "commit": commit, "release": release, "seed": seed, "story": story, "counts": counts });
    let mut file = std::fs::File::options().create(true).append(true).open(log).unwrap();
    writeln!(file, "{line}").unwrap();
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
