//! Records that were made elsewhere and brought here by hand: checked like those that peers send, kept, and then found
//! missing by peers as any other.

use super::handle::Handle;
use super::refusal::{Refusal, stopping};
use crate::proto::gossip::Gossip;
use std::sync::Arc;

/// What became of a record that was brought here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It is new here.
    New,
    /// It was here before.
    Known,
    /// The disk did not take it.
    Refused,
    /// It is not for this network any more: too old, or of a node that was forgotten.
    Left,
}

impl Handle {
    /// Keeps records that were made elsewhere; answers when they are on disk.
    pub async fn import(&self, network: Option<&str>, records: Vec<Gossip>) -> Result<Vec<Imported>, Refusal> {
        let (index, store) = (self.network(network)?, self.store.clone());
        let room = Arc::new(self.adding(records.iter().map(|gossip| gossip.msg().len()).sum()).await?);
        let answers = self.look(index, move |member, _| {
            let import = |gossip: Gossip| match gossip.line() {
                line if member.node.ledger().contains(&line.key.guid) => Err(Imported::Known),
                line if member.node.retention().verdict(&line).is_some() => Err(Imported::Left),
                _ => Ok(member.import(gossip, room.clone(), &store)),
            };
            records.into_iter().map(import).collect::<Vec<_>>()
        });
        let answers = answers.await?;
        let mut imported = Vec::with_capacity(answers.len());
        for answer in answers {
            imported.push(match answer {
                Err(imported) => imported,
                Ok(answer) => match answer.await.map_err(|_| stopping())? {
                    true => Imported::New,
                    false => Imported::Refused,
                },
            });
        }
        Ok(imported)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::WaitQuery;
    use crate::proto::gossip::{Guid, Kind};
    use crate::proto::time::Timestamp;

    #[tokio::test]
    async fn what_is_brought_is_kept_though_who_brought_it_hangs_up() {
        let (_daemon, handle) = Handle::alone().await;
        let made = Gossip::make(Kind::Message, Timestamp(1), Guid([1; 16]), "dove", "coo".into()).unwrap();
        // It has begun, and no more.
        tokio::select! {
            biased;
            imported = handle.import(None, vec![made.clone()]) => panic!("at once: {imported:?}"),
            () = std::future::ready(()) => {}
        }
        let query = WaitQuery { gossip: Some(1), timeout_ms: 10_000, ..WaitQuery::default() };
        assert!(handle.wait(query).await.unwrap().holds);
        assert_eq!(handle.import(None, vec![made]).await.unwrap(), [Imported::Known]);
    }
}
