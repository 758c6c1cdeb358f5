//! gossip-node (crate map to come)

pub mod api;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod client;
pub mod config;
pub mod daemon;
pub mod display;
#[cfg(feature = "http")]
pub mod http;
pub mod proto {
    //! proto
    pub mod fact;
    pub mod gossip;
    pub mod limits;
    pub mod seal;
    pub mod stats;
    pub mod time;
}
