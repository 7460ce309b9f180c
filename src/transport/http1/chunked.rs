//! The chunked transfer coding of RFC 9112 §7.1, decoded as it arrives. Pure.
//!
//! Trailer fields are read and dropped, as are chunk extensions.

use super::response::MAX_HEAD_BYTES;
use crate::transport::TransportError;

/// A chunk's size line with its extensions, at most.
const MAX_SIZE_LINE_BYTES: usize = 4096;

/// Where in the coding the next byte belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunked {
    /// A size line.
    Size,
    /// So many bytes of a chunk's data.
    Data(usize),
    /// The line end after a chunk's data.
    LineEnd,
    /// The trailer section, of which so many bytes are read.
    Trailers(usize),
    /// Nothing more belongs to the body.
    Done,
}

impl Chunked {
    /// Moves what `input` holds of the data into `body` and returns how much of `input` is used up.
    ///
    /// # Errors
    /// The coding is damaged, or the body would be larger than `limit`.
    pub(super) fn decode(
        &mut self,
        input: &[u8],
        body: &mut Vec<u8>,
        limit: usize,
    ) -> Result<usize, TransportError> {
        let mut used = 0;
        loop {
            let rest = &input[used..];
            match *self {
                Self::Size => match httparse::parse_chunk_size(rest) {
                    Ok(httparse::Status::Complete((line, size))) => {
                        let room = limit.saturating_sub(body.len());
                        let size = usize::try_from(size).ok().filter(|size| *size <= room);
                        let size = size.ok_or_else(|| super::response::too_large(limit))?;
                        used += line;
                        *self = if size == 0 { Self::Trailers(0) } else { Self::Data(size) };
                    }
                    Ok(httparse::Status::Partial) if rest.len() <= MAX_SIZE_LINE_BYTES => return Ok(used),
                    _ => return Err(TransportError::protocol("the reply has a damaged chunk size")),
                },
                Self::Data(missing) => {
                    let taken = missing.min(rest.len());
                    body.extend_from_slice(&rest[..taken]);
                    used += taken;
                    if taken < missing {
                        *self = Self::Data(missing - taken);
                        return Ok(used);
                    }
                    *self = Self::LineEnd;
                }
                Self::LineEnd => match rest {
                    [b'\r', b'\n', ..] => {
                        used += 2;
                        *self = Self::Size;
                    }
                    [] | [b'\r'] => return Ok(used),
                    _ => return Err(TransportError::protocol("a chunk of the reply is longer than it says")),
                },
                Self::Trailers(read) => {
                    let Some(end) = memchr::memchr(b'\n', rest) else {
                        if read + rest.len() > MAX_HEAD_BYTES {
                            return Err(TransportError::protocol("the reply's trailers are too long"));
                        }
                        return Ok(used);
                    };
                    used += end + 1;
                    if matches!(&rest[..end], [] | [b'\r']) {
                        *self = Self::Done;
                    } else if read + end > MAX_HEAD_BYTES {
                        return Err(TransportError::protocol("the reply's trailers are too long"));
                    } else {
                        *self = Self::Trailers(read + end + 1);
                    }
                }
                Self::Done => return Ok(used),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode_in_steps(input: &[u8], step: usize) -> Result<(Vec<u8>, Vec<u8>), TransportError> {
        let (mut state, mut body, mut waiting) = (Chunked::Size, Vec::new(), Vec::new());
        for piece in input.chunks(step) {
            waiting.extend_from_slice(piece);
            let used = state.decode(&waiting, &mut body, 100)?;
            waiting.drain(..used);
        }
        assert_eq!(state, Chunked::Done);
        Ok((body, waiting))
    }

    #[test]
    fn chunks_extensions_and_trailers_decode_at_every_split() {
        let input = b"5;name=value\r\nhello\r\n06\r\n world\r\n0\r\nchecksum: 1\r\n\r\nrest";
        for step in 1..=input.len() {
            let (body, rest) = decode_in_steps(input, step).unwrap();
            assert_eq!(body, b"hello world");
            assert_eq!(rest, b"rest");
        }
    }

    #[test]
    fn damaged_or_huge_chunks_are_refused_before_anything_is_allocated() {
        for input in [
            &b"zz\r\n"[..],
            b"-1\r\n",
            b"5\r\nhelloworld",
            b"ffffffffffffffff\r\n",
            b"fffffffffffffffff\r\n",
            b"65\r\n",
        ] {
            let mut body = Vec::new();
            assert!(Chunked::Size.decode(input, &mut body, 100).is_err(), "{}", input.escape_ascii());
            assert!(body.capacity() <= 100);
        }
        let long = vec![b' '; MAX_SIZE_LINE_BYTES + 2];
        assert!(Chunked::Size.decode(&[b"5", &long[..]].concat(), &mut Vec::new(), 100).is_err());
        let trailers = vec![b'a'; MAX_HEAD_BYTES + 2];
        assert!(Chunked::Size.decode(&[b"0\r\n", &trailers[..]].concat(), &mut Vec::new(), 100).is_err());
    }
}
