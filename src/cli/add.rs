//! `gossip-node add`: one message, from an argument or, byte for byte, from standard input. What cannot be a message is
//! refused here, before anything is sent.

use super::context::Context;
use super::failure::{Exit, Failure};
use super::read::held_by;
use crate::api;
use crate::config::{parse_duration, show_duration};
use crate::display::{counted, short};
use crate::proto::gossip::{check_name, name_rule};
use crate::proto::limits::MAX_MSG;
use bytes::Bytes;
use clap::Args;
use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

/// Add a message.
#[derive(Args, Debug)]
#[command(after_help = "\
With --wait the exit code is 0 when so many peers are known to have the message on disk, and 6 when
that is not known in time. Its GUID is printed either way: it is added, and goes on spreading.

  gossip-node add 'The printer works again'
  gossip-node add - --who backup < report.txt
  gossip-node add 'Power is off at noon' --wait all --timeout 10s")]
pub struct Add {
    /// The text, or - for standard input, taken byte for byte
    text: OsString,
    /// Who says it [default: the node's name]
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// Wait until all reachable peers, or N of them, are known to hold it
    #[arg(long, value_name = "all|N", value_parser = holders)]
    wait: Option<String>,
    /// How long to wait for them [default: 30s]
    #[arg(long, value_name = "DURATION", requires = "wait", value_parser = parse_duration)]
    timeout: Option<Duration>,
}

/// What `--wait` takes.
fn holders(text: &str) -> Result<String, String> {
    if text == "all" || text.parse::<u64>().is_ok() {
        Ok(text.into())
    } else {
        Err("say all, or a number of peers".into())
    }
}

impl Add {
    /// Adds it, and prints its GUID once it is on disk.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        if let Some(who) = &self.who {
            check_who(who)?;
        }
        let msg = if self.text == "-" { standard_input()? } else { self.text.into_vec() };
        let timeout = self.timeout.unwrap_or(Duration::from_millis(api::WAIT_MS));
        add(context, self.who, msg, self.wait.map(|wait| (wait, timeout))).await
    }
}

/// Adds `msg` if it can be a message, and prints what the daemon says. `create` does the same.
pub async fn add(
    context: &Context,
    who_name: Option<String>,
    msg: Vec<u8>,
    wait: Option<(String, Duration)>,
) -> Result<(), Failure> {
    check_msg(&msg)?;
    let waiting = wait.as_ref().map(|(wait, timeout)| {
        let many = if wait == "all" { "all reachable peers".into() } else { format!("{wait} peers") };
        context.spinner(format!("waiting until {many} hold it (up to {})", show_duration(*timeout)))
    });
    let created = context.client().create(who_name, Bytes::from(msg), wait.clone()).await;
    drop(waiting);
    let created = created.map_err(context.explain())?;
    if context.json {
        context.print_json(&created)?;
    } else {
        context.print(&format!("{}\n", created.head.guid))?;
    }
    let (Some(held), Some((wait, timeout))) = (created.held_by, wait) else { return Ok(()) };
    if created.waited == Some(false) {
        let timeout = show_duration(timeout);
        let what = match &*wait {
            "all" => format!("the message is not everywhere after {timeout}"),
            wait => format!("fewer than {wait} peers hold the message after {timeout}"),
        };
        return Err(Failure::new(Exit::Timeout, what)
            .why(format!("{} of {} are known to hold it", held.known, counted(held.reachable, "reachable peer")))
            .hint(format!("it is added and goes on spreading: gossip-node read {}", short(&created.head.guid))));
    }
    if !context.json {
        context.note(&format!("held {}", held_by(held)));
    }
    Ok(())
}

/// Refuses a WHO_NAME that no node would take.
pub fn check_who(who: &str) -> Result<(), Failure> {
    if check_name(who) {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, format!("{who:?} is no name")).why(name_rule()))
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
