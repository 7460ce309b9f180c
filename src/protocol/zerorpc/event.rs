//! Events as bytes: taken apart without allocating, and written.

use std::hash::{BuildHasher, Hasher, RandomState};

use rmp::Marker;
use rmp::decode;

/// Longest id taken from a peer, as MessagePack: zerorpc's own have 34 bytes.
pub(super) const MAX_ID_BYTES: usize = 66;

/// An event. Ids are MessagePack values, so that they are sent back exactly as they came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Event<'a> {
    pub(super) message_id: Option<&'a [u8]>,
    pub(super) response_to: Option<&'a [u8]>,
    /// The protocol version; `None` where the header has none.
    pub(super) version: Option<i64>,
    /// The name; `None` where it is no text.
    pub(super) name: Option<&'a str>,
    /// Everything behind the name.
    pub(super) args: &'a [u8],
}

impl<'a> Event<'a> {
    /// Takes an event apart; `None` for whatever the real system would ignore.
    pub(super) fn parse(mut bytes: &'a [u8]) -> Option<Self> {
        if decode::read_array_len(&mut bytes).ok()? != 3 {
            return None;
        }
        let fields = decode::read_map_len(&mut bytes).ok()?;
        let mut event = Event { message_id: None, response_to: None, version: None, name: None, args: &[] };
        // The announced number is only counted down: each field takes bytes, or the event ends.
        for _ in 0..fields {
            let key = take(&mut bytes)?;
            let value = take(&mut bytes)?;
            match text(key).map(str::as_bytes).or_else(|| binary(key))? {
                b"message_id" => event.message_id = Some(id(value)?),
                b"response_to" if value == [Marker::Null.to_u8()] => event.response_to = None,
                b"response_to" => event.response_to = Some(id(value)?),
                b"v" => event.version = Some(int(value)?),
                _ => {}
            }
        }
        let name = take(&mut bytes)?;
        event.name = text(name);
        if event.name.is_none() && is_text(name) {
            return None; // text that is not UTF-8
        }
        event.args = bytes;
        Some(event)
    }
}

fn id(value: &[u8]) -> Option<&[u8]> {
    let marker = Marker::from_u8(*value.first()?);
    let whole = !matches!(
        marker,
        Marker::Null
            | Marker::FixArray(_)
            | Marker::Array16
            | Marker::Array32
            | Marker::FixMap(_)
            | Marker::Map16
            | Marker::Map32
    );
    (whole && value.len() <= MAX_ID_BYTES).then_some(value)
}

fn is_text(value: &[u8]) -> bool {
    let marker = value.first().map(|byte| Marker::from_u8(*byte));
    matches!(marker, Some(Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32))
}

/// A value that is text.
pub(super) fn text(mut value: &[u8]) -> Option<&str> {
    decode::read_str_len(&mut value).ok()?;
    std::str::from_utf8(value).ok()
}

/// A value that is bytes.
pub(super) fn binary(mut value: &[u8]) -> Option<&[u8]> {
    decode::read_bin_len(&mut value).ok()?;
    Some(value)
}

/// A value that is an integer.
pub(super) fn int(mut value: &[u8]) -> Option<i64> {
    decode::read_int(&mut value).ok()
}

/// How many values an array has; leaves its first at the start of `bytes`.
pub(super) fn array(bytes: &mut &[u8]) -> Option<u32> {
    decode::read_array_len(bytes).ok()
}

/// Cuts the first value off `bytes`.
pub(super) fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (value, rest) = bytes.split_at_checked(value_length(bytes)?)?;
    *bytes = rest;
    Some(value)
}

/// The length of the first value. Counts the values that are still to come instead of descending, so
/// nesting costs nothing, and ends with the bytes, whatever lengths they announce.
fn value_length(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    let mut to_come: u64 = 1;
    while to_come > 0 {
        to_come -= 1;
        let (body_bytes, values) = match decode::read_marker(&mut rest).ok()? {
            Marker::FixPos(_) | Marker::FixNeg(_) | Marker::Null | Marker::True | Marker::False => (0, 0),
            Marker::U8 | Marker::I8 => (1, 0),
            Marker::U16 | Marker::I16 => (2, 0),
            Marker::U32 | Marker::I32 | Marker::F32 => (4, 0),
            Marker::U64 | Marker::I64 | Marker::F64 => (8, 0),
            Marker::FixStr(length) => (usize::from(length), 0),
            Marker::Str8 | Marker::Bin8 => (length(&mut rest, 1)?, 0),
            Marker::Str16 | Marker::Bin16 => (length(&mut rest, 2)?, 0),
            Marker::Str32 | Marker::Bin32 => (length(&mut rest, 4)?, 0),
            Marker::FixExt1 => (2, 0),
            Marker::FixExt2 => (3, 0),
            Marker::FixExt4 => (5, 0),
            Marker::FixExt8 => (9, 0),
            Marker::FixExt16 => (17, 0),
            Marker::Ext8 => (length(&mut rest, 1)?.checked_add(1)?, 0),
            Marker::Ext16 => (length(&mut rest, 2)?.checked_add(1)?, 0),
            Marker::Ext32 => (length(&mut rest, 4)?.checked_add(1)?, 0),
            Marker::FixArray(values) => (0, u64::from(values)),
            Marker::Array16 => (0, length(&mut rest, 2)? as u64),
            Marker::Array32 => (0, length(&mut rest, 4)? as u64),
            Marker::FixMap(fields) => (0, 2 * u64::from(fields)),
            Marker::Map16 => (0, 2 * length(&mut rest, 2)? as u64),
            Marker::Map32 => (0, 2 * length(&mut rest, 4)? as u64),
            Marker::Reserved => return None,
        };
        rest = rest.get(body_bytes..)?;
        to_come += values;
        // Each value has a byte at least.
        if to_come > rest.len() as u64 {
            return None;
        }
    }
    Some(bytes.len() - rest.len())
}

/// A big-endian length of `width` bytes.
fn length(rest: &mut &[u8], width: usize) -> Option<usize> {
    let (digits, after) = rest.split_at_checked(width)?;
    *rest = after;
    Some(digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)))
}

/// Makes message ids: 16 random hexadecimal digits of the connection, and 16 of a number.
#[derive(Debug)]
pub(super) struct Ids {
    prefix: [u8; 16],
}

impl Ids {
    /// Ids that no other connection has.
    pub(super) fn new() -> Self {
        // The library's hash keys are the only random numbers that need no dependency.
        Self { prefix: hexadecimal(RandomState::new().build_hasher().finish()) }
    }

    #[cfg(test)]
    pub(super) fn fixed(prefix: [u8; 16]) -> Self {
        Self { prefix }
    }

    /// Appends the id of a number, as MessagePack.
    pub(super) fn write(&self, number: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&[Marker::Bin8.to_u8(), 32]);
        out.extend_from_slice(&self.prefix);
        out.extend_from_slice(&hexadecimal(number));
    }

    /// The number of an id (as MessagePack) that [`Self::write`] made.
    pub(super) fn number(&self, id: &[u8]) -> Option<u64> {
        let digits = binary(id)?.strip_prefix(&self.prefix)?;
        read_hexadecimal(digits.try_into().ok()?)
    }
}

/// What an opening event begins with, up to its id.
const CALL: &[u8] = b"\x93\x82\xaamessage_id\xc4\x20";

/// The number in the id of a call that one of our clients makes; of another's, some number or none.
pub(super) fn number_of_call(message: &[u8]) -> Option<u64> {
    let (_prefix, digits) = message.strip_prefix(CALL)?.get(..32)?.split_first_chunk::<16>()?;
    read_hexadecimal(digits.try_into().ok()?)
}

fn read_hexadecimal(digits: &[u8; 16]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(digit))
    })
}

fn hexadecimal(number: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    for (place, digit) in digits.iter_mut().enumerate() {
        let nibble = number >> (60 - 4 * place) & 15;
        *digit = b"0123456789abcdef".get(usize::try_from(nibble).unwrap_or(0)).copied().unwrap_or(b'0');
    }
    digits
}

/// Writes an event up to its arguments, with the id of `number` and, for all but an opening event, the id
/// that it responds to.
pub(super) fn begin(ids: &Ids, number: u64, response_to: Option<&[u8]>, name: &str, out: &mut Vec<u8>) {
    begin_header(ids, number, response_to, out);
    put_text(name, out);
}

/// Writes an event up to its name.
pub(super) fn begin_header(ids: &Ids, number: u64, response_to: Option<&[u8]>, out: &mut Vec<u8>) {
    out.extend_from_slice(if response_to.is_some() {
        b"\x93\x83\xaamessage_id"
    } else {
        b"\x93\x82\xaamessage_id"
    });
    ids.write(number, out);
    out.extend_from_slice(b"\xa1v\x03");
    if let Some(id) = response_to {
        out.extend_from_slice(b"\xabresponse_to");
        out.extend_from_slice(id);
    }
}

/// Writes a text.
pub(super) fn put_text(text: &str, out: &mut Vec<u8>) {
    // A Vec takes everything.
    let _ = rmp::encode::write_str(out, text);
}

/// Writes the head of an array.
pub(super) fn put_array(values: usize, out: &mut Vec<u8>) {
    let _ = rmp::encode::write_array_len(out, u32::try_from(values).unwrap_or(u32::MAX));
}

/// Writes the head of a map.
pub(super) fn put_map(fields: usize, out: &mut Vec<u8>) {
    let _ = rmp::encode::write_map_len(out, u32::try_from(fields).unwrap_or(u32::MAX));
}

/// Writes nil.
pub(super) fn put_nil(out: &mut Vec<u8>) {
    out.push(Marker::Null.to_u8());
}

/// Writes the arguments `[number]`.
pub(super) fn put_number(number: u32, out: &mut Vec<u8>) {
    put_array(1, out);
    let _ = rmp::encode::write_uint(out, u64::from(number));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_gives_back_its_number_and_no_other_connections_does() {
        let (ids, others) = (Ids::new(), Ids::new());
        for number in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX] {
            let mut id = Vec::new();
            ids.write(number, &mut id);
            assert_eq!(id.len(), 34);
            assert!(id[2..].iter().all(u8::is_ascii_hexdigit));
            assert_eq!(ids.number(&id), Some(number));
            assert_eq!(others.number(&id), None);
            id[20] = b'G';
            assert_eq!(ids.number(&id), None);
        }
    }

    #[test]
    fn a_header_may_have_any_order_and_more_keys() {
        let event =
            Event::parse(b"\x93\x84\xa1v\x03\xa5trace\x82\x01\x92\xc0\xc3\xa1x\xcb\0\0\0\0\0\0\0\0\xc4\x0bresponse_to\xa2ab\xaamessage_id\xc4\x01z\xa2OK\x91\x07");
        assert_eq!(
            event,
            Some(Event {
                message_id: Some(b"\xc4\x01z"),
                response_to: Some(b"\xa2ab"),
                version: Some(3),
                name: Some("OK"),
                args: b"\x91\x07",
            })
        );
    }

    #[test]
    fn what_is_no_event_is_refused() {
        let cases: &[(&str, &[u8])] = &[
            ("empty", b""),
            ("two members", b"\x92\x80\xa1a"),
            ("a nil header", b"\x93\xc0\xa1a\x90"),
            ("no name", b"\x93\x80"),
            ("a number as key", b"\x93\x81\x01\x01\xa1a\x90"),
            ("a list as id", b"\x93\x81\xaamessage_id\x90\xa1a\x90"),
            ("a nil id", b"\x93\x81\xaamessage_id\xc0\xa1a\x90"),
            ("a version that is text", b"\x93\x81\xa1v\xa13\xa1a\x90"),
            ("more fields than bytes", b"\x93\xdf\xff\xff\xff\xff\xa1a\x90"),
            ("a text longer than the bytes", b"\x93\x81\xdb\xff\xff\xff\xffv\x03\xa1a\x90"),
            ("a list longer than the bytes", b"\x93\x81\xa1v\xdd\xff\xff\xff\xff\xa1a\x90"),
            ("a name that is not UTF-8", b"\x93\x80\xa1\xff\x90"),
            ("a reserved byte", b"\x93\x81\xa1v\xc1\xa1a\x90"),
        ];
        for (what, bytes) in cases {
            assert_eq!(Event::parse(bytes), None, "{what}");
        }
    }

    #[test]
    fn deep_nesting_takes_no_stack() {
        let mut bytes = vec![0x91; 1_000_000];
        bytes.push(0xc0);
        assert_eq!(value_length(&bytes), Some(1_000_001));
        bytes.pop();
        assert_eq!(value_length(&bytes), None);
    }

    #[test]
    fn every_kind_of_value_has_its_length() {
        let cases: &[&[u8]] = &[
            b"\x7f",
            b"\xe0",
            b"\xc0",
            b"\xc2",
            b"\xc3",
            b"\xcc\x01",
            b"\xcd\x01\x02",
            b"\xce\0\0\0\0",
            b"\xcf\0\0\0\0\0\0\0\0",
            b"\xd0\x01",
            b"\xd1\0\0",
            b"\xd2\0\0\0\0",
            b"\xd3\0\0\0\0\0\0\0\0",
            b"\xca\0\0\0\0",
            b"\xcb\0\0\0\0\0\0\0\0",
            b"\xa2ab",
            b"\xd9\x02ab",
            b"\xda\0\x02ab",
            b"\xdb\0\0\0\x02ab",
            b"\xc4\x02ab",
            b"\xc5\0\x02ab",
            b"\xc6\0\0\0\x02ab",
            b"\xd4\x01a",
            b"\xd5\x01ab",
            b"\xd6\xffabcd",
            b"\xd7\xffabcdefgh",
            b"\xd8\x01abcdefghabcdefgh",
            b"\xc7\x02\x01ab",
            b"\xc8\0\x02\x01ab",
            b"\xc9\0\0\0\x02\x01ab",
            b"\x92\x01\x02",
            b"\xdc\0\x02\x01\x02",
            b"\xdd\0\0\0\x02\x01\x02",
            b"\x81\x01\x02",
            b"\xde\0\x01\x01\x02",
            b"\xdf\0\0\0\x01\x01\x02",
        ];
        for case in cases {
            let mut with_more = case.to_vec();
            with_more.push(0xc0);
            assert_eq!(value_length(&with_more), Some(case.len()), "{case:x?}");
            assert_eq!(value_length(&case[..case.len() - 1]), None, "{case:x?}");
        }
    }
}
