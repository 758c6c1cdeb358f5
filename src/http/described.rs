//! What the routes say of themselves: it becomes the document that `openapi` serves, which is a file so that nobody who runs
//! a daemon has to build what makes it.

use super::{create, events, gossip, import, keys, metrics, node, openapi, peers, retention, stage};
use crate::api::{self, Problem};
use std::collections::BTreeMap;
use std::path::Path;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{ContentBuilder, RefOr, Required, Response, ResponseBuilder};
use utoipa::{IntoParams, IntoResponses, OpenApi, PartialSchema};

#[derive(OpenApi)]
#[openapi(
    info(title = "gossip-node", description = "The control API of a gossip-node daemon."),
    paths(metrics::metrics),
    nest((path = api::PREFIX, api = Api)),
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

/// What has its place below the API's prefix.
#[derive(OpenApi)]
#[openapi(paths(
    create::add,
    create::add_raw,
    create::batch,
    events::events,
    gossip::holders,
    gossip::list,
    gossip::msg,
    gossip::read,
    import::import,
    keys::add,
    keys::keys,
    keys::remove,
    keys::seal_with,
    node::config,
    node::leave,
    node::log,
    node::log_level,
    node::network,
    node::node,
    node::reload,
    node::set_log_level,
    node::status,
    node::status_gossip,
    node::status_network,
    node::wait,
    peers::explain,
    peers::forget,
    peers::peer,
    peers::peers,
    peers::ping,
    peers::register,
    retention::change,
    retention::forget,
    retention::show,
    stage::change,
    stage::chaos,
))]
struct Api;

/// What may be answered anywhere: an error, and why.
pub(super) struct Problems;

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let content = ContentBuilder::new().schema(Some(<Problem as PartialSchema>::schema())).build();
        let problem = ResponseBuilder::new().description("why not").content("application/problem+json", content);
        BTreeMap::from([("default".to_owned(), problem.build().into())])
    }
}

/// What is answered where a record is created.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "described, never made")]
pub(super) enum Creations {
    /// it is new
    #[response(status = 201)]
    New(#[to_schema] api::Created),
    /// a request with this Idempotency-Key had created it
    #[response(status = 200)]
    Old(#[to_schema] api::Created),
}

/// What is answered to lines.
#[derive(IntoResponses)]
#[response(status = 200, content_type = "application/x-ndjson", description = "one a line")]
#[expect(dead_code, reason = "described, never made")]
pub(super) struct Outcomes(#[to_schema] api::Outcome);

/// The name of a request that may come again.
pub(super) struct IdempotencyKey;

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let key = ParameterBuilder::new().name("Idempotency-Key").parameter_in(ParameterIn::Header);
        let key = key.required(Required::False).schema(Some(<Option<String> as PartialSchema>::schema()));
        vec![key.description(Some("1 to 128 visible ASCII characters")).build()]
    }
}

#[test]
fn the_document_says_what_the_routes_say() {
    let now = Document::openapi().to_pretty_json().unwrap() + "\n";
    if std::env::var("GOSSIP_NODE_SNAPSHOTS").as_deref() == Ok("write") {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/openapi.json"), now).unwrap();
        return;
    }
    // Not shown: it has thousands of lines, and `git diff` shows those that changed.
    assert!(openapi::DOCUMENT == now, "the routes say something else now; GOSSIP_NODE_SNAPSHOTS=write keeps that");
}
