//! [`Cluster`]: real `gossip-node run` processes on loopback, with verbs of what one does to them. Nothing here sleeps and
//! hopes: `gossip-node wait` waits, and what it cannot wait for is asked until it is so. Children die with their cluster.

#![allow(dead_code, reason = "each test file uses its own part of it")]

use assert_cmd::Command;
use gossip_node::api;
use gossip_node::client::{Client, ClientError};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_gossip-node");
/// The network that clusters are in.
pub const NETWORK: &str = "test";
/// How long anything may take on a host that is busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// Nodes of a swarm that are made at once.
const MAKERS: usize = 4;

/// The program with an empty environment of ours, killed when it takes too long.
pub fn gossip_node(home: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    for name in ["GOSSIP_NODE_NETWORK", "GOSSIP_NODE_LOG"] {
        command.env_remove(name);
    }
    command.env("GOSSIP_NODE_HOME", home).timeout(PATIENCE);
    command
}

/// Makes a home on loopback whose port the kernel chooses.
pub fn init(home: &Path, network: &str, password: &str) {
    init_with(home, network, password, &["--bind", "127.0.0.1:0"]);
}

/// Makes a home, with what else `init` is to know.
pub fn init_with(home: &Path, network: &str, password: &str, more: &[&str]) {
    let args = ["init", "--network", network, "--password-stdin"];
    let name = home.file_name().unwrap().to_str().unwrap();
    let name = name.get(..20).unwrap_or(name);
    gossip_node(home).args(args).args(["--name", name]).args(more).write_stdin(password).assert().success();
}

/// A daemon and its home.
pub struct Node {
    /// Its home.
    pub home: PathBuf,
    child: Option<Child>,
    /// A process whose network namespace it runs in.
    within: Option<u32>,
    /// What its environment has beside ours.
    pub env: Vec<(String, String)>,
    /// What it said when it was ready.
    pub ready: Value,
}

/// Some daemons.
pub struct Cluster {
    /// They, in the order in which they were added.
    pub nodes: Vec<Node>,
    dir: TempDir,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            if let Some(mut child) = node.child.take() {
                let _ = child.kill();
                let _ = child.wait();
            }
            if std::thread::panicking() {
                let log = std::fs::read_to_string(node.log()).unwrap_or_default();
                eprintln!("--- log of {}\n{log}", node.home.display());
            }
        }
    }
}

impl Node {
    /// Its home, made and configured, at `home`; not running yet.
    pub fn new(home: PathBuf) -> Node {
        Node { home, child: None, within: None, env: Vec::new(), ready: Value::Null }
    }

    /// The same, to run in the network namespace of a process.
    pub fn within(home: PathBuf, pid: u32) -> Node {
        Node { within: Some(pid), ..Node::new(home) }
    }

    /// Runs it, and returns when it says that it is ready.
    pub fn start(&mut self) {
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        let mut command = match self.within {
            None => std::process::Command::new(PROGRAM),
            Some(pid) => {
                let mut command = std::process::Command::new("nsenter");
                command.arg(format!("--net=/proc/{pid}/ns/net")).arg(PROGRAM);
                command
            }
        };
        command.args(["run", "--json", "--home"]).arg(&self.home).env_remove("GOSSIP_NODE_NETWORK");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        self.child = Some(child);
        let log = || std::fs::read_to_string(self.log()).unwrap_or_default();
        self.ready = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not ready: {line:?}\n{}", log()));
    }

    /// Where its standard error goes.
    pub fn log(&self) -> PathBuf {
        self.home.with_extension("log")
    }

    /// Its UDP address.
    pub fn address(&self) -> String {
        self.ready["address"].as_str().unwrap().to_owned()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Ends it as a power cut does.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Sends it a signal by name.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(std::process::Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(&mut self, signal: &str) -> ExitStatus {
        self.signal(signal);
        self.ended()
    }

    /// Waits until it has stopped.
    pub fn ended(&mut self) -> ExitStatus {
        self.child.take().unwrap().wait().unwrap()
    }

    /// Starts it again at the address that it had, so that others find it.
    pub fn start_again(&mut self) {
        let port = self.address().rsplit_once(':').unwrap().1.to_owned();
        gossip_node(&self.home).args(["init", "--set", &format!("port={port}")]).assert().success();
        self.start();
    }

    /// A command about it.
    pub fn command<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = gossip_node(&self.home);
        command.args(args);
        command
    }

    /// What a command that must succeed prints.
    pub fn output<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
        self.command(args).assert().success().get_output().stdout.clone()
    }

    /// The JSON that a command that must succeed prints.
    pub fn json<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Value {
        let args = args.into_iter().chain(["--json"]);
        serde_json::from_slice(&self.output(args)).unwrap()
    }

    /// Says something, and returns its GUID.
    pub fn add(&self, text: &str) -> String {
        let guid = String::from_utf8(self.output(["add", text])).unwrap();
        guid.strip_suffix('\n').unwrap().to_owned()
    }

    /// Says something long, and returns its GUID.
    pub fn add_stdin(&self, bytes: &[u8]) -> String {
        let output = self.command(["add", "-", "--json"]).write_stdin(bytes).assert().success();
        let added: api::Added = serde_json::from_slice(&output.get_output().stdout).unwrap();
        assert_eq!(added.len, bytes.len() as u64);
        added.guid
    }

    /// All GUIDs that it lists.
    pub fn guids(&self) -> Vec<String> {
        let list = String::from_utf8(self.output(["list", "--limit", "0", "--json"])).unwrap();
        list.lines().map(|line| serde_json::from_str::<api::Gossip>(line).unwrap().head.guid).collect()
    }

    /// How many records it holds, and their root.
    pub fn holds(&self) -> (u64, String) {
        let status = self.network();
        (status.gossip_count, status.root)
    }

    /// NETWORK_STATUS.
    pub fn network(&self) -> api::NetworkStatus {
        serde_json::from_value(self.json(["status", "network"])).unwrap()
    }

    /// One of its counters.
    pub fn stat(&self, name: &str) -> u64 {
        self.json(["status", "--limit", "1"])["stats"][name].as_u64().unwrap_or_else(|| panic!("no counter {name}"))
    }

    /// Registers with another node.
    pub fn register(&self, other: &Node) {
        self.output(["register", &other.address(), "--timeout", "30s"]);
    }

    /// Waits until `args` (of `wait`) hold.
    pub fn wait(&self, args: &[&str]) {
        self.output(["wait", "--timeout", "100s"].into_iter().chain(args.iter().copied()));
    }

    /// Typed calls, many at once.
    pub fn client(&self) -> Client {
        Client::new(self.ready["control_socket"].as_str().unwrap().into(), None)
    }

    /// Sends a request as it is; returns the status and the rest of the answer.
    pub fn http(&self, request: &[u8]) -> (u16, String) {
        let mut stream = UnixStream::connect(self.ready["control_socket"].as_str().unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // A server that refuses a body need not read it.
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.unwrap_or_else(|| panic!("no answer: {answer:?}")), answer)
    }
}

impl Cluster {
    /// `count` nodes that run and do not know each other.
    pub fn of_strangers(count: usize) -> Cluster {
        let mut cluster = Cluster { nodes: Vec::new(), dir: TempDir::with_prefix("gn-").unwrap() };
        for _ in 0..count {
            cluster.join();
        }
        cluster
    }

    /// `count` nodes, of which all registered with the first and all reach all others.
    pub fn of(count: usize) -> Cluster {
        let cluster = Cluster::of_strangers(count);
        for node in &cluster.nodes[1..] {
            node.register(&cluster.nodes[0]);
        }
        cluster.wait_all(&["--peers", &(count - 1).to_string()]);
        cluster
    }

    /// `count` nodes that run and all reach all others, made at once: `node` makes one's home, which bears its name.
    pub fn swarm(count: usize, node: impl Fn(usize, PathBuf) -> Node + Sync) -> Cluster {
        let mut cluster = Cluster { nodes: Vec::new(), dir: TempDir::with_prefix("gn-").unwrap() };
        let (dir, node) = (cluster.dir.path(), &node);
        let share = |first: usize| {
            let make = |index: usize| {
                let mut node = node(index, dir.join(format!("n{}", index + 1)));
                node.start();
                node
            };
            (first..count).step_by(MAKERS).map(make).collect::<Vec<Node>>()
        };
        let mut shares: Vec<_> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..MAKERS).map(|first| scope.spawn(move || share(first).into_iter())).collect();
            makers.into_iter().map(|maker| maker.join().unwrap()).collect()
        });
        cluster.nodes = (0..count).map(|index| shares[index % MAKERS].next().unwrap()).collect();
        block_on(async {
            let first = cluster.nodes[0].address();
            for node in &cluster.nodes[1..] {
                node.client().register(&first, Duration::from_secs(60)).await.unwrap();
            }
        });
        cluster.meet();
        cluster
    }

    /// Waits until every node reaches all others.
    pub fn meet(&self) {
        let peers = self.nodes.len() as u64 - 1;
        let query = api::WaitQuery { peers: Some(peers), timeout_ms: 100_000, ..Default::default() };
        block_on(async {
            for node in &self.nodes {
                let waited = node.client().wait(query.clone()).await.unwrap();
                assert!(waited.holds, "{} does not reach all others", node.home.display());
            }
        });
    }

    /// Where homes are.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// One more node that knows nobody.
    pub fn join(&mut self) -> &Node {
        let home = self.dir.path().join(format!("n{}", self.nodes.len() + 1));
        init(&home, NETWORK, "correct horse battery staple");
        self.start(Node::new(home))
    }

    /// One more node whose home is ready.
    pub fn start(&mut self, node: Node) -> &Node {
        self.nodes.push(node);
        let node = self.nodes.last_mut().unwrap();
        node.start();
        node
    }

    /// Waits until `args` (of `wait`) hold on every node.
    pub fn wait_all(&self, args: &[&str]) {
        for node in &self.nodes {
            node.wait(args);
        }
    }

    /// Waits until every node holds `count` records, all the same.
    pub fn agree_on(&self, count: u64) -> String {
        self.wait_all(&["--gossip", &count.to_string(), "--in-sync"]);
        let (held, root) = self.nodes[0].holds();
        assert_eq!(held, count);
        for node in &self.nodes {
            assert_eq!(node.holds(), (count, root.clone()), "{}", node.home.display());
        }
        root
    }

    /// Adds `count` records of `len` bytes through all nodes at once, and returns their GUIDs.
    pub fn add_many(&self, count: usize, len: usize) -> Vec<String> {
        let clients: Vec<Client> = self.nodes.iter().map(Node::client).collect();
        block_on(async {
            let adding = clients.into_iter().enumerate().map(|(node, client)| {
                let share = (node..count).step_by(self.nodes.len());
                tokio::spawn(async move {
                    let mut guids = Vec::new();
                    for number in share {
                        let text = format!("{number:0>len$}");
                        guids.push(client.add(None, text.into()).await?.guid);
                    }
                    Ok::<_, ClientError>(guids)
                })
            });
            let mut guids = Vec::new();
            for added in adding.collect::<Vec<_>>() {
                guids.extend(added.await.unwrap().unwrap());
            }
            guids
        })
    }
}

/// Runs async code of the library.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

/// Asks until it is so.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..2400 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("never: {what}");
}

/// Printable text that does not repeat, the same for the same seed.
pub fn random_text(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b' ' + (state >> 32) as u8 % 95
    };
    std::iter::repeat_with(next).take(len).collect()
}
