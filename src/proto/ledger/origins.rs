//! [`Origins`]: the nodes of whom records are held, numbered, so that a record costs four bytes for its origin.

use crate::proto::gossip::Guid;
use std::collections::BTreeMap;

#[derive(Default)]
struct Origin {
    guid: Guid,
    records: u32,
    messages: u32,
}

/// As many as there are origins of records held; the number of one that is there no more is given to another.
#[derive(Default)]
pub(super) struct Origins {
    all: Vec<Origin>,
    numbers: BTreeMap<Guid, u32>,
    free: Vec<u32>,
}

impl Origins {
    /// A record of this origin is held: the origin's number.
    pub(super) fn enter(&mut self, guid: Guid, message: bool) -> u32 {
        let number = match self.numbers.get(&guid) {
            Some(&number) => number,
            None => {
                let number = self.free.pop().unwrap_or_else(|| {
                    self.all.push(Origin::default());
                    self.all.len() as u32 - 1
                });
                self.numbers.insert(guid, number);
                number
            }
        };
        let origin = &mut self.all[number as usize];
        origin.guid = guid;
        origin.records += 1;
        origin.messages += u32::from(message);
        number
    }

    /// One of them is held no more.
    pub(super) fn leave(&mut self, number: u32, message: bool) {
        let origin = &mut self.all[number as usize];
        origin.records -= 1;
        origin.messages -= u32::from(message);
        if origin.records == 0 {
            self.numbers.remove(&origin.guid);
            self.free.push(number);
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Guid> + '_ {
        self.numbers.keys().copied()
    }

    pub(super) fn guid(&self, number: u32) -> Guid {
        self.all[number as usize].guid
    }

    pub(super) fn messages_of(&self, guid: &Guid) -> u32 {
        self.numbers.get(guid).map_or(0, |&number| self.all[number as usize].messages)
    }

    /// Panics if something is numbered wrongly; returns how many records there are of all.
    pub(super) fn check(&self) -> u64 {
        assert_eq!(self.numbers.len() + self.free.len(), self.all.len());
        self.numbers.values().map(|&number| u64::from(self.all[number as usize].records)).sum()
    }
}
