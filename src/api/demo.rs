//! What a demonstration can be told to suffer, and how it is.

use serde::{Deserialize, Serialize};

/// `PUT /demo`: how the network of a demonstration is to be from now on. What is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ChaosChange {
    /// Which share of all datagrams is lost, from 0 to 0.9.
    pub loss: Option<f64>,
    /// How much longer each takes, in milliseconds, at most 1000.
    pub delay_ms: Option<u64>,
    /// Whether the nodes of side `b` are cut off from those of side `a`.
    pub split: Option<bool>,
    /// Names of the nodes that are to be dead; all others are to be up. The first node, which serves the page, stays.
    pub dead: Option<Vec<String>>,
}

/// `GET /demo`: how it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Chaos {
    /// Which share of all datagrams is lost.
    pub loss: f64,
    /// How much longer each takes, in milliseconds.
    pub delay_ms: u64,
    /// Whether the two sides are cut off from each other.
    pub split: bool,
    /// The demonstration's nodes.
    pub nodes: Vec<DemoNode>,
}

/// A node of a demonstration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct DemoNode {
    /// NODE_NAME.
    pub name: String,
    /// NODE_GUID.
    pub guid: String,
    /// Its side where the network is split: `a` or `b`.
    pub side: char,
    /// Whether it is to be dead.
    pub dead: bool,
    /// Whether it runs.
    pub up: bool,
}
