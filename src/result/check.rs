//! `check.json`: what a regression check found. It lies beside the `run.json` of its rounds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::capacity::CapacityResult;
use super::load::LoadRecord;
use super::run::{Environment, ScenarioRecord, Versions};

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// Every gate passes.
    Pass,
    /// The candidate is worse.
    Regressed,
    /// Neither can be said.
    Inconclusive,
    /// The measurement does not count.
    Invalid,
}

impl CheckStatus {
    /// The name in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Regressed => "regressed",
            Self::Inconclusive => "inconclusive",
            Self::Invalid => "invalid",
        }
    }
}

/// One of the two sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckSide {
    /// The back end in the scenario.
    pub backend: String,
    /// The name of its cell in `run.json`.
    pub cell: String,
    /// Who wrote the server.
    pub implementation: Option<String>,
    /// The command that replaced the scenario's, as it was typed.
    pub command: Option<String>,
}

/// When the data was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LookRecord {
    /// After so many pairs.
    pub pairs: u64,
    /// The part of α that it may spend.
    pub level: f64,
}

/// What the searches of a check looked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchSettings {
    /// The objective.
    pub slo: Vec<String>,
    /// How near the searches came, as a share: as the scenario says, or finer where the margins need it.
    pub precision: f64,
}

/// How it was decided. Shares are of 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckSettings {
    /// How often the whole gate may call identical builds a regression.
    pub alpha: f64,
    /// What is worse by no more than this is not worse.
    pub noise_margin: f64,
    /// What is worse by this or more must not pass.
    pub limit: f64,
    /// The planned pairs: of rounds, or of searches.
    pub pairs: u64,
    /// The planned looks.
    pub looks: Vec<LookRecord>,
    /// The measured interval of a round in milliseconds; of a search the shortest.
    pub round_ms: u64,
    /// How long it may measure, in seconds; null where the number of pairs was given.
    pub budget_s: Option<f64>,
    /// The seed of the coin that decided the order within each pair.
    pub order_seed: u64,
    /// Whether an inconclusive check fails.
    pub inconclusive_fails: bool,
    /// The searches, where capacities are compared; null elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchSettings>,
}

impl CheckSettings {
    /// What the check's pairs are pairs of.
    #[must_use]
    pub fn pairs_of(&self) -> &'static str {
        if self.search.is_some() { "searches" } else { "rounds" }
    }
}

/// What was found of one metric. Changes are candidate/base − 1, negative where the figure is smaller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricCheck {
    /// The metric as scenarios spell it: `service p50`, `rate`, `cpu`, `capacity`.
    pub name: String,
    /// Of the figures: `ns`, `calls/s`, `µs/call`.
    pub unit: String,
    /// Whether more is better.
    pub more_is_better: bool,
    /// Whether it is gated; the others are shown only, and have no verdict.
    pub gated: bool,
    /// The verdict; null where it is not gated.
    pub verdict: Option<CheckStatus>,
    /// The Hodges–Lehmann estimate of the change; null without pairs.
    pub change: Option<f64>,
    /// Where the change lies, by the exact signed-rank test.
    pub interval: Option<[f64; 2]>,
    /// The confidence of the interval: 1 − twice the level at which the metric was decided.
    pub confidence: f64,
    /// The exact p-value of "no worse than the noise margin"; null where it is not gated.
    pub p_regressed: Option<f64>,
    /// The change from which on it is a regression: the noise margin, or the floor where that is more.
    pub noise_margin: f64,
    /// The change that must be excluded to pass: the limit, or the floor where that is more.
    pub limit: f64,
    /// The median of the base's rounds.
    pub base: Option<f64>,
    /// The median of the candidate's rounds.
    pub candidate: Option<f64>,
    /// σ_d: the spread of the logarithm of the ratio from pair to pair.
    pub spread: Option<f64>,
    /// The smallest change for the worse that is found nine times in ten with so many pairs.
    pub smallest_detectable: Option<f64>,
    /// The pairs that find a change as large as the limit nine times in ten.
    pub pairs_for_limit: Option<u64>,
    /// The figures, pair by pair: `[base, candidate]`.
    pub pairs: Vec<[f64; 2]>,
}

/// Encoded bytes of one method over the same calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BytesCheck {
    /// The method.
    pub method: String,
    /// How many calls.
    pub calls: u64,
    /// `[base, candidate]`: requests together.
    pub request: [u64; 2],
    /// `[base, candidate]`: answers together.
    pub response: [u64; 2],
    /// Whether more bytes fail the check.
    pub gated: bool,
    /// The verdict: regressed where it is gated and the candidate has more; else pass.
    pub verdict: CheckStatus,
}

/// Failed calls of both sides over all rounds that were made; of searches, over the rounds that kept the
/// objective at the rate that was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ErrorsCheck {
    /// `[base, candidate]`: failed calls.
    pub failed: [u64; 2],
    /// `[base, candidate]`: all calls.
    pub calls: [u64; 2],
    /// `[base, candidate]`: rounds with more failed calls than the budget.
    pub rounds_over_budget: [u64; 2],
}

impl ErrorsCheck {
    /// Whether the candidate fails more than it may and the base does not.
    #[must_use]
    pub fn is_regression(&self) -> bool {
        self.rounds_over_budget[1] > 0 && self.rounds_over_budget[0] == 0
    }
}

/// Two rounds, one after the other; or two searches, their rounds in turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PairRecord {
    /// Whether the candidate's round was the first; of searches, of each turn.
    pub candidate_first: bool,
    /// The `order` of the base's round in `run.json`; null where it was not made. Of a search, that of the
    /// round that confirmed its rate; null where none did.
    pub base: Option<u64>,
    /// The `order` of the candidate's round.
    pub candidate: Option<u64>,
    /// The searches of the base and of the candidate with all their rounds, where capacities are compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub searches: Vec<CapacityResult>,
    /// Why the pair does not count; null where it does. Pairs are dropped for what is wrong with a
    /// round, never for its figures.
    pub dropped: Option<String>,
}

/// What rounds of one back end against itself say about a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Calibration {
    /// When: RFC 3339, UTC.
    pub at: String,
    /// The machine.
    pub machine: String,
    /// Which Wirebench.
    pub wirebench: String,
    /// The scenario's name.
    pub scenario: String,
    /// The back end.
    pub backend: String,
    /// How many pairs.
    pub pairs: u64,
    /// What was found of each metric.
    pub metrics: Vec<CalibratedMetric>,
}

/// How much a metric varies between rounds of the same thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CalibratedMetric {
    /// The metric.
    pub name: String,
    /// σ_d: the spread of the logarithm of the ratio from pair to pair.
    pub spread: f64,
    /// The smallest change for the worse that so many pairs find nine times in ten.
    pub smallest_detectable: f64,
    /// The limit that was asked for.
    pub limit: f64,
    /// The pairs that find it nine times in ten; null where the noise margin is not below the limit.
    pub pairs_for_limit: Option<u64>,
}

/// A whole check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckResult {
    /// [`super::SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Which Wirebench.
    pub wirebench: Versions,
    /// When it began: RFC 3339, UTC.
    pub started_at: String,
    /// How long it took, in seconds.
    pub elapsed_s: f64,
    /// The seed of calls, payloads and arrivals.
    pub seed: u64,
    /// What was run.
    pub scenario: ScenarioRecord,
    /// Where.
    pub environment: Environment,
    /// What came of it.
    pub status: CheckStatus,
    /// The same in a sentence.
    pub sentence: String,
    /// Whether the user ended it.
    pub interrupted: bool,
    /// What the candidate is compared with.
    pub base: CheckSide,
    /// What is checked.
    pub candidate: CheckSide,
    /// The load of both.
    pub load: LoadRecord,
    /// How it was decided.
    pub settings: CheckSettings,
    /// The metrics: first those that are gated.
    pub metrics: Vec<MetricCheck>,
    /// Encoded bytes, compared exactly; empty where they could not be.
    pub bytes: Vec<BytesCheck>,
    /// Failed calls.
    pub errors: ErrorsCheck,
    /// Every pair, in the order in which they were made.
    pub pairs: Vec<PairRecord>,
    /// The last calibration on this machine, where there is one.
    pub calibration: Option<Calibration>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

impl CheckResult {
    /// The pairs that count.
    #[must_use]
    pub fn pairs_counted(&self) -> usize {
        self.pairs.iter().filter(|pair| pair.dropped.is_none()).count()
    }
}
