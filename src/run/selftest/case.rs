//! The cases of the selftest: what is called, how, and what must come out. Data only.

use super::truth::{queued_quantile, stalled_quantile};
use crate::result::ReasonKind;

/// A case.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// Its name, for `--only` and the result.
    pub(super) name: &'static str,
    /// What it is, in words.
    pub(super) about: &'static str,
    /// `service_time` of its method.
    pub(super) service_time: &'static str,
    /// The times for which its calls are held, where they are few; a call is held for the longest that fits.
    pub(super) holds_ns: &'static [u64],
    /// The load, but for connections.
    pub(super) load: &'static str,
    /// How long the load lasts.
    pub(super) seconds: u64,
    /// How many calls can be in flight.
    pub(super) slots: u32,
    /// Who is stopped in the middle of it.
    pub(super) stopped: Option<Side>,
    /// Why the round must not count; `None` where it must.
    pub(super) reason: Option<ReasonKind>,
    /// The quantiles that are compared.
    pub(super) quantiles: Vec<Expected>,
    /// How far from the server's record they may be.
    pub(super) from_log: Tolerance,
    /// How far from the rule they may be, where there is one.
    pub(super) from_rule: Tolerance,
    /// What a tool that omits waiting would have shown.
    pub(super) omits: Omits,
}

/// A side of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// A quantile and what it is by rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    pub(super) q: f64,
    pub(super) rule_ns: Option<f64>,
}

/// The larger of a part of the truth and a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tolerance {
    pub(super) share: f64,
    pub(super) floor_ns: f64,
}

impl Tolerance {
    /// In nanoseconds.
    pub(super) fn of(self, truth_ns: f64) -> f64 {
        self.floor_ns.max(self.share * truth_ns)
    }
}

/// Where the number of an omission-prone tool comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Omits {
    /// It would show the same.
    Nothing,
    /// From the server's record: one call in flight, each for as long as the server held it.
    Holds,
    /// From our own service time, which counts from when a call was sent.
    Service,
    /// From our own closed loop, the case of this name.
    Closed(&'static str),
}

const MS: f64 = 1e6;
const MS_NS: u64 = 1_000_000;
const FINE: Tolerance = Tolerance { share: 0.05, floor_ns: 150_000.0 };
const COARSE: Tolerance = Tolerance { share: 0.05, floor_ns: 2.0 * MS };
/// So many slots that no call waits for one.
const PLENTY: u32 = 200;

fn from_log(quantiles: &[f64]) -> Vec<Expected> {
    quantiles.iter().map(|&q| Expected { q, rule_ns: None }).collect()
}

fn stalled(busy_share: f64, quantiles: &[f64]) -> Vec<Expected> {
    let rule = |q| stalled_quantile(MS, 200.0 * MS, 2_000.0 * MS, busy_share, q);
    quantiles.iter().map(|&q| Expected { q, rule_ns: Some(rule(q)) }).collect()
}

/// Every case, in the order in which they are run. A thorough selftest has more calls.
pub(super) fn cases(thorough: bool) -> Vec<Case> {
    let [fixed, queue, closed, stall, serial_stall, slow, overload, stop] =
        if thorough { THOROUGH } else { QUICK };
    let case = |name, about, (load, seconds): Timed| Case {
        name,
        about,
        service_time: FIXED,
        holds_ns: &[],
        load,
        seconds,
        slots: PLENTY,
        stopped: None,
        reason: None,
        quantiles: Vec::new(),
        from_log: FINE,
        from_rule: FINE,
        omits: Omits::Nothing,
    };
    let mut cases = vec![
        Case {
            holds_ns: &[MS_NS],
            quantiles: from_log(&[0.5, 0.99]),
            ..case("fixed", "every call takes 1 ms; 200/s", fixed)
        },
        Case {
            service_time: "{ exponential = \"1ms\", how = \"serial\" }",
            quantiles: [0.5, 0.99, 0.999]
                .map(|q| Expected { q, rule_ns: thorough.then(|| queued_quantile(MS, 0.5, q)) })
                .to_vec(),
            from_log: Tolerance { share: 0.03, floor_ns: 0.0 },
            from_rule: Tolerance { share: 0.1, floor_ns: 0.0 },
            omits: Omits::Holds,
            ..case("queue", "one call at a time, exponential with mean 1 ms; 500/s, Poisson", queue)
        },
        Case {
            service_time: STALL,
            slots: 1,
            quantiles: from_log(&[0.5, 0.99]),
            ..case(
                "stall-closed",
                "200 ms stall every 2 s, else 1 ms; closed loop: what omission shows",
                closed,
            )
        },
        Case {
            service_time: STALL,
            quantiles: stalled(0.0, if thorough { &[0.95, 0.99, 0.999] } else { &[0.95, 0.99] }),
            from_log: COARSE,
            from_rule: COARSE,
            omits: Omits::Closed("stall-closed"),
            ..case("stall", "200 ms stall every 2 s, else 1 ms; 500/s", stall)
        },
        Case {
            service_time: "{ fixed = \"1ms\", stall = { every = \"2s\", for = \"200ms\" }, how = \"serial\" }",
            // Most of the waiting is then in the client, and counts all the same.
            slots: 4,
            quantiles: stalled(0.5, &[0.9, 0.99]),
            from_log: COARSE,
            from_rule: COARSE,
            omits: Omits::Holds,
            ..case("serial-stall", "the same, one call at a time, 4 in flight; 500/s", serial_stall)
        },
        Case {
            service_time: "{ bimodal = { fast = \"1ms\", slow = \"50ms\", slow_share = 0.005 } }",
            holds_ns: &[MS_NS, 50 * MS_NS],
            quantiles: from_log(&[0.99, 0.999]),
            ..case("slow-calls", "0.5 % of the calls take 50 ms, the others 1 ms; 2,200/s", slow)
        },
    ];
    cases.extend([
        Case {
            service_time: "{ fixed = \"1ms\", how = \"serial\" }",
            reason: Some(ReasonKind::Overloaded),
            ..case("overload", "1,200/s offered to a server that can do 1,000/s", overload)
        },
        Case {
            stopped: Some(Side::Client),
            reason: Some(ReasonKind::ClientStopped),
            quantiles: from_log(&[0.99]),
            from_log: COARSE,
            omits: Omits::Service,
            ..case("client-stopped", "every call takes 1 ms; 500/s; the client is stopped for 200 ms", stop)
        },
        Case {
            stopped: Some(Side::Server),
            quantiles: from_log(&[0.99]),
            from_log: COARSE,
            ..case("server-stopped", "every call takes 1 ms; 500/s; the server is stopped for 200 ms", stop)
        },
    ]);
    cases
}

const FIXED: &str = "{ fixed = \"1ms\" }";
const STALL: &str = "{ fixed = \"1ms\", stall = { every = \"2s\", for = \"200ms\" } }";

/// A load and how long it lasts, in seconds.
type Timed = (&'static str, u64);

// Whole numbers of stalls; calls enough for every quantile (n(1 − q) ≥ 10), and 65 s in all, so that
// a case can be repeated within 90 s.
const QUICK: [Timed; 8] = [
    ("open = { rate_per_s = 200 }\nduration = \"6s\"", 6),
    ("open = { rate_per_s = 500, arrivals = \"poisson\" }\ncalls = 10500", 21),
    ("closed = { concurrency = 1 }\nduration = \"4s\"", 4),
    ("open = { rate_per_s = 500 }\nduration = \"10s\"", 10),
    ("open = { rate_per_s = 500 }\nduration = \"10s\"", 10),
    ("open = { rate_per_s = 2200 }\nduration = \"5s\"", 5),
    ("open = { rate_per_s = 1200 }\nduration = \"3s\"", 3),
    ("open = { rate_per_s = 500 }\nduration = \"3s\"", 3),
];
const THOROUGH: [Timed; 8] = [
    ("open = { rate_per_s = 200 }\nduration = \"30s\"", 30),
    ("open = { rate_per_s = 500, arrivals = \"poisson\" }\ncalls = 60000", 120),
    ("closed = { concurrency = 1 }\nduration = \"20s\"", 20),
    ("open = { rate_per_s = 500 }\nduration = \"60s\"", 60),
    ("open = { rate_per_s = 500 }\nduration = \"60s\"", 60),
    ("open = { rate_per_s = 2200 }\nduration = \"30s\"", 30),
    ("open = { rate_per_s = 1200 }\nduration = \"10s\"", 10),
    ("open = { rate_per_s = 500 }\nduration = \"3s\"", 3),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selftest_lasts_less_than_90_seconds_with_room_for_a_repetition() {
        let seconds = |thorough| cases(thorough).iter().map(|case| case.seconds).sum::<u64>();
        assert!(seconds(false) <= 66, "{}", seconds(false));
        assert!(seconds(true) <= 600, "{}", seconds(true));
    }
}
