//! [`Password`]: where a network's password comes from: a file, standard input, a dialogue; never the command line, which
//! everybody on the host can read.

use super::context::Context;
use super::failure::{Exit, Failure};
use super::passphrase::passphrase;
use super::strength::Strength;
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
        Strength::of(&self.0)
    }
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
