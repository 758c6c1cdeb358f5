//! [`Token`]: what a request over TCP shows to be let in: 32 random bytes, made once and kept in the home for its owner
//! alone. Who can read that file may do all that the control API can.

use super::error::ConfigError;
use super::home::{Home, HomeLock};
use super::private;
use rand::TryRng;
use std::fmt::{self, Write};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Hex digits of a token.
const DIGITS: usize = 64;

/// The control API's bearer token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Zeroizing<String>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    /// The token of a home, if it has one.
    pub fn load(home: &Home) -> Result<Option<Token>, ConfigError> {
        let path = home.token();
        let text = match private::read(&path, DIGITS as u64 + 2, "the token of the control API") {
            Ok(text) => text,
            Err(ConfigError::Missing { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let digits = text.trim();
        if digits.len() != DIGITS || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(ConfigError::Token { path });
        }
        Ok(Some(Token(Zeroizing::new(digits.to_owned()))))
    }

    /// For the daemon that holds the lock: the token of its home, made unless there is one.
    pub fn load_or_make(home: &Home, _lock: &HomeLock) -> Result<Token, ConfigError> {
        if let Some(token) = Token::load(home)? {
            return Ok(token);
        }
        let mut bytes = Zeroizing::new([0; DIGITS / 2]);
        rand::rngs::SysRng.try_fill_bytes(&mut *bytes).map_err(|error| ConfigError::Io {
            what: "the system gives no randomness for a token".to_owned(),
            source: std::io::Error::other(error),
        })?;
        // All room at once, so that no copy of a part stays behind.
        let mut digits = Zeroizing::new(String::with_capacity(DIGITS + 1));
        for byte in bytes.iter() {
            let _ = write!(digits, "{byte:02x}");
        }
        let token = Token(digits.clone());
        digits.push('\n');
        private::write(&home.token(), &digits)?;
        Ok(token)
    }

    /// Its hex digits.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// Whether somebody who claims to know it does; how long this takes tells nothing of how near he was.
    pub fn is(&self, claimed: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(claimed).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn temp() -> (tempfile::TempDir, Home, HomeLock) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path().join("home"));
        home.create().unwrap();
        let lock = home.lock_exclusive().unwrap();
        (dir, home, lock)
    }

    #[test]
    fn it_is_made_once_and_kept() {
        let (_dir, home, lock) = temp();
        assert_eq!(Token::load(&home).unwrap(), None);
        let made = Token::load_or_make(&home, &lock).unwrap();
        assert_eq!(made.digits().len(), DIGITS);
        assert_eq!(fs::metadata(home.token()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Token::load(&home).unwrap().as_ref(), Some(&made));
        assert_eq!(Token::load_or_make(&home, &lock).unwrap(), made);
        let (_other_dir, other, lock) = temp();
        assert_ne!(Token::load_or_make(&other, &lock).unwrap(), made, "each home has its own");
    }

    #[test]
    fn only_the_very_token_is_the_token() {
        let (_dir, home, lock) = temp();
        let token = Token::load_or_make(&home, &lock).unwrap();
        assert!(token.is(token.digits().as_bytes()));
        let last = &token.digits()[..DIGITS - 1];
        for wrong in ["", last, &format!("{}0", token.digits()), &"0".repeat(DIGITS)] {
            assert!(!token.is(wrong.as_bytes()), "{wrong}");
        }
    }

    #[test]
    fn one_that_others_may_read_or_that_is_none_is_refused_and_not_replaced() {
        let (_dir, home, lock) = temp();
        Token::load_or_make(&home, &lock).unwrap();
        fs::set_permissions(home.token(), fs::Permissions::from_mode(0o640)).unwrap();
        let error = Token::load_or_make(&home, &lock).unwrap_err().to_string();
        assert!(error.contains("0640") && error.contains("token") && error.contains("chmod 600"), "{error}");
        fs::set_permissions(home.token(), fs::Permissions::from_mode(0o600)).unwrap();
        for wrong in ["", "secret", &"g".repeat(DIGITS), &"0".repeat(DIGITS + 1), &"0".repeat(1 << 20)] {
            fs::write(home.token(), wrong).unwrap();
            let error = Token::load_or_make(&home, &lock).unwrap_err().to_string();
            assert!(error.contains("64 hex digits") && !error.contains("secret"), "{error}");
            assert_eq!(fs::read_to_string(home.token()).unwrap(), wrong);
        }
    }

    #[test]
    fn nothing_shows_it_by_accident() {
        let (_dir, home, lock) = temp();
        let token = Token::load_or_make(&home, &lock).unwrap();
        assert!(!format!("{token:?}").contains(token.digits()));
    }
}
