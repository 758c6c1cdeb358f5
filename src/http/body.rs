//! What a request brings, read with every check and within bounds: names in its path, queries, JSON, bytes, and the name
//! that makes it one request however often it comes.

use super::problem::{hinted, problem};
use crate::api::{self, Problem};
use crate::daemon::Handle;
use crate::proto::limits::MAX_MSG;
use axum::body::HttpBody;
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode};
use axum::response::Json;
use bytes::Bytes;
use hyper::body::SizeHint;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// What comes with a body has as long for that as other requests have for all.
pub(super) const REQUEST: Duration = Duration::from_secs(60);
/// Longest name of a request.
const KEY: usize = 128;

/// What the path names.
pub(super) struct Named(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Named, Problem> {
        match <Path<String> as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Named(name)),
            Err(rejection) => Err(problem(StatusCode::BAD_REQUEST, rejection.body_text())),
        }
    }
}

/// A query whose every key is known.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Asked<T>, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(query)) => Ok(Asked(query)),
            Err(rejection) => Err(problem(StatusCode::BAD_REQUEST, rejection.body_text())),
        }
    }
}

/// A JSON body whose every field is known.
pub(super) struct Told<T>(pub(super) T);

impl<T> FromRequest<Handle> for Told<T>
where
    Json<T>: FromRequest<Handle, Rejection = JsonRejection>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, handle: &Handle) -> Result<Told<T>, Problem> {
        Counted::from_request(request, handle).await.map(|Counted(body, _)| Told(body))
    }
}

/// The same, of whose bytes there may be many: they count among those that are under way for as long as the room lives.
pub(super) struct Counted<T>(pub(super) T, pub(super) Room);

impl<T> FromRequest<Handle> for Counted<T>
where
    Json<T>: FromRequest<Handle, Rejection = JsonRejection>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, handle: &Handle) -> Result<Counted<T>, Problem> {
        let room = room(request.body().size_hint(), handle, api::LONGEST_JSON).await?;
        let Json(body) = arrived(async { Json::from_request(request, handle).await.map_err(untold) }).await?;
        Ok(Counted(body, room))
    }
}

fn untold(rejection: JsonRejection) -> Problem {
    let (status, detail) = (rejection.status(), rejection.body_text());
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => {
            hinted(status, detail, format!("long texts go better to PUT {}/gossip/raw, as they are", api::PREFIX))
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => hinted(status, detail, "say Content-Type: application/json"),
        _ => problem(StatusCode::BAD_REQUEST, detail),
    }
}

/// A body as it is, and its room.
pub(super) struct Raw(pub(super) Bytes, pub(super) Room);

impl FromRequest<Handle> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, handle: &Handle) -> Result<Raw, Problem> {
        let too_long = || {
            let detail = format!("its body has more than {MAX_MSG} bytes, the most that a MSG or a batch has");
            problem(StatusCode::PAYLOAD_TOO_LARGE, detail)
        };
        // What says that it will be too long need not be read first.
        if request.body().size_hint().lower() > MAX_MSG as u64 + 1 {
            return Err(too_long());
        }
        let room = room(request.body().size_hint(), handle, MAX_MSG).await?;
        let bytes = async {
            Bytes::from_request(request, handle).await.map_err(|rejection| match rejection {
                BytesRejection::FailedToBufferBody(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                    too_long()
                }
                rejection => problem(StatusCode::BAD_REQUEST, rejection.body_text()),
            })
        };
        Ok(Raw(arrived(bytes).await?, room))
    }
}

/// As long as it lives, the bytes of a body count among those that are under way.
pub(super) type Room = OwnedSemaphorePermit;

/// Waits until there is room for a body. One that does not say how long it is may be as long as it may be.
pub(super) async fn room(len: SizeHint, handle: &Handle, most: usize) -> Result<Room, Problem> {
    let said = len.exact().and_then(|said| usize::try_from(said).ok());
    match tokio::time::timeout(REQUEST, handle.room(said.unwrap_or(most).min(most))).await {
        Ok(room) => Ok(room?),
        Err(_) => {
            let detail =
                format!("so much else is under way to this node that there was no room for {} s", REQUEST.as_secs());
            Err(hinted(StatusCode::SERVICE_UNAVAILABLE, detail, "send it again later"))
        }
    }
}

async fn arrived<T>(body: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let late = || problem(StatusCode::REQUEST_TIMEOUT, format!("the body did not come in {} s", REQUEST.as_secs()));
    tokio::time::timeout(REQUEST, body).await.unwrap_or_else(|_| Err(late()))
}

/// The name of a request that may come again.
pub(super) struct IdempotencyKey(pub(super) String);

/// The header that has it.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

impl<S: Sync> OptionalFromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<IdempotencyKey>, Problem> {
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            let several = parts.headers.contains_key(IDEMPOTENCY_KEY);
            let detail = "a request has one Idempotency-Key";
            return if several { Err(problem(StatusCode::BAD_REQUEST, detail)) } else { Ok(None) };
        };
        let bytes = value.as_bytes();
        match value.to_str() {
            Ok(key) if (1..=KEY).contains(&key.len()) && bytes.iter().all(u8::is_ascii_graphic) => {
                Ok(Some(IdempotencyKey(key.to_owned())))
            }
            _ => {
                let detail = format!("an Idempotency-Key is 1 to {KEY} visible ASCII characters");
                Err(hinted(StatusCode::BAD_REQUEST, detail, "a random UUID is a good one"))
            }
        }
    }
}
