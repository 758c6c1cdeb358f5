//! Records as they are created: one, or many in one commit.

use super::body::{Asked, Counted, IDEMPOTENCY_KEY, IdempotencyKey, REQUEST, Raw, Room};
use super::lines::{NDJSON, failed, lines, parsed, told};
use super::problem::{hinted, problem};
use crate::api::{self, Problem};
use crate::daemon::{BATCH, Handle, Holders, New, Refusal};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use bytes::Bytes;
use std::time::Duration;

/// Creates a record; answers once it is on disk. The same Idempotency-Key with the same body answers with the same record
/// for 24 hours.
#[cfg_attr(test, utoipa::path(post, path = "/gossip", tag = "gossip", params(api::NetworkQuery, super::described::IdempotencyKey),
    request_body = api::NewGossip, responses(super::described::Creations, super::described::Problems)))]
pub(super) async fn add(
    State(handle): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
    key: Option<IdempotencyKey>,
    Counted(new, room): Counted<api::NewGossip>,
) -> Result<(StatusCode, Json<api::Created>), Problem> {
    let wait = waits(new.wait, new.timeout_ms)?;
    created(handle, query.network, key, New { who_name: new.who_name, msg: new.msg.into() }, room, wait).await
}

/// The same with MSG as it is.
#[cfg_attr(test, utoipa::path(put, path = "/gossip/raw", tag = "gossip", params(api::RawQuery, super::described::IdempotencyKey),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses(super::described::Creations, super::described::Problems)))]
pub(super) async fn add_raw(
    State(handle): State<Handle>,
    Asked(query): Asked<api::RawQuery>,
    key: Option<IdempotencyKey>,
    Raw(msg, room): Raw,
) -> Result<(StatusCode, Json<api::Created>), Problem> {
    let wait = waits(query.wait, query.timeout_ms)?;
    created(handle, query.network, key, New { who_name: query.who_name, msg }, room, wait).await
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
    room: Room,
    wait: Option<(Holders, Duration)>,
) -> Result<(StatusCode, Json<api::Created>), Problem> {
    let network = network.as_deref();
    let limit = REQUEST.saturating_add(wait.map_or(Duration::ZERO, |(_, timeout)| timeout));
    let create = async {
        let (head, is_new) = match key {
            None => (handle.add(network, new.who_name, new.msg).await?, true),
            Some(IdempotencyKey(key)) => handle.add_once(network, &key, new).await?,
        };
        // It is on disk; others may take their time.
        drop(room);
        let created = handle.held(network, head, wait).await;
        Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, Json(created)))
    };
    tokio::time::timeout(limit, create).await.unwrap_or_else(|_| {
        let late = format!("it is not known after {} s whether the record is on disk: it may be yet", limit.as_secs());
        Err(Problem::from(Refusal::Unavailable(late)))
    })
}

/// Creates up to 4,096 records in one commit: lines of JSON, 16 MiB of them at most, each with an answer.
#[cfg_attr(test, utoipa::path(post, path = "/gossip/batch", tag = "gossip", params(api::NetworkQuery), request_body(
    content = api::Draft, content_type = "application/x-ndjson", description = "one a line",
), responses(super::described::Outcomes, super::described::Problems)))]
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
    // Before any is read: what that takes grows with their number.
    if lines(&body).nth(BATCH).is_some() {
        let detail = format!("a batch has at most {BATCH} lines");
        return Err(hinted(StatusCode::PAYLOAD_TOO_LARGE, detail, "send several batches"));
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
    let added = handle.add_all(query.network.as_deref(), drafts).await?;
    outcomes.extend(numbers.into_iter().zip(added).map(|(line, added)| match added {
        Ok(gossip) => api::Outcome { line, status: 201, guid: Some(gossip.guid().to_string()), detail: None },
        Err(refusal) => failed(line, &refusal.into()),
    }));
    outcomes.sort_by_key(|outcome| outcome.line);
    Ok(([(header::CONTENT_TYPE, NDJSON)], told(&outcomes)).into_response())
}
