//! What gRPC says about statuses, for the transports that speak it. Pure.
//!
//! Source: "gRPC over HTTP2" (PROTOCOL-HTTP2.md) and "Status codes and their use in gRPC" of the
//! gRPC project.

use std::fmt::Write;

use http::HeaderMap;

use super::{Status, StatusKind};

/// The most calls in flight on a connection, and what a server announces as
/// `SETTINGS_MAX_CONCURRENT_STREAMS`.
pub(crate) const MAX_STREAMS: u16 = 1000;

/// The flow-control window of each stream and of the connection, at both ends. A window below
/// bandwidth × delay decides the throughput: with the default of 64 KiB a trial carried half as many
/// large messages.
pub(crate) const WINDOW_BYTES: u32 = 4 << 20;

/// What may wait to be written on a connection of few calls before their streams pause.
const MAX_UNSENT_BYTES: usize = 256 << 10;

/// What may wait of any one call, however many there are: with [`MAX_STREAMS`] calls 16 MiB.
const MIN_UNSENT_BYTES: usize = 16 << 10;

/// How much of one call may wait to be written before its stream pauses, on a connection of so many.
/// Each has its own share, because a client may read one of its calls and not the other.
pub(crate) fn unsent_share_bytes(calls: usize) -> usize {
    (MAX_UNSENT_BYTES / calls.max(1)).max(MIN_UNSENT_BYTES)
}

/// INTERNAL: a reply that breaks gRPC's rules.
pub(crate) const INTERNAL: u32 = 13;
/// UNIMPLEMENTED: no such method, or a compression that is not supported.
pub(crate) const UNIMPLEMENTED: u32 = 12;
/// RESOURCE_EXHAUSTED: a message larger than allowed.
pub(crate) const RESOURCE_EXHAUSTED: u32 = 8;

/// What a gRPC status number says about a call; the mapping of [`StatusKind`].
pub(crate) fn kind_of(code: u32) -> StatusKind {
    match code {
        0 => StatusKind::Ok,
        2 => StatusKind::Application,
        3 => StatusKind::BadArguments,
        4 => StatusKind::DeadlineExceeded,
        RESOURCE_EXHAUSTED => StatusKind::TooLarge,
        UNIMPLEMENTED => StatusKind::UnknownMethod,
        INTERNAL => StatusKind::Internal,
        _ => StatusKind::Other,
    }
}

/// The gRPC status number of a call that ended so.
pub(crate) fn code_of(status: &Status) -> u32 {
    match status.kind {
        StatusKind::Ok => 0,
        StatusKind::Application => 2,
        StatusKind::BadArguments => 3,
        StatusKind::DeadlineExceeded => 4,
        StatusKind::TooLarge => RESOURCE_EXHAUSTED,
        StatusKind::UnknownMethod => UNIMPLEMENTED,
        StatusKind::Internal => INTERNAL,
        StatusKind::Other => status.code.unwrap_or(2),
    }
}

/// A status from its number and text.
pub(crate) fn status(code: u32, message: String) -> Status {
    Status { kind: kind_of(code), code: Some(code), message }
}

/// `grpc-message` as it is sent: percent-encoded but for printable ASCII.
pub(crate) fn encode_message(message: &str) -> String {
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            encoded.push(byte.into());
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// `grpc-message` as it was meant. Damaged escapes are kept as they are, as the specification asks.
pub(crate) fn decode_message(encoded: &[u8]) -> String {
    let mut message = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let [first, after @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, ..] => hex(*high).zip(hex(*low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            message.push(high << 4 | low);
            rest = &rest[3..];
        } else {
            message.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&message).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The encodings that both ends read, for `grpc-accept-encoding`.
pub(crate) const ACCEPTED_ENCODINGS: &str = "identity,gzip";

/// How the messages of a request or reply are encoded whose prefix says that they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Encoding {
    /// `grpc-encoding` says nothing: a compressed message breaks the rules.
    #[default]
    None,
    Gzip,
    /// One that nobody here reads.
    Unknown,
}

impl Encoding {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        match headers.get("grpc-encoding").map(|value| value.as_bytes()) {
            None | Some(b"identity") => Self::None,
            Some(b"gzip") => Self::Gzip,
            Some(_) => Self::Unknown,
        }
    }
}

/// Whether replies are packed: for clients that pack their own messages and say that they read gzip. What
/// a client only could read is left as it is, because that is cheaper between machines that are near.
pub(crate) fn answers_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get("grpc-accept-encoding").and_then(|value| value.to_str().ok());
    matches!(Encoding::of(headers), Encoding::Gzip) && accepted.is_some_and(super::gzip::is_accepted)
}

/// The units of `grpc-timeout` in nanoseconds, the finest first.
const TIMEOUT_UNITS: [(char, u64); 6] = [
    ('n', 1),
    ('u', 1_000),
    ('m', 1_000_000),
    ('S', 1_000_000_000),
    ('M', 60_000_000_000),
    ('H', 3_600_000_000_000),
];

/// A number of `grpc-timeout` has at most eight digits.
const MAX_TIMEOUT_NUMBER: u64 = 99_999_999;

/// How long the client waits, from `grpc-timeout`; nothing where there is none, or it breaks the rules.
pub(crate) fn timeout_ns(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let is_number = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let (_, unit_ns) = TIMEOUT_UNITS.iter().find(|(name, _)| unit.starts_with(*name))?;
    is_number.then(|| digits.parse::<u64>().ok())?.map(|number| number.saturating_mul(*unit_ns))
}

/// A `grpc-timeout`: in the coarsest unit that says it exactly, else rounded up in the finest that can.
pub(crate) fn encode_timeout(ns: u64) -> String {
    let exact = TIMEOUT_UNITS.iter().rev().find(|(_, unit_ns)| ns.is_multiple_of(*unit_ns));
    let can = |(_, unit_ns): &&(char, u64)| ns.div_ceil(*unit_ns) <= MAX_TIMEOUT_NUMBER;
    let (unit, unit_ns) =
        exact.filter(can).or_else(|| TIMEOUT_UNITS.iter().find(can)).unwrap_or(&('H', 3_600_000_000_000));
    format!("{}{unit}", ns.div_ceil(*unit_ns).min(MAX_TIMEOUT_NUMBER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_its_encoding_and_damage_is_kept() {
        for message in ["", "plain", "100% of ünïcode\n\0", "%41"] {
            let encoded = encode_message(message);
            assert!(encoded.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            assert_eq!(decode_message(encoded.as_bytes()), message);
        }
        for (encoded, expected) in
            [("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("a%41b", "aAb"), ("%ff", "\u{fffd}")]
        {
            assert_eq!(decode_message(encoded.as_bytes()), expected);
        }
    }

    #[test]
    fn a_timeout_survives_its_encoding_and_what_breaks_the_rules_is_none() {
        let read = |text: &str| {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static("grpc-timeout"),
                http::HeaderValue::from_str(text).unwrap(),
            )]);
            timeout_ns(&headers)
        };
        for (ns, text) in [
            (5_000_000_000, "5S"),
            (300_000_000, "300m"),
            (7, "7n"),
            (90_000_000_000, "90S"),
            (3_600_000_000_000, "1H"),
            (1_500_000_001, "1500001u"),
        ] {
            assert_eq!(encode_timeout(ns), text);
            assert!(read(text).unwrap() >= ns && read(text).unwrap() - ns < 1_000);
        }
        assert_eq!(read(&encode_timeout(u64::MAX)), Some(u64::MAX));
        for text in ["", "S", "5", "5s", "123456789n", "-1S", "1.5S", "+1S", " 1S", "5SS"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read("99999999H"), Some(u64::MAX), "about eleven thousand years");
    }

    #[test]
    fn every_kind_has_a_number_that_means_it() {
        for kind in [
            StatusKind::Ok,
            StatusKind::UnknownMethod,
            StatusKind::BadArguments,
            StatusKind::Application,
            StatusKind::TooLarge,
            StatusKind::DeadlineExceeded,
            StatusKind::Internal,
        ] {
            assert_eq!(kind_of(code_of(&Status::new(kind, ""))), kind);
        }
        let other = status(14, "down".into());
        assert_eq!((other.kind, code_of(&other)), (StatusKind::Other, 14));
    }
}
