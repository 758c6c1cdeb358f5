//! A store that is not as it was left.

use crate::cluster::{Cluster, Node, block_on, eventually, random_text};
use crate::{amount, chance, report};
use gossip_node::api::{Gossip, ListQuery};
use gossip_node::client::ClientError;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const PAGE: usize = 4096;
/// As many of the records here as fit a page, generously.
const RECORDS_OF_A_PAGE: usize = 24;

/// Harm, and how many pages it touches at most; `None`: any number.
type Harm = (&'static str, fn(&Path, &mut ChaCha8Rng) -> Option<usize>);

const HARMS: &[Harm] = &[
    ("bytes flipped", |home, chance| {
        let flips = chance.random_range(1..=64);
        change(&home.join("gossip.db"), |bytes| flip(bytes, flips, chance));
        Some(flips)
    }),
    ("bytes flipped in the log", |home, chance| {
        change(&home.join("gossip.db-wal"), |bytes| flip(bytes, 8, chance));
        None
    }),
    ("the log deleted", |home, _| delete(&home.join("gossip.db-wal"))),
    ("a page of zeros", |home, chance| {
        change(&home.join("gossip.db"), |bytes| {
            let page = chance.random_range(0..bytes.len() / PAGE) * PAGE;
            bytes[page..page + PAGE].fill(0);
        });
        Some(1)
    }),
    ("a page where another was", |home, chance| {
        change(&home.join("gossip.db"), |bytes| {
            let pages = bytes.len() / PAGE;
            let (from, to) = (chance.random_range(0..pages) * PAGE, chance.random_range(0..pages) * PAGE);
            bytes.copy_within(from..from + PAGE, to);
        });
        Some(1)
    }),
    ("cut short", |home, chance| {
        change(&home.join("gossip.db"), |bytes| bytes.truncate(chance.random_range(0..bytes.len())));
        None
    }),
    ("random bytes", |home, chance| {
        change(&home.join("gossip.db"), |bytes| chance.fill_bytes(bytes));
        None
    }),
    ("the file deleted, not the log", |home, _| delete(&home.join("gossip.db"))),
    ("the start of it gone", |home, chance| {
        change(&home.join("gossip.db"), |bytes| {
            let end = chance.random_range(1..bytes.len());
            bytes[..end].fill(0);
        });
        None
    }),
];

fn delete(path: &Path) -> Option<usize> {
    fs::remove_file(path).unwrap();
    None
}

fn change(path: &Path, harm: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    harm(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn flip(bytes: &mut [u8], times: usize, chance: &mut ChaCha8Rng) {
    for _ in 0..times {
        let at = chance.random_range(0..bytes.len());
        bytes[at] ^= chance.random_range(1..=255);
    }
}

/// What it lists, each record with its text, if that is here; `None` where it meets damage that was not seen at its start, and
/// mends that. Nothing else than what was said is ever listed.
fn list(node: &Node, said: &BTreeMap<String, String>) -> Option<Vec<Gossip>> {
    let query = ListQuery { limit: Some(0), ..Default::default() };
    let records = match block_on(node.client().list(query)) {
        Ok(records) => records,
        Err(ClientError::Refused(problem)) if problem.detail.contains("is being saved") => return None,
        Err(error) => panic!("{error}"),
    };
    for record in &records {
        let expected = said.get(&record.head.guid).expect("nobody created it");
        assert!(record.msg.as_ref().is_none_or(|msg| msg == expected), "{} says {:?}", record.head.guid, record.msg);
    }
    Some(records)
}

/// The same, as soon as it has mended what it met; how long nothing could be listed.
fn list_anyway(node: &Node, said: &BTreeMap<String, String>, outage: &mut Duration) -> Vec<Gossip> {
    let began = Instant::now();
    let mut refused = 0;
    loop {
        if let Some(records) = list(node, said) {
            if refused > 0 {
                *outage = began.elapsed().max(*outage);
            }
            return records;
        }
        refused += 1;
        assert!(began.elapsed() < Duration::from_secs(30), "it mends itself");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether it has every byte of all that was said.
fn is_whole(node: &Node, records: &[Gossip], said: &BTreeMap<String, String>, long: &str) -> bool {
    let whole = |record: &Gossip| {
        record.complete && (record.head.guid == long || record.msg.as_ref() == said.get(&record.head.guid))
    };
    records.len() == said.len()
        && records.iter().all(whole)
        && node.command(["read", long, "--raw"]).output().is_ok_and(|read| read.stdout == said[long].as_bytes())
}

#[test]
#[ignore = "takes long: .ci/faults runs it"]
fn a_damaged_store_serves_what_is_left_and_gets_the_rest_back() {
    let (stores, mut chance) = (amount("FAULTS_CORRUPT", 20), chance());
    let mut cluster = Cluster::of(2);
    let mut said = BTreeMap::new();
    for number in 0..600 {
        let text = format!("record {number} {}", String::from_utf8(random_text(number, 200)).unwrap());
        said.insert(cluster.nodes[(number % 2) as usize].add_stdin(text.as_bytes()), text);
    }
    let long = String::from_utf8(random_text(7, 300_000)).unwrap();
    let long_guid = cluster.nodes[0].add_stdin(long.as_bytes());
    said.insert(long_guid.clone(), long);
    cluster.agree_on(said.len() as u64);
    let guid = cluster.nodes[1].ready["node_guid"].clone();

    let (mut missing, mut intact, mut outage) = (BTreeMap::<&str, Vec<usize>>::new(), 0, Duration::ZERO);
    for store in 0..stores {
        let (name, harm) = HARMS[store as usize % HARMS.len()];
        let (helper, victim) = cluster.nodes.split_at_mut(1);
        let (helper, victim) = (&helper[0], &mut victim[0]);
        // Killed, so that there is a log; every other time the next start has put most of it into the file.
        victim.kill();
        let pages = harm(&victim.home, &mut chance);
        helper.signal("STOP");
        victim.start_again();
        assert_eq!(victim.ready["node_guid"], guid, "it is who it was");
        let held = list_anyway(victim, &said, &mut outage).len();
        if let Some(pages) = pages {
            let least = said.len().saturating_sub(pages * RECORDS_OF_A_PAGE);
            assert!(held >= least, "store {store}, {name}: {held} of {} are left, not {least}", said.len());
        }
        helper.signal("CONT");
        missing.entry(name).or_default().push(said.len() - held);
        intact += usize::from(held == said.len());
        // What is found to be damaged only when it is read is fetched anew then.
        eventually("it has all of it again", || {
            let records = list_anyway(victim, &said, &mut outage);
            is_whole(victim, &records, &said, &long_guid)
        });
        victim.wait(&["--peers", "1", "--in-sync"]);
        for entry in fs::read_dir(&victim.home).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.to_string_lossy().contains(".corrupt-") {
                fs::remove_file(entry).unwrap();
            }
        }
    }
    report(
        "corrupt",
        serde_json::json!({ "stores": stores, "started": stores, "healed": stores, "nothing_missing": intact,
            "longest_outage_ms": outage.as_millis() as u64, "missing_at_start": missing }),
    );
}
