//! How long the users of a closed loop think between an answer and their next call.

use serde::{Deserialize, Serialize};

use super::random::Random;

/// The longest that an exponential time can be drawn, in means: the unit's 53 bits end there.
const LONGEST_EXPONENTIAL: f64 = 37.0;

/// A distribution of think times, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThinkTime {
    /// Always the same.
    FixedNs(u64),
    /// Uniform between two times.
    UniformNs(u64, u64),
    /// Exponential with this mean.
    ExponentialNs(u64),
}

impl ThinkTime {
    /// Draws one time, in nanoseconds.
    #[must_use]
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn draw(self, random: &mut Random) -> u64 {
        match self {
            Self::FixedNs(ns) => ns,
            Self::UniformNs(min, max) => {
                min.saturating_add(random.below(max.saturating_sub(min).saturating_add(1)))
            }
            Self::ExponentialNs(mean) => (random.exponential() * mean as f64) as u64,
        }
    }

    /// The mean, in nanoseconds.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn mean_ns(self) -> f64 {
        match self {
            Self::FixedNs(ns) | Self::ExponentialNs(ns) => ns as f64,
            Self::UniformNs(min, max) => f64::midpoint(min as f64, max as f64),
        }
    }

    /// The longest time that can be drawn, in nanoseconds.
    #[must_use]
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn longest_ns(self) -> u64 {
        match self {
            Self::FixedNs(ns) | Self::UniformNs(_, ns) => ns,
            Self::ExponentialNs(mean) => (mean as f64 * LONGEST_EXPONENTIAL) as u64,
        }
    }

    /// Whether nobody ever thinks.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.longest_ns() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_their_mean_and_stay_within_the_longest() {
        for think in
            [ThinkTime::FixedNs(5_000), ThinkTime::UniformNs(1_000, 9_000), ThinkTime::ExponentialNs(5_000)]
        {
            let mut random = Random::new(9);
            let drawn: Vec<u64> = (0..50_000).map(|_| think.draw(&mut random)).collect();
            let mean = drawn.iter().sum::<u64>() as f64 / drawn.len() as f64;
            assert!((mean / think.mean_ns() - 1.0).abs() < 0.02, "{think:?}: {mean}");
            assert!(drawn.iter().all(|ns| *ns <= think.longest_ns()), "{think:?}");
        }
        assert!(ThinkTime::FixedNs(0).is_zero() && !ThinkTime::ExponentialNs(1).is_zero());
        let wide = ThinkTime::UniformNs(u64::MAX - 1, u64::MAX);
        assert!((0..9).all(|seed| wide.draw(&mut Random::new(seed)) >= u64::MAX - 1), "no overflow");
    }
}
