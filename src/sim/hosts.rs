//! [`Hosts`]: all simulated hosts by number, in parts that can be lent to whoever has them do something.

use super::host::Host;
use std::ops::{Index, IndexMut};

/// How many hosts are lent together.
const PART: usize = 32;

#[derive(Default)]
pub(super) struct Hosts {
    parts: Vec<Vec<Host>>,
    len: usize,
}

impl Hosts {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, host: Host) {
        if self.len.is_multiple_of(PART) {
            self.parts.push(Vec::with_capacity(PART));
        }
        self.parts[self.len / PART].push(host);
        self.len += 1;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Host> {
        self.parts.iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Host> {
        self.parts.iter_mut().flatten()
    }

    /// In which part a host is, and where in it.
    pub(super) fn part_of(host: usize) -> (usize, usize) {
        (host / PART, host % PART)
    }

    /// The number of a host in a part.
    pub(super) fn number(part: usize, host: usize) -> usize {
        part * PART + host
    }

    /// How many parts there are.
    pub(super) fn parts(&self) -> usize {
        self.parts.len()
    }

    /// A part, which is to be [given back](Hosts::give_back) before any of its hosts is asked for.
    pub(super) fn lend(&mut self, part: usize) -> Vec<Host> {
        std::mem::take(&mut self.parts[part])
    }

    pub(super) fn give_back(&mut self, part: usize, hosts: Vec<Host>) {
        self.parts[part] = hosts;
    }
}

impl Index<usize> for Hosts {
    type Output = Host;

    fn index(&self, host: usize) -> &Host {
        &self.parts[host / PART][host % PART]
    }
}

impl IndexMut<usize> for Hosts {
    fn index_mut(&mut self, host: usize) -> &mut Host {
        &mut self.parts[host / PART][host % PART]
    }
}
