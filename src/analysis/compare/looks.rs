//! When one may look at the data, planned before there is any.

/// A look: after so many pairs, at a level of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// After so many pairs.
    pub pairs: usize,
    /// What this look may spend of the whole gate's α.
    pub level: f64,
}

/// So few pairs could not show a regression however large it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{pairs} pairs cannot show a regression, however large, with {metrics} gated metrics: at least {needed} are needed"
)]
pub struct TooFewPairs {
    /// How many were asked for.
    pub pairs: usize,
    /// How many are needed.
    pub needed: usize,
    /// Over how many metrics.
    pub metrics: usize,
}

/// The looks before the last: the part of the pairs, and the part of α.
const EARLY: [(f64, f64); 2] = [(1.0 / 3.0, 0.1), (2.0 / 3.0, 0.2)];

/// The fewest pairs with which the exact test can reject: 2⁻ᴿ ≤ α/m.
#[must_use]
pub fn fewest_pairs(metrics: usize, alpha: f64) -> usize {
    let mut pairs = 1;
    while pairs < 1_000 && !can_reject(pairs, metrics, alpha) {
        pairs += 1;
    }
    pairs
}

fn can_reject(pairs: usize, metrics: usize, level: f64) -> bool {
    let exponent = i32::try_from(pairs).unwrap_or(i32::MAX);
    0.5_f64.powi(exponent) <= level / metrics.max(1) as f64
}

/// Plans the looks of a check: two early ones, at a third and two thirds of the pairs, that spend a tenth
/// and a fifth of α, and the last, which has the rest. The levels add up to α, so that whatever is
/// decided at any look is wrong with at most α (Bonferroni's inequality over the looks; α spending in the
/// sense of Lan and DeMets 1983, without their gain from correlated looks). An early look at which
/// nothing could be found is left out and what it would spend goes to the last.
///
/// # Errors
/// Even the last look could not show a regression.
pub fn plan_looks(
    pairs: usize,
    metrics: usize,
    alpha: f64,
    may_stop_early: bool,
) -> Result<Vec<Look>, TooFewPairs> {
    if !can_reject(pairs, metrics, alpha) {
        return Err(TooFewPairs { pairs, needed: fewest_pairs(metrics, alpha), metrics });
    }
    let mut looks = Vec::new();
    let mut left = alpha;
    for (part, share) in EARLY.into_iter().filter(|_| may_stop_early) {
        let look = Look { pairs: (pairs as f64 * part).ceil() as usize, level: alpha * share };
        let last_still_can = can_reject(pairs, metrics, left - look.level);
        if look.pairs < pairs && can_reject(look.pairs, metrics, look.level) && last_still_can {
            left -= look.level;
            looks.push(look);
        }
    }
    looks.push(Look { pairs, level: left });
    Ok(looks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_pairs_are_told_how_many_are_needed() {
        for (metrics, alpha, needed) in [(1, 0.05, 5), (2, 0.05, 6), (3, 0.05, 6), (4, 0.05, 7), (2, 0.01, 8)]
        {
            assert_eq!(fewest_pairs(metrics, alpha), needed, "{metrics} at {alpha}");
            let error = plan_looks(needed - 1, metrics, alpha, true).unwrap_err();
            assert_eq!(error.needed, needed);
            assert!(error.to_string().contains(&format!("at least {needed} are needed")));
            let looks = plan_looks(needed, metrics, alpha, true).unwrap();
            assert_eq!(looks, [Look { pairs: needed, level: alpha }]);
        }
    }

    #[test]
    fn the_levels_of_the_looks_add_up_to_alpha_and_every_look_could_find_something() {
        for pairs in 6..200 {
            for metrics in 1..=4 {
                let Ok(looks) = plan_looks(pairs, metrics, 0.05, true) else { continue };
                let spent: f64 = looks.iter().map(|look| look.level).sum();
                assert!((spent - 0.05).abs() < 1e-12);
                assert!(looks.windows(2).all(|two| two[0].pairs < two[1].pairs));
                assert_eq!(looks.last().unwrap().pairs, pairs);
                assert!(looks.iter().all(|look| can_reject(look.pairs, metrics, look.level)));
            }
        }
        assert_eq!(plan_looks(36, 2, 0.05, true).unwrap().len(), 3);
        assert_eq!(plan_looks(36, 2, 0.05, false).unwrap(), [Look { pairs: 36, level: 0.05 }]);
    }
}
