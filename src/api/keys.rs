//! The keys of a network. A key itself, and a password, is in no answer.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroize;

/// `GET /keys`: the ring of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Keys {
    /// NETWORK_NAME.
    pub network_name: String,
    /// Its keys, the one that seals first.
    pub keys: Vec<Key>,
    /// Peers seen in the last 24 hours of whom it is not known which key they use.
    pub unknown: Vec<KeyUser>,
}

/// A key of a network's ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Key {
    /// What names it in datagrams, 8 hex digits; made of the key, and no secret.
    pub key_id: String,
    /// Whether this node seals with it; it opens what any of them sealed.
    pub primary: bool,
    /// Whether digests can be made under it: then `use` takes no time.
    pub ready: bool,
    /// When it came into the ring, RFC 3339; null if that is not known.
    pub added: Option<String>,
    /// Peers seen in the last 24 hours that sealed with it last; none where no daemon runs.
    pub used_by: Vec<KeyUser>,
}

/// A peer that uses a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct KeyUser {
    /// NODE_GUID.
    pub guid: String,
    /// NODE_NAME.
    pub name: String,
    /// When we last heard it, RFC 3339; null if never.
    pub last_update: Option<String>,
}

/// `POST /keys`: another password to accept.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// The password, UTF-8.
    #[serde(deserialize_with = "unseen")]
    pub password: String,
}

impl Drop for NewKey {
    fn drop(&mut self) {
        self.password.zeroize();
    }
}

/// A text. No error shows what was there instead.
fn unseen<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    match serde_json::Value::deserialize(from)? {
        serde_json::Value::String(text) => Ok(text),
        _ => Err(D::Error::custom("it is not a text")),
    }
}

impl std::fmt::Debug for NewKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewKey(..)")
    }
}

/// The query of `DELETE /keys/{key_id}`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct RemoveKeyQuery {
    /// Which network, where the daemon is in several.
    pub network: Option<String>,
    /// Even where a peer seen in the last 24 hours used it last.
    #[serde(default)]
    pub force: bool,
}

/// `gossip-node network list`: a network of `server.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkEntry {
    /// NETWORK_NAME.
    pub network_name: String,
    /// Its keys by name, the one that seals first.
    pub key_ids: Vec<String>,
    /// Whether the daemon is in it already; null where none runs.
    pub running: Option<bool>,
}
