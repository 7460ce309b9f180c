//! The stages of a load, each judged as if it were a cell of its own.

use super::cell::{CellDescription, ReadRound, put_together};
use super::verdict::Limits;
use crate::result::hlog::{self, Interval};
use crate::result::{LoadRecord, LoadStage, Reason, ReasonKind, RoundResult, StageResult, Verdict};

/// What the stages of a load came to in these rounds; nothing where the load has none.
pub(super) fn load_stages(load: &LoadRecord, rounds: &[&RoundResult], limits: &Limits) -> Vec<StageResult> {
    let staged: Vec<&RoundResult> =
        rounds.iter().filter(|round| round.load_stages.len() == load.stages.len()).copied().collect();
    if load.stages.is_empty() || staged.is_empty() {
        return Vec::new();
    }
    let intervals: Vec<Vec<Interval>> =
        staged.iter().map(|round| hlog::read(&round.stages_hlog).unwrap_or_default()).collect();
    let judged = load.stages.iter().enumerate().map(|(position, stage)| {
        let name = position.to_string();
        let own: Vec<(RoundResult, Vec<Interval>)> = staged
            .iter()
            .zip(&intervals)
            .map(|(round, intervals)| {
                let own = intervals.iter().filter(|interval| interval.method == name).cloned().collect();
                (as_a_round(round, stage, position), own)
            })
            .collect();
        judged(load, stage, &own, limits)
    });
    judged.collect()
}

/// A stage's part of a round.
fn as_a_round(round: &RoundResult, stage: &LoadStage, position: usize) -> RoundResult {
    let counts = &round.load_stages[position];
    let failed: u64 = counts.errors.values().sum();
    let is_open = stage.concurrency.is_none();
    #[allow(clippy::cast_sign_loss, clippy::cast_possible_truncation)]
    let interval_ns = (stage.lasts_s * 1e9) as u64;
    RoundResult {
        elapsed_ns: counts.elapsed_ns.max(interval_ns),
        interval_ns,
        offered_calls: if is_open { counts.offered_calls } else { counts.calls + failed },
        calls: counts.calls,
        errors: counts.errors.clone(),
        error_examples: round.error_examples.clone(),
        waited_calls: is_open.then_some(counts.waited_calls),
        ..RoundResult::default()
    }
}

fn judged(
    load: &LoadRecord,
    stage: &LoadStage,
    rounds: &[(RoundResult, Vec<Interval>)],
    limits: &Limits,
) -> StageResult {
    let own = LoadRecord {
        stages: vec![stage.clone()],
        rate_per_s: stage.from_per_s.zip(stage.to_per_s).map(|(from, to)| f64::midpoint(from, to)),
        concurrency: stage.concurrency,
        ..load.clone()
    };
    let read: Vec<ReadRound<'_>> = rounds
        .iter()
        .enumerate()
        .map(|(order, (round, intervals))| ReadRound {
            order: order as u64,
            histograms: None,
            outcome: Ok((round, intervals.clone())),
        })
        .collect();
    let cell = put_together(CellDescription { load: own, ..CellDescription::default() }, &read, limits);
    // So few calls a second that none was due in this stage.
    let nothing_due = rounds.iter().all(|(round, _)| round.offered_calls == 0);
    StageResult {
        stage: stage.clone(),
        verdict: if nothing_due { Verdict::default() } else { cell.verdict },
        calls: cell.figures.calls,
        errors: cell.figures.errors,
        offered_rate_per_s: cell.figures.offered_rate_per_s,
        rate_per_s: cell.figures.rate_per_s,
        response_ns: cell.figures.response_ns,
        service_ns: cell.figures.service_ns,
        wait_ns: cell.figures.wait_ns,
        lag_ns: cell.figures.lag_ns,
    }
}

/// Why stages do not count, as reasons against their round: it asked for something that did not come.
pub(super) fn reasons(stages: &[StageResult]) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = Vec::new();
    for stage in stages {
        for reason in &stage.verdict.reasons {
            let told = format!("in the stage {}: {}", stage.stage.label, reason.detail);
            match reasons.iter_mut().find(|known| known.kind == reason.kind) {
                Some(known) => known.detail = format!("{}; {told}", known.detail),
                None if reason.kind == ReasonKind::TooFewRounds => {}
                None => reasons.push(Reason { kind: reason.kind, detail: told }),
            }
        }
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{RoundInput, cell_from_rounds};
    use crate::result::hlog::{Kind, Writer};
    use crate::result::{LoadModel, StageCounts, Status};
    use hdrhistogram::Histogram;

    const MS: u64 = 1_000_000;

    fn stage(label: &str, from: f64, to: f64) -> LoadStage {
        LoadStage {
            label: label.into(),
            lasts_s: 1.0,
            from_per_s: Some(from),
            to_per_s: Some(to),
            ..LoadStage::default()
        }
    }

    fn load() -> LoadRecord {
        LoadRecord {
            model: LoadModel::Open,
            stages: vec![
                stage("low", 400.0, 400.0),
                stage("high", 400.0, 400.0),
                stage("ramp", 400.0, 500.0),
                stage("none", 0.001, 0.001),
            ],
            ..LoadRecord::default()
        }
    }

    /// In each eighth of a second fifty calls; those of the second and third stage take ever longer.
    fn round(high_takes_ever_longer: bool) -> RoundResult {
        let mut stages = Writer::new(0);
        let mut all = Writer::new(0);
        for position in 0..3_u64 {
            for part in 0..8_u64 {
                let grows = position == 2 || (position == 1 && high_takes_ever_longer);
                let time_ns = if grows { (1 + 20 * part) * MS } else { MS };
                let mut histogram = Histogram::<u64>::new(3).unwrap();
                histogram.record_n(time_ns, 50).unwrap();
                let start_s = position as f64 + part as f64 / 8.0;
                for kind in [Kind::Response, Kind::Service, Kind::Wait] {
                    stages.add(&position.to_string(), kind, start_s, 0.125, &histogram).unwrap();
                    all.add("m", kind, start_s, 0.125, &histogram).unwrap();
                }
            }
        }
        let counts = |calls| StageCounts { offered_calls: calls, calls, ..StageCounts::default() };
        RoundResult {
            interval_ns: 4_000 * MS,
            elapsed_ns: 4_000 * MS,
            offered_calls: 1_200,
            calls: 1_200,
            load_stages: [400, 400, 400, 0].map(counts).to_vec(),
            stages_hlog: stages.into_text(),
            hlog: all.into_text(),
            ..RoundResult::default()
        }
    }

    fn cell(rounds: &[&RoundResult]) -> crate::result::CellResult {
        let inputs: Vec<RoundInput<'_>> = rounds
            .iter()
            .map(|round| RoundInput { order: 0, histograms: None, outcome: Ok(*round) })
            .collect();
        let description = CellDescription { load: load(), ..CellDescription::default() };
        cell_from_rounds(description, &inputs, &Limits::default())
    }

    #[test]
    fn each_stage_is_judged_by_itself_and_names_itself_in_the_cell() {
        let cell = cell(&[&round(true)]);
        let status: Vec<Status> = cell.figures.stages.iter().map(|stage| stage.verdict.status).collect();
        // A ramp's times may grow, and where nothing was due nothing is missing.
        assert_eq!(status, [Status::Valid, Status::Invalid, Status::Valid, Status::Valid]);
        assert!(cell.figures.stages[1].verdict.has(ReasonKind::Overloaded));
        assert_eq!(cell.figures.stages[1].response_ns.p90, None);
        assert!(cell.figures.stages[0].response_ns.p90.is_some());
        assert!(cell.verdict.reasons[0].detail.starts_with("in the stage high: calls waited"), "{cell:#?}");
        assert_eq!(cell.verdict.reasons.len(), 1, "the load as a whole is not judged: {cell:#?}");
    }

    #[test]
    fn a_stage_takes_its_figures_from_the_rounds_that_count() {
        let (good, bad) = (round(false), round(true));
        let cell = cell(&[&good, &bad, &good]);
        assert!(cell.verdict.is_valid());
        let high = &cell.figures.stages[1];
        assert_eq!((high.verdict.status, high.response_ns.samples), (Status::Valid, 800));
        assert_eq!(high.offered_rate_per_s, Some(400.0));
        assert_eq!(cell.figures.stages[3].response_ns.samples, 0);
    }
}
