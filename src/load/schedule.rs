//! When calls become due in an open loop: pure, computed from the seed, never shifted by lateness.

use crate::rpc::random::Random;
use crate::scenario::Arrivals;

/// The due times of an open loop, as nanoseconds after its beginning, in order.
///
/// Every client thread walks the whole schedule and takes the calls dealt to it by index, so that
/// any split of the load makes the same calls at the same times.
#[derive(Debug, Clone)]
pub struct Schedule {
    arrivals: Arrivals,
    gap_ns: f64,
    random: Random,
    index: u64,
    /// The sum of the gaps so far. A double counts nanoseconds exactly for 104 days.
    elapsed_ns: f64,
    ends_ns: u64,
}

impl Schedule {
    /// A schedule of `rate_per_s` calls per second for `length_ns`.
    #[must_use]
    pub fn new(rate_per_s: f64, arrivals: Arrivals, seed: u64, length_ns: u64) -> Self {
        Self {
            arrivals,
            gap_ns: 1e9 / rate_per_s,
            random: Random::labelled(seed, "arrivals"),
            index: 0,
            elapsed_ns: 0.0,
            ends_ns: length_ns,
        }
    }
}

impl Iterator for Schedule {
    /// The call's index and when it is due.
    type Item = (u64, u64);

    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn next(&mut self) -> Option<(u64, u64)> {
        let due_ns = match self.arrivals {
            // From the index and not by adding up, so that no rounding accumulates.
            Arrivals::Constant => self.index as f64 * self.gap_ns,
            Arrivals::Poisson => {
                self.elapsed_ns += self.random.exponential() * self.gap_ns;
                self.elapsed_ns
            }
        };
        if due_ns >= self.ends_ns as f64 {
            return None;
        }
        let index = self.index;
        self.index += 1;
        Some((index, due_ns as u64))
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
