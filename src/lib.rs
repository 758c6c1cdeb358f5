//! gossip-node (crate map to come)

pub mod api;
pub mod config;
pub mod daemon;
pub mod store;
pub mod proto {
    //! proto
    pub mod fact;
    pub mod gossip;
    pub mod limits;
    pub mod seal;
    pub mod stats;
    pub mod time;
}
