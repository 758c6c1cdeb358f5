//! [`Node`]: what every kind can be asked to do, and [`Place`]: where in the cluster one is.

use std::error::Error;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

/// Whatever went wrong; it is said and ends that question.
pub type Wrong = Box<dyn Error + Send + Sync>;

/// What comes later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T, Wrong>> + Send + 'a>>;

/// UDP (and, for those that need it, TCP) port of every node.
pub const PORT: u16 = 7946;

/// A running node of any kind.
pub trait Node: Send + Sync {
    /// Says so many records, the first with that number, and returns when the kind's own call does.
    fn add(&self, first: u64, count: u64, size: usize) -> Later<'_, ()>;

    /// Waits until so many are held; tells how many are, and when the last one came.
    fn when(&self, count: u64, patience: Duration) -> Later<'_, (u64, u64)>;

    /// The nodes that it believes to be alive.
    fn peers(&self) -> Later<'_, Vec<u8>>;

    /// Begins or ends to look at each record that comes, where that costs the node something; `when` is then exact.
    fn watch(&self, _: bool) -> Later<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    /// The process that is the node, where it is not this one.
    fn pid(&self) -> u32 {
        std::process::id()
    }
}

/// Where a node is.
pub struct Place {
    /// From 1.
    pub number: u8,
    /// How many there are to be.
    pub nodes: u8,
    /// The one to join by.
    pub seed: Option<u8>,
    /// In the best documented configuration, not in the default one.
    pub best: bool,
    /// A directory for its files.
    pub home: PathBuf,
}

impl Place {
    /// This node's address.
    pub fn ip(&self) -> IpAddr {
        ip(self.number)
    }

    /// The same with its port.
    pub fn addr(&self) -> SocketAddr {
        addr(self.number)
    }
}

/// The address of a node.
pub fn ip(number: u8) -> IpAddr {
    Ipv4Addr::new(10, 77, 0, number).into()
}

/// The same with its port.
pub fn addr(number: u8) -> SocketAddr {
    (ip(number), PORT).into()
}

/// Which node has that address.
pub fn number(ip: IpAddr) -> Option<u8> {
    match ip {
        IpAddr::V4(ip) if ip.octets()[..3] == [10, 77, 0] => Some(ip.octets()[3]),
        _ => None,
    }
}
