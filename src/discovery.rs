//! [`Discovery`]: the sockets of the beacon: what goes to everybody on this host's links, and what comes from there. What
//! the bytes mean is for `proto::beacon`.
//!
//! Every daemon listens at one port that all share, so it is never the one that nodes talk at: of several sockets at one
//! port, each hears what is said to all, but only one what is said to it. Each link is spoken to by multicast that no
//! router passes on and, with IPv4, by broadcast as well, since many a switch or access point loses multicast. Nothing
//! that fails here stops a daemon: it is said once, and tried again when next looked at.

mod links;

use crate::net::Incoming;
use links::{Link, Links};
use quinn_udp::{UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use tokio::net::UdpSocket;

/// Administratively scoped (RFC 2365).
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 255, 103, 110);
/// Transient, of the link's scope (RFC 4291): "gossip" in ASCII.
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0x676f, 0x7373, 0x6970);

/// Where beacons go out and come in.
pub struct Discovery {
    /// What the node is bound to: it can be registered with there only.
    ip: IpAddr,
    port: u16,
    links: Links,
    ear: Option<Ear>,
    /// What failed and was said.
    told: BTreeSet<&'static str>,
}

/// The socket that hears.
struct Ear {
    io: UdpSocket,
    state: UdpSocketState,
    incoming: Incoming,
}

/// A datagram that came to the discovery port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Where it came from; with IPv6 on which link.
    pub from: SocketAddr,
    /// Whether that is on a link of this host, and it was said to all.
    pub on_link: bool,
    /// Its bytes.
    pub datagram: Vec<u8>,
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery").field("ip", &self.ip).field("port", &self.port).finish_non_exhaustive()
    }
}

impl Discovery {
    /// For a node bound to `ip`, at the discovery port `port`. Nothing is heard before the first
    /// [`look`](Discovery::look).
    pub fn new(ip: IpAddr, port: u16) -> Discovery {
        Discovery { ip, port, links: Links::default(), ear: None, told: BTreeSet::new() }
    }

    /// Looks which links there are, and listens on those. True if they are others than before. Needs a tokio runtime.
    pub fn look(&mut self) -> bool {
        let links = match Links::of(self.ip) {
            Ok(links) => links,
            Err(error) => {
                self.tell("look at the interfaces", &error);
                return false;
            }
        };
        let changed = links != self.links;
        if changed {
            tracing::debug!(?links, "discovery");
            self.links = links;
        }
        // A new socket for new links: what was joined on a link that is gone would stay joined for ever.
        if changed || self.ear.is_none() {
            self.ear = None;
            self.ear = self.listen().map_err(|error| self.tell("listen for beacons", &error)).ok();
        }
        changed
    }

    /// Waits until something has come.
    pub async fn readable(&mut self) {
        let Some(ear) = &self.ear else { return std::future::pending().await };
        if let Err(error) = ear.io.readable().await {
            self.tell("listen for beacons", &error);
            self.ear = None;
        }
    }

    /// What has come, as far as the kernel gives it at once.
    pub fn receive(&mut self) -> Vec<Arrival> {
        let (mut arrivals, links) = (Vec::new(), &self.links);
        let Some(Ear { io, state, incoming }) = &mut self.ear else { return arrivals };
        let received = incoming.receive(io, state, |meta, from, datagram| {
            arrivals.push(Arrival { from, on_link: links.is_said_to_all(meta), datagram: datagram.to_vec() });
        });
        if let Err(error) = received {
            self.tell("hear beacons", &error);
        }
        arrivals
    }

    /// Says something to everybody on every link.
    pub fn send(&mut self, datagram: &[u8]) {
        let links = self.links.spoken_to();
        let failed: Vec<io::Error> = links.filter_map(|link| say(link, self.port, datagram).err()).collect();
        failed.iter().for_each(|error| self.tell("send a beacon", error));
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether anything can be heard.
    pub fn listens(&self) -> bool {
        self.ear.is_some()
    }

    /// This host's addresses that it speaks from.
    pub fn sources(&self) -> impl Iterator<Item = IpAddr> {
        self.links.spoken_to().map(|link| link.ip)
    }

    fn listen(&mut self) -> io::Result<Ear> {
        let any: IpAddr = if self.ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let addr = SocketAddr::new(any, self.port);
        let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
        if addr.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_address(true)?;
        // Linux needs only the above, and would want one user for all sockets with this.
        #[cfg(not(target_os = "linux"))]
        socket.set_reuse_port(true)?;
        socket.bind(&addr.into())?;
        let joined = self.links.joined();
        for link in &joined {
            let joined = match link.ip {
                IpAddr::V4(ip) => socket.join_multicast_v4(&GROUP_V4, &ip),
                IpAddr::V6(_) => socket.join_multicast_v6(&GROUP_V6, link.index),
            };
            joined.unwrap_or_else(|error| self.tell("join a multicast group", &error));
        }
        socket.set_nonblocking(true)?;
        let io = UdpSocket::from_std(socket.into())?;
        let state = UdpSocketState::new(UdpSockRef::from(&io))?;
        let incoming = Incoming::new(&state);
        Ok(Ear { io, state, incoming })
    }

    fn tell(&mut self, what: &'static str, error: &io::Error) {
        // An address that was just given to an interface may not be used in its first second (RFC 4862).
        let soon = error.kind() == io::ErrorKind::AddrNotAvailable;
        if !soon && self.told.insert(what) {
            let port = self.port;
            tracing::warn!(
                "discovery: cannot {what} at UDP port {port}: {error}; it is tried again, and `register` and seeds work without"
            );
        } else {
            tracing::debug!(%error, "discovery: cannot {what}");
        }
    }
}

/// Says something to everybody on one link. A socket is made for it: it is needed once in 30 s, and what it goes out by
/// and where it seems to come from follow from the address that it is bound to.
fn say(link: &Link, port: u16, datagram: &[u8]) -> io::Result<()> {
    let (source, group): (SocketAddr, SocketAddr) = match link.ip {
        IpAddr::V4(ip) => ((ip, 0).into(), (GROUP_V4, port).into()),
        IpAddr::V6(ip) => {
            let scope = if ip.is_unicast_link_local() { link.index } else { 0 };
            (SocketAddrV6::new(ip, 0, 0, scope).into(), SocketAddrV6::new(GROUP_V6, port, 0, link.index).into())
        }
    };
    let socket = Socket::new(Domain::for_address(source), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.bind(&source.into())?;
    // Other daemons on this host hear it too.
    let by_multicast = match link.ip {
        IpAddr::V4(ip) => (socket.set_multicast_if_v4(&ip))
            .and_then(|()| socket.set_multicast_ttl_v4(1))
            .and_then(|()| socket.set_multicast_loop_v4(true)),
        IpAddr::V6(_) => (socket.set_multicast_if_v6(link.index))
            .and_then(|()| socket.set_multicast_hops_v6(1))
            .and_then(|()| socket.set_multicast_loop_v6(true)),
    };
    let by_multicast = by_multicast.and_then(|()| socket.send_to(datagram, &group.into()));
    // Where one of both ways works, all is well.
    match link.broadcast() {
        None => by_multicast.map(drop),
        Some(all) => {
            let all = SocketAddr::from((all, port));
            let by_broadcast = socket.set_broadcast(true).and_then(|()| socket.send_to(datagram, &all.into()));
            by_broadcast.or(by_multicast).map(drop)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// A port that nobody has, as far as that can be known.
    fn port() -> u16 {
        std::net::UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port()
    }

    async fn hear(discovery: &mut Discovery) -> Vec<Arrival> {
        tokio::time::timeout(Duration::from_secs(10), async {
            loop {
                discovery.readable().await;
                let arrivals = discovery.receive();
                if !arrivals.is_empty() {
                    return arrivals;
                }
            }
        })
        .await
        .expect("something is heard")
    }

    #[tokio::test]
    async fn all_daemons_on_a_host_hear_what_one_says_by_multicast_and_by_broadcast() {
        let (ip, port) = (IpAddr::from([127, 0, 0, 1]), port());
        let mut all: Vec<Discovery> = (0..3).map(|_| Discovery::new(ip, port)).collect();
        assert!(all.iter_mut().all(Discovery::look), "the first look finds something new");
        assert!(!all.iter_mut().any(Discovery::look), "the second does not");
        all[0].send(b"here");
        for discovery in &mut all {
            let mut heard = Vec::new();
            while heard.len() < 2 {
                heard.extend(hear(discovery).await);
            }
            for Arrival { from, on_link, datagram } in heard {
                assert_eq!((from.ip(), on_link, &*datagram), (ip, true, &b"here"[..]));
            }
        }
    }

    #[tokio::test]
    async fn what_is_said_to_one_host_counts_as_coming_from_beyond() {
        let (ip, port) = (IpAddr::from([127, 0, 0, 1]), port());
        let mut discovery = Discovery::new(ip, port);
        discovery.look();
        let somebody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        somebody.send_to(b"here", (ip, port)).unwrap();
        let heard = hear(&mut discovery).await;
        assert_eq!(
            heard,
            [Arrival { from: somebody.local_addr().unwrap(), on_link: false, datagram: b"here".to_vec() }]
        );
    }

    #[tokio::test]
    async fn a_port_that_another_program_keeps_for_itself_stops_nobody() {
        let theirs = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        let port = theirs.local_addr().unwrap().port();
        let mut discovery = Discovery::new([127, 0, 0, 1].into(), port);
        assert!(discovery.look() && discovery.ear.is_none());
        discovery.send(b"here");
        drop(theirs);
        discovery.look();
        assert!(discovery.ear.is_some(), "it is tried again");
    }
}
