//! [`passphrase`]: random words for who has no password in mind.

use super::failure::Failure;
use super::random::random;
use zeroize::Zeroizing;

/// Words of a passphrase.
const WORDS: usize = 5;

/// A passphrase of random words, and its strength in bits: the list has 7,776 words (Bonneau, "EFF's New Wordlists for Random
/// Passphrases", 2016), each of which adds 12.9 bits.
pub fn passphrase() -> Result<(Zeroizing<String>, u32), Failure> {
    let list = diceware_wordlists::EFF_LONG_WORDLIST.as_slice();
    let mut words = Vec::new();
    while words.len() < WORDS {
        let draw: [u8; 16] = random()?;
        for pair in draw.as_chunks::<2>().0 {
            // What is beyond the last whole list would make its first words more likely.
            let number = usize::from(u16::from_le_bytes(*pair));
            if number < 65_536 / list.len() * list.len() && words.len() < WORDS {
                words.extend(list.get(number % list.len()).copied());
            }
        }
    }
    Ok((Zeroizing::new(words.join(" ")), (WORDS as f64 * (list.len() as f64).log2()) as u32))
}

#[cfg(test)]
mod tests {
    use super::super::strength::Strength;
    use super::*;

    #[test]
    fn a_passphrase_is_five_random_words_and_strong() {
        let (one, bits) = passphrase().unwrap();
        assert_eq!((one.split(' ').count(), bits), (WORDS, 64));
        assert_ne!(*one, *passphrase().unwrap().0);
        let strength = Strength::of(one.as_bytes());
        assert!(!strength.is_weak(), "{strength}");
    }
}
