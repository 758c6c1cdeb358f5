//! [`Client`]: typed calls to a running daemon over its control socket, for the command line and for tests.

mod connections;
mod events;
mod operating;
mod records;

pub use events::Events;

use crate::api::{self, Problem};
use bytes::Bytes;
use connections::Connections;
use http_body_util::Full;
use hyper::{HeaderMap, Method, Request, header};
use serde::de::DeserializeOwned;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// How long an answer may take, beyond the time that the request itself asks for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reaches the daemon behind a control socket.
#[derive(Clone, Debug)]
pub struct Client {
    connections: Connections,
    network: Option<String>,
}

/// Why a call has no answer, or not the one hoped for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens on the socket.
    #[error("no gossip-node answers at {}: {source}", socket.display())]
    NoDaemon {
        /// The socket tried.
        socket: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The socket is somebody else's.
    #[error("no permission to use {}", socket.display())]
    Forbidden {
        /// The socket tried.
        socket: PathBuf,
    },
    /// The daemon said no, and why.
    #[error("{}: {}", .0.title, .0.detail)]
    Refused(Problem),
    /// The daemon took the request and said nothing.
    #[error("the daemon did not answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// The daemon went away in the middle of its answer.
    #[error("the daemon went away: {0}")]
    Broken(String),
    /// An answer that we do not understand.
    #[error("the daemon's answer makes no sense: {0}")]
    Garbled(String),
}

impl Client {
    /// A client of the daemon behind `socket`; `network` names one of its networks, if it is in several.
    pub fn new(socket: PathBuf, network: Option<String>) -> Client {
        Client { connections: Connections::new(socket), network }
    }

    /// The same for one of the daemon's networks.
    pub fn in_network(&self, network: String) -> Client {
        Client { network: Some(network), ..self.clone() }
    }

    /// This daemon.
    pub async fn node(&self) -> Result<api::NodeInfo, ClientError> {
        self.ask("/node", &[], PATIENCE).await
    }

    /// Says something; the answer comes when it is on disk.
    pub async fn add(&self, who_name: Option<String>, msg: Bytes) -> Result<api::Added, ClientError> {
        Ok(self.create(who_name, msg, None).await?.head)
    }

    /// The same; with `wait` (a number or `all`) the answer comes when so many reachable peers hold it, or that time is
    /// over.
    pub async fn create(
        &self,
        who_name: Option<String>,
        msg: Bytes,
        wait: Option<(String, Duration)>,
    ) -> Result<api::Created, ClientError> {
        let patience = wait.as_ref().map_or(PATIENCE, |(_, timeout)| timeout.saturating_add(PATIENCE));
        let (wait, timeout) = wait.unzip();
        let query = [
            ("network", self.network.clone()),
            ("who_name", who_name),
            ("wait", wait),
            ("timeout_ms", timeout.map(|timeout| millis(timeout).to_string())),
        ];
        let body = self.call(Method::PUT, "/gossip/raw", &query, "application/octet-stream", msg, patience).await?;
        parsed(&body)
    }

    /// The newest records that match, oldest first.
    pub async fn list(&self, query: api::ListQuery) -> Result<Vec<api::Gossip>, ClientError> {
        Ok(self.page(query).await?.0)
    }

    fn list_query(&self, query: api::ListQuery) -> [(&'static str, Option<String>); 9] {
        [
            ("network", query.network.or_else(|| self.network.clone())),
            ("limit", query.limit.map(|limit| limit.to_string())),
            ("cursor", query.cursor),
            (
                "order",
                query.order.map(|order| if order == api::Order::Newest { "newest" } else { "oldest" }.to_owned()),
            ),
            ("since", query.since),
            ("until", query.until),
            ("who", query.who),
            ("q", query.q),
            ("grep", query.grep),
        ]
    }

    /// One record by its GUID or a unique prefix of it.
    pub async fn read(&self, guid: &str) -> Result<api::Gossip, ClientError> {
        self.ask(&format!("/gossip/{}", encoded(guid)), &self.network_query(), PATIENCE).await
    }

    /// MSG alone, byte for byte.
    pub async fn msg(&self, guid: &str) -> Result<Bytes, ClientError> {
        let path = format!("/gossip/{}/msg", encoded(guid));
        self.call(Method::GET, &path, &self.network_query(), "", Bytes::new(), PATIENCE).await
    }

    /// NETWORK_STATUS.
    pub async fn status_network(&self) -> Result<api::NetworkStatus, ClientError> {
        self.ask("/status/network", &self.network_query(), PATIENCE).await
    }

    /// GOSSIP_STATUS with the newest `limit` records; 0 is all.
    pub async fn status_gossip(&self, limit: u64) -> Result<api::GossipStatus, ClientError> {
        self.ask("/status/gossip", &self.limited(limit), PATIENCE).await
    }

    /// Both, and the counters.
    pub async fn status(&self, limit: u64) -> Result<api::Status, ClientError> {
        self.ask("/status", &self.limited(limit), PATIENCE).await
    }

    /// All peers.
    pub async fn peers(&self) -> Result<Vec<api::Peer>, ClientError> {
        self.ask("/peers", &self.network_query(), PATIENCE).await
    }

    /// One of them: with this name, this address, or a GUID that begins so.
    pub async fn peer(&self, peer: &str) -> Result<api::Peer, ClientError> {
        self.ask(&format!("/peers/{}", encoded(peer)), &self.network_query(), PATIENCE).await
    }

    /// Why a peer is in its state: one with this name, this address, or a GUID that begins so.
    pub async fn explain(&self, peer: &str) -> Result<api::Explanation, ClientError> {
        self.ask(&format!("/peers/{}/explain", encoded(peer)), &self.network_query(), PATIENCE).await
    }

    /// Greets a peer and waits for its answer.
    pub async fn ping(&self, peer: &str, query: api::PingQuery) -> Result<api::Pong, ClientError> {
        let path = format!("/peers/{}/ping", encoded(peer));
        let patience = Duration::from_millis(query.timeout_ms.unwrap_or(0)).saturating_add(PATIENCE);
        let query = [
            ("network", query.network.or_else(|| self.network.clone())),
            ("size", query.size.map(|size| size.to_string())),
            ("timeout_ms", query.timeout_ms.map(|timeout| timeout.to_string())),
        ];
        self.bare(Method::POST, &path, &query, patience).await
    }

    /// Has the daemon say goodbye and stop; whether it says that it comes back at once.
    pub async fn leave(&self, restarting: bool) -> Result<api::Left, ClientError> {
        self.bare(Method::POST, "/leave", &[("restarting", Some(restarting.to_string()))], PATIENCE).await
    }

    /// All that can be set, as it holds.
    pub async fn config(&self) -> Result<api::Settings, ClientError> {
        self.ask("/config", &[], PATIENCE).await
    }

    /// Lines of its log.
    pub async fn log(&self, query: api::LogQuery) -> Result<api::Log, ClientError> {
        let query = [("after", query.after.map(|after| after.to_string())), ("level", query.level)];
        self.ask("/log", &query, PATIENCE).await
    }

    /// Registers the daemon with the node at `address`.
    pub async fn register(&self, address: &str, timeout: Duration) -> Result<api::Registered, ClientError> {
        let request = api::RegisterRequest { address: address.into(), timeout_ms: millis(timeout) };
        let patience = timeout.saturating_add(PATIENCE);
        self.send(Method::POST, "/register", &self.network_query(), &request, patience).await
    }

    /// How long the network keeps what.
    pub async fn retention(&self) -> Result<api::Retention, ClientError> {
        self.ask("/retention", &self.network_query(), PATIENCE).await
    }

    /// Changes that, for all nodes.
    pub async fn set_retention(&self, change: &api::RetentionChange) -> Result<api::RetentionChanged, ClientError> {
        self.tell(Method::PUT, "/retention", change).await
    }

    /// Forgets a node in the whole network, or says what would go.
    pub async fn forget(&self, node: &str, dry_run: bool) -> Result<api::Forgotten, ClientError> {
        self.tell(Method::POST, "/forget", &api::ForgetRequest { node: node.to_owned(), dry_run }).await
    }

    /// The network's keys.
    pub async fn keys(&self) -> Result<api::Keys, ClientError> {
        self.ask("/keys", &self.network_query(), PATIENCE).await
    }

    /// Has the daemon accept another password.
    pub async fn add_key(&self, new: &api::NewKey) -> Result<api::Keys, ClientError> {
        self.tell(Method::POST, "/keys", new).await
    }

    /// Has the daemon seal with a key.
    pub async fn use_key(&self, key: &str) -> Result<api::Keys, ClientError> {
        let (path, query) = (format!("/keys/{}/use", encoded(key)), self.network_query());
        self.bare(Method::POST, &path, &query, PATIENCE).await
    }

    /// Has the daemon accept a key no longer.
    pub async fn remove_key(&self, key: &str, force: bool) -> Result<api::Keys, ClientError> {
        let query = [("network", self.network.clone()), ("force", Some(force.to_string()))];
        let path = format!("/keys/{}", encoded(key));
        self.bare(Method::DELETE, &path, &query, PATIENCE).await
    }

    /// How the network of a demonstration is.
    pub async fn chaos(&self) -> Result<api::Chaos, ClientError> {
        self.ask("/demo", &[], PATIENCE).await
    }

    /// Has a demonstration suffer something; the answer says what is wanted from then on.
    pub async fn change_chaos(&self, change: &api::ChaosChange) -> Result<api::Chaos, ClientError> {
        self.send(Method::PUT, "/demo", &[], change, PATIENCE).await
    }

    /// Waits until all that `query` asks for holds.
    pub async fn wait(&self, query: api::WaitQuery) -> Result<api::Waited, ClientError> {
        let patience = Duration::from_millis(query.timeout_ms).saturating_add(PATIENCE);
        let query = [
            ("network", query.network.or_else(|| self.network.clone())),
            ("peers", query.peers.map(|peers| peers.to_string())),
            ("gossip", query.gossip.map(|gossip| gossip.to_string())),
            ("in_sync", Some(query.in_sync.to_string())),
            ("timeout_ms", Some(query.timeout_ms.to_string())),
        ];
        self.ask("/wait", &query, patience).await
    }

    fn network_query(&self) -> [(&'static str, Option<String>); 1] {
        [("network", self.network.clone())]
    }

    fn limited(&self, limit: u64) -> [(&'static str, Option<String>); 2] {
        [("network", self.network.clone()), ("limit", Some(limit.to_string()))]
    }

    async fn tell<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        what: &impl serde::Serialize,
    ) -> Result<T, ClientError> {
        self.send(method, path, &self.network_query(), what, PATIENCE).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, Option<String>)],
        what: &impl serde::Serialize,
        patience: Duration,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(what).expect("plain data becomes JSON").into();
        parsed(&self.call(method, path, query, "application/json", body, patience).await?)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, Option<String>)],
        patience: Duration,
    ) -> Result<T, ClientError> {
        self.bare(Method::GET, path, query, patience).await
    }

    /// A request that says all in its path and query.
    async fn bare<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, Option<String>)],
        patience: Duration,
    ) -> Result<T, ClientError> {
        parsed(&self.call(method, path, query, "", Bytes::new(), patience).await?)
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, Option<String>)],
        content_type: &str,
        body: Bytes,
        patience: Duration,
    ) -> Result<Bytes, ClientError> {
        Ok(self.answer(method, path, query, content_type, body, patience).await?.1)
    }

    async fn answer(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, Option<String>)],
        content_type: &str,
        body: Bytes,
        patience: Duration,
    ) -> Result<(HeaderMap, Bytes), ClientError> {
        let mut request = Request::builder().method(method).uri(uri(path, query)).header(header::HOST, "localhost");
        if !content_type.is_empty() {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let request = request.body(Full::new(body)).map_err(|error| ClientError::Garbled(error.to_string()))?;
        match tokio::time::timeout(patience, self.connections.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(ClientError::Silent(patience)),
        }
    }
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, ClientError> {
    let mut json = serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize(&mut json).map_err(|error| ClientError::Garbled(error.to_string()))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn uri(path: &str, query: &[(&str, Option<String>)]) -> String {
    let mut uri = format!("{}{path}", api::PREFIX);
    let pairs = query.iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
    for (index, (key, value)) in pairs.enumerate() {
        let _ = write!(uri, "{}{key}={}", if index == 0 { '?' } else { '&' }, encoded(value));
    }
    uri
}

/// Percent-encodes all but RFC 3986's unreserved characters.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_survives_the_address() {
        let query = [("a", Some("x y&z=ü/?#%+".into())), ("b", None), ("c", Some(String::new()))];
        assert_eq!(uri("/gossip", &query), "/api/v1/gossip?a=x%20y%26z%3D%C3%BC%2F%3F%23%25%2B&c=");
        assert_eq!(uri("/node", &[]), "/api/v1/node");
    }

    #[test]
    fn an_answer_that_makes_no_sense_says_where() {
        let error = parsed::<api::NodeInfo>(br#"{"version":1}"#).unwrap_err();
        assert!(error.to_string().contains("version"), "{error}");
    }
}
