//! [`Item`]: a GUID hashed under the network's key, and [`Indices`]: the symbols that it is mapped to. Both are part of
//! the wire format: nodes subtract each other's symbols, so one index that differs spoils them all. Hence integers only
//! (an f64 square root may differ in its last bit between machines, and takes 2.5 times as long).

use crate::proto::gossip::Guid;
use crate::proto::sketch::Symbol;
use siphasher::sip128::SipHasher24;

/// A GUID with its keyed 128-bit hash, of which every part of a sketch is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    guid: Guid,
    low: u64,
    high: u64,
}

impl Item {
    pub(super) fn new(hasher: &SipHasher24, guid: Guid) -> Item {
        let hash = hasher.hash(&guid.0);
        Item { guid, low: hash.h1, high: hash.h2 }
    }

    /// The whole hash, which a root sums up.
    pub(super) fn hash(&self) -> u128 {
        u128::from(self.high) << 64 | u128::from(self.low)
    }

    /// What the item adds to each of its symbols. The checksum is odd, so that the checksum of a symbol gives the
    /// parity of its items, and half of the symbols need no hash to see that they hold more than one.
    pub(super) fn symbol(&self) -> Symbol {
        Symbol { sum: self.guid.0, check: self.high | 1 }
    }

    /// Bits that say for each counter of the estimator whether the item raises (1) or lowers it: as many as 36, taken
    /// from the hash's end.
    pub(super) fn signs(&self) -> u64 {
        self.high >> 28
    }

    /// The symbols that the item is mapped to, from the first on.
    pub(super) fn indices(&self) -> Indices {
        Indices { index: 0, state: self.low }
    }
}

/// Where an item goes: index 0, then on and on, index i with probability 1/(1 + i/2) (Yang, Gilad and Alizadeh,
/// "Practical Rateless Set Reconciliation", SIGCOMM 2024, section 4.2). The gap behind index i is
/// ceil((i + 1.5)(u^-1/2 - 1)) for u uniform in (0, 1].
#[derive(Clone, Copy, Debug)]
pub(super) struct Indices {
    index: u64,
    state: u64,
}

impl Indices {
    /// The next index if it is less than `end`; a later call with a greater `end` goes on from there.
    #[inline]
    pub(super) fn below(&mut self, end: usize) -> Option<usize> {
        let index = usize::try_from(self.index).ok().filter(|index| *index < end)?;
        self.advance();
        Some(index)
    }

    #[inline]
    fn advance(&mut self) {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let excess = inverse_root(mix(self.state)).wrapping_sub(ONE);
        let weight = self.index.wrapping_mul(2).wrapping_add(3);
        self.index = self.index.saturating_add((excess.saturating_mul(weight) >> (FRACTION + 1)).wrapping_add(1));
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014). Nothing weaker will do: with a single folded multiply 1 to
/// 3 % of middle-sized differences did not decode, while the mean looked right.
#[inline]
fn mix(state: u64) -> u64 {
    let z = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

/// Bits behind the point of [`TABLE`] and [`inverse_root`].
const FRACTION: u32 = 30;
const ONE: u64 = 1 << FRACTION;

/// (k / 1024)^-1/2, rounded down, for k from 256 on; what is below is shifted up before it is looked up.
static TABLE: [u32; 1025] = {
    let mut table = [0; 1025];
    let mut k = 256;
    while k <= 1024 {
        table[k] = ((1u128 << (2 * FRACTION + 10)) / k as u128).isqrt() as u32;
        k += 1;
    }
    table
};

/// u^-1/2 of u = `random` / 2^64: u is brought to 1/4 <= u < 1 by a power of 4, whose root is a power of 2, and
/// interpolated between entries of the table, with an error below 1.5e-6.
#[inline]
fn inverse_root(random: u64) -> u64 {
    let random = random | 1;
    let shift = random.leading_zeros() & !1;
    let random = random << shift;
    let entry = (random >> 54) as usize;
    let part = random >> 22 & 0xFFFF_FFFF;
    let (low, high) = (u64::from(TABLE[entry]), u64::from(TABLE[entry + 1]));
    let root = low.wrapping_sub(low.wrapping_sub(high).wrapping_mul(part) >> 32);
    root << (shift / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(n: u8) -> Item {
        Item::new(&SipHasher24::new_with_key(&[9; 16]), Guid([n; 16]))
    }

    #[test]
    fn the_inverse_root_is_frozen_and_close() {
        let entries = [255, 256, 257, 1023, 1024].map(|k: usize| TABLE[k]);
        assert_eq!(entries, [0, 1 << 31, 2_143_301_592, 1_074_266_496, 1 << 30]);
        assert_eq!(inverse_root(u64::MAX), ONE + 1);
        assert_eq!(inverse_root(1 << 62), 2 * ONE);
        assert_eq!(inverse_root(0), ONE << 32, "the least u counts as 2^-64, more or less");
        let mut state = 0;
        for _ in 0..10_000 {
            state = mix(state + 1);
            let random = state >> (state & 31);
            let exact = (random as f64 / 2f64.powi(64)).powf(-0.5);
            let error = inverse_root(random) as f64 / ONE as f64 / exact - 1.0;
            assert!(error.abs() < 1.5e-6, "{random:#x}: {error}");
        }
    }

    #[test]
    fn the_mapping_is_frozen() {
        let first = |n| {
            let mut indices = item(n).indices();
            std::array::from_fn::<_, 10, _>(|_| indices.below(usize::MAX).unwrap())
        };
        // Computed by a second implementation, in another language.
        assert_eq!(first(1), [0, 2, 3, 6, 19, 48, 78, 189, 553, 578]);
        assert_eq!(first(2), [0, 1, 6, 11, 19, 26, 33, 35, 52, 78]);
        assert_eq!(first(0xFF), [0, 2, 13, 25, 35, 40, 78, 109, 124, 146]);
    }

    #[test]
    fn the_density_is_that_of_the_paper() {
        let mut hits = [0u32; 64];
        let hasher = SipHasher24::new_with_key(&[9; 16]);
        let trials = 400_000;
        for n in 0..trials {
            let mut indices = Item::new(&hasher, Guid(u128::to_le_bytes(n))).indices();
            while let Some(index) = indices.below(hits.len()) {
                hits[index] += 1;
            }
        }
        for (index, hits) in hits.into_iter().enumerate().skip(4) {
            let ratio = f64::from(hits) / trials as f64 * (1.0 + index as f64 / 2.0);
            assert!((0.97..1.03).contains(&ratio), "index {index}: {ratio}");
        }
    }

    #[test]
    fn a_walk_goes_on_where_it_stopped() {
        let all: Vec<usize> = std::iter::from_fn({
            let mut indices = item(3).indices();
            move || indices.below(100_000)
        })
        .collect();
        let mut indices = item(3).indices();
        let mut pieces = Vec::new();
        for end in [0, 1, 7, 44, 44, 91, 1000, 100_000] {
            while let Some(index) = indices.below(end) {
                pieces.push(index);
            }
        }
        assert_eq!(all, pieces);
        assert!(all.is_sorted() && all.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
