//! What connections cost: the steps of opening them, and their first calls.

use hdrhistogram::Histogram;

use crate::result::{Kind, hlog};
use crate::transport::Opening;

/// Names of the steps, as in the result.
const STEPS: [&str; 4] = ["resolve", "connect", "handshake", "first_call"];
/// The place of the last.
const FIRST_CALL: usize = 3;
/// Longer ones are recorded as this: no call outlives its time-out.
const MOST_NS: u64 = 600_000_000_000;

/// The distributions of one client thread or of all. Their size does not depend on the number of connections.
#[derive(Debug, Default)]
pub(super) struct ConnectionTimes {
    /// Made when the first connection is opened: four histograms take some memory.
    steps: Option<[Histogram<u64>; 4]>,
}

impl ConnectionTimes {
    /// Records the steps of an opening. One that took no time was none.
    pub(super) fn opened(&mut self, opening: Opening) {
        let steps = [opening.resolve_ns, opening.connect_ns, opening.handshake_ns];
        for (step, ns) in steps.into_iter().enumerate().filter(|(_, ns)| *ns > 0) {
            self.record(step, ns);
        }
    }

    /// Records a connection's first call.
    pub(super) fn first_call(&mut self, ns: u64) {
        self.record(FIRST_CALL, ns);
    }

    fn record(&mut self, step: usize, ns: u64) {
        if self.steps.is_none() {
            let empty = Histogram::new_with_bounds(1, MOST_NS, hlog::SIGNIFICANT_DIGITS);
            self.steps = empty.ok().map(|empty| std::array::from_fn(|_| empty.clone()));
        }
        if let Some(histogram) = self.steps.as_mut().and_then(|steps| steps.get_mut(step)) {
            histogram.saturating_record(ns);
        }
    }

    /// Adds those of another thread.
    pub(super) fn merge(&mut self, other: Self) {
        match (&mut self.steps, other.steps) {
            (_, None) => {}
            (None, theirs) => self.steps = theirs,
            (Some(mine), Some(theirs)) => {
                for (mine, theirs) in mine.iter_mut().zip(&theirs) {
                    // All have the same bounds.
                    let _ = mine.add(theirs);
                }
            }
        }
    }

    /// The interval log of the steps; empty where there were none.
    pub(super) fn to_hlog(&self) -> String {
        let Some(steps) = &self.steps else { return String::new() };
        let mut writer = hlog::Writer::new(0);
        for (name, histogram) in STEPS.iter().zip(steps) {
            // The only failure is a histogram beyond the format's size, which the bounds exclude.
            let _ = writer.add(name, Kind::Connection, 0.0, 0.0, histogram);
        }
        writer.into_text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_all_threads_come_together_and_those_that_were_none_are_left_out() {
        let mut one = ConnectionTimes::default();
        assert_eq!(one.to_hlog(), "");
        one.opened(Opening { resolve_ns: 0, connect_ns: 50_000, handshake_ns: 0 });
        let mut other = ConnectionTimes::default();
        other.opened(Opening { resolve_ns: 0, connect_ns: 70_000, handshake_ns: 9_000 });
        other.first_call(200_000);
        one.merge(other);
        one.merge(ConnectionTimes::default());
        let intervals = hlog::read(&one.to_hlog()).unwrap();
        let found: Vec<_> =
            intervals.iter().map(|of| (of.method.as_str(), of.kind, of.histogram.len())).collect();
        let kind = Kind::Connection;
        assert_eq!(found, [("connect", kind, 2), ("handshake", kind, 1), ("first_call", kind, 1)]);
    }
}
