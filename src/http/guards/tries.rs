//! [`Tries`]: how often who tried a wrong token, so that nobody tries many.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;
use tokio::time::Instant;

/// Wrong tokens in a [`SPAN`] before they are not even answered as such.
const MOST: u32 = 10;
/// How long wrong tokens count.
pub(in crate::http) const SPAN: Duration = Duration::from_secs(60);
/// Addresses that are remembered; beyond, the one whose span began first is forgotten. Nobody guesses 256 bits anyway.
const ADDRESSES: usize = 1024;

/// Wrong tokens by address.
#[derive(Debug, Default)]
pub(in crate::http) struct Tries(BTreeMap<IpAddr, (Instant, u32)>);

impl Tries {
    /// Somebody tried a wrong one. Whether he may go on trying.
    pub(in crate::http) fn tried(&mut self, from: IpAddr, now: Instant) -> bool {
        let from = neighbours(from);
        if !self.0.contains_key(&from) && self.0.len() >= ADDRESSES {
            let first = self.0.iter().min_by_key(|(_, (since, _))| *since).map(|(from, _)| *from);
            first.and_then(|first| self.0.remove(&first));
        }
        let (since, count) = self.0.entry(from).or_insert((now, 0));
        if now.saturating_duration_since(*since) >= SPAN {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= MOST
    }
}

/// Whoever has one address of an IPv6 network has all of it.
fn neighbours(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(from) => Ipv6Addr::from_bits(from.to_bits() >> 64 << 64).into(),
        from => from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_a_minute_and_each_address_for_itself() {
        let (mut tries, now) = (Tries::default(), Instant::now());
        let [a, b]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse().unwrap());
        assert!((0..10).all(|_| tries.tried(a, now)));
        assert!(!tries.tried(a, now) && !tries.tried(a, now + SPAN / 2));
        assert!(tries.tried(b, now), "another is not meant");
        assert!(tries.tried(a, now + SPAN), "a minute later it may try again");
    }

    #[test]
    fn one_ipv6_network_is_one_guesser() {
        let (mut tries, now) = (Tries::default(), Instant::now());
        let address = |last: u32| format!("2001:db8::{last:x}").parse::<IpAddr>().unwrap();
        assert!((0..10).all(|last| tries.tried(address(last), now)));
        assert!(!tries.tried(address(10), now));
        assert!(tries.tried("2001:db8:0:1::1".parse().unwrap(), now));
    }

    #[test]
    fn strangers_fill_no_memory() {
        let (mut tries, now) = (Tries::default(), Instant::now());
        for number in 0..5000u32 {
            tries.tried(std::net::Ipv4Addr::from_bits(number).into(), now + Duration::from_micros(number.into()));
        }
        assert_eq!(tries.0.len(), ADDRESSES);
    }
}
