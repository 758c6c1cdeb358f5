//! Bare UDP on loopback: one thread that sends and one that receives, each with a runtime of its own.

use crate::net::Socket;
use bytes::BytesMut;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, timeout};

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Nothing more comes after that.
const SILENCE: Duration = Duration::from_millis(50);
/// How long a thread waits for one that has to start first.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many datagrams came within how long.
#[derive(Clone, Copy, Debug)]
pub struct Datagrams {
    /// Received.
    pub count: u64,
    /// From the first to the last.
    pub took: Duration,
}

impl Datagrams {
    /// A second.
    pub fn rate(&self) -> f64 {
        self.count as f64 / self.took.as_secs_f64().max(1e-9)
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Sends datagrams of `size` bytes one by one for so long.
pub fn flood(size: usize, lasting: Duration) -> io::Result<Datagrams> {
    let send = async move |to| {
        let (socket, datagram) = (UdpSocket::bind(ANY).await?, vec![7; size]);
        let began = Instant::now();
        while began.elapsed() < lasting {
            for _ in 0..64 {
                socket.send_to(&datagram, to).await?;
            }
        }
        Ok(())
    };
    received(send, |_| ())
}

/// Sends these one by one; `each` is given those that come, where they are received.
pub fn delivered(datagrams: Vec<BytesMut>, each: impl FnMut(&[u8])) -> io::Result<Datagrams> {
    let send = async move |to| {
        let socket = UdpSocket::bind(ANY).await?;
        for datagram in &datagrams {
            socket.send_to(datagram, to).await?;
        }
        Ok(())
    };
    received(send, each)
}

fn received(
    send: impl AsyncFnOnce(SocketAddr) -> io::Result<()> + Send + 'static,
    mut each: impl FnMut(&[u8]),
) -> io::Result<Datagrams> {
    let receiving = runtime()?;
    let socket = receiving.block_on(UdpSocket::bind(ANY))?;
    let to = socket.local_addr()?;
    let sender = std::thread::spawn(move || runtime()?.block_on(send(to)));
    let received = receiving.block_on(async {
        let mut incoming = vec![0; 65_536];
        let mut count = Count::default();
        while let Ok(received) = timeout(count.patience(), socket.recv_from(&mut incoming)).await {
            let (length, _) = received?;
            each(incoming.get(..length).unwrap_or_default());
            count.more(1);
        }
        Ok::<_, io::Error>(count.done())
    });
    sender.join().map_err(|_| io::Error::other("the sender panicked"))??;
    received
}

/// The same with the kernel's own batches: runs to one address, as a node sends and receives them.
pub fn flood_in_runs(size: usize, lasting: Duration) -> io::Result<Datagrams> {
    let receiving = runtime()?;
    let mut socket = receiving.block_on(async { Socket::bind(ANY) })?.0;
    let to = socket.local_addr()?;
    let sender = std::thread::spawn(move || {
        runtime()?.block_on(async {
            let (mut socket, datagram) = (Socket::bind(ANY)?.0, vec![7; size]);
            let began = Instant::now();
            while began.elapsed() < lasting {
                (0..64).for_each(|_| socket.send(to, &datagram));
                socket.flush();
            }
            Ok::<_, io::Error>(())
        })
    });
    let received = receiving.block_on(async {
        let mut count = Count::default();
        while let Ok(readable) = timeout(count.patience(), socket.readable()).await {
            readable?;
            while let received @ 1.. = socket.receive(|_, _| ())? {
                count.more(received as u64);
            }
        }
        Ok::<_, io::Error>(count.done())
    });
    sender.join().map_err(|_| io::Error::other("the sender panicked"))??;
    received
}

/// How long a datagram of `size` bytes takes there and back between two threads, as between two processes, `count` times,
/// sorted.
pub fn echo(size: usize, count: usize) -> io::Result<Vec<Duration>> {
    let echoing = runtime()?;
    let there = echoing.block_on(UdpSocket::bind(ANY))?;
    let to = there.local_addr()?;
    let echo = std::thread::spawn(move || {
        echoing.block_on(async {
            let mut incoming = vec![0; 65_536];
            // One byte ends it; and nobody there for so long, too.
            while let Ok(Ok((length @ 2.., from))) = timeout(PATIENCE, there.recv_from(&mut incoming)).await {
                let _ = there.send_to(incoming.get(..length).unwrap_or_default(), from).await;
            }
        });
    });
    let all = runtime()?.block_on(async {
        let (here, datagram) = (UdpSocket::bind(ANY).await?, vec![7; size.max(2)]);
        let (mut all, mut incoming) = (Vec::with_capacity(count), vec![0; 65_536]);
        for _ in 0..count {
            let began = Instant::now();
            here.send_to(&datagram, to).await?;
            if timeout(SILENCE, here.recv_from(&mut incoming)).await.is_ok() {
                all.push(began.elapsed());
            }
        }
        here.send_to(&[0], to).await?;
        all.sort_unstable();
        Ok::<_, io::Error>(all)
    });
    echo.join().map_err(|_| io::Error::other("the echo panicked"))?;
    all
}

#[derive(Default)]
struct Count {
    count: u64,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Count {
    /// The first may take the time that a thread needs to start.
    fn patience(&self) -> Duration {
        if self.first.is_none() { PATIENCE } else { SILENCE }
    }

    fn more(&mut self, count: u64) {
        let now = Instant::now();
        self.first.get_or_insert(now);
        self.last = Some(now);
        self.count += count;
    }

    fn done(self) -> Datagrams {
        let took = self.first.zip(self.last).map_or(Duration::ZERO, |(first, last)| last - first);
        Datagrams { count: self.count, took }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_arrive_plainly_in_runs_and_there_and_back() {
        let short = Duration::from_millis(20);
        assert!(flood(200, short).unwrap().rate() > 100.0);
        assert!(flood_in_runs(1200, short).unwrap().count >= 64);
        assert!(!echo(64, 10).unwrap().is_empty());
    }
}
