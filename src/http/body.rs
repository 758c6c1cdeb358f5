//! What a request brings, read with every check and within bounds: queries, JSON, bytes, lines, and the name that makes it
//! one request however often it comes.

use super::problem::{hinted, problem};
use crate::api::{self, Problem};
use crate::daemon::Handle;
use crate::proto::limits::MAX_MSG;
use axum::body::{Body, BodyDataStream, HttpBody};
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode};
use axum::response::Json;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::io::BufRead;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};

/// What comes with a body has as long for that as other requests have for all.
pub(super) const REQUEST: Duration = Duration::from_secs(60);
/// Longest body of a request that carries no MSG.
pub(super) const SMALL_BODY: usize = 64 << 10;
/// Longest body of `POST /gossip`, and line of an import: a MSG of the greatest length whose every other byte is escaped.
pub(super) const JSON_BODY: usize = 2 * MAX_MSG + SMALL_BODY;
/// Lines, and bytes of them, that are taken at once.
const LINES: usize = 256;
const BYTES: usize = 1 << 20;
/// How long lines that are here wait for more.
const GATHER: Duration = Duration::from_millis(5);
/// Longest name of a request.
const KEY: usize = 128;

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
        let said = request.body().size_hint().exact();
        let body = async {
            let _room = room(said, handle, JSON_BODY).await?;
            Json::from_request(request, handle).await.map_err(untold)
        };
        let Json(body) = arrived(body).await?;
        Ok(Told(body))
    }
}

fn untold(rejection: JsonRejection) -> Problem {
    let hint = format!("long texts go better to PUT {}/gossip/raw, as they are", api::PREFIX);
    match rejection.status() {
        status @ StatusCode::PAYLOAD_TOO_LARGE => hinted(status, rejection.body_text(), hint),
        status @ StatusCode::UNSUPPORTED_MEDIA_TYPE => problem(status, rejection.body_text()),
        _ => problem(StatusCode::BAD_REQUEST, rejection.body_text()),
    }
}

/// A body as it is. Its bytes count among those that are under way for as long as it lives.
pub(super) struct Raw(pub(super) Bytes, pub(super) OwnedSemaphorePermit);

impl FromRequest<Handle> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, handle: &Handle) -> Result<Raw, Problem> {
        let too_long = || problem(StatusCode::PAYLOAD_TOO_LARGE, format!("a MSG has at most {MAX_MSG} bytes"));
        // What says that it will be too long need not be read first.
        if request.body().size_hint().lower() > MAX_MSG as u64 + 1 {
            return Err(too_long());
        }
        let said = request.body().size_hint().exact();
        let body = async {
            let room = room(said, handle, MAX_MSG).await?;
            let bytes = Bytes::from_request(request, handle).await.map_err(|rejection| match rejection {
                BytesRejection::FailedToBufferBody(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                    too_long()
                }
                rejection => problem(StatusCode::BAD_REQUEST, rejection.body_text()),
            });
            Ok(Raw(bytes?, room))
        };
        arrived(body).await
    }
}

/// Waits until there is room for a body. One that does not say how long it is may be as long as it may be.
async fn room(said: Option<u64>, handle: &Handle, most: usize) -> Result<OwnedSemaphorePermit, Problem> {
    let said = said.and_then(|said| usize::try_from(said).ok());
    Ok(handle.room(said.unwrap_or(most).min(most)).await?)
}

async fn arrived<T>(body: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let late = || problem(StatusCode::REQUEST_TIMEOUT, format!("the body did not come in {} s", REQUEST.as_secs()));
    tokio::time::timeout(REQUEST, body).await.unwrap_or_else(|_| Err(late()))
}

/// The name of a request that may come again.
pub(super) struct IdempotencyKey(pub(super) String);

/// The header that has it.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

impl utoipa::IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let key = ParameterBuilder::new().name("Idempotency-Key").parameter_in(ParameterIn::Header);
        let key = key.required(Required::False).schema(Some(<Option<String> as utoipa::PartialSchema>::schema()));
        vec![key.description(Some("1 to 128 visible ASCII characters")).build()]
    }
}

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

/// Bytes up to the first end of a line and with it, or all.
fn line_len(mut bytes: &[u8]) -> usize {
    // Reading from memory does not fail.
    bytes.skip_until(b'\n').unwrap_or_default()
}

/// The lines of a whole body with their numbers, without empty ones.
pub(super) fn lines(body: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let (mut rest, mut line) = (body, 0);
    let all = std::iter::from_fn(move || {
        let (next, behind) = rest.split_at_checked(line_len(rest)).filter(|(next, _)| !next.is_empty())?;
        (rest, line) = (behind, line + 1);
        Some((line, next))
    });
    all.filter(|(_, text)| !text.trim_ascii().is_empty())
}

/// A body line by line, as it comes.
pub(super) struct Lines {
    body: BodyDataStream,
    buffer: BytesMut,
    /// So much of the buffer has no end of a line.
    searched: usize,
    /// The number of the last line.
    line: u64,
    ended: bool,
}

impl Lines {
    /// From the first.
    pub(super) fn new(body: Body) -> Lines {
        Lines { body: body.into_data_stream(), buffer: BytesMut::new(), searched: 0, line: 0, ended: false }
    }

    /// The next lines with their numbers, without empty ones; none at the end.
    pub(super) async fn next(&mut self) -> Result<Vec<(u64, Bytes)>, Problem> {
        let (mut lines, mut size) = (Vec::new(), 0);
        loop {
            while lines.len() < LINES && size < BYTES {
                let Some(line) = self.line() else { break };
                if !line.trim_ascii().is_empty() {
                    size += line.len();
                    lines.push((self.line, line));
                }
            }
            if self.ended || lines.len() >= LINES || size >= BYTES {
                return Ok(lines);
            }
            let patience = if lines.is_empty() { REQUEST } else { GATHER };
            match tokio::time::timeout(patience, self.body.next()).await {
                Ok(Some(Ok(bytes))) => self.buffer.extend_from_slice(&bytes),
                Ok(Some(Err(error))) => return Err(problem(StatusCode::BAD_REQUEST, error.to_string())),
                Ok(None) => self.ended = true,
                Err(_) if !lines.is_empty() => return Ok(lines),
                Err(_) => {
                    let detail = format!("nothing came for {} s", REQUEST.as_secs());
                    return Err(problem(StatusCode::REQUEST_TIMEOUT, detail));
                }
            }
            if self.buffer.len() > JSON_BODY && self.buffer[self.searched..].iter().all(|byte| *byte != b'\n') {
                let detail = format!("line {} has more than {JSON_BODY} bytes", self.line + 1);
                return Err(problem(StatusCode::PAYLOAD_TOO_LARGE, detail));
            }
        }
    }

    /// The number of the last line that was read.
    pub(super) fn number(&self) -> u64 {
        self.line
    }

    fn line(&mut self) -> Option<Bytes> {
        let len = self.searched + line_len(self.buffer.get(self.searched..)?);
        if !self.buffer[..len].ends_with(b"\n") && (!self.ended || len == 0) {
            self.searched = len;
            return None;
        }
        (self.searched, self.line) = (0, self.line + 1);
        Some(self.buffer.split_to(len).freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_come_as_they_were_sent_however_they_are_cut() {
        let text = b"one\n\ntwo\r\nthree and no end";
        for cut in 1..text.len() {
            let parts: Vec<Result<Bytes, std::io::Error>> =
                text.chunks(cut).map(|part| Ok(part.to_vec().into())).collect();
            let mut lines = Lines::new(Body::from_stream(futures_util::stream::iter(parts)));
            let mut all = Vec::new();
            loop {
                let some = lines.next().await.unwrap();
                if some.is_empty() {
                    break;
                }
                all.extend(some.into_iter().map(|(at, line)| (at, line.trim_ascii().to_vec())));
            }
            let expected: [(u64, &[u8]); 3] = [(1, b"one"), (3, b"two"), (4, b"three and no end")];
            assert_eq!(all, expected.map(|(at, line)| (at, line.to_vec())), "{cut}");
            let whole: Vec<_> = super::lines(text).map(|(at, line)| (at, line.trim_ascii().to_vec())).collect();
            assert_eq!(whole, all);
        }
    }
}
