//! [`Gossip`]: the immutable record that nodes replicate, valid by construction. Its [`Head`] is all but MSG; its
//! [`Guid`] is derived from the head, and so from the content: two nodes that hold a GUID hold the same bytes.

use crate::proto::decree::Decree;
use crate::proto::limits::{MAX_DECREE, MAX_MSG, MAX_NAME, PIECE};
use crate::proto::time::Timestamp;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The name of a record or of a node: 16 bytes, shown as a hyphenated UUID in lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Guid(pub [u8; 16]);

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Some text is no [`Guid`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no GUID: it is written as a UUID")]
pub struct NoGuid;

impl std::str::FromStr for Guid {
    type Err = NoGuid;

    fn from_str(text: &str) -> Result<Guid, NoGuid> {
        uuid::Uuid::parse_str(text).map(|uuid| Guid(uuid.into_bytes())).map_err(|_| NoGuid)
    }
}

impl Guid {
    /// A node's GUID: a random UUID (version 4) made of 16 random bytes.
    pub fn random(bytes: [u8; 16]) -> Guid {
        Guid(uuid::Builder::from_random_bytes(bytes).into_uuid().into_bytes())
    }

    /// The first and the last that begin with these hex digits, hyphens or not; `None` if none does.
    pub fn span(digits: &str) -> Option<RangeInclusive<Guid>> {
        let digits = digits.chars().filter(|&c| c != '-').map(|c| c.to_digit(16).map(|digit| digit as u8));
        let digits: Vec<u8> = digits.collect::<Option<_>>()?;
        let digit = |at: usize, filler: u8| digits.get(at).copied().unwrap_or(filler);
        let fill = |filler| Guid(std::array::from_fn(|at| digit(2 * at, filler) << 4 | digit(2 * at + 1, filler)));
        (1..=32).contains(&digits.len()).then(|| fill(0)..=fill(15))
    }
}

/// Where a record stands in a ledger: by date, then by GUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key {
    /// The record's date.
    pub date_time: Timestamp,
    /// The record's name.
    pub guid: Guid,
}

/// What a record is for. On the wire and in a GUID it is one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// What a person or a program said.
    Message = 0,
    /// That a node is forgotten, together with what it said: a [`Decree`].
    Forget = 1,
    /// How long the network keeps what: a [`Decree`].
    Settings = 2,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 3] = [Kind::Message, Kind::Forget, Kind::Settings];
}

impl TryFrom<u8> for Kind {
    type Error = Invalid;

    fn try_from(byte: u8) -> Result<Kind, Invalid> {
        Kind::ALL.into_iter().find(|&kind| kind as u8 == byte).ok_or(Invalid::Kind)
    }
}

/// What a node keeps in mind of a record that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it stands.
    pub key: Key,
    /// The node on which it was created.
    pub origin: Guid,
    /// What it decrees, where it is not a message.
    pub decree: Option<Decree>,
}

impl Line {
    /// What the record is for.
    pub fn kind(&self) -> Kind {
        self.decree.map_or(Kind::Message, |decree| decree.kind())
    }
}

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A kind that this version does not know.
    #[error("its kind is unknown")]
    Kind,
    /// See [`check_name`].
    #[error("who_name must be 1 to {MAX_NAME} bytes without control or bidirectional characters")]
    WhoName,
    /// MSG is empty or longer than [`MAX_MSG`].
    #[error("its MSG must be 1 to {MAX_MSG} bytes")]
    Len,
    /// MSG is not UTF-8.
    #[error("its MSG is not UTF-8 text")]
    Text,
    /// Its MSG is not what a record of its kind says.
    #[error("its MSG does not say what a record of its kind does")]
    Decree,
    /// Its creator was forgotten until the end of time.
    #[error("this network has forgotten its node for ever, so nobody would keep it: begin anew in another home")]
    Forgotten,
    /// The content has another GUID, SHA2 or piece list than it says.
    #[error("its content does not match its name")]
    Mismatch,
}

/// A name fit to be shown: 1 to [`MAX_NAME`] bytes of UTF-8, not only white space, without control, bidirectional,
/// zero-width or line-separating characters. Who_names, node names and network names all keep to it.
pub fn check_name(name: impl AsRef<[u8]>) -> bool {
    let name = name.as_ref();
    // Most names are that, and each record that comes has one.
    let plain = name.iter().all(u8::is_ascii_graphic);
    (1..=MAX_NAME).contains(&name.len()) && (plain || std::str::from_utf8(name).is_ok_and(is_fit_to_be_shown))
}

fn is_fit_to_be_shown(text: &str) -> bool {
    let forbidden = |c: char| c.is_control() || is_unseen(c) || matches!(c, '\u{2028}' | '\u{2029}');
    !text.trim().is_empty() && !text.contains(forbidden)
}

/// [`check_name`] in words.
pub fn name_rule() -> String {
    format!("a name has 1 to {MAX_NAME} bytes, not only spaces, without control, bidirectional or invisible characters")
}

/// Bidirectional controls, and characters without width: what deceives who reads, as no control character would.
pub fn is_unseen(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// All of a record but MSG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    kind: Kind,
    date_time: Timestamp,
    origin: Guid,
    who_name: Arc<str>,
    len: u32,
    sha2: Hash,
    pieces: Hash,
}

impl Head {
    /// A head made of fields that somebody sent or stored. It is well formed; whether a MSG matches it is for
    /// [`Gossip::new`] and the piece hashes to say.
    pub fn new(
        kind: Kind,
        date_time: Timestamp,
        origin: Guid,
        who_name: impl Into<Arc<str>>,
        len: u32,
        sha2: Hash,
        pieces: Hash,
    ) -> Result<Head, Invalid> {
        let who_name = who_name.into();
        if !check_name(&*who_name) {
            return Err(Invalid::WhoName);
        }
        let most = if kind == Kind::Message { MAX_MSG } else { MAX_DECREE };
        if len == 0 || len as usize > most {
            return Err(Invalid::Len);
        }
        if (len as usize <= PIECE) != (pieces == [0; 32]) {
            return Err(Invalid::Mismatch);
        }
        Ok(Head { kind, date_time, origin, who_name, len, sha2, pieces })
    }

    /// What the record is for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// When it was created, by its creator's clock.
    pub fn date_time(&self) -> Timestamp {
        self.date_time
    }

    /// The node on which it was created.
    pub fn origin(&self) -> Guid {
        self.origin
    }

    /// Who says it: a claim, not a proof.
    pub fn who_name(&self) -> &str {
        &self.who_name
    }

    /// The same, to be shared.
    pub fn shared_name(&self) -> Arc<str> {
        self.who_name.clone()
    }

    /// Bytes of MSG.
    #[expect(clippy::len_without_is_empty, reason = "a MSG is never empty")]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// SHA-256 of MSG.
    pub fn sha2(&self) -> &Hash {
        &self.sha2
    }

    /// SHA-256 of the list of the SHA-256 of each piece of MSG; zero where MSG is one piece.
    pub fn pieces(&self) -> &Hash {
        &self.pieces
    }

    /// What a node keeps in mind of the message with this head and name; of another kind its MSG must be known first.
    pub fn line(&self, guid: Guid) -> Option<Line> {
        let key = Key { date_time: self.date_time, guid };
        (self.kind == Kind::Message).then_some(Line { key, origin: self.origin, decree: None })
    }

    /// How many pieces MSG has.
    pub fn piece_count(&self) -> usize {
        self.len().div_ceil(PIECE)
    }

    /// How many bytes piece `index` has; zero behind the last.
    pub fn piece_len(&self, index: usize) -> usize {
        self.len().saturating_sub(index.saturating_mul(PIECE)).min(PIECE)
    }

    /// Checks that this is the MSG that it speaks of.
    pub fn check(&self, msg: &[u8]) -> Result<(), Invalid> {
        if msg.len() <= MAX_MSG && list_hash(msg) != self.pieces {
            return Err(Invalid::Mismatch);
        }
        self.check_whole(msg)
    }

    /// The same where each piece was checked before.
    fn check_whole(&self, msg: &[u8]) -> Result<(), Invalid> {
        check_msg(self.kind, self.date_time, msg)?;
        let is_it = msg.len() == self.len() && <Hash>::from(Sha256::digest(msg)) == self.sha2;
        if is_it { Ok(()) } else { Err(Invalid::Mismatch) }
    }

    /// The name that follows from the content: a UUIDv8 whose 122 free bits are the start of a SHA-256.
    pub fn guid(&self) -> Guid {
        let mut hash = Sha256::new();
        hash.update(b"gossip-node/1 guid\0");
        hash.update([self.kind as u8]);
        hash.update(self.date_time.0.to_le_bytes());
        hash.update(self.origin.0);
        hash.update([self.who_name.len() as u8]);
        hash.update(self.who_name.as_bytes());
        hash.update(self.len.to_le_bytes());
        hash.update(self.sha2);
        hash.update(self.pieces);
        let hash: Hash = hash.finalize().into();
        let mut first = [0; 16];
        first.copy_from_slice(&hash[..16]);
        Guid(uuid::Builder::from_custom_bytes(first).into_uuid().into_bytes())
    }
}

/// The SHA-256 of each piece of a MSG, one behind the other: 32 bytes a piece.
pub fn piece_list(msg: &[u8]) -> Vec<u8> {
    msg.chunks(PIECE).flat_map(|piece| <Hash>::from(Sha256::digest(piece))).collect()
}

/// What a head says of the list: nothing where MSG is one piece.
fn list_hash(msg: &[u8]) -> Hash {
    if msg.len() <= PIECE { [0; 32] } else { Sha256::digest(piece_list(msg)).into() }
}

/// Whether this can be the MSG of a record of that kind and date.
fn check_msg(kind: Kind, date_time: Timestamp, msg: &[u8]) -> Result<(), Invalid> {
    if msg.is_empty() || msg.len() > MAX_MSG {
        return Err(Invalid::Len);
    }
    if std::str::from_utf8(msg).is_err() {
        return Err(Invalid::Text);
    }
    if kind != Kind::Message {
        Decree::read(kind, date_time, msg)?;
    }
    Ok(())
}

/// A complete record: its name, its head and a MSG that matches both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gossip {
    guid: Guid,
    head: Head,
    msg: Bytes,
}

impl Gossip {
    /// Checks that `msg` is the MSG of `head`.
    pub fn new(head: Head, msg: Bytes) -> Result<Gossip, Invalid> {
        head.check(&msg)?;
        Ok(Gossip { guid: head.guid(), head, msg })
    }

    /// The same where each piece of `msg` was checked against the list that `head` names.
    pub(crate) fn joined(head: Head, msg: Bytes) -> Result<Gossip, Invalid> {
        head.check_whole(&msg)?;
        Ok(Gossip { guid: head.guid(), head, msg })
    }

    /// Makes the record that these fields describe.
    pub fn make(
        kind: Kind,
        date_time: Timestamp,
        origin: Guid,
        who_name: impl Into<Arc<str>>,
        msg: Bytes,
    ) -> Result<Gossip, Invalid> {
        check_msg(kind, date_time, &msg)?;
        let (sha2, pieces) = (Sha256::digest(&msg).into(), list_hash(&msg));
        let head = Head::new(kind, date_time, origin, who_name, msg.len() as u32, sha2, pieces)?;
        Ok(Gossip { guid: head.guid(), head, msg })
    }

    /// The record's name.
    pub fn guid(&self) -> Guid {
        self.guid
    }

    /// Where it stands in a ledger.
    pub fn key(&self) -> Key {
        Key { date_time: self.head.date_time, guid: self.guid }
    }

    /// What a node that holds it keeps in mind.
    pub fn line(&self) -> Line {
        let decree = match self.head.kind {
            Kind::Message => None,
            // It was read when the record was made, so it can be read.
            kind => Decree::read(kind, self.head.date_time, &self.msg).ok(),
        };
        Line { key: self.key(), origin: self.head.origin, decree }
    }

    /// All but MSG.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// What was said.
    pub fn msg(&self) -> &Bytes {
        &self.msg
    }
}

/// What a user wants to say; the node adds date, origin and name.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Who says it.
    pub who_name: String,
    /// What is said: 1 byte to 16 MiB of UTF-8.
    pub msg: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::limits::MAX_PIECES;

    fn hello() -> Gossip {
        Gossip::make(Kind::Message, Timestamp(1), Guid([7; 16]), "dove", Bytes::from_static(b"hello")).unwrap()
    }

    #[test]
    fn a_guid_is_a_uuid_of_version_8_and_is_frozen() {
        let guid = hello().guid();
        assert_eq!(uuid::Uuid::from_bytes(guid.0).get_version_num(), 8);
        assert_eq!(guid.to_string(), "43c54ed2-0173-8495-93c7-8a8c49826092");
        assert_eq!(guid.to_string().parse::<Guid>().unwrap(), guid);
    }

    #[test]
    fn a_prefix_is_a_span_of_guids() {
        let (low, high) = Guid::span("ab-C").unwrap().into_inner();
        assert_eq!((low.0[..3].to_vec(), high.0[..3].to_vec()), (vec![0xab, 0xc0, 0], vec![0xab, 0xcf, 0xff]));
        let guid = hello().guid();
        assert_eq!(Guid::span(&guid.to_string().to_uppercase()), Some(guid..=guid));
        for none in ["", "-", "xy", &"0".repeat(33)] {
            assert_eq!(Guid::span(none), None, "{none}");
        }
    }

    #[test]
    fn every_field_is_part_of_the_name() {
        let make = |at, origin, who, msg: &'static str| {
            Gossip::make(Kind::Message, Timestamp(at), Guid([origin; 16]), who, Bytes::from_static(msg.as_bytes()))
                .unwrap()
                .guid()
        };
        let base = make(1, 7, "dove", "hello");
        for other in [
            make(2, 7, "dove", "hello"),
            make(1, 8, "dove", "hello"),
            make(1, 7, "hawk", "hello"),
            make(1, 7, "dove", "hallo"),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn a_msg_that_does_not_match_its_head_is_no_record() {
        let gossip = hello();
        assert_eq!(Gossip::new(gossip.head().clone(), Bytes::from_static(b"hellp")), Err(Invalid::Mismatch));
        assert_eq!(Gossip::new(gossip.head().clone(), gossip.msg().clone()), Ok(gossip));
    }

    #[test]
    fn bounds_are_checked_before_anything_is_hashed() {
        let make = |who: &str, msg: Bytes| Gossip::make(Kind::Message, Timestamp(1), Guid([7; 16]), who, msg).err();
        assert_eq!(make("dove", Bytes::new()), Some(Invalid::Len));
        assert_eq!(make("dove", Bytes::from(vec![b'a'; MAX_MSG + 1])), Some(Invalid::Len));
        assert_eq!(make("dove", Bytes::from_static(b"\xff")), Some(Invalid::Text));
        for who in ["", " ", "a\nb", "a\u{202E}b", "a\u{200B}", &"x".repeat(65)] {
            assert_eq!(make(who, Bytes::from_static(b"x")), Some(Invalid::WhoName), "{who:?}");
        }
        assert_eq!(make(&"x".repeat(64), Bytes::from_static(b"x")), None);
    }

    #[test]
    fn a_long_msg_has_a_piece_list_and_a_short_one_has_none() {
        let long = Gossip::make(Kind::Message, Timestamp(1), Guid([7; 16]), "dove", Bytes::from(vec![b'a'; PIECE + 1]))
            .unwrap();
        assert_eq!(long.head().piece_count(), 2);
        assert_eq!((long.head().piece_len(0), long.head().piece_len(1), long.head().piece_len(2)), (PIECE, 1, 0));
        assert_ne!(long.head().pieces(), &[0; 32]);
        assert_eq!(hello().head().pieces(), &[0; 32]);
    }

    #[test]
    fn the_longest_piece_list_has_a_hash_for_each_piece() {
        assert_eq!(piece_list(&vec![b'a'; MAX_MSG]).len(), MAX_PIECES * 32);
    }
}
