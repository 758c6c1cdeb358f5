//! gossip-node (crate map to come)

pub mod api;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod client;
pub mod config;
pub mod daemon;
pub mod display;
pub mod effects;
#[cfg(feature = "http")]
pub mod http;
pub mod net;
pub mod proto;
pub mod sim;
pub mod store;
