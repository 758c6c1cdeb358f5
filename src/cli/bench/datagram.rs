//! `gossip-node bench datagram`: what a full datagram costs a node, beside the bare hash of as many bytes and bare sockets.

use super::ingest::blocking;
use super::report::{Report, Row};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::probes::{self, Link};
use crate::proto::limits::{MIN_MAX_DATAGRAM, TAG};
use bytes::BytesMut;
use clap::Args;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::hint::black_box;
use std::io;
use tokio::time::Instant;

/// How often each is measured; the best counts.
const ROUNDS: usize = 5;
/// Datagrams that a processor's cache holds.
const WARM: usize = 64;

/// What a datagram costs
#[derive(Args, Debug)]
#[command(after_help = "\
Full datagrams of records that the node has already: they are authenticated, decoded and found to be known.

  gossip-node bench datagram
  gossip-node bench datagram --count 2000 --json")]
pub struct Datagram {
    /// How many in each of five rounds
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    count: u32,
}

impl Datagram {
    /// Measures one core, then two with sockets between them.
    pub async fn measure(self, context: &Context) -> Result<Report, Failure> {
        let spinner = context.spinner("full datagrams, one after the other");
        let count = self.count as usize;
        let report = blocking(move || measured(count)).await?;
        drop(spinner);
        Ok(report)
    }
}

fn measured(count: usize) -> io::Result<Report> {
    let mut link = Link::new().ok_or_else(|| io::Error::other("two nodes in memory did not meet"))?;
    let mac = Hmac::<Sha256>::new_from_slice(&[7; 32]).map_err(io::Error::other)?;
    let mut out = BytesMut::with_capacity(MIN_MAX_DATAGRAM);
    link.seal(&mut out);
    let signed = vec![7; out.len() - TAG];
    let (mut bare, mut sealed, mut handled) = (f64::MAX, f64::MAX, f64::MAX);
    let (mut raw, mut received) = (0.0_f64, 0.0_f64);
    for _ in 0..ROUNDS {
        let hash = || drop(black_box(mac.clone().chain_update(black_box(&signed)).finalize()));
        bare = bare.min(nanoseconds(count, || (0..count).for_each(|_| hash())));
        sealed = sealed.min(nanoseconds(count, || (0..count).for_each(|_| link.seal(black_box(&mut out)))));
        handled = handled.min(taking(&mut link, count)?);
        raw = raw.max(probes::delivered(link.sealed(count), |_| ())?.rate());
        let mut taken = 0;
        let delivered = probes::delivered(link.sealed(count), |datagram| taken += u64::from(link.take(datagram)))?;
        if taken < delivered.count {
            return Err(refused());
        }
        received = received.max(delivered.rate());
    }
    let mut report = Report::default();
    report.add(Row::new("bare HMAC of a full datagram", bare, "ns"));
    report.add(Row::new("encoded and sealed", sealed, "ns").beside(bare).at_most(1.25));
    // Seven tenths of it in the hash.
    report.add(Row::new("opened, decoded and known already", handled, "ns").beside(bare).at_most(1.43));
    report.add(Row::new("the same from a socket", received, "datagrams/s").beside(raw).at_least(0.6));
    Ok(report)
}

fn refused() -> io::Error {
    io::Error::other("a node refused what it was sent")
}

/// What one of so many takes.
fn nanoseconds(count: usize, all: impl FnOnce()) -> f64 {
    let began = Instant::now();
    all();
    began.elapsed().as_secs_f64() * 1e9 / count as f64
}

/// What taking one of so many costs, in nanoseconds, each as warm as the kernel leaves it.
fn taking(link: &mut Link, count: usize) -> io::Result<f64> {
    let (mut all, mut taken) = (0.0, 0);
    for _ in 0..count.div_ceil(WARM) {
        let datagrams = link.sealed(WARM);
        all += nanoseconds(1, || taken += datagrams.iter().filter(|datagram| link.take(datagram)).count());
    }
    if taken < count { Err(refused()) } else { Ok(all / taken as f64) }
}
