//! [`Places`]: the connections under way on one listener, of which there are never too many. Where all places are taken,
//! the oldest connection that serves nobody whom we know gives way to who comes next: so who merely holds connections open
//! keeps nobody out, and takes nothing that the node needs.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};

/// Connections under way.
pub(super) struct Places {
    most: usize,
    tasks: JoinSet<()>,
    /// In the order in which they came.
    taken: VecDeque<(AbortHandle, Seat)>,
    freed: Arc<Notify>,
}

/// A connection's place, to say when it must be left alone.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    is_busy: Arc<AtomicBool>,
    freed: Arc<Notify>,
}

/// While it lives, its connection keeps its place.
#[derive(Debug)]
pub(super) struct Busy(Seat);

impl Places {
    /// Room for `most`.
    pub(super) fn new(most: usize) -> Places {
        Places { most, tasks: JoinSet::new(), taken: VecDeque::new(), freed: Arc::default() }
    }

    /// Returns when there is room for one more. Where there is none, the oldest that is not busy ends; if all are, one of
    /// them has to end, or to become idle, first.
    pub(super) async fn room(&mut self) {
        loop {
            self.forget_ended();
            if self.tasks.len() < self.most {
                return;
            }
            // One that is ending already is enough.
            if self.tasks.len() == self.taken.len()
                && let Some(oldest) = self.taken.iter().position(|(_, seat)| !seat.is_busy())
                && let Some((task, _)) = self.taken.remove(oldest)
            {
                task.abort();
            }
            tokio::select! {
                () = self.freed.notified() => (),
                _ = self.tasks.join_next() => (),
            }
        }
    }

    /// Runs a connection for which there is [`room`](Places::room).
    pub(super) fn take<C: Future<Output = ()> + Send + 'static>(&mut self, connection: impl FnOnce(Seat) -> C) {
        let seat = Seat { is_busy: Arc::default(), freed: self.freed.clone() };
        let task = self.tasks.spawn(connection(seat.clone()));
        self.taken.push_back((task, seat));
    }

    /// Returns when all have ended.
    pub(super) async fn emptied(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    fn forget_ended(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        self.taken.retain(|(task, _)| !task.is_finished());
    }
}

impl Seat {
    /// From here on the connection serves somebody whom we know.
    pub(super) fn busy(&self) -> Busy {
        self.is_busy.store(true, Ordering::Relaxed);
        Busy(self.clone())
    }

    fn is_busy(&self) -> bool {
        self.is_busy.load(Ordering::Relaxed)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.is_busy.store(false, Ordering::Relaxed);
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use std::time::Duration;
    use tokio::sync::{mpsc, oneshot};

    /// Tells when it is dropped.
    struct Told(usize, mpsc::UnboundedSender<usize>);

    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.1.send(self.0);
        }
    }

    #[tokio::test]
    async fn the_oldest_that_is_not_busy_makes_room() {
        let (tell, mut ended) = mpsc::unbounded_channel();
        let mut places = Places::new(3);
        let mut seats = Vec::new();
        for number in 0..3 {
            let told = Told(number, tell.clone());
            places.take(|seat| {
                seats.push(seat);
                async move {
                    let _told = told;
                    pending().await
                }
            });
        }
        let first = seats[0].busy();
        places.room().await;
        assert_eq!(ended.recv().await, Some(1));
        places.take(|seat| {
            seats.push(seat);
            pending()
        });
        let (third, last) = (seats[2].busy(), seats[3].busy());
        assert!(tokio::time::timeout(Duration::from_millis(20), places.room()).await.is_err(), "all are busy");
        drop(first);
        places.room().await;
        assert_eq!(ended.recv().await, Some(0));
        assert_eq!(places.tasks.len(), 2);
        drop((third, last));
    }

    #[tokio::test]
    async fn one_that_ended_left_its_place() {
        let mut places = Places::new(1);
        let (end, ended) = oneshot::channel::<()>();
        let mut kept = None;
        places.take(|seat| {
            kept = Some(seat.busy());
            async move { drop(ended.await) }
        });
        assert!(tokio::time::timeout(Duration::from_millis(20), places.room()).await.is_err());
        end.send(()).unwrap();
        places.room().await;
        assert!(places.taken.is_empty() && places.tasks.is_empty());
    }
}
