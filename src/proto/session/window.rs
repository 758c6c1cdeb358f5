//! [`Window`]: which of a peer's counters were here already.

use crate::proto::limits::REPLAY_WINDOW;

/// One word more than the window has, so that the oldest of its bits still have a word of their own while the newest
/// word fills (RFC 6479, section 2).
const WORDS: u64 = REPLAY_WINDOW / 64 + 1;

/// The replay window of RFC 6479: a ring of words that never shifts, with a floor below which all counts as seen. It
/// begins with the floor's word and grows with what comes: most sessions of a large network carry a few datagrams.
#[derive(Clone, Debug)]
pub(super) struct Window {
    floor: u64,
    top: u64,
    words: Vec<u64>,
}

impl Window {
    /// A window in which `floor` and all below it were seen.
    pub(super) fn new(floor: u64) -> Window {
        Window { floor, top: floor, words: Vec::new() }
    }

    /// The highest counter seen.
    pub(super) fn top(&self) -> u64 {
        self.top
    }

    /// Takes a counter; false if it was seen, or lies below the window, so that nobody can tell.
    pub(super) fn accept(&mut self, counter: u64) -> bool {
        if counter <= self.floor || self.top.saturating_sub(counter) >= REPLAY_WINDOW {
            return false;
        }
        if counter > self.top {
            let (old, new) = (self.top / 64, counter / 64);
            let words = (new - self.floor / 64 + 1).min(WORDS) as usize;
            if self.words.len() < words {
                self.words.resize(words, 0);
            }
            for block in (old + 1..=new).take(WORDS as usize) {
                let word = self.word(block);
                self.words[word] = 0;
            }
            self.top = counter;
        }
        let (word, bit) = (self.word(counter / 64), 1 << (counter % 64));
        let fresh = self.words[word] & bit == 0;
        self.words[word] |= bit;
        fresh
    }

    fn word(&self, block: u64) -> usize {
        ((block - self.floor / 64) % WORDS) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use std::collections::BTreeSet;

    #[test]
    fn it_agrees_with_a_plain_set() {
        for seed in 0..200 {
            let mut rng = rand::rngs::ChaCha8Rng::seed_from_u64(seed);
            let floor = rng.random_range(0..5000);
            let (mut window, mut top, mut seen) = (Window::new(floor), floor, BTreeSet::new());
            for _ in 0..2000 {
                let span = [4, 200, 3000, 9000][rng.random_range(0..4)];
                let counter = (top + rng.random_range(0..span)).saturating_sub(rng.random_range(0..span));
                let expected = counter > floor && counter + REPLAY_WINDOW > top && seen.insert(counter);
                assert_eq!(window.accept(counter), expected, "seed {seed}: {counter} at {top}, floor {floor}");
                top = top.max(if expected { counter } else { 0 });
                assert_eq!(window.top(), top, "seed {seed}");
            }
        }
    }

    #[test]
    fn it_holds_exactly_its_bits_and_the_far_end_of_counting() {
        let mut window = Window::new(0);
        assert!(!window.accept(0));
        assert!(window.accept(REPLAY_WINDOW + 1));
        assert!(!window.accept(1));
        assert!(window.accept(2));
        assert!(!window.accept(2));
        assert!(window.accept(u64::MAX));
        assert!(!window.accept(u64::MAX));
        assert!(window.accept(u64::MAX - REPLAY_WINDOW + 1));
        assert!(!window.accept(u64::MAX - REPLAY_WINDOW));
    }
}
