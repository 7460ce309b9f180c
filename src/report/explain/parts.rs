//! Figures of differences in words: with a sign, an interval, and a share.

use crate::analysis::{Cause, Difference, Estimate, Metric, Part, duration_ns, duration_us, three_digits};

/// Why the times are not quite those of the table.
pub(super) const ABOUT_TIMES: &str = "(Times here are means over the rounds of each round's medians by method, and \
                                      differ a little from the table's, which are of all rounds together.)";

/// A figure of a metric, which may be negative.
pub(super) fn amount(metric: Metric, value: f64) -> String {
    let size = value.abs();
    let (size, nothing) = match metric {
        Metric::ServiceNs => (duration_ns(size), duration_ns(0.0)),
        Metric::CpuUs => (duration_us(size), duration_us(0.0)),
        Metric::Bytes => (bytes(size), bytes(0.0)),
    };
    let sign = if value < 0.0 && size != nothing { "−" } else { "" };
    format!("{sign}{size}")
}

/// Bytes, with decimals where they are few.
pub(super) fn bytes(bytes: f64) -> String {
    if bytes < 99.95 && (bytes - bytes.round()).abs() > 0.05 {
        return format!("{bytes:.1} bytes");
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let whole = bytes.round() as u64;
    format!("{} byte{}", crate::analysis::count(whole), if whole == 1 { "" } else { "s" })
}

/// With a plus before what is more than nothing.
pub(super) fn signed(metric: Metric, value: f64) -> String {
    let shown = amount(metric, value);
    if value < 0.0 || shown == amount(metric, 0.0) { shown } else { format!("+{shown}") }
}

/// The interval in brackets; nothing where there is none, or where every round was the same.
pub(super) fn interval(metric: Metric, estimate: &Estimate) -> String {
    let Some(ends) = estimate.interval else { return String::new() };
    let [low, high] = ends.map(|end| amount(metric, end));
    if low == high { String::new() } else { format!(" ({low} to {high})") }
}

/// `adds 3.0 µs (2.1 to 3.9)`, or `saves`, in the direction of the slower back end.
fn effect(metric: Metric, estimate: &Estimate) -> String {
    let verb = if estimate.value < 0.0 { "saves" } else { "adds" };
    let turned = match estimate.interval {
        Some([low, high]) if estimate.value < 0.0 => Some([-high, -low]),
        other => other,
    };
    let size = Estimate { value: estimate.value.abs(), interval: turned };
    let doubt = if estimate.interval.is_some_and(|[low, high]| low < 0.0 && high > 0.0) {
        ", which may be nothing"
    } else {
        ""
    };
    format!("{verb} {}{}{doubt}", amount(metric, size.value), interval(metric, &size))
}

/// Of what lies in the direction of the difference; what saves has none.
fn share(part: f64, of: f64) -> Option<f64> {
    let share = part / of;
    (share.is_finite() && share > 0.0).then_some(100.0 * share)
}

/// A sentence about one part of a difference.
pub(super) fn sentence(difference: &Difference, part: &Part) -> String {
    let metric = difference.metric;
    let size = effect(metric, &part.amount);
    let share = share(part.amount.value, difference.difference.value)
        .map_or_else(String::new, |share| format!(": {share:.0} % of the difference"));
    match &part.cause {
        Cause::Codec { slower, faster } => format!("Codec: {slower} instead of {faster} {size}{share}."),
        Cause::Transport { slower, faster } => {
            format!("Transport: {slower} instead of {faster} {size}{share}.")
        }
        Cause::Envelope { slower, faster } => {
            format!("Envelope: {} {size}{share}.", envelopes(slower.as_deref(), faster.as_deref()))
        }
        Cause::Implementation { backend, ours, of_slower: true } => {
            format!(
                "Implementation: the server of {backend} instead of ours of the same protocol ({ours}) {size}{share}."
            )
        }
        Cause::Implementation { backend, ours, of_slower: false } => {
            format!("Implementation: our server ({ours}) instead of that of {backend} {size}{share}.")
        }
        Cause::Interaction => {
            let size = amount(metric, part.amount.value);
            let doubt = if part.amount.interval.is_some_and(|[low, high]| low <= 0.0 && high >= 0.0) {
                ", within what rounds differ by"
            } else {
                ""
            };
            format!(
                "Unexplained: {size}{}{doubt}{share}. These codecs over these transports do otherwise than the sum of the two.",
                interval(metric, &part.amount)
            )
        }
        Cause::Protocol { what } => match what.as_slice() {
            [] => format!("Nothing that the run knows of differs between them, which {size}{share}."),
            [only] => format!("The {only}, in which alone they differ, {size}{share}."),
            several => format!("Not told apart: {} together; this {size}{share}.", listed(several)),
        },
    }
}

/// The part in a few words, for a table.
pub(super) fn title(cause: &Cause) -> String {
    match cause {
        Cause::Codec { .. } => "codec".into(),
        Cause::Transport { .. } => "transport".into(),
        Cause::Envelope { .. } => "envelope".into(),
        Cause::Implementation { .. } => "implementation".into(),
        Cause::Interaction => "unexplained".into(),
        Cause::Protocol { what } => listed(what),
    }
}

fn envelopes(slower: Option<&str>, faster: Option<&str>) -> String {
    match (slower, faster) {
        (Some(slower), Some(faster)) => format!("that of {slower} instead of that of {faster}"),
        (Some(slower), None) => format!("that of {slower} instead of the minimal one"),
        (None, Some(faster)) => format!("the minimal one instead of that of {faster}"),
        (None, None) => "the minimal one of both".into(),
    }
}

pub(super) fn listed(items: &[String]) -> String {
    match items {
        [] => "nothing".into(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// `1.58 times`.
pub(super) fn times(slower: f64, faster: f64) -> Option<String> {
    (faster > 0.0).then(|| format!("{} times", three_digits(slower / faster)))
}
