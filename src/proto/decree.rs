//! [`Decree`]: what a record says that is meant for nodes and not for people: that a node is forgotten, or how long the
//! network keeps what. It is read once, when the record is verified; whether it is valid follows from its bytes alone,
//! never from a clock or a configuration, or nodes would disagree for ever.
//!
//! MSG is text, and there is one text for each decree: two lines, each a name, a space, a value and a newline.
//!
//! ```text
//! origin 43c54ed2-0173-8495-93c7-8a8c49826092        max_age 2592000000000
//! up_to 1700000000000000                             origin_timeout 0
//! ```

use crate::proto::gossip::{Guid, Invalid, Kind};
use crate::proto::limits::MAX_DECREE;
use crate::proto::time::Timestamp;
use std::fmt;
use std::time::Duration;

/// The shortest and the longest time that network settings may name, where they name one.
pub const TERM: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10_000 * 24 * 3600));

/// What a record of a kind other than message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decree {
    /// A node is forgotten.
    Forget(Forget),
    /// How long the network keeps what.
    Settings(Terms),
}

/// A node is forgotten, with all messages of it up to a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forget {
    /// The node.
    pub origin: Guid,
    /// The newest message of it that is forgotten; not after the date of the record that says so.
    pub up_to: Timestamp,
}

/// Network settings: how long the network keeps what. They belong to the network, not to a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Records that are older leave the network; none: they stay.
    pub max_age: Option<Duration>,
    /// A node that is not reached for longer is forgotten, together with what it said; none: nobody is.
    pub origin_timeout: Option<Duration>,
}

impl Terms {
    /// Whether both times are possible ones: whole microseconds within [`TERM`].
    pub fn check(&self) -> bool {
        [self.max_age, self.origin_timeout].into_iter().flatten().all(is_term)
    }
}

/// Whether network settings may name this time.
pub fn is_term(span: Duration) -> bool {
    (TERM.0..=TERM.1).contains(&span) && span.subsec_nanos().is_multiple_of(1000)
}

impl Decree {
    /// Reads the MSG of a record of this kind and date.
    pub fn read(kind: Kind, date_time: Timestamp, msg: &[u8]) -> Result<Decree, Invalid> {
        let text = std::str::from_utf8(msg).ok().filter(|text| text.len() <= MAX_DECREE).ok_or(Invalid::Decree)?;
        let decree = match kind {
            Kind::Message => None,
            Kind::Forget => forget(text).filter(|forget| forget.up_to <= date_time).map(Decree::Forget),
            Kind::Settings => terms(text).map(Decree::Settings),
        };
        // Written again it must be the same, so each decree has one text and one name.
        decree.filter(|decree| decree.to_string() == text).ok_or(Invalid::Decree)
    }

    /// The kind of record that says it.
    pub fn kind(&self) -> Kind {
        match self {
            Decree::Forget(_) => Kind::Forget,
            Decree::Settings(_) => Kind::Settings,
        }
    }
}

/// The MSG that says it.
impl fmt::Display for Decree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = |span: Option<Duration>| span.map_or(0, |span| span.as_micros());
        match self {
            Decree::Forget(Forget { origin, up_to }) => write!(f, "origin {origin}\nup_to {}\n", up_to.0),
            Decree::Settings(Terms { max_age, origin_timeout }) => {
                write!(f, "max_age {}\norigin_timeout {}\n", micros(*max_age), micros(*origin_timeout))
            }
        }
    }
}

/// The values of two lines with these names.
fn values<'a>(text: &'a str, names: [&str; 2]) -> Option<[&'a str; 2]> {
    let (first, second) = text.strip_suffix('\n')?.split_once('\n')?;
    let value = |line: &'a str, name| line.strip_prefix(name)?.strip_prefix(' ');
    Some([value(first, names[0])?, value(second, names[1])?])
}

fn forget(text: &str) -> Option<Forget> {
    let [origin, up_to] = values(text, ["origin", "up_to"])?;
    Some(Forget { origin: origin.parse().ok()?, up_to: Timestamp(up_to.parse().ok()?) })
}

fn terms(text: &str) -> Option<Terms> {
    let [max_age, origin_timeout] = values(text, ["max_age", "origin_timeout"])?;
    let term = |text: &str| Some(Some(text.parse().ok()?).filter(|&micros| micros > 0).map(Duration::from_micros));
    let terms = Terms { max_age: term(max_age)?, origin_timeout: term(origin_timeout)? };
    terms.check().then_some(terms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::gossip::Gossip;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn record(kind: Kind, at: u64, msg: &str) -> Result<Gossip, Invalid> {
        Gossip::make(kind, Timestamp(at), Guid([7; 16]), "dove", Bytes::from(msg.to_owned()))
    }

    #[test]
    fn each_decree_has_one_text() {
        let forget = Decree::Forget(Forget { origin: Guid([0xAB; 16]), up_to: Timestamp(9) });
        assert_eq!(forget.to_string(), "origin abababab-abab-abab-abab-abababababab\nup_to 9\n");
        let terms = Terms { max_age: Some(Duration::from_secs(60)), origin_timeout: None };
        assert_eq!(Decree::Settings(terms).to_string(), "max_age 60000000\norigin_timeout 0\n");
        for text in [
            "max_age 60000000",
            "max_age 60000000\norigin_timeout 0",
            "max_age 60000000\norigin_timeout 0\n\n",
            "max_age 060000000\norigin_timeout 0\n",
            "max_age +60000000\norigin_timeout 0\n",
            "max_age  60000000\norigin_timeout 0\n",
            "max_age 60000000\r\norigin_timeout 0\n",
            "origin_timeout 0\nmax_age 60000000\n",
            "max_age 999999\norigin_timeout 0\n",
            "max_age 99999999999999999\norigin_timeout 0\n",
            "origin ABABABAB-abab-abab-abab-abababababab\nup_to 9\n",
        ] {
            assert_eq!(record(Kind::Settings, 20, text), Err(Invalid::Decree), "{text:?}");
            assert_eq!(record(Kind::Forget, 20, text).err(), Some(Invalid::Decree), "{text:?}");
            assert!(record(Kind::Message, 20, text).is_ok(), "{text:?}");
        }
        let long = "x".repeat(MAX_DECREE + 1);
        assert!(record(Kind::Forget, 20, &long).is_err() && record(Kind::Settings, 20, &long).is_err());
    }

    #[test]
    fn nothing_is_forgotten_that_is_yet_to_be_said() {
        let forget = Decree::Forget(Forget { origin: Guid([1; 16]), up_to: Timestamp(20) }).to_string();
        assert_eq!(record(Kind::Forget, 19, &forget), Err(Invalid::Decree));
        let gossip = record(Kind::Forget, 20, &forget).unwrap();
        assert_eq!(gossip.line().kind(), Kind::Forget);
        assert_eq!(record(Kind::Message, 20, &forget).unwrap().line().decree, None);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(origin: [u8; 16], up_to: u64, at: u64, terms in [0u64..9_000_000_000, 0..9_000_000_000]) {
            let forget = Decree::Forget(Forget { origin: Guid(origin), up_to: Timestamp(up_to) });
            let read = Decree::read(Kind::Forget, Timestamp(at), forget.to_string().as_bytes());
            prop_assert_eq!(read.ok(), Some(forget).filter(|_| up_to <= at));
            let [max_age, origin_timeout] = terms.map(|term| Some(Duration::from_micros(term)).filter(|_| term > 0));
            let terms = Terms { max_age, origin_timeout };
            let settings = Decree::Settings(terms);
            let read = Decree::read(Kind::Settings, Timestamp(at), settings.to_string().as_bytes());
            prop_assert_eq!(read.ok(), Some(settings).filter(|_| terms.check()));
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for kind in Kind::ALL {
                let _ = Decree::read(kind, Timestamp(9), &bytes);
            }
        }
    }
}
