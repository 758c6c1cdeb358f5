//! What a datagram says, as JSON: the fields of the protocol's page under their names, bytes in hex. `spec/decode.py` shows
//! the same, and a test holds the two against each other.

use crate::display::hex;
use crate::proto::beacon::{BeaconKey, Unread};
use crate::proto::gossip::{Guid, Head, Key};
use crate::proto::ring::Range;
use crate::proto::seal::Verified;
use crate::proto::sketch::Symbol;
use crate::proto::wire::{
    Card, DidYouHere, Fragment, HeadTold, Heard, Hello, HelloFor, Holding, LedgerState, Message, Nodes, Parts,
    PieceAsk, ProbeWord, Pushed, Record, Registered, Rumor, Symbols, Tell, TellMeMore, Update, Word,
};
use serde_json::{Value, json};

/// How a beacon begins.
pub const BEACON: u8 = 0x62;

/// A datagram of a session.
pub fn datagram(opened: &Verified<'_>, len: usize, message: &Message) -> Value {
    let header = opened.header();
    json!({
        "datagram": message.name(),
        "len": len,
        "key_id": opened.key().to_string(),
        "src_session": format!("{:016x}", header.src_session),
        "dst_session": format!("{:016x}", header.dst_session),
        "counter": header.counter,
        "body": body(message),
    })
}

/// A beacon, or why it is none of this network.
pub fn beacon(key: &BeaconKey, datagram: &[u8]) -> Result<Value, &'static str> {
    let said = key.open(datagram).map_err(|unread| match unread {
        Unread::Malformed => "length",
        Unread::Version => "version",
        Unread::Foreign => "tag",
        Unread::Namesake => "namesake",
    })?;
    let body = json!({ "guid": guid(&said.guid), "epoch": said.epoch, "counter": said.counter, "port": said.port });
    Ok(json!({ "datagram": "BEACON", "len": datagram.len(), "body": body }))
}

fn body(message: &Message) -> Value {
    match message {
        Message::Register(register) => json!({
            "guid": guid(&register.guid), "name": register.name.as_str(), "epoch": register.epoch,
            "incarnation": register.incarnation, "cookie": hex(&register.cookie), "padding": register.padding.0.len(),
        }),
        Message::Challenge(challenge) => json!({ "cookie": hex(&challenge.cookie), "echo": challenge.echo }),
        Message::Registered(registered) => self::registered(registered),
        Message::Hello(hello) | Message::HelloBack(hello) => self::hello(hello),
        Message::HelloFor(HelloFor { stamp, guid: of, addr, errand }) => {
            json!({ "stamp": stamp, "guid": guid(of), "addr": addr.0.to_string(), "errand": self::errand(*errand) })
        }
        Message::DidYouHere(digest) => self::digest(digest),
        Message::TellMeMore(asked) => self::asked(asked),
        Message::Tell(told) => self::told(told),
        Message::Rumor(rumor) => self::rumor(rumor),
        Message::Heard(heard) => self::heard(heard),
        Message::Leave(leave) => json!({ "restarting": leave.restarting }),
        Message::Symbols(Symbols { change, chunk, symbols }) => {
            json!({ "change": change, "chunk": chunk, "symbols": all(symbols, symbol) })
        }
        Message::Holding(Holding { answer, page, next, last, guids }) => {
            json!({ "answer": answer, "page": page, "next": key(next), "last": last, "guids": all(guids, guid) })
        }
        Message::Nodes(Nodes { network, after, ask, last, cards }) => json!({
            "network": network.as_str(), "after": guid(after), "ask": ask, "last": last, "cards": all(cards, card),
        }),
    }
}

fn registered(said: &Registered) -> Value {
    let Registered { echo, guid: of, name, epoch, incarnation, seen, state } = said;
    json!({
        "echo": echo, "guid": guid(of), "name": name.as_str(), "epoch": epoch, "incarnation": incarnation,
        "seen": seen.0.to_string(), "state": self::state(state),
    })
}

fn hello(said: &Hello) -> Value {
    let page = said.page.as_ref().map(|page| json!({ "range": range(&page.range), "cards": all(&page.cards, card), "strange": all(&page.strange, |mark| json!(mark)) }));
    json!({
        "stamp": said.stamp, "state": state(&said.state), "horizon": said.horizon.0,
        "list": { "count": said.list.count, "hash": said.list.hash }, "incarnation": said.incarnation,
        "health": said.health, "clock": said.clock.0, "updates": all(&said.updates, update),
        "page_ask": said.page_ask.as_ref().map(|ask| json!({"range": range(&ask.range), "known": all(&ask.known, |mark| json!(mark))})), "page": page,
        "networks": all(&said.networks, |name| json!(name.as_str())), "padding": said.padding.0.len(),
    })
}

fn digest(said: &DidYouHere) -> Value {
    let DidYouHere { change, count, root, prefix, symbols, estimator } = said;
    json!({
        "change": change, "count": count, "root": hex(root), "prefix": prefix, "symbols": all(symbols, symbol),
        "estimator": estimator[..],
    })
}

fn asked(said: &TellMeMore) -> Value {
    let piece = |ask: &PieceAsk| json!({ "guid": guid(&ask.guid), "piece": ask.piece, "fragments": ask.fragments });
    let symbols = said.symbols.map(|ask| json!({ "change": ask.change, "first": ask.first, "chunks": ask.chunks }));
    let page = said.page.map(|ask| json!({ "id": ask.id, "after": key(&ask.after), "pages": ask.pages }));
    json!({ "guids": all(&said.guids, guid), "pieces": all(&said.pieces, piece), "symbols": symbols, "page": page })
}

fn told(said: &Tell) -> Value {
    let Tell { records, heads, fragments, lacking } = said;
    json!({
        "records": all(records, record), "heads": all(heads, head), "fragments": all(fragments, fragment),
        "lacking": all(lacking, guid),
    })
}

fn rumor(said: &Rumor) -> Value {
    let Rumor { got, records, heads } = said;
    let (records, heads) = (all(records, |it| pushed(it, record)), all(heads, |it| pushed(it, head)));
    json!({ "got": all(got, guid), "records": records, "heads": heads })
}

fn heard(said: &Heard) -> Value {
    let Heard { got, holds, asks, parts } = said;
    let part = |parts: &Parts| json!({ "guid": guid(&parts.guid), "list": parts.list, "pieces": parts.pieces });
    json!({ "got": all(got, guid), "holds": all(holds, guid), "asks": all(asks, guid), "parts": all(parts, part) })
}

fn pushed<T>(said: &Pushed<T>, what: impl Fn(&T) -> Value) -> Value {
    json!({ "range": range(&said.range), "hops": said.hops, "what": what(&said.what) })
}

fn record(said: &Record) -> Value {
    match said.clone().verify() {
        Ok(gossip) => {
            let mut shown = of(&said.guid, gossip.head());
            shown["msg"] = json!(String::from_utf8_lossy(gossip.msg()));
            shown
        }
        Err(_) => json!({ "guid": guid(&said.guid), "invalid": true }),
    }
}

fn head(said: &HeadTold) -> Value {
    match said.clone().verify() {
        Ok(head) => of(&said.guid, &head),
        Err(_) => json!({ "guid": guid(&said.guid), "invalid": true }),
    }
}

fn of(name: &Guid, head: &Head) -> Value {
    json!({
        "guid": guid(name), "kind": head.kind() as u8, "date_time": head.date_time().0, "origin": guid(&head.origin()),
        "who_name": head.who_name(), "len": head.len(), "sha2": hex(head.sha2()), "pieces": hex(head.pieces()),
    })
}

fn fragment(said: &Fragment) -> Value {
    json!({ "guid": guid(&said.guid), "piece": said.piece, "index": said.index, "bytes": hex(&said.bytes.0) })
}

fn card(said: &Card) -> Value {
    let Card { guid: of, addr, incarnation, name } = said;
    json!({ "guid": guid(of), "addr": addr.0.to_string(), "incarnation": incarnation, "name": name.as_str() })
}

fn update(said: &Update) -> Value {
    let word = match said.word {
        Word::Alive => "alive",
        Word::Suspect => "suspect",
        Word::Dead => "dead",
        Word::Left => "left",
        Word::Restarting => "restarting",
    };
    json!({
        "guid": guid(&said.guid), "addr": said.addr.0.to_string(), "incarnation": said.incarnation, "word": word,
        "accuser": said.accuser,
    })
}

fn errand(errand: ProbeWord) -> &'static str {
    match errand {
        ProbeWord::Probe => "probe",
        ProbeWord::Answered => "answered",
        ProbeWord::Silent => "silent",
    }
}

fn state(state: &LedgerState) -> Value {
    json!({ "count": state.count, "root": hex(&state.root) })
}

fn range(range: &Range) -> Value {
    json!({ "from": range.from, "to": range.to })
}

fn key(key: &Key) -> Value {
    json!({ "date_time": key.date_time.0, "guid": guid(&key.guid) })
}

fn symbol(symbol: &Symbol) -> Value {
    json!({ "sum": hex(&symbol.sum), "check": symbol.check })
}

fn guid(guid: &Guid) -> Value {
    json!(guid.to_string())
}

fn all<T>(items: &[T], shown: impl Fn(&T) -> Value) -> Value {
    items.iter().map(shown).collect()
}
