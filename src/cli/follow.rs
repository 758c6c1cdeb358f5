//! `gossip-node follow`: what happens, as it happens: a line a record or event of a peer, or a command run for each
//! record. It outlives restarts of the daemon and goes on where it stood.

use super::context::Context;
use super::exec::Jobs;
use super::failure::{Exit, Failure};
use super::list;
use super::peers::{address, reach};
use super::read::guid_prefix;
use super::signals::Signals;
use crate::api::{Event, Kind, NetworkStatus, PeerEvent, Reach, Reset};
use crate::client::{Client, ClientError, Events};
use crate::display::{counted, display_line, local_time, short};
use clap::Args;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::ffi::OsString;
use std::future::pending;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::oneshot;

/// Between two tries to reach a daemon that went away: at first, and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Show messages and changes of peers as they happen.
#[derive(Args, Debug)]
#[command(after_help = "\
Messages come in the order in which they arrived here, each once, also when the daemon restarts.
Ends with 0 on Ctrl-C and SIGTERM, or after --count messages.

  gossip-node follow
  gossip-node follow --all --json | jq -r '.preview // empty'
  gossip-node follow --after 43c54ed2 --count 1
  gossip-node follow --jobs 4 --exec ./on-message --verbose    # no shell

A command has the message as JSON on its standard input. One that fails is tried again; one that
fails for good is told on standard error, and the exit code is 1.")]
pub struct Follow {
    /// Begin with all messages that are here
    #[arg(long, conflicts_with = "after")]
    all: bool,
    /// Begin with what arrived after this message: a GUID, or the first 6 or more hex digits of one
    #[arg(long, value_name = "GUID", value_parser = guid_prefix)]
    after: Option<String>,
    /// End after N messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// How many commands may run at once; with 1 they run in order
    #[arg(long, value_name = "N", default_value_t = 1, requires = "exec",
        value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// How often a command that failed is tried again, at growing intervals
    #[arg(long, value_name = "N", default_value_t = 3, requires = "exec",
        value_parser = clap::value_parser!(u32).range(..=100))]
    retries: u32,
    /// Run a command for each message, without a shell; takes the rest of the line
    #[arg(long, value_name = "CMD", num_args = 1.., allow_hyphen_values = true)]
    exec: Option<Vec<OsString>>,
}

impl Follow {
    /// Follows until a signal, the count, or the end of who reads.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let mut signals = Signals::take()?;
        let from = if self.all { Some("all".to_owned()) } else { self.after };
        let mut feed = Feed { client: context.client(), context, from, last: None, events: None, gone: false };
        let mut jobs = self.exec.map(|command| Jobs::new(command, self.jobs.into(), self.retries, context));
        let (mut left, mut greeted) = (self.count, false);
        let mut unread = pin!(unread());
        while left != Some(0) {
            let event = tokio::select! {
                event = feed.next() => event?,
                done = Jobs::done(&mut jobs) => {
                    done?;
                    continue;
                }
                _ = signals.first() => break,
                () = &mut unread, if jobs.is_none() => break,
            };
            // Records of other kinds say how the network is kept.
            let is_message = matches!(&event, Event::Gossip(gossip) if gossip.head.kind == Kind::Message);
            match (&mut jobs, event) {
                (Some(jobs), Event::Gossip(gossip)) if is_message => {
                    let started = tokio::select! {
                        started = jobs.start(gossip) => started,
                        _ = signals.first() => break,
                    };
                    started?;
                }
                (_, Event::Snapshot(status)) => greet(context, &status, &mut greeted),
                (None, event @ Event::Reset(_)) if context.json => context.print_json(&event)?,
                (_, Event::Reset(Reset { of, reason, .. })) => {
                    context.note(&format!("reset: not all events of {of} can be told: {reason}"));
                }
                (None, event) => show(context, &event)?,
                (Some(_), _) => (),
            }
            left = left.map(|left| left - u64::from(is_message));
        }
        let Some(jobs) = jobs else { return Ok(()) };
        if left != Some(0) {
            jobs.give_up();
        }
        tokio::select! {
            done = jobs.finish() => done,
            code = signals.first() => Err(Failure::interrupted(code).why("commands that ran go on without us")),
        }
    }
}

/// Returns when nobody reads standard output any more, which a pipe tells; never where it is none.
async fn unread() {
    let (tell, told) = oneshot::channel();
    // Nothing else waits for an error alone; it ends with the process.
    std::thread::spawn(move || {
        let output = std::io::stdout();
        let mut polled = [PollFd::new(&output, PollFlags::empty())];
        while let Ok(0) | Err(Errno::INTR) = poll(&mut polled, None) {}
        if polled[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) {
            let _ = tell.send(());
        }
    });
    if told.await.is_err() {
        pending().await
    }
}

/// Events, over as many connections as it takes.
struct Feed<'a> {
    client: Client,
    context: &'a Context,
    from: Option<String>,
    /// The id of the last event that was handed out.
    last: Option<String>,
    events: Option<Events>,
    /// Whether it was told that the daemon went away.
    gone: bool,
}

impl Feed<'_> {
    /// The next event. A daemon that was never there is a failure; one that went away is waited for. May be dropped
    /// while it waits.
    async fn next(&mut self) -> Result<Event, Failure> {
        let mut pause = RETRY.0;
        loop {
            match self.try_next().await {
                Ok(Some((id, event))) => {
                    if std::mem::take(&mut self.gone) {
                        self.context.note("the daemon is back");
                    }
                    self.last = Some(id);
                    return Ok(event);
                }
                Err(error) if self.last.is_none() || !passes(&error) => return Err(self.context.explain()(error)),
                Ok(None) if self.last.is_none() => {
                    return Err(Failure::new(Exit::NoDaemon, "the daemon is stopping"));
                }
                Ok(None) | Err(_) => self.events = None,
            }
            if !std::mem::replace(&mut self.gone, true) {
                self.context.note("the daemon went away: waiting until it is back");
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY.1);
        }
    }

    async fn try_next(&mut self) -> Result<Option<(String, Event)>, ClientError> {
        if self.events.is_none() {
            self.events = Some(self.client.events(self.from.as_deref(), self.last.as_deref()).await?);
        }
        match &mut self.events {
            Some(events) => events.next().await,
            None => Ok(None),
        }
    }
}

/// Whether an error may pass by itself: that of a daemon that stops, or starts again.
fn passes(error: &ClientError) -> bool {
    match error {
        ClientError::NoDaemon { .. } | ClientError::Broken(_) | ClientError::Silent(_) => true,
        ClientError::Refused(problem) => problem.status == 503,
        ClientError::Forbidden { .. } | ClientError::Garbled(_) => false,
    }
}

/// Says once whom it follows. What is shown is what happens; how all is, `status` shows.
fn greet(context: &Context, status: &NetworkStatus, greeted: &mut bool) {
    if std::mem::replace(greeted, true) {
        return;
    }
    let reachable = status.count(Reach::Reachable);
    let (records, peers) = (counted(status.gossip_count, "record"), counted(reachable, "reachable peer"));
    let (node, network) = (display_line(&status.node_name), display_line(&status.network_name));
    context.note(&format!("following {node} in {network}: {records}, {peers}"));
}

/// A line.
fn show(context: &Context, event: &Event) -> Result<(), Failure> {
    match event {
        event if context.json => context.print_json(event),
        Event::Gossip(gossip) => {
            let cells = list::row(gossip);
            let line: Vec<_> = cells.iter().map(|cell| display_line(cell)).collect();
            context.print(&format!("{}\n", line.join("  ")))
        }
        Event::Peer(peer) => context.print(&peer_line(peer)),
        // It asks for no others.
        _ => Ok(()),
    }
}

fn peer_line(peer: &PeerEvent) -> String {
    let (at, name, guid) = (local_time(&peer.at), display_line(&peer.name), short(&peer.guid));
    let (address, reason) = (address(&peer.ip, peer.port), display_line(&peer.reason));
    format!("{at}  peer {name} ({guid}, {address}) is {}: {reason}\n", reach(peer.reach))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn follow(args: &[&str]) -> Result<(Follow, bool), clap::Error> {
        let cli = Cli::try_parse_from(["gossip-node", "follow"].iter().chain(args))?;
        match cli.command {
            Command::Follow(follow) => Ok((follow, cli.globals.json)),
            _ => unreachable!("follow was asked for"),
        }
    }

    #[test]
    fn a_command_takes_the_rest_of_the_line() {
        let (follow, json) = follow(&["--jobs", "4", "--exec", "sort", "-r", "--json", "--", "-"]).unwrap();
        assert_eq!(follow.exec, Some(["sort", "-r", "--json", "--", "-"].map(OsString::from).into()));
        assert_eq!((follow.jobs, follow.retries, json), (4, 3, false));
    }

    #[test]
    fn what_goes_with_a_command_needs_one() {
        for args in [&["--jobs", "2"][..], &["--retries", "1"], &["--exec"], &["--all", "--after", "43c54ed2"]] {
            assert!(follow(args).is_err(), "{args:?}");
        }
    }

    #[test]
    fn names_of_strangers_do_not_act_on_terminals() {
        let peer = PeerEvent {
            at: "2026-01-10T12:00:00Z".into(),
            guid: "43c54ed2-0173-8495-93c7-8a8c49826092".into(),
            name: "desk\u{1b}[2J\n".into(),
            ip: "192.0.2.21".into(),
            port: 6884,
            network_name: "home".into(),
            reach: Reach::Suspect,
            reason: "it did not answer".into(),
        };
        let line = peer_line(&peer);
        assert!(line.ends_with("(43c54ed2, 192.0.2.21:6884) is suspect: it did not answer\n"), "{line}");
        assert!(!line.contains('\u{1b}') && line.matches('\n').count() == 1);
    }
}
