//! `/healthz` and `/readyz`, for those who watch over daemons: whether it lives, and whether it works.

use super::problem::hinted;
use crate::api::Problem;
use crate::daemon::Handle;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use std::time::Duration;

/// Where they are.
pub(super) const PATHS: [&str; 2] = ["/healthz", "/readyz"];
/// How long the daemon's task may take to answer and count as ready.
const PROMPT: Duration = Duration::from_secs(1);

/// The routes.
pub(super) fn routes() -> Router<Handle> {
    let [healthz, readyz] = PATHS;
    // That it answers is all that the first says: it waits for nothing.
    Router::new().route(healthz, get(|| async { "ok\n" })).route(readyz, get(ready))
}

async fn ready(State(handle): State<Handle>) -> Result<&'static str, Problem> {
    let hint = "it may be busy or about to stop; its log says more";
    match tokio::time::timeout(PROMPT, handle.ready()).await {
        Ok(Ok(())) => Ok("ready\n"),
        Ok(Err(refusal)) => Err(hinted(StatusCode::SERVICE_UNAVAILABLE, refusal.to_string(), hint)),
        Err(_) => {
            let detail = format!("the daemon's task did not answer in {} s", PROMPT.as_secs());
            Err(hinted(StatusCode::SERVICE_UNAVAILABLE, detail, hint))
        }
    }
}
