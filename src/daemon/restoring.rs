//! [`restore`]: a node gets what the store knows of its network. The store is read, and what it holds is sorted, on a thread
//! of its own: where there is another core, only indexing takes time.

use crate::proto::fact::Restored;
use crate::proto::gossip::Line;
use crate::proto::node::Node;
use crate::proto::time::Tick;
use crate::store::{NetworkId, Store, StoreError};
use std::panic::resume_unwind;
use std::sync::mpsc::{SyncSender, sync_channel};

/// Records handed over at once, 5 MiB. In the order of the index each of them is near the one before, which takes a third off
/// a start with a million.
const BATCH: usize = 65_536;

/// What is handed over.
enum Read {
    Lines(Vec<Line>),
    Other(Restored),
}

/// See the module.
///
/// # Errors
/// When the store cannot be read, or what is read cannot be: what the node has got by then is not all.
pub fn restore(store: &Store, network: NetworkId, node: &mut Node, now: Tick) -> Result<(), StoreError> {
    let (sender, all) = sync_channel(1);
    std::thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let mut lines = Vec::new();
            store.restore(network, &mut |restored| match restored {
                Restored::Held(line) => {
                    lines.push(line);
                    if lines.len() == BATCH {
                        hand_over(&mut lines, &sender);
                    }
                }
                other => {
                    hand_over(&mut lines, &sender);
                    send(Read::Other(other), &sender);
                }
            })?;
            hand_over(&mut lines, &sender);
            Ok(())
        });
        for read in all {
            match read {
                Read::Lines(lines) => lines.into_iter().for_each(|line| node.restore(now, Restored::Held(line))),
                Read::Other(other) => node.restore(now, other),
            }
        }
        reading.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Decrees stay before messages.
fn hand_over(lines: &mut Vec<Line>, sender: &SyncSender<Read>) {
    if !lines.is_empty() {
        lines.sort_unstable_by_key(|line| (line.decree.is_none(), line.key.guid));
        send(Read::Lines(std::mem::take(lines)), sender);
    }
}

fn send(read: Read, sender: &SyncSender<Read>) {
    // All is taken until this thread ends.
    let _ = sender.send(read);
}
