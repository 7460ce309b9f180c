//! What a look at the pairs so far tells, and which side of a pair was overloaded.

use crate::analysis::compare::{better, change, label};
use crate::result::{CheckStatus, MetricCheck, ReasonKind, RoundRecord};

/// The side that could not keep up with the load where the other could, and nothing else was wrong with it.
pub(super) fn overloaded_alone(records: &[Option<RoundRecord>; 2]) -> Option<usize> {
    let [Some(base), Some(candidate)] = records else { return None };
    let is_overloaded = |record: &RoundRecord| record.verdict.has(ReasonKind::Overloaded);
    let side = match (is_overloaded(base), is_overloaded(candidate)) {
        (true, false) => 0,
        (false, true) => 1,
        _ => return None,
    };
    let record = if side == 0 { base } else { candidate };
    let harmless = [ReasonKind::Overloaded, ReasonKind::Unstable];
    record.verdict.reasons.iter().all(|reason| harmless.contains(&reason.kind)).then_some(side)
}

/// What is still undecided.
pub(super) fn open(metrics: &[MetricCheck]) -> String {
    let open = metrics.iter().filter(|metric| metric.verdict == Some(CheckStatus::Inconclusive));
    let open: Vec<&str> = open.map(|metric| &*metric.name).collect();
    if open.is_empty() { "smaller effects".to_owned() } else { open.join(", ") }
}

/// What a look found, in a line.
pub(super) fn found(metrics: &[MetricCheck]) -> String {
    let told = metrics.iter().filter_map(|metric| {
        let verdict = metric.verdict?;
        let better = better(metric).filter(|_| verdict == CheckStatus::Pass);
        Some(format!(
            "{} {} {}{}",
            label(&metric.name),
            metric.change.map_or_else(|| "–".into(), change),
            verdict.name(),
            better.map_or_else(String::new, |word| format!(" ({word})"))
        ))
    });
    told.collect::<Vec<_>>().join(", ")
}
