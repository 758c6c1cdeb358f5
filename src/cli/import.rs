//! `gossip-node import`: lines of JSON as `export` writes them, each verified by the daemon. What is here already is known
//! and no harm, so what was interrupted is simply run again.

use super::context::Context;
use super::failure::{Exit, Failure};
use super::lines::{Line, Lines};
use crate::api::{LONGEST_JSON, Outcome};
use crate::client::ClientError;
use crate::display::{counted, display_line};
use bytes::Bytes;
use clap::Args;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

/// Lines and bytes that are sent at once: this, and one line, is all that is in memory.
const LINES: usize = 1024;
const BYTES: usize = 2 << 20;
/// Refused lines that are told one by one.
const TOLD: u64 = 10;

/// Take in messages that were exported elsewhere.
#[derive(Args, Debug)]
#[command(after_help = "\
Each line is verified: a record that was changed is refused, and the exit code is 1. What is here
already is left as it is, so what was interrupted can be run again, or goes on with --skip. What the
network keeps no longer (too old, or of a node that was forgotten) is counted and no harm. A record
goes to the network that it came from, or to the one that --network names.

  gossip-node import backup.jsonl
  gzip -cd january.jsonl.gz | gossip-node import -")]
pub struct Import {
    /// The file, or - for standard input
    file: PathBuf,
    /// Leave out the first N lines
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    skip: u64,
}

/// What came of an import.
#[derive(Debug, Default, Serialize)]
struct Imported {
    /// Records that were not here.
    new: u64,
    /// Records that were.
    known: u64,
    /// Records that the network does not keep any more.
    left: u64,
    /// Lines that are no record, or one that was changed.
    refused: u64,
    /// Lines read, those left out too.
    lines: u64,
}

impl Imported {
    fn refuse(&mut self, line: u64, why: &str, context: &Context) {
        self.refused += 1;
        match self.refused {
            ..=TOLD => context.note(&format!("line {line}: {}", display_line(why))),
            count if count == TOLD + 1 => context.note("..."),
            _ => (),
        }
    }
}

impl Import {
    /// Imports.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let mut lines = open(&self.file)?;
        // Asked first, so that no file is read in vain.
        context.client().node().await.map_err(context.explain())?;
        let (mut imported, progress) = (Imported::default(), context.progress("imported"));
        for _ in 0..self.skip {
            if lines.next()?.is_none() {
                break;
            }
        }
        let mut batch = Batch::default();
        let mut size = 0;
        loop {
            let line = match lines.next()? {
                Some(Line::TooLong) => {
                    let why = format!("it has more than {LONGEST_JSON} bytes, so it is no record");
                    imported.refuse(lines.number, &why, context);
                    continue;
                }
                Some(Line::Whole(line)) => Some(line),
                None => None,
            };
            let network = match (&line, &context.network) {
                (None, _) => None,
                (Some(_), Some(network)) => Some(network.clone()),
                (Some(line), None) => network_of(line),
            };
            let full = batch.bytes.len() >= BYTES || batch.lines.len() >= LINES;
            if line.is_none() || full || network != batch.network {
                self.send(std::mem::take(&mut batch), context, &mut imported).await?;
                progress.set(imported.new + imported.known, size);
            }
            let Some(line) = line else { break };
            size += line.len() as u64;
            (batch.network, imported.lines) = (network, lines.number);
            if !line.trim_ascii().is_empty() {
                batch.lines.push(lines.number);
                batch.bytes.extend_from_slice(&line);
                batch.bytes.push(b'\n');
            }
        }
        drop(progress);
        imported.lines = lines.number;
        self.told(context, &imported)
    }

    async fn send(&self, batch: Batch, context: &Context, imported: &mut Imported) -> Result<(), Failure> {
        if batch.lines.is_empty() {
            return Ok(());
        }
        let client = match batch.network {
            Some(network) => context.client().in_network(network),
            None => context.client(),
        };
        let outcomes = client.import(Bytes::from(batch.bytes)).await.map_err(|error| {
            let elsewhere = matches!(&error, ClientError::Refused(problem) if problem.status == 404);
            let failure = context.explain()(error);
            if elsewhere {
                return failure.hint("take them into a network of this daemon: --network NAME");
            }
            go_on(failure, batch.lines.first().map_or(0, |first| first - 1))
        })?;
        let line_of = |outcome: &Outcome| {
            let at = usize::try_from(outcome.line).ok().and_then(|line| line.checked_sub(1));
            at.and_then(|at| batch.lines.get(at)).copied().unwrap_or(outcome.line)
        };
        for outcome in &outcomes {
            match outcome.status {
                201 => imported.new += 1,
                200 => imported.known += 1,
                410 => imported.left += 1,
                status => {
                    let why = outcome.detail.as_deref().unwrap_or("no reason is given");
                    // It is not the line that is wrong.
                    if status >= 500 {
                        let line = line_of(outcome);
                        let failure = Failure::new(Exit::Refused, format!("line {line} was not taken")).why(why);
                        return Err(go_on(failure, line.saturating_sub(1)));
                    }
                    imported.refuse(line_of(outcome), why, context);
                }
            }
        }
        // A line that is not answered is not here.
        imported.refused += batch.lines.len().saturating_sub(outcomes.len()) as u64;
        Ok(())
    }

    fn told(&self, context: &Context, imported: &Imported) -> Result<(), Failure> {
        let Imported { new, known, left, refused, lines } = imported;
        if context.json {
            context.print_json(imported)?;
        } else {
            let left = if *left > 0 { format!("{left} not kept any more, ") } else { String::new() };
            let lines = counted(*lines, "line");
            context.print(&format!("{new} new, {known} known, {left}{refused} refused of {lines}\n"))?;
        }
        match refused {
            0 => Ok(()),
            _ if context.json => Err(Failure::silent(Exit::No)),
            refused => Err(Failure::new(Exit::No, format!("{} refused", counted(*refused, "line")))
                .why("they are no records, or were changed after they were exported")
                .hint("what is right is here; export the others again where they are whole")),
        }
    }
}

/// Says how to go on where so many lines are done.
fn go_on(failure: Failure, done: u64) -> Failure {
    if done == 0 { failure } else { failure.hint(format!("{done} lines are done: go on with --skip {done}")) }
}

/// Lines for one request.
#[derive(Default)]
struct Batch {
    network: Option<String>,
    bytes: Vec<u8>,
    /// Their numbers in the file.
    lines: Vec<u64>,
}

/// The network that a line says it was in.
fn network_of(line: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        network_name: Option<String>,
    }
    serde_json::from_slice::<Named>(line).ok()?.network_name
}

/// The lines of a file, no longer than the daemon takes them.
fn open(path: &Path) -> Result<Lines, Failure> {
    if path == Path::new("-") {
        return Ok(Lines::of_stdin(LONGEST_JSON));
    }
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| {
        let exit = if error.kind() == io::ErrorKind::NotFound { Exit::NotFound } else { Exit::Refused };
        Failure::new(exit, format!("cannot read {name}"))
            .why(error.to_string())
            .hint("name a file that gossip-node export wrote, or - for standard input")
    })?;
    Ok(Lines::new(Box::new(BufReader::new(file)), name, LONGEST_JSON))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_say_which_network_it_was_in() {
        assert_eq!(network_of(br#"{"guid":"x","network_name":"home"}"#).as_deref(), Some("home"));
        for line in [&b"{}"[..], b"", b"{\"network_name\":null}", b"\xff", b"[1]"] {
            assert_eq!(network_of(line), None);
        }
    }
}
