//! SIGKILL while it writes.

use crate::cluster::{Cluster, Node, block_on, random_text};
use crate::{amount, chance, list, report, set_aside};
use rand::RngExt;
use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Adds through a node until that fails, by so many at once; each GUID is told as soon as it is acknowledged. Some of what
/// they say is too long for one piece.
fn add_until_it_fails(node: &Node, writers: u64, first: u64) -> (std::thread::JoinHandle<()>, Receiver<String>) {
    let (client, (sender, acknowledged)) = (node.client(), channel());
    let run = async move {
        let mut all = Vec::new();
        for writer in 0..writers {
            let (client, sender) = (client.clone(), sender.clone());
            all.push(tokio::spawn(async move {
                for number in 0.. {
                    let mut text = format!("{first} {writer} {number} ").into_bytes();
                    text.extend(random_text(first + number, if number % 50 == 49 { 150_000 } else { 200 }));
                    let Ok(added) = client.add(None, text.into()).await else { return };
                    let _ = sender.send(added.guid);
                }
            }));
        }
        for writer in all {
            writer.await.unwrap();
        }
    };
    (std::thread::spawn(|| block_on(run)), acknowledged)
}

#[test]
#[ignore = "takes long: .ci/faults runs it"]
fn killed_at_random_moments_while_it_writes_it_keeps_what_it_acknowledged() {
    let (kills, mut chance) = (amount("FAULTS_KILLS", 10), chance());
    let mut cluster = Cluster::of(2);
    let mut all = BTreeSet::new();
    let mut slowest = Duration::ZERO;
    for cycle in 0..kills {
        let (writing, acknowledged) = add_until_it_fails(&cluster.nodes[0], 4, cycle << 32);
        // Meanwhile what others created arrives.
        let other = cluster.nodes[1].client();
        let others = block_on(async {
            let (moment, mut others) = (tokio::time::Instant::now(), Vec::new());
            let span = Duration::from_millis(chance.random_range(20..500));
            for number in 0.. {
                if moment.elapsed() > span {
                    break;
                }
                others.push(other.add(None, format!("{cycle} of the other {number}").into()).await.unwrap().guid);
            }
            others
        });
        cluster.nodes[0].kill();
        writing.join().unwrap();
        let acknowledged: Vec<String> = acknowledged.iter().collect();

        // Nobody may help it to get back what it lost.
        cluster.nodes[1].signal("STOP");
        let began = Instant::now();
        cluster.nodes[0].start_again();
        slowest = slowest.max(began.elapsed());
        let newest = list(&cluster.nodes[0], acknowledged.len() + others.len() + 100);
        let newest: BTreeSet<String> = newest.into_iter().map(|record| record.head.guid).collect();
        let lost: Vec<&String> = acknowledged.iter().filter(|guid| !newest.contains(*guid)).collect();
        assert!(lost.is_empty(), "kill {cycle}: {} of {} were lost: {lost:?}", lost.len(), acknowledged.len());
        assert!(!set_aside(&cluster.nodes[0]), "kill {cycle}: the store did not open");
        cluster.nodes[1].signal("CONT");
        all.extend(acknowledged);
        all.extend(others);
    }
    cluster.wait_all(&["--in-sync"]);
    for node in &cluster.nodes {
        let held: BTreeSet<String> = node.guids().into_iter().collect();
        assert!(all.is_subset(&held), "{} were lost", all.difference(&held).count());
        assert!(
            held.len() as u64 <= all.len() as u64 + 4 * kills,
            "what nobody waited for is at most what was under way"
        );
    }
    let counts = serde_json::json!({
        "kills": kills, "acknowledged": all.len(), "lost": 0, "not_opened": 0, "slowest_start_ms": slowest.as_millis() as u64,
    });
    report("kills", counts);
}
