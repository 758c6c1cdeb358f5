//! How long the network keeps what: shown and set; and nodes that are forgotten by hand.

use super::engine::Moment;
use super::handle::Handle;
use super::meant::{LEAST_PREFIX, begun, meant};
use super::member::Member;
use super::refusal::{Refusal, stopping};
use super::view;
use super::wall_clock;
use crate::api;
use crate::config::{parse_duration, show_duration};
use crate::display::rfc3339;
use crate::proto::decree::{Decree, Forget, Terms};
use crate::proto::gossip::Guid;
use crate::proto::retention::Left;
use crate::proto::time::Timestamp;
use crate::store::Store;
use std::ops::RangeInclusive;
use std::time::Duration;
use tokio::sync::oneshot;

/// What says that there is no such time.
const OFF: &str = "off";

impl Handle {
    /// How long the network keeps what.
    pub async fn retention(&self, network: Option<&str>) -> Result<api::Retention, Refusal> {
        self.look(self.network(network)?, |member, _| view::retention(&member.node)).await
    }

    /// Changes that, for all nodes; answers once it is on this node's disk. What would be, where that is all that is asked.
    pub async fn set_retention(
        &self,
        network: Option<&str>,
        change: api::RetentionChange,
    ) -> Result<api::RetentionChanged, Refusal> {
        let index = self.network(network)?;
        let (max_age, origin_timeout) =
            (term("max_age", change.max_age)?, term("origin_timeout", change.origin_timeout)?);
        if (&max_age, &origin_timeout) == (&None, &None) {
            return Err(Refusal::Invalid("nothing is to be changed: give max_age or origin_timeout".to_owned()));
        }
        let store = self.store.clone();
        let set = move |member: &mut Member, moment: Moment| {
            let now = member.node.retention().terms();
            let terms = Terms {
                max_age: max_age.unwrap_or(now.max_age),
                origin_timeout: origin_timeout.unwrap_or(now.origin_timeout),
            };
            set(member, moment, &store, terms, change.dry_run)
        };
        let (would_be, made) = self.look(index, set).await??;
        let Some(made) = made else { return Ok(would_be) };
        let (made, leave) = (made.await.map_err(|_| stopping())??, would_be.leave);
        tracing::info!(network = %self.networks[index].name, record = made.guid, leave, "the network's settings are set");
        Ok(api::RetentionChanged { retention: self.retention(network).await?, leave })
    }

    /// Forgets a node in the whole network, with all that it said so far; answers once that is on this node's disk.
    pub async fn forget_node(
        &self,
        network: Option<&str>,
        request: api::ForgetRequest,
    ) -> Result<api::Forgotten, Refusal> {
        let index = self.network(network)?;
        let store = self.store.clone();
        let made = self.look(index, move |member, moment| forget(member, moment, &store, &request)).await??;
        let (mut forgotten, made) = made;
        if let Some(made) = made {
            let made = made.await.map_err(|_| stopping())??;
            tracing::info!(network = %self.networks[index].name, origin = forgotten.origin, record = made.guid, "forgotten");
            forgotten.record = Some(made);
        }
        Ok(forgotten)
    }

    /// Why a record whose GUID is in this span is not here any more, where that is known.
    pub(super) async fn why_gone(&self, index: usize, span: RangeInclusive<Guid>) -> Result<Option<String>, Refusal> {
        self.look(index, move |member, _| {
            let (guid, left) = member.node.retention().gone.find(*span.start(), *span.end())?;
            Some(match left {
                Left::Expired => format!("{guid} left the network: it is older than the network keeps records"),
                Left::Forgotten => format!("{guid} left the network: the node that it came from was forgotten"),
            })
        })
        .await
    }
}

/// What becomes of a decree on its way to the disk.
type Made = oneshot::Receiver<Result<api::Added, Refusal>>;

fn proclaim(member: &mut Member, store: &Store, decree: Decree) -> Result<Made, Refusal> {
    let name = member.node.settings().node_name.clone();
    let gossip = member.node.decree(wall_clock(), &name, decree);
    let gossip = gossip.map_err(|invalid| Refusal::Invalid(invalid.to_string()))?;
    Ok(member.decree(gossip, store))
}

/// How it would be, and what becomes of the decree, unless it is only asked.
fn set(
    member: &mut Member,
    moment: Moment,
    store: &Store,
    terms: Terms,
    dry_run: bool,
) -> Result<(api::RetentionChanged, Option<Made>), Refusal> {
    let (max_age, origin_timeout) = (terms.max_age.map(show_duration), terms.origin_timeout.map(show_duration));
    let leave = member.node.would_leave(moment.now, terms);
    let retention = api::Retention { max_age, origin_timeout, ..view::retention(&member.node) };
    let made = (!dry_run).then(|| proclaim(member, store, Decree::Settings(terms))).transpose()?;
    Ok((api::RetentionChanged { retention, leave }, made))
}

fn forget(
    member: &mut Member,
    moment: Moment,
    store: &Store,
    request: &api::ForgetRequest,
) -> Result<(api::Forgotten, Option<Made>), Refusal> {
    let (origin, name) = match meant(&member.node, &request.node) {
        Ok(peer) => (peer, member.node.peers().peer(&peer).map(|peer| peer.name.to_owned())),
        // One that is no peer any more may have said something all the same.
        Err(missing @ Refusal::NotFound(_)) => (origin(member, &request.node).ok_or(missing)?, None),
        Err(refusal) => return Err(refusal),
    };
    if origin == member.node.settings().guid {
        return Err(Refusal::Invalid("this is this very node: forget it at another one".to_owned()));
    }
    let found = member.node.forgettable(&origin);
    let (up_to, messages) = found.map_or((None, 0), |(up_to, messages)| (Some(up_to), u64::from(messages)));
    let forgotten =
        api::Forgotten { origin: origin.to_string(), name, messages, up_to: up_to.map(rfc3339), record: None };
    match up_to {
        _ if request.dry_run => Ok((forgotten, None)),
        Some(up_to) => {
            let made = proclaim(member, store, Decree::Forget(Forget { origin, up_to }))?;
            Ok((forgotten, Some(made)))
        }
        None => {
            member.touch();
            match member.node.forget(moment.now, &origin) {
                true => Ok((forgotten, None)),
                false => Err(Refusal::Conflict(format!("{} answers, and said nothing to forget", request.node))),
            }
        }
    }
}

/// The one origin of records whose GUID begins so.
fn origin(member: &Member, who: &str) -> Option<Guid> {
    let span = begun(who, LEAST_PREFIX)?;
    let mut found = member.node.ledger().origins().filter(|guid| span.contains(guid));
    found.next().filter(|_| found.next().is_none())
}

/// A time as somebody gave it: none where it is to stay as it is.
fn term(name: &str, text: Option<String>) -> Result<Option<Option<Duration>>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    if text == OFF {
        return Ok(Some(None));
    }
    let span = parse_duration(&text).map_err(|why| Refusal::Invalid(format!("{name}: {why}")))?;
    match crate::proto::decree::is_term(span) {
        true => Ok(Some(Some(span))),
        false => Err(Refusal::Invalid(format!("{name}: {text} is no time from 1s to 10000d; {OFF} is none at all"))),
    }
}

/// Whether a date cannot be right: it is to come.
pub(super) fn is_doubtful(date: Timestamp) -> bool {
    date.0 > wall_clock().0.saturating_add(SLACK.as_micros() as u64)
}

/// How far a date may be ahead of this host's clock before it is marked.
const SLACK: Duration = Duration::from_secs(60);
