//! gossip-node: hosts that share a network name and a password find each other and replicate messages to every node, by
//! UDP, with no server and nothing lost. This page is the crate's map; [`proto`] is the protocol on one page.
//!
//! ```text
//!   gossip-node add "hello"   a program   another host
//!          |                     |        |
//!   cli -> client ==HTTP==> http |        | UDP
//!                            | embed      |
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
//! `discovery`; a task of the daemon's sends and hears them.
//!
//! # A node in a program of yours
//!
//! [`Daemon`] starts one in any tokio runtime, [`Handle`] is what is done with it:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use gossip_node::{Daemon, Since};
//! let builder = Daemon::builder().network("home").password("correct horse battery staple");
//! let daemon = builder.bind(([127, 0, 0, 1], 0)).in_memory().start().await?;
//! let guid = daemon.handle().add("hello, whoever listens").await?;
//!
//! let mut arriving = daemon.handle().subscribe(Since::All).await?;
//! assert_eq!(arriving.next().await.unwrap()?.record.guid, guid);
//! # Ok(())
//! # }
//! ```
//!
//! Who has a loop of his own drives a [`proto::node::Node`] by hand, with [`effects::settle`] and a disk such as
//! [`effects::Memory`]: `examples/by_hand.rs`. `examples/` has more that is useful as it is.
//!
//! What a datagram, a record and a difference cost, and where that goes: [`costs`].
//!
//! **Features.** `cli` and `http` are on by default: the program, and the control API that it talks to; `cli` brings `sim`, the
//! simulator, which can also be had alone. With `default-features = false` there is the core, the store and the daemon, with
//! fewer than 75 crates (`tests/embed.rs` counts).
//!
//! **What stays.** From 1.0 on the versions follow SemVer for what is named at the root of this crate, for [`proto`],
//! [`effects`], [`sim`], the types of [`api`] and [`config`] that those name, and for what scripts rely on: exit codes, `--json`,
//! the control API. Of other crates' types that holds for [`bytes::Bytes`], the traits of `serde`, `Stream` of `futures-core`
//! and the runtime of `tokio`; for nothing else, and not for what our types implement of `bincode`'s traits, of which datagrams
//! are made. The other modules are public because the program, its tests and its benches are made of them; they may
//! change with any version. Before 1.0 each minor version may change anything, and `CHANGELOG.md` says what. Nodes of different
//! versions of the *protocol* say so and do not talk; that version is no crate's version.

#![deny(missing_docs)]

pub mod api;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod client;
pub mod config;
pub mod daemon;
mod discovery;
pub mod display;
pub mod effects;
pub mod embed;
#[cfg(feature = "http")]
pub mod http;
mod net;
#[cfg(feature = "cli")]
mod probes;
pub mod proto;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
pub mod store;

#[cfg(doc)]
#[doc = include_str!("../docs/costs.md")]
pub mod costs {}

pub use daemon::{Refusal, StartError};
pub use embed::{
    BuildError, Builder, Cursor, Daemon, Error, Handle, Listed, NoCursor, Query, Received, Record, Since, Subscription,
};
