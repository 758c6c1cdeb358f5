//! A chat in the terminal, without a server: what was said while you were away is there when you come back.
//!
//! ```sh
//! CHAT_PASSWORD=secret cargo run --release --example chat -- NAME               # on each host of a LAN
//! CHAT_PASSWORD=secret cargo run --release --example chat -- NAME HOST:PORT     # from elsewhere, at somebody who is in it
//! ```

use gossip_node::display::{display_line, local_time, rfc3339};
use gossip_node::{Cursor, Daemon, Handle, Received, Since};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};

/// A line of the chat. Nothing that anybody wrote acts on the terminal.
fn line(received: &Received) -> String {
    let record = &received.record;
    let at = local_time(&rfc3339(record.date_time));
    format!("{at}  {}: {}", display_line(&record.who_name), display_line(&record.msg))
}

/// Where somebody stood when he went: a line of a file, so that nothing is shown twice and nothing is missed.
fn last_time(place: &Path) -> Since {
    let cursor = std::fs::read_to_string(place).ok().and_then(|text| text.parse::<Cursor>().ok());
    cursor.map_or(Since::All, Since::After)
}

async fn chat(name: &str, seed: Option<String>) -> Result<(), Box<dyn Error>> {
    let password =
        std::env::var("CHAT_PASSWORD").map_err(|_| "set CHAT_PASSWORD to what all in the chat have agreed on")?;
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")));
    let home = state.ok_or("neither XDG_STATE_HOME nor HOME is set")?.join("gossip-chat");
    let builder = Daemon::builder().network("chat").password(password).name(name).home(&home);
    let builder = seed.into_iter().fold(builder, |builder, seed| builder.seed(seed));
    // Another port than a daemon's, which may run here too.
    let daemon = builder.bind(([0, 0, 0, 0], 6886)).start().await?;
    let (gossip, place) = (daemon.handle(), home.join("seen"));
    let mut arriving = gossip.subscribe(last_time(&place)).await?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    println!("{name} at {}; Ctrl-D leaves", daemon.addr());
    loop {
        tokio::select! {
            Some(received) = arriving.next() => {
                let received = received?;
                println!("{}", line(&received));
                std::fs::write(&place, received.cursor.to_string())?;
            }
            said = lines.next_line() => match said? {
                Some(said) if said.trim().is_empty() => {}
                Some(said) => drop(gossip.add_as(name, said).await?),
                None => break,
            },
        }
    }
    daemon.leave().await?;
    Ok(())
}

/// Two in one process, of whom the second comes late.
async fn demonstrate() -> Result<(), Box<dyn Error>> {
    let start = async |name: &str| {
        let builder = Daemon::builder().network("chat").password("for the demonstration").name(name);
        builder.bind(([127, 0, 0, 1], 0)).in_memory().start().await
    };
    let (early, late) = (start("early").await?, start("late").await?);
    let show = async |gossip: &Handle, count: usize| {
        let mut arriving = gossip.subscribe(Since::All).await?;
        for _ in 0..count {
            let next = tokio::time::timeout(Duration::from_secs(20), arriving.next()).await?;
            println!("{} sees  {}", gossip.network_name(), line(&next.ok_or("it ended")??));
        }
        Ok::<(), Box<dyn Error>>(())
    };
    early.handle().add_as("early", "is anybody here?").await?;
    late.handle().register(early.addr().to_string(), Duration::from_secs(20)).await?;
    show(&late.handle(), 1).await?;
    late.handle().add_as("late", "now there is").await?;
    show(&early.handle(), 2).await?;
    early.leave().await?;
    late.leave().await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    match args.next() {
        Some(name) => chat(&name, args.next()).await,
        None => demonstrate().await,
    }
}
