//! [`Held`]: which records came, for the kinds that leave it to their user to remember that.

use crate::node::{Later, Wrong};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::time::{ClockId, clock_gettime};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// See the module; a handle, cheap to clone.
#[derive(Clone)]
pub struct Held(Arc<Inner>);

struct Inner {
    bits: Mutex<Vec<u64>>,
    /// How many, and when the last one came.
    count: watch::Sender<(u64, u64)>,
}

impl Held {
    /// Nothing yet.
    pub fn new() -> Held {
        Held(Arc::new(Inner { bits: Mutex::default(), count: watch::Sender::new((0, 0)) }))
    }

    /// Takes one down by what it says; whether it is new.
    pub fn take(&self, record: &[u8]) -> bool {
        number(record).is_some_and(|number| self.take_number(number))
    }

    /// The same by its number.
    pub fn take_number(&self, number: u64) -> bool {
        let (word, bit) = ((number / 64) as usize, 1 << (number % 64));
        let mut bits = self.0.bits.lock().unwrap_or_else(|poison| poison.into_inner());
        if bits.len() <= word {
            bits.resize(word + 1, 0);
        }
        let new = bits[word] & bit == 0;
        if new {
            bits[word] |= bit;
            self.0.count.send_modify(|(count, at)| (*count, *at) = (*count + 1, now()));
        }
        new
    }

    /// Takes it that so many came.
    pub fn set(&self, held: u64) {
        self.0.count.send_modify(|(count, at)| (*count, *at) = (held, now()));
    }

    /// Waits until so many came, or for that long.
    pub fn when(&self, count: u64, patience: Duration) -> Later<'_, (u64, u64)> {
        let mut counted = self.0.count.subscribe();
        Box::pin(async move {
            let enough = counted.wait_for(|(held, _)| *held >= count);
            if let Ok(enough) = tokio::time::timeout(patience, enough).await {
                return Ok(*enough.map_err(Wrong::from)?);
            }
            Ok(*self.0.count.borrow())
        })
    }
}

/// A record of so many bytes: its number, and letters that no compression makes much shorter, as some of the kinds try.
pub fn text(number: u64, size: usize) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut random = StdRng::seed_from_u64(number);
    let mut text = format!("{number} ");
    while text.len() < size {
        text.push(char::from(letters[random.random_range(0..letters.len())]));
    }
    text
}

/// The number that a record begins with.
pub fn number(record: &[u8]) -> Option<u64> {
    let end = record.iter().position(|byte| *byte == b' ')?;
    std::str::from_utf8(&record[..end]).ok()?.parse().ok()
}

/// Nanoseconds of the machine's monotonic clock.
pub fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
