//! Curves over a swept setting: latency against load, for each back end.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is swept along a curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Calls per second of an open loop.
    RatePerS,
    /// Calls in flight of a closed loop.
    Concurrency,
    /// Connections.
    Connections,
    /// Calls in flight on each connection.
    InFlight,
    /// Payload size in bytes.
    Payload,
    /// Think time of a closed loop in nanoseconds.
    ThinkTime,
}

impl Axis {
    /// Every axis.
    pub const ALL: [Axis; 6] = [
        Axis::RatePerS,
        Axis::Concurrency,
        Axis::Connections,
        Axis::InFlight,
        Axis::Payload,
        Axis::ThinkTime,
    ];

    /// The name of the swept key in scenarios, in the names of load points and in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Axis::RatePerS => "rate_per_s",
            Axis::Concurrency => "concurrency",
            Axis::Connections => "connections",
            Axis::InFlight => "in_flight",
            Axis::Payload => "payload",
            Axis::ThinkTime => "think_time",
        }
    }

    /// Whether more of it is more load.
    #[must_use]
    pub fn is_load(self) -> bool {
        matches!(self, Axis::RatePerS | Axis::Concurrency)
    }
}

/// One cell on a curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CurvePoint {
    /// The value of the swept setting: calls per second, calls, connections, bytes or nanoseconds.
    pub x: f64,
    /// The cell's position among the run's cells.
    pub cell: u64,
    /// Answered calls per second.
    pub achieved_per_s: Option<f64>,
    /// The median in nanoseconds: of the response time in an open loop, of the service time in a
    /// closed one.
    pub p50_ns: Option<u64>,
    /// The 90th percentile.
    pub p90_ns: Option<u64>,
    /// The 99th percentile.
    pub p99_ns: Option<u64>,
    /// Whether the cell counts.
    pub valid: bool,
}

/// A back end over a swept setting, everything else being equal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Curve {
    /// The back end.
    pub backend: String,
    /// What is swept.
    pub axis: Axis,
    /// What the other swept settings are, as `placement=shared`; empty where there are none.
    #[serde(default)]
    pub point: String,
    /// The cells, by x.
    pub points: Vec<CurvePoint>,
    /// The position of the knee among the points: the valid point with the most achieved calls per
    /// second for each unit of mean time (Kleinrock's power). Null where the axis is no load, where
    /// fewer than three points are valid, or where the last valid point has the most: the knee, if
    /// there is one, is then beyond what was swept.
    #[serde(default)]
    pub knee: Option<u64>,
}
