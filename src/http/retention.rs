//! How long the network keeps what, and nodes that are forgotten.

use super::body::{Asked, Told};
use crate::api::{self, Problem};
use crate::daemon::Handle;
use axum::extract::State;
use axum::response::Json;

/// How long the network keeps what.
#[cfg_attr(test, utoipa::path(get, path = "/retention", tag = "retention", params(api::NetworkQuery), responses(
    (status = 200, body = api::Retention), super::described::Problems,
)))]
pub(super) async fn show(
    State(handle): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
) -> Result<Json<api::Retention>, Problem> {
    Ok(Json(handle.retention(query.network.as_deref()).await?))
}

/// Changes it, for all nodes of the network.
#[cfg_attr(test, utoipa::path(put, path = "/retention", tag = "retention", params(api::NetworkQuery),
    request_body = api::RetentionChange, responses((status = 200, body = api::RetentionChanged), super::described::Problems)))]
pub(super) async fn change(
    State(handle): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
    Told(change): Told<api::RetentionChange>,
) -> Result<Json<api::RetentionChanged>, Problem> {
    Ok(Json(handle.set_retention(query.network.as_deref(), change).await?))
}

/// Forgets a node in the whole network, with all that it said so far: every node drops that, and nothing brings it back.
#[cfg_attr(test, utoipa::path(post, path = "/forget", tag = "retention", params(api::NetworkQuery),
    request_body = api::ForgetRequest, responses((status = 200, body = api::Forgotten), super::described::Problems)))]
pub(super) async fn forget(
    State(handle): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
    Told(request): Told<api::ForgetRequest>,
) -> Result<Json<api::Forgotten>, Problem> {
    Ok(Json(handle.forget_node(query.network.as_deref(), request).await?))
}
