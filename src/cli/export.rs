//! `gossip-node export`: records as lines of JSON, the oldest first, a page at a time; in a file all of it or none.

use super::context::{Context, json_line};
use super::failure::{Exit, Failure};
use super::list::time;
use super::progress::Progress;
use super::signals::Signals;
use crate::api::{self, Exported, Gossip, Kind, Order};
use crate::client::{Client, ClientError};
use crate::display::{bytes, counted};
use base64ct::{Base64, Encoding};
use clap::Args;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Records that are asked for at once: no more of them is in memory, and one long MSG.
const PAGE: u64 = 128;

/// Write messages as lines of JSON, to be imported elsewhere.
#[derive(Args, Debug)]
#[command(after_help = "\
Of all networks, or of the one that --network names; the oldest first. A file is there when all is in
it: what stops in between leaves the old one. What arrives meanwhile may be missing.

  gossip-node export --output backup.jsonl
  gossip-node export --since 2026-01-01 --until 2026-02-01 | gzip > january.jsonl.gz
  gossip-node export --json | jq -r .who_name")]
pub struct Export {
    /// Into a file, or - for standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Not older than that: 30m, 2h, 2026-11-22, 2026-11-22T18:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<String>,
    /// Not newer than that
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<String>,
}

/// Where it goes.
enum To<'a> {
    Stdout(&'a Context),
    /// A pipe or a device, which stays what it is.
    Stream(File, PathBuf),
    /// A file beside the one that is wanted, so that it can take its place at once.
    Beside(NamedTempFile, PathBuf),
}

impl Export {
    /// Exports.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let networks = match &context.network {
            Some(network) => vec![network.clone()],
            None => context.client().node().await.map_err(context.explain())?.networks,
        };
        let mut to = match &self.output {
            Some(path) if path != Path::new("-") => To::open(path).map_err(|error| not_written(path, &error))?,
            _ => To::Stdout(context),
        };
        let mut signals = Signals::take()?;
        let progress = context.progress("exported");
        let written = tokio::select! {
            written = self.write_all(context, &networks, &mut to, &progress) => written,
            code = signals.first() => {
                // What was begun in a file is removed before the end.
                drop((to, progress));
                std::process::exit(code.into())
            }
        };
        drop(progress);
        let (count, size) = written?;
        if let To::Beside(file, path) = to {
            let failed = |error: io::Error| not_written(&path, &error);
            file.as_file().sync_all().map_err(failed)?;
            file.persist(&path).map_err(|error| failed(error.error))?;
            context.note(&format!("{} in {}, {}", counted(count, "record"), path.display(), bytes(size)));
        }
        Ok(())
    }

    async fn write_all(
        &self,
        context: &Context,
        networks: &[String],
        to: &mut To<'_>,
        progress: &Progress,
    ) -> Result<(u64, u64), Failure> {
        let (mut count, mut size) = (0, 0);
        for network in networks {
            let client = context.client().in_network(network.clone());
            let mut cursor = None;
            loop {
                let query = api::ListQuery {
                    limit: Some(PAGE),
                    order: Some(Order::Oldest),
                    since: self.since.clone(),
                    until: self.until.clone(),
                    cursor,
                    ..api::ListQuery::default()
                };
                let (page, next) = client.page(query).await.map_err(context.explain())?;
                for gossip in page.into_iter().filter(|gossip| gossip.complete) {
                    // One that left since it was listed is none of what there is.
                    let Some(line) = line(&client, gossip, network, context).await? else { continue };
                    to.write(&line)?;
                    (count, size) = (count + 1, size + line.len() as u64);
                    progress.set(count, size);
                }
                cursor = next;
                if cursor.is_none() {
                    break;
                }
            }
        }
        Ok((count, size))
    }
}

impl To<'_> {
    /// What `path` names: where it is a link, that is what it points to.
    fn open(path: &Path) -> io::Result<To<'static>> {
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Ok(To::Stream(File::options().write(true).open(path)?, path.to_owned()));
        }
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(To::Beside(NamedTempFile::new_in(dir)?, path))
    }

    fn write(&mut self, line: &str) -> Result<(), Failure> {
        let line = line.as_bytes();
        match self {
            To::Stdout(context) => context.print_bytes(line),
            To::Stream(file, path) => file.write_all(line).map_err(|error| not_written(path, &error)),
            To::Beside(file, path) => file.write_all(line).map_err(|error| not_written(path, &error)),
        }
    }
}

/// A record with all of its MSG, if it is there still. A long one is in base64, whose length is known whatever it says.
async fn line(client: &Client, gossip: Gossip, network: &str, context: &Context) -> Result<Option<String>, Failure> {
    let Gossip { head, msg, .. } = gossip;
    // What other kinds say is no text.
    let msg = msg.filter(|_| head.kind == Kind::Message);
    let msg_base64 = match &msg {
        Some(_) => None,
        None => match client.msg(&head.guid).await {
            Ok(msg) => Some(Base64::encode_string(&msg)),
            Err(ClientError::Refused(problem)) if matches!(problem.status, 404 | 410) => return Ok(None),
            Err(error) => return Err(context.explain()(error)),
        },
    };
    let exported = Exported {
        guid: head.guid,
        kind: head.kind,
        date_time: head.date_time,
        origin: head.origin,
        who_name: head.who_name,
        sha2: head.sha2.unwrap_or_default(),
        len: head.len,
        msg,
        msg_base64,
        network_name: Some(network.to_owned()),
    };
    Ok(Some(json_line(&exported)))
}

fn not_written(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Refused, format!("cannot write {}", path.display()))
        .why(error.to_string())
        .hint("name another file with --output, or none for standard output")
}
