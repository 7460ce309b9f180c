//! A cell of a run, its rounds, and the verdicts on them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::figures::{BytesPerCall, Figures, Quantiles, UsagePiece};
use super::load::LoadRecord;
use super::wire::{FirstCalls, WireCounts};
use crate::rpc::ErrorClass;

/// The implementation of our own servers.
pub const OURS: &str = "wirebench (Rust)";

/// Whether a measurement counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It counts.
    #[default]
    Valid,
    /// It does not, for the reasons given.
    Invalid,
}

/// Why a measurement does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonKind {
    /// The load generator was too slow.
    ClientLimited,
    /// The server was asked for more than it can do.
    Overloaded,
    /// The two halves of the round disagree.
    Unstable,
    /// An answer was not the expected one.
    WrongAnswers,
    /// More calls failed than the budget allows.
    Errors,
    /// A process died or never got ready.
    Failed,
    /// The client process was stopped.
    ClientStopped,
    /// A round is missing: the run was interrupted.
    Interrupted,
    /// Too few of the cell's rounds are valid.
    TooFewRounds,
}

impl ReasonKind {
    /// The name in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ReasonKind::ClientLimited => "client-limited",
            ReasonKind::Overloaded => "overloaded",
            ReasonKind::Unstable => "unstable",
            ReasonKind::WrongAnswers => "wrong-answers",
            ReasonKind::Errors => "errors",
            ReasonKind::Failed => "failed",
            ReasonKind::ClientStopped => "client-stopped",
            ReasonKind::Interrupted => "interrupted",
            ReasonKind::TooFewRounds => "too-few-rounds",
        }
    }
}

/// One reason for a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// Its kind.
    pub kind: ReasonKind,
    /// What was seen, and what to change.
    pub detail: String,
}

/// Whether a cell or round counts, and why not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Whether it counts.
    pub status: Status,
    /// Why not; empty where it does.
    #[serde(default)]
    pub reasons: Vec<Reason>,
}

impl Verdict {
    /// The verdict that follows from the reasons: valid where there is none.
    #[must_use]
    pub fn of(reasons: Vec<Reason>) -> Self {
        let status = if reasons.is_empty() { Status::Valid } else { Status::Invalid };
        Self { status, reasons }
    }

    /// Whether it counts.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.status == Status::Valid
    }

    /// Whether one of the reasons is of a kind.
    #[must_use]
    pub fn has(&self, kind: ReasonKind) -> bool {
        self.reasons.iter().any(|reason| reason.kind == kind)
    }
}

/// An error as it occurred, with how often errors of its class and code did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorExample {
    /// How it is counted.
    pub class: ErrorClass,
    /// The protocol's own code, where it has one.
    pub code: Option<i64>,
    /// The text of the first one.
    pub message: String,
    /// How often.
    pub count: u64,
}

/// What was measured of one method.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct MethodResult {
    /// Calls that were answered.
    pub calls: u64,
    /// Failed calls by class.
    #[serde(default)]
    pub errors: BTreeMap<ErrorClass, u64>,
    /// done − due.
    pub response_ns: Quantiles,
    /// done − start.
    pub service_ns: Quantiles,
    /// Message sizes. Payload and encoded are of the timed calls, framed and wire of the wire pass.
    pub bytes_per_call: BytesPerCall,
    /// The codec's bytes of the method's first seeded calls; null without a wire pass.
    #[serde(default)]
    pub encoded_bytes_first_calls: Option<FirstCalls>,
    /// What crossed the relay of the wire pass; null without one.
    #[serde(default)]
    pub wire_pass: Option<WireCounts>,
    /// Of a stream: its first item was decoded − start. Its service time is the time to its end. Null
    /// where the method does not stream.
    #[serde(default)]
    pub first_item_ns: Option<Quantiles>,
    /// Items of the answered streams together.
    #[serde(default)]
    pub items: Option<u64>,
    /// How fast one stream delivers: its items per second of its service time, over all streams.
    #[serde(default)]
    pub items_per_s: Option<f64>,
}

/// One round of a cell.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct RoundRecord {
    /// Its position in the order in which the run's rounds were made.
    pub order: u64,
    /// When its measured interval began: RFC 3339, UTC; null where it never did.
    pub started_at: Option<String>,
    /// How long the warm-up before it took; null where that is not known.
    #[serde(default)]
    pub warmup_ns: Option<u64>,
    /// What client and server used, piece by piece; empty where it was not looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usage: Vec<UsagePiece>,
    /// The file with its histograms, beside `run.json`.
    pub histograms: Option<String>,
    /// Whether it counts.
    pub verdict: Verdict,
    /// What was measured.
    #[serde(flatten)]
    pub figures: Figures,
}

/// One scenario, back end and load point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CellResult {
    /// The back end's name in the scenario.
    pub backend: String,
    /// The load point's short name, such as `c64` or `r500`.
    #[serde(default)]
    pub point: String,
    /// The named protocol; null for a free pair.
    pub protocol: Option<String>,
    /// The codec.
    pub codec: String,
    /// The transport.
    pub transport: String,
    /// How the server is hosted: `in-process`, `subprocess` or `external`.
    pub hosting: String,
    /// Who wrote the server: `wirebench (Rust)`, `CPython SimpleXMLRPCServer 3.11`.
    pub implementation: Option<String>,
    /// The load.
    pub load: LoadRecord,
    /// Whether it counts.
    pub verdict: Verdict,
    /// From the merged histograms of the valid rounds, or of every round where none is valid.
    #[serde(flatten)]
    pub figures: Figures,
    /// Every round.
    pub rounds: Vec<RoundRecord>,
}

impl CellResult {
    /// The name for people: the back end, and the load point where the run has several.
    #[must_use]
    pub fn label(&self) -> String {
        if self.point.is_empty() { self.backend.clone() } else { format!("{} {}", self.backend, self.point) }
    }
}
