//! Did the server keep up with an open loop?

use crate::result::hlog::{Interval, Kind};
use crate::result::{Figures, LoadRecord};
use crate::result::{LoadModel, Placement, Reason, ReasonKind, RoundResult};

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

/// How the mean wait of successive parts of the interval grew.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    /// The mean wait in the first part, in nanoseconds.
    pub first_ns: f64,
    /// The mean wait in the last part, in nanoseconds.
    pub last_ns: f64,
    /// The smallest growth from one part to the next, in nanoseconds per second; negative where the
    /// wait shrank once.
    pub slowest_ns_per_s: f64,
}

impl Growth {
    /// Whether the wait grew from part to part as if it had no end. One stall makes one part worse,
    /// and the next ones better again.
    #[must_use]
    pub fn is_endless(&self) -> bool {
        self.slowest_ns_per_s > ENDLESS_GROWTH * 1e9
    }
}

/// How the wait grew over the interval; `None` where fewer than four intervals were recorded.
#[must_use]
pub fn wait_growth(intervals: &[Interval]) -> Option<Growth> {
    let waits = || intervals.iter().filter(|interval| interval.kind == Kind::Wait);
    let begin = waits().map(|interval| interval.start_s).fold(f64::INFINITY, f64::min);
    let end = waits().map(|interval| interval.start_s + interval.length_s).fold(0.0, f64::max);
    let span_s = end - begin;
    if !span_s.is_finite() || span_s <= 0.0 {
        return None;
    }
    let mut sums = [(0.0, 0.0); PARTS];
    for interval in waits() {
        let middle = interval.start_s + interval.length_s / 2.0 - begin;
        let part = ((middle / span_s * PARTS as f64) as usize).min(PARTS - 1);
        let samples = interval.histogram.len() as f64;
        sums[part].0 += interval.histogram.mean() * samples;
        sums[part].1 += samples;
    }
    if sums.iter().any(|(_, samples)| *samples == 0.0) {
        return None;
    }
    let means = sums.map(|(sum, samples)| sum / samples);
    let part_s = span_s / PARTS as f64;
    let slowest = means.windows(2).map(|pair| (pair[1] - pair[0]) / part_s).fold(f64::INFINITY, f64::min);
    Some(Growth { first_ns: means[0], last_ns: means[PARTS - 1], slowest_ns_per_s: slowest })
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
    if let Some(growth) = wait_growth(intervals).filter(Growth::is_endless) {
        return Some(Reason {
            kind: ReasonKind::Overloaded,
            detail: format!(
                "calls waited for a free slot ever longer: {} at first, {} at last; {}; {}",
                duration_ns(growth.first_ns),
                duration_ns(growth.last_ns),
                rates(figures),
                ASK_LESS
            ),
        });
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
