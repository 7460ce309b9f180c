//! The text of XML-RPC's scalar elements. Reading tolerates space around a scalar, as Python's
//! `xmlrpc` does; text is never passed through here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::rpc::from_civil;

fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}

pub(super) fn bool(text: &str) -> Result<bool, &'static str> {
    match trimmed(text) {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err("a boolean other than 0 or 1"),
    }
}

/// `<i4>` and `<int>` have 32 bits, `<i8>` has 64.
pub(super) fn int(text: &str, bits: u32) -> Result<i64, &'static str> {
    let int: i64 = trimmed(text).parse().map_err(|_| "no integer of 64 bits")?;
    if bits == 64 || i32::try_from(int).is_ok() { Ok(int) } else { Err("an integer beyond 32 bits") }
}

/// An exponent is accepted though the specification has none: Python writes one.
pub(super) fn float(text: &str) -> Result<f64, &'static str> {
    const NO_DOUBLE: &str = "a double that is no finite decimal number";
    let text = trimmed(text);
    // Rust would also take `inf` and `nan`.
    if !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
        return Err(NO_DOUBLE);
    }
    let float: f64 = text.parse().map_err(|_| NO_DOUBLE)?;
    if float.is_finite() { Ok(float) } else { Err(NO_DOUBLE) }
}

/// `YYYYMMDDTHH:MM:SS`, also with dashes in the date and a `Z` at the end. UTC.
pub(super) fn time(text: &str) -> Result<i64, &'static str> {
    let text = trimmed(text);
    let text = text.strip_suffix('Z').unwrap_or(text);
    parse_time(text.as_bytes()).ok_or("a dateTime.iso8601 other than YYYYMMDDTHH:MM:SS, or no such date")
}

fn parse_time(text: &[u8]) -> Option<i64> {
    let (date, clock) = text.split_at_checked(text.len().checked_sub(9)?)?;
    let [b'T', h, hh, b':', m, mm, b':', s, ss] = *clock else { return None };
    let (year, month, day) = match *date {
        [a, b, c, d, m, mm, e, f] | [a, b, c, d, b'-', m, mm, b'-', e, f] => {
            (number(&[a, b, c, d])?, number(&[m, mm])?, number(&[e, f])?)
        }
        _ => return None,
    };
    from_civil(year.into(), month, day, number(&[h, hh])?, number(&[m, mm])?, number(&[s, ss])?)
}

fn number(digits: &[u8]) -> Option<u32> {
    digits
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
}

/// Base64 may be broken into lines.
pub(super) fn bytes(text: &str) -> Result<Vec<u8>, &'static str> {
    // Most is not, and white space alone makes this fail.
    let decoded = STANDARD.decode(text).or_else(|_| {
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        STANDARD.decode(text.bytes().filter(|byte| !is_space(byte)).collect::<Vec<u8>>())
    });
    decoded.map_err(|_| "text that is no base64")
}
