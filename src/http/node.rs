//! The node itself: what it is, how its networks are, what is set, what it said lately.

use super::body::Asked;
use super::guards::{Caller, check_limit};
use super::openapi::Problems;
use super::problem::problem;
use super::stage::OnStage;
use crate::api::{self, Problem};
use crate::daemon::{Handle, Journal};
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Json;

/// This daemon.
#[utoipa::path(get, path = "/node", tag = "node", responses((status = 200, body = api::NodeInfo), Problems))]
pub(super) async fn node(State(handle): State<Handle>, Extension(stage): OnStage) -> Json<api::NodeInfo> {
    Json(api::NodeInfo { demo: stage.is_some(), ..handle.node() })
}

/// NETWORK_STATUS, GOSSIP_STATUS and the counters.
#[utoipa::path(get, path = "/status", tag = "node", params(api::StatusQuery), responses(
    (status = 200, body = api::Status), Problems,
))]
pub(super) async fn status(
    State(handle): State<Handle>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<api::StatusQuery>,
) -> Result<Json<api::Status>, Problem> {
    check_limit(&caller, query.limit)?;
    Ok(Json(handle.status(query.network.as_deref(), query.limit.unwrap_or(api::STATUS_LIMIT)).await?))
}

/// NETWORK_STATUS.
#[utoipa::path(get, path = "/status/network", tag = "node", params(api::NetworkQuery), responses(
    (status = 200, body = api::NetworkStatus), Problems,
))]
pub(super) async fn status_network(
    State(handle): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
) -> Result<Json<api::NetworkStatus>, Problem> {
    Ok(Json(handle.status_network(query.network.as_deref()).await?))
}

/// The same, by its short name.
#[utoipa::path(get, path = "/network", tag = "node", params(api::NetworkQuery), responses(
    (status = 200, body = api::NetworkStatus), Problems,
))]
pub(super) async fn network(
    State(handle): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
) -> Result<Json<api::NetworkStatus>, Problem> {
    Ok(Json(handle.status_network(query.network.as_deref()).await?))
}

/// GOSSIP_STATUS.
#[utoipa::path(get, path = "/status/gossip", tag = "node", params(api::StatusQuery), responses(
    (status = 200, body = api::GossipStatus), Problems,
))]
pub(super) async fn status_gossip(
    State(handle): State<Handle>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<api::StatusQuery>,
) -> Result<Json<api::GossipStatus>, Problem> {
    check_limit(&caller, query.limit)?;
    Ok(Json(handle.status_gossip(query.network.as_deref(), query.limit.unwrap_or(api::STATUS_LIMIT)).await?))
}

/// Waits until all that is asked holds; 504 if it does not in time.
#[utoipa::path(get, path = "/wait", tag = "node", params(api::WaitQuery), responses(
    (status = 200, body = api::Waited), Problems,
))]
pub(super) async fn wait(
    State(handle): State<Handle>,
    Asked(query): Asked<api::WaitQuery>,
) -> Result<Json<api::Waited>, Problem> {
    let waited = handle.wait(query).await?;
    if waited.holds {
        return Ok(Json(waited));
    }
    let in_sync = if waited.in_sync { "in sync" } else { "not in sync" };
    let seen = format!("{} reachable peers, {} records, {in_sync}", waited.reachable_peers, waited.gossip_count);
    Err(problem(StatusCode::GATEWAY_TIMEOUT, format!("the time is over; last seen: {seen}")))
}

/// All that can be set, as it holds, with where it comes from. Secrets are not shown.
#[utoipa::path(get, path = "/config", tag = "node", responses((status = 200, body = api::Settings), Problems))]
pub(super) async fn config(State(handle): State<Handle>) -> Json<api::Settings> {
    Json(handle.settings())
}

/// The last lines of the process's log.
#[utoipa::path(get, path = "/log", tag = "node", params(api::LogQuery), responses((status = 200, body = api::Log), Problems))]
pub(super) async fn log(Asked(query): Asked<api::LogQuery>) -> Result<Json<api::Log>, Problem> {
    let level = match query.level.as_deref() {
        Some("error") => tracing::Level::ERROR,
        Some("warn") => tracing::Level::WARN,
        Some("info") | None => tracing::Level::INFO,
        Some(other) => {
            let detail = format!("level: {other:?} is none of error, warn, info");
            return Err(problem(StatusCode::BAD_REQUEST, detail));
        }
    };
    Ok(Json(Journal::of_process().after(query.after.unwrap_or(0), level)))
}

/// Says goodbye, and has the daemon stop as a signal would.
#[utoipa::path(post, path = "/leave", tag = "node", responses((status = 200, body = api::Left), Problems))]
pub(super) async fn leave(State(handle): State<Handle>) -> Result<Json<api::Left>, Problem> {
    Ok(Json(handle.leave().await?))
}
