//! [`Scenario`]: clusters that are made, and which [`Work`] each of them is put to.

use crate::Wrong;
use crate::cluster::Cluster;
use crate::kind::{Config, Kind};
use crate::report::{Cell, Figure};
use crate::work;
use clap::ValueEnum;
use std::time::Duration;

/// What can be asked for by `--rows`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Work {
    Latency,
    Burst,
    Rate,
    Join,
    Diff,
    Idle,
    Kill,
    Rss,
}

impl Work {
    /// All.
    pub const ALL: [Work; 8] =
        [Work::Latency, Work::Burst, Work::Rate, Work::Join, Work::Diff, Work::Idle, Work::Kill, Work::Rss];
}

/// How long things may take.
pub struct Pace {
    /// Records whose latency is looked at, and for how long that may go on.
    pub samples: (u64, Duration),
    /// How long a record may take before it counts as lost.
    pub lost: Duration,
    /// How long a burst may take: longer than the push/pull of those who mend by that.
    pub burst: Duration,
    /// How long a part of the sustained load may take.
    pub part: Duration,
    /// Records of the largest part.
    pub most: u64,
    /// Records that a late joiner finds, and how long it may take.
    pub joins: &'static [(u64, Duration)],
    /// How long few differences may take.
    pub diff: Duration,
    /// How long idle nodes are watched.
    pub idle: Duration,
    /// How many are killed, and how long that may stay unknown.
    pub kills: (usize, Duration),
    /// Whether there are thirty.
    pub thirty: bool,
}

impl Pace {
    /// At most 20 minutes for all.
    pub const FULL: Pace = Pace {
        samples: (200, Duration::from_secs(8)),
        lost: Duration::from_secs(8),
        burst: Duration::from_secs(18),
        part: Duration::from_secs(8),
        most: 120_000,
        joins: &[
            (1_000, Duration::from_secs(15)),
            (10_000, Duration::from_secs(15)),
            (100_000, Duration::from_secs(25)),
        ],
        diff: Duration::from_secs(18),
        idle: Duration::from_secs(8),
        kills: (3, Duration::from_secs(30)),
        thirty: true,
    };
    /// At most 3 minutes.
    pub const QUICK: Pace = Pace {
        samples: (50, Duration::from_secs(2)),
        lost: Duration::from_secs(2),
        burst: Duration::from_secs(4),
        part: Duration::from_secs(2),
        most: 12_000,
        joins: &[(1_000, Duration::from_secs(3)), (10_000, Duration::from_secs(3))],
        diff: Duration::from_secs(3),
        idle: Duration::from_secs(3),
        kills: (1, Duration::from_secs(10)),
        thirty: false,
    };
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    Three,
    Sustained,
    Ten,
    Thirty,
    Joins,
}

type Figures = Vec<(Figure, Cell)>;

impl Scenario {
    /// All.
    pub const ALL: [Scenario; 5] =
        [Scenario::Three, Scenario::Sustained, Scenario::Ten, Scenario::Thirty, Scenario::Joins];

    /// Said while it runs.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::Three => "three nodes",
            Scenario::Sustained => "three nodes, as much as they take",
            Scenario::Ten => "ten nodes",
            Scenario::Thirty => "thirty nodes",
            Scenario::Joins => "two nodes, one late",
        }
    }

    /// Whether any of that is done here.
    pub fn is_wanted(self, works: &[Work]) -> bool {
        let here: &[Work] = match self {
            Scenario::Three => &[Work::Latency, Work::Burst],
            Scenario::Sustained => &[Work::Rate],
            Scenario::Ten => &[Work::Latency, Work::Idle, Work::Kill, Work::Rss],
            Scenario::Thirty => &[Work::Latency],
            Scenario::Joins => &[Work::Join, Work::Diff, Work::Rss],
        };
        here.iter().any(|work| works.contains(work))
    }

    /// Makes its clusters, and measures.
    pub async fn run(self, kind: Kind, config: Config, pace: &Pace, works: &[Work]) -> Figures {
        if self == Scenario::Thirty && !pace.thirty {
            return Vec::new();
        }
        let mut figures = Vec::new();
        let ran = match self {
            Scenario::Three => three(kind, config, pace, works, &mut figures).await,
            Scenario::Sustained => sustained(kind, config, pace, &mut figures).await,
            Scenario::Ten => ten(kind, config, pace, works, &mut figures).await,
            Scenario::Thirty => thirty(kind, config, pace, &mut figures).await,
            Scenario::Joins => work::joins(kind, config, pace, works, &mut figures).await,
        };
        if let Err(error) = ran {
            eprintln!("          failed: {error}");
        }
        figures
    }
}

async fn three(kind: Kind, config: Config, pace: &Pace, works: &[Work], figures: &mut Figures) -> Result<(), Wrong> {
    let (cluster, met) = Cluster::met(kind, config, 3).await?;
    let mut held = vec![0; 3];
    if works.contains(&Work::Latency) {
        figures.push((Figure::Latency(3), work::latency(&cluster, met, pace, &mut held).await?));
    }
    if works.contains(&Work::Burst) {
        figures.push((Figure::Burst, work::burst(&cluster, pace, &mut held).await?));
    }
    Ok(())
}

async fn sustained(kind: Kind, config: Config, pace: &Pace, figures: &mut Figures) -> Result<(), Wrong> {
    let (cluster, _) = Cluster::met(kind, config, 3).await?;
    figures.push((Figure::Rate, work::rate(&cluster, pace).await?));
    Ok(())
}

async fn ten(kind: Kind, config: Config, pace: &Pace, works: &[Work], figures: &mut Figures) -> Result<(), Wrong> {
    let (cluster, met) = Cluster::met(kind, config, 10).await?;
    let mut held = vec![0; 10];
    if works.contains(&Work::Latency) {
        figures.push((Figure::Latency(10), work::latency(&cluster, met, pace, &mut held).await?));
    }
    if works.contains(&Work::Rss) {
        figures.push((Figure::Rss, Cell::of(&[cluster.resident()])));
    }
    if works.contains(&Work::Idle) {
        let [bytes, processor] = work::idle(&cluster, pace).await?;
        figures.push((Figure::IdleBytes, bytes));
        figures.push((Figure::IdleProcessor, processor));
    }
    if works.contains(&Work::Kill) {
        let cell = if kind.detects() { work::kill(&cluster, pace).await? } else { Cell::says("no detector") };
        figures.push((Figure::Kill, cell));
    }
    Ok(())
}

async fn thirty(kind: Kind, config: Config, pace: &Pace, figures: &mut Figures) -> Result<(), Wrong> {
    let (cluster, met) = Cluster::met(kind, config, 30).await?;
    figures.push((Figure::Latency(30), work::latency(&cluster, met, pace, &mut vec![0; 30]).await?));
    Ok(())
}
