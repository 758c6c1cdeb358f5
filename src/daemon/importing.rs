//! Records that were made elsewhere and brought here by hand: checked like those that peers send, kept, and then found
//! missing by peers as any other.

use super::handle::{Handle, Refusal, stopping};
use super::member::Member;
use crate::proto::fact::Fact;
use crate::proto::gossip::{Gossip, Line};
use tokio::sync::oneshot;

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
        let (index, id) = (self.network(network)?, self.id(network)?);
        let lines: Vec<_> = records.iter().map(Gossip::line).collect();
        // Asked for before anything is kept, so that no answer is missed.
        let answers = self.look(index, move |member, _| {
            let mut expect = |line: Line| match line.key.guid {
                guid if member.node.ledger().contains(&guid) => Err(Imported::Known),
                _ if member.node.retention().verdict(&line).is_some() => Err(Imported::Left),
                guid => Ok(expect(member, guid)),
            };
            lines.into_iter().map(&mut expect).collect::<Vec<_>>()
        });
        let answers = answers.await?;
        for (gossip, answer) in records.into_iter().zip(&answers) {
            if answer.is_ok() {
                self.store.submit(id, Fact::Gossip(gossip));
            }
        }
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

fn expect(member: &mut Member, guid: crate::proto::gossip::Guid) -> oneshot::Receiver<bool> {
    let (reply, answer) = oneshot::channel();
    member.importing.entry(guid).or_default().push(reply);
    answer
}
