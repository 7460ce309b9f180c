//! What came of a check, in one sentence for the one who made the change.

use super::metric::label;
use crate::analysis::units::{duration_ns, duration_us, rate_per_s};
use crate::result::{CheckResult, CheckStatus, MetricCheck};

/// A change as people write it: `+12.3 %`, `−0.4 %`; large ones without a decimal.
#[must_use]
pub fn change(share: f64) -> String {
    let percent = share * 100.0;
    let digits =
        if percent.abs() < 100.0 { format!("{:.1}", percent.abs()) } else { format!("{:.0}", percent.abs()) };
    if digits == "0.0" {
        return "0.0 %".to_owned();
    }
    format!("{}{digits} %", if percent < 0.0 { "−" } else { "+" })
}

/// A figure of a metric in the units of people.
#[must_use]
pub fn in_unit(metric: &MetricCheck, value: f64) -> String {
    match &*metric.unit {
        "ns" => duration_ns(value),
        "µs/call" => duration_us(value),
        _ => rate_per_s(value),
    }
}

/// `service p50 +12.3 % (95 % interval +10.1 % to +14.0 %)`.
fn told(metric: &MetricCheck) -> String {
    let Some(of) = metric.change else { return format!("{} not measured", label(&metric.name)) };
    let interval = match metric.interval {
        Some([low, high]) => {
            let confidence = metric.confidence * 100.0;
            let confidence = format!("{confidence:.1}").trim_end_matches(".0").to_owned();
            format!(" ({confidence} % interval {} to {})", change(low), change(high))
        }
        None => " (too few pairs for an interval)".to_owned(),
    };
    format!("{} {}{interval}", label(&metric.name), change(of))
}

/// The sentence at the end of a check. "Not found" is never told as "not there": what passes is told
/// with its interval and the smallest change that would have been found.
#[must_use]
pub fn sentence(check: &CheckResult) -> String {
    let (pairs, of) = (check.pairs_counted(), check.settings.pairs_of());
    match check.status {
        CheckStatus::Regressed => regressed(check, pairs),
        CheckStatus::Pass => {
            let gated = with_verdict(check, CheckStatus::Pass);
            if gated.is_empty() {
                return "nothing is gated: encoded bytes and errors are as they were".to_owned();
            }
            let found = gated.iter().filter_map(|metric| {
                Some(format!("{} {}", label(&metric.name), change(metric.smallest_detectable?)))
            });
            let found = found.collect::<Vec<_>>().join(", ");
            let found = if found.is_empty() {
                String::new()
            } else {
                format!("; {pairs} pairs of {of} find {found} nine times in ten")
            };
            format!("{}; {}{found}", passed(&gated), limits(&gated))
        }
        CheckStatus::Inconclusive => {
            let open = with_verdict(check, CheckStatus::Inconclusive);
            let needed = open.iter().filter_map(|metric| metric.pairs_for_limit).max();
            let needed = match needed {
                Some(needed) if needed > pairs as u64 => {
                    format!("; a change as large as the limit needs about {needed} pairs (--rounds {needed})")
                }
                _ => "; more pairs will decide it (--rounds)".to_owned(),
            };
            format!("not decided with {pairs} pairs of {of}: {}; {}{needed}", all_told(&open), limits(&open))
        }
        CheckStatus::Invalid => {
            let why = check.notes.first().map_or("the measurement does not count", |note| note);
            format!("no verdict: {why}")
        }
    }
}

fn with_verdict(check: &CheckResult, verdict: CheckStatus) -> Vec<&MetricCheck> {
    check.metrics.iter().filter(|metric| metric.verdict == Some(verdict)).collect()
}

fn all_told(metrics: &[&MetricCheck]) -> String {
    metrics.iter().map(|metric| told(metric)).collect::<Vec<_>>().join(", ")
}

/// The limits of metrics, told once where they are the same.
fn limits(metrics: &[&MetricCheck]) -> String {
    let mut told: Vec<String> = Vec::new();
    for metric in metrics {
        let limit = change(metric.limit);
        if !told.contains(&limit) {
            told.push(limit);
        }
    }
    format!("limit {}", told.join(" and "))
}

/// How a metric is better, where its whole interval says so.
#[must_use]
pub fn better(metric: &MetricCheck) -> Option<&'static str> {
    let [low, high] = metric.interval?;
    let is_better = if metric.more_is_better { low > 0.0 } else { high < 0.0 };
    is_better.then_some(match &*metric.name {
        "capacity" => "does more",
        "cpu" => "costs less",
        _ => "faster",
    })
}

/// The metrics of a check that passes: what is better first, and for itself, so that no gain is told as "not worse".
fn passed(metrics: &[&MetricCheck]) -> String {
    let (gained, rest): (Vec<&MetricCheck>, Vec<&MetricCheck>) =
        metrics.iter().copied().partition(|metric| better(metric).is_some());
    let mut groups: Vec<(&str, Vec<&MetricCheck>)> = Vec::new();
    for metric in gained.into_iter().chain(rest) {
        let word = better(metric).unwrap_or("not worse by the limit");
        match groups.last_mut() {
            Some((last, group)) if *last == word => group.push(metric),
            _ => groups.push((word, vec![metric])),
        }
    }
    let told = groups.iter().map(|(word, group)| format!("{word}: {}", all_told(group)));
    told.collect::<Vec<_>>().join("; ")
}

fn regressed(check: &CheckResult, pairs: usize) -> String {
    let worse = with_verdict(check, CheckStatus::Regressed);
    let mut parts = Vec::new();
    if check.errors.is_regression() {
        let [_, failed] = check.errors.failed;
        let [_, calls] = check.errors.calls;
        parts.push(format!(
            "fails: {failed} of {calls} calls of the candidate failed, more than the budget allows"
        ));
    }
    if !worse.is_empty() {
        let slower = worse.iter().any(|metric| metric.name != "cpu");
        let word = match &*worse[0].name {
            "capacity" => "does less",
            _ if slower => "slower",
            _ => "costs more",
        };
        parts.push(format!(
            "{word}: {}; {}, noise margin {}; {pairs} pairs of {}",
            all_told(&worse),
            limits(&worse),
            change(worse[0].noise_margin),
            check.settings.pairs_of()
        ));
    }
    for method in check.bytes.iter().filter(|method| method.verdict == CheckStatus::Regressed) {
        let per_call = |bytes: u64| bytes as f64 / method.calls.max(1) as f64;
        let [request, response] = [method.request, method.response].map(|sides| sides.map(per_call));
        parts.push(format!(
            "more bytes: {} encodes {:.1} and {:.1} bytes per call (request, answer), was {:.1} and {:.1}",
            method.method, request[1], response[1], request[0], response[0]
        ));
    }
    parts.join(". ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_have_a_sign_and_one_decimal() {
        let told: Vec<String> = [0.123, -0.004, 0.000_4, 0.0, 12.5].map(change).to_vec();
        assert_eq!(told, ["+12.3 %", "−0.4 %", "0.0 %", "0.0 %", "+1250 %"]);
    }
}
