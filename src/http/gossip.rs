//! Records as they are listed and read.

use super::body::{Asked, Named};
use super::guards::{Caller, check_limit};
use crate::api::{self, Problem};
use crate::daemon::Handle;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Json, Response};

/// Where the next page begins.
const CURSOR: HeaderName = HeaderName::from_static("gossip-cursor");
/// How far the index of words is: rows in it, and rows that there are.
const INDEXED: HeaderName = HeaderName::from_static("gossip-indexed");

/// Records that match.
#[cfg_attr(test, utoipa::path(get, path = "/gossip", tag = "gossip", params(api::ListQuery), responses(
    (status = 200, body = [api::Gossip], headers(
        ("Gossip-Cursor", description = "the cursor of the next page, if there may be one"),
        ("Link", description = "its address, with rel=next"),
        ("Gossip-Indexed", description = "of a search: rows in the index, and rows that there are"),
    )),
    super::described::Problems,
)))]
pub(super) async fn list(
    State(handle): State<Handle>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<api::ListQuery>,
    uri: Uri,
) -> Result<Response, Problem> {
    check_limit(&caller, query.limit)?;
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

/// A record by its GUID, or the beginning of it, and who holds it.
#[cfg_attr(test, utoipa::path(get, path = "/gossip/{guid}", tag = "gossip", params(
    ("guid" = String, Path, description = "a GUID, or 6 or more hex digits that one begins with"), api::NetworkQuery,
), responses((status = 200, body = api::Gossip), super::described::Problems)))]
pub(super) async fn read(
    State(handle): State<Handle>,
    Named(guid): Named,
    Asked(query): Asked<api::NetworkQuery>,
) -> Result<Json<api::Gossip>, Problem> {
    Ok(Json(handle.read(query.network.as_deref(), &guid).await?))
}

/// MSG alone, byte for byte.
#[cfg_attr(test, utoipa::path(get, path = "/gossip/{guid}/msg", tag = "gossip", params(
    ("guid" = String, Path, description = "a GUID, or 6 or more hex digits that one begins with"), api::NetworkQuery,
), responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), super::described::Problems)))]
pub(super) async fn msg(
    State(handle): State<Handle>,
    Named(guid): Named,
    Asked(query): Asked<api::NetworkQuery>,
) -> Result<Response, Problem> {
    let msg = handle.msg(query.network.as_deref(), &guid).await?;
    // Without the second header a browser might guess that somebody's message is a page.
    let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    Ok((headers, msg).into_response())
}

/// Which reachable peers hold a record, after all were asked.
#[cfg_attr(test, utoipa::path(get, path = "/gossip/{guid}/holders", tag = "gossip", params(
    ("guid" = String, Path, description = "a GUID, or 6 or more hex digits that one begins with"), api::NetworkQuery,
), responses((status = 200, body = api::Holders), super::described::Problems)))]
pub(super) async fn holders(
    State(handle): State<Handle>,
    Named(guid): Named,
    Asked(query): Asked<api::NetworkQuery>,
) -> Result<Json<api::Holders>, Problem> {
    Ok(Json(handle.holders(query.network.as_deref(), &guid).await?))
}
