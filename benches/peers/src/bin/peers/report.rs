//! [`Report`]: the figures of a run, as tables for a page or as lines of JSON in the format of `gossip-node bench`.

use crate::Wrong;
use crate::kind::{Config, Kind};
use crate::scenario::Work;
use serde_json::json;
use std::fmt;
use std::process::Command;
use tokio::time::Instant;

/// A row of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    Latency(usize),
    Burst,
    Rate,
    Join(u64),
    Differences(u64),
    IdleBytes,
    IdleProcessor,
    Kill,
    Rss,
    RssFull,
}

/// What came of it: figures, words, or both.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    values: Vec<f64>,
    says: String,
}

/// One cell of the tables.
pub struct Row {
    pub kind: Kind,
    pub config: Config,
    pub figure: Figure,
    pub cell: Cell,
}

/// See the module.
pub struct Report {
    rows: Vec<Row>,
    began: Instant,
    load: String,
}

impl Figure {
    /// All, as the tables have them.
    const ALL: [Figure; 15] = [
        Figure::Latency(3),
        Figure::Latency(10),
        Figure::Latency(30),
        Figure::Rate,
        Figure::Burst,
        Figure::Join(1_000),
        Figure::Join(10_000),
        Figure::Join(100_000),
        Figure::Differences(10),
        Figure::Differences(100),
        Figure::IdleBytes,
        Figure::IdleProcessor,
        Figure::Kill,
        Figure::Rss,
        Figure::RssFull,
    ];

    /// Its first column.
    pub fn name(self) -> String {
        match self {
            Figure::Latency(nodes) => format!("to all of {nodes}: p50 / p99 / max, ms"),
            Figure::Burst => "1,000 at once at one of 3, s".into(),
            Figure::Rate => "sustained by 3, records/s".into(),
            Figure::Join(records) => format!("late joiner, {} records, s", thousands(records)),
            Figure::Differences(count) => format!("{count} differences in 10,000: kB / s"),
            Figure::IdleBytes => "idle, of 10: bytes/s a node".into(),
            Figure::IdleProcessor => "idle, of 10: % of a core a node".into(),
            Figure::Kill => "SIGKILL known to all of 10: median / max, s".into(),
            Figure::Rss => "memory (RSS) of one of 10, MiB".into(),
            Figure::RssFull => "memory with 100,000 records, MiB".into(),
        }
    }

    /// What each of its values is, and in which unit.
    fn parts(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Figure::Latency(_) => &[("p50", "ms"), ("p99", "ms"), ("max", "ms")],
            Figure::Burst | Figure::Join(_) => &[("", "s")],
            Figure::Rate => &[("", "records/s")],
            Figure::Differences(_) => &[("on the wire", "kB"), ("time", "s")],
            Figure::IdleBytes => &[("", "B/s")],
            Figure::IdleProcessor => &[("", "%")],
            Figure::Kill => &[("median", "s"), ("max", "s")],
            Figure::Rss | Figure::RssFull => &[("", "MiB")],
        }
    }

    /// What it is asked for by.
    pub fn work(self) -> Work {
        match self {
            Figure::Latency(_) => Work::Latency,
            Figure::Burst => Work::Burst,
            Figure::Rate => Work::Rate,
            Figure::Join(_) => Work::Join,
            Figure::Differences(_) => Work::Diff,
            Figure::IdleBytes | Figure::IdleProcessor => Work::Idle,
            Figure::Kill => Work::Kill,
            Figure::Rss | Figure::RssFull => Work::Rss,
        }
    }
}

impl Cell {
    /// Figures.
    pub fn of(values: &[f64]) -> Cell {
        Cell { values: values.to_vec(), says: String::new() }
    }

    /// Words.
    pub fn says(says: impl Into<String>) -> Cell {
        Cell { values: Vec::new(), says: says.into() }
    }

    /// Both.
    pub fn with(self, says: impl Into<String>) -> Cell {
        Cell { says: says.into(), ..self }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<String> = self.values.iter().map(|value| figure(*value)).collect();
        match (values.is_empty(), self.says.is_empty()) {
            (true, _) => f.write_str(&self.says),
            (false, true) => f.write_str(&values.join(" / ")),
            (false, false) => write!(f, "{} ({})", values.join(" / "), self.says),
        }
    }
}

impl Report {
    /// Nothing yet.
    pub fn new() -> Report {
        Report { rows: Vec::new(), began: Instant::now(), load: load() }
    }

    /// Seconds that the run has taken.
    pub fn since(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// One more.
    pub fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    fn cell(&self, kind: Kind, config: Config, figure: Figure) -> Option<&Cell> {
        let of = |row: &&Row| (row.kind, row.config, row.figure) == (kind, config, figure);
        self.rows.iter().find(of).map(|row| &row.cell)
    }

    /// Markdown: a table for each configuration, who took part, and how.
    pub fn print_tables(&self) {
        println!("{}\n", self.machine());
        for config in [Config::Best, Config::Default] {
            let here: Vec<&Row> = self.rows.iter().filter(|row| row.config == config).collect();
            let kinds: Vec<Kind> =
                Kind::ALL.into_iter().filter(|kind| here.iter().any(|row| row.kind == *kind)).collect();
            if kinds.is_empty() {
                continue;
            }
            let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
            println!("| {} configuration | {} |", config.name(), names.join(" | "));
            println!("|{}", "---|".repeat(kinds.len() + 1));
            for figure in Figure::ALL.into_iter().filter(|figure| here.iter().any(|row| row.figure == *figure)) {
                let cell = |kind: &Kind| match self.cell(*kind, config, figure) {
                    Some(cell) => cell.to_string(),
                    None => "-".to_owned(),
                };
                println!("| {} | {} |", figure.name(), kinds.iter().map(cell).collect::<Vec<_>>().join(" | "));
            }
            println!();
        }
        println!("| | version | is | best | default |\n|---|---|---|---|---|");
        for kind in Kind::ALL.into_iter().filter(|kind| self.rows.iter().any(|row| row.kind == *kind)) {
            let (best, default) = (kind.set_up(Config::Best), kind.set_up(Config::Default));
            println!("| {} | {} | {} | {best} | {default} |", kind.name(), kind.version(), kind.is());
        }
        println!(
            "\nRecords of 200 B that hardly compress. Every node is a process in a network namespace of its own, all on one bridge; bytes are those\n\
             of the nodes' interfaces, with Ethernet, IP and UDP headers (of segments that the kernel splits, one for all).\n\
             From the call that adds until the last node holds it; gossip-node's are on disk by then. `-`: not come to."
        );
    }

    /// A line for each value; `probe` is what gossip-node reached in the same run.
    pub fn print_json(&self) -> Result<(), Wrong> {
        eprintln!("{}", self.machine());
        for row in &self.rows {
            let ours = self.cell(Kind::GossipNode, row.config, row.figure);
            for (at, (part, unit)) in row.figure.parts().iter().enumerate() {
                let name = format!("{}{}{part}", row.figure.name(), if part.is_empty() { "" } else { "; " });
                let value = row.cell.values.get(at).copied();
                let probe = ours.and_then(|ours| ours.values.get(at)).copied().filter(|_| row.kind != Kind::GossipNode);
                let ratio = value.zip(probe).and_then(|(value, probe)| (probe > 0.0).then(|| value / probe));
                let ahead =
                    ratio.is_none_or(|ratio| if row.figure == Figure::Rate { ratio <= 1.0 } else { ratio >= 1.0 });
                let line = json!({
                    "peer": row.kind.name(), "config": row.config.name(), "name": name, "value": value, "unit": unit,
                    "probe": probe, "ratio": ratio, "hold": null, "ok": ahead, "says": row.cell.says,
                });
                println!("{}", serde_json::to_string(&line)?);
            }
        }
        Ok(())
    }

    fn machine(&self) -> String {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo");
        let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
        let cpu = cpu.trim_start_matches([' ', '\t', ':']).trim();
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let day = Command::new("date").args(["-u", "+%F"]).output();
        let day = day.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
        format!(
            "{day}: gossip-node at {}; {cores} x {}, Linux {}; load before {}, after {}; {:.0} s",
            std::env::var("COMMIT").unwrap_or_default(),
            if cpu.is_empty() { std::env::consts::ARCH } else { cpu },
            read("/proc/sys/kernel/osrelease").trim(),
            self.load,
            load(),
            self.since(),
        )
    }
}

fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

/// What so large a part of the sorted values does not exceed.
pub fn quantile(sorted: &[f64], part: f64) -> f64 {
    let at = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(at.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or_default()
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap_or("")).collect();
    groups.join(",")
}

/// Three digits that mean something.
fn figure(value: f64) -> String {
    match value.abs() {
        large if large >= 1000.0 => thousands(value.round() as u64),
        some if some >= 100.0 => format!("{value:.0}"),
        some if some >= 10.0 => format!("{value:.1}"),
        one if one >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
