//! [`Incoming`]: what one call to the kernel gives.

use super::canonical;
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// No datagram is longer.
const LONGEST: usize = 1 << 16;

/// Room for it.
pub(crate) struct Incoming(Vec<u8>);

impl Incoming {
    pub fn new(state: &UdpSocketState) -> Incoming {
        Incoming(vec![0; LONGEST.max(2048 * state.gro_segments())])
    }

    /// Receives: each datagram with how and where it came from. Returns how many there were.
    pub fn receive(
        &mut self,
        io: &UdpSocket,
        state: &UdpSocketState,
        mut each: impl FnMut(&RecvMeta, SocketAddr, &[u8]),
    ) -> io::Result<usize> {
        let mut meta = [RecvMeta::default()];
        let received = io.try_io(Interest::READABLE, || {
            state.recv(UdpSockRef::from(io), &mut [IoSliceMut::new(&mut self.0)], &mut meta)
        });
        match received {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(error),
        }
        let [meta] = meta;
        let from = canonical(meta.addr);
        let datagrams = self.0.get(..meta.len).unwrap_or_default().chunks(meta.stride.max(1));
        let count = datagrams.len().max(1);
        datagrams.for_each(|datagram| each(&meta, from, datagram));
        Ok(count)
    }
}
