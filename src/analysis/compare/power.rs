//! What a check can find: how many pairs for an effect, which effect with so many pairs.
//!
//! The signed-rank test of R pairs whose differences have the spread σ is nearly as powerful as a test of
//! their mean with 0.955 R of them (Lehmann, Nonparametrics, §4.3): its estimate has the standard error
//! σ/√(0.955 R). Effects are given as ratios − 1 (0.1 is 10 % worse), levels are one-sided.

use statrs::distribution::{ContinuousCDF as _, Normal};

use super::paired::EFFICIENCY;

/// With what probability effects that are printed as detectable are planned to be found: a little more
/// than the nine in ten that are promised, because wild noise costs a few points.
pub const PRINTED_POWER: f64 = 0.95;

/// The standard normal quantile; finite for every input.
pub(super) fn z(probability: f64) -> f64 {
    Normal::standard().inverse_cdf(probability.clamp(1e-300, 1.0 - 1e-16))
}

/// The pairs that count: small samples lose z²/2 of them, because the spread has to be found out too
/// (Guenther 1981, for the t test; the signed-rank test loses as much).
pub(super) fn effective_pairs(pairs: f64, level: f64) -> f64 {
    (pairs - lost_pairs(level)).max(1.0)
}

fn lost_pairs(level: f64) -> f64 {
    z(1.0 - level).powi(2) / 2.0
}

/// The standard error of the estimate from so many pairs, as far as a test at the level is concerned.
fn standard_error(spread: f64, pairs: usize, level: f64) -> f64 {
    spread / (EFFICIENCY * effective_pairs(pairs as f64, level)).sqrt()
}

/// The pairs with which an effect of the limit is called a regression beyond the noise margin with a
/// probability of `power`: ((z₁₋α + z_power)·σ / ln((1+Δ)/(1+δ)))² / 0.955 + z₁₋α²/2, rounded up. `None`
/// where the limit is not above the margin: no number of pairs is enough.
#[must_use]
pub fn pairs_needed(spread: f64, level: f64, power: f64, noise_margin: f64, limit: f64) -> Option<usize> {
    let distance = ((1.0 + limit) / (1.0 + noise_margin)).ln();
    if distance.is_nan() || distance <= 0.0 {
        return None;
    }
    let pairs = ((z(1.0 - level) + z(power)) * spread / distance).powi(2) / EFFICIENCY + lost_pairs(level);
    Some(pairs.ceil().max(1.0) as usize)
}

/// The smallest effect, as a ratio − 1, that is called a regression with a probability of `power`.
/// `None` without pairs.
#[must_use]
pub fn smallest_detectable(
    spread: f64,
    pairs: usize,
    level: f64,
    power: f64,
    noise_margin: f64,
) -> Option<f64> {
    if pairs == 0 {
        return None;
    }
    let error = standard_error(spread, pairs, level);
    Some((noise_margin.ln_1p() + (z(1.0 - level) + z(power)) * error).exp_m1())
}

/// The probability that an effect, as a ratio − 1, is called a regression.
#[must_use]
pub fn power_of(effect: f64, spread: f64, pairs: usize, level: f64, noise_margin: f64) -> f64 {
    let error = standard_error(spread, pairs, level);
    let distance = effect.ln_1p() - noise_margin.ln_1p();
    Normal::standard().cdf(distance / error - z(1.0 - level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_follow_the_formula() {
        // python: ((norm.ppf(1-a) + norm.ppf(.9)) * s / log(1.1/1.02))**2 / .955 with scipy 1.17.
        // s=.04, a=.025: 3.088; s=.13, a=.025: 32.61; s=.13, a=.0175: 35.67. And norm.ppf(1-a)**2 / 2:
        // 1.921, 1.921, 2.222.
        assert_eq!(pairs_needed(0.04, 0.025, 0.9, 0.02, 0.1), Some(6));
        assert_eq!(pairs_needed(0.13, 0.025, 0.9, 0.02, 0.1), Some(35));
        assert_eq!(pairs_needed(0.13, 0.0175, 0.9, 0.02, 0.1), Some(38));
        assert_eq!(pairs_needed(0.13, 0.025, 0.9, 0.1, 0.1), None);
        assert_eq!(pairs_needed(0.0, 0.025, 0.9, 0.02, 0.1), Some(2));
    }

    #[test]
    fn the_smallest_detectable_effect_is_found_as_often_as_it_says() {
        for (spread, pairs, level) in [(0.04, 20, 0.025), (0.13, 60, 0.01)] {
            let effect = smallest_detectable(spread, pairs, level, 0.9, 0.02).unwrap();
            assert!((power_of(effect, spread, pairs, level, 0.02) - 0.9).abs() < 1e-6);
            assert!((power_of(0.02, spread, pairs, level, 0.02) - level).abs() < 1e-6);
        }
        assert_eq!(smallest_detectable(0.1, 0, 0.05, 0.9, 0.0), None);
    }
}
