//! What must hold of any bytes that come from outside. Each property takes bytes and panics where it does not hold:
//! `tests/properties.rs` gives it random ones, and those kept in `fuzz/corpus`; `fuzz/` searches for worse.

use bytes::{Bytes, BytesMut};
use gossip_node::api;
use gossip_node::config::ServerFile;
use gossip_node::proto::decree::Decree;
use gossip_node::proto::gossip::{Gossip, Guid, Kind};
use gossip_node::proto::limits::{HEADER, MAX_DATAGRAM, TAG};
use gossip_node::proto::ring::Range;
use gossip_node::proto::seal::{Header, NetworkKey, Secret};
use gossip_node::proto::time::Timestamp;
use gossip_node::proto::wire::{HeadTold, List, Message, Pushed, Record, Rumor, Tell};
use gossip_node::sim::insider::Insider;
use gossip_node::sim::{Network, Reads};
use gossip_node::store::Store;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

static KEY: LazyLock<NetworkKey> = LazyLock::new(|| NetworkKey::new(&Secret([8; 32])));

/// Bytes as they come are opened by nobody. The same as the body of a kind, well sealed: what is decoded encodes to the
/// very same bytes.
pub fn datagram(bytes: &[u8]) {
    assert!(KEY.open(bytes).is_err(), "opened what nobody sealed");
    let Some((&kind, body)) = bytes.split_first() else { return };
    let header = Header { kind: kind % 17, src_session: 1, dst_session: 2, counter: 3 };
    let mut sealed = BytesMut::new();
    KEY.seal(&header, &mut sealed, |out| out.extend_from_slice(body));
    let opened = KEY.open(&sealed);
    assert_eq!(opened.is_ok(), body.len() + HEADER + TAG <= MAX_DATAGRAM);
    let Some(message) = opened.ok().and_then(|verified| Message::decode(&verified).ok()) else { return };
    let mut again = BytesMut::new();
    message.encode(&mut again);
    assert_eq!((message.kind(), &again[..]), (header.kind, body), "two encodings of {message:?}");
}

/// Reads what to do from bytes; where they end there are zeros.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    fn short(&mut self) -> usize {
        usize::from(self.byte()) << 8 | usize::from(self.byte())
    }

    /// Much costs much, to hash or to let pass, and shows no more each time.
    fn seldom_much(&mut self) -> usize {
        let much = self.short();
        if much.is_multiple_of(16) { much } else { much >> 6 }
    }

    fn take(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn chunk(&mut self) -> &'a [u8] {
        let len = self.short() % 1425;
        self.take(len)
    }
}

/// Steps of one sequence at most.
const STEPS: usize = 64;
/// All invariants are checked after so many steps of the node, and at the end; the cheap ones after each.
const THOROUGH: u64 = 64;
/// Messages of the node that are kept to be sent back.
const HEARD: usize = 64;

/// Members of the network say whatever they like to a node, in any order, while time passes, disks fail and the node
/// restarts: its invariants hold, and what it sends decodes.
pub fn sequence(bytes: &[u8]) {
    let mut input = Input(bytes);
    let mut net = Network::new(1);
    net.thorough = THOROUGH;
    let node = net.add();
    let mut insiders: Vec<Insider> = (1..=2).map(|n| Insider::met(&mut net, node, n)).collect();
    let mut heard = Vec::new();
    for _ in 0..STEPS {
        if input.0.is_empty() {
            break;
        }
        let (what, who) = (input.byte(), usize::from(input.byte()) % insiders.len());
        let insider = &mut insiders[who];
        match what % 16 {
            0..=3 => drop(insider.tell_bytes(&mut net, input.byte() % 17, input.chunk())),
            4 | 5 => say_back(&mut net, insider, &heard, &mut input),
            6 => {
                let messages = insider.hear(&mut net).into_iter().map(|(_, message)| message);
                heard.extend(messages);
                heard.drain(..heard.len().saturating_sub(HEARD));
            }
            7 | 8 => true_record(&mut net, insider, &mut input),
            9 => net.run(Duration::from_millis(input.seldom_much() as u64)),
            10 if net.is_running(node) => drop(net.create(node, vec![b'x'; 1 + input.seldom_much() * 2])),
            11 => {
                net.crash(node);
                net.start(node);
            }
            12 => {
                let state = input.byte();
                net.disk(node).full = state & 1 == 1;
                net.disk(node).reads =
                    [Reads::Sound, Reads::Never, Reads::Gone, Reads::Wrong][usize::from(state / 2 % 4)];
            }
            13 => net.set_clock(node, (input.short() as i64 - 32_768) * 3_600_000_000 * 24),
            14 => drop(net.inject(node, insider.addr, input.chunk())),
            _ => {
                insider.epoch += 1;
                drop(insider.register(&mut net));
            }
        }
    }
    net.run(Duration::from_secs(1));
    net.node(node).check();
}

/// Something that the node said comes back, a little changed: what it knows of is named in it.
fn say_back(net: &mut Network, insider: &mut Insider, heard: &[Message], input: &mut Input<'_>) {
    let Some(message) = heard.get(usize::from(input.byte()) % heard.len().max(1)) else { return };
    let mut body = BytesMut::new();
    message.encode(&mut body);
    for _ in 0..input.byte() % 4 {
        let (at, to) = (input.short(), input.byte());
        if let Some(len) = body.len().checked_sub(1) {
            body[at % (len + 1)] = to;
        }
    }
    let other = input.byte();
    let kind = if other.is_multiple_of(4) { other / 4 % 17 } else { message.kind() };
    let _ = insider.tell_bytes(net, kind, &body);
}

/// A record, or the head of a long one, that is what its name says.
fn true_record(net: &mut Network, insider: &mut Insider, input: &mut Input<'_>) {
    let (kind, at) = (input.byte(), Timestamp((input.short() as u64 * u64::from(input.byte())) << (input.byte() % 48)));
    let kind = [Kind::Message, Kind::Forget, Kind::Settings][usize::from(kind % 3)];
    let (long, len) = (input.byte() % 2 == 1, input.byte());
    let msg = String::from_utf8_lossy(input.take(usize::from(len))).into_owned();
    let msg = if long { msg.repeat(400) } else { msg };
    let Ok(gossip) = Gossip::make(kind, at, insider.guid, "mallory", msg.into()) else { return };
    net.admit(gossip.guid());
    let range = Range { from: input.short() as u64, to: (input.short() as u64) << 48 };
    let record = Record::of(gossip.guid(), gossip.head(), gossip.msg().clone());
    let message = match (long, range.from % 2) {
        (true, 0) => Message::Tell(Tell {
            heads: List::new(vec![HeadTold::of(gossip.guid(), gossip.head())]),
            ..Tell::default()
        }),
        (true, _) => {
            let what = HeadTold::of(gossip.guid(), gossip.head());
            Message::Rumor(Rumor { heads: List::new(vec![Pushed { range, hops: 1, what }]), ..Rumor::default() })
        }
        (false, 0) => Message::Tell(Tell { records: List::new(vec![record]), ..Tell::default() }),
        (false, _) => {
            let records = List::new(vec![Pushed { range, hops: 1, what: record }]);
            Message::Rumor(Rumor { records, ..Rumor::default() })
        }
    };
    let _ = insider.tell(net, &message);
}

/// What is accepted as a `server.json` is written as the same.
pub fn server_json(bytes: &[u8]) {
    let Ok(file) = serde_json::from_slice::<ServerFile>(bytes) else { return };
    if file.check().is_ok() {
        let text = serde_json::to_string(&file).expect("what was read can be written");
        let again: ServerFile = serde_json::from_str(&text).expect("what was written can be read");
        assert!(again.check().is_ok() && again == file, "{text}");
    }
}

fn as_body<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Option<T> {
    let body: T = serde_json::from_slice(bytes).ok()?;
    let text = serde_json::to_string(&body).expect("what was read can be written");
    let again: T = serde_json::from_str(&text).expect("what was written can be read");
    assert_eq!(serde_json::to_string(&again).expect("it was before"), text);
    Some(body)
}

/// Bodies of requests: what is accepted is written as the same, and becomes a record or an error.
pub fn http_body(bytes: &[u8]) {
    let new = as_body::<api::NewGossip>(bytes);
    if let Some(new) = new {
        let msg = Bytes::from(new.msg.clone().into_bytes());
        if let Ok(gossip) = Gossip::make(Kind::Message, Timestamp(1), Guid([1; 16]), "dove", msg) {
            assert_eq!(gossip.msg().as_ref(), new.msg.as_bytes());
        }
    }
    let _ = as_body::<api::Draft>(bytes);
    let _ = as_body::<api::RegisterRequest>(bytes);
    let _ = as_body::<api::LogLevelChange>(bytes);
    let _ = as_body::<api::ForgetRequest>(bytes);
    let _ = as_body::<api::RetentionChange>(bytes);
    // Some floats are read and written with another last digit.
    let _ = serde_json::from_slice::<api::ChaosChange>(bytes);
    let _ = serde_json::from_slice::<api::NewKey>(bytes);
    if let Some((&kind, msg)) = bytes.split_first() {
        let kind = [Kind::Forget, Kind::Settings][usize::from(kind % 2)];
        if let Ok(decree) = Decree::read(kind, Timestamp(u64::MAX), msg) {
            assert_eq!(decree.to_string().as_bytes(), msg, "two texts of {decree:?}");
        }
    }
}

/// A store with a few records, some of them with rows that somebody wrote over.
pub struct Rows {
    dir: tempfile::TempDir,
    template: Vec<u8>,
}

const COLUMNS: [&str; 9] = ["date_time", "guid", "kind", "origin", "who_name", "len", "sha2", "pieces", "msg"];

impl Rows {
    /// In memory, where the system has a place for that.
    pub fn new() -> Rows {
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let dir = dir.expect("a place for a store");
        let path = dir.path().join("template.db");
        let store = Store::open(&path).expect("a new store");
        let network = store.network("home").expect("a new network");
        drop(store);
        let db = rusqlite::Connection::open(&path).expect("the store is SQLite");
        for number in 1..=4u64 {
            let msg = Bytes::from(format!("message {number}"));
            let gossip =
                Gossip::make(Kind::Message, Timestamp(number), Guid([7; 16]), "dove", msg).expect("by the rules");
            let head = gossip.head();
            db.execute(
                "INSERT INTO gossip (network, date_time, guid, kind, origin, who_name, len, sha2, msg)
                 VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, ?8)",
                rusqlite::params![
                    network.0,
                    number as i64,
                    &gossip.guid().0[..],
                    &head.origin().0[..],
                    head.who_name(),
                    head.len() as i64,
                    &head.sha2()[..],
                    format!("message {number}"),
                ],
            )
            .expect("the store's own schema");
        }
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("a checkpoint");
        drop(db);
        let template = std::fs::read(&path).expect("the store is a file");
        Rows { dir, template }
    }

    /// The store opens, whatever its rows hold, and gives out only records that are what their names say.
    pub fn hold(&self, bytes: &[u8]) {
        let path = self.dir.path().join("gossip.db");
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(self.dir.path().join(format!("gossip.db{end}")));
        }
        std::fs::write(&path, &self.template).expect("there is room");
        let db = rusqlite::Connection::open(&path).expect("the store is SQLite");
        let mut input = Input(bytes);
        for _ in 0..8 {
            if input.0.is_empty() {
                break;
            }
            let (row, column, how) = (input.byte() % 4 + 1, usize::from(input.byte()) % COLUMNS.len(), input.byte());
            let len = usize::from(input.byte());
            let value = input.take(len);
            let number = value.iter().take(8).fold(0i64, |number, &byte| number << 8 | i64::from(byte));
            let value: &dyn rusqlite::ToSql = match how % 4 {
                0 => &value,
                1 => &number,
                2 => &String::from_utf8_lossy(value).into_owned(),
                _ => &rusqlite::types::Null,
            };
            let sql = format!("UPDATE gossip SET {} = ?1 WHERE id = ?2", COLUMNS[column]);
            // What the schema forbids cannot be written so.
            let _ = db.execute(&sql, rusqlite::params![value, row]);
        }
        drop(db);
        let Ok(store) = Store::open(&path) else { return };
        let Ok(network) = store.network("home") else { return };
        let _ = store.restore(network, &mut |_| {});
        for key in store.find(network, &(Guid([0; 16])..=Guid([0xFF; 16]))).unwrap_or_default() {
            if let (Ok(Some(row)), Ok(Some(msg))) = (store.row(network, key), store.msg(network, key)) {
                assert_eq!(row.key(), key);
                let gossip = Gossip::new(row.head.clone(), msg).expect("what the store gives out was verified");
                assert_eq!(gossip.key(), key);
            }
        }
    }
}
