//! Scenarios: what is called, how, on which back ends, and what must come out.
//!
//! A scenario file (TOML; DESIGN.md §8) becomes a validated [`Scenario`] by [`Scenario::parse`] or
//! [`Scenario::find`]; every error has its line, column and what is allowed. The [`Generator`] makes
//! the calls: pure, from the seed and a call's index alone, so that every back end and every split
//! over threads gets the same ones.
//!
//! This module imports `rpc` only. It knows no protocol: which names exist and how many calls a
//! connection takes it asks a [`Catalogue`]. When open-loop calls are due is `load`'s work, judging
//! gates `analysis`'s.

mod backend;
mod capacity;
mod check;
mod duration;
pub mod embedded;
mod error;
mod estimate;
mod find;
mod gate;
mod generate;
mod load;
mod method;
mod names;
mod overrides;
mod read;
mod redact;
mod schema;
mod shape;
mod sizing;
mod skeleton;
mod stage;
mod sweep;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use backend::{Backend, BackendKind, Compression, Hosting, Listen, ProtoFiles, ServerUrl};
pub use capacity::Capacity;
pub use check::{
    BytesGate, CheckGates, CheckMetric, Floors, default_metrics, default_round_ns, ungated_p99_ns,
};
pub use duration::{DurationError, format_duration_ns, parse_duration_ns};
pub use error::{Place, ScenarioError};
pub use estimate::{about, estimated_ns};
pub use gate::{
    Comparison, ErrorBudget, Figure, Gate, GateMetric, Gates, Inconclusive, TimeKind, parse_percentage,
};
pub use generate::{Generator, PlannedCall};
pub use load::{
    Amount, Arrivals, ConnectionMode, Idle, LinkError, Links, Load, LoadModel, Placement, ThinkTime,
};
pub use method::{Expect, MethodSpec, Mix, Returns, Workload};
pub use overrides::{OverrideError, Overrides};
pub use redact::without_secrets;
pub use schema::json_schema;
pub use shape::{Length, Shape};
pub use sizing::Sizing;
pub use skeleton::{INIT, Skeleton, SkeletonMethod};
pub use stage::{Level, Stage};
pub use sweep::{LoadPoint, Sweep};

use crate::rpc::Service;

/// The protocols that exist: what a scenario has to know of them.
pub trait Catalogue {
    /// The names of protocols.
    fn protocols(&self) -> Vec<&str>;

    /// The names of codecs.
    fn codecs(&self) -> Vec<&str>;

    /// The names of transports.
    fn transports(&self) -> Vec<&str>;

    /// The schemes of URLs, each with its protocol's name.
    fn schemes(&self) -> Vec<(&str, &str)>;

    /// The most calls in flight on one connection: 1 for HTTP/1, more for what multiplexes.
    fn max_in_flight(&self, kind: &BackendKind) -> u32;
}

/// A validated scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// The free-text name.
    pub name: String,
    /// The name made safe for files.
    pub file_stem: String,
    /// The name made an identifier.
    pub service_name: String,
    /// What it shows; empty where it says nothing.
    pub description: String,
    /// The seed of everything that is drawn.
    pub seed: u64,
    /// The methods, in the order of the file.
    pub methods: Vec<MethodSpec>,
    /// The call mix.
    pub mix: Mix,
    /// The load.
    pub load: Load,
    /// The sweep.
    pub sweep: Sweep,
    /// The search for a capacity; `None` to measure the load as it stands.
    #[serde(default)]
    pub capacity: Option<Capacity>,
    /// The gates.
    pub gates: Gates,
    /// The back ends, in the order of the file.
    pub backends: Vec<Backend>,
    /// The file's text, for the result.
    pub text: String,
    /// The file, as it was asked for.
    pub file: String,
    /// The file's folder, from which relative commands are resolved; `None` for an embedded one.
    pub folder: Option<PathBuf>,
}

impl Scenario {
    /// Every combination of the sweep, in a stable order; one point without a sweep.
    #[must_use]
    pub fn load_points(&self) -> Vec<LoadPoint> {
        self.sweep.load_points(&self.load)
    }

    /// What a client process needs to make the calls of a load point.
    #[must_use]
    pub fn workload(&self, payload_bytes: Option<u64>) -> Workload {
        Workload {
            service_name: self.service_name.clone(),
            seed: self.seed,
            methods: self.methods.clone(),
            mix: self.mix.clone(),
            payload_bytes,
        }
    }

    /// The service that is called. It is the same at every load point: a payload size replaces
    /// lengths of parameters only, and echoes follow by themselves.
    #[must_use]
    pub fn service(&self) -> Service {
        self.workload(None).service()
    }
}

#[cfg(test)]
mod tests;
