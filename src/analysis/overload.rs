//! Did the server keep up with an open loop?

use hdrhistogram::Histogram;

use crate::result::hlog::{Interval, Kind, SIGNIFICANT_DIGITS};
use crate::result::{Figures, LoadRecord, LoadStage};
use crate::result::{Idle, LoadModel, Placement, Reason, ReasonKind, RoundResult};

use super::units::{duration_ns, rate_per_s};

/// Below this part of the offered rate the server or the client does not keep up.
const KEEPS_UP: f64 = 0.99;
/// From this part of its cores' time on, the server is busy.
const BUSY: f64 = 0.9;
/// Waiting that grows by more than this, in seconds per second, has no end: at a rate of half a
/// percent more than the server can do, it grows by five milliseconds per second.
const ENDLESS_GROWTH: f64 = 0.005;
/// In how many parts of the interval the waiting is compared.
const PARTS: usize = 4;

/// How a time of successive parts of the interval grew.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    /// The mean in the first part, in nanoseconds.
    pub first_ns: f64,
    /// The mean in the last part, in nanoseconds.
    pub last_ns: f64,
    /// The smallest growth from one part to the next, in nanoseconds per second; negative where the
    /// time shrank once.
    pub slowest_ns_per_s: f64,
    /// Whether nine tenths of the last part's calls took longer than nine tenths of the first part's.
    pub is_apart: bool,
}

impl Growth {
    /// Whether the time grew from part to part as if it had no end. One stall makes one part worse,
    /// and the next ones better again; a queue that empties now and then has short waits in every
    /// part, however the means of the parts happen to lie.
    #[must_use]
    pub fn is_endless(&self) -> bool {
        self.slowest_ns_per_s > ENDLESS_GROWTH * 1e9 && self.is_apart
    }
}

/// How the times of a kind grew over the interval; `None` where fewer than four intervals were
/// recorded.
#[must_use]
pub fn growth(intervals: &[Interval], kind: Kind) -> Option<Growth> {
    let of_kind = || intervals.iter().filter(|interval| interval.kind == kind);
    let begin = of_kind().map(|interval| interval.start_s).fold(f64::INFINITY, f64::min);
    let end = of_kind().map(|interval| interval.start_s + interval.length_s).fold(0.0, f64::max);
    let span_s = end - begin;
    if !span_s.is_finite() || span_s <= 0.0 {
        return None;
    }
    let mut parts = Vec::with_capacity(PARTS);
    for _ in 0..PARTS {
        parts.push(Histogram::<u64>::new(SIGNIFICANT_DIGITS).ok()?);
    }
    for interval in of_kind() {
        let middle = interval.start_s + interval.length_s / 2.0 - begin;
        let part = ((middle / span_s * PARTS as f64) as usize).min(PARTS - 1);
        parts[part].add(&interval.histogram).ok()?;
    }
    if parts.iter().any(Histogram::is_empty) {
        return None;
    }
    let part_s = span_s / PARTS as f64;
    let slowest =
        parts.windows(2).map(|pair| (pair[1].mean() - pair[0].mean()) / part_s).fold(f64::INFINITY, f64::min);
    let (first, last) = (parts.first()?, parts.last()?);
    Some(Growth {
        first_ns: first.mean(),
        last_ns: last.mean(),
        slowest_ns_per_s: slowest,
        is_apart: last.value_at_quantile(0.1) > first.value_at_quantile(0.9),
    })
}

/// What part of the offered rate was achieved. The last calls may take as long as the slowest one
/// did after the interval without anything being amiss, so that is not held against the rate.
pub(super) fn achieved_share(round: &RoundResult, figures: &Figures) -> Option<f64> {
    if round.offered_calls == 0 || round.interval_ns == 0 {
        return None;
    }
    let unsent = round.errors.get(&crate::rpc::ErrorClass::Unsent).copied().unwrap_or(0);
    let made = round.calls.saturating_add(round.failed_calls()).saturating_sub(unsent);
    let slowest_ns = figures.service_ns.max.unwrap_or(0);
    let busy_ns = round.elapsed_ns.saturating_sub(slowest_ns).max(round.interval_ns);
    Some(made as f64 / round.offered_calls as f64 * (round.interval_ns as f64 / busy_ns as f64))
}

/// `client-limited` or `overloaded`, where an open loop was not kept up with.
pub(super) fn not_kept_up(
    round: &RoundResult,
    figures: &Figures,
    intervals: &[Interval],
    load: &LoadRecord,
) -> Option<Reason> {
    if load.model != LoadModel::Open {
        return None;
    }
    // In a ramp times grow with the load, and what counts is whether the calls were answered.
    let is_ramp = load.stages.iter().any(LoadStage::is_ramp);
    let growing = |kind| growth(intervals, kind).filter(|growth| !is_ramp && growth.is_endless());
    // Where a protocol has slots enough, calls do not wait for one but in the server.
    for (kind, what) in
        [(Kind::Wait, "calls waited for a free slot ever longer"), (Kind::Service, "calls took ever longer")]
    {
        if let Some(growth) = growing(kind) {
            return Some(Reason {
                kind: ReasonKind::Overloaded,
                detail: format!(
                    "{what}: {} at first, {} at last; {}; {}",
                    duration_ns(growth.first_ns),
                    duration_ns(growth.last_ns),
                    rates(figures),
                    ASK_LESS
                ),
            });
        }
    }
    let share = achieved_share(round, figures)?;
    if share >= KEEPS_UP {
        return None;
    }
    let threads =
        if load.placement == Placement::Shared { 1 } else { load.server_threads.unwrap_or(1).max(1) };
    let server_share =
        round.server_cpu_ns.map(|cpu_ns| cpu_ns as f64 / (round.elapsed_ns.max(1) as f64 * threads as f64));
    let server_idle = server_share.is_none_or(|share| share < BUSY);
    let nobody_waited = round.waited_calls == Some(0);
    Some(if load.placement == Placement::Split && server_idle && nobody_waited {
        Reason {
            kind: ReasonKind::ClientLimited,
            detail: format!(
                "{}, though the server had idle time and no call waited for a slot: the load generator \
                 is too slow; lower rate_per_s or raise client_threads",
                rates(figures)
            ),
        }
    } else {
        Reason { kind: ReasonKind::Overloaded, detail: format!("{}; {}", rates(figures), ASK_LESS) }
    })
}

const ASK_LESS: &str = "lower rate_per_s, or raise connections, in_flight or server_threads";

fn rates(figures: &Figures) -> String {
    match (figures.rate_per_s, figures.offered_rate_per_s) {
        (Some(achieved), Some(offered)) => {
            format!("{} of {} achieved", rate_per_s(achieved), rate_per_s(offered))
        }
        _ => "the offered rate was not achieved".to_owned(),
    }
}

/// From this part of its threads' time on, a client is at its limit.
const SATURATED: f64 = 0.95;
/// Below this part of its threads' time, a server is far from its own.
const MOSTLY_IDLE: f64 = 0.5;

/// `client-limited`, where a closed loop with cores of its own kept the client busy all the time and
/// the server less than half of it: its rate is the load generator's. With one call in flight no
/// side is ever busy all the time, and a client that polls always is, so that neither is judged.
pub(super) fn saturated_client(round: &RoundResult, load: &LoadRecord) -> Option<Reason> {
    let judged = load.model == LoadModel::Closed
        && load.placement == Placement::Split
        && load.idle == Idle::Park
        && load.concurrency.unwrap_or(1) > 1;
    let share = |cpu_ns: Option<u64>, threads: Option<u64>| {
        cpu_ns.map(|cpu_ns| {
            cpu_ns as f64 / (round.elapsed_ns.max(1) as f64 * threads.unwrap_or(1).max(1) as f64)
        })
    };
    let client = share(round.client_cpu_ns, load.client_threads)?;
    let server = share(round.server_cpu_ns, load.server_threads)?;
    (judged && client >= SATURATED && server < MOSTLY_IDLE).then(|| Reason {
        kind: ReasonKind::ClientLimited,
        detail: format!(
            "the load generator used {:.0} % of its core and the server {:.0} % of its own: the rate is the \
             generator's, not the server's; raise client_threads, or compare with placement = \"shared\"",
            client * 100.0,
            server * 100.0
        ),
    })
}
