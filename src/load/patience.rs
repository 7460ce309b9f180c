//! When a client thread has seen enough. A server that is gone, or that takes calls and answers none, ends
//! the phase: every further call would cost a time-out, and the round is invalid already.

use crate::rpc::CallError;
use crate::scenario::ErrorBudget;

/// A server that refuses this many connections in a row, with none made in between, is gone.
const MAX_CONNECT_FAILURES: u32 = 50;
/// So many times in a row that a connection takes no call, with no answer in between, say the same.
const MAX_REFUSALS: u32 = 50;
/// Fewer calls without an answer say nothing yet: a server may drop one now and then.
const MIN_UNANSWERED: u64 = 10;

/// What one client thread has seen in a phase since something last went well.
#[derive(Debug)]
pub(super) struct Patience {
    timeout_ns: u64,
    max_unanswered: u64,
    connect_failures: u32,
    refusals: u32,
    unanswered: u64,
}

impl Patience {
    /// For a thread that has so many calls in flight, in a round of so many calls (where that is known) of
    /// which some may fail. As many as may fail are waited for, and all in flight twice: they are sent
    /// together, so that one stop of the server ends them together.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(super) fn new(timeout_ns: u64, slots: usize, budget: ErrorBudget, calls: Option<u64>) -> Self {
        let may_fail = match (budget, calls) {
            (ErrorBudget::Calls(calls), _) => calls,
            (ErrorBudget::Share(share), _) if share <= 0.0 => 0,
            (ErrorBudget::Share(share), Some(calls)) => (share * calls as f64) as u64,
            // A round of a given length ends by itself.
            (ErrorBudget::Share(_), None) => u64::MAX,
        };
        let twice_all = 2 * slots as u64;
        let max_unanswered = MIN_UNANSWERED.max(twice_all).max(may_fail.saturating_add(1));
        Self { timeout_ns, max_unanswered, connect_failures: 0, refusals: 0, unanswered: 0 }
    }

    /// A connection was made.
    pub(super) fn connected(&mut self) {
        self.connect_failures = 0;
    }

    /// The server answered a call, with whatever.
    pub(super) fn answered(&mut self) {
        self.refusals = 0;
        self.unanswered = 0;
    }

    /// No connection could be made. Says why it was enough, if it was; so do the others.
    pub(super) fn connect_failed(&mut self, error: &CallError) -> Option<String> {
        self.connect_failures += 1;
        (self.connect_failures >= MAX_CONNECT_FAILURES)
            .then(|| format!("{MAX_CONNECT_FAILURES} connections in a row failed: {error}"))
    }

    /// A connection did not take a call; of those that go away together one counts.
    pub(super) fn refused(&mut self, error: &CallError) -> Option<String> {
        self.refusals += 1;
        (self.refusals >= MAX_REFUSALS)
            .then(|| format!("{MAX_REFUSALS} times in a row a connection took no call: {error}"))
    }

    /// Whether connections are refusing calls again and again.
    pub(super) fn is_refused_again(&self) -> bool {
        self.refusals > 1
    }

    /// A call had no answer in its time, or its peer was lost.
    pub(super) fn unanswered(&mut self) -> Option<String> {
        self.unanswered += 1;
        (self.unanswered >= self.max_unanswered).then(|| {
            let (calls, timeout_ms) = (self.unanswered, self.timeout_ns / 1_000_000);
            format!("{calls} calls in a row had no answer (the time-out is {timeout_ms} ms)")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT_NS: u64 = 5_000_000_000;

    /// How many calls may stay without an answer before the thread gives up.
    fn waits_for(slots: usize, budget: ErrorBudget, calls: Option<u64>) -> u64 {
        Patience::new(TIMEOUT_NS, slots, budget, calls).max_unanswered
    }

    #[test]
    fn a_thread_waits_for_what_is_in_flight_and_for_what_may_fail() {
        let none = ErrorBudget::default();
        assert_eq!(waits_for(1, none, Some(1_000)), 10);
        assert_eq!(waits_for(64, none, Some(1_000)), 128);
        assert_eq!(waits_for(1, ErrorBudget::Calls(30), Some(1_000)), 31);
        assert_eq!(waits_for(1, ErrorBudget::Share(0.05), Some(1_000)), 51);
        assert_eq!(waits_for(1, ErrorBudget::Share(0.0), None), 10);
        assert_eq!(waits_for(1, ErrorBudget::Share(0.05), None), u64::MAX);
    }

    #[test]
    fn an_answer_in_between_starts_the_count_again() {
        let mut patience = Patience::new(TIMEOUT_NS, 1, ErrorBudget::default(), None);
        for _ in 0..3 {
            for _ in 0..9 {
                assert_eq!(patience.unanswered(), None);
            }
            patience.answered();
        }
        let last = (0..10).filter_map(|_| patience.unanswered()).last().unwrap();
        assert_eq!(last, "10 calls in a row had no answer (the time-out is 5000 ms)");
    }

    #[test]
    fn refused_calls_and_failed_connections_are_counted_apart() {
        let error = CallError::Reset { reason: "going away".into() };
        let mut patience = Patience::new(TIMEOUT_NS, 1, ErrorBudget::default(), None);
        for _ in 0..49 {
            assert_eq!((patience.refused(&error), patience.connect_failed(&error)), (None, None));
            patience.connected();
        }
        let why = patience.refused(&error).unwrap();
        assert!(
            why.starts_with("50 times in a row a connection took no call: ") && why.ends_with("going away"),
            "{why}"
        );
        patience.answered();
        assert_eq!((patience.refused(&error), patience.is_refused_again()), (None, false));
    }
}
