//! A service whose replicas share their configuration: whoever changes it does so at any replica, all others use it within
//! milliseconds, and one that was away has it as soon as it is back. The latest change counts.
//!
//! ```sh
//! cargo run --release --example embed                                      # three replicas in this process
//! REPLICA_PASSWORD=secret cargo run --release --example embed -- ./home    # one, on the LAN; a line is a new limit
//! ```

use gossip_node::{Daemon, Handle, Since};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::watch;

/// What the replicas share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Limits {
    requests_a_second: u32,
}

/// The limits in force, for all of the service: it is changed whenever later ones arrive.
async fn limits(gossip: &Handle) -> Result<watch::Receiver<Limits>, gossip_node::Error> {
    let mut arriving = gossip.subscribe(Since::All).await?;
    let (now, limits) = watch::channel(Limits::default());
    tokio::spawn(async move {
        let mut latest = None;
        while let Some(Ok(received)) = arriving.next().await {
            let record = received.record;
            // What is not ours to read is for others; what arrives late may be old.
            let Ok(limits) = record.json::<Limits>() else { continue };
            let when = Some((record.date_time, record.guid));
            if when > latest {
                latest = when;
                now.send_replace(limits);
            }
        }
    });
    Ok(limits)
}

/// One replica on this host: its records stay in `home`.
async fn one(home: &str) -> Result<(), Box<dyn Error>> {
    let password = std::env::var("REPLICA_PASSWORD").map_err(|_| "set REPLICA_PASSWORD, the same at all replicas")?;
    let daemon = Daemon::builder().network("replicas").password(password).home(home).start().await?;
    let mut limits = limits(&daemon.handle()).await?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    println!("at {}; a number sets the limit, Ctrl-D ends it", daemon.addr());
    loop {
        tokio::select! {
            changed = limits.changed() => {
                changed?;
                println!("now {:?}", *limits.borrow());
            }
            line = lines.next_line() => match line?.map(|line| line.trim().parse()) {
                Some(Ok(requests_a_second)) => drop(daemon.handle().add_json(&Limits { requests_a_second }).await?),
                Some(Err(_)) => println!("that is no number"),
                None => {
                    daemon.leave().await?;
                    return Ok(());
                }
            },
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    if let Some(home) = std::env::args().nth(1) {
        return one(&home).await;
    }
    let mut replicas: Vec<Daemon> = Vec::new();
    for number in 1..=3 {
        let builder =
            Daemon::builder().network("replicas").password("for the demonstration").name(format!("replica-{number}"));
        // Here they are told where the first one is; on a LAN they find each other.
        let first = replicas.first().map(|first| first.addr().to_string());
        let builder = first.into_iter().fold(builder, |builder, first| builder.seed(first));
        replicas.push(builder.bind(([127, 0, 0, 1], 0)).in_memory().start().await?);
    }
    let mut watched = Vec::new();
    for replica in &replicas {
        watched.push(limits(&replica.handle()).await?);
    }
    for (replica, requests_a_second) in replicas.iter().zip([100, 250, 50]) {
        let limits = Limits { requests_a_second };
        replica.handle().add_json(&limits).await?;
        for (number, watched) in watched.iter_mut().enumerate() {
            tokio::time::timeout(Duration::from_secs(20), watched.wait_for(|now| *now == limits)).await??;
            println!("replica-{} uses {limits:?}", number + 1);
        }
    }
    for replica in replicas {
        replica.leave().await?;
    }
    Ok(())
}
