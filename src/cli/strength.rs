//! [`Strength`]: roughly how hard a password is to guess.

use std::fmt;
use zeroize::Zeroizing;

/// How hard a password is to guess, by the patterns that people follow when they make one up (Wheeler, "zxcvbn: Low-Budget
/// Password Strength Estimation", USENIX Security 2016).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Strength {
    /// The decimal logarithm of the number of guesses.
    guesses: f64,
}

/// Guesses a second of one computer: each takes 64 MiB and about 0.2 s of a core, of which it has eight.
const GUESSES: f64 = 40.0;
/// Computers of somebody who means it.
const MANY: f64 = 1000.0;
const YEAR: f64 = 365.25 * 86_400.0;

impl Strength {
    /// That of a password.
    pub fn of(password: &[u8]) -> Strength {
        // What is no text is no word of a list either; its bytes are looked at as if they were letters.
        let text = Zeroizing::new(String::from_utf8_lossy(password).into_owned());
        Strength { guesses: zxcvbn::zxcvbn(&text, &["gossip", "node"]).guesses_log10() }
    }

    /// Whether one computer guesses it within a year.
    pub fn is_weak(self) -> bool {
        self.seconds() < YEAR
    }

    /// How long one computer takes for half of the guesses.
    fn seconds(self) -> f64 {
        10_f64.powf(self.guesses) / 2.0 / GUESSES
    }
}

impl fmt::Display for Strength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, many) = (span(self.seconds()), span(self.seconds() / MANY));
        let verdict = match self.seconds() {
            seconds if seconds < YEAR => "weak",
            seconds if seconds < 100.0 * MANY * YEAR => "fair",
            _ => "strong",
        };
        write!(f, "{verdict}: whoever records a datagram guesses it in {one} on one computer")?;
        if many != one { write!(f, ", in {many} on a thousand") } else { Ok(()) }
    }
}

/// A time to guess something, as roughly as it is known.
fn span(seconds: f64) -> String {
    let units = [(YEAR, "year"), (86_400.0, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second")];
    match units.iter().find(|(unit, _)| seconds >= *unit) {
        None => "less than a second".to_owned(),
        Some((unit, _)) if seconds / unit >= 1e6 => "more than a million years".to_owned(),
        Some((unit, name)) => {
            let count = (seconds / unit).round();
            format!("about {count:.0} {name}{}", if count == 1.0 { "" } else { "s" })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_roughly_as_they_are_known() {
        for (seconds, told) in [
            (0.2, "less than a second"),
            (1.0, "about 1 second"),
            (90.0, "about 2 minutes"),
            (86_400.0 * 3.0, "about 3 days"),
            (YEAR * 40.0, "about 40 years"),
            (YEAR * 1e7, "more than a million years"),
        ] {
            assert_eq!(span(seconds), told);
        }
    }
}
