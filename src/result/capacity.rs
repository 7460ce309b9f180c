//! The capacity of a back end: the highest rate at which it keeps an objective.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cell::CellResult;

/// How much is known of a capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// The objective is kept at the rate, and not at one that is higher by the precision.
    Exact,
    /// It is kept at the rate; the search, or the load generator, ended there.
    AtLeast,
    /// It is kept at no rate that was tried.
    None,
}

/// One round of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CapacityProbe {
    /// Offered calls per second.
    pub rate_per_s: f64,
    /// Answered calls per second.
    pub achieved_per_s: Option<f64>,
    /// The 99th percentile of the response time in nanoseconds.
    pub p99_ns: Option<u64>,
    /// Whether the objective was kept.
    pub ok: bool,
    /// Why it was not, or why the round says nothing; empty where it was.
    #[serde(default)]
    pub why: String,
    /// Its position in the order in which the run's rounds were made.
    pub order: u64,
    /// The file with its histograms, beside `run.json`.
    #[serde(default)]
    pub histograms: Option<String>,
}

/// The outcome of the search for one back end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CapacityResult {
    /// The back end.
    pub backend: String,
    /// The load point's short name, without the rate; empty where there is one only.
    #[serde(default)]
    pub point: String,
    /// The objective.
    pub slo: Vec<String>,
    /// How near the rate is to the lowest one that does not keep the objective, as a share.
    pub precision: f64,
    /// The highest rate at which the objective was kept, twice; null where there is none.
    pub rate_per_s: Option<f64>,
    /// How much that says.
    pub bound: Bound,
    /// The same in words.
    pub why: String,
    /// Every round, in the order in which they were made.
    pub probes: Vec<CapacityProbe>,
}

impl CapacityResult {
    /// Whether it was searched for this cell's back end, at its load point.
    #[must_use]
    pub fn is_of(&self, cell: &CellResult) -> bool {
        self.backend == cell.backend && self.point == cell.point
    }
}
