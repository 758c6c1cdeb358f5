//! What clusters are put to, and how it is measured.

use crate::cluster::{Cluster, Node, now, pair};
use crate::kind::{Config, Kind};
use crate::report::{Cell, Figure, quantile};
use crate::scenario::{Pace, Work};
use crate::{Wrong, network};
use rand::RngExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// Bytes of a record.
const SIZE: usize = 200;
/// How long questions take to be where they wait.
const ASKED: Duration = Duration::from_millis(5);
/// How long nodes have to say what they know before they count as idle.
const SETTLING: Duration = Duration::from_secs(3);
/// How long two nodes are apart: longer than it takes to give up what was said first.
const APART: Duration = Duration::from_millis(500);

/// How long it takes from the call that adds a record at one node until the last one holds it, one at a time, at all
/// nodes in turn, at moments that no round of theirs can have chosen.
pub async fn latency(cluster: &Cluster, met: bool, pace: &Pace, held: &mut [u64]) -> Result<Cell, Wrong> {
    let (mut took, mut lost) = (Vec::new(), 0);
    cluster.watch(true).await?;
    let (began, mut last) = (Instant::now(), Duration::ZERO);
    for number in 0..pace.samples.0 {
        if began.elapsed() > pace.samples.1 || lost >= 2 {
            break;
        }
        sleep(last.min(Duration::from_millis(500)).mul_f64(rand::rng().random())).await;
        let at = &cluster.nodes[number as usize % cluster.nodes.len()];
        let (began, answers) = add_and_wait(cluster, &[(at.clone(), number, 1)], held, 1, pace.lost).await?;
        let arrived = answers.iter().zip(held.iter()).all(|((now, _), before)| now > before);
        for (before, (now, _)) in held.iter_mut().zip(&answers) {
            *before = *now;
        }
        if arrived {
            let ended = answers.iter().map(|(_, at)| *at).max().unwrap_or_default();
            last = Duration::from_nanos(ended.saturating_sub(began));
            took.push(last.as_secs_f64() * 1000.0);
        } else {
            lost += 1;
        }
    }
    cluster.watch(false).await?;
    took.sort_by(f64::total_cmp);
    let quantiles = [0.5, 0.99, 1.0].map(|part| quantile(&took, part));
    let cell = if took.is_empty() { Cell::default() } else { Cell::of(&quantiles) };
    let mut words = Vec::new();
    if lost > 0 {
        words.push(format!("{lost} of {} lost", took.len() + lost));
    }
    if !met {
        words.push("not all had met after 30 s".into());
    }
    Ok(cell.with(words.join("; ")))
}

/// Adds runs of records (node, first, count) at once, and waits until all hold so many more than before: when the first
/// call began, and what each then holds, since when.
async fn add_and_wait(
    cluster: &Cluster,
    runs: &[(Arc<Node>, u64, u64)],
    held: &[u64],
    more: u64,
    patience: Duration,
) -> Result<(u64, Vec<(u64, u64)>), Wrong> {
    let wanted: Vec<u64> = held.iter().map(|held| held + more).collect();
    let question = |node: &Node| format!("when {} {}", wanted[usize::from(node.number) - 1], patience.as_millis());
    let adding = async {
        sleep(ASKED).await;
        let mut adding = JoinSet::new();
        for (node, first, count) in runs.iter().cloned() {
            adding.spawn(async move { node.add(first, count, SIZE).await });
        }
        let mut began = u64::MAX;
        while let Some(added) = adding.join_next().await {
            began = began.min(added??.0);
        }
        Ok::<u64, Wrong>(began)
    };
    let (began, answers) = tokio::join!(adding, cluster.ask_all(question, patience));
    let answers: Result<Vec<_>, Wrong> = answers?.iter().map(|answer| pair(answer)).collect();
    Ok((began?, answers?))
}

/// A thousand at one node at once.
pub async fn burst(cluster: &Cluster, pace: &Pace, held: &mut [u64]) -> Result<Cell, Wrong> {
    // Stragglers of what came before are not of this.
    sleep(Duration::from_millis(500)).await;
    cluster.watch(true).await?;
    for (held, now) in held.iter_mut().zip(cluster.ask_all(|_| "when 0 0".into(), Duration::ZERO).await?) {
        *held = pair(&now)?.0;
    }
    let runs = [(cluster.nodes[0].clone(), 1_000_000, 1000)];
    let (began, answers) = add_and_wait(cluster, &runs, held, 1000, pace.burst).await?;
    cluster.watch(false).await?;
    let arrived = answers.iter().zip(held.iter()).map(|((now, _), before)| now - before).min().unwrap_or_default();
    let ended = answers.iter().map(|(_, at)| *at).max().unwrap_or_default();
    if arrived < 1000 {
        return Ok(Cell::says(format!("{arrived} of 1,000 after {} s", pace.burst.as_secs())));
    }
    Ok(Cell::of(&[ended.saturating_sub(began) as f64 / 1e9]))
}

/// More and more at all nodes at once, until that takes as long as it may: the rate of the most that came to all whole.
pub async fn rate(cluster: &Cluster, pace: &Pace) -> Result<Cell, Wrong> {
    let (mut held, mut first, mut best, mut words) = (vec![0; cluster.nodes.len()], 0, 0.0, String::new());
    let mut part = 3;
    while part <= pace.most {
        let share = part / cluster.nodes.len() as u64;
        let runs: Vec<_> =
            cluster.nodes.iter().zip(0..).map(|(node, at)| (node.clone(), first + at * share, share)).collect();
        let (began, answers) = add_and_wait(cluster, &runs, &held, part, pace.part).await?;
        let arrived = answers.iter().zip(&held).map(|((now, _), before)| now - before).min().unwrap_or_default();
        let ended = answers.iter().map(|(_, at)| *at).max().unwrap_or_default();
        let took = ended.saturating_sub(began) as f64 / 1e9;
        eprintln!("          {arrived} of {part} in {took:.3} s");
        if arrived < part {
            words = format!("of {part} at once {arrived} came");
            break;
        }
        best = part as f64 / took;
        if took > pace.part.as_secs_f64() / 3.0 {
            break;
        }
        held = answers.iter().map(|(now, _)| *now).collect();
        (first, part) = (first + part, if part < 30_000 { part * 10 } else { part * 2 });
    }
    Ok(if best > 0.0 { Cell::of(&[best]).with(words) } else { Cell::says(words) })
}

/// What nodes send and use that have nothing to say: bytes a second, and of a core in percent.
pub async fn idle(cluster: &Cluster, pace: &Pace) -> Result<[Cell; 2], Wrong> {
    sleep(SETTLING).await;
    let (began, bytes, before) = (Instant::now(), cluster.bytes()?, cluster.processor_time());
    sleep(pace.idle).await;
    let seconds = began.elapsed().as_secs_f64() * cluster.nodes.len() as f64;
    let bytes = cluster.bytes()? - bytes;
    // What a thread used that ended meanwhile is not seen.
    let used = |(thread, ns): (&String, &u64)| ns.saturating_sub(before.get(thread).copied().unwrap_or_default());
    let used: u64 = cluster.processor_time().iter().map(used).sum();
    Ok([Cell::of(&[bytes as f64 / seconds]), Cell::of(&[used as f64 / 1e9 / seconds * 100.0])])
}

/// How long it takes until no node believes any more that a killed one is alive: the median, and the longest.
pub async fn kill(cluster: &Cluster, pace: &Pace) -> Result<Cell, Wrong> {
    let (mut took, mut alive) = (Vec::new(), cluster.nodes.clone());
    for _ in 0..pace.kills.0 {
        let Some(victim) = alive.pop() else { break };
        let began = Instant::now();
        victim.kill();
        let mut known = false;
        while !known && began.elapsed() < pace.kills.1 {
            sleep(Duration::from_millis(40)).await;
            known = true;
            for node in &alive {
                known &= !node.peers().await?.contains(&victim.number);
            }
        }
        if !known {
            return Ok(Cell::says(format!("not in {} s", pace.kills.1.as_secs())));
        }
        took.push(began.elapsed().as_secs_f64());
    }
    took.sort_by(f64::total_cmp);
    Ok(Cell::of(&[quantile(&took, 0.5), quantile(&took, 1.0)]))
}

/// A node that comes when another one holds records already; then the two are cut apart, one says some more, and they
/// meet again.
pub async fn joins(
    kind: Kind,
    config: Config,
    pace: &Pace,
    works: &[Work],
    figures: &mut Vec<(Figure, Cell)>,
) -> Result<(), Wrong> {
    if let Some(why) = kind.keeps_none(config) {
        let joins = pace.joins.iter().map(|(records, _)| Figure::Join(*records));
        let all = joins.chain([Figure::Differences(10), Figure::Differences(100), Figure::RssFull]);
        figures.extend(all.filter(|figure| works.contains(&figure.work())).map(|figure| (figure, Cell::says(why))));
        return Ok(());
    }
    for (records, patience) in pace.joins.iter().copied() {
        let mut cluster = Cluster::new(kind, config, 2)?;
        let first = cluster.start().await?;
        first.add(0, records, SIZE).await?;
        first.when(records, patience).await?;
        let second = cluster.start().await?;
        let (held, at) = second.when(records, patience).await?;
        let whole = held >= records;
        let cell = if whole {
            Cell::of(&[at.saturating_sub(second.began) as f64 / 1e9])
        } else {
            Cell::says(format!("{held} after {} s", patience.as_secs()))
        };
        figures.push((Figure::Join(records), cell));
        if records == 100_000 {
            figures.push((Figure::RssFull, if whole { Cell::of(&[cluster.resident()]) } else { Cell::says("-") }));
        }
        if records == 10_000 && works.contains(&Work::Diff) {
            for (more, differences) in [(0, 10), (10, 100)] {
                let from = records + more;
                let cell = if whole { differ(&cluster, from, differences, pace).await? } else { Cell::says("-") };
                figures.push((Figure::Differences(differences), cell));
            }
        }
        if !whole {
            break;
        }
    }
    Ok(())
}

/// What it costs to mend some differences: bytes in all until they are equal, in kB, and seconds from when they meet.
async fn differ(cluster: &Cluster, records: u64, differences: u64, pace: &Pace) -> Result<Cell, Wrong> {
    let (Some(first), Some(second)) = (cluster.nodes.first(), cluster.nodes.get(1)) else { return Err("two".into()) };
    sleep(SETTLING).await;
    cluster.watch(true).await?;
    network::cut(&second.device).await?;
    first.add(records, differences, SIZE).await?;
    sleep(APART).await;
    let before = cluster.bytes()?;
    let began = now();
    network::mend(&second.device).await?;
    let (held, at) = second.when(records + differences, pace.diff).await?;
    let bytes = cluster.bytes()? - before;
    cluster.watch(false).await?;
    let missing = (records + differences).saturating_sub(held);
    if missing > 0 {
        return Ok(Cell::says(format!("{missing} missing after {} s", pace.diff.as_secs())));
    }
    Ok(Cell::of(&[bytes as f64 / 1000.0, at.saturating_sub(began) as f64 / 1e9]))
}
