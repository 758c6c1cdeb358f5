//! Requests with a name, which create one record however often they come.

use super::bounds::Bounds;
use super::creating::New;
use super::handle::{Handle, to_the_end};
use super::refusal::Refusal;
use super::{view, wall_clock};
use crate::api;
use crate::store::{Request, Store};
use sha2::{Digest, Sha256};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

impl Handle {
    /// Creates a record unless a request of this name did: then that record is the answer, and not new. The name belongs
    /// to what is said; with anything else it is refused.
    pub async fn add_once(&self, network: Option<&str>, name: &str, new: New) -> Result<(api::Added, bool), Refusal> {
        let network = self.network(network)?;
        let under_way = UnderWay::begin(self, network, name)?;
        let room = self.admit(&new).await?;
        let (handle, request) = (self.clone(), Request { name: name.to_owned(), asked: asked(&new) });
        // The name is taken until it is known what came of it.
        let creating = async move {
            let _under_way = under_way;
            match handle.known(network, &request).await? {
                Some(head) => Ok((head, false)),
                None => Ok((handle.author(network, new, Some(request), room).await?, true)),
            }
        };
        to_the_end(creating).await
    }

    /// What came of a request before.
    async fn known(&self, network: usize, request: &Request) -> Result<Option<api::Added>, Refusal> {
        let (id, name) = (self.networks[network].id, request.name.clone());
        let read = move |store: &Store| {
            let Some((asked, key)) = store.requested(id, &name)? else { return Ok(None) };
            Ok(store.row(id, key)?.map(|row| (asked, row)))
        };
        let Some((before, row)) = self.read_store(read).await? else { return Ok(None) };
        let age = wall_clock().0.saturating_sub(row.head.date_time().0);
        if Duration::from_micros(age) > Request::KNOWN {
            return Ok(None);
        }
        if before != request.asked {
            let why = "another message was sent with this Idempotency-Key, so this one was not";
            return Err(Refusal::Different(why.to_owned()));
        }
        Ok(Some(view::added(&row.guid, &row.head, row.complete)))
    }
}

/// A hash of what is asked.
fn asked(new: &New) -> [u8; 32] {
    let mut hash = Sha256::new();
    let who_name = new.who_name.as_deref();
    hash.update([u8::from(who_name.is_some())]);
    // A length first, so that no name runs into the message.
    hash.update((who_name.map_or(0, str::len) as u64).to_le_bytes());
    hash.update(who_name.unwrap_or_default());
    hash.update(&new.msg);
    hash.finalize().into()
}

/// While it lives, no other request of its name begins.
struct UnderWay {
    bounds: Arc<Bounds>,
    request: (usize, String),
}

impl UnderWay {
    fn begin(handle: &Handle, network: usize, name: &str) -> Result<UnderWay, Refusal> {
        let (bounds, request) = (handle.bounds.clone(), (network, name.to_owned()));
        let begun = bounds.requests.lock().unwrap_or_else(PoisonError::into_inner).insert(request.clone());
        match begun {
            true => Ok(UnderWay { bounds, request }),
            false => Err(Refusal::Conflict("a request with this Idempotency-Key is under way".to_owned())),
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.bounds.requests.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.request);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn what_is_asked_has_one_hash_and_anything_else_another() {
        let new = |who_name: Option<&str>, msg: &'static str| New {
            who_name: who_name.map(str::to_owned),
            msg: Bytes::from_static(msg.as_bytes()),
        };
        let all = [new(None, "ab"), new(Some(""), "ab"), new(Some("a"), "b"), new(Some("ab"), ""), new(None, "abc")];
        let hashes: std::collections::BTreeSet<_> = all.iter().map(asked).collect();
        assert_eq!(hashes.len(), all.len());
        assert_eq!(asked(&all[0]), asked(&new(None, "ab")));
    }
}
