//! `/api/openapi.json`: what can be asked and what is answered. The document is a file beside this one, so that a change of
//! the API is a change that somebody reads; that it says what the routes say is for `described` to hold.

use crate::daemon::Handle;
use axum::Router;
use axum::http::header;
use axum::routing::get;

/// Where it is.
const PATH: &str = "/api/openapi.json";

/// The document.
pub(super) const DOCUMENT: &str = include_str!("openapi.json");

/// The route that has it.
pub(super) fn routes() -> Router<Handle> {
    Router::new().route(PATH, get(async || ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)))
}
