//! The node itself: what it is, how its networks are, what is set, what it said lately.

use super::body::{Asked, Told};
use super::guards::{Caller, check_limit};
use super::problem::problem;
use super::stage::OnStage;
use crate::api::{self, Problem};
use crate::daemon::{Handle, Journal, Loudness, ReloadError};
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Json;

/// This daemon.
#[cfg_attr(test, utoipa::path(get, path = "/node", tag = "node", responses((status = 200, body = api::NodeInfo), super::described::Problems)))]
pub(super) async fn node(State(handle): State<Handle>, Extension(stage): OnStage) -> Json<api::NodeInfo> {
    Json(api::NodeInfo { demo: stage.is_some(), ..handle.node() })
}

/// NETWORK_STATUS, GOSSIP_STATUS and the counters.
#[cfg_attr(test, utoipa::path(get, path = "/status", tag = "node", params(api::StatusQuery), responses(
    (status = 200, body = api::Status), super::described::Problems,
)))]
pub(super) async fn status(
    State(handle): State<Handle>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<api::StatusQuery>,
) -> Result<Json<api::Status>, Problem> {
    check_limit(&caller, query.limit)?;
    Ok(Json(handle.status(query.network.as_deref(), query.limit.unwrap_or(api::STATUS_LIMIT)).await?))
}

/// NETWORK_STATUS.
#[cfg_attr(test, utoipa::path(get, path = "/status/network", tag = "node", params(api::NetworkQuery), responses(
    (status = 200, body = api::NetworkStatus), super::described::Problems,
)))]
pub(super) async fn status_network(
    State(handle): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
) -> Result<Json<api::NetworkStatus>, Problem> {
    Ok(Json(handle.status_network(query.network.as_deref()).await?))
}

/// The same, by its short name.
#[cfg_attr(test, utoipa::path(get, path = "/network", tag = "node", params(api::NetworkQuery), responses(
    (status = 200, body = api::NetworkStatus), super::described::Problems,
)))]
pub(super) async fn network(
    State(handle): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
) -> Result<Json<api::NetworkStatus>, Problem> {
    Ok(Json(handle.status_network(query.network.as_deref()).await?))
}

/// GOSSIP_STATUS.
#[cfg_attr(test, utoipa::path(get, path = "/status/gossip", tag = "node", params(api::StatusQuery), responses(
    (status = 200, body = api::GossipStatus), super::described::Problems,
)))]
pub(super) async fn status_gossip(
    State(handle): State<Handle>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<api::StatusQuery>,
) -> Result<Json<api::GossipStatus>, Problem> {
    check_limit(&caller, query.limit)?;
    Ok(Json(handle.status_gossip(query.network.as_deref(), query.limit.unwrap_or(api::STATUS_LIMIT)).await?))
}

/// Waits until all that is asked holds; 504 if it does not in time.
#[cfg_attr(test, utoipa::path(get, path = "/wait", tag = "node", params(api::WaitQuery), responses(
    (status = 200, body = api::Waited), super::described::Problems,
)))]
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
#[cfg_attr(test, utoipa::path(get, path = "/config", tag = "node", responses((status = 200, body = api::Settings), super::described::Problems)))]
pub(super) async fn config(State(handle): State<Handle>) -> Json<api::Settings> {
    Json(handle.settings())
}

/// The last lines of the process's log.
#[cfg_attr(test, utoipa::path(get, path = "/log", tag = "node", params(api::LogQuery), responses((status = 200, body = api::Log), super::described::Problems)))]
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
#[cfg_attr(test, utoipa::path(post, path = "/leave", tag = "node", params(api::LeaveQuery), responses((status = 200, body = api::Left), super::described::Problems)))]
pub(super) async fn leave(
    State(handle): State<Handle>,
    Asked(query): Asked<api::LeaveQuery>,
) -> Result<Json<api::Left>, Problem> {
    Ok(Json(handle.leave(query.restarting).await?))
}

/// What the log shows.
#[cfg_attr(test, utoipa::path(get, path = "/log/level", tag = "node", responses((status = 200, body = api::LogLevel), super::described::Problems)))]
pub(super) async fn log_level() -> Json<api::LogLevel> {
    Json(Loudness::of_process().level())
}

/// What the log is to show, until the next reload or restart.
#[cfg_attr(test, utoipa::path(put, path = "/log/level", tag = "node", request_body = api::LogLevelChange,
    responses((status = 200, body = api::LogLevel), super::described::Problems)))]
pub(super) async fn set_log_level(Told(change): Told<api::LogLevelChange>) -> Result<Json<api::LogLevel>, Problem> {
    let filter = change.level.map(|level| level.parse()).transpose();
    let filter = filter.map_err(|wrong: String| problem(StatusCode::BAD_REQUEST, format!("level: {wrong}")))?;
    Ok(Json(Loudness::of_process().tell(filter)?))
}

/// Reads `server.json` again: what can be taken up is, what waits for a restart is named; 409 if the file is no good,
/// which changes nothing.
#[cfg_attr(test, utoipa::path(post, path = "/reload", tag = "node", responses((status = 200, body = api::Reloaded), super::described::Problems)))]
pub(super) async fn reload(State(handle): State<Handle>) -> Result<Json<api::Reloaded>, Problem> {
    match handle.reload().await {
        Ok(reloaded) => Ok(Json(reloaded)),
        Err(ReloadError::Refused(refusal)) => Err(refusal.into()),
        Err(error @ ReloadError::Config(_)) => Err(Problem {
            title: "server.json is not taken up".to_owned(),
            hint: Some("mend the file, then reload again; a restart would fail now".to_owned()),
            ..problem(StatusCode::CONFLICT, error.to_string())
        }),
    }
}
