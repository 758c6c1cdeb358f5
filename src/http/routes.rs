//! The routes under `/api/v1`: what a request asks of the daemon, read with every check, and its answer.

use super::events;
use super::problem::problem;
use super::stage::{self, OnStage};
use crate::api::{self, Problem};
use crate::daemon::{Handle, Holders, Refusal};
use crate::proto::limits::MAX_MSG;
use axum::Extension;
use axum::Router;
use axum::body::HttpBody;
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post, put};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::time::Duration;

/// A request that does not say itself how long it may take may take this long, its body included.
const REQUEST: Duration = Duration::from_secs(60);
/// Where the next page begins.
const CURSOR: HeaderName = HeaderName::from_static("gossip-cursor");
/// How far the index of words is: rows in it, and rows that there are.
const INDEXED: HeaderName = HeaderName::from_static("gossip-indexed");
/// Longest body of a request that carries no MSG.
const SMALL_BODY: usize = 64 << 10;
/// Longest body of `POST /gossip`: a MSG of the greatest length whose every other byte is escaped.
const JSON_BODY: usize = 2 * MAX_MSG + SMALL_BODY;

/// All of them, without the prefix.
pub(super) fn routes() -> Router<Handle> {
    // These say how long they want to wait, or go on until somebody ends them.
    let patient = Router::new()
        .route("/register", post(register))
        .route("/wait", get(wait))
        .route("/events", get(events::events))
        .route("/gossip", post(add).layer(DefaultBodyLimit::max(JSON_BODY)))
        // One byte more than a MSG may have, so that the daemon can say why it is too long.
        .route("/gossip/raw", put(add_raw).layer(DefaultBodyLimit::max(MAX_MSG + 1)));
    let prompt = Router::new()
        .route("/node", get(node))
        .route("/demo", get(stage::chaos).put(stage::change))
        .route("/gossip", get(list))
        .route("/gossip/{guid}", get(read))
        .route("/gossip/{guid}/msg", get(msg))
        .route("/status", get(status))
        .route("/status/network", get(status_network))
        .route("/status/gossip", get(status_gossip))
        .route("/peers", get(peers))
        .route("/peers/{peer}/explain", get(explain))
        .layer(from_fn(in_time));
    patient.merge(prompt).layer(DefaultBodyLimit::max(SMALL_BODY))
}

async fn node(State(handle): State<Handle>, Extension(stage): OnStage) -> Json<api::NodeInfo> {
    Json(api::NodeInfo { demo: stage.is_some(), ..handle.node() })
}

async fn add(
    State(handle): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
    Told(new): Told<api::NewGossip>,
) -> Result<(StatusCode, Json<api::Created>), Problem> {
    let wait = waits(new.wait, new.timeout_ms)?;
    created(handle, query.network, new.who_name, new.msg.into(), wait).await
}

async fn add_raw(
    State(handle): State<Handle>,
    Asked(query): Asked<api::RawQuery>,
    Raw(msg): Raw,
) -> Result<(StatusCode, Json<api::Created>), Problem> {
    let wait = waits(query.wait, query.timeout_ms)?;
    created(handle, query.network, query.who_name, msg, wait).await
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
    who_name: Option<String>,
    msg: Bytes,
    wait: Option<(Holders, Duration)>,
) -> Result<(StatusCode, Json<api::Created>), Problem> {
    let limit = REQUEST.saturating_add(wait.map_or(Duration::ZERO, |(_, timeout)| timeout));
    let create = handle.create(network.as_deref(), who_name, msg, wait);
    let created = tokio::time::timeout(limit, create).await.unwrap_or_else(|_| {
        Err(Refusal::Unavailable(format!("the disk did not take the record in {} s", limit.as_secs())))
    })?;
    Ok((StatusCode::CREATED, Json(created)))
}

/// What comes with a body has as long for that as other requests have for all.
async fn arrived<T>(body: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let late = || problem(StatusCode::REQUEST_TIMEOUT, format!("the body did not come in {} s", REQUEST.as_secs()));
    tokio::time::timeout(REQUEST, body).await.unwrap_or_else(|_| Err(late()))
}

async fn list(
    State(handle): State<Handle>,
    Asked(query): Asked<api::ListQuery>,
    uri: Uri,
) -> Result<Response, Problem> {
    let listed = handle.list(query).await?;
    let mut response = Json(listed.gossip).into_response();
    let mut say = |name: HeaderName, value: String| {
        // What we put there is ASCII: the query as it came, and numbers.
        HeaderValue::try_from(value).into_iter().for_each(|value| drop(response.headers_mut().insert(&name, value)));
    };
    if let Some(indexed) = listed.indexed {
        say(INDEXED, format!("{}/{}", indexed.done, indexed.all));
    }
    if let Some(next) = listed.next {
        let others = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.starts_with("cursor="));
        let query: String = others.map(|pair| format!("{pair}&")).collect();
        say(header::LINK, format!("<{}/gossip?{query}cursor={next}>; rel=\"next\"", api::PREFIX));
        say(CURSOR, next);
    }
    Ok(response)
}

async fn read(
    State(handle): State<Handle>,
    Path(guid): Path<String>,
    Asked(query): Asked<api::NetworkQuery>,
) -> Result<Json<api::Gossip>, Problem> {
    Ok(Json(handle.read(query.network.as_deref(), &guid).await?))
}

async fn msg(
    State(handle): State<Handle>,
    Path(guid): Path<String>,
    Asked(query): Asked<api::NetworkQuery>,
) -> Result<Response, Problem> {
    let msg = handle.msg(query.network.as_deref(), &guid).await?;
    // Without the second header a browser might guess that somebody's message is a page.
    let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    Ok((headers, msg).into_response())
}

async fn status(
    State(handle): State<Handle>,
    Asked(query): Asked<api::StatusQuery>,
) -> Result<Json<api::Status>, Problem> {
    Ok(Json(handle.status(query.network.as_deref(), query.limit.unwrap_or(api::STATUS_LIMIT)).await?))
}

async fn status_network(
    State(handle): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
) -> Result<Json<api::NetworkStatus>, Problem> {
    Ok(Json(handle.status_network(query.network.as_deref()).await?))
}

async fn status_gossip(
    State(handle): State<Handle>,
    Asked(query): Asked<api::StatusQuery>,
) -> Result<Json<api::GossipStatus>, Problem> {
    Ok(Json(handle.status_gossip(query.network.as_deref(), query.limit.unwrap_or(api::STATUS_LIMIT)).await?))
}

async fn peers(
    State(handle): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
) -> Result<Json<Vec<api::Peer>>, Problem> {
    Ok(Json(handle.peers(query.network.as_deref()).await?))
}

async fn explain(
    State(handle): State<Handle>,
    Path(peer): Path<String>,
    Asked(query): Asked<api::NetworkQuery>,
) -> Result<Json<api::Explanation>, Problem> {
    Ok(Json(handle.explain(query.network.as_deref(), &peer).await?))
}

async fn register(
    State(handle): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
    Told(request): Told<api::RegisterRequest>,
) -> Result<Json<api::Registered>, Problem> {
    Ok(Json(handle.register(query.network.as_deref(), request).await?))
}

async fn wait(State(handle): State<Handle>, Asked(query): Asked<api::WaitQuery>) -> Result<Json<api::Waited>, Problem> {
    let waited = handle.wait(query).await?;
    if waited.holds {
        return Ok(Json(waited));
    }
    let in_sync = if waited.in_sync { "in sync" } else { "not in sync" };
    let seen = format!("{} reachable peers, {} records, {in_sync}", waited.reachable_peers, waited.gossip_count);
    Err(problem(StatusCode::GATEWAY_TIMEOUT, format!("the time is over; last seen: {seen}")))
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

impl<T, S: Send + Sync> FromRequest<S> for Told<T>
where
    Json<T>: FromRequest<S, Rejection = JsonRejection>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Told<T>, Problem> {
        let body = async { Json::from_request(request, state).await.map_err(untold) };
        let Json(body) = arrived(body).await?;
        Ok(Told(body))
    }
}

fn untold(rejection: JsonRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem {
            hint: Some(format!("long texts go better to PUT {}/gossip/raw, as they are", api::PREFIX)),
            ..problem(StatusCode::PAYLOAD_TOO_LARGE, rejection.body_text())
        },
        status @ StatusCode::UNSUPPORTED_MEDIA_TYPE => problem(status, rejection.body_text()),
        _ => problem(StatusCode::BAD_REQUEST, rejection.body_text()),
    }
}

/// A body as it is.
struct Raw(Bytes);

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Raw, Problem> {
        let too_long = || problem(StatusCode::PAYLOAD_TOO_LARGE, format!("a MSG has at most {MAX_MSG} bytes"));
        // What says that it will be too long need not be read first.
        if request.body().size_hint().lower() > MAX_MSG as u64 + 1 {
            return Err(too_long());
        }
        let body = async {
            Bytes::from_request(request, state).await.map_err(|rejection| match rejection {
                BytesRejection::FailedToBufferBody(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                    too_long()
                }
                rejection => problem(StatusCode::BAD_REQUEST, rejection.body_text()),
            })
        };
        Ok(Raw(arrived(body).await?))
    }
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            problem(StatusCode::SERVICE_UNAVAILABLE, format!("no answer in {} s", REQUEST.as_secs())).into_response()
        }
    }
}

pub(super) async fn nothing_here(uri: Uri) -> Problem {
    problem(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
}

pub(super) async fn wrong_method(request: Request) -> Problem {
    problem(StatusCode::METHOD_NOT_ALLOWED, format!("{} does not go with {}", request.method(), request.uri().path()))
}
