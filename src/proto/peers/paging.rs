//! Pages of the peer list, by parts of the ring: how a newcomer gets to know all, and how lists that stay different are
//! made equal. Every part is asked from as many peers at once as it takes to list who is named.

use super::plain::Plain;
use super::table::Entry;
use super::{Errand, Peers};
use crate::proto::gossip::Guid;
use crate::proto::limits::{
    ASKS_PER_SPAN, CARDS, KNOWN, MAX_NAME, MIN_MAX_BODY, NEIGHBOURS, NETWORKS, PAGES_PER_HELLO, PEERS, SPANS, VOUCHES,
};
use crate::proto::ring::{Range, place};
use crate::proto::time::Tick;
use crate::proto::wire::{Address, Card, CardAsk, CardPage, Hello, List, ListState, Name};
use std::collections::BTreeSet;
use std::time::Duration;

/// Bytes of a HELLO around its cards, with all the names of networks that it may have.
const HELLO_FRAME: usize = Hello::EMPTY + CardPage::EMPTY + NETWORKS * (2 + MAX_NAME);
/// A page is asked again after this time.
const PATIENCE: Duration = Duration::from_millis(300);
/// Lists that differ for so long are paged.
const DIFFERENT: Duration = Duration::from_secs(10);
/// So often at most; the first times sooner, since what a pass showed takes its time.
const AGAIN: Duration = Duration::from_secs(60);
/// A newcomer pages as soon as it met somebody, and again while it still lacks some: for so long, and longer where its
/// list never was another's yet.
const NEWCOMER: Duration = Duration::from_secs(10);
const NEWCOMER_MOST: Duration = Duration::from_secs(60);
const NEWCOMER_FIRST: Duration = Duration::from_millis(30);
const NEWCOMER_AGAIN: Duration = Duration::from_millis(400);
/// The more pages there were, the later all of them are asked for again: where thousands join at once, what is paged too
/// early is paged for nothing.
const PER_PAGE: Duration = Duration::from_millis(5);
/// Names asked for at once, and how often.
const NAMES: usize = 256;
const NAMES_GAP: Duration = Duration::from_millis(200);
/// Of a part so many nodes should be new to us, or known: a little less than there is room for, since parts are equally
/// long, not full.
const NODES_TOLD: usize = PAGES_PER_HELLO * CARDS * 4 / 5;
const NODES_KNOWN: usize = KNOWN * 4 / 5;
/// Silences after which a part of the ring is given up until the next time.
const TRIES: u32 = 4;

/// A part of the ring that is being paged.
#[derive(Debug)]
struct Part {
    /// What is still to come.
    range: Range,
    /// Who was asked for it last.
    tellers: Vec<Teller>,
    deadline: Tick,
    asks: usize,
    silences: u32,
    /// Whether somebody named whom we do not list: then as many are asked as are believed.
    found: bool,
}

/// Somebody who was asked for a part.
#[derive(Debug)]
struct Teller {
    guid: Guid,
    /// What it was asked for and has not told, and how many pages came.
    left: Range,
    pages: usize,
}

impl Teller {
    /// Whether all that it says in answer to one ask is here.
    fn is_done(&self) -> bool {
        self.left.is_empty() || self.pages >= PAGES_PER_HELLO
    }
}

impl Part {
    fn new(now: Tick, range: Range) -> Part {
        Part { range, tellers: Vec::new(), deadline: now, asks: 0, silences: 0, found: false }
    }

    /// Up to where all who answered have told.
    fn told(&self) -> Option<u64> {
        let answered = self.tellers.iter().filter(|teller| teller.pages > 0);
        answered.map(|teller| teller.left.from).min_by_key(|upto| upto.wrapping_sub(self.range.from))
    }
}

/// What is being paged, and what for.
#[derive(Debug, Default)]
pub(super) struct Pager {
    parts: Vec<Part>,
    /// What is still to be cut into parts, and how long they are.
    rest: Range,
    step: u64,
    /// When this node met its first peer; whether it asked for its neighbours before and behind it; how many it greeted.
    joined: Option<Tick>,
    asked: bool,
    looked_back: bool,
    greeted: usize,
    /// Since when peers' lists have been another than ours, how long the latest was, and when all was paged last.
    different: Option<Tick>,
    count: u32,
    paged: Option<Tick>,
    /// How often since lists were equal.
    passes: u32,
    /// Pages that came since then, and whether our list was another's once.
    pages: u32,
    agreed: bool,
    /// When to page all.
    at: Option<Tick>,
    /// When a newcomer asks whether lists are still different, where nobody says so by himself.
    again: Option<Tick>,
    nameless: BTreeSet<u64>,
    next_name: Tick,
}

impl Pager {
    pub(super) fn next(&self) -> Tick {
        let parts = self.parts.iter().map(|part| part.deadline).min().unwrap_or(Tick::NEVER);
        let names = if self.nameless.is_empty() { Tick::NEVER } else { self.next_name };
        parts.min(names).min(self.at.unwrap_or(Tick::NEVER)).min(self.again.unwrap_or(Tick::NEVER))
    }

    /// A node was listed whose name nobody told yet.
    pub(super) fn want_name(&mut self, place: u64) {
        if self.nameless.len() < NAMES {
            self.nameless.insert(place);
        }
    }

    /// The next part to page.
    fn cut(&mut self) -> Option<Range> {
        let Range { from, to } = self.rest;
        let end = if self.rest.len() / 2 < self.step { to } else { from.wrapping_add(self.step) };
        self.rest.from = end;
        (from != to).then_some(Range { from, to: end })
    }

    pub(super) fn check(&self) {
        assert!(self.parts.len() <= SPANS && self.nameless.len() <= NAMES);
        assert!(self.parts.iter().all(|part| part.tellers.len() <= VOUCHES));
    }
}

impl Peers {
    /// What a peer asks for: those whom we list as alive in a part of the ring and it does not, and whom it lists alone.
    pub(in crate::proto) fn pages(&self, to: Guid, ask: &CardAsk) -> Vec<CardPage> {
        let mut known: Vec<(u32, bool)> = ask.known.iter().map(|&mark| (mark, false)).collect();
        known.sort_unstable();
        known.dedup();
        let mut knows = |mark: u32| match known.binary_search_by_key(&mark, |(mark, _)| *mark) {
            Ok(found) => !std::mem::replace(&mut known[found].1, true),
            Err(_) => false,
        };
        let listed = self.table.range(ask.range).filter(|(_, entry)| entry.guid != to);
        // Whose name nobody told us is passed on by those who know it.
        let mut lacking = listed
            .filter(|(_, entry)| !knows(entry.mark()) && !entry.called.is_empty())
            .take(PAGES_PER_HELLO * CARDS + 1)
            .collect::<Vec<_>>()
            .into_iter()
            .peekable();
        let mut pages: Vec<CardPage> = Vec::new();
        let mut from = ask.range.from;
        while pages.is_empty() || (pages.len() < PAGES_PER_HELLO && lacking.peek().is_some()) {
            // Beyond a full answer nobody was looked at.
            let saw_all = pages.is_empty() && lacking.len() <= PAGES_PER_HELLO * CARDS;
            let strange = known.iter().filter(|(_, listed)| saw_all && !listed).map(|(mark, _)| *mark);
            let strange = List::new(strange.collect());
            let mut room = MIN_MAX_BODY - HELLO_FRAME - 4 * strange.len();
            let mut cards = Vec::new();
            while let Some((_, entry)) =
                lacking.next_if(|(_, entry)| cards.len() < CARDS && Card::size(entry.called.len()) <= room)
            {
                let Some(name) = Name::new(self.table.name(entry)) else { continue };
                room -= Card::size(entry.called.len());
                let (guid, addr, incarnation) = (entry.guid, Address(entry.addr()), entry.incarnation);
                cards.push(Card { guid, addr, incarnation, name });
            }
            let to = lacking.peek().map_or(ask.range.to, |(place, _)| *place);
            pages.push(CardPage { range: Range { from, to }, cards: List::new(cards), strange });
            from = to;
        }
        pages
    }

    /// Asks for a part of a peer's list, or as much of it as we can say what we know of; for how much.
    fn ask(&mut self, whom: Guid, range: Range) -> Range {
        let known = |entry: &Entry| entry.guid != whom && !entry.called.is_empty();
        let mut listed = self.table.range(range).filter(|(_, entry)| known(entry));
        let known = listed.by_ref().take(KNOWN).map(|(_, entry)| entry.mark()).collect();
        let to = listed.next().map_or(range.to, |(place, _)| place);
        let range = Range { from: range.from, to };
        self.errands.push_back(Errand::Ask(whom, CardAsk { range, known: List::new(known) }));
        range
    }

    /// A page of a peer's list came.
    pub(in crate::proto) fn told(&mut self, now: Tick, teller: Guid, page: &CardPage) {
        page.cards.iter().for_each(|card| self.hear_card(now, teller, card));
        if !self.pager.nameless.is_empty() {
            for card in page.cards.iter() {
                self.pager.nameless.remove(&place(&card.guid));
            }
        }
        self.greet_neighbours(now, &page.cards);
        let (from, joining, mut covered) = (page.range.from, self.is_joining(now), None);
        for part in &mut self.pager.parts {
            let asked = |asked: &&mut Teller| asked.guid == teller && asked.left.from == from && !asked.left.is_empty();
            let Some(teller) = part.tellers.iter_mut().find(asked) else { continue };
            // A page that ends where it began, or outside, is the last.
            let is_last = page.range.is_empty() || page.range.len() > teller.left.len();
            teller.left.from = if is_last { teller.left.to } else { page.range.to };
            teller.pages += 1;
            self.pager.pages += u32::from(!page.cards.is_empty());
            covered = Some(part.range);
            if !joining && !part.found && !page.cards.is_empty() {
                (part.found, part.deadline) = (true, now);
                part.tellers.clear();
                break;
            }
            if part.tellers.iter().all(Teller::is_done) {
                part.deadline = now;
            }
            break;
        }
        if let Some(covered) = covered.filter(|_| !page.strange.is_empty() && !joining) {
            self.doubt_strange(covered, &page.strange);
        }
        self.turn_pages(now);
    }

    /// Somebody does not list those whom we list: they may have died without our hearing of it.
    fn doubt_strange(&mut self, part: Range, strange: &[u32]) {
        let listed = self.table.range(part).filter(|(_, entry)| strange.contains(&entry.mark()));
        listed.for_each(|(_, entry)| self.questions.push(entry.guid));
    }

    /// A peer said whom it knows to be alive.
    pub(in crate::proto) fn compare_list(&mut self, now: Tick, teller: &Guid, theirs: ListState) {
        let ours = self.list();
        if theirs == ours {
            // After a split the last who come back are not known to everybody yet.
            if let Some(addr) = self.contacts.addr(teller).filter(|_| self.is_joining(now)) {
                self.news.agree(Plain::new(addr).mark());
            }
            (self.pager.different, self.pager.at, self.pager.again) = (None, None, None);
            (self.pager.agreed, self.pager.passes) = (true, 0);
            return;
        }
        let joining = self.is_joining(now);
        if joining && !self.pager.looked_back {
            self.look_back(theirs.count);
        }
        let often = NEWCOMER_AGAIN.max(PER_PAGE * self.pager.pages);
        let calm = (DIFFERENT * (1 << self.pager.passes.min(3))).min(AGAIN);
        let (wait, again) = if joining { (Duration::ZERO, often) } else { (DIFFERENT, calm) };
        let since = *self.pager.different.get_or_insert(now);
        self.pager.again = joining.then(|| now + often);
        let due = now.since(since) >= wait && self.pager.paged.is_none_or(|paged| now.since(paged) >= again);
        if due && self.pager.parts.is_empty() && self.pager.at.is_none() {
            self.pager.at = Some(now + if joining { NEWCOMER_FIRST } else { Duration::ZERO });
            self.pager.count = theirs.count;
        }
    }

    /// A handshake: the first one makes this node a member.
    pub(super) fn note_joined(&mut self, now: Tick) {
        self.pager.joined.get_or_insert(now);
    }

    /// Whether this node is about to learn who is there.
    pub(super) fn is_joining(&self, now: Tick) -> bool {
        let span = if self.pager.agreed { NEWCOMER } else { NEWCOMER_MOST };
        self.pager.joined.is_some_and(|joined| now.since(joined) < span)
    }

    /// This node registered with a peer. The first time it asks for its neighbours on the ring at once.
    pub(in crate::proto) fn join(&mut self, guid: Guid) {
        if !self.pager.asked {
            self.pager.asked = true;
            self.ask(guid, Range::all_but(self.place));
        }
    }

    /// Pages whose answers are here, or overdue.
    pub(super) fn turn_pages(&mut self, now: Tick) {
        if self.pager.at.is_some_and(|at| at <= now) {
            self.pager.at = None;
            self.begin_paging(now);
        }
        if self.pager.again.take_if(|again| *again <= now).is_some() {
            let somebody = self.some_contacts(1, None);
            self.errands.extend(somebody.into_iter().map(Errand::Hello));
        }
        for mut part in std::mem::take(&mut self.pager.parts) {
            if part.deadline > now || self.ask_part(now, &mut part) {
                self.pager.parts.push(part);
            }
        }
        while self.pager.parts.len() < SPANS
            && let Some(range) = self.pager.cut()
        {
            let mut part = Part::new(now, range);
            if self.ask_part(now, &mut part) {
                self.pager.parts.push(part);
            }
        }
        if self.pager.next_name <= now && !self.pager.nameless.is_empty() {
            self.pager.next_name = now + NAMES_GAP;
            self.ask_names();
        }
    }

    /// Asks for the names of some of whom nobody told them: an ask is answered with all whose name we do not know.
    fn ask_names(&mut self) {
        while let Some(place) = self.pager.nameless.pop_first() {
            if self.table.at(place).is_some_and(|entry| entry.called.is_empty() && entry.reach().answers()) {
                for guid in self.some_contacts(1, None) {
                    self.ask(guid, Range { from: place, to: self.place });
                }
                return;
            }
        }
    }

    /// Cuts the ring into parts whose nodes fit the answer to one ask.
    fn begin_paging(&mut self, now: Tick) {
        let (theirs, ours) = ((self.pager.count as usize).min(PEERS), self.live());
        let parts = (theirs.saturating_sub(ours) / NODES_TOLD).max(ours / NODES_KNOWN);
        let parts = parts.max(self.some_contacts(SPANS, None).len()).max(1);
        (self.pager.paged, self.pager.pages, self.pager.passes) = (Some(now), 0, self.pager.passes.saturating_add(1));
        (self.pager.rest, self.pager.step) = (Range::all_but(self.place), u64::MAX / parts as u64);
    }

    /// Asks for what is left of a part; false when there is nothing.
    fn ask_part(&mut self, now: Tick, part: &mut Part) -> bool {
        match part.told() {
            Some(upto) => (part.range.from, part.silences) = (upto, 0),
            None if !part.tellers.is_empty() => part.silences += 1,
            None => {}
        }
        part.asks += 1;
        if part.range.is_empty() || part.asks > ASKS_PER_SPAN || part.silences > TRIES {
            return false;
        }
        let most = if part.found || self.is_joining(now) { VOUCHES } else { 1 };
        let whom = self.some_contacts(most, None);
        part.deadline = now + PATIENCE;
        let asked = whom.into_iter().map(|guid| Teller { guid, left: self.ask(guid, part.range), pages: 0 });
        part.tellers = asked.collect();
        !part.tellers.is_empty()
    }

    /// The neighbours that stand behind this node on the ring, in a network of so many.
    fn look_back(&mut self, nodes: u32) {
        self.pager.looked_back = true;
        let width = (u64::MAX / u64::from(nodes.max(1))).saturating_mul(NEIGHBOURS as u64 / 2);
        let range = Range { from: self.place.wrapping_sub(width), to: self.place };
        for guid in self.some_contacts(1, None) {
            self.ask(guid, range);
        }
    }

    /// Records are handed down along the ring, so a newcomer must be known to those who stand next to it.
    fn greet_neighbours(&mut self, now: Tick, cards: &[Card]) {
        if !self.is_joining(now) {
            return;
        }
        for card in cards {
            if self.pager.greeted >= NEIGHBOURS {
                return;
            }
            let met = self.contacts.get(&card.guid).is_some_and(|contact| contact.heard.is_some());
            if !met && self.is_live(&card.guid) {
                self.pager.greeted += 1;
                self.errands.push_back(Errand::Hello(card.guid));
            }
        }
    }
}
