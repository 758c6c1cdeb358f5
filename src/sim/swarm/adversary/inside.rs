//! What somebody can do who knows the key: everything that a node may say, and nothing of it true.

use super::{Adversary, Stranger, made_up};
use crate::proto::fact::LIST;
use crate::proto::gossip::{Gossip, Guid, Head, Kind};
use crate::proto::limits::{
    CARDS, DIGEST_SYMBOLS, ESTIMATORS, FRAGMENT, GUIDS_PER_ASK, HEARD, MORE_SYMBOLS, PAGE, PIECES_PER_ASK, UPDATES,
};
use crate::proto::ring::Range;
use crate::proto::sketch::Symbol;
use crate::proto::stats::Rejected;
use crate::proto::time::Timestamp;
use crate::proto::wire::{
    Address, Blob, Card, CardPage, DidYouHere, Fragment, HeadTold, Heard, Hello, Holding, List, Message, Name, PageAsk,
    PieceAsk, Pushed, Record, Rumor, Symbols, SymbolsAsk, Tell, TellMeMore, Update, Word,
};
use crate::sim::insider::Insider;
use crate::sim::swarm::Tally;
use crate::sim::{BEGINNING, Network};
use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt};

/// Records that an insider makes at most: they are as true as any.
const RECORDS: u64 = 200;

impl Stranger {
    pub(super) fn act_inside(&mut self, net: &mut Network, rng: &mut ChaCha8Rng, tally: &mut Tally) {
        let victim = rng.random_range(0..net.hosts());
        if !net.is_awake(victim) {
            return;
        }
        let mut insider = match self.faces.remove(&victim) {
            Some(insider) => insider,
            None => Insider::new(net, victim, 1),
        };
        // It knows the keys that the victim knows, whenever these change.
        insider.keys = net.keys(victim).clone();
        self.answer(net, &mut insider);
        for _ in 0..rng.random_range(1..20) {
            let message = self.invent(net, rng, victim);
            let told = match &message {
                Some(message) => insider.tell(net, message),
                None => {
                    let mut noise = vec![0; rng.random_range(0..200)];
                    rng.fill_bytes(&mut noise);
                    insider.tell_bytes(net, rng.random_range(4..20), &noise)
                }
            };
            if matches!(told, Err(Rejected::Session)) {
                self.epoch += 1;
                insider.epoch = self.epoch;
                if insider.register(net).is_err() {
                    break;
                }
            } else {
                tally.add(self.what(), 1);
            }
        }
        self.faces.insert(victim, insider);
    }

    fn what(&self) -> &'static str {
        match self.what {
            Adversary::FakePeers => "fake_peers_named",
            Adversary::Hoarder => "chunks_hoarded",
            Adversary::Poisoner => "digests_poisoned",
            Adversary::Equivocator => "equivocated",
            _ => "flooded",
        }
    }

    /// It answers when it is greeted, so as to stay a peer.
    fn answer(&self, net: &mut Network, insider: &mut Insider) {
        for (_, message) in insider.hear(net) {
            if let Message::Hello(hello) = message {
                let _ = insider.tell(net, &Message::HelloBack(hello));
            }
        }
    }

    fn invent(&mut self, net: &mut Network, rng: &mut ChaCha8Rng, victim: usize) -> Option<Message> {
        match self.what {
            Adversary::FakePeers => Some(fake_peers(rng)),
            Adversary::Hoarder => Some(hoard(net, rng, victim)),
            Adversary::Poisoner => Some(poison(rng)),
            Adversary::Equivocator => Some(equivocate(net, rng)),
            _ => self.flood(net, rng),
        }
    }

    fn flood(&mut self, net: &mut Network, rng: &mut ChaCha8Rng) -> Option<Message> {
        match rng.random_range(0..4) {
            0 if self.records < RECORDS => {
                self.records += 1;
                let at = Timestamp(BEGINNING.0 + net.now().0);
                let msg = format!("noise {}", self.records);
                let gossip = Gossip::make(Kind::Message, at, Guid([0xee; 16]), "mallory", msg.into()).ok()?;
                net.admit(gossip.guid());
                let record = Record::of(gossip.guid(), gossip.head(), gossip.msg().clone());
                Some(match rng.random_bool(0.5) {
                    true => Message::Tell(Tell { records: List::new(vec![record]), ..Tell::default() }),
                    false => {
                        let pushed = Pushed { range: Range { from: 0, to: u64::MAX }, hops: 1, what: record };
                        Message::Rumor(Rumor { records: List::new(vec![pushed]), ..Rumor::default() })
                    }
                })
            }
            1 => {
                let padding = Blob(vec![0; rng.random_range(0..1000)].into());
                Some(Message::Hello(Hello { stamp: rng.random(), padding, ..Hello::default() }))
            }
            2 => Some(Message::TellMeMore(absurd(rng))),
            _ => None,
        }
    }
}

fn guid(rng: &mut ChaCha8Rng) -> Guid {
    let mut guid = Guid::default();
    rng.fill_bytes(&mut guid.0);
    guid
}

fn guids<const MOST: usize>(rng: &mut ChaCha8Rng) -> List<Guid, MOST> {
    List::new((0..MOST).map(|_| guid(rng)).collect())
}

/// Questions about everything at once.
fn absurd(rng: &mut ChaCha8Rng) -> TellMeMore {
    let symbols = SymbolsAsk { change: rng.random_range(0..50), first: rng.random_range(0..2000), chunks: u64::MAX };
    let page = PageAsk { id: rng.random(), after: Default::default(), pages: 255 };
    TellMeMore { guids: guids::<GUIDS_PER_ASK>(rng), pieces: List::default(), symbols: Some(symbols), page: Some(page) }
}

fn fake_peers(rng: &mut ChaCha8Rng) -> Message {
    let mut hello = Hello { stamp: rng.random(), ..Hello::default() };
    let mut addr = || Address(made_up(rng.random_range(0..1 << 20)));
    let addrs: Vec<Address> = (0..UPDATES.max(CARDS)).map(|_| addr()).collect();
    if rng.random_bool(0.5) {
        let update =
            |addr: &Address| Update { guid: guid(rng), addr: *addr, incarnation: 1, word: Word::Alive, accuser: 0 };
        hello.updates = List::new(addrs.iter().take(UPDATES).map(update).collect());
    } else {
        let name = Name::new("nobody").expect("a name by the rules");
        let card = |addr: &Address| Card { guid: guid(rng), addr: *addr, incarnation: 1, name: name.clone() };
        let cards = List::new(addrs.iter().take(10).map(card).collect());
        hello.page = Some(CardPage { range: Range { from: 0, to: u64::MAX }, cards, ..CardPage::default() });
    }
    Message::Hello(hello)
}

/// The head of a record that does not exist.
fn lie(rng: &mut ChaCha8Rng) -> Option<Head> {
    let (mut sha2, mut pieces) = ([0; 32], [0; 32]);
    rng.fill_bytes(&mut sha2);
    rng.fill_bytes(&mut pieces);
    Head::new(Kind::Message, Timestamp(7), Guid([9; 16]), "liar", rng.random_range(100_000..16 << 20), sha2, pieces)
        .ok()
}

fn hoard(net: &Network, rng: &mut ChaCha8Rng, victim: usize) -> Message {
    let wanted: Vec<Guid> = net.node(victim).fetching().map(|(guid, ..)| guid).take(16).collect();
    match rng.random_range(0..3) {
        // Half of what the victim is waiting for; the other half never comes.
        0 if !wanted.is_empty() => {
            let guid = wanted[rng.random_range(0..wanted.len())];
            let piece = if rng.random_bool(0.5) { LIST } else { rng.random_range(0..4) };
            let (index, bytes) = (rng.random_range(0..32), Blob(vec![b'!'; FRAGMENT].into()));
            let fragments = List::new(vec![Fragment { guid, piece, index, bytes }]);
            Message::Tell(Tell { fragments, ..Tell::default() })
        }
        1 => {
            let held = net.node(victim).ledger().state().count;
            let ask = |_| PieceAsk { guid: guid(rng), piece: rng.random_range(0..=held as u16), fragments: u64::MAX };
            let pieces = List::new((0..PIECES_PER_ASK).map(ask).collect());
            Message::TellMeMore(TellMeMore { pieces, ..TellMeMore::default() })
        }
        _ => {
            let heads = (0..4).filter_map(|_| lie(rng)).map(|head| HeadTold::of(head.guid(), &head)).collect();
            Message::Tell(Tell { heads: List::new(heads), ..Tell::default() })
        }
    }
}

fn poison(rng: &mut ChaCha8Rng) -> Message {
    let symbol = |rng: &mut ChaCha8Rng| Symbol { sum: guid(rng).0, check: rng.random() };
    match rng.random_range(0..4) {
        0 => Message::DidYouHere(Box::new(DidYouHere {
            change: rng.random_range(0..100),
            count: rng.random_range(0..100_000),
            root: rng.random(),
            prefix: rng.random_range(44..70_000),
            symbols: std::array::from_fn::<_, DIGEST_SYMBOLS, _>(|_| symbol(rng)),
            estimator: std::array::from_fn::<_, ESTIMATORS, _>(|_| rng.random_range(-300..300)),
        })),
        1 => {
            let symbols = List::new((0..MORE_SYMBOLS).map(|_| symbol(rng)).collect());
            Message::Symbols(Symbols { change: rng.random_range(0..100), chunk: rng.random_range(0..40), symbols })
        }
        2 => Message::Holding(Holding {
            answer: rng.random_range(0..10),
            page: rng.random_range(0..20),
            next: Default::default(),
            last: rng.random(),
            guids: guids::<PAGE>(rng),
        }),
        _ => {
            let holds = guids::<HEARD>(rng);
            Message::Heard(Heard { holds, ..Heard::default() })
        }
    }
}

/// Says of real nodes that they are dead, or somewhere else, or in another life; and of records what they are not.
fn equivocate(net: &Network, rng: &mut ChaCha8Rng) -> Message {
    if rng.random_bool(0.2) {
        let texts = [format!("one {}", rng.random::<u8>()), format!("other {}", rng.random::<u8>())];
        let made = texts.map(|text| Gossip::make(Kind::Message, BEGINNING, Guid([9; 16]), "elder", text.into()));
        if let [Ok(one), Ok(other)] = made {
            let records = List::new(vec![Record::of(one.guid(), other.head(), other.msg().clone())]);
            if one.guid() != other.guid() {
                return Message::Tell(Tell { records, ..Tell::default() });
            }
        }
    }
    let words = [Word::Alive, Word::Suspect, Word::Dead, Word::Left, Word::Restarting];
    let claim = |_| {
        let host = rng.random_range(0..net.hosts());
        let addr = if rng.random_bool(0.5) { net.addr(host) } else { made_up(rng.random_range(0..1 << 20)) };
        let word = words[rng.random_range(0..words.len())];
        let (incarnation, accuser) = (rng.random_range(0..1000), rng.random());
        Update { guid: net.guid(host), addr: Address(addr), incarnation, word, accuser }
    };
    let updates = List::new((0..6).map(claim).collect());
    Message::Hello(Hello { stamp: rng.random(), incarnation: rng.random_range(0..100), updates, ..Hello::default() })
}
