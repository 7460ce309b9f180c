//! Stages of a load: what was asked for in each, and what came.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cell::Verdict;
use super::figures::Quantiles;
use crate::rpc::ErrorClass;

/// One stage of a load.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LoadStage {
    /// Its name.
    pub label: String,
    /// When it begins, in seconds after the begin of the measured interval.
    pub begins_s: f64,
    /// How long it lasts, in seconds.
    pub lasts_s: f64,
    /// Due calls per second at its begin; null in a closed loop.
    pub from_per_s: Option<f64>,
    /// Due calls per second at its end: the same, unless it is a ramp.
    pub to_per_s: Option<f64>,
    /// Calls in flight; null in an open loop.
    pub concurrency: Option<u64>,
}

impl LoadStage {
    /// Whether the rate changes within the stage.
    #[must_use]
    pub fn is_ramp(&self) -> bool {
        self.from_per_s != self.to_per_s
    }
}

/// What was measured in one stage: of the calls that were due in it, whenever they were answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageResult {
    /// What was asked for.
    #[serde(flatten)]
    pub stage: LoadStage,
    /// Whether the stage counts.
    pub verdict: Verdict,
    /// Calls that were answered.
    pub calls: Option<u64>,
    /// Failed calls by class.
    #[serde(default)]
    pub errors: BTreeMap<ErrorClass, u64>,
    /// Calls that were due per second; null in a closed loop.
    pub offered_rate_per_s: Option<f64>,
    /// Answered calls per second, until the last one was answered.
    pub rate_per_s: Option<f64>,
    /// done − due.
    pub response_ns: Quantiles,
    /// done − start.
    pub service_ns: Quantiles,
    /// start − ready.
    pub wait_ns: Quantiles,
    /// ready − due.
    pub lag_ns: Quantiles,
}
