//! `gossip-node create`: a message written in a dialogue, shown once more before it is said, since nothing takes it back.

use super::add::{add, check_who};
use super::context::Context;
use super::failure::{Exit, Failure};
use super::typed::option;
use crate::display::{counted, display_safe};
use clap::Args;

/// Write a message in a dialogue.
#[derive(Args, Debug)]
#[command(after_help = "\
Needs a terminal, and ends with the command that does the same without one.

  gossip-node create")]
pub struct Create {}

impl Create {
    /// Asks who, what, and whether it is meant.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        if !context.is_interactive() {
            return Err(
                Failure::new(Exit::Usage, "create needs a terminal").hint("use: gossip-node add TEXT --who NAME")
            );
        }
        // Asked first, so that nobody writes a message in vain.
        let status = context.client().status_network().await.map_err(context.explain())?;
        let who: String = dialoguer::Input::new()
            .with_prompt("Who says it")
            .default(status.node_name)
            .validate_with(|who: &String| if check_who(who).is_ok() { Ok(()) } else { Err("That is no name") })
            .interact_text()?;
        let text: String = dialoguer::Input::new().with_prompt("Text").interact_text()?;
        let size = counted(text.len() as u64, "byte");
        let preview = format!("\n  {} says in {}, {size}:\n", display_safe(&who), display_safe(&status.network_name));
        context.note(&preview);
        for line in text.lines() {
            context.note(&format!("  | {line}"));
        }
        let sure = dialoguer::Confirm::new().with_prompt("Say it").default(true).interact()?;
        if !sure {
            return Err(Failure::new(Exit::No, "nothing was said"));
        }
        let words = [vec!["add".to_owned()], option("--who", &who), vec!["--".to_owned(), text.clone()]].concat();
        let command = context.command(&words);
        let is_stdin = text == "-";
        add(context, Some(who), text.into_bytes(), None).await?;
        if !is_stdin {
            context.note(&format!("The same without questions:\n  {command}"));
        }
        Ok(())
    }
}
