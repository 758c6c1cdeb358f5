//! [`Names`]: what nodes are called, one name behind the other: a name of its own in memory would take three times as
//! much as most names have.

use crate::proto::limits::{MAX_NAME, PEERS};

/// Where one name stands: its first byte, and in the lowest bits its length. No name at all has no bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Called(u32);

const LENGTHS: usize = 128;
const _: () = assert!(MAX_NAME < LENGTHS && (PEERS + WASTE) * 2 * MAX_NAME * LENGTHS <= u32::MAX as usize);

impl Called {
    pub(super) fn is_empty(self) -> bool {
        self.len() == 0
    }

    pub(super) fn len(self) -> usize {
        self.0 as usize % LENGTHS
    }

    fn at(self) -> usize {
        self.0 as usize / LENGTHS
    }
}

/// Less than so many bytes are not worth the trouble.
const WASTE: usize = 1024;

/// What nobody is called any more stays until it is half of all.
#[derive(Debug, Default)]
pub(super) struct Names {
    text: String,
    unused: usize,
}

impl Names {
    pub(super) fn get(&self, called: Called) -> &str {
        self.text.get(called.at()..called.at() + called.len()).unwrap_or_default()
    }

    /// A name that is too long is none.
    pub(super) fn add(&mut self, name: &str) -> Called {
        let Ok(at) = u32::try_from(self.text.len() * LENGTHS) else { return Called::default() };
        if name.len() >= LENGTHS {
            return Called::default();
        }
        self.text.push_str(name);
        Called(at | name.len() as u32)
    }

    pub(super) fn remove(&mut self, called: Called) {
        self.unused += called.len();
    }

    /// Whether it is time to move those in use together.
    pub(super) fn is_wasteful(&self) -> bool {
        self.unused > WASTE && self.unused * 2 > self.text.len()
    }

    /// Moves those in use, which are all of these, together.
    pub(super) fn tidy<'a>(&mut self, used: impl Iterator<Item = &'a mut Called>) {
        let before = std::mem::take(self);
        self.text.reserve(before.text.len() - before.unused);
        used.for_each(|called| *called = self.add(before.get(*called)));
    }

    pub(super) fn check(&self, used: usize) {
        assert_eq!(self.text.len() - self.unused, used);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_what_they_are_while_others_go() {
        let (mut names, mut used) = (Names::default(), Vec::new());
        for n in 0..2000 {
            used.push((n, names.add(&format!("node-{n}"))));
            if n % 3 > 0 {
                names.remove(used.remove(used.len() / 2).1);
            }
            if names.is_wasteful() {
                names.tidy(used.iter_mut().map(|(_, called)| called));
            }
            names.check(used.iter().map(|(_, called)| called.len()).sum());
        }
        assert!(used.iter().all(|&(n, called)| names.get(called) == format!("node-{n}")));
        assert!(names.text.len() < 2 * 9 * used.len() + WASTE + MAX_NAME);
        assert!(names.get(Called::default()).is_empty() && names.add(&"x".repeat(LENGTHS)).is_empty());
    }
}
