//! `/api/openapi.json`: what can be asked and what is answered, made of the routes themselves.

use super::routes;
use crate::api::{self, Problem};
use crate::daemon::Handle;
use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use std::collections::BTreeMap;
use utoipa::openapi::{ContentBuilder, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, OpenApi, PartialSchema};
use utoipa_axum::router::OpenApiRouter;

/// Where it is.
const PATH: &str = "/api/openapi.json";

#[derive(OpenApi)]
#[openapi(
    info(title = "gossip-node", description = "The control API of a gossip-node daemon."),
    components(schemas(api::Created, api::Event, api::Outcome, Problem)),
    tags(
        (name = "gossip", description = "Records."),
        (name = "retention", description = "How long the network keeps what, and who is forgotten."),
        (name = "peers", description = "Other nodes."),
        (name = "keys", description = "The keys of a network, and their change."),
        (name = "node", description = "This node."),
        (name = "events", description = "What happens, as it happens."),
    )
)]
struct Document;

/// What may be answered anywhere: an error, and why.
pub(super) struct Problems;

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let content = ContentBuilder::new().schema(Some(<Problem as PartialSchema>::schema())).build();
        let problem = ResponseBuilder::new().description("why not").content("application/problem+json", content);
        BTreeMap::from([("default".to_owned(), problem.build().into())])
    }
}

/// All routes of the API, and the one that describes them.
pub(super) fn routes() -> Router<Handle> {
    let (routes, document) = OpenApiRouter::with_openapi(Document::openapi()).merge(routes::routes()).split_for_parts();
    let json = Bytes::from(document.to_json().expect("an OpenAPI document becomes JSON"));
    let document = move || async move { ([(header::CONTENT_TYPE, "application/json")], json).into_response() };
    routes.route(PATH, get(document))
}
