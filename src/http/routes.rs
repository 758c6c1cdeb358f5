//! All routes of the API, in one list, and what holds for all of them.

use super::body::REQUEST;
use super::problem::problem;
use super::{create, events, gossip, import, keys, metrics, node, peers, retention, stage};
use crate::api::{self, Problem};
use crate::daemon::Handle;
use crate::proto::limits::MAX_MSG;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};

/// Longest body of a request that carries no MSG.
const SMALL_BODY: usize = 64 << 10;

/// They. Each is also in the document that describes them: see `described`.
pub(super) fn routes() -> Router<Handle> {
    // These say how long they want to wait, or go on until somebody ends them.
    let patient = Router::new()
        .route("/register", post(peers::register))
        .route("/wait", get(node::wait))
        .route("/events", get(events::events))
        // One byte more than a MSG may have, so that the daemon can say why it is too long.
        .route("/gossip/raw", put(create::add_raw).layer(DefaultBodyLimit::max(MAX_MSG + 1)))
        .route("/gossip/batch", post(create::batch).layer(DefaultBodyLimit::max(MAX_MSG + 1)))
        .route("/gossip/import", post(import::import));
    let prompt = Router::new()
        .route("/node", get(node::node))
        .route("/config", get(node::config))
        .route("/log", get(node::log))
        .route("/leave", post(node::leave))
        .route("/log/level", get(node::log_level).put(node::set_log_level))
        .route("/reload", post(node::reload))
        .route("/network", get(node::network))
        .route("/status", get(node::status))
        .route("/status/network", get(node::status_network))
        .route("/status/gossip", get(node::status_gossip))
        .route("/gossip/{guid}", get(gossip::read))
        .route("/gossip/{guid}/msg", get(gossip::msg))
        .route("/gossip/{guid}/holders", get(gossip::holders))
        .route("/peers", get(peers::peers))
        .route("/peers/{peer}", get(peers::peer).delete(peers::forget))
        .route("/peers/{peer}/explain", get(peers::explain))
        .route("/peers/{peer}/ping", post(peers::ping))
        .route("/retention", get(retention::show).put(retention::change))
        .route("/forget", post(retention::forget))
        .route("/keys", get(keys::keys).post(keys::add))
        .route("/keys/{key_id}/use", post(keys::seal_with))
        .route("/keys/{key_id}", delete(keys::remove))
        .route("/demo", get(stage::chaos).put(stage::change))
        .layer(from_fn(in_time));
    // Both: a list is prompt, a record that is created may wait for its holders.
    let records = get(gossip::list)
        .layer(from_fn(in_time))
        .merge(post(create::add).layer(DefaultBodyLimit::max(api::LONGEST_JSON)));
    let metrics = Router::new().route("/metrics", get(metrics::metrics)).layer(from_fn(in_time));
    let api = patient.merge(prompt).route("/gossip", records).layer(DefaultBodyLimit::max(SMALL_BODY));
    Router::new().nest(api::PREFIX, api).merge(metrics)
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
