//! [`Link`]: what happens to datagrams on their way. [`Seen`]: what really happened to them.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use std::time::Duration;

/// What every link does to datagrams. Probabilities are between 0 and 1.
#[derive(Clone, Debug)]
pub struct Link {
    /// How often one is lost.
    pub loss: f64,
    /// How often one arrives twice.
    pub duplicate: f64,
    /// How often one arrives with a flipped bit.
    pub flip: f64,
    /// How often only the beginning of one arrives.
    pub truncate: f64,
    /// The least delay, and how much more at most. What differs arrives out of order.
    pub delay: Duration,
    /// See [`delay`](Link::delay).
    pub jitter: Duration,
    /// Whether short delays are the common ones, as in a LAN: jitter times the square of an even draw, instead of
    /// times the draw.
    pub brisk: bool,
}

impl Link {
    /// How long one datagram is under way.
    pub(super) fn draw_delay(&self, rng: &mut ChaCha8Rng) -> Duration {
        let jitter = self.jitter.as_micros() as u64;
        let extra = match self.brisk {
            _ if jitter == 0 => 0,
            true => (jitter as f64 * rng.random::<f64>().powi(2)) as u64,
            false => rng.random_range(0..=jitter),
        };
        self.delay + Duration::from_micros(extra)
    }
}

impl Default for Link {
    fn default() -> Link {
        let (loss, duplicate, flip, truncate, brisk) = Default::default();
        let (delay, jitter) = (Duration::from_micros(200), Duration::from_micros(800));
        Link { loss, duplicate, flip, truncate, delay, jitter, brisk }
    }
}

/// What happened: proof that faults were really seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Datagrams that nodes sent.
    pub sent: u64,
    /// Datagrams that arrived at a node.
    pub delivered: u64,
    /// Datagrams lost by chance.
    pub lost: u64,
    /// Datagrams delivered twice.
    pub duplicated: u64,
    /// Datagrams damaged.
    pub flipped: u64,
    /// Datagrams of which only the beginning arrived.
    pub truncated: u64,
    /// Datagrams that arrived before one that was sent earlier.
    pub reordered: u64,
    /// Datagrams held back by a clog.
    pub clogged: u64,
    /// Datagrams that came while the process stood still.
    pub put_off: u64,
    /// Datagrams that a NAT did not let in.
    pub filtered: u64,
    /// Datagrams stopped by a partition, or sent to nobody.
    pub cut: u64,
    /// Datagrams stopped where only this direction was cut.
    pub cut_one_way: u64,
    /// Crashes.
    pub crashed: u64,
    /// Facts that a torn commit left on a disk.
    pub torn: u64,
    /// Records lost by damage to a disk.
    pub corrupted: u64,
    /// Acknowledged records that were lost with the only disk which had them.
    pub disowned: u64,
    /// Datagrams to addresses that belong to nobody.
    pub answered: u64,
    /// Copies of a node that found out, and took another GUID.
    pub renamed: u64,
}
