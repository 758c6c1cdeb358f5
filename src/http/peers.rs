//! Peers: how they are, and what can be done about them.

use super::body::{Asked, Named, Told};
use super::problem::while_used;
use crate::api::{self, Problem};
use crate::daemon::Handle;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Json;

/// All peers.
#[cfg_attr(test, utoipa::path(get, path = "/peers", tag = "peers", params(api::NetworkQuery), responses(
    (status = 200, body = [api::Peer]), super::described::Problems,
)))]
pub(super) async fn peers(
    State(handle): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
) -> Result<Json<Vec<api::Peer>>, Problem> {
    Ok(Json(handle.peers(query.network.as_deref()).await?))
}

/// One of them.
#[cfg_attr(test, utoipa::path(get, path = "/peers/{peer}", tag = "peers", params(
    ("peer" = String, Path, description = "a name, an address, or the beginning of a GUID"), api::NetworkQuery,
), responses((status = 200, body = api::Peer), super::described::Problems)))]
pub(super) async fn peer(
    State(handle): State<Handle>,
    Named(peer): Named,
    Asked(query): Asked<api::NetworkQuery>,
) -> Result<Json<api::Peer>, Problem> {
    Ok(Json(handle.peer(query.network.as_deref(), &peer).await?))
}

/// Why it is in its state.
#[cfg_attr(test, utoipa::path(get, path = "/peers/{peer}/explain", tag = "peers", params(
    ("peer" = String, Path, description = "a name, an address, or the beginning of a GUID"), api::NetworkQuery,
), responses((status = 200, body = api::Explanation), super::described::Problems)))]
pub(super) async fn explain(
    State(handle): State<Handle>,
    Named(peer): Named,
    Asked(query): Asked<api::NetworkQuery>,
) -> Result<Json<api::Explanation>, Problem> {
    Ok(Json(handle.explain(query.network.as_deref(), &peer).await?))
}

/// Registers with another node, and waits for its answer.
#[cfg_attr(test, utoipa::path(post, path = "/register", tag = "peers", params(api::NetworkQuery),
    request_body = api::RegisterRequest, responses((status = 200, body = api::Registered), super::described::Problems)))]
pub(super) async fn register(
    State(handle): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
    Told(request): Told<api::RegisterRequest>,
) -> Result<Json<api::Registered>, Problem> {
    Ok(Json(handle.register(query.network.as_deref(), request).await?))
}

/// Greets a peer, and waits for its answer.
#[cfg_attr(test, utoipa::path(post, path = "/peers/{peer}/ping", tag = "peers", params(
    ("peer" = String, Path, description = "a name, an address, or the beginning of a GUID"), api::PingQuery,
), responses((status = 200, body = api::Pong), super::described::Problems)))]
pub(super) async fn ping(
    State(handle): State<Handle>,
    Named(peer): Named,
    Asked(query): Asked<api::PingQuery>,
) -> Result<Json<api::Pong>, Problem> {
    Ok(Json(handle.ping(query, &peer).await?))
}

/// Drops a peer that does not answer, from the list and from the disk. Others may name it again.
#[cfg_attr(test, utoipa::path(delete, path = "/peers/{peer}", tag = "peers", params(
    ("peer" = String, Path, description = "a name, an address, or the beginning of a GUID"), api::NetworkQuery,
), responses((status = 204, description = "it is forgotten"), super::described::Problems)))]
pub(super) async fn forget(
    State(handle): State<Handle>,
    Named(peer): Named,
    Asked(query): Asked<api::NetworkQuery>,
) -> Result<StatusCode, Problem> {
    let forgotten = handle.forget(query.network.as_deref(), &peer).await;
    forgotten.map_err(|refusal| while_used(refusal, "stop that node first"))?;
    Ok(StatusCode::NO_CONTENT)
}
