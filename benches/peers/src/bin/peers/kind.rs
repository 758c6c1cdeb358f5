//! [`Kind`]: who takes part, what each can do, and which configurations were used and why.

use clap::ValueEnum;
use std::process::Command;

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    GossipNode,
    Embedded,
    Chitchat,
    Reconcile,
    Serf,
    Memberlist,
    Foca,
    IrohGossip,
}

/// How it is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Config {
    Best,
    Default,
}

impl Config {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Config::Best => "best",
            Config::Default => "default",
        }
    }
}

impl Kind {
    /// All, as the table has them.
    pub const ALL: [Kind; 8] = [
        Kind::GossipNode,
        Kind::Embedded,
        Kind::Chitchat,
        Kind::Reconcile,
        Kind::Serf,
        Kind::Memberlist,
        Kind::Foca,
        Kind::IrohGossip,
    ];

    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::GossipNode => "gossip-node",
            Kind::Embedded => "embedded",
            Kind::Chitchat => "chitchat",
            Kind::Reconcile => "reconcile",
            Kind::Serf => "serf",
            Kind::Memberlist => "memberlist",
            Kind::Foca => "foca",
            Kind::IrohGossip => "iroh-gossip",
        }
    }

    /// Why it gives nothing to a late joiner and mends nothing; none if it does, or tries.
    pub fn keeps_none(self, config: Config) -> Option<&'static str> {
        match (self, config) {
            (Kind::Foca | Kind::IrohGossip, _) | (Kind::Memberlist, Config::Default) => Some("keeps none"),
            _ => None,
        }
    }

    /// Whether it tells who is alive.
    pub fn detects(self) -> bool {
        self != Kind::Reconcile
    }

    /// Whether a node knows some of the others only.
    pub fn is_partial(self) -> bool {
        self == Kind::IrohGossip
    }

    /// What it does, where that explains figures.
    pub fn is(self) -> &'static str {
        match self {
            Kind::GossipNode => {
                "daemon; every record on the disk of every node before it counts as held; authenticated"
            }
            Kind::Embedded => "the same as a library, `in_memory()`: still SQLite, in files of `/dev/shm`",
            Kind::Chitchat => "library; in memory; a digest of all nodes each round; plain",
            Kind::Reconcile => {
                "library; in memory; a copy of each write to every node, range fingerprints; authenticated"
            }
            Kind::Serf => "daemon; events, of which the last 512 are kept in memory; plain",
            Kind::Memberlist => "library; broadcasts in memory, push/pull of all over TCP; plain",
            Kind::Foca => "library; broadcasts in memory; plain",
            Kind::IrohGossip => {
                "library; messages in memory for 30 s, and a queue of 256 (fixed) between it and its user; QUIC"
            }
        }
    }

    /// Which configuration that is.
    pub fn set_up(self, config: Config) -> &'static str {
        match (self, config) {
            (Kind::GossipNode | Kind::Embedded, Config::Best) => "`profile` `fast`: its only preset but the default",
            (Kind::Embedded, Config::Default) => "`Daemon::builder()`",
            (Kind::GossipNode, Config::Default) => "`server.json` as `init` writes it",
            (Kind::Chitchat, Config::Best) => {
                "gossip each 50 ms (its `for_test`), first heartbeats expected at that pace (its `perf_test`), digest V1"
            }
            (Kind::Chitchat, Config::Default) => "gossip each 1 s and the failure detector's `Default`, digest V0",
            (Kind::Reconcile, Config::Best) => {
                "anti-entropy 500 ms and repair 50 ms, its README's example; cluster key"
            }
            (Kind::Reconcile, Config::Default) => "`Config::new`; cluster key, as its README asks of deployments",
            (Kind::Serf, Config::Best) => "`-profile=local`, its preset for a fast network; joins with replay",
            (Kind::Serf, Config::Default) => "`serf agent` (profile `lan`); joins with replay",
            (Kind::Memberlist, Config::Best) => {
                "`Options::local()`, its preset for a fast network; its queue of broadcasts, and all records in `local_state`"
            }
            (Kind::Memberlist, Config::Default) => "`Options::lan()`; its queue of broadcasts",
            (Kind::Foca, Config::Best) => {
                "`Config::new_lan(N)` with ten transmissions, and `broadcast()` each millisecond while there is a backlog"
            }
            (Kind::Foca, Config::Default) => "`Config::simple()`",
            (Kind::IrohGossip, Config::Best) => "an active view of all nodes, room for 262,144 messages; no relays",
            (Kind::IrohGossip, Config::Default) => "`Gossip::builder()`; no relays",
        }
    }

    /// Which version took part.
    pub fn version(self) -> String {
        let of_crate = |name: &str| {
            let lock = include_str!("../../../Cargo.lock");
            let (_, rest) = lock.split_once(&format!("\nname = \"{name}\"\nversion = \"")).unwrap_or_default();
            rest.split('"').next().unwrap_or_default().to_owned()
        };
        match self {
            Kind::Serf => {
                let said = Command::new("serf").arg("version").output();
                let said = said.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
                said.lines().next().unwrap_or_default().trim_start_matches("Serf v").to_owned()
            }
            // Its rounds are those of rbsr.
            Kind::Reconcile => format!("{} (rbsr {})", of_crate("reconcile"), of_crate("rbsr")),
            Kind::GossipNode | Kind::Embedded => of_crate("gossip-node"),
            _ => of_crate(self.name()),
        }
    }
}
