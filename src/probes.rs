//! What this machine can do at best: bare sockets, the bare disk, the bare hash, bare SQLite, and a node that has neither
//! socket nor disk. Measured beside what the program does, in the same run, so that their ratio means something on a machine
//! that is busy or slow.

mod link;
mod udp;

pub use link::Link;
pub use udp::{Datagrams, delivered, echo, flood, flood_in_runs};

use crate::store::bare;
use sha2::{Digest, Sha256};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// What an append is long: about what SQLite writes for one record.
const APPEND: [u8; 4096] = [0x5a; 4096];

/// How long each of `count` appends takes until it is on the disk of `dir`, sorted.
pub fn syncs(dir: &Path, count: usize) -> io::Result<Vec<Duration>> {
    let mut file = OpenOptions::new().create(true).append(true).open(dir.join("probe.sync"))?;
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        file.write_all(&APPEND)?;
        file.sync_data()?;
        all.push(began.elapsed());
    }
    std::fs::remove_file(dir.join("probe.sync"))?;
    all.sort_unstable();
    Ok(all)
}

/// Records a second that bare SQLite commits on the disk of `dir`.
pub fn inserts(dir: &Path, records: usize, size: usize, batch: usize) -> io::Result<f64> {
    let path = dir.join("probe.db");
    let took = bare::insert(&path, records, size, batch)?;
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(dir.join(format!("probe.db{end}")));
    }
    Ok(records as f64 / took.as_secs_f64())
}

/// Bytes a second that one core hashes: the best of five.
pub fn hashing() -> f64 {
    let bytes = vec![7_u8; 4 << 20];
    let once = |_| {
        let began = Instant::now();
        let digest = Sha256::digest(&bytes);
        std::hint::black_box(digest);
        bytes.len() as f64 / began.elapsed().as_secs_f64()
    };
    (0..5).map(once).fold(0.0, f64::max)
}

/// The value below which such a share of a sorted list lies.
pub fn quantile<T: Copy>(sorted: &[T], share: f64) -> Option<T> {
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied()
}
