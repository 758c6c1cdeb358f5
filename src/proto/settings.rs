//! [`Settings`]: what the core is told from outside: who it is, whom it belongs to, and how fast it goes.

use crate::proto::gossip::Guid;
use crate::proto::limits::MIN_MAX_DATAGRAM;
use crate::proto::seal::NetworkKey;
use crate::proto::time::Timestamp;
use std::time::Duration;

/// PEER_SELECT_TYPE: whom a round turns to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PeerSelect {
    /// Random peers: good for distribution.
    Random,
    /// The peer probed longest ago: a down detector.
    OldestFirst,
    /// The probe goes to the oldest, the rest of the round to random peers.
    #[default]
    Both,
}

/// What a [`crate::proto::node::Node`] is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// NODE_GUID.
    pub guid: Guid,
    /// NODE_NAME, a name by [`crate::proto::gossip::check_name`].
    pub node_name: String,
    /// Names of the daemon's other networks, told to peers.
    pub other_networks: Vec<String>,
    /// The keys of the network.
    pub key: NetworkKey,
    /// Greater at each start: orders this node's sessions.
    pub epoch: u64,
    /// The wall clock at [`crate::proto::time::Tick`] 0, for what is shown to people.
    pub started: Timestamp,
    /// GOSSIP_TIMER: time between rounds.
    pub gossip_timer: Duration,
    /// GOSSIP_MAX_PEER_COUNT: peers that a round turns to at most.
    pub gossip_max_peer_count: usize,
    /// PEER_SELECT_TYPE.
    pub peer_select: PeerSelect,
    /// The longest datagram that is sent.
    pub max_datagram: usize,
}

impl Settings {
    /// The defaults, for a node of this GUID and name in the network with this key.
    pub fn new(guid: Guid, node_name: &str, key: NetworkKey) -> Settings {
        Settings {
            guid,
            node_name: node_name.to_owned(),
            other_networks: Vec::new(),
            key,
            epoch: 1,
            started: Timestamp(0),
            gossip_timer: Duration::from_secs(1),
            gossip_max_peer_count: 5,
            peer_select: PeerSelect::Both,
            max_datagram: MIN_MAX_DATAGRAM,
        }
    }
}
