//! Favours: peers that are probed for others, on their request (HELLO_FOR).

use super::{Errand, Peers};
use crate::proto::gossip::Guid;
use crate::proto::limits::{FAVOURS, PROBES};
use crate::proto::time::Tick;
use crate::proto::wire::{self, Address, HelloFor};

/// A probe on behalf of another peer.
#[derive(Clone, Debug)]
pub(super) struct Favour {
    asker: Guid,
    ask: HelloFor,
    /// When it is repeated, and when to say that there was no answer; said: never.
    repeat: Tick,
    silent: Tick,
    end: Tick,
}

impl Favour {
    /// When something is to be done for it.
    pub(super) fn next(&self) -> Tick {
        self.repeat.min(self.silent).min(self.end)
    }
}

impl Peers {
    /// A peer asks to have another one probed. Who asks again while that is under way hears again what is said of it so far;
    /// afterwards it begins anew: what was said may be lost.
    pub(super) fn take_favour(&mut self, now: Tick, asker: Guid, ask: HelloFor) {
        let same =
            |favour: &&mut Favour| (favour.asker, favour.ask.guid, favour.ask.stamp) == (asker, ask.guid, ask.stamp);
        if let Some(favour) = self.favours.iter_mut().find(same) {
            favour.silent = if favour.silent == Tick::NEVER { now } else { favour.silent };
            return self.continue_favours(now);
        }
        let asked = self.favours.iter().filter(|favour| favour.asker == asker).count();
        if self.favours.len() >= FAVOURS || asked >= PROBES || ask.guid == self.me {
            return;
        }
        let (_, most) = self.timing.probe_timeout;
        let silent = now + most.mul_f64(0.8);
        self.favours.push(Favour { asker, ask, repeat: now, silent, end: now + most * 3 });
        self.continue_favours(now);
    }

    /// It answered: those who asked hear of it.
    pub(super) fn end_favours(&mut self, guid: &Guid) {
        let at = self.addr(guid);
        let Peers { favours, errands, .. } = self;
        favours.retain(|favour| {
            let done = favour.ask.guid == *guid;
            if done {
                let addr = at.map_or(favour.ask.addr, Address);
                let answer = HelloFor { errand: wire::ProbeWord::Answered, addr, ..favour.ask };
                errands.push_back(Errand::For(favour.asker, answer));
            }
            !done
        });
    }

    /// Repeats what was not answered, and says so in time.
    pub(super) fn continue_favours(&mut self, now: Tick) {
        let Peers { favours, errands, table, timing, .. } = self;
        for favour in favours.iter_mut().filter(|favour| favour.repeat <= now) {
            let next = now + timing.probe_timeout.0;
            favour.repeat = if next < favour.silent { next } else { Tick::NEVER };
            // Only whom we know ourselves, and where we know it: nobody is sent to an address by another's word.
            if table.find(&favour.ask.guid).is_some() {
                errands.push_back(Errand::Hello(favour.ask.guid));
            }
        }
        for favour in favours.iter_mut().filter(|favour| favour.silent <= now) {
            favour.silent = Tick::NEVER;
            let answer = HelloFor { errand: wire::ProbeWord::Silent, ..favour.ask };
            errands.push_back(Errand::For(favour.asker, answer));
        }
        favours.retain(|favour| favour.end > now);
    }
}
