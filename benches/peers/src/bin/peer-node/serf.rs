//! [`Serf`]: the agent of Debian's package `serf`, told what to do through its RPC (MessagePack over TCP, on the
//! loopback interface of this node's own namespace, whose bytes do not count). A record is a user event.
//!
//! Default: `serf agent` as it is (profile `lan`). Best: `-profile=local`, the one for a fast network. Both join with
//! `-replay`, so that a late joiner is told the events that the other still has.

use crate::held::{Held, text};
use crate::node::{Later, Node, Place, Wrong, addr};
use rmpv::Value;
use std::collections::HashMap;
use std::io::Cursor;
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};

const RPC: &str = "127.0.0.1:7373";

/// See the module.
pub struct Serf {
    agent: Child,
    rpc: Rpc,
    held: Held,
}

impl Serf {
    /// Starts the agent, and joins.
    pub async fn start(place: &Place) -> Result<Serf, Wrong> {
        std::fs::create_dir_all(&place.home)?;
        let mut agent = Command::new("serf");
        agent.arg("agent").arg(format!("-node=node-{}", place.number)).arg(format!("-bind={}", place.addr()));
        if place.best {
            agent.arg("-profile=local");
        }
        let log = std::fs::File::create(place.home.join("said"))?;
        agent.stdin(Stdio::null()).stdout(log).stderr(Stdio::null()).kill_on_drop(true);
        let agent = agent.spawn()?;
        let mut stream = TcpStream::connect(RPC).await;
        for _ in 0..2000 {
            if stream.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            stream = TcpStream::connect(RPC).await;
        }
        let held = Held::new();
        let rpc = Rpc::over(stream?, held.clone()).await?;
        rpc.call("stream", Some(map(&[("Type", "user".into())]))).await?;
        if let Some(seed) = place.seed {
            let existing = Value::Array(vec![addr(seed).to_string().into()]);
            let join = map(&[("Existing", existing), ("Replay", true.into())]);
            for attempt in 0.. {
                match rpc.call("join", Some(join.clone())).await {
                    Ok(_) => break,
                    Err(error) if attempt == 20 => return Err(error),
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        }
        Ok(Serf { agent, rpc, held })
    }
}

impl Node for Serf {
    fn add(&self, first: u64, count: u64, size: usize) -> Later<'_, ()> {
        Box::pin(async move {
            let mut answers = Vec::new();
            for number in first..first + count {
                let payload = Value::Binary(text(number, size).into());
                let event = map(&[("Name", "r".into()), ("Payload", payload), ("Coalesce", false.into())]);
                answers.push(self.rpc.ask("event", Some(event))?);
            }
            for answer in answers {
                answer.await??;
            }
            Ok(())
        })
    }

    fn when(&self, count: u64, patience: Duration) -> Later<'_, (u64, u64)> {
        self.held.when(count, patience)
    }

    fn peers(&self) -> Later<'_, Vec<u8>> {
        Box::pin(async move {
            let body = self.rpc.call("members", None).await?;
            let members = field(&body, "Members").and_then(Value::as_array).cloned().unwrap_or_default();
            let alive = members.iter().filter(|member| {
                let status = field(member, "Status");
                status.is_some_and(|status| bytes(status) == b"alive")
            });
            let number = |member: &Value| {
                let name = String::from_utf8(bytes(field(member, "Name")?).to_vec()).ok()?;
                name.strip_prefix("node-")?.parse::<u8>().ok()
            };
            let own = std::env::args().nth(3).and_then(|number| number.parse().ok());
            Ok(alive.filter_map(number).filter(|number| Some(*number) != own).collect())
        })
    }

    fn pid(&self) -> u32 {
        self.agent.id().unwrap_or_default()
    }
}

type Answer = Result<Value, Wrong>;

/// The agent's RPC: requests with a number each, answers in any order, and events.
struct Rpc {
    requests: mpsc::UnboundedSender<(&'static str, Option<Value>, oneshot::Sender<Answer>)>,
}

impl Rpc {
    async fn over(stream: TcpStream, held: Held) -> Result<Rpc, Wrong> {
        stream.set_nodelay(true)?;
        let (mut read, mut write) = stream.into_split();
        let waiting: std::sync::Arc<Mutex<HashMap<u64, (&'static str, oneshot::Sender<Answer>)>>> = Default::default();
        let (requests, mut asked) = mpsc::unbounded_channel::<(&'static str, Option<Value>, oneshot::Sender<Answer>)>();
        let noted = waiting.clone();
        tokio::spawn(async move {
            let mut next = 1;
            while let Some((command, body, answer)) = asked.recv().await {
                noted.lock().unwrap_or_else(|poison| poison.into_inner()).insert(next, (command, answer));
                if send(&mut write, command, next, body).await.is_err() {
                    return;
                }
                next += 1;
            }
        });
        tokio::spawn(async move {
            let (mut buffer, mut pending) = (Vec::new(), None);
            loop {
                let Ok(1..) = read.read_buf(&mut buffer).await else { return };
                let mut cursor = Cursor::new(buffer.as_slice());
                let mut used = 0;
                while let Ok(value) = rmpv::decode::read_value(&mut cursor) {
                    used = cursor.position() as usize;
                    receive(value, &mut pending, &waiting, &held);
                }
                buffer.drain(..used);
            }
        });
        let rpc = Rpc { requests };
        rpc.call("handshake", Some(map(&[("Version", 1.into())]))).await?;
        Ok(rpc)
    }

    fn ask(&self, command: &'static str, body: Option<Value>) -> Result<oneshot::Receiver<Answer>, Wrong> {
        let (answer, answered) = oneshot::channel();
        self.requests.send((command, body, answer)).map_err(|_| "the agent is gone")?;
        Ok(answered)
    }

    async fn call(&self, command: &'static str, body: Option<Value>) -> Answer {
        self.ask(command, body)?.await?
    }
}

type Waiting = Mutex<HashMap<u64, (&'static str, oneshot::Sender<Answer>)>>;

/// A header with `Seq` and `Error`, or the body that follows one: of an answer that has one, or an event.
fn receive(value: Value, pending: &mut Option<oneshot::Sender<Answer>>, waiting: &Waiting, held: &Held) {
    if let Some(answer) = pending.take() {
        let _ = answer.send(Ok(value));
        return;
    }
    let Some(number) = field(&value, "Seq").and_then(Value::as_u64) else {
        // The body of an event: its header had the number of the stream, whose answer is long given.
        if let Some(payload) = field(&value, "Payload") {
            held.take(bytes(payload));
        }
        return;
    };
    let found = waiting.lock().unwrap_or_else(|poison| poison.into_inner()).remove(&number);
    let Some((command, answer)) = found else { return };
    let error = field(&value, "Error").map(bytes).unwrap_or_default();
    if !error.is_empty() {
        let _ = answer.send(Err(String::from_utf8_lossy(error).into()));
        if command == "join" {
            // A body follows all the same.
            *pending = Some(oneshot::channel().0);
        }
    } else if command == "join" || command == "members" {
        *pending = Some(answer);
    } else {
        let _ = answer.send(Ok(Value::Nil));
    }
}

async fn send(write: &mut OwnedWriteHalf, command: &str, number: u64, body: Option<Value>) -> Result<(), Wrong> {
    let mut all = Vec::new();
    rmpv::encode::write_value(&mut all, &map(&[("Command", command.into()), ("Seq", number.into())]))?;
    if let Some(body) = body {
        rmpv::encode::write_value(&mut all, &body)?;
    }
    Ok(write.write_all(&all).await?)
}

fn map(fields: &[(&str, Value)]) -> Value {
    Value::Map(fields.iter().map(|(name, value)| ((*name).into(), value.clone())).collect())
}

fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_map()?.iter().find(|(key, _)| bytes(key) == name.as_bytes()).map(|(_, value)| value)
}

/// Text or bytes: the agent says both as the same.
fn bytes(value: &Value) -> &[u8] {
    match value {
        Value::String(text) => text.as_bytes(),
        Value::Binary(bytes) => bytes,
        _ => &[],
    }
}
