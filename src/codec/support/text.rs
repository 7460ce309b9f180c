//! Numbers and bytes as text, for the codecs that are text.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Appends an integer in decimal. Through serde_json because it brings the fastest formatter.
pub(crate) fn push_int(out: &mut Vec<u8>, int: i64) {
    // Writing into memory cannot fail.
    let _ = serde_json::to_writer(out, &int);
}

/// Appends a finite float: the fewest digits that read back as the same bits, always with a point,
/// never with an exponent.
pub(crate) fn push_float(out: &mut Vec<u8>, float: f64) {
    let start = out.len();
    let _ = serde_json::to_writer(&mut *out, &float);
    if memchr::memchr(b'e', &out[start..]).is_some() {
        out.truncate(start);
        let _ = write!(out, "{float}");
        if memchr::memchr(b'.', &out[start..]).is_none() {
            out.extend_from_slice(b".0");
        }
    }
}

/// Appends bytes in base64 with padding (RFC 4648, section 4).
pub(crate) fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // The room is exactly what the encoding takes.
    let _ = STANDARD.encode_slice(bytes, &mut out[start..]);
}

/// The last `N` decimal digits of a number, with leading zeros.
pub(crate) fn digits<const N: usize>(mut number: u32) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        // A remainder by ten fits a byte.
        *digit += u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
    digits
}

/// The float of the same value, where there is one: peers in languages without static types write
/// 1.0 as 1.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
pub(crate) fn exact_float(int: i128) -> Option<f64> {
    let float = int as f64;
    (float as i128 == int).then_some(float)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"x".to_vec();
        push(&mut out);
        String::from_utf8(out.split_off(1)).unwrap()
    }

    #[test]
    fn floats_have_a_point_and_no_exponent() {
        for (float, expected) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (1e21, "1000000000000000000000.0"),
            (1.5e-7, "0.00000015"),
            (-2.5e16, "-25000000000000000.0"),
        ] {
            assert_eq!(text(|out| push_float(out, float)), expected);
        }
        for float in [f64::MAX, f64::MIN_POSITIVE, 5e-324] {
            let written = text(|out| push_float(out, float));
            assert!(!written.contains(['e', 'E']), "{written}");
            assert_eq!(written.parse::<f64>().unwrap().to_bits(), float.to_bits());
        }
    }

    #[test]
    fn base64_is_padded() {
        for (bytes, expected) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(text(|out| push_base64(out, bytes.as_bytes())), expected);
        }
    }

    #[test]
    fn integers_that_no_float_holds_are_not_floats() {
        assert_eq!(exact_float(1 << 53), Some(9_007_199_254_740_992.0));
        assert_eq!(exact_float((1 << 53) + 1), None);
        assert_eq!(exact_float(i128::from(i64::MAX)), None);
        assert_eq!(exact_float(i128::from(i64::MIN)), Some(-9_223_372_036_854_775_808.0));
    }
}
