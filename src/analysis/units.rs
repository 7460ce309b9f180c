//! Figures in the units of people.

/// A time of nanoseconds with three significant digits: `870 ns`, `12.3 µs`, `4.56 ms`, `1.20 s`.
#[must_use]
pub fn duration_ns(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds {
        ns if ns < 999.5 => (ns, "ns"),
        ns if ns < 999.5e3 => (ns / 1e3, "µs"),
        ns if ns < 999.5e6 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    if unit == "ns" { format!("{value:.0} ns") } else { format!("{} {unit}", three_digits(value)) }
}

/// A time of microseconds, as [`duration_ns`].
#[must_use]
pub fn duration_us(microseconds: f64) -> String {
    duration_ns(microseconds * 1e3)
}

/// A rate with three significant digits: `950/s`, `12.3 k/s`, `1.86 M/s`.
#[must_use]
pub fn rate_per_s(rate: f64) -> String {
    match rate {
        rate if rate < 999.5 => format!("{}/s", three_digits(rate)),
        rate if rate < 999.5e3 => format!("{} k/s", three_digits(rate / 1e3)),
        rate => format!("{} M/s", three_digits(rate / 1e6)),
    }
}

/// A number with commas between thousands.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with three significant digits.
#[must_use]
pub fn three_digits(value: f64) -> String {
    match value {
        value if value < 9.995 => format!("{value:.2}"),
        value if value < 99.95 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_the_unit_that_fits() {
        for (ns, text) in [
            (0.0, "0 ns"),
            (999.4, "999 ns"),
            (999.6, "1.00 µs"),
            (12_345.0, "12.3 µs"),
            (999_600.0, "1.00 ms"),
            (123_456_789.0, "123 ms"),
            (1.2e9, "1.20 s"),
            (3.6e12, "3600 s"),
        ] {
            assert_eq!(duration_ns(ns), text);
        }
    }

    #[test]
    fn rates_and_counts_are_short() {
        assert_eq!(rate_per_s(950.4), "950/s");
        assert_eq!(rate_per_s(1_860_000.0), "1.86 M/s");
        assert_eq!(rate_per_s(12_345.0), "12.3 k/s");
        assert_eq!(
            [count(0), count(999), count(1_000), count(12_345_678)],
            ["0", "999", "1,000", "12,345,678"]
        );
    }
}
