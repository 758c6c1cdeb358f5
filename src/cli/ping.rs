//! `gossip-node ping`: round trips to a peer, by the protocol itself; and how long a datagram may be on the way there and
//! back.

use super::context::Context;
use super::failure::{Exit, Failure};
use super::peers::{address, clock, rtt};
use super::signals::Signals;
use crate::api::{Peer, PingQuery};
use crate::client::{Client, ClientError};
use crate::config::parse_duration;
use crate::display::{display_line, quoted};
use crate::proto::limits::{MAX_DATAGRAM, MIN_MAX_DATAGRAM};
use clap::Args;
use serde::Serialize;
use std::time::Duration;

/// Between two pings.
const PAUSE: Duration = Duration::from_millis(200);
/// Sizes that are tried first; what lies between two of them is searched.
const SIZES: [u16; 7] = [200, 576, 1000, MIN_MAX_DATAGRAM as u16, 1400, 1432, MAX_DATAGRAM as u16];
/// How often a size is tried before it counts as too long.
const TRIES: u32 = 3;

/// Measure round trips to a peer, and how long a datagram may be.
#[derive(Args, Debug)]
#[command(after_help = "\
Exits with 0 when at least one answer came, with 6 when none did. The sweep tries datagrams of more and
more bytes, there and back, up to the longest that max_datagram may be.

  gossip-node ping desk
  gossip-node ping 192.168.1.21:6884 --count 20 --json
  gossip-node ping desk --sweep")]
pub struct Ping {
    /// Its name, its address, or the first 4 or more hex digits of its GUID
    #[arg(value_name = "PEER")]
    peer: String,
    /// How often
    #[arg(long, short, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    count: u32,
    /// How long to wait for each answer
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_duration)]
    timeout: Duration,
    /// Bytes of UDP payload in each datagram [default: as few as can be]
    #[arg(long, value_name = "BYTES", conflicts_with = "sweep", value_parser = clap::value_parser!(u16).range(1..=MAX_DATAGRAM as i64))]
    size: Option<u16>,
    /// Find the longest datagram that passes
    #[arg(long)]
    sweep: bool,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Pinged {
    peer: Peer,
    sent: u32,
    answered: u32,
    /// Which share was not answered, from 0 to 1.
    loss: f64,
    rtt_min_ms: Option<f64>,
    rtt_median_ms: Option<f64>,
    rtt_max_ms: Option<f64>,
    /// Sizes that were tried; null without `--sweep`.
    sizes: Option<Vec<Size>>,
    /// The longest that passed, in bytes of UDP payload; null if that was not tried, or none did.
    longest: Option<u16>,
}

/// A size that was tried.
#[derive(Clone, Debug, Serialize)]
struct Size {
    size: u16,
    passes: bool,
    rtt_ms: Option<f64>,
}

impl Ping {
    /// Pings.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client();
        let peer = client.peer(&self.peer).await.map_err(context.explain())?;
        let mut signals = Signals::take()?;
        let (mut trips, mut sent) = (Vec::new(), 0);
        if self.sweep {
            let sizes = tokio::select! {
                sizes = self.sweep(&client, &peer, context) => sizes?,
                code = signals.first() => std::process::exit(code.into()),
            };
            return summary(context, Pinged::of(peer, 0, &[], Some(sizes)));
        }
        for number in 0..self.count {
            let pause = if number == 0 { Duration::ZERO } else { PAUSE };
            let pinged = async {
                tokio::time::sleep(pause).await;
                self.once(&client, &peer, self.size, context).await
            };
            let trip = tokio::select! {
                trip = pinged => trip?,
                _ = signals.first() => break,
            };
            sent += 1;
            trips.extend(trip);
            if !context.json {
                let (name, at) = (display_line(&peer.name), address(&peer.ip, peer.port));
                let answer = trip.map_or_else(|| context.paint.warn("no answer"), rtt);
                context.print(&format!("{name} ({at}): {answer}\n"))?;
            }
        }
        summary(context, Pinged::of(peer, sent, &trips, None))
    }

    /// How long an answer took, if it came.
    async fn once(
        &self,
        client: &Client,
        peer: &Peer,
        size: Option<u16>,
        context: &Context,
    ) -> Result<Option<f64>, Failure> {
        let timeout_ms = u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX);
        match client.ping(&peer.guid, PingQuery { network: None, size, timeout_ms: Some(timeout_ms) }).await {
            Ok(pong) => Ok(Some(pong.rtt_ms)),
            Err(ClientError::Refused(problem)) if problem.status == 504 => Ok(None),
            Err(error) => Err(context.explain()(error)),
        }
    }

    /// Tries sizes, and searches between the longest that passes and the shortest that does not.
    async fn sweep(&self, client: &Client, peer: &Peer, context: &Context) -> Result<Vec<Size>, Failure> {
        let mut tried: Vec<Size> = Vec::new();
        let (mut passes, mut fails) = (0, None);
        for size in SIZES {
            let one = self.size(client, peer, size, context).await?;
            tried.push(one.clone());
            if one.passes {
                passes = size;
            } else {
                fails = Some(size);
                break;
            }
        }
        while let Some(most) = fails.filter(|&most| passes > 0 && most - passes > 1) {
            let size = passes + (most - passes) / 2;
            let one = self.size(client, peer, size, context).await?;
            if one.passes {
                passes = size
            } else {
                fails = Some(size)
            }
            tried.push(one);
        }
        tried.sort_by_key(|tried| tried.size);
        Ok(tried)
    }

    async fn size(&self, client: &Client, peer: &Peer, size: u16, context: &Context) -> Result<Size, Failure> {
        let spinner = context.spinner(format!("trying {size} bytes"));
        let mut rtt_ms = None;
        for _ in 0..TRIES {
            rtt_ms = self.once(client, peer, Some(size), context).await?;
            if rtt_ms.is_some() {
                break;
            }
        }
        drop(spinner);
        Ok(Size { size, passes: rtt_ms.is_some(), rtt_ms })
    }
}

impl Pinged {
    fn of(peer: Peer, sent: u32, trips: &[f64], sizes: Option<Vec<Size>>) -> Pinged {
        let mut sorted = trips.to_vec();
        sorted.sort_by(f64::total_cmp);
        let answered = trips.len() as u32;
        let longest = sizes.iter().flatten().filter(|size| size.passes).map(|size| size.size).max();
        Pinged {
            peer,
            sent,
            answered,
            loss: if sent == 0 { 0.0 } else { f64::from(sent - answered) / f64::from(sent) },
            rtt_min_ms: sorted.first().copied(),
            rtt_median_ms: sorted.get(sorted.len() / 2).copied(),
            rtt_max_ms: sorted.last().copied(),
            sizes,
            longest,
        }
    }

    fn text(&self) -> String {
        if let Some(sizes) = &self.sizes {
            return sweep_text(sizes, self.longest);
        }
        let loss = self.loss * 100.0;
        let mut text = format!("{} sent, {} answered, {loss:.0} % lost", self.sent, self.answered);
        if let (Some(min), Some(median), Some(max)) = (self.rtt_min_ms, self.rtt_median_ms, self.rtt_max_ms) {
            let short = |trip| rtt(trip).trim_end_matches(" ms").to_owned();
            text.push_str(&format!("; min/median/max {}/{}/{}", short(min), short(median), rtt(max)));
        }
        if let Some(ahead) = self.peer.clock_offset_ms.filter(|_| self.answered > 0) {
            text.push_str(&format!("; its clock is {} from this host's", clock(ahead)));
        }
        text.push('\n');
        text
    }
}

fn sweep_text(sizes: &[Size], longest: Option<u16>) -> String {
    let mut text = String::new();
    for Size { size, rtt_ms, .. } in sizes {
        let what = rtt_ms.map_or("does not pass".into(), |trip| format!("passes, {}", rtt(trip)));
        text.push_str(&format!("{size:>6} bytes: {what}\n"));
    }
    text.push_str(&match longest {
        Some(longest) if usize::from(longest) >= MAX_DATAGRAM => {
            format!("datagrams of {longest} bytes pass, the longest that max_datagram may be\n")
        }
        Some(longest) if usize::from(longest) >= MIN_MAX_DATAGRAM => {
            format!("datagrams of up to {longest} bytes pass: max_datagram must not be larger\n")
        }
        Some(longest) => format!(
            "only datagrams of up to {longest} bytes pass, and {MIN_MAX_DATAGRAM} must: something between has a small MTU\n"
        ),
        None => "no datagram was answered\n".into(),
    });
    text
}

fn summary(context: &Context, pinged: Pinged) -> Result<(), Failure> {
    if context.json {
        context.print_json(&pinged)?;
    } else {
        context.print(&pinged.text())?;
    }
    if pinged.answered > 0 || pinged.longest.is_some() {
        return Ok(());
    }
    let name = display_line(&pinged.peer.name).into_owned();
    if context.json {
        return Err(Failure::silent(Exit::Timeout));
    }
    Err(Failure::new(Exit::Timeout, format!("{name} did not answer"))
        .hint(format!("why it is in its state: gossip-node explain {}", quoted(&pinged.peer.name))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_says_what_it_means() {
        let size = |size, passes: bool| Size { size, passes, rtt_ms: passes.then_some(0.4) };
        let text =
            |sizes: &[Size]| sweep_text(sizes, sizes.iter().filter(|size| size.passes).map(|size| size.size).max());
        assert!(text(&[size(200, true), size(1472, true)]).contains("the longest that max_datagram may be"));
        let text_of_1400 = text(&[size(1200, true), size(1400, true), size(1401, false)]);
        assert!(text_of_1400.contains("1401 bytes: does not pass") && text_of_1400.contains("up to 1400"));
        assert!(text(&[size(576, true), size(577, false)]).contains("small MTU"));
        assert!(text(&[size(200, false)]).contains("no datagram"));
    }
}
