//! What bodies are made of: bounded [`List`]s and [`Blob`]s, [`Name`]s and [`Address`]es. A count is checked against its
//! bound and against the bytes left before anything is allocated.

use crate::proto::gossip::check_name;
use crate::proto::limits::MAX_NAME;
use bincode::de::read::{BorrowReader, Reader};
use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::{Encoder, write::Writer};
use bincode::error::{DecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};
use bytes::Bytes;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// At most `MAX` items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> Default for List<T, MAX> {
    fn default() -> Self {
        List(Vec::new())
    }
}

impl<T, const MAX: usize> List<T, MAX> {
    /// The first `MAX` items of `items`.
    pub fn new(mut items: Vec<T>) -> Self {
        items.truncate(MAX);
        List(items)
    }

    /// Whether there is no room for another.
    pub fn is_full(&self) -> bool {
        self.0.len() >= MAX
    }

    /// Adds one, unless the list is full.
    pub fn push(&mut self, item: T) {
        if !self.is_full() {
            self.0.push(item);
        }
    }
}

impl<T, const MAX: usize> std::ops::Deref for List<T, MAX> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MAX: usize> IntoIterator for List<T, MAX> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// What a list may hold, and the fewest bytes that one takes on the wire: never zero, so a count is always paid for.
pub trait Item {
    /// Those bytes.
    const SIZE: usize;
}

/// Reads so many bytes. Records are made of little else, and bincode's own of an array is a call each time.
#[inline]
pub(super) fn fixed<const N: usize>(decoder: &mut impl Decoder) -> Result<[u8; N], DecodeError> {
    let mut bytes = [0; N];
    decoder.reader().read(&mut bytes).map(|()| bytes)
}

/// Reads what stands before a list or a blob.
#[inline]
fn count(decoder: &mut impl Decoder) -> Result<usize, DecodeError> {
    fixed(decoder).map(|bytes| usize::from(u16::from_le_bytes(bytes)))
}

/// Writes it.
#[inline]
fn write_count(count: usize, encoder: &mut impl Encoder) -> Result<(), EncodeError> {
    encoder.writer().write(&(count as u16).to_le_bytes())
}

impl<T: Encode, const MAX: usize> Encode for List<T, MAX> {
    #[inline]
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        write_count(self.0.len(), encoder)?;
        self.0.iter().try_for_each(|item| item.encode(encoder))
    }
}

impl<T: Item, const MAX: usize> List<T, MAX> {
    #[inline]
    fn read<D: Decoder>(decoder: &mut D, one: impl Fn(&mut D) -> Result<T, DecodeError>) -> Result<Self, DecodeError> {
        let count = count(decoder)?;
        if count > MAX || decoder.reader().peek_read(count * T::SIZE).is_none() {
            return Err(DecodeError::Other("a count that its bytes do not cover"));
        }
        decoder.claim_container_read::<T>(count)?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            decoder.unclaim_bytes_read(size_of::<T>());
            items.push(one(decoder)?);
        }
        Ok(List(items))
    }
}

impl<C, T: Decode<C> + Item, const MAX: usize> Decode<C> for List<T, MAX> {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        List::read(decoder, T::decode)
    }
}

/// At most `MAX` bytes, read at once.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Blob<const MAX: usize>(pub Bytes);

impl<const MAX: usize> From<Blob<MAX>> for Bytes {
    fn from(Blob(bytes): Blob<MAX>) -> Bytes {
        bytes
    }
}

impl<const MAX: usize> Encode for Blob<MAX> {
    #[inline]
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        write_count(self.0.len(), encoder)?;
        encoder.writer().write(&self.0)
    }
}

impl<C, const MAX: usize> Decode<C> for Blob<MAX> {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let count = count(decoder)?;
        let Some(bytes) = decoder.reader().peek_read(count).filter(|_| count <= MAX).map(Bytes::copy_from_slice) else {
            return Err(DecodeError::Other("a count that its bytes do not cover"));
        };
        decoder.reader().consume(count);
        Ok(Blob(bytes))
    }
}

/// A name that [`check_name`] accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(pub(super) Arc<str>);

impl Name {
    /// Makes one of a text, if it is a name.
    pub fn new(text: &str) -> Option<Name> {
        check_name(text).then(|| Name(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Name> for Arc<str> {
    fn from(Name(name): Name) -> Arc<str> {
        name
    }
}

impl Encode for Name {
    #[inline]
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        write_count(self.0.len(), encoder)?;
        encoder.writer().write(self.0.as_bytes())
    }
}

impl<C> Decode<C> for Name {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let count = count(decoder)?;
        let bytes = decoder.reader().peek_read(count).filter(|_| count <= MAX_NAME);
        let Some(name) = bytes.and_then(|bytes| Name::new(std::str::from_utf8(bytes).ok()?)) else {
            return Err(DecodeError::Other("not a name"));
        };
        decoder.reader().consume(count);
        Ok(name)
    }
}

/// A [`Name`] as it lies in a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameIn<'a>(pub(super) &'a [u8]);

impl<'de: 'a, 'a, C> BorrowDecode<'de, C> for NameIn<'a> {
    #[inline]
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let BlobIn::<MAX_NAME>(bytes) = BlobIn::borrow_decode(decoder)?;
        if check_name(bytes) { Ok(NameIn(bytes)) } else { Err(DecodeError::Other("not a name")) }
    }
}

impl From<NameIn<'_>> for Arc<str> {
    /// What was checked loses nothing.
    fn from(NameIn(name): NameIn<'_>) -> Arc<str> {
        String::from_utf8_lossy(name).into()
    }
}

/// A [`Blob`] as it lies in a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobIn<'a, const MAX: usize>(pub &'a [u8]);

impl<'de: 'a, 'a, C, const MAX: usize> BorrowDecode<'de, C> for BlobIn<'a, MAX> {
    #[inline]
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let count = count(decoder)?;
        if count > MAX {
            return Err(DecodeError::Other("a count beyond its bound"));
        }
        decoder.borrow_reader().take_bytes(count).map(BlobIn)
    }
}

impl<const MAX: usize> From<BlobIn<'_, MAX>> for Bytes {
    fn from(BlobIn(bytes): BlobIn<'_, MAX>) -> Bytes {
        Bytes::copy_from_slice(bytes)
    }
}

/// An address of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(pub SocketAddr);

impl Encode for Address {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        let ip = match self.0.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        ip.octets().encode(encoder)?;
        self.0.port().encode(encoder)
    }
}

impl<C> Decode<C> for Address {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let ip = Ipv6Addr::from(<[u8; 16]>::decode(decoder)?).to_canonical();
        Ok(Address(SocketAddr::new(ip, u16::decode(decoder)?)))
    }
}

/// Derives of `Decode` want both of bincode's traits of what they contain. These do not borrow.
macro_rules! borrow {
    ($($item:ty;)*) => { $(
        impl<'de, C> BorrowDecode<'de, C> for $item {
            #[inline]
            fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
                Self::decode(decoder)
            }
        }
    )* };
}

pub(super) use borrow;

borrow! { Name; Address; }

impl<'de, C, T: BorrowDecode<'de, C> + Item, const MAX: usize> BorrowDecode<'de, C> for List<T, MAX> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        List::read(decoder, T::borrow_decode)
    }
}

impl<'de, C, const MAX: usize> BorrowDecode<'de, C> for Blob<MAX> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}
