//! How fast records get from one host to another, disks included: one host says as many as it is told, the other counts.
//!
//! ```sh
//! cargo run --release --example lan_throughput -- listen               # on one host; ends when all have come
//! cargo run --release --example lan_throughput -- HOST:PORT 100000     # on another: records of 150 bytes
//! cargo run --release --example lan_throughput                         # both in this process, 20,000 records
//! ```

#![expect(clippy::disallowed_methods, reason = "who measures looks at the clock")]

use gossip_node::api::Reach;
use gossip_node::daemon::{BATCH, New};
use gossip_node::{Builder, Daemon, Handle, Since};
use std::error::Error;
use std::time::{Duration, Instant};

/// Bytes of a MSG: with its head a record takes 200.
const SIZE: usize = 150;
/// Batches that wait for the disk at once.
const AHEAD: usize = 4;
const SOON: Duration = Duration::from_secs(60);

fn node(address: [u8; 4], port: u16) -> Builder {
    // Who measures has nothing to hide: records of this network are noise.
    Daemon::builder().network("throughput").password("throughput").bind((address, port)).in_memory().discovery(false)
}

/// Says so many records, and then that these are all.
async fn say(gossip: &Handle, count: usize) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    let mut waiting = std::collections::VecDeque::new();
    for first in (0..count).step_by(BATCH) {
        let msg = |number: usize| format!("{number:>0$}", SIZE).into();
        let batch: Vec<New> =
            (first..count.min(first + BATCH)).map(|number| New { who_name: None, msg: msg(number) }).collect();
        let control = gossip.control().clone();
        waiting.push_back(tokio::spawn(async move { control.add_all(None, batch).await }));
        if waiting.len() >= AHEAD
            && let Some(batch) = waiting.pop_front()
        {
            batch.await??.into_iter().collect::<Result<Vec<_>, _>>()?;
        }
    }
    for batch in waiting {
        batch.await??.into_iter().collect::<Result<Vec<_>, _>>()?;
    }
    told("on the disk of who said them", count, began.elapsed());
    gossip.add(format!("{count}")).await?;
    Ok(())
}

/// Counts what arrives, until as many came as there are.
async fn count(gossip: &Handle) -> Result<(), Box<dyn Error>> {
    let mut arriving = gossip.subscribe(Since::All).await?;
    let (mut began, mut last, mut count, mut all) = (None, Instant::now(), 0, None);
    while all.is_none_or(|all| count < all) {
        let next = arriving.next();
        let received = match began {
            // Nobody may have come yet.
            None => next.await,
            Some(_) => tokio::time::timeout(SOON, next).await?,
        };
        let record = received.ok_or("the node ended")??.record;
        if record.msg.len() < SIZE {
            all = Some(record.msg.parse::<usize>()?);
        } else {
            count += 1;
            last = Instant::now();
            began.get_or_insert(last);
        }
    }
    told("on the disk of who heard them", count, last - began.unwrap_or(last));
    Ok(())
}

/// Waits until whoever listens has all, or has counted all and said goodbye.
async fn heard(gossip: &Handle) -> Result<(), Box<dyn Error>> {
    while gossip.wait_in_sync(Duration::from_millis(500)).await.is_err() {
        if gossip.peers().await?.iter().all(|peer| peer.reach == Reach::Left) {
            break;
        }
    }
    Ok(())
}

fn told(what: &str, count: usize, took: Duration) {
    let rate = count as f64 / took.as_secs_f64().max(0.001);
    println!(
        "{count} records {what} in {took:.1?}: {rate:.0} a second, {:.1} MB/s of messages",
        rate * SIZE as f64 / 1e6
    );
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    match args.next() {
        Some(listen) if listen == "listen" => {
            let daemon = node([0, 0, 0, 0], 6887).start().await?;
            println!("listening at {}", daemon.addr());
            count(&daemon.handle()).await?;
            daemon.leave().await?;
        }
        Some(address) => {
            let records = args.next().map_or(Ok(20_000), |count| count.parse())?;
            let daemon = node([0, 0, 0, 0], 0).start().await?;
            println!("to {}", daemon.handle().register(address, SOON).await?.name);
            say(&daemon.handle(), records).await?;
            tokio::time::timeout(SOON, heard(&daemon.handle())).await??;
            daemon.leave().await?;
        }
        None => {
            let (one, other) = (node([127, 0, 0, 1], 0).start().await?, node([127, 0, 0, 1], 0).start().await?);
            one.handle().register(other.addr().to_string(), SOON).await?;
            let (from, to) = (one.handle(), other.handle());
            let (said, counted) = tokio::join!(say(&from, 20_000), count(&to));
            said.and(counted)?;
            one.leave().await?;
            other.leave().await?;
        }
    }
    Ok(())
}
