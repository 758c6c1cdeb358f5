//! The keys of a network: which there are, and their change.

use super::body::{Asked, Named, Told};
use super::problem::{hinted, while_used};
use crate::api::{self, Problem};
use crate::daemon::Handle;
use crate::proto::seal::KeyId;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Json;
use zeroize::Zeroizing;

/// The keys of a network, and who still uses which.
#[cfg_attr(test, utoipa::path(get, path = "/keys", tag = "keys", params(api::NetworkQuery), responses(
    (status = 200, body = api::Keys), super::described::Problems,
)))]
pub(super) async fn keys(
    State(handle): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
) -> Result<Json<api::Keys>, Problem> {
    Ok(Json(handle.keys(query.network.as_deref()).await?))
}

/// Accepts what is sealed with the key of another password, from now on and from the next start on.
#[cfg_attr(test, utoipa::path(post, path = "/keys", tag = "keys", params(api::NetworkQuery), request_body = api::NewKey, responses(
    (status = 200, body = api::Keys), super::described::Problems,
)))]
pub(super) async fn add(
    State(handle): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
    Told(mut new): Told<api::NewKey>,
) -> Result<Json<api::Keys>, Problem> {
    let password = Zeroizing::new(std::mem::take(&mut new.password).into_bytes());
    Ok(Json(handle.add_key(query.network.as_deref(), password).await?))
}

/// Seals with a key of the ring.
#[cfg_attr(test, utoipa::path(post, path = "/keys/{key_id}/use", tag = "keys", params(
    ("key_id" = String, Path, description = "8 hex digits"), api::NetworkQuery,
), responses((status = 200, body = api::Keys), super::described::Problems)))]
pub(super) async fn seal_with(
    State(handle): State<Handle>,
    Named(key): Named,
    Asked(query): Asked<api::NetworkQuery>,
) -> Result<Json<api::Keys>, Problem> {
    Ok(Json(handle.use_key(query.network.as_deref(), parsed(&key)?).await?))
}

/// Accepts a key no longer.
#[cfg_attr(test, utoipa::path(delete, path = "/keys/{key_id}", tag = "keys", params(
    ("key_id" = String, Path, description = "8 hex digits"), api::RemoveKeyQuery,
), responses((status = 200, body = api::Keys), super::described::Problems)))]
pub(super) async fn remove(
    State(handle): State<Handle>,
    Named(key): Named,
    Asked(query): Asked<api::RemoveKeyQuery>,
) -> Result<Json<api::Keys>, Problem> {
    let removed = handle.remove_key(query.network.as_deref(), parsed(&key)?, query.force).await;
    let hint = "use the other key on every node first: gossip-node keys use";
    Ok(Json(removed.map_err(|refusal| while_used(refusal, hint))?))
}

fn parsed(key: &str) -> Result<KeyId, Problem> {
    let hint = "GET /keys lists them";
    key.parse().map_err(|_| hinted(StatusCode::BAD_REQUEST, "a key is named by 8 hex digits", hint))
}
