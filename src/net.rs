//! [`Socket`]: the UDP socket: batches in and out. Runs of datagrams of one size to one peer leave as one GSO batch
//! (26 times the rate of single sends), and arrive by GRO; everything else goes plainly.

mod faults;
mod incoming;

pub use faults::Faults;
pub(crate) use incoming::Incoming;

use faults::Fate;
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Type};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use tokio::net::UdpSocket;
use tokio::sync::watch;

/// Asked of the kernel for each direction: the default holds only 92 datagrams.
pub(crate) const BUFFER: usize = 4 << 20;
/// One batch of the kernel's is at most this long.
const BATCH: usize = 65_507;
/// Datagrams in one batch at most.
const SEGMENTS: usize = 64;

/// A bound UDP socket.
pub struct Socket {
    io: Arc<UdpSocket>,
    state: UdpSocketState,
    incoming: Incoming,
    train: Train,
    unsent: u64,
    faults: Option<watch::Receiver<Faults>>,
}

/// Datagrams of one size to one address; the last one may be shorter.
struct Train {
    to: SocketAddr,
    segment: usize,
    bytes: Vec<u8>,
    open: bool,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("io", &self.io).finish_non_exhaustive()
    }
}

impl Socket {
    /// Binds. Returns the socket and, where the kernel grants smaller buffers than asked, how large the receive buffer
    /// is.
    pub fn bind(addr: SocketAddr) -> io::Result<(Socket, Option<usize>)> {
        let socket = socket2::Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
        if addr.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_recv_buffer_size(BUFFER)?;
        socket.set_send_buffer_size(BUFFER)?;
        // The kernel reports twice what it counts as ours.
        let granted = socket.recv_buffer_size()? / 2;
        socket.bind(&addr.into())?;
        socket.set_nonblocking(true)?;
        let io = Arc::new(UdpSocket::from_std(socket.into())?);
        let state = UdpSocketState::new(UdpSockRef::from(&*io))?;
        let incoming = Incoming::new(&state);
        let train = Train { to: addr, segment: 0, bytes: Vec::with_capacity(BATCH), open: false };
        let socket = Socket { io, state, incoming, train, unsent: 0, faults: None };
        Ok((socket, (granted < BUFFER).then_some(granted)))
    }

    /// From now on what is sent meets these faults.
    pub fn suffer(&mut self, faults: watch::Receiver<Faults>) {
        self.faults = Some(faults);
    }

    /// The address in use.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }

    /// Waits until there is something to receive.
    pub async fn readable(&self) -> io::Result<()> {
        self.io.readable().await
    }

    /// Receives what one call to the kernel gives: each datagram with where it came from. Returns how many there were.
    pub fn receive(&mut self, mut each: impl FnMut(SocketAddr, &[u8])) -> io::Result<usize> {
        let Socket { io, state, incoming, .. } = self;
        incoming.receive(io, state, |_, from, datagram| each(from, datagram))
    }

    /// Sends a datagram, or keeps it for the next: [`flush`](Socket::flush) sends what is kept. What the kernel does not
    /// take is lost, as it may be on the way.
    pub fn send(&mut self, to: SocketAddr, datagram: &[u8]) {
        if let Some(faults) = &self.faults {
            match self.io.local_addr().map_or(Fate::Lost, |from| faults.borrow().fate(from, to)) {
                Fate::Arrives => {}
                Fate::Lost => return,
                Fate::Late(delay) => return faults::send_late(self.io.clone(), to, datagram.to_vec(), delay),
            }
        }
        let train = &self.train;
        let fits = train.open
            && train.to == to
            && datagram.len() <= train.segment
            && train.bytes.len() + datagram.len() <= BATCH
            && train.bytes.len() / train.segment.max(1) < self.state.max_gso_segments().min(SEGMENTS);
        if !fits {
            self.flush();
            (self.train.to, self.train.segment) = (to, datagram.len());
        }
        self.train.bytes.extend_from_slice(datagram);
        self.train.open = datagram.len() == self.train.segment;
    }

    /// How many datagrams the kernel did not take since this was asked last: for want of room or of a route, or since a firewall
    /// forbids them.
    pub fn take_unsent(&mut self) -> u64 {
        std::mem::take(&mut self.unsent)
    }

    /// Sends what is kept.
    pub fn flush(&mut self) {
        let Socket { io, state, train, unsent, .. } = self;
        if train.bytes.is_empty() {
            return;
        }
        let single = train.bytes.len() <= train.segment;
        let transmit = Transmit {
            destination: train.to,
            ecn: None,
            contents: &train.bytes,
            segment_size: (!single).then_some(train.segment),
            src_ip: None,
        };
        // Not by tokio's readiness, which a new socket lacks: the kernel says itself when it is full.
        if let Err(error) = state.try_send(UdpSockRef::from(&**io), &transmit) {
            // A link that takes no runs says so at the first one, which goes one by one then, as all do from now on.
            if !single && state.max_gso_segments() == 1 {
                let fails = |one: &&[u8]| {
                    let transmit = Transmit { contents: one, segment_size: None, ..transmit };
                    state.try_send(UdpSockRef::from(&**io), &transmit).is_err()
                };
                *unsent += train.bytes.chunks(train.segment).filter(fails).count() as u64;
            } else {
                *unsent += train.bytes.len().div_ceil(train.segment) as u64;
                tracing::debug!(to = %train.to, %error, "datagrams not sent");
            }
        }
        train.bytes.clear();
        train.open = false;
    }
}

/// An address as it is kept: an IPv4 address as one, and of an IPv6 address also the link where it has a meaning only
/// there.
pub fn canonical(addr: SocketAddr) -> SocketAddr {
    match (addr, addr.ip().to_canonical()) {
        (SocketAddr::V6(v6), IpAddr::V6(ip)) => SocketAddrV6::new(ip, v6.port(), 0, v6.scope_id()).into(),
        (addr, ip) => SocketAddr::new(ip, addr.port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn datagrams_arrive_as_they_were_sent_whatever_their_sizes() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let ((mut a, _), (mut b, _)) = (Socket::bind(any).unwrap(), Socket::bind(any).unwrap());
        let (from, to) = (a.local_addr().unwrap(), b.local_addr().unwrap());
        let sizes: Vec<usize> = (0..200).map(|at| if at % 17 == 0 { 300 + at } else { 1200 }).collect();
        for (at, &size) in sizes.iter().enumerate() {
            a.send(to, &vec![at as u8; size]);
        }
        a.flush();
        let mut came = Vec::new();
        while came.len() < sizes.len() {
            b.readable().await.unwrap();
            b.receive(|addr, datagram| {
                assert_eq!(addr, from);
                assert!(datagram.iter().all(|&byte| byte == datagram[0]));
                came.push((datagram[0] as usize, datagram.len()));
            })
            .unwrap();
        }
        assert_eq!(came, sizes.into_iter().enumerate().collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn what_the_kernel_does_not_take_is_counted() {
        let (mut socket, _) = Socket::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let own = socket.local_addr().unwrap();
        // From a loopback address nothing leads to another host.
        let away = SocketAddr::from(([192, 0, 2, 1], 6884));
        (0..3).for_each(|_| socket.send(away, &[7; 100]));
        socket.send(away, &[7; 20]);
        socket.send(own, &[7; 100]);
        socket.flush();
        assert_eq!((socket.take_unsent(), socket.take_unsent()), (4, 0));
    }

    #[tokio::test]
    async fn a_taken_port_is_an_error() {
        let (first, _) = Socket::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let error = Socket::bind(first.local_addr().unwrap()).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
