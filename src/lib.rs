//! gossip-node: hosts that share a network name and a password find each other and replicate messages to every node, by
//! UDP, with no server and nothing lost. This page is the crate's map; [`proto`] is the protocol on one page.
//!
//! ```text
//!   gossip-node add "hello"          another host
//!          |                              |
//!   cli -> client ==HTTP==> http          | UDP
//!                            |            |
//!                     daemon::Handle     net
//!                            | commands   | datagrams
//!                            v            v
//!   store <== facts ==  daemon (one task: effects::settle)   ==> datagrams
//!     |                      ^     |
//!     '==== receipts, bodies-'     v
//!                        proto::node::Node
//!            sessions  peers  ledger  repairs  fetches  answers
//! ```
//!
//! **The layer rule.** [`proto`] is a pure function of (state, now, bytes): no clock, socket, disk, thread or randomness
//! of its own, so [`sim`] drives the very same code through years of faults in seconds. Everything around it is the
//! shell: it may name `proto`, never the other way. Inside `proto` only [`proto::node`] names the parts; `peers`,
//! `ledger`, `repairs` and `fetches` never name one another. `tests/tidy.rs` checks all of this.
//!
//! Nodes on one LAN find each other by beacons: their bytes and their rules are [`proto::beacon`], their sockets
//! [`discovery`]; a task of the daemon's sends and hears them.
//!
//! To embed a node in a program of your own, take [`daemon::Daemon`] (socket, disk and task included;
//! `examples/local_cluster.rs`) or drive a [`proto::node::Node`] by hand (`examples/by_hand.rs`).

pub mod api;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod client;
pub mod config;
pub mod daemon;
pub mod discovery;
pub mod display;
pub mod effects;
#[cfg(feature = "http")]
pub mod http;
pub mod net;
#[cfg(feature = "cli")]
pub mod probes;
pub mod proto;
pub mod sim;
pub mod store;
