//! `gossip-node simulate`: the real core, many times, in one process and in virtual time: what spreading costs, how long
//! it takes, and how soon nodes know who is there. Nothing touches the network or a disk.

mod picture;
mod shown;
mod swarm;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::process::memory;
use crate::config::{parse_duration, show_duration};
use crate::proto::limits::MAX_MSG;
use crate::proto::settings::Timing;
use crate::sim::Link;
use crate::sim::scenario::{self, Plan, Progress, Report, Scenario, WINDOW};
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::time::{Duration, Instant};

/// See what spreading costs and how long it takes, with many nodes in one process.
#[derive(Args, Debug)]
#[command(after_help = "  \
gossip-node simulate --nodes 50 --loss 10%
  gossip-node simulate --scenario crash --nodes 20 --crash 30% --profile fast
  gossip-node simulate --scenario split --nodes 20 --split 10s --json
  gossip-node simulate --swarm --seeds 5

Scenarios:
  spread     records are written at random nodes, one by one
  burst      1,000 records are written at 100 nodes at once
  join       all nodes start within a second and know one address
  idle       nothing happens
  crash      many nodes crash at once, and records go on
  split      the network is split into halves for a while; records are written in both
  churn      one node in a hundred leaves and comes back each minute
  maelstrom  the broadcast workload of Maelstrom: 25 nodes, links of 100 ms

The same seed gives the same run. Without a number here, the scenario's own holds.")]
pub struct Simulate {
    /// What happens
    #[arg(long, value_name = "NAME", value_enum, default_value_t = Scenario::Spread, hide_possible_values = true)]
    scenario: Scenario,
    /// How many nodes [100; maelstrom 25]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=20_000))]
    nodes: Option<u32>,
    /// Which share of datagrams is lost: 0.1 or 10%
    #[arg(long, value_name = "P", default_value = "0", value_parser = share)]
    loss: f64,
    /// How long a datagram takes: 100ms, or 0.2ms..1ms with short times more often [0.2ms..1ms; maelstrom 100ms]
    #[arg(long, value_name = "A..B", value_parser = latency)]
    latency: Option<(Duration, Duration)>,
    /// How many records [40; burst 1000, crash 100]
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    records: Option<u32>,
    /// Bytes of each record's message; its head takes 50 more [150; maelstrom 8]
    #[arg(long, value_name = "B", value_parser = clap::value_parser!(u32).range(1..=MAX_MSG as i64))]
    size: Option<u32>,
    /// Records a second, all nodes together [10; maelstrom 50]
    #[arg(long, value_name = "PER_S", value_parser = rate)]
    rate: Option<f64>,
    /// Which share of the nodes crashes: 0.3 or 30% [30%]
    #[arg(long, value_name = "P", value_parser = share)]
    crash: Option<f64>,
    /// How long the network is split [60s]
    #[arg(long, value_name = "D", value_parser = parse_duration)]
    split: Option<Duration>,
    /// How long idle (in steps of 10s), churn and maelstrom go on [60s; churn 5m, maelstrom 20s]
    #[arg(long = "for", value_name = "D", value_parser = parse_duration)]
    lasting: Option<Duration>,
    /// Draws everything [1; with --swarm any]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// How fast nodes notice a crash
    #[arg(long, value_enum, default_value_t = Profile::Lan)]
    profile: Profile,
    /// Least time between two datagrams of records for one peer [1ms; maelstrom 0s]
    #[arg(long, value_name = "D", value_parser = parse_duration)]
    record_gap: Option<Duration>,
    /// Least time between two datagrams of acknowledgements for one peer [5ms; maelstrom 200ms]
    #[arg(long, value_name = "D", value_parser = parse_duration)]
    heard_gap: Option<Duration>,
    /// How many cores to use, which changes nothing else; with --swarm a seed on each [all]
    #[arg(long, value_name = "J", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Draw the picture in ASCII
    #[arg(long)]
    ascii: bool,
    #[command(flatten)]
    swarm: swarm::Swarm,
}

impl ValueEnum for Scenario {
    fn value_variants<'a>() -> &'a [Scenario] {
        &Scenario::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Profile {
    /// For hosts that may be busy
    Lan,
    /// Knows of a crash sooner, and suspects more
    Fast,
}

/// What a run came to, and what it took.
#[derive(Serialize)]
struct Outcome {
    #[serde(flatten)]
    report: Report,
    /// Seconds that the run took.
    wall_s: f64,
    /// The most memory that the process had, in bytes.
    peak_memory_bytes: Option<u64>,
    /// What of that a node took.
    memory_bytes_a_node: Option<u64>,
}

impl Simulate {
    /// Runs one scenario and shows its figures.
    pub fn run(self, context: &Context) -> Result<(), Failure> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let jobs = self.jobs.map_or_else(cores, usize::from);
        if self.swarm.swarm {
            return self.swarm.run(self.seed, jobs, context);
        }
        let plan = Plan { jobs, ..self.plan()? };
        let bar = ProgressBar::new(1).with_style(style());
        #[expect(
            clippy::disallowed_methods,
            reason = "says how long the simulation took; nothing in it sees this clock"
        )]
        let clock = Instant::now;
        let (begun, before) = (clock(), memory("self", "VmHWM"));
        let report = scenario::run(&plan, &mut |progress: Progress| {
            bar.set_length(u64::try_from(progress.of.as_millis()).unwrap_or(u64::MAX));
            bar.set_position(u64::try_from(progress.passed.as_millis()).unwrap_or(u64::MAX));
            bar.set_message(progress.phase);
        });
        bar.finish_and_clear();
        let peak_memory_bytes = memory("self", "VmHWM");
        let taken = peak_memory_bytes.zip(before).map(|(peak, before)| peak - before);
        let memory_bytes_a_node = taken.map(|bytes| bytes / plan.nodes as u64);
        let wall_s = (clock() - begun).as_secs_f64();
        let outcome = Outcome { report, wall_s, peak_memory_bytes, memory_bytes_a_node };
        if context.json {
            return context.print_json(&outcome);
        }
        context.print(&shown::table(&outcome))?;
        match &outcome.report.delivery {
            Some(delivery) => context.print(&picture::curve(&delivery.curve_ms, self.ascii || !speaks_utf8())),
            None => Ok(()),
        }
    }

    fn plan(&self) -> Result<Plan, Failure> {
        self.check()?;
        let usual = if self.scenario == Scenario::Maelstrom { 25 } else { 100 };
        let mut plan = Plan::new(self.scenario, self.nodes.unwrap_or(usual) as usize);
        if self.profile == Profile::Fast {
            (plan.timing.suspicion, plan.timing.probe_period) = (Timing::FAST.suspicion, Timing::FAST.probe_period);
        }
        if let Some((least, most)) = self.latency {
            plan.link = Link { delay: least, jitter: most - least, brisk: true, ..plan.link };
        }
        plan.link.loss = self.loss;
        plan.seed = self.seed.unwrap_or(plan.seed);
        let set = |to: &mut usize, from: Option<u32>| *to = from.map_or(*to, |number| number as usize);
        set(&mut plan.records, self.records);
        set(&mut plan.size, self.size);
        plan.rate = self.rate.unwrap_or(plan.rate);
        plan.crash = self.crash.unwrap_or(plan.crash);
        plan.split = self.split.unwrap_or(plan.split);
        plan.lasting = self.lasting.unwrap_or(plan.lasting);
        plan.timing.record_gap = self.record_gap.unwrap_or(plan.timing.record_gap);
        plan.timing.heard_gap = self.heard_gap.unwrap_or(plan.timing.heard_gap);
        let crashed = (plan.nodes as f64 * plan.crash).round() as usize;
        if plan.scenario == Scenario::Crash && crashed + 1 >= plan.nodes {
            return Err(Failure::new(Exit::Usage, "too many nodes would crash")
                .why(format!("of {} nodes, fewer than two would be left to notice", plan.nodes))
                .hint("say a lower --crash, or more --nodes"));
        }
        self.lasts(&plan)?;
        Ok(plan)
    }

    /// Whether there is time for what is measured.
    fn lasts(&self, plan: &Plan) -> Result<(), Failure> {
        let short = |why: String, hint| Err(Failure::new(Exit::Usage, "nothing would be measured").why(why).hint(hint));
        match plan.scenario {
            Scenario::Idle if plan.lasting < WINDOW => {
                let window = show_duration(WINDOW);
                short(format!("idle nodes are measured for {window} at a time"), format!("say --for {window} or more"))
            }
            Scenario::Maelstrom if plan.broadcasts() == 0 => {
                let (lasting, rate) = (show_duration(plan.lasting), plan.rate);
                let why = format!("there is no broadcast in {lasting} at {rate} a second");
                short(why, "say a longer --for, or a higher --rate".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// A number that its scenario does not use is a mistake, not a detail.
    fn check(&self) -> Result<(), Failure> {
        let writes = [Scenario::Spread, Scenario::Burst, Scenario::Crash];
        let lasts = [Scenario::Idle, Scenario::Churn, Scenario::Maelstrom];
        let paced = [Scenario::Spread, Scenario::Crash, Scenario::Split, Scenario::Churn, Scenario::Maelstrom];
        let sized = [&paced[..], &[Scenario::Burst]].concat();
        let flags: [(&str, bool, &[Scenario]); 6] = [
            ("--size", self.size.is_some(), &sized),
            ("--records", self.records.is_some(), &writes),
            ("--rate", self.rate.is_some(), &paced),
            ("--crash", self.crash.is_some(), &[Scenario::Crash]),
            ("--split", self.split.is_some(), &[Scenario::Split]),
            ("--for", self.lasting.is_some(), &lasts),
        ];
        for (flag, given, stories) in flags {
            if given && !stories.contains(&self.scenario) {
                let names: Vec<&str> = stories.iter().map(|story| story.name()).collect();
                let scenario = self.scenario.name();
                return Err(Failure::new(Exit::Usage, format!("{flag} has no meaning in the scenario {scenario}"))
                    .why(format!("it is for {}", names.join(", ")))
                    .hint(format!("leave it out, or say --scenario {}", names[0])));
            }
        }
        Ok(())
    }
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{spinner} {msg:32} {bar:32} {elapsed}");
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// `0.1` or `10%`.
fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.trim().strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text.trim(), 1.0),
    };
    match number.trim_end().parse::<f64>().map(|number| number / unit) {
        Ok(share) if (0.0..1.0).contains(&share) => Ok(share),
        _ => Err("say a share from 0 to less than 1, as 0.1 or 10%".into()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.01..=100_000.0).contains(&rate) => Ok(rate),
        _ => Err("say how many records a second, from 0.01 to 100000".into()),
    }
}

/// `100ms`, or `0.2ms..1ms`.
fn latency(text: &str) -> Result<(Duration, Duration), String> {
    let (least, most) = text.split_once("..").unwrap_or((text, text));
    let (least, most) = (parse_duration(least)?, parse_duration(most)?);
    if least > most {
        return Err("the least time comes first, as in 0.2ms..1ms".into());
    }
    if most > Duration::from_secs(10) {
        return Err("links slower than 10s are none".into());
    }
    Ok((least, most))
}

fn speaks_utf8() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(|name| std::env::var(name).ok());
    let locale = locale.into_iter().find(|value| !value.is_empty()).unwrap_or_default().to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::FromArgMatches;

    /// The plan of a command line.
    fn plan(args: &[&str]) -> Result<Plan, String> {
        let command = Simulate::augment_args(clap::Command::new("simulate"));
        let matches =
            command.try_get_matches_from([&["simulate"], args].concat()).map_err(|error| error.to_string())?;
        let simulate = Simulate::from_arg_matches(&matches).map_err(|error| error.to_string())?;
        let plan = simulate.plan().map_err(|failure| format!("{failure:?}"))?;
        // Without jitter there is nothing to be brisk about.
        Ok(Plan { link: Link { brisk: true, ..plan.link }, ..plan })
    }

    #[test]
    fn two_nodes_are_enough_where_none_crashes() {
        assert_eq!(plan(&["--nodes", "2"]).unwrap().nodes, 2);
        assert!(plan(&["--nodes", "2", "--scenario", "crash"]).is_err());
    }

    #[test]
    fn a_run_too_short_for_its_figures_is_refused() {
        for args in [
            &["--scenario", "idle", "--for", "9s"][..],
            &["--scenario", "maelstrom", "--for", "1ms"],
            &["--scenario", "maelstrom", "--rate", "0.01"],
        ] {
            assert!(plan(args).unwrap_err().contains("nothing would be measured"), "{args:?}");
        }
        assert!(plan(&["--scenario", "idle", "--for", "10s"]).is_ok());
    }

    #[test]
    fn the_numbers_in_the_help_are_the_scenarios_own() {
        let command = Simulate::augment_args(clap::Command::new("simulate"));
        let mut compared = 0;
        for arg in command.get_arguments().filter(|arg| !["seeds", "jobs"].contains(&arg.get_id().as_str())) {
            let help = arg.get_help().unwrap_or_default().to_string();
            let Some((_, usual)) = help.strip_suffix(']').and_then(|help| help.rsplit_once('[')) else { continue };
            let (all, some) = usual.split_once("; ").unwrap_or((usual, ""));
            for scenario in Scenario::ALL.map(Scenario::name) {
                let own = some.split(", ").find_map(|own| own.strip_prefix(scenario)).map_or(all, str::trim);
                let flag = format!("--{}", arg.get_long().unwrap());
                let without = plan(&["--scenario", scenario]).unwrap();
                match plan(&["--scenario", scenario, &flag, own]) {
                    Ok(with) => assert_eq!(format!("{with:?}"), format!("{without:?}"), "{scenario} {flag} {own}"),
                    Err(why) => assert!(why.contains("has no meaning"), "{scenario} {flag} {own}: {why}"),
                }
                compared += 1;
            }
        }
        assert_eq!(compared, 11 * Scenario::ALL.len());
    }

    #[test]
    fn a_number_that_does_nothing_is_a_mistake() {
        for args in [
            ["--scenario", "idle", "--size", "8"],
            ["--scenario", "join", "--for", "2h"],
            ["--scenario", "spread", "--crash", "1%"],
        ] {
            assert!(plan(&args).unwrap_err().contains("has no meaning"), "{args:?}");
        }
        for more in [&["--for", "2h"][..], &["--profile", "fast"], &["--record-gap", "1ms"], &["--ascii"]] {
            assert!(plan(&[&["--swarm"], more].concat()).unwrap_err().contains("cannot be used with"), "{more:?}");
        }
    }

    #[test]
    fn shares_and_latencies_are_written_as_people_do() {
        assert_eq!(share("10%"), Ok(0.1));
        assert_eq!(share("0.25"), Ok(0.25));
        for text in ["1", "100%", "-1%", "some", "nan", ""] {
            assert!(share(text).is_err(), "{text}");
        }
        let micros = Duration::from_micros;
        assert_eq!(latency("0.2ms..1ms"), Ok((micros(200), micros(1000))));
        assert_eq!(latency("100ms"), Ok((micros(100_000), micros(100_000))));
        for text in ["1ms..0.2ms", "..", "1ms..", "11s", "fast"] {
            assert!(latency(text).is_err(), "{text}");
        }
    }
}
