//! Durations as people write them: `500ms`, `1s`, `2m`, `100us`, `1.5s`. The unit is required.

/// The units, in nanoseconds.
const UNITS: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// The longest duration, so that sums of a few never overflow: 30 days.
pub(super) const MOST_NS: u64 = 30 * 24 * 3_600_000_000_000;

/// A text that is no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// No number at the start.
    #[error("expected a number with a unit, as \"500ms\"")]
    Number,
    /// A number alone.
    #[error("the unit is missing; allowed: ns, us, ms, s, m, h")]
    NoUnit,
    /// A unit that is none.
    #[error("unknown unit; allowed: ns, us, ms, s, m, h")]
    Unit,
    /// A fraction of a nanosecond.
    #[error("finer than a nanosecond")]
    TooFine,
    /// More than 30 days.
    #[error("longer than 30 days (720h)")]
    TooLong,
}

/// Reads a duration, in nanoseconds.
///
/// # Errors
/// See [`DurationError`].
pub fn parse_duration_ns(text: &str) -> Result<u64, DurationError> {
    let text = text.trim();
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err(DurationError::Number);
    }
    let unit = unit.trim();
    if unit.is_empty() {
        return Err(DurationError::NoUnit);
    }
    let (_, unit_ns) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(DurationError::Unit)?;
    let whole: u64 = whole.parse().map_err(|_| DurationError::TooLong)?;
    let whole_ns = whole.checked_mul(*unit_ns).ok_or(DurationError::TooLong)?;
    let fraction_ns = fraction_of(fraction, *unit_ns).ok_or(DurationError::TooFine)?;
    whole_ns.checked_add(fraction_ns).filter(|ns| *ns <= MOST_NS).ok_or(DurationError::TooLong)
}

/// `unit_ns` × 0.`digits`, if that is whole. Integers throughout, so that `0.1s` is exact.
fn fraction_of(digits: &str, unit_ns: u64) -> Option<u64> {
    let digits = digits.trim_end_matches('0');
    let mut ns = 0_u64;
    let mut unit_ns = unit_ns;
    for digit in digits.bytes() {
        if !unit_ns.is_multiple_of(10) {
            return None;
        }
        unit_ns /= 10;
        ns += unit_ns * u64::from(digit - b'0');
    }
    Some(ns)
}

/// Writes a duration the short way: `1.5s`, `500ms`.
#[must_use]
pub fn format_duration_ns(ns: u64) -> String {
    let (unit, unit_ns) = match ns {
        0..1_000 => ("ns", 1),
        1_000..1_000_000 => ("us", 1_000),
        1_000_000..1_000_000_000 => ("ms", 1_000_000),
        _ => ("s", 1_000_000_000_u64),
    };
    let (whole, rest) = (ns / unit_ns, ns % unit_ns);
    if rest == 0 {
        return format!("{whole}{unit}");
    }
    let width = unit_ns.ilog10() as usize;
    let fraction = format!("{rest:0width$}");
    format!("{whole}.{}{unit}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_exactly() {
        for (text, ns) in [
            ("500ms", 500_000_000),
            ("1s", 1_000_000_000),
            ("2m", 120_000_000_000),
            ("100us", 100_000),
            ("100µs", 100_000),
            ("1ns", 1),
            ("0s", 0),
            ("1.5s", 1_500_000_000),
            ("0.1s", 100_000_000),
            ("0.5m", 30_000_000_000),
            ("1 h", 3_600_000_000_000),
            ("720h", MOST_NS),
        ] {
            assert_eq!(parse_duration_ns(text), Ok(ns), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_says_why() {
        for (text, error) in [
            ("", DurationError::Number),
            ("ms", DurationError::Number),
            ("-1s", DurationError::Number),
            (".5s", DurationError::Number),
            ("1.s", DurationError::Number),
            ("1.2.3s", DurationError::Number),
            ("nans", DurationError::Number),
            ("5", DurationError::NoUnit),
            ("5 parsecs", DurationError::Unit),
            ("1e3s", DurationError::Unit),
            ("5MS", DurationError::Unit),
            ("0.5ns", DurationError::TooFine),
            ("721h", DurationError::TooLong),
            ("99999999999999999999s", DurationError::TooLong),
            ("18446744073709551615h", DurationError::TooLong),
        ] {
            assert_eq!(parse_duration_ns(text), Err(error), "{text}");
        }
    }

    #[test]
    fn durations_are_written_as_they_are_read() {
        for text in ["1ns", "999ns", "1us", "1.5ms", "250ms", "1s", "90s", "1.000000001s"] {
            assert_eq!(format_duration_ns(parse_duration_ns(text).unwrap()), text);
        }
    }
}
