//! `GET /events`: a network's events as server-sent events, with the place behind each as its id. One whose reader is slow
//! waits for it and holds up nobody else: what comes next is looked for when there is room for it.

use super::body::Asked;
use super::problem::problem;
use crate::api::{self, Problem};
use crate::daemon::{Cursor, Handle, Refusal};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use std::io;
use std::time::Duration;

/// The header in which a follower that comes back says where it stands.
const LAST_EVENT_ID: &str = "last-event-id";
/// A comment is sent after so long without an event, so that both sides notice when the other is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// What happens, as server-sent events.
#[cfg_attr(test, utoipa::path(get, path = "/events", tag = "events", params(
    api::EventsQuery, ("Last-Event-ID" = Option<String>, Header, description = "go on behind the event with this id"),
), responses((status = 200, body = api::Event, content_type = "text/event-stream"), super::described::Problems)))]
pub(super) async fn events(
    State(handle): State<Handle>,
    Asked(query): Asked<api::EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let last = match headers.get(LAST_EVENT_ID).map(|last| last.to_str()) {
        None => None,
        Some(Ok(last)) => Some(last),
        Some(Err(_)) => return Err(problem(StatusCode::BAD_REQUEST, "the Last-Event-ID is no text".to_owned())),
    };
    let events = handle.events(query, last).await?;
    let stream = unfold(events, |mut events| async {
        let next = events.next().await?;
        Some((told(next), events))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response())
}

/// An error ends the stream; who follows comes back, and is told then what is wrong.
fn told(next: Result<(Cursor, api::Event), Refusal>) -> Result<Event, io::Error> {
    let (cursor, event) = next.map_err(io::Error::other)?;
    Event::default().id(cursor.to_string()).event(event.name()).json_data(&event).map_err(io::Error::other)
}
