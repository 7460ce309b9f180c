//! How often a check cries wolf and how often it sleeps, in simulation: the proof of its error rate.
//!
//! A simulated machine has a state that drifts and wanders, so that rounds next to each other are alike;
//! each round has luck of its own, with wild ones among it; the gated metrics of a round share most of
//! it. Checks see the machine through pairs of rounds in an order decided by a coin, as `wirebench check`
//! makes them, and decide with the same functions. The negative controls take away what makes that right,
//! and alarm: a simulation that could not fail would prove nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::{AtomicU64, Ordering};

use wirebench::analysis::compare::{
    Decided, Differences, Look, Margins, Measured, Verdict, decide, is_settled, plan_looks, power,
};
use wirebench::rpc::random::Random;

const GATES: u64 = 10_000;
const ALPHA: f64 = 0.05;
const METRICS: usize = 3;
const PAIRS: usize = 24;

/// Standard normal numbers (Box and Muller).
struct Normal(Random);

impl Normal {
    fn draw(&mut self) -> f64 {
        (-2.0 * (1.0 - self.0.unit()).ln()).sqrt() * (std::f64::consts::TAU * self.0.unit()).cos()
    }
}

/// How a round's luck is distributed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Noise {
    Normal,
    /// One round in ten is five times as wild, and one in twenty meets a neighbour that slows it down.
    Contaminated,
}

/// A machine on which rounds are made one after another.
struct Machine {
    normal: Normal,
    /// σ of a pair's difference; the rounds' luck is that divided by √2.
    spread: f64,
    noise: Noise,
    /// What wanders from round to round.
    state: f64,
    /// How much slower or faster it gets with every round.
    drift: f64,
    drifted: f64,
}

impl Machine {
    fn new(seed: u64, spread: f64, noise: Noise) -> Self {
        let mut normal = Normal(Random::labelled(seed, "machine"));
        let drift = 0.004 * normal.draw();
        Self { normal, spread, noise, state: 0.0, drift, drifted: 0.0 }
    }

    fn luck(&mut self) -> f64 {
        let normal = self.normal.draw();
        if self.noise == Noise::Normal {
            return normal;
        }
        let wild = if self.normal.0.unit() < 0.1 { 5.0 } else { 1.0 };
        let neighbour = if self.normal.0.unit() < 0.05 { 3.0 * self.normal.0.exponential() } else { 0.0 };
        normal * wild + neighbour
    }

    /// The logarithms of a round's figures; `effects` come on top.
    fn round(&mut self, effects: &[f64; METRICS]) -> [f64; METRICS] {
        self.state = 0.9 * self.state + 0.2 * self.spread * self.normal.draw();
        self.drifted += self.drift;
        // Two thirds of the variance of a round's luck are the same for all of its metrics.
        let common = (2.0_f64 / 3.0).sqrt() * self.luck();
        effects.map(|effect| {
            let own = (1.0_f64 / 3.0).sqrt() * self.luck();
            effect + self.state + self.drifted + self.spread / 2.0_f64.sqrt() * (common + own)
        })
    }

    /// The differences of a pair of rounds, made in an order that a coin decides.
    fn pair(&mut self, effects: &[f64; METRICS]) -> [f64; METRICS] {
        let none = [0.0; METRICS];
        let candidate_first = self.normal.0.below(2) == 1;
        let first = self.round(if candidate_first { effects } else { &none });
        let second = self.round(if candidate_first { &none } else { effects });
        std::array::from_fn(|metric| {
            let difference = second[metric] - first[metric];
            if candidate_first { -difference } else { difference }
        })
    }
}

fn margins(noise: f64, limit: f64) -> Margins {
    Margins { noise: noise.ln_1p(), limit: limit.ln_1p() }
}

fn measured(pairs: &[[f64; METRICS]], margins: Margins) -> Vec<Measured> {
    (0..METRICS)
        .map(|metric| Measured {
            step: 0.0,
            differences: Differences::new(pairs.iter().map(|pair| pair[metric])),
            margins,
        })
        .collect()
}

/// A whole check: looks at the planned times, and stops where a metric regressed or all are decided.
fn check(
    machine: &mut Machine,
    looks: &[Look],
    effects: &[f64; METRICS],
    margins: Margins,
) -> (Vec<Decided>, usize) {
    let mut pairs = Vec::new();
    let mut decided = Vec::new();
    let last = looks.last().unwrap();
    for look in looks {
        while pairs.len() < look.pairs {
            pairs.push(machine.pair(effects));
        }
        let measured = measured(&pairs, margins);
        decided = decide(&measured, look.level);
        if is_settled(&measured, &decided, *last) {
            break;
        }
    }
    (decided, pairs.len())
}

fn alarmed(decided: &[Decided]) -> bool {
    decided.iter().any(|of| of.verdict == Verdict::Regressed)
}

/// In how many of so many simulations, made on both cores, something is so.
fn how_many(simulations: u64, is_so: impl Fn(u64) -> bool + Sync) -> u64 {
    let (next, count) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= simulations {
                        break;
                    }
                    count.fetch_add(u64::from(is_so(seed)), Ordering::Relaxed);
                }
            });
        }
    });
    count.into_inner()
}

const SETTINGS: [(f64, Noise); 4] =
    [(0.04, Noise::Normal), (0.13, Noise::Normal), (0.04, Noise::Contaminated), (0.13, Noise::Contaminated)];

#[test]
fn identical_builds_alarm_in_at_most_five_percent_of_ten_thousand_gates() {
    let looks = plan_looks(PAIRS, METRICS, ALPHA, true).unwrap();
    assert!(looks.len() > 1, "early stopping is part of what is proved");
    for (spread, noise) in SETTINGS {
        let alarms = how_many(GATES, |seed| {
            let mut machine = Machine::new(seed, spread, noise);
            alarmed(&check(&mut machine, &looks, &[0.0; METRICS], margins(0.02, 0.1)).0)
        });
        println!("sigma {spread}, {noise:?}: {alarms} alarms in {GATES} gates");
        assert!(alarms * 20 <= GATES, "{spread} {noise:?}: {alarms}");
    }
}

#[test]
fn the_rate_holds_without_the_noise_margin_too_and_is_used_up() {
    // At the border of the hypothesis the rate is what the levels say, and not far below: three standard
    // errors of so many coins are allowed above 5 %.
    const FEWER: u64 = GATES / 4;
    let looks = plan_looks(PAIRS, METRICS, ALPHA, true).unwrap();
    for (spread, noise) in [(0.04, Noise::Contaminated), (0.13, Noise::Normal)] {
        let alarms = how_many(FEWER, |seed| {
            let mut machine = Machine::new(seed, spread, noise);
            alarmed(&check(&mut machine, &looks, &[0.0; METRICS], margins(0.0, 0.1)).0)
        });
        println!("no margin, sigma {spread}, {noise:?}: {alarms} alarms in {FEWER} gates");
        assert!((25..=157).contains(&alarms), "{spread} {noise:?}: {alarms}");
    }
}

#[test]
fn a_slowdown_at_the_limit_passes_in_at_most_five_percent() {
    let looks = plan_looks(PAIRS, METRICS, ALPHA, true).unwrap();
    for (spread, noise) in SETTINGS {
        let effects = [0.1_f64.ln_1p(), 0.0, 0.0];
        let passed = how_many(GATES / 4, |seed| {
            let mut machine = Machine::new(seed, spread, noise);
            let (decided, _) = check(&mut machine, &looks, &effects, margins(0.02, 0.1));
            decided.iter().all(|of| of.verdict == Verdict::Pass)
        });
        assert!(passed * 20 <= GATES / 4, "{spread} {noise:?}: {passed}");
    }
}

/// The spread that calibrations find at a level: the mean of many with as many pairs as a check.
fn calibrated(spread: f64, noise: Noise, level: f64) -> f64 {
    const CALIBRATIONS: u64 = 100;
    let of = |seed: u64| {
        let mut machine = Machine::new(1_000_000 + seed, spread, noise);
        let pairs: Vec<_> = (0..PAIRS).map(|_| machine.pair(&[0.0; METRICS])).collect();
        measured(&pairs, margins(0.02, 0.1))[0].differences.spread(level).unwrap()
    };
    (0..CALIBRATIONS).map(of).sum::<f64>() / CALIBRATIONS as f64
}

#[test]
fn power_is_as_predicted_within_ten_points() {
    const CHECKS: u64 = 500;
    // The last look decides most: the others only add a little.
    let last = plan_looks(PAIRS, METRICS, ALPHA, false).unwrap();
    let level = last[0].level / METRICS as f64;
    for (spread, noise) in SETTINGS {
        let spread_found = calibrated(spread, noise, level);
        for wanted in [0.9, 0.5] {
            let effect = power::smallest_detectable(spread_found, PAIRS, level, wanted, 0.02).unwrap();
            let effects = [effect.ln_1p(), 0.0, 0.0];
            let found = how_many(CHECKS, |seed| {
                let mut machine = Machine::new(seed, spread, noise);
                let (decided, _) = check(&mut machine, &last, &effects, margins(0.02, 0.1));
                decided[0].verdict == Verdict::Regressed
            });
            let share = found as f64 / CHECKS as f64;
            println!(
                "sigma {spread}, {noise:?}: +{:.1} % found in {share} of checks, predicted {wanted}",
                100.0 * effect
            );
            assert!((share - wanted).abs() <= 0.1, "{spread} {noise:?}: {share} of {wanted}");
        }
    }
}

#[test]
fn the_printed_detectable_effect_is_found_nine_times_in_ten_with_early_looks_too() {
    const CHECKS: u64 = 1_000;
    let looks = plan_looks(PAIRS, METRICS, ALPHA, true).unwrap();
    let level = looks.last().unwrap().level / METRICS as f64;
    for (spread, noise) in SETTINGS {
        let effect = power::smallest_detectable(
            calibrated(spread, noise, level),
            PAIRS,
            level,
            power::PRINTED_POWER,
            0.02,
        )
        .unwrap();
        let pairs_used = AtomicU64::new(0);
        let found = how_many(CHECKS, |seed| {
            let mut machine = Machine::new(seed, spread, noise);
            let (decided, pairs) =
                check(&mut machine, &looks, &[effect.ln_1p(), 0.0, 0.0], margins(0.02, 0.1));
            pairs_used.fetch_add(pairs as u64, Ordering::Relaxed);
            alarmed(&decided)
        });
        let mean = pairs_used.into_inner() as f64 / CHECKS as f64;
        println!("sigma {spread}, {noise:?}: found {found} of {CHECKS} with {mean:.1} of {PAIRS} pairs");
        // Nine in ten, less two standard errors of a thousand checks.
        assert!(found * 100 >= CHECKS * 88, "{spread} {noise:?}: {found}");
        assert!(mean < PAIRS as f64, "stopping early never happens");
    }
}

// Negative controls: each leaves out one thing that a check does, on identical builds.

#[test]
fn pooling_calls_instead_of_rounds_alarms_far_too_often() {
    // A test over calls takes those of one round as independent (Welch's t over all calls of all rounds).
    let alarms = how_many(1_000, |seed| {
        let mut machine = Machine::new(seed, 0.04, Noise::Normal);
        let mut calls = [Vec::new(), Vec::new()];
        for _ in 0..PAIRS {
            for side in &mut calls {
                let [level, ..] = machine.round(&[0.0; METRICS]);
                side.extend((0..200).map(|_| level + 0.1 * machine.normal.draw()));
            }
        }
        let moments = calls.map(|values| {
            let count = values.len() as f64;
            let mean = values.iter().sum::<f64>() / count;
            (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0) / count)
        });
        let [(base, base_error), (candidate, candidate_error)] = moments;
        (candidate - base) / (base_error + candidate_error).sqrt() > 1.645
    });
    println!("pooled calls: {alarms} alarms in 1000");
    assert!(alarms > 200, "{alarms} of 1000");
}

#[test]
fn all_rounds_of_the_base_before_all_of_the_candidate_alarm_under_drift() {
    let looks = plan_looks(PAIRS, METRICS, ALPHA, true).unwrap();
    let last = looks.last().unwrap();
    let alarms = how_many(1_000, |seed| {
        let mut machine = Machine::new(seed, 0.04, Noise::Normal);
        let [base, candidate] =
            [(); 2].map(|()| (0..PAIRS).map(|_| machine.round(&[0.0; METRICS])).collect::<Vec<_>>());
        let pairs: Vec<[f64; METRICS]> = base
            .iter()
            .zip(&candidate)
            .map(|(base, candidate)| std::array::from_fn(|metric| candidate[metric] - base[metric]))
            .collect();
        alarmed(&decide(&measured(&pairs, margins(0.02, 0.1)), last.level))
    });
    println!("one arm after the other: {alarms} alarms in 1000");
    assert!(alarms > 200, "{alarms} of 1000");
}

#[test]
fn looking_after_every_pair_at_the_full_level_alarms_too_often() {
    let alarms = how_many(1_000, |seed| {
        let mut machine = Machine::new(seed, 0.13, Noise::Normal);
        let looks: Vec<Look> = (6..=60).map(|pairs| Look { pairs, level: ALPHA }).collect();
        let mut pairs = Vec::new();
        looks.iter().any(|look| {
            while pairs.len() < look.pairs {
                pairs.push(machine.pair(&[0.0; METRICS]));
            }
            alarmed(&decide(&measured(&pairs, margins(0.0, 0.1)), look.level))
        })
    });
    println!("a look after every pair: {alarms} alarms in 1000");
    assert!(alarms > 120, "{alarms} of 1000");
}
