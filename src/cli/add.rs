//! `gossip-node add`: one message, from an argument or, byte for byte, from standard input. What cannot be a message is
//! refused here, before anything is sent.

use super::context::Context;
use super::failure::{Exit, Failure};
use crate::proto::gossip::check_name;
use crate::proto::limits::{MAX_MSG, MAX_NAME};
use bytes::Bytes;
use clap::Args;
use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;

/// Add a message.
#[derive(Args, Debug)]
#[command(after_help = "  gossip-node add 'The printer works again'\n  gossip-node add - --who backup < report.txt")]
pub struct Add {
    /// The text, or - for standard input, taken byte for byte
    text: OsString,
    /// Who says it [default: the node's name]
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
}

impl Add {
    /// Adds it, and prints its GUID once it is on disk.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        if let Some(who) = &self.who {
            check_who(who)?;
        }
        let msg = if self.text == "-" { standard_input()? } else { self.text.into_vec() };
        add(context, self.who, msg).await
    }
}

/// Adds `msg` if it can be a message, and prints what the daemon says. `create` does the same.
pub async fn add(context: &Context, who_name: Option<String>, msg: Vec<u8>) -> Result<(), Failure> {
    check_msg(&msg)?;
    let added = context.client().add(who_name, Bytes::from(msg)).await.map_err(context.explain())?;
    if context.json { context.print_json(&added) } else { context.print(&format!("{}\n", added.guid)) }
}

/// Refuses a WHO_NAME that no node would take.
pub fn check_who(who: &str) -> Result<(), Failure> {
    if check_name(who) {
        return Ok(());
    }
    Err(Failure::new(Exit::Refused, format!("{who:?} is no name")).why(format!(
        "a name has 1 to {MAX_NAME} bytes, not only spaces, without control, bidirectional or invisible characters"
    )))
}

fn check_msg(msg: &[u8]) -> Result<(), Failure> {
    if msg.is_empty() {
        return Err(Failure::new(Exit::Refused, "the message is empty"));
    }
    if msg.len() > MAX_MSG {
        return Err(Failure::new(Exit::Refused, "the message is too long")
            .why(format!("it has more than {MAX_MSG} bytes (16 MiB)"))
            .hint("split it, or say where the long text can be had"));
    }
    match std::str::from_utf8(msg) {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::new(Exit::Refused, "the message is not UTF-8 text")
            .why(format!("byte {} is no part of any character", error.valid_up_to()))
            .hint("encode what is no text, for example: base64 FILE | gossip-node add -")),
    }
}

/// No more than can be a message, and one byte, so that an endless input ends here.
fn standard_input() -> Result<Vec<u8>, Failure> {
    let mut msg = Vec::new();
    match std::io::stdin().lock().take(MAX_MSG as u64 + 1).read_to_end(&mut msg) {
        Ok(_) => Ok(msg),
        Err(error) => Err(Failure::new(Exit::No, "cannot read standard input").why(error.to_string())),
    }
}
