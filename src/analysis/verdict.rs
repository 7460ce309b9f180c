//! Why a round does not count. The rules are those of `METHODOLOGY.md`, "Validity of a round".

use hdrhistogram::Histogram;

use super::load_stages;
use super::overload::{not_kept_up, saturated_client};
use super::quantiles::{self, CONFIDENCE, value_of_rank};
use super::stability::unstable;
use super::units::{count, duration_ns};
use crate::result::hlog::{Interval, Kind, SIGNIFICANT_DIGITS};
use crate::result::{Figures, LoadModel, LoadRecord, LoadStage, Placement, Reason, ReasonKind, RoundResult};
use crate::scenario::ErrorBudget;

/// The generator may lag by this much at p99 before its figures are doubted.
const LAG_FLOOR_NS: f64 = 200_000.0;
/// Or by this part of the response time, where that is more.
const LAG_SHARE: f64 = 0.1;
/// The least lag that is allowed in a search, however short the times of its objective: a thread that sleeps until a
/// call is due is not always woken sooner, and less could never be kept.
const SEARCH_LAG_FLOOR_NS: f64 = 20_000.0;
/// A client that stood still for this long has measured itself. A stop of 200 ms is to be found
/// whatever the heartbeat's phase, and one of 100 ms is 1 % of the calls of a round of ten seconds.
const CLIENT_STOPPED_NS: u64 = 100_000_000;

/// What a scenario allows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// How many calls of a round may fail.
    pub errors: ErrorBudget,
    /// The shortest time that the objective of a search for a capacity allows, in nanoseconds; `None` of rounds that
    /// are no part of a search.
    pub objective_ns: Option<f64>,
}

impl Limits {
    /// By how much the generator may lag at p99, and which rule says so. Lag tells of the client, and it is part of
    /// the response time: where it is a good part of what is judged, the round says nothing of the server. What is
    /// judged in a search is the objective, so the lag is measured by it: 200 µs are four times an objective of 50 µs,
    /// which would be missed whatever the server did, and nothing beside one of 500 ms, which a client may not be
    /// called too slow for because the server answers far sooner.
    fn lag(&self, figures: &Figures) -> (f64, &'static str) {
        if let Some(objective_ns) = self.objective_ns {
            let allowed_ns = SEARCH_LAG_FLOOR_NS.max(LAG_SHARE * objective_ns);
            return (allowed_ns, "a tenth of the objective, or 20 µs");
        }
        let allowed_ns = figures.response_ns.p50.map_or(0.0, |p50| LAG_SHARE * p50 as f64).max(LAG_FLOOR_NS);
        (allowed_ns, "200 µs, or a tenth of the median response time")
    }
}

/// Every reason why a finished round does not count; none where it does.
#[must_use]
pub fn round_reasons(
    round: &RoundResult,
    figures: &Figures,
    intervals: &[Interval],
    load: &LoadRecord,
    limits: &Limits,
) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = [
        mishap(round),
        wrong_answers(round),
        errors(round, limits),
        client_stopped(round),
        lagging(figures, intervals, load, limits),
        // The load of a round with stages is not one: each stage is judged by itself.
        figures.stages.is_empty().then(|| not_kept_up(round, figures, intervals, load)).flatten(),
        saturated_client(round, load),
        nothing_answered(round),
        gave_up(round),
    ]
    .into_iter()
    .flatten()
    .chain(load_stages::reasons(&figures.stages))
    .collect();
    // A growing queue, a stopped client or a dead server moves the halves apart: the cause is named
    // already.
    let explained =
        [ReasonKind::Overloaded, ReasonKind::ClientLimited, ReasonKind::ClientStopped, ReasonKind::Failed];
    let is_steady = figures.stages.is_empty() && !load.stages.iter().any(LoadStage::is_ramp);
    if is_steady && !reasons.iter().any(|reason| explained.contains(&reason.kind)) {
        reasons.extend(unstable(intervals, load.model));
    }
    let mut seen = Vec::new();
    reasons.retain(|reason| {
        let new = !seen.contains(&reason.kind);
        seen.push(reason.kind);
        new
    });
    reasons
}

fn mishap(round: &RoundResult) -> Option<Reason> {
    round.mishap.clone().map(|detail| Reason { kind: ReasonKind::Failed, detail })
}

/// Named even where the scenario allows failed calls: such a round is shorter than it says.
fn gave_up(round: &RoundResult) -> Option<Reason> {
    let why = round.gave_up.as_ref()?;
    let detail = format!("the client ended the round before its time: {why}; look at the server's log");
    Some(Reason { kind: ReasonKind::Failed, detail })
}

fn wrong_answers(round: &RoundResult) -> Option<Reason> {
    if round.wrong_answers == 0 {
        return None;
    }
    let example = round.wrong_examples.first().map_or_else(String::new, |wrong| {
        format!(": {} answered {}, expected {}", wrong.method, wrong.found, wrong.expected)
    });
    Some(Reason {
        kind: ReasonKind::WrongAnswers,
        detail: format!(
            "{} of {} answers were wrong{example}; the server must answer what the scenario says. One with answers \
             of its own is checked by their type: expect = \"type\" in its methods",
            count(round.wrong_answers),
            count(round.calls)
        ),
    })
}

fn errors(round: &RoundResult, limits: &Limits) -> Option<Reason> {
    let failed = round.failed_calls();
    let made = round.calls.saturating_add(failed);
    if failed == 0 || limits.errors.allows(failed, made) {
        return None;
    }
    let classes: Vec<String> = round
        .errors
        .iter()
        .filter(|(_, found)| **found > 0)
        .map(|(class, found)| format!("{} {}", count(*found), class.name()))
        .collect();
    let example = round.error_examples.first().map_or_else(String::new, |example| {
        let code = example.code.map_or_else(String::new, |code| format!(" (code {code})"));
        format!("; first: {}{code}", example.message)
    });
    Some(Reason {
        kind: ReasonKind::Errors,
        detail: format!(
            "{} of {} calls failed ({}){example}; mend the server, or allow failures in the scenario",
            count(failed),
            count(made),
            classes.join(", ")
        ),
    })
}

fn client_stopped(round: &RoundResult) -> Option<Reason> {
    let stopped_ns = round.client_stopped_ns.filter(|stopped| *stopped >= CLIENT_STOPPED_NS)?;
    Some(Reason {
        kind: ReasonKind::ClientStopped,
        detail: format!(
            "the load generator itself stood still for {}: something took its core or stopped it; \
             quiet the machine (wirebench doctor) and run again",
            duration_ns(stopped_ns as f64)
        ),
    })
}

fn lagging(figures: &Figures, intervals: &[Interval], load: &LoadRecord, limits: &Limits) -> Option<Reason> {
    let thinks = load.think_time.is_some_and(|think| !think.is_zero());
    if load.model != LoadModel::Open && !thinks {
        return None;
    }
    let lag = figures.lag_ns.p99.or_else(|| least_p99(intervals, Kind::Lag))? as f64;
    let (limit, rule) = limits.lag(figures);
    (lag > limit).then(|| Reason {
        kind: ReasonKind::ClientLimited,
        detail: format!(
            "the load generator released 1 % of the calls more than {} late ({} is allowed: {rule}): lower {}, raise client_threads, or {}",
            duration_ns(lag),
            duration_ns(limit),
            if thinks { "concurrency" } else { "rate_per_s" },
            if load.placement == Placement::Split {
                "quiet the machine (wirebench doctor)"
            } else {
                "give client and server a core each (placement = \"split\")"
            }
        ),
    })
}

/// The least that the 99th percentile can plausibly be where there are too few calls to give it: one
/// late call of twenty is luck, and twenty of twenty are none.
fn least_p99(intervals: &[Interval], kind: Kind) -> Option<u64> {
    let mut all = Histogram::<u64>::new(SIGNIFICANT_DIGITS).ok()?;
    for interval in intervals.iter().filter(|interval| interval.kind == kind) {
        all.add(&interval.histogram).ok()?;
    }
    (!all.is_empty()).then(|| value_of_rank(&all, quantiles::interval(all.len(), 0.99, CONFIDENCE).0))
}

fn nothing_answered(round: &RoundResult) -> Option<Reason> {
    (round.calls == 0).then(|| Reason {
        kind: if round.failed_calls() > 0 { ReasonKind::Errors } else { ReasonKind::Failed },
        detail: "no call was answered in the measured interval: lengthen duration, or look at the server's \
                 log"
        .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_that_a_search_allows_is_measured_by_its_objective() {
        let load = LoadRecord { model: LoadModel::Open, ..LoadRecord::default() };
        let allowed = |objective_ns: Option<f64>, p50_ns: u64, lag_ns: u64| {
            let mut figures = Figures::default();
            figures.response_ns.p50 = Some(p50_ns);
            figures.lag_ns.p99 = Some(lag_ns);
            let reason = lagging(&figures, &[], &load, &Limits { objective_ns, ..Limits::default() });
            reason.map_or(Ok(()), |reason| Err(reason.detail))
        };
        // Short: what every other round may lag by would be four times the objective.
        assert_eq!(allowed(Some(50_000.0), 30_000, 19_000), Ok(()));
        let late = allowed(Some(50_000.0), 30_000, 150_000).unwrap_err();
        assert!(late.contains("(20.0 µs is allowed: a tenth of the objective, or 20 µs)"), "{late}");
        // Long: a server that answers far sooner is no reason to call the client too slow.
        assert_eq!(allowed(Some(500e6), 1_000_000, 40_000_000), Ok(()));
        assert!(allowed(Some(500e6), 1_000_000, 60_000_000).is_err());
        // All other rounds have no objective.
        assert_eq!(allowed(None, 30_000, 150_000), Ok(()));
        let late = allowed(None, 1_000_000, 40_000_000).unwrap_err();
        assert!(late.contains("(200 µs is allowed: 200 µs, or a tenth of the median"), "{late}");
    }
}
