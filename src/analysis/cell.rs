//! From rounds to a cell.

use super::figures::{failures, figures};
use super::load_stages::load_stages;
use super::units::count;
use super::verdict::{Limits, round_reasons};
use super::wire::add_wire;
use crate::result::hlog::{self, Interval};
use crate::result::{
    CellHistograms, CellResult, Figures, LoadRecord, Quantiles, Reason, ReasonKind, RoundRecord, RoundResult,
    Verdict,
};

/// What a cell is, before anything was measured.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CellDescription {
    /// The back end's name in the scenario.
    pub backend: String,
    /// The load point's short name; empty where the scenario has one only.
    pub point: String,
    /// The named protocol; none for a free pair.
    pub protocol: Option<String>,
    /// The codec.
    pub codec: String,
    /// The transport.
    pub transport: String,
    /// How the server is hosted.
    pub hosting: String,
    /// Who wrote the server.
    pub implementation: Option<String>,
    /// The load.
    pub load: LoadRecord,
}

/// A round, finished or not.
#[derive(Debug, Clone)]
pub struct RoundInput<'a> {
    /// Its position in the order in which the run's rounds were made.
    pub order: u64,
    /// The file with its histograms, beside `run.json`.
    pub histograms: Option<String>,
    /// What it measured, or why it measured nothing.
    pub outcome: Result<&'a RoundResult, Reason>,
}

struct Judged<'a> {
    result: Option<&'a RoundResult>,
    intervals: &'a [Interval],
    record: RoundRecord,
}

/// Judges every round and puts together the cell: valid when at least two thirds of its rounds are
/// and no round, valid or not, had a wrong answer. Its figures come from the merged histograms of
/// the valid rounds; where none is valid, from all of them, so that the row is not empty.
#[must_use]
pub fn cell_from_rounds(cell: CellDescription, rounds: &[RoundInput<'_>], limits: &Limits) -> CellResult {
    let read: Vec<ReadRound<'_>> = rounds.iter().map(ReadRound::of).collect();
    put_together(cell, &read, limits)
}

/// A round whose interval log is read.
pub(super) struct ReadRound<'a> {
    pub(super) order: u64,
    pub(super) histograms: Option<String>,
    pub(super) outcome: Result<(&'a RoundResult, Vec<Interval>), Reason>,
}

impl<'a> ReadRound<'a> {
    fn of(round: &RoundInput<'a>) -> Self {
        let outcome = round.outcome.clone().and_then(|result| match hlog::read(&result.hlog) {
            Ok(intervals) => Ok((result, intervals)),
            Err(error) => {
                let detail = format!("the round's histograms cannot be read: {error}");
                Err(Reason { kind: ReasonKind::Failed, detail })
            }
        });
        Self { order: round.order, histograms: round.histograms.clone(), outcome }
    }
}

/// [`cell_from_rounds`] of rounds that are read.
pub(super) fn put_together(cell: CellDescription, rounds: &[ReadRound<'_>], limits: &Limits) -> CellResult {
    let judged: Vec<Judged<'_>> = rounds.iter().map(|round| judge(round, &cell.load, limits)).collect();
    let any_valid = judged.iter().any(|round| round.record.verdict.is_valid());
    let counted = || {
        judged
            .iter()
            .filter(|round| !any_valid || round.record.verdict.is_valid())
            .filter_map(|round| Some((round.result?, round.intervals)))
    };
    let mut merged = CellHistograms::default();
    for (_, intervals) in counted() {
        // Counts beyond 64 bits cannot come from one machine.
        let _ = merged.add(intervals);
    }
    let results: Vec<&RoundResult> = counted().map(|(result, _)| result).collect();
    let mut figures = figures(cell.load.model, &results, &merged);
    let wrong_answers =
        judged.iter().filter_map(|round| round.record.figures.wrong_answers).reduce(u64::saturating_add);
    figures.wrong_answers = wrong_answers;
    // A round that had them does not count for the times, but its errors do.
    let all: Vec<&RoundResult> = judged.iter().filter_map(|round| round.result).collect();
    (figures.errors, figures.error_examples) = failures(&all);
    figures.stages = load_stages(&cell.load, &results, limits);
    // Bytes are the same in every round, whether its times count or not.
    let passes = judged.iter().filter_map(|round| round.result?.wire_pass.as_ref());
    add_wire(&mut figures, passes);
    let verdict = Verdict::of(cell_reasons(&judged));
    if verdict.has(ReasonKind::Overloaded) {
        without_tail(&mut figures);
    }
    CellResult {
        backend: cell.backend,
        point: cell.point,
        protocol: cell.protocol,
        codec: cell.codec,
        transport: cell.transport,
        hosting: cell.hosting,
        implementation: cell.implementation,
        load: cell.load,
        verdict,
        figures,
        rounds: judged.into_iter().map(|round| round.record).collect(),
    }
}

fn judge<'a>(round: &'a ReadRound<'a>, load: &LoadRecord, limits: &Limits) -> Judged<'a> {
    let unmeasured = |reason: Reason| Judged {
        result: None,
        intervals: &[],
        record: RoundRecord {
            order: round.order,
            histograms: round.histograms.clone(),
            verdict: Verdict::of(vec![reason]),
            ..RoundRecord::default()
        },
    };
    let (result, intervals) = match &round.outcome {
        Ok((result, intervals)) => (*result, intervals),
        Err(reason) => return unmeasured(reason.clone()),
    };
    let mut histograms = CellHistograms::default();
    if let Err(error) = histograms.add(intervals) {
        let detail = format!("the round's histograms cannot be added up: {error}");
        return unmeasured(Reason { kind: ReasonKind::Failed, detail });
    }
    let mut figures = figures(load.model, &[result], &histograms);
    figures.stages = load_stages(load, &[result], limits);
    let verdict = Verdict::of(round_reasons(result, &figures, intervals, load, limits));
    if verdict.has(ReasonKind::Overloaded) {
        without_tail(&mut figures);
    }
    Judged {
        result: Some(result),
        intervals,
        record: RoundRecord {
            order: round.order,
            started_at: Some(result.started_at.clone()).filter(|at| !at.is_empty()),
            warmup_ns: result.warmup_ns,
            usage: result.usage.clone(),
            histograms: round.histograms.clone(),
            verdict,
            figures,
        },
    }
}

/// Nulls what depends on how long an overloaded round lasted.
fn without_tail(figures: &mut Figures) {
    let cut = |of: &mut Quantiles| {
        (of.p90, of.p95, of.p99, of.p999, of.p9999) = (None, None, None, None, None);
        let p50 = of.intervals.p50;
        of.intervals = crate::result::QuantileIntervals { p50, ..Default::default() };
    };
    for of in [&mut figures.response_ns, &mut figures.wait_ns, &mut figures.service_ns] {
        cut(of);
    }
    for method in figures.methods.values_mut() {
        cut(&mut method.response_ns);
        cut(&mut method.service_ns);
    }
}

fn cell_reasons(rounds: &[Judged<'_>]) -> Vec<Reason> {
    let total = rounds.len();
    if total == 0 {
        return vec![Reason {
            kind: ReasonKind::Interrupted,
            detail: "no round was made: the run ended before; run again".to_owned(),
        }];
    }
    let verdicts = || rounds.iter().map(|round| &round.record.verdict);
    let valid = verdicts().filter(|verdict| verdict.is_valid()).count();
    let wrong = verdicts().any(|verdict| verdict.has(ReasonKind::WrongAnswers));
    let enough = valid * 3 >= total * 2;
    if enough && !wrong {
        return Vec::new();
    }
    let mut reasons: Vec<(Reason, usize)> = Vec::new();
    for reason in verdicts().flat_map(|verdict| &verdict.reasons) {
        match reasons.iter_mut().find(|(known, _)| known.kind == reason.kind) {
            Some((_, times)) => *times += 1,
            None => reasons.push((reason.clone(), 1)),
        }
    }
    let mut reasons: Vec<Reason> = reasons
        .into_iter()
        .filter(|(reason, _)| !enough || reason.kind == ReasonKind::WrongAnswers)
        .map(|(reason, times)| Reason {
            detail: if total == 1 {
                reason.detail
            } else {
                format!("in {times} of {total} rounds: {}", reason.detail)
            },
            ..reason
        })
        .collect();
    if !enough && valid > 0 {
        reasons.push(Reason {
            kind: ReasonKind::TooFewRounds,
            detail: format!("{} of {} rounds count; two thirds are needed", count(valid as u64), total),
        });
    }
    reasons
}

#[cfg(test)]
mod tests;
