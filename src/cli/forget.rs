//! `gossip-node forget`: a node and what it said go from the whole network. It says first what will go, and asks.

use super::context::{Context, confirm};
use super::failure::Failure;
use crate::api;
use crate::display::{counted, display_line, local_time, short};
use clap::Args;

/// Forget a node in the whole network, with what it said.
#[derive(Args, Debug)]
#[command(after_help = "\
All nodes drop the node's messages up to the newest one that this node holds, and delete them a week
later. Nothing brings them back. A node that lives goes on, and what it says from then on is kept.

  gossip-node forget old-laptop --dry-run
  gossip-node forget old-laptop --yes")]
pub struct Forget {
    /// Its name, its address, or its GUID or the first 4 or more hex digits of it
    #[arg(value_name = "NODE")]
    node: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Only say what would go
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

impl Forget {
    /// Forgets, if that is really wanted.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client();
        let would = client.forget(&self.node, true).await.map_err(context.explain())?;
        if self.dry_run {
            return if context.json {
                context.print_json(&would)
            } else {
                context.print(&format!("{}\n", told(&would)))
            };
        }
        if !self.yes {
            context.can_ask(&format!("for ever goes {}", told(&would)))?;
            context.note(&told(&would));
            confirm("Have all nodes drop that, for ever", "nothing was forgotten")?;
        }
        // The GUID, so that it is the very node that was shown.
        let done = client.forget(&would.origin, false).await.map_err(context.explain())?;
        if context.json {
            return context.print_json(&done);
        }
        context.print(&format!("forgotten: {}\n", told(&done)))
    }
}

fn told(forgotten: &api::Forgotten) -> String {
    let guid = short(&forgotten.origin);
    let node = match forgotten.name.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => format!("{} ({guid})", display_line(name)),
        None => guid.into_owned(),
    };
    match &forgotten.up_to {
        Some(up_to) => {
            format!("node {node} and {} up to {}", counted(forgotten.messages, "message"), local_time(up_to))
        }
        None => format!("node {node}, which said nothing that is here"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_goes() {
        let forgotten = |name: Option<&str>, messages, up_to: Option<&str>| api::Forgotten {
            origin: "43c54ed2-0173-8495-93c7-8a8c49826092".into(),
            name: name.map(Into::into),
            messages,
            up_to: up_to.map(Into::into),
            record: None,
        };
        let text = told(&forgotten(Some("nas\u{1b}[2J"), 2, Some("2026-01-10T12:00:00Z")));
        assert!(text.contains("(43c54ed2) and 2 messages up to 2026-01-1") && !text.contains('\u{1b}'), "{text}");
        assert_eq!(told(&forgotten(None, 0, None)), "node 43c54ed2, which said nothing that is here");
    }
}
