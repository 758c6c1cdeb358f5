//! [`Pcap`]: UDP datagrams out of a file of tcpdump, the classic format: Ethernet, loopback and `-i any`, IPv4 and IPv6.
//! Whatever is something else is passed over, and so are fragments; a file may end anywhere.

use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// No packet is longer, says tcpdump.
const LONGEST: u32 = 1 << 18;
const UDP: u8 = 17;

/// When a datagram was seen, and on which way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// RFC 3339, UTC.
    pub at: String,
    /// Who sent it.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
}

/// A UDP datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// When and where.
    pub way: Way,
    /// What it carries; as much as was recorded.
    pub payload: Vec<u8>,
}

/// How packets begin.
#[derive(Clone, Copy, Debug)]
enum Link {
    /// BSD's loopback: four bytes of address family.
    Null,
    Ethernet,
    /// IP at once.
    Raw,
    /// `-i any`, and its second version.
    Any,
    Any2,
}

/// See the module.
pub struct Pcap<R> {
    from: R,
    big_endian: bool,
    nanoseconds: bool,
    link: Link,
}

impl<R: Read> Pcap<R> {
    /// Reads a file's header.
    pub fn open(mut from: R) -> io::Result<Pcap<R>> {
        let wrong = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
        let mut header = [0; 24];
        from.read_exact(&mut header).map_err(|_| wrong("it is too short for a file of tcpdump".to_owned()))?;
        let [magic @ .., a, b, c, d] = header;
        let (big_endian, nanoseconds) = match magic[..4] {
            [0xD4, 0xC3, 0xB2, 0xA1] => (false, false),
            [0x4D, 0x3C, 0xB2, 0xA1] => (false, true),
            [0xA1, 0xB2, 0xC3, 0xD4] => (true, false),
            [0xA1, 0xB2, 0x3C, 0x4D] => (true, true),
            [0x0A, 0x0D, 0x0D, 0x0A] => {
                return Err(wrong("it is pcapng; `tcpdump -r FILE -w NEW` makes a classic file of it".to_owned()));
            }
            _ => return Err(wrong("it is no file of tcpdump".to_owned())),
        };
        // The upper bits say how long a checksum is at the end of each frame.
        let link = match word([a, b, c, d], big_endian) & 0xFFFF {
            0 | 108 => Link::Null,
            1 => Link::Ethernet,
            12 | 14 | 101 => Link::Raw,
            113 => Link::Any,
            276 => Link::Any2,
            other => return Err(wrong(format!("its link type {other} is none that is known here"))),
        };
        Ok(Pcap { from, big_endian, nanoseconds, link })
    }

    /// The next UDP datagram, until the file ends.
    pub fn next(&mut self) -> io::Result<Option<Packet>> {
        loop {
            let mut header = [[0; 4]; 4];
            match self.from.read_exact(header.as_flattened_mut()) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                other => other?,
            }
            let [seconds, fraction, len, _] = header.map(|bytes| word(bytes, self.big_endian));
            if len > LONGEST {
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a packet of {len} bytes is none")));
            }
            let mut frame = Vec::new();
            // A file may have been cut off while it was written.
            if (&mut self.from).take(len.into()).read_to_end(&mut frame)? < len as usize {
                return Ok(None);
            }
            let nanoseconds = if self.nanoseconds { fraction } else { fraction.saturating_mul(1000) };
            let at = jiff::Timestamp::new(seconds.into(), i32::try_from(nanoseconds).unwrap_or(0)).unwrap_or_default();
            if let Some((from, to, payload)) = network(&frame, self.link).and_then(datagram) {
                let at = format!("{at:.6}");
                return Ok(Some(Packet { way: Way { at, from, to }, payload: payload.to_vec() }));
            }
        }
    }
}

fn word(bytes: [u8; 4], big_endian: bool) -> u32 {
    if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}

/// What a frame carries: where IP begins.
fn network(frame: &[u8], link: Link) -> Option<&[u8]> {
    match link {
        Link::Raw => Some(frame),
        Link::Null => frame.get(4..),
        Link::Any => frame.get(16..),
        Link::Any2 => frame.get(20..),
        Link::Ethernet => {
            let mut rest = frame.get(12..)?;
            // VLANs, one in another.
            while let [0x81, 0x00, ..] | [0x88, 0xA8, ..] = rest {
                rest = rest.get(4..)?;
            }
            match rest {
                [0x08, 0x00, ip @ ..] | [0x86, 0xDD, ip @ ..] => Some(ip),
                _ => None,
            }
        }
    }
}

/// The UDP datagram that an IP packet carries.
fn datagram(packet: &[u8]) -> Option<(SocketAddr, SocketAddr, &[u8])> {
    let (from, to, udp): (IpAddr, IpAddr, &[u8]) = match packet.first()? >> 4 {
        4 => {
            let words = usize::from(packet.first()? & 15);
            let total = usize::from(u16::from_be_bytes(*packet.get(2..4)?.as_array()?));
            let (fragment, protocol) = (u16::from_be_bytes(*packet.get(6..8)?.as_array()?), *packet.get(9)?);
            if words < 5 || fragment & 0x3FFF != 0 || protocol != UDP {
                return None;
            }
            let from: [u8; 4] = *packet.get(12..16)?.as_array()?;
            let to: [u8; 4] = *packet.get(16..20)?.as_array()?;
            // Behind the end, Ethernet pads. A length of 0 is what a network card is to fill in.
            let end = if total == 0 { packet.len() } else { total.min(packet.len()) };
            (Ipv4Addr::from(from).into(), Ipv4Addr::from(to).into(), packet.get(words * 4..end)?)
        }
        6 if *packet.get(6)? == UDP => {
            let from: [u8; 16] = *packet.get(8..24)?.as_array()?;
            let to: [u8; 16] = *packet.get(24..40)?.as_array()?;
            (Ipv6Addr::from(from).into(), Ipv6Addr::from(to).into(), packet.get(40..)?)
        }
        _ => return None,
    };
    let half = |at: usize| Some(u16::from_be_bytes(*udp.get(at..at + 2)?.as_array()?));
    let (source, target, len) = (half(0)?, half(2)?, usize::from(half(4)?));
    let payload = udp.get(8..len.clamp(8, udp.len().max(8)))?;
    Some((SocketAddr::new(from, source), SocketAddr::new(to, target), payload))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// UDP from port 1 to port 2.
    fn udp(payload: &[u8]) -> Vec<u8> {
        [&[0, 1, 0, 2, 0, 8 + payload.len() as u8, 0, 0], payload].concat()
    }

    fn v4(payload: &[u8]) -> Vec<u8> {
        let udp = udp(payload);
        let mut packet = vec![0x45, 0, 0, 20 + udp.len() as u8, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend(udp);
        packet
    }

    fn v6(payload: &[u8]) -> Vec<u8> {
        let udp = udp(payload);
        let (mut from, mut to) = ([0; 16], [0; 16]);
        (from[15], to[15]) = (1, 2);
        [&[0x60, 0, 0, 0, 0, udp.len() as u8, 17, 64][..], &from, &to, &udp].concat()
    }

    fn file(link: u32, big_endian: bool, frames: &[Vec<u8>]) -> Vec<u8> {
        let word = |word: u32| if big_endian { word.to_be_bytes() } else { word.to_le_bytes() };
        let mut file = word(0xA1B2_C3D4).to_vec();
        file.extend([word(0x0004_0002), word(0), word(0), word(65_535), word(link)].concat());
        for frame in frames {
            let len = word(frame.len() as u32);
            file.extend([word(1_700_000_000), word(5), len, len].concat());
            file.extend(frame);
        }
        file
    }

    fn read(file: &[u8]) -> io::Result<Vec<Packet>> {
        let mut pcap = Pcap::open(file)?;
        std::iter::from_fn(|| pcap.next().transpose()).collect()
    }

    #[test]
    fn datagrams_are_found_on_every_link() {
        let ethernet = |kind: &[u8], packet: Vec<u8>| [&[0; 12], kind, &packet, b"padding"].concat();
        let cases: Vec<(u32, Vec<u8>)> = vec![
            (0, [vec![2, 0, 0, 0], v4(b"hi")].concat()),
            (0, [vec![30, 0, 0, 0], v6(b"hi")].concat()),
            (1, ethernet(&[8, 0], v4(b"hi"))),
            (1, ethernet(&[0x81, 0, 0, 5, 8, 0], v4(b"hi"))),
            (1, ethernet(&[0x86, 0xDD], v6(b"hi"))),
            (101, v4(b"hi")),
            (113, [vec![0; 16], v4(b"hi")].concat()),
            (276, [vec![0; 20], v6(b"hi")].concat()),
        ];
        for (link, frame) in cases {
            for big_endian in [false, true] {
                let arp = vec![0; 60];
                let found = read(&file(link, big_endian, &[arp.clone(), frame.clone(), arp])).unwrap();
                let [Packet { way, payload }] = &found[..] else { panic!("link {link}: {found:?}") };
                assert_eq!(payload, b"hi", "link {link}");
                assert_eq!((way.from.port(), way.to.port(), way.at.as_str()), (1, 2, "2023-11-14T22:13:20.000005Z"));
            }
        }
    }

    #[test]
    fn fragments_other_protocols_and_cut_files_are_passed_over() {
        let mut fragment = v4(b"hi");
        fragment[7] = 1;
        let mut tcp = v4(b"hi");
        tcp[9] = 6;
        let whole = file(101, false, &[fragment, tcp, v4(b"yes")]);
        assert_eq!(read(&whole).unwrap().len(), 1);
        for len in 24..whole.len() {
            assert!(read(&whole[..len]).unwrap().is_empty());
        }
        for len in 0..24 {
            assert!(read(&whole[..len]).is_err());
        }
        let mut long = file(101, false, &[v4(b"yes")]);
        long[24 + 11] = 0xFF;
        assert!(read(&long).is_err());
        assert!(read(&file(9999, false, &[])).unwrap_err().to_string().contains("9999"));
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(
            link in prop::sample::select(vec![0u32, 1, 101, 113, 276]),
            mut frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..4),
            shape in 0..4u8,
        ) {
            for frame in frames.iter_mut().filter(|frame| !frame.is_empty()) {
                frame[0] = match shape { 0 => 0x45, 1 => 0x60, 2 => 0x4F, _ => frame[0] };
            }
            let _ = read(&file(link, false, &frames));
        }
    }
}
