//! `run.json`: a whole run.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::capacity::CapacityResult;
use super::cell::{CellResult, Status};
use super::curve::Curve;
use crate::rpc::rfc3339;

/// The version of the result contract.
pub const SCHEMA_VERSION: u32 = 1;

/// RFC 3339 in UTC with milliseconds: `2023-11-14T22:13:20.123Z`. Times outside the years 0000 to
/// 9999 become the epoch.
#[must_use]
pub fn rfc3339_ms(unix_ms: i64) -> String {
    let whole = rfc3339(unix_ms.div_euclid(1_000));
    let (seconds, milliseconds) = match whole {
        Some(text) => (text, unix_ms.rem_euclid(1_000)),
        None => ("1970-01-01T00:00:00Z".to_owned(), 0),
    };
    format!("{}.{milliseconds:03}Z", seconds.trim_end_matches('Z'))
}

/// Which Wirebench made the result.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Versions {
    /// The package's version.
    pub version: String,
    /// The commit it was built from, where known.
    pub git: Option<String>,
}

/// The scenario that was run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioRecord {
    /// Its name.
    pub name: String,
    /// Where it was read from; null for an embedded one.
    pub file: Option<String>,
    /// Its whole text, but for the values of `metadata`, which may be secret: they are replaced by their
    /// lengths.
    pub text: String,
    /// What the command line changed in it, as it was typed, each quoted for a shell.
    #[serde(default)]
    pub overrides: Vec<String>,
    /// The command that makes such a run again, quoted for a shell; null in runs of older versions.
    #[serde(default)]
    pub again: Option<String>,
    /// Methods whose answers are not compared as a whole: `type` where only their type is checked, `any`
    /// where nothing is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expect: BTreeMap<String, String>,
}

/// A word for a shell.
#[must_use]
pub fn shell_word(word: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "._-/+=:,@%".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// The machine and the software on it. What could not be found out is null.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Environment {
    /// The processor's model.
    pub cpu: Option<String>,
    /// Cores that are online.
    pub cores: Option<u64>,
    /// The cores that this process may run on.
    pub allowed_cpus: Vec<usize>,
    /// Whether cores run two threads at once.
    pub smt: Option<bool>,
    /// Cores' worth of time that the container may use; null without a quota.
    pub container_cpu_quota: Option<f64>,
    /// The operating system's name.
    pub os: Option<String>,
    /// The kernel's release.
    pub kernel: Option<String>,
    /// The kernel's clock source.
    pub clocksource: Option<String>,
    /// The frequency governor.
    pub governor: Option<String>,
    /// What an idle core does.
    pub cpuidle_governor: Option<String>,
    /// The hypervisor, where there is one.
    pub virtualization: Option<String>,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// The build profile of this program.
    pub build_profile: Option<String>,
    /// The compiler.
    pub rustc: Option<String>,
    /// Versions of peers and libraries, by name.
    pub versions: BTreeMap<String, String>,
    /// What will have disturbed the measurement, in sentences.
    pub warnings: Vec<String>,
}

/// A back end that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Skipped {
    /// Its name in the scenario.
    pub backend: String,
    /// Why.
    pub why: String,
    /// What to do to have it.
    pub how_to_get_it: Option<String>,
}

/// A gate of the scenario and how one cell met it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateOutcome {
    /// The gate as the scenario spells it.
    pub text: String,
    /// The back end.
    pub backend: String,
    /// The load point's short name.
    #[serde(default)]
    pub point: String,
    /// Whether it is met; null where the figure it asks for was not measured.
    pub met: Option<bool>,
    /// What was measured, in the gate's unit, for people.
    pub measured: Option<String>,
}

/// The outcome of the last `wirebench selftest` on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SelftestRecord {
    /// When it ran.
    pub at: String,
    /// Whether every case was within its tolerance.
    pub passed: bool,
    /// One line per case.
    pub lines: Vec<String>,
}

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunResult {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Which Wirebench.
    pub wirebench: Versions,
    /// When it began: RFC 3339, UTC.
    pub started_at: String,
    /// The seed of calls, payloads, arrivals and the order of rounds.
    pub seed: u64,
    /// What was run.
    pub scenario: ScenarioRecord,
    /// Where.
    pub environment: Environment,
    /// Whether every cell counts.
    pub verdict: Status,
    /// Whether the run ended before all its rounds were made.
    #[serde(default)]
    pub interrupted: bool,
    /// Back ends that were left out.
    #[serde(default)]
    pub skipped: Vec<Skipped>,
    /// How the scenario's gates were met.
    #[serde(default)]
    pub gates: Vec<GateOutcome>,
    /// What is worth knowing beside the cells.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The selftest on this machine, where one was made.
    #[serde(default)]
    pub selftest: Option<SelftestRecord>,
    /// The highest rates that were searched for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capacity: Vec<CapacityResult>,
    /// Curves over what the scenario sweeps, such as latency against load.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curves: Vec<Curve>,
    /// Every cell.
    pub cells: Vec<CellResult>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_stand_behind_the_seconds_before_and_after_the_epoch() {
        assert_eq!(rfc3339_ms(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
        assert_eq!(rfc3339_ms(-1), "1969-12-31T23:59:59.999Z");
    }
}
