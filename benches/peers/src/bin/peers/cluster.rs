//! [`Cluster`]: nodes of one kind, each a `peer-node` in a namespace of its own, and what their processes use.

use crate::kind::{Config, Kind};
use crate::{Wrong, network};
use rustix::time::{ClockId, clock_gettime};
use std::collections::HashMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// How long an answer may take beyond what the question allows.
const PATIENCE: Duration = Duration::from_secs(20);
/// Devices that were made, for their names.
static MADE: AtomicU64 = AtomicU64::new(0);

/// See the module.
pub struct Cluster {
    pub nodes: Vec<Arc<Node>>,
    kind: Kind,
    config: Config,
    /// How many there are to be.
    size: usize,
    place: TempDir,
}

/// One of them.
pub struct Node {
    pub number: u8,
    pub device: String,
    /// The process that is the node.
    pub process: u32,
    /// When it was told to start.
    pub began: u64,
    child: Mutex<Child>,
    input: tokio::sync::Mutex<ChildStdin>,
    waiting: Arc<Mutex<HashMap<u64, oneshot::Sender<String>>>>,
    asked: AtomicU64,
}

impl Cluster {
    /// No nodes yet, of how many there are to be.
    pub fn new(kind: Kind, config: Config, size: usize) -> Result<Cluster, Wrong> {
        let place = tempfile::Builder::new().prefix("peers-").tempdir()?;
        Ok(Cluster { nodes: Vec::new(), kind, config, size, place })
    }

    /// All of them, which know each other; whether they do in time.
    pub async fn met(kind: Kind, config: Config, size: usize) -> Result<(Cluster, bool), Wrong> {
        let mut cluster = Cluster::new(kind, config, size)?;
        cluster.start().await?;
        let mut starting = JoinSet::new();
        for number in 2..=size {
            starting.spawn(Node::start(cluster.command(number), number as u8));
        }
        while let Some(node) = starting.join_next().await {
            cluster.nodes.push(Arc::new(node??));
        }
        cluster.nodes.sort_by_key(|node| node.number);
        let wanted = if kind.is_partial() { 1 } else { size - 1 };
        let began = Instant::now();
        let mut met = false;
        while !met && began.elapsed() < Duration::from_secs(30) {
            sleep(Duration::from_millis(100)).await;
            met = true;
            for node in &cluster.nodes {
                met &= node.peers().await?.len() >= wanted;
            }
        }
        sleep(Duration::from_secs(1)).await;
        Ok((cluster, met))
    }

    /// One node more.
    pub async fn start(&mut self) -> Result<Arc<Node>, Wrong> {
        let number = self.nodes.len() + 1;
        let node = Arc::new(Node::start(self.command(number), number as u8).await?);
        self.nodes.push(node.clone());
        Ok(node)
    }

    fn command(&self, number: usize) -> Command {
        let program = std::env::current_exe().unwrap_or_default().with_file_name("peer-node");
        let mut command = Command::new("unshare");
        command.arg("--net").arg("--").arg(program).args([self.kind.name(), self.config.name()]);
        let seed = if number == 1 { "0" } else { "1" };
        command.args([&number.to_string(), &self.size.to_string(), seed]);
        command.arg(self.place.path().join(number.to_string()));
        command
    }

    /// Asks all at once, and collects what they say.
    pub async fn ask_all(&self, question: impl Fn(&Node) -> String, patience: Duration) -> Result<Vec<String>, Wrong> {
        let mut asking = JoinSet::new();
        for (at, node) in self.nodes.iter().enumerate() {
            let (node, question) = (node.clone(), question(node));
            asking.spawn(async move { (at, node.ask(&question, patience).await) });
        }
        let mut answers = vec![String::new(); self.nodes.len()];
        while let Some(answered) = asking.join_next().await {
            let (at, answer) = answered?;
            answers[at] = answer?;
        }
        Ok(answers)
    }

    /// Whether they have to tell exactly when something came.
    pub async fn watch(&self, on: bool) -> Result<(), Wrong> {
        self.ask_all(|_| if on { "watch on" } else { "watch off" }.into(), Duration::ZERO).await?;
        Ok(())
    }

    /// Bytes that all have sent.
    pub fn bytes(&self) -> Result<u64, Wrong> {
        let devices = network::devices()?;
        Ok(self.nodes.iter().filter_map(|node| devices.get(&node.device)).sum())
    }

    /// Nanoseconds that each thread of them was on a processor.
    pub fn processor_time(&self) -> HashMap<String, u64> {
        self.nodes.iter().flat_map(|node| node.processor_time().unwrap_or_default()).collect()
    }

    /// MiB that one has in memory, on the mean.
    pub fn resident(&self) -> f64 {
        self.nodes.iter().map(|node| node.resident()).sum::<f64>() / self.nodes.len().max(1) as f64
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &self.nodes {
            node.kill();
            let mut child = node.child.lock().unwrap_or_else(|poison| poison.into_inner());
            let _ = child.start_kill();
        }
    }
}

impl Node {
    async fn start(mut command: Command, number: u8) -> Result<Node, Wrong> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let device = format!("v{}", MADE.fetch_add(1, Ordering::Relaxed));
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("no pipes".into());
        };
        let mut lines = BufReader::new(output).lines();
        let ready = lines.next_line().await?;
        if ready.as_deref() != Some("ready") {
            return Err(format!("not ready but {ready:?}").into());
        }
        network::tie(&device, child.id().unwrap_or_default()).await?;
        let began = now();
        input.write_all(b"go\n").await?;
        let said = timeout(Duration::from_secs(60), lines.next_line()).await??.unwrap_or_default();
        let process = said.strip_prefix("pid ").and_then(|pid| pid.parse().ok());
        let process = process.ok_or(format!("it did not start: {said:?}"))?;
        let waiting: Arc<Mutex<HashMap<u64, oneshot::Sender<String>>>> = Arc::default();
        let answered = waiting.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let (id, answer) = line.split_once(' ').unwrap_or((&line, ""));
                let mut waiting = answered.lock().unwrap_or_else(|poison| poison.into_inner());
                if let Some(sender) = id.parse().ok().and_then(|id: u64| waiting.remove(&id)) {
                    let _ = sender.send(answer.to_owned());
                }
            }
            answered.lock().unwrap_or_else(|poison| poison.into_inner()).clear();
        });
        let (child, input, asked) = (Mutex::new(child), input.into(), AtomicU64::new(1));
        Ok(Node { number, device, process, began, child, input, waiting, asked })
    }

    /// What it answers.
    pub async fn ask(&self, question: &str, patience: Duration) -> Result<String, Wrong> {
        let id = self.asked.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(|poison| poison.into_inner()).insert(id, sender);
        self.input.lock().await.write_all(format!("{id} {question}\n").as_bytes()).await?;
        let answer = timeout(patience + PATIENCE, answer).await.map_err(|_| format!("no answer to {question}"))??;
        match answer.strip_prefix("error ") {
            None => Ok(answer),
            Some(error) => Err(format!("{question}: {error}").into()),
        }
    }

    /// Has it say records; when that began, and when its own call had returned.
    pub async fn add(&self, first: u64, count: u64, size: usize) -> Result<(u64, u64), Wrong> {
        pair(&self.ask(&format!("add {first} {count} {size}"), Duration::from_secs(40)).await?)
    }

    /// Waits until it holds so many: how many it does, and when the last one came.
    pub async fn when(&self, count: u64, patience: Duration) -> Result<(u64, u64), Wrong> {
        pair(&self.ask(&format!("when {count} {}", patience.as_millis()), patience).await?)
    }

    /// Whom it believes to be alive.
    pub async fn peers(&self) -> Result<Vec<u8>, Wrong> {
        let answer = self.ask("peers", Duration::ZERO).await?;
        Ok(answer.split_whitespace().filter_map(|number| number.parse().ok()).collect())
    }

    /// SIGKILL.
    pub fn kill(&self) {
        if let Some(process) = i32::try_from(self.process).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
        }
    }

    fn processor_time(&self) -> Result<HashMap<String, u64>, Wrong> {
        let mut all = HashMap::new();
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.process))? {
            let thread = thread?.path();
            // A thread may have ended since.
            let Ok(used) = std::fs::read_to_string(thread.join("schedstat")) else { continue };
            let used = used.split(' ').next().and_then(|used| used.parse().ok()).unwrap_or_default();
            all.insert(thread.to_string_lossy().into_owned(), used);
        }
        Ok(all)
    }

    fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.trim().trim_end_matches("kB").trim().parse::<f64>().unwrap_or_default() / 1024.0
    }
}

/// Two numbers.
pub fn pair(answer: &str) -> Result<(u64, u64), Wrong> {
    let (one, other) = answer.split_once(' ').ok_or(format!("two numbers, not {answer:?}"))?;
    Ok((one.parse()?, other.parse()?))
}

/// Nanoseconds of the machine's monotonic clock.
pub fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
