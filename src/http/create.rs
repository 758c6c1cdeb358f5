//! Records as they are created: one, or many in one commit.

use super::body::{Asked, IDEMPOTENCY_KEY, IdempotencyKey, REQUEST, Raw, Told, lines};
use super::openapi::Problems;
use super::problem::{hinted, problem};
use crate::api::{self, Problem};
use crate::daemon::{BATCH, Handle, Holders, New, Refusal};
use crate::proto::limits::MAX_MSG;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use bytes::Bytes;
use serde::Serialize;
use std::time::Duration;

/// The content type of lines of JSON.
pub(super) const LINES: &str = "application/x-ndjson";

/// What is answered where a record is created.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "described, never made")]
enum Creations {
    /// it is new
    #[response(status = 201)]
    New(#[to_schema] api::Created),
    /// a request with this Idempotency-Key had created it
    #[response(status = 200)]
    Old(#[to_schema] api::Created),
}

/// What is answered where many are.
#[derive(utoipa::IntoResponses)]
#[response(status = 200, content_type = "application/x-ndjson", description = "one a line")]
#[expect(dead_code, reason = "described, never made")]
pub(super) struct Outcomes(#[to_schema] api::Outcome);

/// Creates a record; answers once it is on disk. The same Idempotency-Key with the same body answers with the same record
/// for 24 hours.
#[utoipa::path(post, path = "/gossip", tag = "gossip", params(api::NetworkQuery, IdempotencyKey),
    request_body = api::NewGossip, responses(Creations, Problems))]
pub(super) async fn add(
    State(handle): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
    key: Option<IdempotencyKey>,
    Told(new): Told<api::NewGossip>,
) -> Result<(StatusCode, Json<api::Created>), Problem> {
    let wait = waits(new.wait, new.timeout_ms)?;
    created(handle, query.network, key, New { who_name: new.who_name, msg: new.msg.into() }, wait).await
}

/// The same with MSG as it is.
#[utoipa::path(put, path = "/gossip/raw", tag = "gossip", params(api::RawQuery, IdempotencyKey),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses(Creations, Problems))]
pub(super) async fn add_raw(
    State(handle): State<Handle>,
    Asked(query): Asked<api::RawQuery>,
    key: Option<IdempotencyKey>,
    Raw(msg, _room): Raw,
) -> Result<(StatusCode, Json<api::Created>), Problem> {
    let wait = waits(query.wait, query.timeout_ms)?;
    created(handle, query.network, key, New { who_name: query.who_name, msg }, wait).await
}

/// Whom the creator of a record wants to hold it, and how long that may take.
fn waits(wait: Option<String>, timeout_ms: Option<u64>) -> Result<Option<(Holders, Duration)>, Problem> {
    let wrong = |why| problem(StatusCode::BAD_REQUEST, why);
    match (wait, timeout_ms) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(wrong("timeout_ms goes with wait".to_owned())),
        (Some(wait), timeout_ms) => {
            let holders = wait.parse().map_err(|why| wrong(format!("wait: {why}")))?;
            Ok(Some((holders, Duration::from_millis(timeout_ms.unwrap_or(api::WAIT_MS)))))
        }
    }
}

async fn created(
    handle: Handle,
    network: Option<String>,
    key: Option<IdempotencyKey>,
    new: New,
    wait: Option<(Holders, Duration)>,
) -> Result<(StatusCode, Json<api::Created>), Problem> {
    let limit = REQUEST.saturating_add(wait.map_or(Duration::ZERO, |(_, timeout)| timeout));
    let create = async {
        let Some(IdempotencyKey(key)) = key else {
            let created = handle.create(network.as_deref(), new.who_name, new.msg, wait).await?;
            return Ok((StatusCode::CREATED, Json(created)));
        };
        let once = handle.create_once(network.as_deref(), &key, new, wait).await?;
        Ok((if once.is_new { StatusCode::CREATED } else { StatusCode::OK }, Json(once.created)))
    };
    tokio::time::timeout(limit, create).await.unwrap_or_else(|_| {
        let late = format!("the disk did not take the record in {} s", limit.as_secs());
        Err(Problem::from(Refusal::Unavailable(late)))
    })
}

/// Creates up to 4,096 records of 16 MiB in all, in one commit: lines of JSON, each with an answer.
#[utoipa::path(post, path = "/gossip/batch", tag = "gossip", params(api::NetworkQuery), request_body(
    content = api::Draft, content_type = "application/x-ndjson", description = "one a line",
), responses(Outcomes, Problems))]
pub(super) async fn batch(
    State(handle): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
    headers: HeaderMap,
    Raw(body, _room): Raw,
) -> Result<Response, Problem> {
    if headers.contains_key(IDEMPOTENCY_KEY) {
        let hint = "send the lines with names one by one to POST /gossip";
        return Err(hinted(StatusCode::BAD_REQUEST, "an Idempotency-Key goes with one record", hint));
    }
    let (mut numbers, mut drafts, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
    for (line, text) in lines(&body) {
        match parsed::<api::Draft>(text) {
            Ok(api::Draft { msg, who_name }) => {
                numbers.push(line);
                drafts.push(New { who_name, msg: Bytes::from(msg) });
            }
            Err(why) => outcomes.push(failed(line, &problem(StatusCode::BAD_REQUEST, why))),
        }
    }
    drop(body);
    if drafts.len() > BATCH || drafts.iter().map(|new| new.msg.len()).sum::<usize>() > MAX_MSG {
        let detail =
            format!("a batch has at most {BATCH} records of {MAX_MSG} bytes in all, this has {}", drafts.len());
        return Err(hinted(StatusCode::PAYLOAD_TOO_LARGE, detail, "send several batches"));
    }
    let added = handle.add_all(query.network.as_deref(), drafts).await?;
    outcomes.extend(numbers.into_iter().zip(added).map(|(line, added)| match added {
        Ok(gossip) => api::Outcome { line, status: 201, guid: Some(gossip.guid().to_string()), detail: None },
        Err(refusal) => failed(line, &refusal.into()),
    }));
    outcomes.sort_by_key(|outcome| outcome.line);
    Ok(([(header::CONTENT_TYPE, LINES)], told(&outcomes)).into_response())
}

/// Reads a line.
pub(super) fn parsed<T: serde::de::DeserializeOwned>(line: &[u8]) -> Result<T, String> {
    serde_json::from_slice(line).or_else(|_| {
        // Once more, to say where it is wrong.
        let mut json = serde_json::Deserializer::from_slice(line);
        let read = serde_path_to_error::deserialize(&mut json).map_err(|error| error.to_string())?;
        json.end().map_err(|error| error.to_string())?;
        Ok(read)
    })
}

/// A line that nothing came of.
pub(super) fn failed(line: u64, problem: &Problem) -> api::Outcome {
    api::Outcome { line, status: problem.status, guid: None, detail: Some(problem.detail.clone()) }
}

/// A line each.
pub(super) fn told(all: &[impl Serialize]) -> Bytes {
    let mut lines = Vec::new();
    for one in all {
        serde_json::to_writer(&mut lines, one).expect("plain data becomes JSON");
        lines.push(b'\n');
    }
    lines.into()
}
