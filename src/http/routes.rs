//! All routes of the API, in one list, and what holds for all of them.

use super::body::REQUEST;
use super::problem::problem;
use super::{create, events, gossip, import, keys, metrics, node, peers, retention, stage};
use crate::api::{self, Problem};
use crate::daemon::Handle;
use crate::proto::limits::MAX_MSG;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

/// Longest body of a request that carries no MSG.
const SMALL_BODY: usize = 64 << 10;

/// They.
pub(super) fn routes() -> OpenApiRouter<Handle> {
    // These say how long they want to wait, or go on until somebody ends them.
    let patient = OpenApiRouter::new()
        .routes(routes!(peers::register))
        .routes(routes!(node::wait))
        .routes(routes!(events::events))
        .routes(routes!(create::add).layer(DefaultBodyLimit::max(api::LONGEST_JSON)))
        // One byte more than a MSG may have, so that the daemon can say why it is too long.
        .routes(routes!(create::add_raw).layer(DefaultBodyLimit::max(MAX_MSG + 1)))
        .routes(routes!(create::batch).layer(DefaultBodyLimit::max(MAX_MSG + 1)))
        .routes(routes!(import::import));
    let prompt = OpenApiRouter::new()
        .routes(routes!(node::node))
        .routes(routes!(node::config))
        .routes(routes!(node::log))
        .routes(routes!(node::leave))
        .routes(routes!(node::log_level, node::set_log_level))
        .routes(routes!(node::reload))
        .routes(routes!(node::network))
        .routes(routes!(node::status))
        .routes(routes!(node::status_network))
        .routes(routes!(node::status_gossip))
        .routes(routes!(gossip::list))
        .routes(routes!(gossip::read))
        .routes(routes!(gossip::msg))
        .routes(routes!(gossip::holders))
        .routes(routes!(peers::peers))
        .routes(routes!(peers::peer, peers::forget))
        .routes(routes!(peers::explain))
        .routes(routes!(peers::ping))
        .routes(routes!(retention::show, retention::change))
        .routes(routes!(retention::forget))
        .routes(routes!(keys::keys, keys::add))
        .routes(routes!(keys::seal_with))
        .routes(routes!(keys::remove))
        .routes(routes!(stage::chaos, stage::change))
        .layer(from_fn(in_time));
    let metrics = OpenApiRouter::new().routes(routes!(metrics::metrics)).layer(from_fn(in_time));
    let api = patient.merge(prompt).layer(DefaultBodyLimit::max(SMALL_BODY));
    OpenApiRouter::new().nest(api::PREFIX, api).merge(metrics)
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
