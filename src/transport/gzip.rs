//! gzip (RFC 1952) as a content coding of HTTP/1 and a message encoding of gRPC, under a limit. Pure: whole bodies in, whole bodies out.

use std::io::{Read as _, Write as _};

/// Why a body cannot be unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GzipError {
    /// It is no gzip, or cut short, or fails its check sum.
    Damaged(String),
    /// What is in it is larger than allowed.
    TooLarge,
}

/// Appends what is packed in `packed` to `out`, at most `limit` bytes.
///
/// # Errors
/// See [`GzipError`].
pub(crate) fn unpack(packed: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), GzipError> {
    let before = out.len();
    let beyond = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    // Members may follow each other (RFC 1952 §2.2), as Python reads them.
    let mut reader = flate2::bufread::MultiGzDecoder::new(packed).take(beyond);
    reader.read_to_end(out).map_err(|error| GzipError::Damaged(error.to_string()))?;
    if out.len() - before > limit { Err(GzipError::TooLarge) } else { Ok(()) }
}

/// Packs a body, as fast as it goes: Python's servers use level 1, too.
pub(crate) fn pack(body: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // Writing to a Vec cannot fail.
    let _ = writer.write_all(body);
    writer.finish().unwrap_or_default()
}

/// Packs a body where that makes it smaller, and says whether it did.
pub(crate) fn pack_in_place(body: &mut Vec<u8>) -> bool {
    let packed = pack(body);
    let is_smaller = packed.len() < body.len();
    if is_smaller {
        *body = packed;
    }
    is_smaller
}

/// Whether the value of an `Accept-Encoding` names gzip (RFC 9110 §12.5.3).
pub(crate) fn is_accepted(value: &str) -> bool {
    value.split(',').any(|choice| {
        let mut parts = choice.split(';').map(str::trim);
        let named = parts.next().is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"));
        let refused = parts.any(|parameter| {
            parameter.strip_prefix("q=").is_some_and(|weight| weight.parse::<f32>().is_ok_and(|q| q <= 0.0))
        });
        named && !refused
    })
}

/// What a `Content-Encoding` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// The body is as it is.
    Identity,
    /// The body is packed.
    Gzip,
    /// Nobody here reads it.
    Unknown,
}

impl Coding {
    /// Reads the value of a `Content-Encoding` (RFC 9110 §8.4).
    pub(crate) fn of(value: &[u8]) -> Self {
        let value = value.trim_ascii();
        if value.eq_ignore_ascii_case(b"gzip") || value.eq_ignore_ascii_case(b"x-gzip") {
            Self::Gzip
        } else if value.is_empty() || value.eq_ignore_ascii_case(b"identity") {
            Self::Identity
        } else {
            Self::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_and_members_follow_each_other() {
        let body = vec![b'x'; 100_000];
        let packed = pack(&body);
        assert!(packed.len() < 1000);
        let mut out = Vec::new();
        unpack(&packed, 100_000, &mut out).unwrap();
        assert_eq!(out, body);
        unpack(&[pack(b"a"), pack(b"b")].concat(), 2, &mut out).unwrap();
        assert!(out.ends_with(b"xab"));
    }

    #[test]
    fn a_body_that_does_not_get_smaller_stays_as_it_is() {
        let mut small = b"ab".to_vec();
        assert!(!pack_in_place(&mut small));
        assert_eq!(small, b"ab");
        let mut large = vec![b'x'; 1000];
        assert!(pack_in_place(&mut large));
        let mut out = Vec::new();
        unpack(&large, 1000, &mut out).unwrap();
        assert_eq!(out, vec![b'x'; 1000]);
    }

    #[test]
    fn the_limit_counts_what_is_unpacked() {
        let packed = pack(&vec![0; 10 << 20]);
        let mut out = Vec::new();
        assert_eq!(unpack(&packed, 1000, &mut out), Err(GzipError::TooLarge));
        assert_eq!(out.len(), 1001, "no more than is needed to see it");
    }

    #[test]
    fn damaged_and_short_bodies_are_refused() {
        let packed = pack(b"hello, hello, hello");
        let mut flipped = packed.clone();
        flipped[12] ^= 0xFF;
        for bad in [&b""[..], b"hello", &packed[..packed.len() - 1], &flipped] {
            let refused = unpack(bad, 1000, &mut Vec::new());
            assert!(matches!(refused, Err(GzipError::Damaged(_))), "{bad:?}: {refused:?}");
        }
    }

    #[test]
    fn a_weight_of_zero_is_a_refusal() {
        for (value, accepted) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0", false),
            ("deflate", false),
            ("", false),
        ] {
            assert_eq!(is_accepted(value), accepted, "{value}");
        }
    }
}
