//! [`Links`]: the links of this host on which a node can be found, and who is on them.

use quinn_udp::RecvMeta;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

/// More are not spoken to or listened on; a host with so many has most of them for itself.
const LINKS: usize = 32;

/// An address of this host on a link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Link {
    /// The interface.
    pub(super) index: u32,
    /// This host's address.
    pub(super) ip: IpAddr,
    /// How many bits of it all on the link have in common.
    prefix: u8,
    /// Whether the node can be registered with at this address.
    is_ours: bool,
}

impl Link {
    /// Where all of an IPv4 link receive, if it is one for more than two.
    pub(super) fn broadcast(&self) -> Option<Ipv4Addr> {
        let IpAddr::V4(ip) = self.ip else { return None };
        let hosts = u32::MAX.checked_shr(self.prefix.into()).unwrap_or(0);
        (hosts > 1).then(|| Ipv4Addr::from_bits(ip.to_bits() | hosts))
    }

    fn contains(&self, ip: IpAddr) -> bool {
        let bits = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => u128::from(ip.to_bits()) << 96,
            IpAddr::V6(ip) => ip.to_bits(),
        };
        let network = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
        self.ip.is_ipv4() == ip.is_ipv4() && (bits(self.ip) ^ bits(ip)) & network == 0
    }
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Links(Vec<Link>);

impl Links {
    /// Those of a node bound to `ip`: where it is the wildcard, all but loopback.
    pub(super) fn of(ip: IpAddr) -> io::Result<Links> {
        let usable = |interface: if_addrs::Interface| {
            let (prefix, own) = match &interface.addr {
                if_addrs::IfAddr::V4(v4) => (v4.prefixlen, IpAddr::V4(v4.ip)),
                if_addrs::IfAddr::V6(v6) => (v6.prefixlen, IpAddr::V6(v6.ip)),
            };
            // Of an interface without a mask it is not known who is on its link.
            let usable = interface.is_oper_up() && !interface.is_p2p && prefix > 0;
            let index = interface.index.filter(|_| usable)?;
            Some(Link { index, ip: own, prefix, is_ours: false })
        };
        Ok(Links::select(ip, if_addrs::get_if_addrs()?.into_iter().filter_map(usable).collect()))
    }

    fn select(ip: IpAddr, mut all: Vec<Link>) -> Links {
        all.retain(|link| link.ip.is_ipv4() == ip.is_ipv4());
        for link in &mut all {
            link.is_ours = match link.ip {
                own if ip.is_loopback() => own.is_loopback(),
                own if own.is_loopback() => false,
                // On every link there is one of these.
                IpAddr::V6(own) if ip.is_unspecified() => own.is_unicast_link_local(),
                own => ip.is_unspecified() || own == ip,
            };
            // All of 127.0.0.0/8 is this host.
            if link.is_ours && ip.is_loopback() && link.contains(ip) {
                link.ip = ip;
            }
        }
        let ours: Vec<u32> = all.iter().filter(|link| link.is_ours).map(|link| link.index).collect();
        all.retain(|link| ours.contains(&link.index));
        all.sort();
        all.truncate(LINKS);
        Links(all)
    }

    /// Those on which beacons go out.
    pub(super) fn spoken_to(&self) -> impl Iterator<Item = &Link> {
        self.0.iter().filter(|link| link.is_ours)
    }

    /// One for each interface.
    pub(super) fn joined(&self) -> Vec<Link> {
        let mut joined: Vec<Link> = self.spoken_to().cloned().collect();
        joined.dedup_by_key(|link| link.index);
        joined
    }

    /// Whether a datagram was said to all of a link by somebody on it.
    pub(super) fn is_said_to_all(&self, meta: &RecvMeta) -> bool {
        let is_for_all =
            |to: IpAddr| to.is_multicast() || self.0.iter().any(|link| link.broadcast().is_some_and(|all| all == to));
        let on = |link: &&Link| meta.interface_index.is_none_or(|index| index == link.index);
        meta.dst_ip.is_none_or(is_for_all)
            && self.0.iter().filter(on).any(|link| link.contains(meta.addr.ip().to_canonical()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, ip: &str, prefix: u8) -> Link {
        Link { index, ip: ip.parse().unwrap(), prefix, is_ours: false }
    }

    fn host() -> Vec<Link> {
        vec![
            link(1, "127.0.0.1", 8),
            link(1, "::1", 128),
            link(2, "10.0.0.5", 24),
            link(2, "fe80::5", 64),
            link(2, "2001:db8::5", 64),
            link(3, "192.168.7.9", 30),
            link(3, "fe80::9", 64),
        ]
    }

    fn spoken(ip: &str) -> Vec<String> {
        let links = Links::select(ip.parse().unwrap(), host());
        links.spoken_to().map(|link| format!("{}%{}", link.ip, link.index)).collect()
    }

    #[test]
    fn a_node_speaks_where_it_can_be_registered_with() {
        assert_eq!(spoken("0.0.0.0"), ["10.0.0.5%2", "192.168.7.9%3"]);
        assert_eq!(spoken("10.0.0.5"), ["10.0.0.5%2"]);
        assert_eq!(spoken("127.0.0.1"), ["127.0.0.1%1"]);
        assert_eq!(spoken("127.0.0.7"), ["127.0.0.7%1"]);
        assert_eq!(spoken("::"), ["fe80::5%2", "fe80::9%3"]);
        assert_eq!(spoken("2001:db8::5"), ["2001:db8::5%2"]);
        assert_eq!(spoken("::1"), ["::1%1"]);
    }

    #[test]
    fn broadcast_goes_to_the_last_address_of_a_link_for_more_than_two() {
        let of = |ip: &str, prefix| link(1, ip, prefix).broadcast().map(|all| all.to_string());
        assert_eq!(of("10.0.0.5", 24).as_deref(), Some("10.0.0.255"));
        assert_eq!(of("192.168.7.9", 30).as_deref(), Some("192.168.7.11"));
        assert_eq!(of("10.1.2.3", 8).as_deref(), Some("10.255.255.255"));
        assert_eq!([of("10.0.0.5", 31), of("10.0.0.5", 32), of("fe80::5", 64)], [None, None, None]);
    }

    #[test]
    fn only_who_is_on_the_link_that_it_came_by_and_speaks_to_all_is_on_link() {
        let said = |ip: &str, from: &str, to: &str, index| {
            let mut meta = RecvMeta::default();
            let (addr, dst_ip) = ((from.parse::<IpAddr>().unwrap(), 9).into(), Some(to.parse().unwrap()));
            (meta.addr, meta.dst_ip, meta.interface_index) = (addr, dst_ip, Some(index));
            Links::select(ip.parse().unwrap(), host()).is_said_to_all(&meta)
        };
        assert!(said("0.0.0.0", "10.0.0.77", "239.255.103.110", 2));
        assert!(said("0.0.0.0", "10.0.0.77", "10.0.0.255", 2));
        assert!(!said("0.0.0.0", "10.0.0.77", "10.0.0.5", 2), "to this host alone");
        assert!(!said("0.0.0.0", "10.0.0.77", "239.255.103.110", 3), "by another link");
        assert!(!said("0.0.0.0", "10.0.1.77", "239.255.103.110", 2), "from beyond");
        assert!(!said("10.0.0.5", "192.168.7.10", "239.255.103.110", 3), "where this node is not");
        assert!(!said("0.0.0.0", "127.0.0.1", "127.255.255.255", 1), "on loopback, where nobody asked");
        assert!(said("127.0.0.1", "127.0.0.1", "127.255.255.255", 1));
        assert!(said("::", "fe80::77", "ff12::1", 3) && said("::", "2001:db8::77", "ff12::1", 2));
        assert!(!said("::", "2001:db8::77", "ff12::1", 3));
    }
}
