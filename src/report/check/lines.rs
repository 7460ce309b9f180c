//! What a reader is told of a check, line by line: shared by the formats for people.

use crate::analysis::compare::{better, change, in_unit, label};
use crate::report::text::line;
use crate::report::view::NOTHING;
use crate::result::{BytesCheck, CheckResult, CheckStatus, MetricCheck};

/// The columns of the table of metrics.
pub(super) const COLUMNS: [&str; 8] =
    ["metric", "base", "candidate", "change", "interval", "limit", "finds", "verdict"];

/// The longest name and the longest sentence.
pub(super) const MAX_NAME: usize = 60;
pub(super) const MAX_SENTENCE: usize = 600;

/// A metric as a row of [`COLUMNS`].
pub(super) fn row(metric: &MetricCheck) -> [String; 8] {
    let figure =
        |value: Option<f64>| value.map_or_else(|| NOTHING.to_owned(), |value| in_unit(metric, value));
    let share = |value: Option<f64>| value.map_or_else(|| NOTHING.to_owned(), change);
    let interval = metric
        .interval
        .map_or_else(|| NOTHING.to_owned(), |[low, high]| format!("{} to {}", change(low), change(high)));
    [
        label(&metric.name).to_owned(),
        figure(metric.base),
        figure(metric.candidate),
        share(metric.change),
        interval,
        if metric.gated { change(metric.limit) } else { NOTHING.to_owned() },
        share(metric.smallest_detectable),
        verdict(metric),
    ]
}

/// The verdict, and where a metric is better, that it is: a gain is more than "not worse".
fn verdict(metric: &MetricCheck) -> String {
    let name = metric.verdict.map_or("shown", CheckStatus::name);
    match better(metric).filter(|_| metric.verdict == Some(CheckStatus::Pass)) {
        Some(word) => format!("{name}, {word}"),
        None => name.to_owned(),
    }
}

/// What was compared, how, and how sure it is.
pub(super) fn setting(check: &CheckResult) -> Vec<String> {
    let settings = &check.settings;
    let dropped = check.pairs.iter().filter(|pair| pair.dropped.is_some()).count();
    let pairs_of = match &settings.search {
        None => format!("rounds of {} ms", settings.round_ms),
        Some(search) => format!(
            "searches for the highest rate with {}, within {} %, by {} rounds of at least {} ms",
            line(&search.slo.join(" and "), MAX_SENTENCE / 2),
            plain(search.precision * 100.0),
            check.pairs.iter().flat_map(|pair| &pair.searches).map(|of| of.probes.len()).sum::<usize>(),
            settings.round_ms
        ),
    };
    let mut lines = vec![format!(
        "{} against {}; {} loop, {} placement; {} pairs of {pairs_of}{}; planned {}",
        line(&check.candidate.cell, MAX_NAME),
        line(&check.base.cell, MAX_NAME),
        match check.load.model {
            crate::result::LoadModel::Open => "open",
            crate::result::LoadModel::Closed => "closed",
        },
        check.load.placement,
        check.pairs_counted(),
        if dropped > 0 { format!(" ({dropped} dropped)") } else { String::new() },
        settings.pairs,
    )];
    lines.push(format!(
        "identical builds are called a regression in at most {} % of checks; interval: {}; finds: the smallest change \
         that so many pairs find nine times in ten",
        plain(settings.alpha * 100.0),
        confidences(check)
    ));
    if let Some(known) = &check.calibration {
        let told: Vec<String> = known
            .metrics
            .iter()
            .map(|metric| {
                let needed = metric.pairs_for_limit.map_or_else(String::new, |pairs| {
                    format!("; a limit of {} needs {pairs}", change(metric.limit))
                });
                format!(
                    "{} varies by {:.1} % from pair to pair, {} pairs find {}{needed}",
                    label(&metric.name),
                    metric.spread * 100.0,
                    known.pairs,
                    change(metric.smallest_detectable)
                )
            })
            .collect();
        lines.push(format!(
            "this machine, calibrated {} with {} of {}: {}",
            known.at.chars().take(10).filter(char::is_ascii).collect::<String>(),
            line(&known.backend, MAX_NAME),
            line(&known.scenario, MAX_NAME),
            told.join("; ")
        ));
    }
    lines
}

/// The confidence of the intervals: Holm's procedure decides metrics at different levels.
fn confidences(check: &CheckResult) -> String {
    let mut told: Vec<String> = Vec::new();
    for metric in check.metrics.iter().filter(|metric| metric.gated) {
        let confidence = format!("{} %", plain(metric.confidence * 100.0));
        if !told.contains(&confidence) {
            told.push(confidence);
        }
    }
    told.join(" or ")
}

/// A number with at most two decimals.
fn plain(number: f64) -> String {
    format!("{number:.2}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Encoded bytes of a method.
pub(super) fn bytes(method: &BytesCheck) -> String {
    let per_call = |bytes: u64| format!("{:.1}", bytes as f64 / method.calls.max(1) as f64);
    let side = |sides: [u64; 2]| {
        if sides[0] == sides[1] {
            format!("{} as before", per_call(sides[0]))
        } else {
            format!("{}, was {}", per_call(sides[1]), per_call(sides[0]))
        }
    };
    let verdict = if method.gated { method.verdict.name() } else { "shown" };
    format!(
        "encoded bytes of {}: request {}; answer {} ({} calls; {verdict})",
        line(&method.method, MAX_NAME),
        side(method.request),
        side(method.response),
        method.calls
    )
}

/// Failed calls, where there were any.
pub(super) fn errors(check: &CheckResult) -> Option<String> {
    let [base, candidate] = check.errors.failed;
    (base + candidate > 0).then(|| {
        let [base_calls, candidate_calls] = check.errors.calls;
        format!("failed calls: base {base} of {base_calls}, candidate {candidate} of {candidate_calls}")
    })
}

/// Why pairs were dropped, once each with how often.
pub(super) fn dropped(check: &CheckResult) -> Vec<String> {
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for why in check.pairs.iter().filter_map(|pair| pair.dropped.as_deref()) {
        // Side and kind; the numbers differ from pair to pair.
        let kind = why.splitn(3, ": ").take(2).collect::<Vec<_>>().join(": ");
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, times)) => *times += 1,
            None => kinds.push((kind, 1)),
        }
    }
    kinds
        .into_iter()
        .map(|(kind, times)| {
            format!("dropped and made again, whatever they measured: {times} × {}", line(&kind, MAX_NAME))
        })
        .collect()
}
