//! The install rule: whose session takes whose place, and who must go for it.

use super::echo::Sent;
use super::rule::Rule;
use super::table::Entry;
use super::tombstones::Trace;
use super::window::Window;
use super::{Installed, Sessions};
use crate::proto::gossip::Guid;
use crate::proto::limits::{SESSIONS, TOMBSTONE, TOMBSTONES};
use crate::proto::seal::Header;
use crate::proto::stats::Rejected;
use crate::proto::time::Tick;
use std::net::{IpAddr, SocketAddr};

impl Sessions {
    /// The install rule. What it rejects changes nothing.
    pub(super) fn install(
        &mut self,
        now: Tick,
        from: SocketAddr,
        header: &Header,
        guid: Guid,
        epoch: u64,
    ) -> Result<Installed, Rejected> {
        let (session, counter) = (header.src_session, header.counter);
        if guid == self.guid {
            return Err(Rejected::Order);
        }
        // Sessions are random: only a peer who lies has another one's.
        if session == 0 || self.table.get(session).is_some_and(|entry| entry.guid != guid) {
            return Err(Rejected::Session);
        }
        self.tombstones.expire(now);
        let live = self.table.session(guid);
        let last = self.entry(guid).zip(live).map(|(entry, session)| entry.trace(session));
        let last = last.or_else(|| self.tombstones.get(guid));
        if last.is_some_and(|last| !self.follows(now, header, epoch, &last)) {
            return Err(Rejected::Order);
        }
        if let Some(leaver) = self.leaver(guid, from.ip()) {
            let own = usize::from(self.tombstones.get(guid).is_some());
            if self.tombstones.len() - own >= TOMBSTONES {
                return Err(Rejected::Full);
            }
            self.tombstones.remove(guid);
            self.evict(now, leaver);
        }
        self.tombstones.remove(guid);
        let old = live.and_then(|live| self.table.remove(live));
        let (window, sent) = match old {
            // Handshakes that cross install it twice: what it said in between may still be on its way.
            Some(mut old) if live == Some(session) => {
                if old.addr != from {
                    old.sent.forget(now);
                }
                old.window.accept(counter);
                (old.window, old.sent)
            }
            old => {
                self.fold(old.as_ref());
                let floor = last.filter(|last| last.session == session).map_or(counter, |last| last.top.max(counter));
                (Window::new(if self.lacks(Rule::Floor) { 0 } else { floor }), Sent::new(self.tx_floor))
            }
        };
        self.table.insert(session, Entry::new(now, guid, from, epoch, window, sent));
        Ok(Installed { new: live != Some(session) })
    }

    /// Whether the session that `header` and `epoch` describe comes after the `last` one that its GUID had with us.
    fn follows(&self, now: Tick, header: &Header, epoch: u64, last: &Trace) -> bool {
        let newer = header.counter > last.top;
        if self.lacks(Rule::Epoch) {
            return header.src_session != last.session || newer;
        }
        // Only copies of one home have sessions of one epoch; they settle it in the same order (see `handle_register`).
        (epoch, header.src_session) > (last.epoch, last.session)
            || (header.src_session == last.session && newer)
            || now.since(last.heard) >= TOMBSTONE
            || self.lacks(Rule::Order)
    }

    /// Who must go so that `guid` may live at `ip`: the most silent one there if it is crowded, or of all.
    fn leaver(&self, guid: Guid, ip: IpAddr) -> Option<u64> {
        match self.entry(guid) {
            Some(entry) if entry.addr.ip() == ip => None,
            Some(_) => self.table.most_silent_in_crowd(ip),
            None => (self.table.most_silent_in_crowd(ip))
                .or_else(|| self.table.most_silent().filter(|_| self.table.len() >= SESSIONS)),
        }
    }

    pub(super) fn evict(&mut self, now: Tick, session: u64) {
        let Some(entry) = self.table.remove(session) else { return };
        if !self.lacks(Rule::TxFloor) {
            self.fold(Some(&entry));
        }
        if !self.lacks(Rule::Tombstone) {
            self.tombstones.insert(now, entry.guid, entry.trace(session));
        }
    }

    fn fold(&mut self, gone: Option<&Entry>) {
        self.tx_floor = gone.map_or(self.tx_floor, |gone| self.tx_floor.max(gone.sent.last()));
    }
}
