//! [`NetworkKey`]: what a network's name and password become. It seals every datagram and is the only way to open one:
//! [`Verified`] exists only behind a tag that was right.

use crate::proto::limits::{HEADER, MAX_DATAGRAM, MIN_MAX_DATAGRAM, TAG};
use crate::proto::stats::Rejected;
use bytes::BytesMut;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroize;

const MAGIC: u8 = 0x67;
/// The version of the protocol that this crate speaks, part of every header.
pub const PROTOCOL_VERSION: u8 = 1;

/// The secret of a network: what `server.json` keeps instead of the password. Shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub [u8; 32]);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// Derives the secret by Argon2id (64 MiB, t = 3, p = 4: RFC 9106's second recommended set), about 0.2 s. The
    /// network's name is in the salt, so two networks with one password have different keys.
    pub fn derive(network_name: &str, password: &[u8]) -> Secret {
        let salt = Sha256::new().chain_update(b"gossip-node/1 salt\0").chain_update(network_name).finalize();
        let params = argon2::Params::new(64 << 10, 3, 4, Some(32)).expect("constants within Argon2's bounds");
        let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
        let mut secret = [0; 32];
        argon.hash_password_into(password, &salt[..16], &mut secret).expect("lengths within Argon2's bounds");
        Secret(secret)
    }

    /// What this secret gives for one use, by HKDF-SHA256 (RFC 5869).
    fn expand<const N: usize>(&self, info: &str) -> [u8; N] {
        let mut okm = [0; N];
        let hkdf = Hkdf::<Sha256>::new(Some(b"gossip-node/1"), &self.0);
        hkdf.expand(info.as_bytes(), &mut okm).expect("a length within HKDF's bounds");
        okm
    }

    /// An authenticator for one use.
    pub(super) fn keyed(&self, info: &str) -> Hmac<Sha256> {
        let mut key = self.expand::<32>(info);
        let keyed = Hmac::new_from_slice(&key).expect("HMAC takes keys of any length");
        key.zeroize();
        keyed
    }
}

/// Names network and key in every datagram; made of the key, and no secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 4]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Some text is no [`KeyId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no key's name: it is written as 8 hex digits")]
pub struct NoKeyId;

impl FromStr for KeyId {
    type Err = NoKeyId;

    fn from_str(text: &str) -> Result<KeyId, NoKeyId> {
        let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u32::from_str_radix(text, 16).ok().filter(|_| digits);
        number.map(|number| KeyId(number.to_be_bytes())).ok_or(NoKeyId)
    }
}

/// What stands in front of a datagram's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the body is; `wire` knows the kinds.
    pub kind: u8,
    /// The sender's session.
    pub src_session: u64,
    /// The receiver's session as the sender knows it; 0 only in a first REGISTER.
    pub dst_session: u64,
    /// Counts the sender's datagrams to this receiver.
    pub counter: u64,
}

/// The keys of one network: they seal and open datagrams and key its digests.
#[derive(Clone)]
pub struct NetworkKey {
    mac: Hmac<Sha256>,
    key_id: KeyId,
    digest_key: [u8; 16],
}

impl fmt::Debug for NetworkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NetworkKey({})", self.key_id)
    }
}

impl NetworkKey {
    /// Separates the network's secret into its keys.
    pub fn new(secret: &Secret) -> NetworkKey {
        NetworkKey {
            mac: secret.keyed("mac"),
            key_id: KeyId(secret.expand("key id")),
            digest_key: secret.expand("digest"),
        }
    }

    /// Names network and key in every header.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The key of this network's digests.
    pub fn digest_key(&self) -> [u8; 16] {
        self.digest_key
    }

    /// Makes a datagram in `out`: header, then what `body` appends, then the tag.
    pub fn seal(&self, header: &Header, out: &mut BytesMut, body: impl FnOnce(&mut BytesMut)) {
        out.clear();
        // Hardly any is longer, so that it does not grow while it is written.
        out.reserve(MIN_MAX_DATAGRAM);
        out.extend_from_slice(&[MAGIC, PROTOCOL_VERSION, header.kind, 0]);
        out.extend_from_slice(&self.key_id.0);
        for word in [header.src_session, header.dst_session, header.counter] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        body(out);
        let tag = self.mac.clone().chain_update(&*out).finalize().into_bytes();
        out.extend_from_slice(&tag[..TAG]);
    }

    /// Opens a datagram if it is whole, of our version, of this network, and authentic.
    pub fn open<'a>(&self, datagram: &'a [u8]) -> Result<Verified<'a>, Rejected> {
        if datagram.len() < HEADER + TAG || datagram.len() > MAX_DATAGRAM {
            return Err(Rejected::Length);
        }
        let (signed, tag) = datagram.split_at(datagram.len() - TAG);
        let Some((header, body)) = signed.split_first_chunk::<HEADER>() else { return Err(Rejected::Length) };
        let [magic, version, kind, flags, key_id @ ..] = header;
        if *magic != MAGIC {
            return Err(Rejected::Magic);
        }
        if *version != PROTOCOL_VERSION || *flags != 0 {
            return Err(Rejected::Version);
        }
        if key_id[..4] != self.key_id.0 {
            return Err(Rejected::KeyId);
        }
        self.mac.clone().chain_update(signed).verify_truncated_left(tag).map_err(|_| Rejected::Tag)?;
        let word = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&header[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        let header = Header { kind: *kind, src_session: word(8), dst_session: word(16), counter: word(24) };
        Ok(Verified { key: self.key_id, header, body })
    }
}

/// The `key_id` of a datagram long enough to have one: which of several networks it claims to be for. A claim only.
pub fn claimed_key_id(datagram: &[u8]) -> Option<KeyId> {
    datagram.get(4..8)?.try_into().ok().map(KeyId)
}

/// What kind a datagram is, long enough to have one. A claim only.
pub fn claimed_kind(datagram: &[u8]) -> Option<u8> {
    datagram.get(2).copied()
}

/// The version of a datagram that begins as ours do. A claim only.
pub fn claimed_version(datagram: &[u8]) -> Option<u8> {
    datagram.strip_prefix(&[MAGIC])?.first().copied()
}

/// A datagram whose tag was right.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'a> {
    key: KeyId,
    header: Header,
    body: &'a [u8],
}

impl<'a> Verified<'a> {
    /// The key that it was sealed with.
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// What stands in front.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What its kind says about; not decoded yet.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> NetworkKey {
        NetworkKey::new(&Secret([1; 32]))
    }

    fn sealed() -> BytesMut {
        let mut out = BytesMut::new();
        let header = Header { kind: 4, src_session: 5, dst_session: 6, counter: 7 };
        key().seal(&header, &mut out, |out| out.extend_from_slice(b"body"));
        out
    }

    #[test]
    fn what_was_sealed_opens() {
        let datagram = sealed();
        let opened = key().open(&datagram).unwrap();
        assert_eq!(opened.body(), b"body");
        assert_eq!(opened.header(), &Header { kind: 4, src_session: 5, dst_session: 6, counter: 7 });
        assert_eq!(claimed_key_id(&datagram), Some(key().key_id()));
    }

    #[test]
    fn no_bit_may_flip_and_no_byte_may_be_missing() {
        let datagram = sealed();
        for bit in 0..datagram.len() * 8 {
            let mut flipped = datagram.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(key().open(&flipped).is_err(), "bit {bit}");
        }
        for len in 0..datagram.len() {
            assert!(key().open(&datagram[..len]).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn another_secret_does_not_open_it() {
        assert_eq!(NetworkKey::new(&Secret([2; 32])).open(&sealed()).unwrap_err(), Rejected::KeyId);
    }

    #[test]
    fn a_key_is_named_by_eight_digits() {
        let id = KeyId([0x0a, 0xff, 0, 7]);
        assert_eq!(id.to_string(), "0aff0007");
        assert_eq!("0aff0007".parse(), Ok(id));
        for text in ["", "0aff000", "0aff00070", "+aff0007", "0aff000g"] {
            assert_eq!(text.parse::<KeyId>(), Err(NoKeyId), "{text}");
        }
    }

    #[test]
    fn name_and_password_make_the_secret_and_it_is_not_shown() {
        let secret = Secret::derive("home", b"correct horse");
        assert_ne!(secret, Secret::derive("home", b"correct house"));
        assert_ne!(secret, Secret::derive("work", b"correct horse"));
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }
}
