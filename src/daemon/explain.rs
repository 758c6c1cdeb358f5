//! Why a peer is in its state.

use super::handle::Handle;
use super::meant::meant;
use super::refusal::Refusal;
use super::view;
use crate::api;
use crate::display::rfc3339;
use crate::proto::time::Tick;

impl Handle {
    /// Why a peer is in its state. `who` is its name, its address, or the beginning of its GUID.
    pub async fn explain(&self, network: Option<&str>, who: &str) -> Result<api::Explanation, Refusal> {
        let who = who.to_owned();
        self.look(self.network(network)?, move |member, moment| {
            let guid = meant(&member.node, &who)?;
            let known = view::peer(member, moment, &guid).zip(member.node.peers().explain(&guid));
            let (peer, explained) = known.ok_or_else(|| Refusal::NotFound(format!("{who:?} is gone just now")))?;
            // What is still to come has a time as well, which `Moment::wall` would cut off.
            let wall = |tick: Tick| rfc3339(moment.clock.date(tick));
            let told = |(at, what): (Tick, String)| api::Moment { at: wall(at), what };
            Ok(api::Explanation {
                peer,
                since: explained.since.map(wall),
                reason: explained.reason.to_string(),
                evidence: explained.evidence.into_iter().map(told).collect(),
                next: explained.next.map(told),
            })
        })
        .await?
    }
}
