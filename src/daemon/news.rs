//! [`News`]: what changed in a network lately, for those who follow it. Of peers the last events are kept; of records
//! only that some arrived, since the store has them in order. Nothing here waits for who follows: who is too slow finds
//! its place gone, and looks at the whole anew.

use crate::api;
use std::collections::VecDeque;
use tokio::sync::watch;

/// Events of peers that are kept.
const KEPT: usize = 1024;

/// How far the news have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latest {
    /// Records that arrived since the daemon started; counted, not named.
    pub records: u64,
    /// The number of the next event of peers.
    pub peers: u64,
}

/// See the module.
pub struct News {
    /// Tells this run of the daemon from all others.
    run: u64,
    kept: VecDeque<api::PeerEvent>,
    latest: watch::Sender<Latest>,
}

/// Events of peers since some number.
#[derive(Debug, PartialEq, Eq)]
pub enum Since {
    /// They.
    Events(Vec<api::PeerEvent>),
    /// Not all of them are kept any more.
    Forgotten,
}

impl News {
    /// None yet, of the run with this number.
    pub fn new(run: u64) -> News {
        News { run, kept: VecDeque::new(), latest: watch::Sender::default() }
    }

    /// This run's number.
    pub fn run(&self) -> u64 {
        self.run
    }

    /// Tells when there are more.
    pub fn subscribe(&self) -> watch::Receiver<Latest> {
        self.latest.subscribe()
    }

    /// How far they have come.
    pub fn latest(&self) -> Latest {
        *self.latest.borrow()
    }

    /// So many records arrived.
    pub fn arrived(&self, count: u64) {
        self.latest.send_if_modified(|latest| {
            latest.records += count;
            count > 0
        });
    }

    /// A peer is reached in another way.
    pub fn reached(&mut self, event: api::PeerEvent) {
        self.kept.push_back(event);
        if self.kept.len() > KEPT {
            self.kept.pop_front();
        }
        self.latest.send_modify(|latest| latest.peers += 1);
    }

    /// What happened to peers in run `run` from number `from` on.
    pub fn since(&self, run: u64, from: u64) -> Since {
        let next = self.latest().peers;
        let first = next - self.kept.len() as u64;
        if run != self.run || from < first || from > next {
            return Since::Forgotten;
        }
        Since::Events(self.kept.iter().skip((from - first) as usize).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64) -> api::PeerEvent {
        api::PeerEvent {
            at: "2026-01-10T12:00:00Z".into(),
            guid: number.to_string(),
            name: "desk".into(),
            ip: "192.0.2.1".into(),
            port: 6884,
            network_name: "home".into(),
            reach: api::Reach::Suspect,
            reason: "it did not answer".into(),
        }
    }

    #[test]
    fn who_follows_misses_nothing_or_is_told() {
        let mut news = News::new(7);
        assert_eq!(news.since(7, 0), Since::Events(vec![]));
        for number in 0..KEPT as u64 + 10 {
            news.reached(event(number));
        }
        let next = KEPT as u64 + 10;
        assert_eq!(news.since(7, next - 2), Since::Events(vec![event(next - 2), event(next - 1)]));
        assert_eq!(news.since(7, next), Since::Events(vec![]));
        assert!(matches!(news.since(7, 10), Since::Events(all) if all.len() == KEPT));
        for (run, from) in [(7, 9), (7, next + 1), (6, next)] {
            assert_eq!(news.since(run, from), Since::Forgotten, "{run} {from}");
        }
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let mut news = News::new(1);
        let mut waiting = news.subscribe();
        assert!(!waiting.has_changed().unwrap());
        news.arrived(1);
        waiting.changed().await.unwrap();
        news.reached(event(1));
        waiting.changed().await.unwrap();
        assert_eq!(*waiting.borrow(), Latest { records: 1, peers: 1 });
    }
}
