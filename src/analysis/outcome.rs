//! What a command's exit code says.

use crate::result::{Bound, CellResult, ReasonKind, RunResult};

/// How a command ended, from the one that is said first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Usage or configuration: nothing was measured.
    Usage,
    /// The measurement does not count.
    Invalid,
    /// A regression, or a gate is not met.
    Regression,
    /// A check that could not decide, where the scenario counts that as a failure.
    Inconclusive,
    /// Good.
    Good,
}

impl Outcome {
    /// The exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Outcome::Good => 0,
            Outcome::Regression => 1,
            Outcome::Usage => 2,
            Outcome::Invalid => 3,
            Outcome::Inconclusive => 4,
        }
    }

    /// The one that is said of several: 2 before 3 before 1 before 4.
    #[must_use]
    pub fn first(outcomes: impl IntoIterator<Item = Outcome>) -> Outcome {
        outcomes.into_iter().min().unwrap_or(Outcome::Good)
    }
}

/// The outcome of a run: invalid where a cell is, or where a gate asks for a figure that was not
/// measured; a regression where a gate is missed, or an objective is kept at no rate.
#[must_use]
pub fn outcome_of_run(run: &RunResult) -> Outcome {
    // A server that keeps an objective at no rate is shown at the lowest one, where it may not even keep up:
    // that is what was found, and no reason to doubt it.
    let is_answer = |cell: &CellResult| {
        let found = run.capacity.iter().find(|found| found.is_of(cell));
        let of_server = [ReasonKind::Overloaded, ReasonKind::Errors, ReasonKind::TooFewRounds];
        found.is_some_and(|found| found.bound == Bound::None)
            && cell.verdict.reasons.iter().all(|reason| of_server.contains(&reason.kind))
    };
    let cells =
        if run.cells.is_empty() || !run.cells.iter().all(|cell| cell.verdict.is_valid() || is_answer(cell)) {
            Outcome::Invalid
        } else {
            Outcome::Good
        };
    let gates = run.gates.iter().map(|gate| match gate.met {
        Some(true) => Outcome::Good,
        Some(false) => Outcome::Regression,
        None => Outcome::Invalid,
    });
    // An objective that is kept at no rate is a gate that is not met.
    let capacity = run.capacity.iter().map(|found| match found.bound {
        Bound::None => Outcome::Regression,
        Bound::Exact | Bound::AtLeast => Outcome::Good,
    });
    Outcome::first(gates.chain(capacity).chain([cells]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_comes_before_three_before_one_before_four() {
        use Outcome::{Good, Inconclusive, Invalid, Regression, Usage};
        for (outcomes, code) in [
            (vec![], 0),
            (vec![Good, Inconclusive], 4),
            (vec![Inconclusive, Regression], 1),
            (vec![Regression, Invalid, Good], 3),
            (vec![Invalid, Usage, Regression], 2),
        ] {
            assert_eq!(Outcome::first(outcomes).code(), code);
        }
    }
}
