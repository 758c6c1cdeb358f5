//! gossip-node (crate map to come)

pub mod api;
pub mod config;
pub mod daemon;
pub mod effects;
pub mod proto;
pub mod sim;
