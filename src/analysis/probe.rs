//! What a round of a search says: whether the objective was kept at its rate.

use super::gates::evaluate_gates;
use super::stability::halves;
use crate::result::hlog::{self, Kind};
use crate::result::{CellResult, ReasonKind, RoundResult};
use crate::scenario::Gate;

/// What a round at a rate said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// The objective was kept.
    Holds,
    /// It was missed; a second round may think otherwise.
    Misses,
    /// It cannot be kept: the server did not keep up, or died.
    Beyond,
    /// The load generator was at its limit.
    ClientLimited,
    /// Nothing about the server: the machine was disturbed, or there were too few calls.
    Unclear,
}

/// What the rounds at a rate came to, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What it was.
    pub probe: Probe,
    /// Why; empty where the objective was kept.
    pub why: String,
}

/// Whether calls took longer and longer in a round, by more than chance: the medians of its halves say so.
#[must_use]
pub fn slows_down(round: &RoundResult) -> bool {
    let Ok(intervals) = hlog::read(&round.hlog) else { return false };
    halves(&intervals, Kind::Response).iter().any(|of| of.disagree && of.second_ns > of.first_ns)
}

/// Judges a round at a rate, put together as a cell of its own; `slows_down` says whether calls took longer
/// and longer in it. Where they did a queue grows, and a longer round would miss the objective: short ones
/// would else keep it at rates that the server cannot hold.
#[must_use]
pub fn judge_probe(cell: &CellResult, slo: &[Gate], slows_down: bool) -> Judged {
    let has = |kind| cell.verdict.has(kind);
    let detail = |kinds: &[ReasonKind]| {
        let reason = cell.verdict.reasons.iter().find(|reason| kinds.contains(&reason.kind));
        reason.map_or_else(String::new, |reason| format!("{}: {}", reason.kind.name(), reason.detail))
    };
    use ReasonKind as R;
    if has(R::WrongAnswers) || has(R::Failed) {
        return Judged { probe: Probe::Beyond, why: detail(&[R::WrongAnswers, R::Failed]) };
    }
    if has(R::ClientStopped) {
        return Judged { probe: Probe::Unclear, why: detail(&[R::ClientStopped]) };
    }
    if has(R::ClientLimited) {
        return Judged { probe: Probe::ClientLimited, why: detail(&[R::ClientLimited]) };
    }
    if has(R::Overloaded) {
        return Judged { probe: Probe::Beyond, why: detail(&[R::Overloaded]) };
    }
    if has(R::Errors) {
        return Judged { probe: Probe::Misses, why: detail(&[R::Errors]) };
    }
    if has(R::Unstable) && slows_down {
        let why = detail(&[R::Unstable]);
        return Judged { probe: Probe::Misses, why: format!("a queue grows: {why}") };
    }
    if !cell.verdict.is_valid() {
        let why = cell.verdict.reasons.first().map_or_else(String::new, |reason| reason.detail.clone());
        return Judged { probe: Probe::Unclear, why };
    }
    let outcomes = evaluate_gates(slo, std::slice::from_ref(cell));
    let measured = |outcome: &crate::result::GateOutcome| outcome.measured.clone().unwrap_or_default();
    if let Some(missed) = outcomes.iter().find(|outcome| outcome.met == Some(false)) {
        let why = format!("{} is missed: {}", missed.text, measured(missed));
        return Judged { probe: Probe::Misses, why };
    }
    match outcomes.iter().find(|outcome| outcome.met.is_none()) {
        Some(unclear) => {
            let why = format!("{} cannot be judged: too few calls; lengthen duration", unclear.text);
            Judged { probe: Probe::Unclear, why }
        }
        None => Judged { probe: Probe::Holds, why: String::new() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Capacity;

    #[test]
    fn a_queue_that_grows_is_seen_in_the_halves_of_a_round() {
        use hdrhistogram::Histogram;
        let round = |medians_ns: [u64; 4]| {
            let mut log = hlog::Writer::new(0);
            for (second, median_ns) in medians_ns.into_iter().enumerate() {
                let mut histogram = Histogram::<u64>::new(3).unwrap();
                for call in 0..500 {
                    histogram.record(median_ns + call % 7 * 1_000).unwrap();
                }
                log.add("m", Kind::Response, second as f64, 1.0, &histogram).unwrap();
            }
            RoundResult { hlog: log.into_text(), ..RoundResult::default() }
        };
        assert!(slows_down(&round([1_000_000, 1_001_000, 4_000_000, 4_001_000])));
        assert!(!slows_down(&round([4_001_000, 4_000_000, 1_001_000, 1_000_000])), "it warmed up");
        assert!(!slows_down(&round([1_000_000; 4])));
        assert!(!slows_down(&RoundResult::default()));
    }

    #[test]
    fn a_round_is_judged_by_its_verdict_first_and_then_by_the_objective() {
        use crate::analysis::{CellDescription, Limits, cell_from_rounds};
        use crate::result::{LoadModel, LoadRecord, Reason, Verdict};
        let objective = vec![Capacity::parse_objective("p99 <= 5ms").unwrap()];
        let cell = |p99_ns: Option<u64>, kind: Option<ReasonKind>| {
            let load = LoadRecord { model: LoadModel::Open, ..LoadRecord::default() };
            let description = CellDescription { load, ..CellDescription::default() };
            let mut cell = cell_from_rounds(description, &[], &Limits::default());
            let reason = kind.map(|kind| Reason { kind, detail: "because".into() });
            cell.verdict = Verdict::of(reason.into_iter().collect());
            cell.figures.response_ns.p99 = p99_ns;
            cell
        };
        for (p99_ns, kind, slows_down, probe) in [
            (Some(5_000_000), None, false, Probe::Holds),
            (Some(5_000_001), None, false, Probe::Misses),
            (None, None, false, Probe::Unclear),
            (Some(1), Some(ReasonKind::Overloaded), false, Probe::Beyond),
            (Some(1), Some(ReasonKind::WrongAnswers), false, Probe::Beyond),
            (Some(1), Some(ReasonKind::Failed), false, Probe::Beyond),
            (Some(1), Some(ReasonKind::ClientLimited), false, Probe::ClientLimited),
            (Some(1), Some(ReasonKind::ClientStopped), false, Probe::Unclear),
            (Some(1), Some(ReasonKind::Unstable), false, Probe::Unclear),
            (Some(1), Some(ReasonKind::Unstable), true, Probe::Misses),
            (Some(1), Some(ReasonKind::Errors), false, Probe::Misses),
        ] {
            let judged = judge_probe(&cell(p99_ns, kind), &objective, slows_down);
            assert_eq!(judged.probe, probe, "{p99_ns:?} {kind:?}");
            assert_eq!(judged.why.is_empty(), probe == Probe::Holds, "{judged:?}");
        }
    }
}
