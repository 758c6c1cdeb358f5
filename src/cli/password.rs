//! [`Password`]: where a network's password comes from (a file, standard input, a dialogue; never the command line, which
//! everybody on the host can read), and roughly how hard it is to guess.

use super::context::Context;
use super::failure::{Exit, Failure};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
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

    /// Asked for twice.
    pub fn ask(network: &str) -> Result<Password, Failure> {
        let password = dialoguer::Password::new()
            .with_prompt(format!("Password of {network}"))
            .with_confirmation("Once more", "These are not the same")
            .validate_with(|text: &String| if text.is_empty() { Err("It must not be empty") } else { Ok(()) })
            .interact()?;
        Ok(Password(Zeroizing::new(password.into_bytes())))
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

    /// Says how strong it is: whoever records a datagram can try passwords at leisure, each about 0.2 s of one core.
    pub fn strength(&self) -> Strength {
        match self.bits() {
            ..40 => Strength::Weak,
            40..64 => Strength::Fair,
            _ => Strength::Strong,
        }
    }

    /// An upper bound on the bits to guess: as if its distinct characters were drawn from the alphabets that it uses. A
    /// repeated character adds little, since `aaaaaaaaaaaa` is no better than `aaa`.
    fn bits(&self) -> u32 {
        let has = |class: fn(&u8) -> bool| self.0.iter().any(class);
        let alphabet = 26 * u32::from(has(u8::is_ascii_lowercase))
            + 26 * u32::from(has(u8::is_ascii_uppercase))
            + 10 * u32::from(has(u8::is_ascii_digit))
            + 33 * u32::from(has(|byte| byte.is_ascii_punctuation() || *byte == b' '))
            + 64 * u32::from(has(|byte| !byte.is_ascii()));
        let mut distinct = self.0.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        // Ordinary words repeat their letters, so half of the repetitions count.
        let (len, distinct) = (self.0.len(), Zeroizing::new(distinct).len());
        let counted = (distinct + (len - distinct) / 2).min(2 * distinct);
        (f64::from(alphabet.max(2)).log2() * counted as f64) as u32
    }
}

/// How hard a password is to guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// Days on one computer, or less.
    Weak,
    /// Too much for one computer.
    Fair,
    /// Too much for anybody.
    Strong,
}

impl fmt::Display for Strength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Strength::Weak => "weak: whoever listens on the LAN could guess it; four random words are better",
            Strength::Fair => "fair: enough against the neighbours; four or five random words are better",
            Strength::Strong => "strong",
        })
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
    fn strength_is_told_in_rough_terms() {
        let strength = |text: &str| Password::read(text.as_bytes()).unwrap().strength();
        assert_eq!(strength("secret"), Strength::Weak);
        assert_eq!(strength("aaaaaaaaaaaaaaaaaaaaaaaa"), Strength::Weak);
        assert_eq!(strength("12345678"), Strength::Weak);
        assert_eq!(strength("tr0ub4dor&3"), Strength::Fair);
        assert_eq!(strength("correct horse battery staple"), Strength::Strong);
        assert!(!format!("{:?}", Password::read(&b"secret"[..]).unwrap()).contains("secret"));
    }
}
