//! Stages of a load: rates or concurrencies one after another, steps and ramps.

use serde::{Deserialize, Serialize};

use super::duration::format_duration_ns;

/// One stage of a load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Its name, where the scenario gives one.
    pub label: Option<String>,
    /// How much load.
    pub level: Level,
    /// How long, in nanoseconds.
    pub length_ns: u64,
}

/// How much load a stage has.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Calls per second of an open loop, changing evenly from the begin to the end of the stage; a
    /// constant rate has the same at both.
    Rate {
        /// At the begin.
        from_per_s: f64,
        /// At the end.
        to_per_s: f64,
    },
    /// Calls in flight of a closed loop.
    Concurrency(u32),
}

impl Level {
    /// The mean rate of an open stage in calls per second.
    #[must_use]
    pub fn mean_per_s(self) -> Option<f64> {
        match self {
            Level::Rate { from_per_s, to_per_s } => Some(f64::midpoint(from_per_s, to_per_s)),
            Level::Concurrency(_) => None,
        }
    }

    /// The calls in flight of a closed stage.
    #[must_use]
    pub fn concurrency(self) -> Option<u32> {
        match self {
            Level::Rate { .. } => None,
            Level::Concurrency(calls) => Some(calls),
        }
    }
}

impl Stage {
    /// Its name, or what it is: `500/s for 5s`, `500 to 2000/s in 10s`, `8 in flight for 5s`.
    #[must_use]
    pub fn name(&self) -> String {
        let time = format_duration_ns(self.length_ns);
        match (&self.label, self.level) {
            (Some(label), _) => label.clone(),
            (None, Level::Concurrency(calls)) => format!("{calls} in flight for {time}"),
            #[allow(clippy::float_cmp)]
            (None, Level::Rate { from_per_s, to_per_s }) if from_per_s == to_per_s => {
                format!("{from_per_s}/s for {time}")
            }
            (None, Level::Rate { from_per_s, to_per_s }) => format!("{from_per_s} to {to_per_s}/s in {time}"),
        }
    }
}

/// How long stages last together, in nanoseconds.
#[must_use]
pub fn total_ns(stages: &[Stage]) -> u64 {
    stages.iter().fold(0, |sum, stage| sum.saturating_add(stage.length_ns))
}

/// The mean rate of open stages in calls per second.
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub fn mean_rate_per_s(stages: &[Stage]) -> Option<f64> {
    let calls: f64 =
        stages.iter().filter_map(|stage| Some(stage.level.mean_per_s()? * stage.length_ns as f64)).sum();
    let open = stages.iter().any(|stage| stage.level.mean_per_s().is_some());
    open.then(|| calls / total_ns(stages).max(1) as f64)
}
