//! The project's one source of random numbers.
//!
//! It is our own, and not a crate's, because the same seed must give the same calls, payload bytes
//! and arrivals on every machine and in every later version. SplitMix64 (Steele, Lea and Flood,
//! OOPSLA 2014): passes BigCrush, needs eight bytes of state, and can be started anywhere, so that
//! call number k draws the same values whoever makes it.

/// A seeded stream of random numbers.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Random {
    /// The stream of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: mix(seed ^ GAMMA) }
    }

    /// The stream for one purpose under a seed: streams of different labels are independent.
    #[must_use]
    pub fn labelled(seed: u64, label: &str) -> Self {
        let folded = label.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
        });
        Self { state: mix(mix(seed ^ GAMMA) ^ folded) }
    }

    /// The stream that belongs to item `index` of this stream, without drawing the ones before it.
    #[must_use]
    pub fn at(&self, index: u64) -> Self {
        Self { state: mix(self.state ^ mix(index.wrapping_mul(GAMMA).wrapping_add(1))) }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mix(self.state)
    }

    /// A float in [0, 1).
    pub fn unit(&mut self) -> f64 {
        // 53 bits: every result is exact.
        #[allow(clippy::cast_precision_loss)]
        let bits = (self.next_u64() >> 11) as f64;
        bits / 9_007_199_254_740_992.0
    }

    /// A number in 0..`bound`; 0 where the bound is 0. By multiplication, bias below 2⁻⁶⁴ × bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number in `min..=max`; `min` where they are in the wrong order.
    pub fn between(&mut self, min: i64, max: i64) -> i64 {
        if max <= min {
            return min;
        }
        let span = max.wrapping_sub(min).cast_unsigned();
        let offset = if span == u64::MAX { self.next_u64() } else { self.below(span + 1) };
        min.wrapping_add(offset.cast_signed())
    }

    /// An exponentially distributed number with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_a_seed_never_changes() {
        let mut random = Random::labelled(42, "calls");
        let drawn: Vec<u64> = (0..3).map(|_| random.next_u64()).collect();
        let mut again = Random::labelled(42, "calls");
        assert_eq!(drawn, (0..3).map(|_| again.next_u64()).collect::<Vec<_>>());
        assert_ne!(drawn[0], Random::labelled(43, "calls").next_u64());
        assert_ne!(drawn[0], Random::labelled(42, "arrivals").next_u64());
    }

    #[test]
    fn bounds_are_inclusive_and_full_range_works() {
        let mut random = Random::new(1);
        let drawn: std::collections::BTreeSet<i64> = (0..200).map(|_| random.between(-1, 1)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [-1, 0, 1]);
        let _ = random.between(i64::MIN, i64::MAX);
        assert_eq!(random.between(5, 4), 5);
    }

    #[test]
    fn the_exponential_has_mean_one() {
        let mut random = Random::new(7);
        let mean = (0..100_000).map(|_| random.exponential()).sum::<f64>() / 100_000.0;
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
    }
}
