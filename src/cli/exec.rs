//! [`Jobs`]: a command run for each record, with the record as JSON on its standard input. No shell reads any of it. So
//! many run at once and no more: who starts another one waits.

use super::context::Context;
use super::failure::{Exit, Failure};
use crate::api::Gossip;
use crate::client::Client;
use crate::display::{counted, short};
use std::ffi::OsString;
use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Before a command that failed is tried again: at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// Commands under way.
pub struct Jobs {
    job: Arc<Job>,
    most: usize,
    running: JoinSet<Result<bool, Failure>>,
    failed: u64,
    ending: watch::Sender<bool>,
}

/// What all of them have in common.
struct Job {
    command: Vec<OsString>,
    retries: u32,
    context: Context,
    client: Client,
    ending: watch::Receiver<bool>,
}

impl Jobs {
    /// None yet.
    pub fn new(command: Vec<OsString>, most: usize, retries: u32, context: &Context) -> Jobs {
        let (sender, ending) = watch::channel(false);
        let (context, client) = (context.clone(), context.client());
        let job = Arc::new(Job { command, retries, context, client, ending });
        Jobs { job, most, running: JoinSet::new(), failed: 0, ending: sender }
    }

    /// Runs the command for a record, as soon as there is room for it. Fails where it can be run for none.
    pub async fn start(&mut self, gossip: Gossip) -> Result<(), Failure> {
        while self.running.len() >= self.most {
            self.one_done().await?;
        }
        let job = self.job.clone();
        self.running.spawn(async move { job.run(gossip).await });
        Ok(())
    }

    /// Returns when one of them ended, and fails where none can be run; never, if there are none.
    pub async fn done(jobs: &mut Option<Jobs>) -> Result<(), Failure> {
        match jobs {
            Some(jobs) if !jobs.running.is_empty() => jobs.one_done().await,
            _ => std::future::pending().await,
        }
    }

    /// From here on nothing that fails is tried again.
    pub fn give_up(&self) {
        self.ending.send_replace(true);
    }

    /// Waits for those under way. Fails if one failed for good.
    pub async fn finish(mut self) -> Result<(), Failure> {
        while !self.running.is_empty() {
            self.one_done().await?;
        }
        match self.failed {
            0 => Ok(()),
            failed => Err(Failure::new(Exit::No, format!("the command failed for {}", counted(failed, "record")))),
        }
    }

    async fn one_done(&mut self) -> Result<(), Failure> {
        match self.running.join_next().await {
            Some(Ok(done)) => self.failed += u64::from(!done?),
            Some(Err(error)) => return Err(Failure::new(Exit::No, error.to_string())),
            None => (),
        }
        Ok(())
    }
}

impl Job {
    /// Whether it succeeded, be it in the end.
    async fn run(&self, gossip: Gossip) -> Result<bool, Failure> {
        let guid = gossip.head.guid.clone();
        let (mut pause, mut tries) = (PAUSE.0, 0);
        loop {
            let Err(why) = self.once(&gossip).await? else { return Ok(true) };
            tries += 1;
            if tries > self.retries || !self.pause(pause, || self.note(&guid, &format!("{why}; trying again"))).await {
                let tried = counted(u64::from(tries), "try").replace("trys", "tries");
                self.note(&guid, &format!("{why}; given up after {tried}"));
                return Ok(false);
            }
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// Waits, unless all is to end, and says before that it does. Whether to go on then.
    async fn pause(&self, pause: Duration, say: impl FnOnce()) -> bool {
        let mut ending = self.ending.clone();
        if *ending.borrow() {
            return false;
        }
        say();
        tokio::select! {
            () = tokio::time::sleep(pause) => true,
            _ = ending.wait_for(|&ending| ending) => false,
        }
    }

    /// The command once. What makes it fail for every record is a failure of ours; what failed this time is why.
    async fn once(&self, gossip: &Gossip) -> Result<Result<(), String>, Failure> {
        let Some((program, args)) = self.command.split_first() else { return Ok(Ok(())) };
        let input = match self.input(gossip).await {
            Ok(input) => input,
            Err(why) => return Ok(Err(why)),
        };
        let mut command = Command::new(program);
        // In a group of its own, since what is typed to end us (Ctrl-C) is for us: what is under way is to be done.
        command.args(args).process_group(0).stdin(Stdio::piped()).env("GOSSIP_NODE_HOME", self.context.home.dir());
        if let Some(network) = &self.context.network {
            command.env("GOSSIP_NODE_NETWORK", network);
        }
        let mut child = command.spawn().map_err(|error| {
            let failure = Failure::new(Exit::No, format!("cannot run {}", program.display())).why(error.to_string());
            match error.kind() {
                io::ErrorKind::NotFound => {
                    failure.hint("no shell is asked: name a program, and its arguments behind it")
                }
                _ => failure,
            }
        })?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command need not read what it is given.
            let _ = stdin.write_all(&input).await;
        }
        Ok(match child.wait().await {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(status.to_string()),
            Err(error) => Err(error.to_string()),
        })
    }

    /// The record in one line of JSON, with MSG however long it is.
    async fn input(&self, gossip: &Gossip) -> Result<Vec<u8>, String> {
        let mut gossip = gossip.clone();
        if gossip.msg.is_none() {
            let msg = self.client.msg(&gossip.head.guid).await.map_err(|error| error.to_string())?;
            gossip.msg = Some(String::from_utf8_lossy(&msg).into_owned());
        }
        let mut line = serde_json::to_vec(&gossip).expect("plain data becomes JSON");
        line.push(b'\n');
        Ok(line)
    }

    fn note(&self, guid: &str, what: &str) {
        let program = self.command.first().map(|program| program.display().to_string()).unwrap_or_default();
        self.context.note(&format!("{program} for {}: {what}", short(guid)));
    }
}
