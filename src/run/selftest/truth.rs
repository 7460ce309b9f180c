//! What the response times really were: from the server's own record, and by rule. Pure.
//!
//! The schedule says when each call was due, the server's stamps say when its answer went out, and
//! both are on one clock. Nothing that the client measured is used, but for the moment at which it
//! says that its schedule began.

use crate::protocol::LoggedCall;

/// Calls as the server saw them, in nanoseconds, sorted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Replay {
    /// From due until the answer is at the client.
    pub response_ns: Vec<u64>,
    /// From when a call's service time began until its answer went out: what a tool reports that
    /// has one call in flight and omits waiting.
    pub hold_ns: Vec<u64>,
    /// Calls that the server had before they were due.
    pub early: usize,
}

/// The server's record and the schedule do not belong together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the server recorded {logged} calls, the schedule has {due}")]
pub struct ReplayError {
    logged: usize,
    due: usize,
}

/// Replays an open loop: the last calls of the record (the ones before are the warm-up's) against
/// the due times.
///
/// The way back to the client is not in the record. It is taken to last as long as the way there,
/// of which the lower quarter is free of waiting for slots and of lag.
///
/// # Errors
/// The record has fewer calls than the schedule.
pub fn replay_open(log: &[LoggedCall], due_ns: &[u64]) -> Result<Replay, ReplayError> {
    let mut log = log.to_vec();
    log.sort_unstable_by_key(|call| call.arrived_ns);
    let first = log.len().checked_sub(due_ns.len());
    let Some(first) = first else { return Err(ReplayError { logged: log.len(), due: due_ns.len() }) };
    let calls = || log[first..].iter().zip(due_ns);
    let mut there_ns: Vec<u64> =
        calls().map(|(call, due_ns)| call.arrived_ns.saturating_sub(*due_ns)).collect();
    there_ns.sort_unstable();
    let back_ns = quantile(&there_ns, 0.25).unwrap_or(0);
    let mut response_ns: Vec<u64> =
        calls().map(|(call, due_ns)| call.answered_ns.saturating_sub(*due_ns) + back_ns).collect();
    response_ns.sort_unstable();
    Ok(Replay {
        response_ns,
        hold_ns: holds(&log[first..]),
        early: calls().filter(|(call, due_ns)| call.arrived_ns < **due_ns).count(),
    })
}

/// Replays a closed loop with one call in flight: a call begins when the one before it is over, so
/// the time from answer to answer is its service time with every way in it.
///
/// # Errors
/// The record has no more calls than the client says it made.
pub fn replay_closed(log: &[LoggedCall], calls: usize) -> Result<Replay, ReplayError> {
    let mut log = log.to_vec();
    log.sort_unstable_by_key(|call| call.arrived_ns);
    let first = log.len().checked_sub(calls + 1);
    let Some(first) = first else { return Err(ReplayError { logged: log.len(), due: calls + 1 }) };
    let measured = &log[first..];
    let mut response_ns: Vec<u64> =
        measured.windows(2).map(|pair| pair[1].answered_ns.saturating_sub(pair[0].answered_ns)).collect();
    response_ns.sort_unstable();
    Ok(Replay { response_ns, hold_ns: holds(measured), early: 0 })
}

fn holds(log: &[LoggedCall]) -> Vec<u64> {
    let mut hold_ns: Vec<u64> =
        log.iter().map(|call| call.answered_ns.saturating_sub(call.begins_ns)).collect();
    hold_ns.sort_unstable();
    hold_ns
}

/// The sample quantile of sorted values: the smallest that at least `q` of them do not exceed.
#[must_use]
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub fn quantile(sorted: &[u64], q: f64) -> Option<u64> {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

/// The response time's quantile `q` of a server that stalls for `stall` every `period` and otherwise
/// takes `service`, each in the same unit: calls that arrive in a stall wait for its end, and their
/// waits are uniform from 0 to `stall`. `busy_share` is the part of its time that a serial server
/// works without stalls, 0 for a concurrent one: it works off what a stall left at 1 − `busy_share`
/// of its speed, so that as many more calls are late.
#[must_use]
pub fn stalled_quantile(service: f64, stall: f64, period: f64, busy_share: f64, q: f64) -> f64 {
    let late_share = stall / ((1.0 - busy_share) * period);
    service + (stall * (1.0 - (1.0 - q) / late_share)).max(0.0)
}

/// The response time's quantile `q` of a serial server with exponential service times of this mean,
/// `busy_share` of its time busy with Poisson arrivals (M/M/1): exponential with mean
/// `service` ÷ (1 − `busy_share`).
#[must_use]
pub fn queued_quantile(service: f64, busy_share: f64, q: f64) -> f64 {
    -(1.0 - q).ln() * service / (1.0 - busy_share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(arrived_ns: u64, answered_ns: u64) -> LoggedCall {
        LoggedCall { arrived_ns, begins_ns: arrived_ns, answered_ns }
    }

    #[test]
    fn an_open_loop_is_replayed_from_due_times_and_without_its_warm_up() {
        let log = [call(1, 2), call(130, 300), call(110, 120), call(120, 125)];
        let replay = replay_open(&log, &[100, 110, 115]).unwrap();
        // The way back is as long as the shortest way there: 10.
        assert_eq!(replay.response_ns, [25, 30, 195]);
        assert_eq!((replay.hold_ns, replay.early), (vec![5, 10, 170], 0));
        assert_eq!(replay_open(&log, &[100, 111, 121]).unwrap().early, 0);
        assert_eq!(replay_open(&log, &[100, 121, 131]).unwrap().early, 2);
        assert_eq!(replay_open(&log[..1], &[1, 2]).unwrap_err(), ReplayError { logged: 1, due: 2 });
    }

    #[test]
    fn a_closed_loop_is_replayed_from_answer_to_answer() {
        let log = [call(0, 10), call(15, 30), call(33, 50)];
        assert_eq!(replay_closed(&log, 2).unwrap().response_ns, [20, 20]);
        assert!(replay_closed(&log, 3).is_err());
    }

    #[test]
    fn the_rules_give_the_numbers_of_the_table() {
        let rounded = |value: f64| (value * 100.0).round() / 100.0;
        let stalled = |busy_share, q| rounded(stalled_quantile(1.0, 200.0, 2_000.0, busy_share, q));
        assert_eq!([0.5, 0.95, 0.99, 0.999].map(|q| stalled(0.0, q)), [1.0, 101.0, 181.0, 199.0]);
        assert_eq!([0.9, 0.99].map(|q| stalled(0.5, q)), [101.0, 191.0]);
        assert_eq!([0.5, 0.99, 0.999].map(|q| rounded(queued_quantile(1.0, 0.5, q))), [1.39, 9.21, 13.82]);
    }

    #[test]
    fn a_sample_quantile_is_one_of_the_values() {
        assert_eq!(
            [0.0, 0.5, 0.51, 1.0].map(|q| quantile(&[1, 2, 3, 4], q)),
            [Some(1), Some(2), Some(3), Some(4)]
        );
        assert_eq!(quantile(&[], 0.5), None);
    }
}
