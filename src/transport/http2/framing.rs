//! gRPC's length-prefixed messages: one byte for compression, four for the length, the message.
//!
//! Buffers go round: a body on its way out leaves the caller an empty buffer that was written before.

use std::cell::{Cell, RefCell};
use std::io::IoSlice;
use std::rc::Rc;

use bytes::Buf;

use crate::transport::TransportError;
use crate::transport::grpc::Encoding;
use crate::transport::gzip::{self, GzipError};

/// The bytes before each message.
const PREFIX_BYTES: usize = 5;

/// Buffers kept for the next bodies, at most.
const KEPT_BUFFERS: usize = 64;
/// A larger buffer is given back to the system.
const KEPT_BYTES: usize = 256 << 10;

/// A connection's buffers.
#[derive(Debug, Clone, Default)]
pub(super) struct Buffers(Rc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    free: RefCell<Vec<Vec<u8>>>,
}

/// How many bytes of a call's bodies wait to be written.
#[derive(Debug, Clone, Default)]
pub(super) struct Unsent(Rc<Cell<usize>>);

impl Unsent {
    pub(super) fn bytes(&self) -> usize {
        self.0.get()
    }
}

impl Buffers {
    /// Makes a body ready to be sent, packed where that is wanted and makes it smaller; leaves an empty
    /// buffer in its place. It counts until it is written.
    pub(super) fn frame(&self, body: &mut Vec<u8>, gzip: bool, unsent: &Unsent) -> Framed {
        let is_packed = gzip && gzip::pack_in_place(body);
        let free = self.0.free.borrow_mut().pop().unwrap_or_default();
        let body = std::mem::replace(body, free);
        let mut prefix = [u8::from(is_packed), 0, 0, 0, 0];
        // A longer body cannot be told in four bytes; every limit is far below.
        prefix[1..].copy_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
        unsent.0.set(unsent.0.get() + body.len());
        Framed { prefix, taken: 0, body, home: Rc::clone(&self.0), unsent: unsent.clone() }
    }
}

/// A message with its prefix.
#[derive(Debug)]
pub(super) struct Framed {
    prefix: [u8; PREFIX_BYTES],
    /// How much of prefix and body is used up.
    taken: usize,
    body: Vec<u8>,
    home: Rc<Shared>,
    unsent: Unsent,
}

impl Framed {
    fn parts(&self) -> (&[u8], &[u8]) {
        let in_prefix = self.taken.min(PREFIX_BYTES);
        (&self.prefix[in_prefix..], &self.body[self.taken - in_prefix..])
    }
}

impl Buf for Framed {
    fn remaining(&self) -> usize {
        PREFIX_BYTES + self.body.len() - self.taken
    }

    fn chunk(&self) -> &[u8] {
        match self.parts() {
            ([], body) => body,
            (prefix, _) => prefix,
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let (prefix, body) = self.parts();
        let parts = [prefix, body].into_iter().filter(|part| !part.is_empty());
        let mut used = 0;
        for (slice, part) in slices.iter_mut().zip(parts) {
            *slice = IoSlice::new(part);
            used += 1;
        }
        used
    }

    fn advance(&mut self, count: usize) {
        // The trait asks for a panic where a caller advances too far; stopping at the end is kinder.
        self.taken = (self.taken + count).min(PREFIX_BYTES + self.body.len());
    }
}

impl Drop for Framed {
    fn drop(&mut self) {
        self.unsent.0.set(self.unsent.bytes().saturating_sub(self.body.len()));
        let mut free = self.home.free.borrow_mut();
        if free.len() < KEPT_BUFFERS && self.body.capacity() <= KEPT_BYTES {
            let mut body = std::mem::take(&mut self.body);
            body.clear();
            free.push(body);
        }
    }
}

/// What is wrong with a peer's framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum FramingError {
    #[error("a message is compressed, but no grpc-encoding says how")]
    Compressed,
    #[error("a message's grpc-encoding is not supported; identity and gzip are")]
    Encoding,
    #[error("a message's gzip is damaged")]
    Gzip,
    #[error("a message of {length} bytes is larger than the {limit} bytes allowed")]
    TooLarge { length: usize, limit: usize },
    #[error("a message's compression flag is {0}, which gRPC does not know")]
    Flag(u8),
}

impl From<FramingError> for TransportError {
    fn from(error: FramingError) -> Self {
        let reason = error.to_string();
        match error {
            FramingError::TooLarge { .. } => Self::Refused { reason },
            _ => Self::Protocol { reason },
        }
    }
}

/// Finds the messages in a stream of bytes. Holds at most one incomplete message.
#[derive(Debug, Default)]
pub(super) struct Deframer {
    buffer: Vec<u8>,
    unpacked: Vec<u8>,
}

impl Deframer {
    /// Takes a piece of the stream and hands over every message that it completes.
    ///
    /// # Errors
    /// The framing is damaged or a message is larger than `limit`; seen from the prefix alone.
    pub(super) fn feed(
        &mut self,
        mut piece: &[u8],
        encoding: Encoding,
        limit: usize,
        mut deliver: impl FnMut(&[u8]),
    ) -> Result<(), FramingError> {
        let Self { buffer, unpacked } = self;
        while !piece.is_empty() {
            if buffer.is_empty() {
                match split(piece, limit)? {
                    Some((message, rest)) => {
                        deliver(message.unpacked(encoding, limit, unpacked)?);
                        piece = rest;
                    }
                    None => {
                        buffer.extend_from_slice(piece);
                        return Ok(());
                    }
                }
                continue;
            }
            // First what the prefix lacks, then what its message lacks.
            let wanted = match length(buffer, limit)? {
                None => PREFIX_BYTES,
                Some(length) => PREFIX_BYTES + length,
            };
            let (taken, rest) = piece.split_at(piece.len().min(wanted - buffer.len()));
            buffer.extend_from_slice(taken);
            piece = rest;
            if let Some((message, _)) = split(buffer, limit)? {
                deliver(message.unpacked(encoding, limit, unpacked)?);
                buffer.clear();
            }
        }
        Ok(())
    }

    /// Whether no message is incomplete.
    pub(super) fn is_between_messages(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Forgets an incomplete message.
    pub(super) fn clear(&mut self) {
        self.buffer.clear();
        for buffer in [&mut self.buffer, &mut self.unpacked] {
            if buffer.capacity() > KEPT_BYTES {
                *buffer = Vec::new();
            }
        }
    }
}

/// The length that a prefix tells, once it is complete.
fn length(bytes: &[u8], limit: usize) -> Result<Option<usize>, FramingError> {
    let [flag, a, b, c, d, ..] = bytes else { return Ok(None) };
    if *flag > 1 {
        return Err(FramingError::Flag(*flag));
    }
    let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
    if length > limit { Err(FramingError::TooLarge { length, limit }) } else { Ok(Some(length)) }
}

/// A message as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message<'a> {
    is_compressed: bool,
    bytes: &'a [u8],
}

impl<'a> Message<'a> {
    /// The message as it was meant; `buffer` takes it where it was compressed.
    pub(super) fn unpacked(
        self,
        encoding: Encoding,
        limit: usize,
        buffer: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], FramingError> {
        match (self.is_compressed, encoding) {
            (false, _) => Ok(self.bytes),
            (true, Encoding::None) => Err(FramingError::Compressed),
            (true, Encoding::Unknown) => Err(FramingError::Encoding),
            (true, Encoding::Gzip) => {
                buffer.clear();
                match gzip::unpack(self.bytes, limit, buffer) {
                    Ok(()) => Ok(buffer),
                    Err(GzipError::Damaged(_)) => Err(FramingError::Gzip),
                    Err(GzipError::TooLarge) => Err(FramingError::TooLarge { length: buffer.len(), limit }),
                }
            }
        }
    }
}

/// A message and what follows it; nothing while the message is incomplete.
pub(super) type Split<'a> = Option<(Message<'a>, &'a [u8])>;

/// Splits off the first message, if it is complete.
pub(super) fn split(bytes: &[u8], limit: usize) -> Result<Split<'_>, FramingError> {
    let Some(length) = length(bytes, limit)? else { return Ok(None) };
    let is_compressed = bytes[0] == 1;
    let parts = bytes[PREFIX_BYTES..].split_at_checked(length);
    Ok(parts.map(|(bytes, rest)| (Message { is_compressed, bytes }, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_at_every_split() {
        let bodies = [&b"hello"[..], b"", b"x", &[3; 300]];
        let buffers = Buffers::default();
        let mut stream = Vec::new();
        for body in bodies {
            let mut framed = buffers.frame(&mut body.to_vec(), false, &Unsent::default());
            while framed.has_remaining() {
                let chunk = framed.chunk().to_vec();
                stream.extend_from_slice(&chunk);
                framed.advance(chunk.len());
            }
        }
        for step in 1..=stream.len() {
            let mut deframer = Deframer::default();
            let mut found = Vec::new();
            for piece in stream.chunks(step) {
                deframer.feed(piece, Encoding::None, 300, |message| found.push(message.to_vec())).unwrap();
            }
            assert_eq!(found, bodies);
            assert!(deframer.is_between_messages());
        }
    }

    #[test]
    fn damage_is_seen_from_the_prefix() {
        let feed = |bytes: &[u8]| Deframer::default().feed(bytes, Encoding::None, 10, |_| {});
        assert_eq!(feed(&[1, 0, 0, 0, 1, 7]), Err(FramingError::Compressed));
        assert_eq!(feed(&[9, 0, 0, 0, 1]), Err(FramingError::Flag(9)));
        assert_eq!(feed(&[0, 0, 0, 0, 11]), Err(FramingError::TooLarge { length: 11, limit: 10 }));
        assert!(feed(&[0, 0xff, 0xff, 0xff, 0xff]).unwrap_err().to_string().contains("4294967295"));
        assert_eq!(feed(&[0, 0, 0, 0, 10, 1]), Ok(()));
    }

    #[test]
    fn compressed_messages_are_unpacked_under_the_limit_where_the_encoding_is_known() {
        let packed = |body: &[u8]| {
            let body = gzip::pack(body);
            [&[1][..], &u32::try_from(body.len()).unwrap().to_be_bytes(), &body].concat()
        };
        let mut stream = packed(&[7; 300]);
        stream.extend_from_slice(&[0, 0, 0, 0, 1, 9]);
        stream.extend(packed(b""));
        let (mut deframer, mut found) = (Deframer::default(), Vec::new());
        for piece in stream.chunks(4) {
            deframer.feed(piece, Encoding::Gzip, 300, |message| found.push(message.to_vec())).unwrap();
        }
        assert_eq!(found, [&[7; 300][..], &[9], &[]]);
        let feed = |bytes: &[u8], encoding, limit| Deframer::default().feed(bytes, encoding, limit, |_| {});
        let refused = feed(&packed(&[0; 1 << 20]), Encoding::Gzip, 10_000);
        assert!(matches!(refused, Err(FramingError::TooLarge { limit: 10_000, .. })), "{refused:?}");
        assert_eq!(feed(&packed(b"x"), Encoding::Unknown, 100), Err(FramingError::Encoding));
        assert_eq!(feed(&[1, 0, 0, 0, 2, 3, 4], Encoding::Gzip, 100), Err(FramingError::Gzip));
    }

    #[test]
    fn a_written_buffer_is_used_again_and_unsent_bytes_are_counted() {
        let (buffers, unsent) = (Buffers::default(), Unsent::default());
        let mut body = b"hello".to_vec();
        let (address, framed) = (body.as_ptr(), buffers.frame(&mut body, false, &unsent));
        assert!(body.is_empty());
        assert_eq!(unsent.bytes(), 5);
        let mut slices = [IoSlice::new(&[]), IoSlice::new(&[])];
        assert_eq!(framed.chunks_vectored(&mut slices), 2);
        drop(framed);
        assert_eq!(unsent.bytes(), 0);
        let mut next = Vec::new();
        let _ = buffers.frame(&mut next, false, &unsent);
        assert_eq!(next.as_ptr(), address);
    }
}
