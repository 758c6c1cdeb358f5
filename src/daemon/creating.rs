//! Records created here, one or many in one commit.

use super::bounds::ADDING;
use super::command::{Adding, Command, Made};
use super::handle::Handle;
use super::receipts::Holders;
use super::refusal::{Refusal, stopping};
use super::view;
use crate::api;
use crate::proto::gossip::{Gossip, check_name};
use crate::proto::limits::MAX_MSG;
use crate::store::Request;
use bytes::Bytes;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// Records of one commit at most.
pub const BATCH: usize = 4096;

/// Something to be said.
#[derive(Clone, Debug)]
pub struct New {
    /// Who says it; the node's name if nobody.
    pub who_name: Option<String>,
    /// What is said.
    pub msg: Bytes,
}

impl Handle {
    /// Creates a record; answers once it is on disk. `network` may be `None` where there is only one.
    pub async fn add(
        &self,
        network: Option<&str>,
        who_name: Option<String>,
        msg: Bytes,
    ) -> Result<api::Added, Refusal> {
        let (network, new) = (self.network(network)?, New { who_name, msg });
        let room = self.admit(&new).await?;
        self.author(network, new, None, room).await
    }

    /// Answers once a record that was created is held by as many peers as `wait` says, or the time for that is over, or
    /// this daemon stops: it is created, whatever becomes of the wait.
    pub async fn held(
        &self,
        network: Option<&str>,
        head: api::Added,
        wait: Option<(Holders, Duration)>,
    ) -> api::Created {
        let Some((holders, timeout)) = wait else { return api::Created { head, held_by: None, waited: None } };
        let held_by = match (self.network(network), head.guid.parse()) {
            (Ok(network), Ok(guid)) => self.wait_held(network, guid, holders, timeout).await.ok(),
            _ => None,
        };
        let waited = held_by.is_some_and(|held_by| holders.suffice(held_by));
        api::Created { head, held_by, waited: Some(waited) }
    }

    /// Creates records, all that can be in one commit; an answer for each. At most [`BATCH`] of them, with 64 MiB.
    pub async fn add_all(&self, network: Option<&str>, all: Vec<New>) -> Result<Vec<Result<Gossip, Refusal>>, Refusal> {
        let network = self.network(network)?;
        let size: usize = all.iter().map(|new| new.msg.len()).sum();
        if all.len() > BATCH || size > ADDING << 10 {
            let what = format!("{} records with {size} bytes", all.len());
            let rule =
                format!("a batch has at most {BATCH} records and {} MiB, not {what}: make several", ADDING >> 10);
            return Err(Refusal::Invalid(rule));
        }
        let room = self.adding(size).await?;
        let checked: Vec<Result<(), Refusal>> = all.iter().map(New::check).collect();
        let good = all.into_iter().zip(&checked).filter(|(_, checked)| checked.is_ok());
        let adding = good.map(|(New { who_name, msg }, _)| Adding { who_name, msg, request: None }).collect();
        let mut made = self.make(network, adding, room).await?.into_iter();
        let answer = |checked: Result<(), Refusal>| checked.and_then(|()| made.next().ok_or_else(stopping)?);
        Ok(checked.into_iter().map(answer).collect())
    }

    /// Room for what is to be said, if it can be.
    pub(super) async fn admit(&self, new: &New) -> Result<OwnedSemaphorePermit, Refusal> {
        new.check()?;
        self.adding(new.msg.len()).await
    }

    pub(super) async fn author(
        &self,
        network: usize,
        new: New,
        request: Option<Request>,
        room: OwnedSemaphorePermit,
    ) -> Result<api::Added, Refusal> {
        let New { who_name, msg } = new;
        let made = self.make(network, vec![Adding { who_name, msg, request }], room).await?.pop();
        let gossip = made.ok_or_else(stopping)??;
        Ok(view::added(&gossip.guid(), gossip.head(), true))
    }

    async fn make(
        &self,
        network: usize,
        all: Vec<Adding>,
        room: OwnedSemaphorePermit,
    ) -> Result<Vec<Result<Gossip, Refusal>>, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Add { network, all, made: Made { reply, _room: room } }).await?;
        answer.await.map_err(|_| stopping())
    }
}

impl New {
    fn check(&self) -> Result<(), Refusal> {
        if self.msg.is_empty() || self.msg.len() > MAX_MSG {
            let len = self.msg.len();
            return Err(Refusal::Invalid(format!("a MSG has 1 byte to 16 MiB ({MAX_MSG} bytes), not {len}")));
        }
        if self.who_name.as_deref().is_some_and(|who_name| !check_name(who_name)) {
            let rule = "who_name must be 1 to 64 bytes of text without control or bidirectional characters";
            return Err(Refusal::Invalid(rule.to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_batch_that_never_fits_is_refused_and_keeps_nobody_waiting() {
        let (_daemon, handle) = Handle::alone().await;
        let new = |msg: &Bytes| New { who_name: None, msg: msg.clone() };
        let (large, small) = (Bytes::from(vec![b'x'; MAX_MSG]), Bytes::from_static(b"x"));
        for all in [vec![new(&large); 5], vec![new(&small); BATCH + 1]] {
            let refused = handle.add_all(None, all).await;
            assert!(matches!(refused, Err(Refusal::Invalid(_))), "{refused:?}");
        }
        handle.add(None, None, small).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_on_its_way_to_the_disk_takes_room_though_who_brought_it_hangs_up() {
        let (_daemon, handle) = Handle::alone().await;
        let stalled = tokio::spawn({
            let handle = handle.clone();
            async move { handle.stall(Duration::from_secs(1)).await }
        });
        tokio::task::yield_now().await;
        for size in [9 << 10, 1] {
            tokio::select! {
                biased;
                added = handle.add(None, None, vec![b'x'; size].into()) => panic!("while the task stands still: {added:?}"),
                () = std::future::ready(()) => {}
            }
        }
        assert_eq!(handle.bounds.adding.available_permits(), ADDING - 10);
        stalled.await.unwrap().unwrap();
        let query = api::WaitQuery { gossip: Some(2), timeout_ms: 10_000, ..api::WaitQuery::default() };
        assert!(handle.wait(query).await.unwrap().holds);
        // Whoever comes last waits until the others' room is free.
        let all = vec![New { who_name: None, msg: Bytes::from(vec![b'z'; MAX_MSG]) }; 4];
        assert_eq!(handle.add_all(None, all).await.unwrap().len(), 4);
    }

    #[tokio::test]
    async fn a_record_that_is_created_is_answered_so_though_the_daemon_stops() {
        let (daemon, handle) = Handle::alone().await;
        let head = handle.add(None, None, Bytes::from_static(b"x")).await.unwrap();
        let wait = Some((Holders::Count(1), Duration::from_secs(60)));
        let (created, left) = tokio::join!(handle.held(None, head, wait), daemon.leave());
        assert_eq!((created.held_by, created.waited), (None, Some(false)));
        left.unwrap();
    }
}
