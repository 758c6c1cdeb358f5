//! [`Heed`]: what people should be told once when it begins, and not each time that it shows: a clock that is wrong, a
//! neighbour with another version of the protocol.

use crate::proto::node::Node;
use crate::proto::seal::PROTOCOL_VERSION;
use crate::proto::time::Tick;
use std::time::Duration;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(10);
/// A clock is doubtful where it differs by more milliseconds than this.
pub const DOUBTFUL_MS: u64 = 2000;

/// See the module.
#[derive(Debug, Default)]
pub struct Heed {
    next: Tick,
    last: Tick,
    clock: bool,
}

impl Heed {
    /// Looks, and says what is new.
    pub fn look(&mut self, now: Tick, network: &str, node: &Node) {
        if self.next > now {
            return;
        }
        let ahead = node.clock_ahead().filter(|(ahead, _)| ahead.unsigned_abs() > DOUBTFUL_MS);
        if let (Some((ahead, peers)), false) = (ahead, self.clock) {
            let (seconds, way) = (ahead.unsigned_abs() as f64 / 1000.0, if ahead > 0 { "ahead" } else { "behind" });
            tracing::warn!(
                %network,
                "this host's clock is {seconds:.1} s {way} of most of {peers} peers: is it set right (NTP)?"
            );
        }
        self.clock = ahead.is_some();
        for (addr, foreign) in node.versions().iter(now).filter(|(_, foreign)| foreign.since >= self.last) {
            tracing::warn!(
                %network, %addr,
                "a neighbour seems to speak version {} of the protocol, and this node speaks {PROTOCOL_VERSION}: \
                 nothing is exchanged until both run the same (a hint: it cannot be verified)",
                foreign.version
            );
        }
        (self.last, self.next) = (now, now + LOOK);
    }
}
