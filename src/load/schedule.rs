//! When calls become due in an open loop: pure, computed from the seed, never shifted by lateness.

use super::profile::Profile;
use crate::rpc::random::Random;
use crate::scenario::Arrivals;

/// The due times of an open loop, as nanoseconds after its beginning, in order.
///
/// They are computed one by one: a schedule takes the same memory however many calls it has. Every
/// client thread walks the whole of it and takes the calls dealt to it by index, so that any split of
/// the load makes the same calls at the same times.
#[derive(Debug, Clone)]
pub struct Schedule {
    arrivals: Arrivals,
    profile: Profile,
    /// Where in the profile the next call is.
    piece: usize,
    random: Random,
    index: u64,
    /// The sum of the gaps so far, in mean gaps: the time of a Poisson process of rate 1.
    elapsed: f64,
}

impl Schedule {
    /// A schedule of `rate_per_s` calls per second for `length_ns`.
    #[must_use]
    pub fn new(rate_per_s: f64, arrivals: Arrivals, seed: u64, length_ns: u64) -> Self {
        Self::over(Profile::constant(rate_per_s, length_ns), arrivals, seed)
    }

    /// A schedule whose rate changes over time.
    #[must_use]
    pub fn over(profile: Profile, arrivals: Arrivals, seed: u64) -> Self {
        let random = Random::labelled(seed, "arrivals");
        Self { arrivals, profile, piece: 0, random, index: 0, elapsed: 0.0 }
    }
}

impl Iterator for Schedule {
    /// The call's index and when it is due.
    type Item = (u64, u64);

    #[allow(clippy::cast_precision_loss)]
    fn next(&mut self) -> Option<(u64, u64)> {
        let calls = match self.arrivals {
            // From the index and not by adding up, so that no rounding accumulates.
            Arrivals::Constant => self.index as f64,
            Arrivals::Poisson => {
                self.elapsed += self.random.exponential();
                self.elapsed
            }
        };
        let due_ns = self.profile.due_ns(calls, &mut self.piece)?;
        let index = self.index;
        self.index += 1;
        Some((index, due_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_schedule_is_exact_to_the_nanosecond() {
        let schedule = Schedule::new(3.0, Arrivals::Constant, 1, 2_000_000_000);
        let due: Vec<u64> = schedule.map(|(_, due_ns)| due_ns).collect();
        assert_eq!(due, [0, 333_333_333, 666_666_666, 1_000_000_000, 1_333_333_333, 1_666_666_666]);
    }

    #[test]
    fn poisson_gaps_have_the_mean_and_the_spread_of_an_exponential() {
        let due: Vec<u64> =
            Schedule::new(1_000.0, Arrivals::Poisson, 7, 100_000_000_000).map(|(_, due_ns)| due_ns).collect();
        let gaps: Vec<f64> = due.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1e6).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        assert!((variance - 1.0).abs() < 0.05, "{variance}");
    }

    #[test]
    fn the_same_seed_gives_the_same_arrivals() {
        let arrivals =
            |seed| Schedule::new(500.0, Arrivals::Poisson, seed, 1_000_000_000).collect::<Vec<_>>();
        assert_eq!(arrivals(1), arrivals(1));
        assert_ne!(arrivals(1), arrivals(2));
    }
}
