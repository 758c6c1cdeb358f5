//! The protocol (page to come)

pub mod fact;
pub mod fetches;
pub mod gossip;
pub mod ledger;
pub mod limits;
pub mod node;
pub mod peers;
pub mod repairs;
pub mod rtt;
pub mod seal;
pub mod session;
pub mod settings;
pub mod sketch;
pub mod stats;
pub mod time;
pub mod wire;
