//! [`spare_port`]: a UDP port to offer where the usual one is taken.

use crate::config::SPARE_PORT;
use std::net::{IpAddr, UdpSocket};

/// How many are tried.
const TRIES: u16 = 100;

/// The first that is free; 0, where none is, lets the kernel choose.
pub fn spare_port(ip: IpAddr) -> u16 {
    (SPARE_PORT..SPARE_PORT + TRIES).find(|port| UdpSocket::bind((ip, *port)).is_ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_taken_is_not_offered() {
        let ip = IpAddr::from([127, 0, 0, 1]);
        let offered = spare_port(ip);
        let taken = UdpSocket::bind((ip, offered)).unwrap();
        assert_ne!(spare_port(ip), taken.local_addr().unwrap().port());
    }
}
