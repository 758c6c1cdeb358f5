//! `gossip-node simulate --swarm`: seeds of a network in which everything goes wrong, as many at a time as there are cores.

use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure};
use crate::display::columns;
use crate::sim::swarm::{Campaign, Outcome, Progress};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A swarm and its numbers.
#[derive(Args, Debug)]
pub struct Swarm {
    /// Draw everything from seeds: how many nodes, all that goes wrong, and who means harm
    #[arg(long, conflicts_with_all = [
        "scenario", "nodes", "loss", "latency", "records", "size", "rate", "crash", "split", "lasting", "profile",
        "record_gap", "heard_gap", "ascii",
    ])]
    pub swarm: bool,
    /// How many seeds of a swarm, one on each core at a time [40]
    #[arg(long, value_name = "N", requires = "swarm", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    seeds: Option<u64>,
    /// Begin no other seed once so many hours have been simulated
    #[arg(long, value_name = "H", requires = "swarm", value_parser = hours)]
    hours: Option<f64>,
    /// Append a line to this file: commit, seeds, hours, violations
    #[arg(long, value_name = "FILE", requires = "swarm")]
    log: Option<PathBuf>,
    /// What this was built from, for what is printed
    #[arg(long, value_name = "HASH", requires = "swarm", env = "GOSSIP_NODE_COMMIT", hide = true)]
    commit: Option<String>,
}

/// What a swarm came to, and what it took.
#[derive(Serialize)]
struct Account {
    commit: String,
    #[serde(flatten)]
    campaign: Campaign,
    wall_s: f64,
    /// Simulated time over time taken.
    times_real_time: f64,
}

impl Swarm {
    /// Runs the seeds and shows what happened.
    pub fn run(self, seed: Option<u64>, jobs: usize, context: &Context) -> Result<(), Failure> {
        let first = seed.unwrap_or_else(any_seed);
        let seeds = self.seeds.unwrap_or(40);
        let commit = self.commit.unwrap_or_else(|| concat!("v", env!("CARGO_PKG_VERSION")).to_owned());
        // Found out now, not when hours of results are to be written.
        let log = self.log.map(Log::open).transpose()?;
        context.note(&format!("seeds {first} to {}", first.saturating_add(seeds - 1)));
        let bar = ProgressBar::new(seeds).with_style(style());
        #[expect(clippy::disallowed_methods, reason = "says how long the swarm took; nothing in it sees this clock")]
        let clock = Instant::now;
        let begun = clock();
        let campaign = Campaign::run(first, seeds, self.hours.unwrap_or(f64::INFINITY), jobs, &mut |progress| {
            let Progress { seeds, hours, violations } = progress;
            bar.set_position(seeds);
            bar.set_message(format!("{hours:.2} cluster-hours, {violations} violations"));
        });
        bar.finish_and_clear();
        let wall_s = (clock() - begun).as_secs_f64();
        let times_real_time = campaign.cluster_hours * 3600.0 / wall_s;
        let result = Account { commit, campaign, wall_s, times_real_time };
        match context.json {
            true => context.print_json(&result)?,
            false => context.print(&table(&result))?,
        }
        let kept = log.map_or(Ok(()), |log| log.append(&result));
        verdict(&result, context).and(kept)
    }
}

/// Where a line about each swarm goes.
struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    fn open(path: PathBuf) -> Result<Log, Failure> {
        match OpenOptions::new().append(true).create(true).open(&path) {
            Ok(file) => Ok(Log { path, file }),
            Err(error) => Err(unwritable(&path, &error)),
        }
    }

    fn append(mut self, result: &Account) -> Result<(), Failure> {
        let Campaign { first_seed, seeds, cluster_hours, violations, .. } = &result.campaign;
        let failed: Vec<u64> = violations.iter().map(|outcome| outcome.seed).collect();
        let line = serde_json::json!({
            "commit": result.commit, "first_seed": first_seed, "seeds": seeds, "cluster_hours": cluster_hours,
            "wall_s": result.wall_s, "violations": failed,
        });
        writeln!(self.file, "{line}").map_err(|error| unwritable(&self.path, &error))
    }
}

fn unwritable(log: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::No, format!("{} cannot be written", log.display())).why(error.to_string())
}

fn verdict(result: &Account, context: &Context) -> Result<(), Failure> {
    let campaign = &result.campaign;
    for outcome in &campaign.violations {
        context.note(&again(outcome, &result.commit));
    }
    if !campaign.violations.is_empty() {
        let seeds: Vec<String> = campaign.violations.iter().map(|outcome| outcome.seed.to_string()).collect();
        return Err(Failure::new(Exit::No, format!("{} seeds broke something", seeds.len())).why(seeds.join(", ")));
    }
    if !campaign.holds() {
        return Err(Failure::new(Exit::No, "faults were never seen, so nothing is proven against them")
            .why(campaign.never_seen.join(", ")));
    }
    Ok(())
}

/// How to see it again.
fn again(outcome: &Outcome, commit: &str) -> String {
    let Outcome { seed, options, violation, .. } = outcome;
    let what = violation.as_deref().unwrap_or_default();
    let options = serde_json::to_string(options).unwrap_or_default();
    format!("seed {seed}: {what}\n  gossip-node simulate --swarm --seeds 1 --seed {seed}  # {commit} {options}")
}

fn table(result: &Account) -> String {
    let Campaign { first_seed, seeds, cluster_hours, counters, sizes, never_seen, violations } = &result.campaign;
    let row = |what: &str, figure: String| vec![what.to_owned(), figure];
    let mut rows = vec![
        row("seeds", format!("{seeds} from {first_seed} on")),
        row("simulated cluster-hours", format!("{cluster_hours:.2}")),
        row("times real time", format!("{:.0}", result.times_real_time)),
        row("violations", violations.len().to_string()),
    ];
    let sizes: Vec<String> = sizes.iter().map(|(nodes, times)| format!("{nodes}: {times}")).collect();
    rows.push(row("seeds by nodes", sizes.join(", ")));
    rows.extend(counters.iter().map(|(what, times)| row(&what.replace('_', " "), times.to_string())));
    if !never_seen.is_empty() {
        rows.push(row("never seen", never_seen.join(", ").replace('_', " ")));
    }
    columns(&rows)
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{spinner} {pos}/{len} seeds {bar:24} {elapsed} {msg}");
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn hours(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(hours) if hours > 0.0 && hours.is_finite() => Ok(hours),
        _ => Err("say how many hours, as 20 or 0.5".into()),
    }
}

#[expect(clippy::disallowed_methods, reason = "where nobody says which seed, any will do; it is printed")]
fn any_seed() -> u64 {
    u64::from(rand::random::<u32>())
}
