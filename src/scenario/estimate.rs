//! How long a scenario will take, roughly: for people who wait, not for anything that is measured.

use super::{Amount, Load, LoadModel, Scenario};

/// Starting a server and a client, connecting and ending both, in nanoseconds.
const ROUND_NS: u64 = 250_000_000;

/// The untimed pass that counts bytes, once per cell, in nanoseconds.
const WIRE_PASS_NS: u64 = 250_000_000;

/// A call, where a number of calls ends a round and not a time: that of a fast server in Python.
const CALL_NS: u64 = 200_000;

/// How long cells under these loads take together, in nanoseconds. Rounds that last a time are known; where they
/// last a number of calls, it is a guess.
#[must_use]
pub fn estimated_ns<'l>(loads: impl IntoIterator<Item = &'l Load>) -> u64 {
    loads.into_iter().fold(0_u64, |sum, load| {
        let round_ns = ROUND_NS
            .saturating_add(amount_ns(load.warmup, load))
            .saturating_add(amount_ns(load.length, load));
        let pass_ns = if load.wire_calls > 0 { WIRE_PASS_NS } else { 0 };
        sum.saturating_add(round_ns.saturating_mul(u64::from(load.rounds))).saturating_add(pass_ns)
    })
}

fn amount_ns(amount: Amount, load: &Load) -> u64 {
    let calls = match amount {
        Amount::DurationNs(ns) => return ns,
        Amount::Calls(calls) => calls,
    };
    let call_ns = match load.model {
        LoadModel::Open { rate_per_s, .. } => {
            let gap = std::time::Duration::try_from_secs_f64(1.0 / rate_per_s);
            gap.map_or(u64::MAX, |gap| u64::try_from(gap.as_nanos()).unwrap_or(u64::MAX))
        }
        LoadModel::Closed { .. } => CALL_NS,
    };
    calls.saturating_mul(call_ns)
}

impl Scenario {
    /// How long the scenario takes with all its back ends, in nanoseconds, roughly.
    #[must_use]
    pub fn estimated_ns(&self) -> u64 {
        let points = self.load_points();
        estimated_ns(self.backends.iter().flat_map(|_| &points).map(|point| &point.load))
    }
}

/// A time for people who wait: `10 s`, `3 min`, `2 h`.
#[must_use]
pub fn about(ns: u64) -> String {
    let seconds = ns.div_ceil(1_000_000_000).max(1);
    match seconds {
        0..=20 => format!("{seconds} s"),
        21..=99 => format!("{} s", seconds.div_ceil(5) * 5),
        100..=5_999 => format!("{} min", seconds.saturating_add(30) / 60),
        _ => format!("{} h", seconds.saturating_add(1_800) / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_whole_units() {
        let seconds = |seconds: u64| about(seconds * 1_000_000_000);
        assert_eq!([seconds(0), seconds(12), seconds(41), seconds(100)], ["1 s", "12 s", "45 s", "2 min"]);
        assert_eq!([seconds(170), seconds(7_000), about(u64::MAX)], ["3 min", "2 h", "5124096 h"]);
    }
}
