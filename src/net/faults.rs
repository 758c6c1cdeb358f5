//! [`Faults`]: what a demonstration does to the datagrams between its own nodes, so that people can watch a network
//! suffer and heal. A daemon that keeps messages for anybody never has any.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;

/// What happens to datagrams on their way, the same for all who share it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// Which share of them is lost, from 0 to 1.
    pub loss: f64,
    /// How much longer they take.
    pub delay: Duration,
    /// Nodes that reach one another but none of the others, nor these them.
    pub apart: BTreeSet<SocketAddr>,
    /// Nodes that nothing reaches and nothing comes from.
    pub cut: BTreeSet<SocketAddr>,
}

/// What becomes of one datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Arrives,
    Late(Duration),
    Lost,
}

impl Faults {
    #[expect(clippy::disallowed_methods, reason = "chance belongs to the surroundings, and this is a bad network")]
    pub(super) fn fate(&self, from: SocketAddr, to: SocketAddr) -> Fate {
        let split = self.apart.contains(&from) != self.apart.contains(&to);
        if split || self.cut.contains(&from) || self.cut.contains(&to) || rand::random::<f64>() < self.loss {
            Fate::Lost
        } else if self.delay.is_zero() {
            Fate::Arrives
        } else {
            Fate::Late(self.delay)
        }
    }
}

/// Sends a datagram later. Where the socket is closed by then, or full, it is lost.
pub(super) fn send_late(io: Arc<UdpSocket>, to: SocketAddr, datagram: Vec<u8>, delay: Duration) {
    tokio::spawn(async move {
        tokio::time::sleep(delay).await;
        let _ = io.try_send_to(&datagram, to);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn who_is_apart_reaches_its_own_side_only_and_who_is_cut_nobody() {
        let faults = Faults { apart: [addr(1), addr(2)].into(), cut: [addr(5)].into(), ..Faults::default() };
        let arrives = |from, to| faults.fate(addr(from), addr(to)) == Fate::Arrives;
        assert!(arrives(1, 2) && arrives(2, 1) && arrives(3, 4));
        assert!(!arrives(1, 3) && !arrives(3, 1) && !arrives(5, 3) && !arrives(3, 5));
    }

    #[test]
    fn as_many_are_lost_as_was_said_and_the_others_are_late() {
        let delay = Duration::from_millis(20);
        let faults = Faults { loss: 0.3, delay, ..Faults::default() };
        let fates: Vec<Fate> = (0..20_000).map(|_| faults.fate(addr(1), addr(2))).collect();
        let lost = fates.iter().filter(|fate| **fate == Fate::Lost).count();
        assert!((5_500..6_500).contains(&lost), "{lost}");
        assert!(fates.iter().all(|fate| matches!(fate, Fate::Lost) || *fate == Fate::Late(delay)));
    }
}
