//! Capacities in a check: how fine a search has to be, where the searches of a pair begin, and when the
//! two of a pair are figures.

use crate::analysis::capacity::first_stride;
use crate::result::{Bound, CapacityResult};

/// No search is finer: rates have four digits, and rounds have their luck.
const FINEST: f64 = 0.005;
/// So many steps of a search lie at least between the noise margin and the limit.
const STEPS_BETWEEN: f64 = 4.0;
/// And so many below the noise margin.
const STEPS_BELOW: f64 = 2.0;

/// The margins of a check lie nearer to one another than a search can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error(
    "a search tells {:.1} % apart at best, so that the limit ({:.1} %) must be at least {:.1} % above the noise \
     margin ({:.1} %): raise limit, or lower noise_margin",
    FINEST * 100.0, limit * 100.0, FINEST * STEPS_BETWEEN * 100.0, noise_margin * 100.0
)]
pub struct CoarseSearch {
    /// δ.
    pub noise_margin: f64,
    /// Δ.
    pub limit: f64,
}

/// The precision of a check's searches: the scenario's, or a finer one where the margins need it.
///
/// # Errors
/// They need a finer one than there is.
pub fn search_precision(wanted: f64, noise_margin: f64, limit: f64) -> Result<f64, CoarseSearch> {
    let between = (limit - noise_margin) / STEPS_BETWEEN;
    // The shares are decimals, and so never quite what was typed.
    if between < FINEST * (1.0 - 1e-9) {
        return Err(CoarseSearch { noise_margin, limit });
    }
    Ok(wanted.min(between).min(noise_margin / STEPS_BELOW).max(FINEST))
}

/// The standard deviation of the difference of two figures that are each rounded down to a step, as a
/// logarithm: each is off by anything from nothing to a step, of which the variance is a twelfth of the
/// step's square.
pub(super) fn spread_of_steps(step: f64) -> f64 {
    step.ln_1p() / 6.0_f64.sqrt()
}

/// Where both searches of a pair begin: near `middle_per_s`, off by up to half of a search's first step.
/// `luck`, from 0 to 1, moves the rates that will be tried, so that over the pairs it evens out where
/// between two of them a capacity lies. It is one rate for both sides, and depends on nothing that tells
/// them apart: else a side's last result would pull at its next one, and pairs would not be independent.
#[must_use]
pub fn start_of_pair(middle_per_s: f64, precision: f64, luck: f64) -> f64 {
    middle_per_s * first_stride(precision).powf(luck - 0.5)
}

/// The middle of a pair's capacities, which does not say whose was which.
#[must_use]
pub fn middle_of([base, candidate]: [f64; 2]) -> f64 {
    (base * candidate).sqrt()
}

/// The capacities of the searches of a pair in calls per second; or which side has none, and why. A lower
/// bound is none: what is not known cannot be compared.
///
/// # Errors
/// The side (0 or 1), and the reason in words.
pub fn capacities(searches: [&CapacityResult; 2]) -> Result<[f64; 2], (usize, String)> {
    let mut found = [0.0; 2];
    for (side, search) in searches.into_iter().enumerate() {
        found[side] = capacity_of(search).map_err(|why| (side, why))?;
    }
    Ok(found)
}

/// The capacity that a search found, in calls per second.
///
/// # Errors
/// Why there is none to compare, in words.
pub fn capacity_of(search: &CapacityResult) -> Result<f64, String> {
    match (search.bound, search.rate_per_s) {
        (Bound::Exact, Some(rate_per_s)) if rate_per_s > 0.0 => Ok(rate_per_s),
        (Bound::AtLeast, Some(rate_per_s)) => {
            Err(format!("only a lower bound: at least {rate_per_s}/s; {}", search.why))
        }
        _ => Err(format!("no capacity: {}", search.why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::compare::{Gate, Look, PairFigures, judge};
    use crate::analysis::{Probe, Search};
    use crate::result::{CheckStatus, LoadModel};
    use crate::rpc::random::Random;
    use crate::scenario::{Capacity, CheckGates, CheckMetric};

    #[test]
    fn a_search_is_as_fine_as_the_margins_need() {
        for (wanted, noise_margin, limit, precision) in [
            (0.05, 0.02, 0.1, 0.01),
            (0.05, 0.2, 1.0, 0.05),
            (0.05, 0.1, 0.2, 0.025),
            (0.05, 0.0, 0.1, FINEST),
            (0.05, 0.03, 0.05, FINEST),
        ] {
            let found = search_precision(wanted, noise_margin, limit).unwrap();
            assert!((found - precision).abs() < 1e-9, "{noise_margin} {limit}: {found}");
        }
        let error = search_precision(0.05, 0.02, 0.03).unwrap_err().to_string();
        assert!(error.contains("0.5 % apart") && error.contains("at least 2.0 % above"), "{error}");
    }

    #[test]
    fn the_start_of_a_pair_is_moved_by_luck_and_says_nothing_of_the_sides() {
        assert!((start_of_pair(1_000.0, 0.01, 0.5) - 1_000.0).abs() < 1e-9);
        assert!((start_of_pair(1_000.0, 0.01, 1.0) / start_of_pair(1_000.0, 0.01, 0.0) - 1.04).abs() < 1e-9);
        assert!((middle_of([800.0, 1_250.0]) - 1_000.0).abs() < 1e-9);
        assert_eq!(middle_of([800.0, 1_250.0]), middle_of([1_250.0, 800.0]));
    }

    #[test]
    fn what_is_no_figure_says_whose_and_why() {
        let search = |bound, rate_per_s| CapacityResult {
            backend: "b".into(),
            point: String::new(),
            slo: vec!["p99 <= 5ms".into()],
            precision: 0.01,
            rate_per_s,
            bound,
            why: "because".into(),
            probes: Vec::new(),
        };
        let exact = search(Bound::Exact, Some(700.0));
        assert_eq!(capacities([&exact, &search(Bound::Exact, Some(600.0))]), Ok([700.0, 600.0]));
        let (side, why) = capacities([&exact, &search(Bound::AtLeast, Some(800.0))]).unwrap_err();
        assert_eq!((side, &*why), (1, "only a lower bound: at least 800/s; because"));
        let (side, why) = capacities([&search(Bound::None, None), &exact]).unwrap_err();
        assert_eq!((side, &*why), (0, "no capacity: because"));
    }

    /// What a server does at a rate: its limit is another one in every round.
    fn found(
        limit_per_s: f64,
        noise: f64,
        start_per_s: f64,
        capacity: &Capacity,
        random: &mut Random,
    ) -> f64 {
        let mut search = Search::near(capacity, start_per_s);
        while let Some(rate_per_s) = search.next_per_s() {
            // Twelve uniform draws make about a normal one.
            let normal = (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
            let of_now = limit_per_s * (1.0 + noise * normal);
            search.take(if rate_per_s <= of_now { Probe::Holds } else { Probe::Misses });
        }
        search.found_per_s().unwrap()
    }

    fn capacity() -> Capacity {
        Capacity { slo: Vec::new(), min_per_s: 10.0, max_per_s: 1e6, precision: 0.01 }
    }

    /// How many of 400 checks of eight pairs call a candidate with this share of the base's capacity worse.
    fn alarms(share: f64) -> usize {
        const PAIRS: usize = 8;
        let (capacity, gates) = (capacity(), CheckGates::default());
        let metrics = &[CheckMetric::Capacity];
        let last = Look { pairs: PAIRS, level: 0.05 };
        let gate = Gate { metrics, gates: &gates, model: LoadModel::Open, last, step: capacity.precision };
        let mut random = Random::new(5);
        let mut check = || {
            let mut middle = 1_100.0;
            let pairs: Vec<PairFigures> = (0..PAIRS)
                .map(|_| {
                    let start = start_of_pair(middle, capacity.precision, random.unit());
                    let both =
                        [1.0, share].map(|of| found(1_000.0 * of, 0.03, start, &capacity, &mut random));
                    middle = middle_of(both);
                    PairFigures::of_capacities(both)
                })
                .collect();
            judge(&gate, &pairs, last).0[0].verdict == Some(CheckStatus::Regressed)
        };
        (0..400).filter(|_| check()).count()
    }

    #[test]
    fn identical_builds_are_rarely_called_worse_and_a_tenth_less_is_found() {
        // At the noise margin itself five in a hundred are allowed, and identical builds are below it.
        assert!(alarms(1.0) <= 20, "{}", alarms(1.0));
        assert!(alarms(0.9) >= 360, "{}", alarms(0.9));
    }

    #[test]
    fn a_difference_below_the_step_is_found_without_bias() {
        // Two servers that differ by less than half a step, and never vary: only luck in the start can
        // tell them apart.
        let mut random = Random::new(11);
        let pairs = 400;
        let sum: f64 = (0..pairs)
            .map(|_| {
                let start = start_of_pair(5_000.0, capacity().precision, random.unit());
                let both = [5_000.0, 5_020.0].map(|of| found(of, 0.0, start, &capacity(), &mut random));
                (both[0] / both[1]).ln()
            })
            .sum();
        let mean = sum / f64::from(pairs);
        assert!((mean + 0.003_99).abs() < 0.001, "{mean}");
    }
}
