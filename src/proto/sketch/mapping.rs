//! [`Item`]: a GUID hashed under the network's key, and [`Indices`]: the symbols that it is mapped to. Both are part of
//! the wire format: nodes subtract each other's symbols, so one index that differs spoils them all. Hence integers only
//! (an f64 square root may differ in its last bit between machines, and takes 2.5 times as long).

use crate::proto::gossip::Guid;
use crate::proto::limits::MAX_PREFIX;
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
    #[inline]
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
    /// The next index if it is less than `end`, which is at most [`MAX_PREFIX`]; a later call with a greater `end` goes
    /// on from there.
    #[inline]
    pub(super) fn below(&mut self, end: usize) -> Option<usize> {
        let index = self.index;
        if index >= end as u64 {
            return None;
        }
        // i + ceil((i + 1.5)(x - 1)) is floor(x (i + 1.5) - 0.5), but where that is whole before it is rounded.
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let product = inverse_root(mix(self.state)).wrapping_mul(index.wrapping_mul(2).wrapping_add(3));
        self.index = product.wrapping_sub(ONE) >> (FRACTION + 1);
        Some(index as usize)
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
const FRACTION: u32 = 27;
const ONE: u64 = 1 << FRACTION;
/// (k / 1024)^-1/2, rounded down, for k from [`FIRST`] on.
static TABLE: [u32; 1025] = {
    let mut table = [0; 1025];
    let mut k = FIRST;
    while k <= 1024 {
        table[k] = ((1u128 << (2 * FRACTION + 10)) / k as u128).isqrt() as u32;
        k += 1;
    }
    table
};
const FIRST: usize = 4;
/// The least u is 2^-32.
const LEAST: u64 = 1 << 32;

const _: () = {
    let (least_root, greatest_weight) = (1 << (16 + FRACTION), 2 * (MAX_PREFIX as u128 - 1) + 3);
    assert!(least_root * greatest_weight <= u64::MAX as u128, "no product overflows");
    assert!((least_root * 3 - ONE as u128) >> (FRACTION + 1) >= MAX_PREFIX as u128, "no index is out of reach of 0");
};

/// u^-1/2 of u = `random` / 2^64, interpolated between entries of the table; its error is below 2e-6 for u above 1/4,
/// and at most 0.6 %. Where u is too small for the table, it is multiplied by 256 and its root by 16. That branch is
/// seldom taken, and so much cheaper than to normalise each u.
#[inline]
fn inverse_root(random: u64) -> u64 {
    let mut random = random | LEAST;
    let mut shift = 0;
    while random < (FIRST as u64) << 54 {
        random <<= 8;
        shift += 4;
    }
    let entry = (random >> 54) as usize;
    let part = random >> 22 & 0xFFFF_FFFF;
    let (low, high) = (u64::from(TABLE[entry]), u64::from(TABLE[entry + 1]));
    low.wrapping_sub(low.wrapping_sub(high).wrapping_mul(part) >> 32) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(n: u8) -> Item {
        Item::new(&SipHasher24::new_with_key(&[9; 16]), Guid([n; 16]))
    }

    #[test]
    fn the_inverse_root_is_frozen_and_close() {
        let entries = [3, 4, 5, 256, 257, 1023, 1024].map(|k: usize| TABLE[k]);
        assert_eq!(entries, [0, 1 << 31, 1_920_767_766, 1 << 28, 267_912_699, 134_283_312, 1 << 27]);
        let roots = [u64::MAX, 1 << 62, 1 << 56, 1 << 48, 0].map(inverse_root);
        assert_eq!(roots, [ONE + 1, ONE << 1, 2_147_483_594, 34_359_516_976, ONE << 16]);
        let mut state = 0;
        for _ in 0..10_000 {
            state = mix(state + 1);
            let random = state >> (state & 31);
            let u = (random | LEAST) as f64 / 2f64.powi(64);
            let error = inverse_root(random) as f64 / ONE as f64 / u.powf(-0.5) - 1.0;
            assert!(error.abs() < if u > 0.25 { 2e-6 } else { 0.006 }, "{random:#x}: {error}");
        }
    }

    #[test]
    fn the_mapping_is_frozen() {
        let first = |n| {
            let mut indices = item(n).indices();
            std::array::from_fn::<_, 10, _>(|_| indices.below(MAX_PREFIX).unwrap())
        };
        // Computed by a second implementation, in another language.
        assert_eq!(first(1), [0, 2, 3, 6, 19, 48, 78, 189, 553, 578]);
        assert_eq!(first(2), [0, 1, 6, 11, 19, 26, 33, 35, 52, 78]);
        assert_eq!(first(0xFF), [0, 2, 13, 25, 35, 40, 78, 109, 124, 146]);
        let (mut sum, mut count) = (0, 0);
        for n in 0..=u8::MAX {
            let mut indices = item(n).indices();
            while let Some(index) = indices.below(MAX_PREFIX) {
                (sum, count) = (sum + index, count + 1);
            }
        }
        assert_eq!((sum, count), (33_704_435, 5_461));
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
            move || indices.below(MAX_PREFIX)
        })
        .collect();
        let mut indices = item(3).indices();
        let mut pieces = Vec::new();
        for end in [0, 1, 7, 44, 44, 91, 1000, MAX_PREFIX] {
            while let Some(index) = indices.below(end) {
                pieces.push(index);
            }
        }
        assert_eq!(all, pieces);
        assert!(all.is_sorted() && all.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
