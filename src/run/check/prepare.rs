//! Before the first pair: unscored rounds that show whether both sides work, how long a round takes,
//! which metrics there are, and how many bytes the same calls encode to.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::CheckProgress;
use super::error::CheckError;
use super::searches;
use super::sides::Sides;
use crate::analysis::compare::{Look, compare_bytes, fewest_pairs, figure, plan_looks};
use crate::analysis::{Limits, RoundInput, cell_from_rounds};
use crate::host;
use crate::result::{BytesCheck, LoadModel, ReasonKind, RoundRecord, RoundResult};
use crate::run::describe::describe;
use crate::run::plan::Cell;
use crate::run::round::{Extras, run_round_with};
use crate::run::{Interrupt, RunError};
use crate::scenario::{Amount, BytesGate, Capacity, CheckMetric, format_duration_ns, ungated_p99_ns};

/// More pairs make nothing clearer that matters.
const MOST_PAIRS: usize = 60;
/// More calls than a quantile needs: rounds differ.
const CALLS_MARGIN: f64 = 1.3;
/// The longest round that is chosen without being asked for.
const LONGEST_ROUND_NS: f64 = 5e9;

/// What is known before the first pair.
pub(super) struct Prepared {
    pub(super) folder: PathBuf,
    pub(super) looks: Vec<Look>,
    pub(super) metrics: Vec<CheckMetric>,
    pub(super) bytes: Vec<BytesCheck>,
    /// Why bytes that were asked for as a gate are not known of every method; `None` where they are.
    pub(super) bytes_unknown: Option<String>,
    pub(super) notes: Vec<String>,
    pub(super) round_ns: u64,
    pub(super) limits: Limits,
    /// Where the capacities are about, of a check that compares them.
    pub(super) middle_per_s: Option<f64>,
}

impl Prepared {
    pub(super) fn last(&self) -> Look {
        self.looks.last().copied().unwrap_or(Look { pairs: 0, level: 0.0 })
    }
}

/// Makes the unscored rounds and plans the looks.
///
/// # Errors
/// A side does not work, a metric that was asked for is not there, or there are too few pairs.
pub(super) fn prepare(
    sides: &mut Sides,
    progress: &mut dyn CheckProgress,
    interrupt: &Interrupt,
) -> Result<Prepared, CheckError> {
    let folder = sides.plan.scenario.folder.clone().unwrap_or_else(|| PathBuf::from("."));
    let gates = sides.plan.scenario.gates.clone();
    let alpha = gates.check.alpha;
    // What cannot work is said before anything is started.
    if let Some(rounds) = gates.check.rounds {
        plan_looks(rounds as usize, sides.metrics.len(), alpha, false)
            .map_err(|problem| CheckError::TooFew { problem, budget: None })?;
    }
    for cell in &sides.plan.cells {
        let Some(argv) = &cell.backend.command else { continue };
        host::server::find_command(argv, &folder).map_err(|source| {
            CheckError::Run(RunError::Missing { backend: cell.backend.name.clone(), source })
        })?;
    }
    progress.practises();
    let objective_ns = sides.capacity.as_ref().and_then(Capacity::shortest_time_ns);
    let limits = Limits { errors: gates.errors, objective_ns };
    let begun = Instant::now();
    let mut notes = Vec::new();
    if !sides.metrics_are_given
        && let Some(needed_ns) = ungated_p99_ns(&sides.plan.scenario.load)
    {
        notes.push(format!(
            "response p99 is not gated: at this rate it takes rounds of {:.1} s; ask for it by --metric, or under \
             [gates] with metrics = [\"response p50\", \"response p99\", \"cpu\"], and for a longer --budget",
            needed_ns as f64 / 1e9
        ));
    }
    let practised = match &sides.capacity {
        None => practise(sides, &folder, &limits, &mut notes, interrupt)?,
        Some(capacity) => {
            let is_timed = gates.check.rounds.is_none();
            let found = searches::practise(sides, capacity, &folder, is_timed, progress, interrupt)?;
            Practised {
                metrics: sides.metrics.clone(),
                pair_time: found.pair_time,
                middle_per_s: Some(found.middle_per_s),
            }
        }
    };
    let Practised { metrics, pair_time, middle_per_s } = practised;
    let (bytes, bytes_unknown) = bytes(sides, &folder, interrupt, &mut notes)?;
    let pairs = match gates.check.rounds {
        Some(rounds) => rounds as usize,
        None => {
            pairs_in(Duration::from_nanos(gates.check.budget_or_default_ns()), begun.elapsed(), pair_time)
        }
    };
    let looks = plan_looks(pairs, metrics.len(), alpha, gates.check.early_stop).map_err(|problem| {
        let enough = begun.elapsed() + pair_time * (fewest_pairs(metrics.len(), alpha) as u32 + 1);
        let budget = gates.check.rounds.is_none().then(|| {
            (format_duration_ns(gates.check.budget_or_default_ns()), format!("{}s", enough.as_secs() + 1))
        });
        CheckError::TooFew { problem, budget }
    })?;
    let round_ns = match sides.plan.cells[0].point.load.length {
        Amount::DurationNs(ns) => ns,
        Amount::Calls(_) => 0,
    };
    Ok(Prepared { folder, looks, metrics, bytes, bytes_unknown, notes, round_ns, limits, middle_per_s })
}

/// What unscored rounds showed.
struct Practised {
    metrics: Vec<CheckMetric>,
    /// How long a pair takes.
    pair_time: Duration,
    middle_per_s: Option<f64>,
}

/// Makes an unscored round of each side.
fn practise(
    sides: &mut Sides,
    folder: &std::path::Path,
    limits: &Limits,
    notes: &mut Vec<String>,
    interrupt: &Interrupt,
) -> Result<Practised, CheckError> {
    let begun = Instant::now();
    let mut practice = Vec::new();
    for side in [0, 1] {
        let result = unscored(sides, side, &sides.plan.cells[side], folder, interrupt, Extras::default())?;
        let record = record(&sides.plan.cells[side], &result, limits);
        if result.calls == 0 {
            let reasons = record.verdict.reasons.iter().map(|reason| reason.detail.as_str());
            return Err(CheckError::Practice {
                side: super::sides::NAMES[side],
                backend: sides.plan.cells[side].backend.name.clone(),
                reason: format!("no call was answered: {}", reasons.collect::<Vec<_>>().join("; ")),
            });
        }
        practice.push((record, result));
    }
    let pair_time = begun.elapsed();
    let lengthened = lengthen(sides, &practice);
    let metrics = available(sides, &practice, lengthened, notes)?;
    Ok(Practised { metrics, pair_time: pair_time + 2 * lengthened, middle_per_s: None })
}

fn pairs_in(budget: Duration, spent: Duration, pair: Duration) -> usize {
    let left = budget.saturating_sub(spent).as_secs_f64();
    ((left / pair.as_secs_f64().max(1e-3)) as usize).min(MOST_PAIRS)
}

fn unscored(
    sides: &Sides,
    side: usize,
    cell: &Cell,
    folder: &std::path::Path,
    interrupt: &Interrupt,
    extras: Extras,
) -> Result<RoundResult, CheckError> {
    let name = &cell.backend.name;
    let finished = run_round_with(cell, &sides.plan.service, folder, interrupt, extras)
        .map_err(|error| CheckError::of_round(side, name, error))?;
    let failed = |reason: String| CheckError::Practice {
        side: super::sides::NAMES[side],
        backend: name.clone(),
        reason,
    };
    if let Some(mishap) = &finished.result.mishap {
        return Err(failed(mishap.clone()));
    }
    Ok(finished.result)
}

/// A round judged by itself.
pub(super) fn record(cell: &Cell, result: &RoundResult, limits: &Limits) -> RoundRecord {
    let input = RoundInput { order: 0, histograms: None, outcome: Ok(result) };
    let mut judged = cell_from_rounds(describe(cell), &[input], limits);
    judged.rounds.swap_remove(0)
}

/// Makes the rounds of a slow closed loop longer, so that they have the calls that a quantile needs;
/// says by how much. Where the scenario says how long a round is, it stays.
fn lengthen(sides: &mut Sides, practice: &[(RoundRecord, RoundResult)]) -> Duration {
    let fixed = sides.plan.scenario.gates.check.round_ns.is_some();
    let open = matches!(describe(&sides.plan.cells[0]).load.model, LoadModel::Open);
    if fixed || open {
        return Duration::ZERO;
    }
    let calls = sides.metrics.iter().map(|metric| metric.calls_needed()).fold(1.0, f64::max);
    let slowest =
        practice.iter().filter_map(|(record, _)| record.figures.rate_per_s).fold(f64::INFINITY, f64::min);
    let Amount::DurationNs(now_ns) = sides.plan.cells[0].point.load.length else { return Duration::ZERO };
    let needed_ns = CALLS_MARGIN * calls / slowest * 1e9;
    if needed_ns.is_nan() || needed_ns <= now_ns as f64 || needed_ns > LONGEST_ROUND_NS {
        return Duration::ZERO;
    }
    let needed_ns = needed_ns.ceil() as u64;
    for cell in &mut sides.plan.cells {
        cell.point.load.length = Amount::DurationNs(needed_ns);
    }
    Duration::from_nanos(needed_ns - now_ns)
}

/// The metrics that both sides have. One that was asked for must be there; a default one is left out.
fn available(
    sides: &Sides,
    practice: &[(RoundRecord, RoundResult)],
    lengthened: Duration,
    notes: &mut Vec<String>,
) -> Result<Vec<CheckMetric>, CheckError> {
    let mut found = Vec::new();
    for metric in &sides.metrics {
        let missing = practice
            .iter()
            .position(|(record, _)| {
                // An overloaded round has no tail, however many calls it had.
                let overloaded = record.verdict.has(ReasonKind::Overloaded);
                figure(*metric, &record.figures).is_none() && !overloaded
            })
            // With longer rounds there will be enough calls.
            .filter(|_| *metric == CheckMetric::Cpu || lengthened.is_zero());
        let Some(side) = missing else {
            found.push(*metric);
            continue;
        };
        let calls = practice[side].1.calls;
        let reason = if *metric == CheckMetric::Cpu {
            "the server's processor time is not known (it is not a process of this machine that we started)"
                .to_owned()
        } else {
            format!(
                "a round of the {} had {calls} calls, and it needs {:.0}: lengthen them with --round",
                super::sides::NAMES[side],
                metric.calls_needed()
            )
        };
        if sides.metrics_are_given {
            return Err(CheckError::Metric { metric: metric.to_string(), reason });
        }
        notes.push(format!("{metric} is not gated: {reason}"));
    }
    if found.is_empty() {
        let reason = notes.last().cloned().unwrap_or_default();
        return Err(CheckError::Metric { metric: "nothing".to_owned(), reason });
    }
    Ok(found)
}

/// Lets both sides make the first calls of the seed, and compares what they encode to; with why some of it is
/// not known, where it was asked for.
fn bytes(
    sides: &Sides,
    folder: &std::path::Path,
    interrupt: &Interrupt,
    notes: &mut Vec<String>,
) -> Result<(Vec<BytesCheck>, Option<String>), CheckError> {
    let mut passes = Vec::new();
    for (side, cell) in sides.plan.cells.iter().enumerate() {
        let mut cell = cell.clone();
        // One call: what is wanted comes after the timed ones.
        cell.point.load.length = Amount::Calls(1);
        cell.point.load.warmup = Amount::Calls(0);
        let result = unscored(sides, side, &cell, folder, interrupt, Extras { wire_pass: true })?;
        passes.extend(result.wire_pass);
    }
    let is_asked_for = sides.plan.scenario.gates.check.bytes == BytesGate::Gate;
    let [base, candidate] = &passes[..] else {
        if is_asked_for {
            return Err(CheckError::Metric {
                metric: "bytes".to_owned(),
                reason: "no calls are made to count them: let wire_calls be more than 0, and a transport have a wire"
                    .to_owned(),
            });
        }
        notes.push(
            "encoded bytes are not compared: no calls are made for them (wire_calls, or no network)".into(),
        );
        return Ok((Vec::new(), None));
    };
    let codec = |side: usize| sides.plan.cells[side].protocol.codec.name();
    let gated = match sides.plan.scenario.gates.check.bytes {
        BytesGate::Gate => true,
        BytesGate::Show => false,
        BytesGate::SameCodec => codec(0) == codec(1),
    };
    let (compared, left_out) = compare_bytes(base, candidate, gated);
    let why = [base, candidate].into_iter().find_map(|pass| pass.note.as_deref());
    let mut unknown = None;
    if !left_out.is_empty() {
        let why = why.unwrap_or("not all of its first calls were answered");
        let told = format!("the encoded bytes of {} could not be compared: {why}", left_out.join(", "));
        if is_asked_for {
            unknown = Some(format!("{told}; without bytes = \"gate\" under [gates] that would only be said"));
        } else {
            notes.push(told);
        }
    }
    Ok((compared, unknown))
}
