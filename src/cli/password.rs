//! [`Password`]: where a network's password comes from (a file, standard input, a dialogue; never the command line, which
//! everybody on the host can read), and roughly how hard it is to guess.

use super::context::Context;
use super::failure::{Exit, Failure};
use super::random::random;
use crate::display::display_line;
use clap::Args;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Longest password, in bytes: a file that is longer is the wrong file.
const LONGEST: u64 = 4096;

/// A password, wiped from memory when it is dropped.
pub struct Password(Zeroizing<Vec<u8>>);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

impl Password {
    /// The content of a file, without the newline at its end.
    pub fn from_file(path: &Path, context: &Context) -> Result<Password, Failure> {
        let failed = |error: io::Error| {
            Failure::new(Exit::No, format!("cannot read the password from {}", path.display())).why(error.to_string())
        };
        let file = File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            let path = path.display();
            context.note(&format!("warning: others may read {path} (mode {mode:04o}); chmod 600 {path}"));
        }
        Password::read(file)
    }

    /// All of standard input, without the newline at its end.
    pub fn from_stdin() -> Result<Password, Failure> {
        Password::read(io::stdin().lock())
    }

    /// Asked for twice. Whoever has none in mind gets a passphrase.
    pub fn ask(context: &Context, network: &str) -> Result<Password, Failure> {
        let password = dialoguer::Password::new()
            .with_prompt(format!("Password of {network} (empty: make a passphrase)"))
            .with_confirmation("Once more", "These are not the same")
            .allow_empty_password(true)
            .interact()?;
        if !password.is_empty() {
            return Ok(Password(Zeroizing::new(password.into_bytes())));
        }
        let (passphrase, bits) = passphrase()?;
        context.note(&format!(
            "The password is the five words between the quotes, of {bits} bits; every host of the network needs it:\n  \"{}\"",
            *passphrase
        ));
        Ok(Password(Zeroizing::new(passphrase.as_bytes().to_vec())))
    }

    /// Says so where it is weak. Whatever it is, it is taken.
    pub fn warn(&self, context: &Context) {
        let strength = self.strength();
        if strength.is_weak() {
            context.note(&format!("warning: the password is {strength}; five random words are better"));
        }
    }

    fn read(from: impl Read) -> Result<Password, Failure> {
        let mut bytes = Zeroizing::new(Vec::new());
        from.take(LONGEST + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| Failure::new(Exit::No, "cannot read the password").why(error.to_string()))?;
        if bytes.len() as u64 > LONGEST {
            return Err(Failure::new(Exit::Refused, format!("a password has at most {LONGEST} bytes")));
        }
        if bytes.ends_with(b"\n") {
            bytes.pop();
            if bytes.ends_with(b"\r") {
                bytes.pop();
            }
        }
        if bytes.is_empty() {
            return Err(Failure::new(Exit::Refused, "the password is empty")
                .why("everybody could join a network without a password"));
        }
        Ok(Password(bytes))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Says how strong it is: whoever records a datagram can try passwords at leisure.
    pub fn strength(&self) -> Strength {
        // What is no text is no word of a list either; its bytes are looked at as if they were letters.
        let text = Zeroizing::new(String::from_utf8_lossy(&self.0).into_owned());
        Strength { guesses: zxcvbn::zxcvbn(&text, &["gossip", "node"]).guesses_log10() }
    }
}

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
        if many != one { write!(f, ", in {many} on a thousand") } else { write!(f, ", and on a thousand") }
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

/// Words of a passphrase.
const WORDS: usize = 5;

/// A passphrase of random words, and its strength in bits: the list has 7,776 words (Bonneau, "EFF's New Wordlists for Random
/// Passphrases", 2016), each of which adds 12.9 bits.
fn passphrase() -> Result<(Zeroizing<String>, u32), Failure> {
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

/// Where a command takes a password from, as its flags say.
#[derive(Args, Clone, Debug)]
pub struct Source {
    /// Read the password from a file
    #[arg(long, value_name = "FILE", conflicts_with = "password_stdin")]
    password_file: Option<PathBuf>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
}

impl Source {
    /// The password, if the flags say where it is.
    pub fn flags(&self, context: &Context) -> Result<Option<Password>, Failure> {
        match &self.password_file {
            Some(path) => Password::from_file(path, context).map(Some),
            None if self.password_stdin => Password::from_stdin().map(Some),
            None => Ok(None),
        }
    }

    /// The file that it is in, if it is in one.
    pub fn file(&self) -> Option<&Path> {
        self.password_file.as_deref()
    }

    /// Whether they do.
    pub fn is_said(&self) -> bool {
        self.password_file.is_some() || self.password_stdin
    }

    /// Whether standard input is for the password alone.
    pub fn is_stdin(&self) -> bool {
        self.password_stdin
    }

    /// The password, asked for where the flags do not say and somebody is there.
    pub fn password(&self, context: &Context, network: &str) -> Result<Password, Failure> {
        let password = match self.flags(context)? {
            Some(password) => password,
            None if context.is_interactive() && !context.json => Password::ask(context, &display_line(network))?,
            None => {
                return Err(Failure::new(Exit::Usage, "missing: --password-file FILE or --password-stdin")
                    .why("there is no terminal to ask on"));
            }
        };
        password.warn(context);
        Ok(password)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_newline_at_the_end_is_not_part_of_it() {
        for (text, password) in
            [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a ", " a "), ("\na", "\na")]
        {
            assert_eq!(Password::read(text.as_bytes()).unwrap().as_bytes(), password.as_bytes(), "{text:?}");
        }
        for text in ["", "\n", "\r\n"] {
            assert!(Password::read(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(Password::read(&vec![b'a'; LONGEST as usize + 1][..]).is_err());
    }

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

    #[test]
    fn a_passphrase_is_five_random_words_and_strong() {
        let (one, bits) = passphrase().unwrap();
        assert_eq!((one.split(' ').count(), bits), (WORDS, 64));
        assert_ne!(*one, *passphrase().unwrap().0);
        let strength = Password(Zeroizing::new(one.as_bytes().to_vec())).strength();
        assert!(!strength.is_weak(), "{strength}");
    }

    #[test]
    fn strength_is_told_in_rough_terms() {
        let told = |text: &str| Password::read(text.as_bytes()).unwrap().strength().to_string();
        for weak in ["secret", "aaaaaaaaaaaaaaaaaaaaaaaa", "12345678", "Passw0rd!", "gossip-node", "\u{fffd}"] {
            assert!(told(weak).starts_with("weak: "), "{weak}: {}", told(weak));
        }
        assert!(told("tr0ub4dor&3").contains("on one computer, in "));
        for strong in ["correct horse battery staple", "dN2#kq8!Zp0w7Lx%"] {
            assert!(!told(strong).starts_with("weak"), "{strong}: {}", told(strong));
        }
        let random = Password(Zeroizing::new((0..32).map(|n: u8| n.wrapping_mul(197) ^ 0x9d).collect()));
        assert!(random.strength().to_string().starts_with("strong: "), "{}", random.strength());
        assert!(!format!("{:?}", Password::read(&b"secret"[..]).unwrap()).contains("secret"));
    }
}
