//! How the rate of an open loop goes over time: pieces of constant or evenly changing rate. Pure.
//!
//! Arrivals at a changing rate are those of a constant rate of one per unit, on a clock that runs as
//! fast as the rate is high: with N(t) the integral of the rate up to t, call i of constant arrivals
//! is due at N⁻¹(i), and a Poisson process of that rate is N⁻¹ of one of rate 1 (the time change of
//! Lewis and Shedler 1976, Çinlar 1975). N is piecewise quadratic, so its inverse is exact.

use crate::scenario::{Level, Stage};

/// A rate over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    pieces: Vec<Piece>,
}

/// A stretch in which the rate changes evenly.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    begins_ns: u64,
    length_ns: u64,
    /// In calls per second.
    from: f64,
    to: f64,
    /// The calls of all pieces before this one, and with it.
    calls_before: f64,
    calls_with: f64,
}

impl Profile {
    /// A constant rate in calls per second, for so long.
    #[must_use]
    pub fn constant(rate_per_s: f64, length_ns: u64) -> Self {
        Self::of(&[(rate_per_s, rate_per_s, length_ns)])
    }

    /// The rates of open stages; closed ones have none.
    #[must_use]
    pub fn of_stages(stages: &[Stage]) -> Self {
        let rates: Vec<(f64, f64, u64)> = stages
            .iter()
            .filter_map(|stage| match stage.level {
                Level::Rate { from_per_s, to_per_s } => Some((from_per_s, to_per_s, stage.length_ns)),
                Level::Concurrency(_) => None,
            })
            .collect();
        Self::of(&rates)
    }

    #[allow(clippy::cast_precision_loss)]
    fn of(rates: &[(f64, f64, u64)]) -> Self {
        let (mut begins_ns, mut calls) = (0_u64, 0.0);
        let pieces = rates
            .iter()
            .map(|&(from, to, length_ns)| {
                let calls_with = calls + f64::midpoint(from, to) * length_ns as f64 / 1e9;
                let piece = Piece { begins_ns, length_ns, from, to, calls_before: calls, calls_with };
                begins_ns = begins_ns.saturating_add(length_ns);
                calls = calls_with;
                piece
            })
            .collect();
        Self { pieces }
    }

    /// How many calls are due in all.
    #[must_use]
    pub fn calls(&self) -> f64 {
        self.pieces.last().map_or(0.0, |piece| piece.calls_with)
    }

    /// When `calls` calls have become due, in nanoseconds after the begin; `None` where that is never.
    /// `piece` is where the search begins, and is moved on: the calls of a schedule come in order.
    #[must_use]
    pub fn due_ns(&self, calls: f64, piece: &mut usize) -> Option<u64> {
        while self.pieces.get(*piece).is_some_and(|piece| calls >= piece.calls_with) {
            *piece += 1;
        }
        self.pieces.get(*piece).map(|piece| piece.due_ns(calls))
    }
}

impl Piece {
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn due_ns(&self, calls: f64) -> u64 {
        let calls = (calls - self.calls_before).max(0.0);
        let seconds = self.length_ns as f64 / 1e9;
        let slope = (self.to - self.from) / seconds;
        // calls = from·t + slope·t²/2, solved without subtracting what is nearly equal.
        let root = (self.from * self.from + 2.0 * slope * calls).max(0.0).sqrt();
        let offset_ns = if calls == 0.0 { 0.0 } else { 2e9 * calls / (self.from + root) };
        self.begins_ns + (offset_ns as u64).min(self.length_ns.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::load::Schedule;
    use crate::scenario::Arrivals;

    const SECOND_NS: u64 = 1_000_000_000;

    fn profile(rates: &[(f64, f64, u64)]) -> Profile {
        Profile::of(rates)
    }

    fn due(profile: &Profile, arrivals: Arrivals, seed: u64) -> Vec<u64> {
        Schedule::over(profile.clone(), arrivals, seed).map(|(_, due_ns)| due_ns).collect()
    }

    #[test]
    fn a_ramp_from_nothing_is_due_by_the_square_root() {
        // From 0 to 100/s in 2 s: t²·25 calls after t seconds, so call i at √(i / 25).
        let due = due(&profile(&[(0.0, 100.0, 2 * SECOND_NS)]), Arrivals::Constant, 1);
        assert_eq!(due.len(), 100);
        for (index, due_ns) in due.iter().enumerate() {
            let rule_ns = (index as f64 / 25.0).sqrt() * 1e9;
            assert!((*due_ns as f64 - rule_ns).abs() <= 1.0, "{index}: {due_ns}, by rule {rule_ns}");
        }
    }

    #[test]
    fn a_ramp_down_to_nothing_ends_with_its_last_call() {
        let due = due(&profile(&[(100.0, 0.0, 2 * SECOND_NS)]), Arrivals::Constant, 1);
        assert_eq!(due.len(), 100);
        // The mirror image of the ramp up: call 99 leaves one call, whose time is √(1 / 25) s.
        let rule_ns = 2e9 - (1.0_f64 / 25.0).sqrt() * 1e9;
        assert!((due[99] as f64 - rule_ns).abs() <= 10.0, "{}", due[99]);
    }

    #[test]
    fn steps_have_exactly_their_calls_each_on_its_grid() {
        let stages = [(500.0, 500.0, 2 * SECOND_NS), (2_000.0, 2_000.0, SECOND_NS), (4.0, 4.0, SECOND_NS)];
        let due = due(&profile(&stages), Arrivals::Constant, 1);
        let within = |from: u64, to: u64| due.iter().filter(|due_ns| (from..to).contains(due_ns)).count();
        assert_eq!(within(0, 2 * SECOND_NS), 1_000);
        assert_eq!(within(2 * SECOND_NS, 3 * SECOND_NS), 2_000);
        assert_eq!(due[3_000..], [0, 1, 2, 3].map(|call| 3 * SECOND_NS + call * SECOND_NS / 4));
    }

    #[test]
    fn poisson_stages_have_the_mean_and_the_spread_of_their_rate() {
        let stages = [(1_000.0, 1_000.0, 20 * SECOND_NS), (0.0, 4_000.0, 20 * SECOND_NS)];
        let mut of_stage = [Vec::new(), Vec::new()];
        for seed in 0..100 {
            let due = due(&profile(&stages), Arrivals::Poisson, seed);
            let first = due.iter().filter(|due_ns| **due_ns < 20 * SECOND_NS).count();
            of_stage[0].push(first as f64);
            of_stage[1].push((due.len() - first) as f64);
        }
        for (counts, expected) in of_stage.iter().zip([20_000.0, 40_000.0]) {
            let mean = counts.iter().sum::<f64>() / 100.0;
            let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / 99.0;
            // The mean of a hundred is within four of its standard errors, and the counts of a Poisson
            // process have their mean as variance.
            assert!((mean - expected).abs() < 4.0 * (expected / 100.0_f64).sqrt(), "{mean}");
            assert!((0.5..1.7).contains(&(variance / expected)), "{variance}");
        }
    }

    #[test]
    fn a_poisson_ramp_grows_as_its_rate_does() {
        let profile = profile(&[(0.0, 2_000.0, 40 * SECOND_NS)]);
        let due = due(&profile, Arrivals::Poisson, 5);
        // A quarter of the calls in the first half.
        let first = due.iter().filter(|due_ns| **due_ns < 20 * SECOND_NS).count() as f64;
        assert!((first / due.len() as f64 - 0.25).abs() < 0.01, "{first} of {}", due.len());
    }

    prop_compose! {
        fn rates()(
            rates in prop::collection::vec((0_u32..5_000, 1_u32..5_000, 1_u64..3_000), 1..6),
        ) -> Vec<(f64, f64, u64)> {
            rates
                .into_iter()
                .map(|(from, to, ms)| (f64::from(from), f64::from(to), ms * 1_000_000))
                .collect()
        }
    }

    proptest! {
        #[test]
        fn any_stages_keep_order_stay_inside_and_have_their_number_of_calls(rates in rates(), seed: u64) {
            let profile = profile(&rates);
            for arrivals in [Arrivals::Constant, Arrivals::Poisson] {
                let due = due(&profile, arrivals, seed);
                prop_assert!(due.windows(2).all(|pair| pair[0] <= pair[1]));
                let end_ns: u64 = rates.iter().map(|(_, _, length_ns)| length_ns).sum();
                prop_assert!(due.iter().all(|due_ns| *due_ns < end_ns));
                if arrivals == Arrivals::Constant {
                    prop_assert_eq!(due.len() as f64, profile.calls().ceil());
                    let mut before = 0.0;
                    let mut begins_ns = 0;
                    for (from, to, length_ns) in &rates {
                        let with = before + f64::midpoint(*from, *to) * *length_ns as f64 / 1e9;
                        let ends_ns = begins_ns + length_ns;
                        let found = due.iter().filter(|due_ns| (begins_ns..ends_ns).contains(due_ns)).count();
                        prop_assert_eq!(found as f64, with.ceil() - before.ceil());
                        (before, begins_ns) = (with, ends_ns);
                    }
                }
            }
        }

        #[test]
        fn a_seed_gives_one_schedule_and_any_split_over_threads_the_same(
            rates in rates(), seed: u64, threads in 1_u64..9,
        ) {
            let schedule = || Schedule::over(profile(&rates), Arrivals::Poisson, seed);
            let whole: Vec<(u64, u64)> = schedule().collect();
            let mut split: Vec<(u64, u64)> = (0..threads)
                .flat_map(|thread| schedule().filter(move |(index, _)| index % threads == thread))
                .collect();
            split.sort_unstable();
            prop_assert_eq!(split, whole);
        }
    }
}
