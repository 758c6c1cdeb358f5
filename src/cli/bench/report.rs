//! [`Report`]: the rows of a run: each a figure, what bare means reach in the same run, and what it should hold.

use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure};
use crate::display::table;
use serde::Serialize;
use std::process::Command;
use std::time::Duration;

/// What came of a run.
#[derive(Debug, Default)]
pub struct Report(Vec<Row>);

/// A figure.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    name: String,
    value: f64,
    unit: &'static str,
    /// What bare means reach in the same run, in the same unit; null if nothing bare does this.
    probe: Option<f64>,
    /// The figure in terms of the probe.
    ratio: Option<f64>,
    /// What it should be; null if that is not said.
    hold: Option<String>,
    ok: bool,
}

impl Row {
    /// A figure, which holds nothing yet.
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Row {
        Row { name: name.into(), value, unit, probe: None, ratio: None, hold: None, ok: true }
    }

    /// A time in milliseconds.
    pub fn time(name: impl Into<String>, time: Duration) -> Row {
        Row::new(name, millis(time), "ms")
    }

    /// Beside what bare means reach.
    pub fn beside(self, probe: f64) -> Row {
        let ratio = (probe > 0.0).then(|| self.value / probe);
        Row { probe: Some(probe), ratio, ..self }
    }

    /// Not less than so many times the probe.
    pub fn at_least(self, least: f64) -> Row {
        let ok = self.ratio.is_some_and(|ratio| ratio >= least);
        Row { hold: Some(format!(">= {least} x probe")), ok, ..self }
    }

    /// Not more than so many times the probe.
    pub fn at_most(self, most: f64) -> Row {
        let ok = self.ratio.is_some_and(|ratio| ratio <= most);
        Row { hold: Some(format!("<= {most} x probe")), ok, ..self }
    }

    /// Itself not less than that.
    pub fn not_below(self, least: f64) -> Row {
        Row { hold: Some(format!(">= {least} {}", self.unit)), ok: self.value >= least, ..self }
    }

    /// Itself not more than that.
    pub fn not_above(self, most: f64) -> Row {
        Row { hold: Some(format!("<= {most} {}", self.unit)), ok: self.value <= most, ..self }
    }
}

/// A time in milliseconds.
pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

impl Report {
    /// One row more.
    pub fn add(&mut self, row: Row) {
        self.0.push(row);
    }

    /// Shows it; fails if a row does not hold.
    pub fn show(&self, context: &Context) -> Result<(), Failure> {
        if context.json {
            context.note(&machine());
            self.0.iter().try_for_each(|row| context.print_json(row))?;
        } else {
            let rows = self.0.iter().map(|row| {
                let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
                vec![
                    row.name.clone(),
                    format!("{} {}", figure(row.value), row.unit),
                    or_none(row.probe.map(figure)),
                    or_none(row.ratio.map(figure)),
                    or_none(row.hold.clone()),
                    if row.hold.is_none() {
                        ""
                    } else if row.ok {
                        "ok"
                    } else {
                        "NO"
                    }
                    .to_owned(),
                ]
            });
            let heading = ["WHAT", "FIGURE", "PROBE", "RATIO", "HOLDS", ""];
            context.print(&format!("{}\n\n{}", machine(), table(&heading, rows)))?;
        }
        let wrong: Vec<&str> = self.0.iter().filter(|row| !row.ok).map(|row| row.name.as_str()).collect();
        match wrong[..] {
            [] => Ok(()),
            _ if context.json => Err(Failure::silent(Exit::No)),
            _ => Err(Failure::new(Exit::No, format!("not as it should be: {}", wrong.join(", ")))
                .hint("is something else busy on this machine? Run it again, and compare ratios")),
        }
    }
}

/// Four digits that mean something.
fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        large if large >= 1000.0 => 0,
        some if some >= 10.0 => 1,
        one if one >= 0.1 => 3,
        _ => 5,
    };
    format!("{value:.decimals$}")
}

/// What was measured, and on what.
fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cpu = cpu.trim_start_matches([' ', '\t', ':']).trim();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let (release, load) = (read("/proc/sys/kernel/osrelease"), read("/proc/loadavg"));
    let build = if cfg!(debug_assertions) { ", not optimized" } else { "" };
    format!(
        "gossip-node {}{}{build}; {cores} x {}, {} {}, load {}",
        env!("CARGO_PKG_VERSION"),
        commit().map(|commit| format!(" ({commit})")).unwrap_or_default(),
        if cpu.is_empty() { std::env::consts::ARCH } else { cpu },
        std::env::consts::OS,
        release.trim(),
        load.split(' ').next().unwrap_or_default(),
    )
}

/// What the program was built from: said when it was built or, while it lies in its repository, what that is at.
fn commit() -> Option<String> {
    if let Some(commit) = option_env!("GOSSIP_NODE_COMMIT") {
        return Some(commit.to_owned());
    }
    let program = std::env::current_exe().ok()?;
    let output =
        Command::new("git").current_dir(program.parent()?).args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    let commit = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| commit.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_holds_what_it_should_or_says_so() {
        let fast = Row::new("a", 80.0, "records/s").beside(100.0);
        assert!(fast.clone().at_least(0.7).ok && !fast.clone().at_least(0.9).ok);
        assert!(fast.clone().at_most(0.9).ok && !fast.at_most(0.7).ok);
        let slow = Row::new("b", 6.0, "ms");
        assert!(!slow.clone().not_above(5.0).ok && slow.clone().not_below(5.0).ok);
        // What cannot be compared does not hold.
        assert!(!slow.clone().at_least(0.1).ok && !slow.beside(0.0).at_most(9.0).ok);
    }

    #[test]
    fn figures_have_digits_that_mean_something() {
        for (value, shown) in [(12_345.6, "12346"), (12.34, "12.3"), (0.8765, "0.876"), (0.00123, "0.00123")] {
            assert_eq!(figure(value), shown);
        }
    }
}
