//! `gossip-node reload`: has the daemon read `server.json` again, and says what came of it.

use super::context::Context;
use super::failure::{Exit, Failure};
use crate::api::{Change, Problem, Reloaded};
use crate::client::ClientError;
use crate::display::{columns, display_line};
use clap::Args;
use serde_json::Value;

/// Have the daemon read server.json again.
#[derive(Args, Debug)]
#[command(after_help = "\
Holds at once: gossip_timer, gossip_max_peer_count, peer_select_type, profile, timing, seeds, http.hosts, log.
All else is named, and holds when the daemon starts again. A file that is no good changes nothing (exit code 78).
SIGHUP and `systemctl reload gossip-node` do the same.

  gossip-node init --set gossip_timer=500ms && gossip-node reload")]
pub struct Reload {}

impl Reload {
    /// Reloads.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let reloaded = context.client().reload().await.map_err(|error| match error {
            error @ ClientError::Refused(Problem { status: 409, .. }) => context.explain()(error).exit(Exit::Config),
            error => context.explain()(error),
        })?;
        if context.json {
            return context.print_json(&reloaded);
        }
        reloaded.notes.iter().for_each(|note| context.note(note));
        context.print(&told(&reloaded))
    }
}

fn told(reloaded: &Reloaded) -> String {
    if reloaded.applied.is_empty() && reloaded.restart.is_empty() {
        return "nothing has changed\n".to_owned();
    }
    let row = |what: &str, Change { key, from, to }: &Change| {
        vec![what.to_owned(), key.clone(), format!("{} -> {}", shown(from), shown(to))]
    };
    let applied = reloaded.applied.iter().map(|change| row("applied", change));
    let restart = reloaded.restart.iter().map(|change| row("needs a restart", change));
    columns(&applied.chain(restart).collect::<Vec<_>>())
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "(not said)".to_owned(),
        Value::String(text) => display_line(text).into_owned(),
        Value::Array(list) if list.is_empty() => "(none)".to_owned(),
        Value::Array(list) => list.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_holds_and_what_waits_are_told_apart() {
        let change = |key: &str, from, to| Change { key: key.into(), from, to };
        let reloaded = Reloaded {
            applied: vec![change("seeds", json!([]), json!(["a:1", "b:2"]))],
            restart: vec![change("port", json!(6884), json!(7000)), change("log", Value::Null, json!("a\u{1b}"))],
            notes: Vec::new(),
        };
        assert_eq!(
            told(&reloaded),
            "  applied          seeds  (none) -> a:1, b:2\n  needs a restart  port   6884 -> 7000\n  needs a restart  log    (not said) -> a\\u{1b}\n"
        );
        assert_eq!(told(&Reloaded { applied: vec![], restart: vec![], ..reloaded }), "nothing has changed\n");
    }
}
