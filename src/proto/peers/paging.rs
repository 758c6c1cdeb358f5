//! Pages of the peer list, by parts of the ring: how a newcomer gets to know all, and how lists that stay different are
//! made equal. Every part is asked from as many peers at once as it takes to list who is named.

use super::{Errand, Peers};
use crate::proto::gossip::Guid;
use crate::proto::limits::{CARDS, MAX_NAME, MIN_MAX_BODY, NEIGHBOURS, NETWORKS, PAGES_PER_SPAN, SPANS, VOUCHES};
use crate::proto::ring::{Range, place};
use crate::proto::time::Tick;
use crate::proto::wire::{Address, Card, CardPage, Hello, List, ListState, Name};
use std::collections::BTreeSet;
use std::time::Duration;

/// Bytes of a HELLO around its cards, with all the names of networks that it may have.
const HELLO_FRAME: usize = Hello::EMPTY + 16 + CardPage::EMPTY + NETWORKS * (2 + MAX_NAME);
/// A page is asked again after this time.
const PATIENCE: Duration = Duration::from_millis(300);
/// Lists that differ for so long are paged.
const DIFFERENT: Duration = Duration::from_secs(10);
/// So often at most.
const AGAIN: Duration = Duration::from_secs(60);
/// A newcomer pages as soon as it met somebody, and again while it still lacks some: for so long, and longer where its
/// list never was another's yet.
const NEWCOMER: Duration = Duration::from_secs(10);
const NEWCOMER_MOST: Duration = Duration::from_secs(60);
const NEWCOMER_FIRST: Duration = Duration::from_millis(30);
const NEWCOMER_AGAIN: Duration = Duration::from_secs(1);
/// The more pages there were, the later all of them are asked for again: where thousands join at once, what is paged too
/// early is paged for nothing.
const PER_PAGE: Duration = Duration::from_millis(30);
/// Names asked for at once, and how often.
const NAMES: usize = 256;
const NAMES_GAP: Duration = Duration::from_millis(200);
/// Silences after which a part of the ring is given up until the next time.
const TRIES: u32 = 4;

/// A part of the ring that is being paged.
#[derive(Debug)]
struct Span {
    /// What is still to come.
    range: Range,
    /// Who was asked for the next page of it, and where the page ended that came.
    asked: Vec<(Guid, Option<u64>)>,
    deadline: Tick,
    pages: usize,
    silences: u32,
}

/// What is being paged, and what for.
#[derive(Debug, Default)]
pub(super) struct Pager {
    spans: Vec<Span>,
    /// When this node met its first peer; whether it asked for its neighbours before and behind it; how many it greeted.
    joined: Option<Tick>,
    asked: bool,
    looked_back: bool,
    greeted: usize,
    /// Since when peers' lists have been another than ours, and when all was paged last.
    different: Option<Tick>,
    paged: Option<Tick>,
    /// Pages asked for since then, and whether our list was another's once.
    pages: u32,
    agreed: bool,
    /// When to page all.
    at: Option<Tick>,
    nameless: BTreeSet<u64>,
    next_name: Tick,
}

impl Pager {
    pub(super) fn next(&self) -> Tick {
        let spans = self.spans.iter().map(|span| span.deadline).min().unwrap_or(Tick::NEVER);
        let names = if self.nameless.is_empty() { Tick::NEVER } else { self.next_name };
        spans.min(names).min(self.at.unwrap_or(Tick::NEVER))
    }

    /// A node was listed whose name nobody told yet.
    pub(super) fn want_name(&mut self, place: u64) {
        if self.nameless.len() < NAMES {
            self.nameless.insert(place);
        }
    }

    pub(super) fn check(&self) {
        assert!(self.spans.len() <= SPANS && self.nameless.len() <= NAMES);
        assert!(self.spans.iter().all(|span| span.asked.len() <= VOUCHES));
    }
}

impl Peers {
    /// The nodes that we list as alive in a part of the ring, as many as fit a HELLO; but not the one whom it is for.
    pub(in crate::proto) fn cards(&self, to: Guid, range: Range) -> CardPage {
        let mut room = MIN_MAX_BODY - HELLO_FRAME;
        let (mut page, mut end) = (Vec::new(), range.to);
        for (place, entry) in self.table.range(range).filter(|(_, entry)| entry.guid != to) {
            // Whose name nobody told us is passed on by those who know it.
            let Some(name) = Name::new(self.table.name(entry)) else { continue };
            let size = Card::size(entry.called.len());
            if size > room || page.len() == CARDS {
                end = place;
                break;
            }
            room -= size;
            let (guid, addr) = (entry.guid, Address(self.addr(&entry.guid).unwrap_or(entry.addr())));
            page.push(Card { guid, addr, incarnation: entry.incarnation, name });
        }
        CardPage { range: Range { from: range.from, to: end }, cards: List::new(page) }
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
        let is_it = |span: &&mut Span| {
            span.range.from == page.range.from && span.asked.iter().any(|(guid, end)| *guid == teller && end.is_none())
        };
        let Some(span) = self.pager.spans.iter_mut().find(is_it) else { return };
        // A page that ends where it began, or outside, is the last.
        let end =
            if page.range.is_empty() || page.range.len() > span.range.len() { span.range.to } else { page.range.to };
        span.asked.iter_mut().filter(|(guid, _)| *guid == teller).for_each(|asked| asked.1 = Some(end));
        if span.asked.iter().all(|(_, end)| end.is_some()) {
            span.deadline = now;
        }
        self.turn_pages(now);
    }

    /// A peer said whom it knows to be alive.
    pub(in crate::proto) fn compare_list(&mut self, now: Tick, theirs: ListState) {
        let ours = self.list();
        if theirs == ours {
            (self.pager.different, self.pager.at, self.pager.agreed) = (None, None, true);
            return;
        }
        let joining = self.is_joining(now);
        if joining && !self.pager.looked_back {
            self.look_back(theirs.count);
        }
        let often = NEWCOMER_AGAIN.max(PER_PAGE * self.pager.pages);
        let (wait, again) = if joining { (Duration::ZERO, often) } else { (DIFFERENT, AGAIN) };
        let since = *self.pager.different.get_or_insert(now);
        let due = now.since(since) >= wait && self.pager.paged.is_none_or(|paged| now.since(paged) >= again);
        if due && self.pager.spans.is_empty() && self.pager.at.is_none() {
            self.pager.at = Some(now + if joining { NEWCOMER_FIRST } else { Duration::ZERO });
        }
    }

    /// A handshake: the first one makes this node a member.
    pub(super) fn note_joined(&mut self, now: Tick) {
        self.pager.joined.get_or_insert(now);
    }

    fn is_joining(&self, now: Tick) -> bool {
        let span = if self.pager.agreed { NEWCOMER } else { NEWCOMER_MOST };
        self.pager.joined.is_some_and(|joined| now.since(joined) < span)
    }

    /// This node registered with a peer. The first time it asks for its neighbours on the ring at once.
    pub(in crate::proto) fn join(&mut self, guid: Guid) {
        if !self.pager.asked {
            self.pager.asked = true;
            self.errands.push_back(Errand::Ask(guid, Range::all_but(self.place)));
        }
    }

    /// Pages whose answers are here, or overdue.
    pub(super) fn turn_pages(&mut self, now: Tick) {
        if self.pager.at.is_some_and(|at| at <= now) {
            self.pager.at = None;
            self.begin_paging(now);
        }
        for mut span in std::mem::take(&mut self.pager.spans) {
            if span.deadline > now || self.next_page(now, &mut span) {
                self.pager.spans.push(span);
            }
        }
        if self.pager.next_name <= now && !self.pager.nameless.is_empty() {
            self.pager.next_name = now + NAMES_GAP;
            while let Some(place) = self.pager.nameless.pop_first() {
                if self.table.at(place).is_some_and(|entry| entry.called.is_empty() && entry.reach().answers()) {
                    let range = Range { from: place, to: place.wrapping_add(1) };
                    let whom = self.some_contacts(1, None);
                    self.errands.extend(whom.into_iter().map(|guid| Errand::Ask(guid, range)));
                    break;
                }
            }
        }
    }

    fn begin_paging(&mut self, now: Tick) {
        let met = self.some_contacts(SPANS, None).len();
        (self.pager.paged, self.pager.pages) = (Some(now), 0);
        let step = if met <= 1 { u64::MAX } else { u64::MAX / met as u64 };
        let end = Range::all_but(self.place);
        for k in 0..met as u64 {
            let from = end.from.wrapping_add(step.wrapping_mul(k));
            let to = if k + 1 == met as u64 { end.to } else { from.wrapping_add(step) };
            let (asked, deadline) = (Vec::new(), now);
            self.pager.spans.push(Span { range: Range { from, to }, asked, deadline, pages: 0, silences: 0 });
        }
    }

    /// Asks for the next page of a part; false when there is none.
    fn next_page(&mut self, now: Tick, span: &mut Span) -> bool {
        let Range { from, to } = span.range;
        let nearest = span.asked.iter().filter_map(|(_, end)| *end).min_by_key(|end| end.wrapping_sub(from));
        match nearest {
            Some(end) => (span.range.from, span.silences) = (end, 0),
            None if !span.asked.is_empty() => span.silences += 1,
            None => {}
        }
        span.pages += 1;
        if span.range.from == to || span.pages > PAGES_PER_SPAN || span.silences > TRIES {
            return false;
        }
        span.asked = self.some_contacts(VOUCHES, None).into_iter().map(|guid| (guid, None)).collect();
        span.deadline = now + PATIENCE;
        self.pager.pages += span.asked.len() as u32;
        for &(guid, _) in &span.asked {
            self.errands.push_back(Errand::Ask(guid, span.range));
        }
        !span.asked.is_empty()
    }

    /// The neighbours that stand behind this node on the ring, in a network of so many.
    fn look_back(&mut self, nodes: u32) {
        self.pager.looked_back = true;
        let width = (u64::MAX / u64::from(nodes.max(1))).saturating_mul(NEIGHBOURS as u64 / 2);
        let range = Range { from: self.place.wrapping_sub(width), to: self.place };
        let whom = self.some_contacts(1, None);
        self.errands.extend(whom.into_iter().map(|guid| Errand::Ask(guid, range)));
    }

    /// Records are handed down along the ring, so a newcomer must be known to those who stand next to it.
    fn greet_neighbours(&mut self, now: Tick, cards: &[Card]) {
        let joining = self.is_joining(now);
        for card in cards.iter().filter(|_| joining) {
            let met = self.contacts.get(&card.guid).is_some_and(|contact| contact.met.is_some());
            if self.pager.greeted < NEIGHBOURS && !met && self.is_live(&card.guid) {
                self.pager.greeted += 1;
                self.errands.push_back(Errand::Hello(card.guid));
            }
        }
    }
}
