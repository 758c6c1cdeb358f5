//! `gossip-node config`: what is set, where it comes from, and what the running daemon goes by; and setting single keys.

use super::context::Context;
use super::failure::{Exit, Failure};
use super::init::{misused, told_of_change};
use crate::api::Setting;
use crate::client::ClientError;
use crate::config::{ServerFile, nearest};
use crate::display::{columns, display_line};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;

/// Show and change settings.
#[derive(Args, Debug)]
#[command(after_help = "\
Keys are dotted: timing.probe_timeout.most, networks.0.network_name. What server.json does not say is a
default. Secrets are never shown.

  gossip-node config show --origin
  gossip-node config get gossip_timer
  gossip-node config set gossip_timer 500ms")]
pub struct Config {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print one value, or all below a key
    #[command(after_help = "  gossip-node config get gossip_timer\n  gossip-node config get timing")]
    Get {
        /// Its key
        key: String,
    },
    /// Set one value in server.json
    #[command(after_help = "  gossip-node config set gossip_timer 500ms\n  gossip-node config set seeds '[]'")]
    Set {
        /// Its key
        key: String,
        /// JSON, or else a text
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// List all that can be set
    #[command(after_help = "  gossip-node config show --origin\n  gossip-node config show --json")]
    Show {
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,
    },
}

/// A setting in the file, and in the running daemon.
#[derive(Debug, Serialize)]
struct Shown {
    key: String,
    /// What the file makes of it.
    value: Value,
    /// `default`, `file`, `profile`, `environment` or `runtime`.
    origin: String,
    /// What the running daemon goes by; null if none runs.
    running: Option<Value>,
}

impl Config {
    /// Does it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self.what {
            What::Set { key, value } => set(context, &key, &value).await,
            What::Show { origin } => show(context, &all(context).await?, origin),
            What::Get { key } => get(context, &key, all(context).await?),
        }
    }
}

/// All settings of the file; and of the daemon, if one runs.
async fn all(context: &Context) -> Result<Vec<Shown>, Failure> {
    let loaded = ServerFile::read(&context.home.server_json())?;
    let running: Option<Vec<Setting>> = match context.client().config().await {
        Ok(settings) => Some(settings.values),
        Err(ClientError::NoDaemon { .. } | ClientError::Forbidden { .. }) => None,
        // What the file says is known all the same.
        Err(error) => {
            context.note(&format!("what the daemon goes by is not known: {error}"));
            None
        }
    };
    let of = |key: &str| running.iter().flatten().find(|setting| setting.key == key);
    let mut all: Vec<Shown> = (loaded.file.shown(&loaded.said).into_iter())
        .map(|shown| {
            let running = of(&shown.key);
            let chosen = running.filter(|running| running.origin == "runtime");
            Shown {
                origin: chosen.map_or(shown.origin.to_owned(), |chosen| chosen.origin.clone()),
                running: running.map(|running| running.value.clone()),
                key: shown.key,
                value: shown.value,
            }
        })
        .collect();
    // What the daemon goes by and no file says.
    let others = running.iter().flatten().filter(|setting| !all.iter().any(|shown| shown.key == setting.key));
    let others: Vec<Shown> = others
        .map(|setting| {
            let Setting { key, value, origin, .. } = setting.clone();
            Shown { key, running: Some(value.clone()), value, origin }
        })
        .collect();
    all.extend(others);
    Ok(all)
}

fn get(context: &Context, key: &str, all: Vec<Shown>) -> Result<(), Failure> {
    let below = format!("{key}.");
    let (exact, found): (bool, Vec<&Shown>) = match all.iter().find(|shown| shown.key == key) {
        Some(shown) => (true, vec![shown]),
        None => (false, all.iter().filter(|shown| shown.key.starts_with(&below)).collect()),
    };
    if found.is_empty() {
        let keys: Vec<&str> = all.iter().map(|shown| shown.key.as_str()).collect();
        let hint = match nearest(key, &keys) {
            Some(near) => format!("did you mean {near}?"),
            None => "gossip-node config show lists all keys".into(),
        };
        return Err(Failure::new(Exit::NotFound, format!("there is no key {}", display_line(key))).hint(hint));
    }
    match (exact, context.json) {
        (true, true) => context.print_json(&found[0]),
        (false, true) => context.print_json(&found),
        (true, false) => context.print(&format!("{}\n", plain(&found[0].value))),
        (false, false) => {
            let rows: Vec<Vec<String>> =
                found.iter().map(|shown| vec![shown.key.clone(), plain(&shown.value)]).collect();
            context.print(&columns(&rows))
        }
    }
}

async fn set(context: &Context, key: &str, value: &str) -> Result<(), Failure> {
    let path = context.home.server_json();
    ServerFile::load(&path)?.notes.iter().for_each(|note| context.note(note));
    ServerFile::amend(&path, |file| file.set(key, value).map_err(misused))?;
    let all = all(context).await?;
    let below = format!("{key}.");
    let now: Vec<&Shown> = all.iter().filter(|shown| shown.key == key || shown.key.starts_with(&below)).collect();
    if context.json {
        return context.print_json(&now);
    }
    let lines: String = now.iter().map(|shown| format!("{} is {}\n", shown.key, plain(&shown.value))).collect();
    context.print(if lines.is_empty() { "done\n" } else { &lines })?;
    if now.iter().any(|shown| shown.running.is_some()) {
        told_of_change(context);
    }
    Ok(())
}

fn show(context: &Context, all: &[Shown], origin: bool) -> Result<(), Failure> {
    if context.json {
        return context.print_json(&all);
    }
    let row = |shown: &Shown| {
        let mut row = vec![shown.key.clone(), plain(&shown.value)];
        if origin {
            row.push(shown.origin.clone());
        }
        match &shown.running {
            Some(running) if *running != shown.value => row.push(format!("(running: {})", plain(running))),
            _ => (),
        }
        row
    };
    context.print(&columns(&all.iter().map(row).collect::<Vec<_>>()))
}

/// A text as it is, all else as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => display_line(text).into_owned(),
        other => display_line(&other.to_string()).into_owned(),
    }
}
