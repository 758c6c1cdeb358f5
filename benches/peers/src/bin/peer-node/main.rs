//! `peer-node KIND CONFIG NUMBER NODES SEED HOME`: one node of one kind, in a process and a network namespace of its own,
//! told what to do by lines on its standard input. Each line begins with a number, and so does its answer:
//!
//! | line | answer |
//! |---|---|
//! | `add FIRST COUNT SIZE` | `BEGAN ENDED`, when the kind's own call has returned |
//! | `when COUNT MS` | `HELD AT`: when it holds so many, or after that time, how many and when the last one came |
//! | `watch on`, `watch off` | whether `when` has to be exact, where that costs the node something |
//! | `peers` | the numbers of the nodes that it believes to be alive, itself left out |
//!
//! Times are nanoseconds of the machine's monotonic clock, which all nodes share. Before the first line it says `ready`,
//! waits for `go`, sets up its network interface, starts, and says `pid` and the process that is the node.

mod chitchat;
mod foca;
mod held;
#[cfg(feature = "iroh-gossip")]
mod iroh;
mod memberlist;
mod node;
mod ours;
mod reconcile;
mod serf;

use node::{Node, Place, Wrong};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() -> Result<(), Wrong> {
    let said: Vec<String> = std::env::args().skip(1).collect();
    let [kind, config, number, nodes, seed, home] = said.as_slice() else {
        return Err("peer-node KIND best|default NUMBER NODES SEED HOME".into());
    };
    let seed = Some(seed.parse()?).filter(|seed| *seed != 0);
    let (number, nodes, home) = (number.parse()?, nodes.parse()?, home.into());
    let place = Place { number, nodes, seed, best: config == "best", home };

    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    println!("ready");
    if lines.next_line().await?.as_deref() != Some("go") {
        return Ok(());
    }
    for what in [
        "link set lo up".to_owned(),
        format!("addr add {}/24 dev eth0", place.ip()),
        "link set eth0 up".to_owned(),
        "route add default dev eth0".to_owned(),
    ] {
        if !Command::new("ip").args(what.split(' ')).status()?.success() {
            return Err(format!("ip {what}").into());
        }
    }
    let node: Arc<dyn Node> = match kind.as_str() {
        "gossip-node" => Arc::new(ours::Ours::start(&place).await?),
        "embedded" => Arc::new(ours::Embedded::start(&place).await?),
        "chitchat" => Arc::new(chitchat::Chitchat::start(&place).await?),
        "serf" => Arc::new(serf::Serf::start(&place).await?),
        "foca" => Arc::new(foca::Foca::start(&place).await?),
        "memberlist" => Arc::new(memberlist::Memberlist::start(&place).await?),
        "reconcile" => Arc::new(reconcile::Reconcile::start(&place).await?),
        #[cfg(feature = "iroh-gossip")]
        "iroh-gossip" => Arc::new(iroh::Iroh::start(&place).await?),
        _ => return Err(format!("no kind {kind}").into()),
    };
    println!("pid {}", node.pid());
    while let Some(line) = lines.next_line().await? {
        let node = node.clone();
        tokio::spawn(async move {
            let (id, line) = line.split_once(' ').unwrap_or((&line, ""));
            match answer(node.as_ref(), line).await {
                Ok(answer) => println!("{id} {answer}"),
                Err(error) => println!("{id} error {error}"),
            }
        });
    }
    Ok(())
}

async fn answer(node: &dyn Node, line: &str) -> Result<String, Wrong> {
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        ["add", first, count, size] => {
            let (first, count, size) = (first.parse()?, count.parse()?, size.parse()?);
            let began = held::now();
            node.add(first, count, size).await?;
            Ok(format!("{began} {}", held::now()))
        }
        ["when", count, millis] => {
            let patience = Duration::from_millis(millis.parse()?);
            let (held, at) = node.when(count.parse()?, patience).await?;
            Ok(format!("{held} {at}"))
        }
        ["watch", on] => {
            node.watch(on == "on").await?;
            Ok(String::new())
        }
        ["peers"] => {
            let mut alive = node.peers().await?;
            alive.sort_unstable();
            alive.dedup();
            Ok(alive.iter().map(u8::to_string).collect::<Vec<_>>().join(" "))
        }
        _ => Err("what?".into()),
    }
}
