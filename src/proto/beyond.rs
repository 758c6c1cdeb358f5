//! [`Beyond`]: what daemons that are in several networks tell of the others: which there are, and which nodes are in them.
//! It is for people alone: nobody registers with such a node, and nothing that is told here changes how peers are seen.
//!
//! HELLO names the other networks of its sender. Whoever hears a name asks its teller for the nodes behind it, page by
//! page, soon again while a name is new and then once a minute, and forgets what nobody repeats.

use crate::proto::gossip::Guid;
use crate::proto::limits::{FAR_NETWORKS, FAR_NODES, MAX_NAME, MIN_MAX_BODY, NETWORKS};
use crate::proto::time::Tick;
use crate::proto::wire::{Card, List, Name, Nodes};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

/// Between two walks through the nodes of a network: twice as long each time, since a teller that has just started does
/// not know all of them yet.
const WALKS: [Duration; 2] = [Duration::from_secs(4), Duration::from_secs(60)];
/// A page that did not come in this time is lost.
const PATIENCE: Duration = Duration::from_secs(5);
/// What nobody repeated for so long is forgotten.
const AGE: Duration = Duration::from_secs(600);

#[derive(Debug, Default)]
struct Far {
    named: Tick,
    nodes: BTreeMap<Guid, (Card, Tick)>,
    /// The page asked for begins behind this; none where none is.
    asked: Option<Guid>,
    next_ask: Tick,
    /// From this walk to the next.
    pause: Duration,
}

/// Other networks: those that this node tells of, and those that it is told of.
#[derive(Debug, Default)]
pub struct Beyond {
    shared: BTreeMap<Box<str>, BTreeMap<Guid, Card>>,
    far: BTreeMap<Box<str>, Far>,
    turn: usize,
}

impl Beyond {
    /// Tells these networks and nodes from now on; of each network at most [`FAR_NODES`].
    pub(super) fn share(&mut self, networks: impl IntoIterator<Item = (Name, Vec<Card>)>) {
        let by_guid = |cards: Vec<Card>| cards.into_iter().take(FAR_NODES).map(|card| (card.guid, card)).collect();
        self.shared = networks.into_iter().map(|(name, cards)| (name.as_str().into(), by_guid(cards))).collect();
    }

    /// The names for the next HELLO: all, or where there are too many some of them in turn.
    pub(super) fn names(&mut self) -> List<Name, NETWORKS> {
        let all: Vec<Name> = self.shared.keys().filter_map(|name| Name::new(name)).collect();
        let from = if all.len() > NETWORKS { self.turn % all.len() } else { 0 };
        self.turn = self.turn.wrapping_add(NETWORKS);
        List::new(all.iter().cycle().skip(from).take(all.len().min(NETWORKS)).cloned().collect())
    }

    /// A peer named these. Returns what to ask it.
    pub(super) fn named(&mut self, now: Tick, names: &[Name]) -> Option<Nodes> {
        self.far.retain(|_, far| now.since(far.named) < AGE);
        let mut ask = None;
        for name in names {
            if !self.far.contains_key(name.as_str()) && self.far.len() >= FAR_NETWORKS {
                continue;
            }
            let far = self.far.entry(name.as_str().into()).or_default();
            far.named = now;
            far.nodes.retain(|_, (_, told)| now.since(*told) < AGE);
            if far.next_ask <= now && ask.is_none() {
                ask = Some(far.ask(now, name, Guid([0; 16])));
            }
        }
        ask
    }

    /// A peer asks for nodes, or names some. Returns what to say to it.
    pub(super) fn take(&mut self, now: Tick, said: Nodes) -> Option<Nodes> {
        if said.ask {
            return self.page(&said);
        }
        let far = self.far.get_mut(said.network.as_str()).filter(|far| far.asked == Some(said.after))?;
        far.asked = None;
        let behind = said.cards.last().map(|card| card.guid).filter(|last| *last > said.after);
        for card in said.cards {
            if far.nodes.len() < FAR_NODES || far.nodes.contains_key(&card.guid) {
                far.nodes.insert(card.guid, (card, now));
            }
        }
        if let Some(more) = behind.filter(|_| !said.last && far.nodes.len() < FAR_NODES) {
            return Some(far.ask(now, &said.network, more));
        }
        let [first, last] = WALKS;
        far.pause = (far.pause * 2).clamp(first, last);
        far.next_ask = now + far.pause;
        None
    }

    /// The networks that peers named, each with its nodes: who, and when that was said last.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Card, Tick)> {
        self.far.iter().flat_map(|(name, far)| far.nodes.values().map(move |(card, told)| (&**name, card, *told)))
    }

    /// Panics if a bound is broken.
    pub(super) fn check(&self) {
        assert!(self.far.len() <= FAR_NETWORKS && self.far.values().all(|far| far.nodes.len() <= FAR_NODES));
        assert!(self.shared.values().all(|nodes| nodes.len() <= FAR_NODES));
    }

    /// As many nodes as fit one datagram. Of a network that is not shared nothing is said, nor that it is not.
    fn page(&self, ask: &Nodes) -> Option<Nodes> {
        let nodes = self.shared.get(ask.network.as_str())?;
        let mut rest = nodes.range((Bound::Excluded(ask.after), Bound::Unbounded)).map(|(_, card)| card).peekable();
        let mut room = MIN_MAX_BODY - Nodes::EMPTY - MAX_NAME;
        let mut cards = List::default();
        while let Some(card) = rest.peek().filter(|card| Card::size(card.name.as_str().len()) <= room) {
            if cards.is_full() {
                break;
            }
            room -= Card::size(card.name.as_str().len());
            cards.push((*card).clone());
            rest.next();
        }
        Some(Nodes { ask: false, last: rest.peek().is_none(), cards, ..ask.clone() })
    }
}

impl Far {
    fn ask(&mut self, now: Tick, network: &Name, after: Guid) -> Nodes {
        self.asked = Some(after);
        self.next_ask = now + PATIENCE;
        Nodes { network: network.clone(), after, ask: true, last: false, cards: List::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::wire::Address;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn card(n: u16) -> Card {
        let mut guid = [1; 16];
        guid[..2].copy_from_slice(&n.to_be_bytes());
        let addr = Address(std::net::SocketAddr::from(([10, 0, 0, 1], n)));
        Card { guid: Guid(guid), addr, incarnation: 0, name: name(&format!("a node by the name of {n}")) }
    }

    fn secs(n: u64) -> Tick {
        Tick(n * 1_000_000)
    }

    /// Whoever shares so many nodes of "work".
    fn teller(nodes: u16) -> Beyond {
        let mut teller = Beyond::default();
        teller.share([(name("work"), (1..=nodes).map(card).collect())]);
        teller
    }

    /// Asks on until there is nothing more to ask; returns how often.
    fn walk(now: Tick, learner: &mut Beyond, teller: &mut Beyond) -> usize {
        let mut asks = 0;
        let names = teller.names();
        let mut ask = learner.named(now, &names);
        while let Some(next) = ask {
            asks += 1;
            ask = teller.take(now, next).and_then(|page| learner.take(now, page));
            learner.check();
        }
        asks
    }

    #[test]
    fn nodes_of_other_networks_come_page_by_page_at_first_soon_again_and_then_once_a_minute() {
        let (mut learner, mut teller) = (Beyond::default(), teller(40));
        assert!((3..=6).contains(&walk(secs(1), &mut learner, &mut teller)));
        assert!(
            learner.iter().map(|(network, card, _)| (network, card.clone())).eq((1..=40).map(|n| ("work", card(n))))
        );
        assert_eq!(walk(secs(2), &mut learner, &mut teller), 0);
        let walks = (2..600).filter(|&at| walk(secs(at), &mut learner, &mut teller) > 0).collect::<Vec<u64>>();
        assert_eq!(walks[..6], [5, 13, 29, 61, 121, 181]);
        assert_eq!(walks.last(), Some(&541));
        // What is gone there is forgotten here, late and for sure.
        teller.share([(name("work"), vec![card(7)])]);
        for minute in 10..21 {
            walk(secs(62 * minute), &mut learner, &mut teller);
        }
        assert_eq!(learner.iter().map(|(_, card, _)| card.guid).collect::<Vec<_>>(), [card(7).guid]);
        learner.named(secs(62 * 20 + 601), &[]);
        assert_eq!(learner.iter().count(), 0);
    }

    #[test]
    fn a_page_that_is_lost_is_asked_for_again_and_one_that_nobody_asked_for_is_nothing() {
        let (mut learner, mut teller) = (Beyond::default(), teller(40));
        let ask = learner.named(secs(1), &[name("work")]).unwrap();
        assert_eq!(learner.named(secs(3), &[name("work")]), None);
        let page = teller.take(secs(3), ask.clone()).unwrap();
        assert_eq!(Beyond::default().take(secs(3), page.clone()), None);
        assert_eq!(learner.named(secs(7), &[name("work")]), Some(ask));
        assert!(learner.take(secs(8), page.clone()).is_some());
        let known = learner.iter().count();
        assert_eq!(learner.take(secs(8), Nodes { cards: List::new(vec![card(99)]), ..page }), None);
        assert_eq!(learner.iter().count(), known, "it was not the page asked for");
    }

    #[test]
    fn whoever_makes_networks_and_nodes_up_fills_no_more_than_the_bounds() {
        let mut learner = Beyond::default();
        for n in 0..100 {
            let network = name(&format!("network {n}"));
            let mut ask = learner.named(secs(1), std::slice::from_ref(&network));
            let mut next = 0;
            while let Some(asked) = ask {
                let cards: Vec<Card> = (next..next + 20).map(card).collect();
                next += 20;
                assert!(next < 1000, "it is asked for ever");
                ask = learner.take(secs(1), Nodes { ask: false, last: false, cards: List::new(cards), ..asked });
                learner.check();
            }
        }
        assert_eq!(learner.iter().count(), FAR_NETWORKS * FAR_NODES);
        // One that says that there is more and names nobody is not asked on.
        let ask = Beyond::default().named(secs(1), &[name("work")]).unwrap();
        let mut other = Beyond::default();
        other.named(secs(1), &[name("work")]);
        assert_eq!(other.take(secs(1), Nodes { ask: false, ..ask }), None);
    }

    #[test]
    fn nothing_is_said_of_what_is_not_shared() {
        let mut teller = teller(3);
        let ask = Nodes { network: name("home"), after: Guid([0; 16]), ask: true, last: false, cards: List::default() };
        assert_eq!(teller.take(secs(1), ask.clone()), None);
        teller.share([]);
        assert_eq!(teller.take(secs(1), Nodes { network: name("work"), ..ask }), None);
        assert!(teller.names().is_empty());
    }

    #[test]
    fn of_many_networks_each_is_named_in_turn() {
        let mut teller = Beyond::default();
        teller.share((0..7).map(|n| (name(&format!("network {n}")), Vec::new())));
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..2 {
            let names = teller.names();
            assert_eq!(names.len(), NETWORKS);
            seen.extend(names.iter().map(|name| name.as_str().to_owned()));
        }
        assert_eq!(seen.len(), 7);
    }
}
