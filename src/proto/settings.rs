//! [`Settings`]: what the core is told from outside: who it is, whom it belongs to, and how fast it goes.

use crate::proto::decree::Terms;
use crate::proto::gossip::Guid;
use crate::proto::keyring::Keyring;
use crate::proto::limits::MIN_MAX_DATAGRAM;
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

/// How fast a node goes about what it does; the profiles are [`Timing::LAN`] and [`Timing::FAST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Between two probes, where GOSSIP_TIMER is not less.
    pub probe_period: Duration,
    /// Least and greatest time that a peer has for its answer to a probe; in between it is three round trips.
    pub probe_timeout: (Duration, Duration),
    /// Least time that a suspected peer has to object, times log10 of the number of peers (at least 32).
    pub suspicion: Duration,
    /// How many times that is the longest.
    pub suspicion_most: u32,
    /// Between two datagrams of news of peers beside the probe.
    pub update_gap: Duration,
    /// Least time between two datagrams of records for one peer; an idle peer is sent to at once.
    pub record_gap: Duration,
    /// The same for acknowledgements.
    pub heard_gap: Duration,
    /// Between two announcements of what is newly held; zero: none are made.
    pub announce: Duration,
    /// What was announced, or seen in a digest, has this long to come by itself before it is pulled; three round trips
    /// if that is more.
    pub grace: Duration,
    /// Least time before a rumour that was not acknowledged is sent again.
    pub rumor_timeout: Duration,
    /// Least and greatest time for which a node passes rumours on to the same peers.
    pub table_age: (Duration, Duration),
}

impl Timing {
    /// The default: hosts on a LAN that may be busy.
    pub const LAN: Timing = Timing {
        probe_period: Duration::from_secs(1),
        probe_timeout: (Duration::from_millis(100), Duration::from_millis(300)),
        suspicion: Duration::from_secs(2),
        suspicion_most: 4,
        update_gap: Duration::from_millis(200),
        record_gap: Duration::from_millis(1),
        heard_gap: Duration::from_millis(5),
        announce: Duration::from_millis(20),
        grace: Duration::from_millis(5),
        rumor_timeout: Duration::from_millis(10),
        table_age: (Duration::from_secs(10), Duration::from_secs(60)),
    };
    /// Knows of a crash sooner, and suspects more.
    pub const FAST: Timing =
        Timing { probe_period: Duration::from_millis(700), suspicion: Duration::from_secs(1), ..Timing::LAN };
}

/// What of the [`Settings`] may change while a node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// GOSSIP_TIMER: time between rounds.
    pub gossip_timer: Duration,
    /// GOSSIP_MAX_PEER_COUNT: peers that a round turns to at most.
    pub gossip_max_peer_count: usize,
    /// PEER_SELECT_TYPE.
    pub peer_select: PeerSelect,
    /// How fast it goes.
    pub timing: Timing,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            gossip_timer: Duration::from_secs(1),
            gossip_max_peer_count: 5,
            peer_select: PeerSelect::Both,
            timing: Timing::LAN,
        }
    }
}

/// What a [`crate::proto::node::Node`] is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// NODE_GUID.
    pub guid: Guid,
    /// NODE_NAME, a name by [`crate::proto::gossip::check_name`].
    pub node_name: String,
    /// The keys of the network.
    pub keys: Keyring,
    /// Greater at each start: orders this node's sessions.
    pub epoch: u64,
    /// The wall clock at [`crate::proto::time::Tick`] 0, for what is shown to people.
    pub started: Timestamp,
    /// How fast it goes.
    pub pace: Pace,
    /// The longest datagram that is sent.
    pub max_datagram: usize,
    /// What the network's settings are to be where nobody has set them yet.
    pub terms: Terms,
}

impl Settings {
    /// The defaults, for a node of this GUID and name in the network with this key, or these.
    pub fn new(guid: Guid, node_name: &str, keys: impl Into<Keyring>) -> Settings {
        Settings {
            guid,
            node_name: node_name.to_owned(),
            keys: keys.into(),
            epoch: 1,
            started: Timestamp(0),
            pace: Pace::default(),
            max_datagram: MIN_MAX_DATAGRAM,
            terms: Terms::default(),
        }
    }
}
