//! Sweeps: lists of values that replace a key of `[load]`; each combination is a load point.

use serde::{Deserialize, Serialize};

use super::{ConnectionMode, Idle, Load, LoadModel, Placement, ThinkTime, format_duration_ns};

/// The lists of `[sweep]`; an empty list sweeps nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// Calls in flight of a closed load.
    pub concurrency: Vec<u32>,
    /// Rates of an open load, in calls per second.
    pub rate_per_s: Vec<f64>,
    /// Connections.
    pub connections: Vec<u32>,
    /// Calls in flight per connection.
    pub in_flight: Vec<u32>,
    /// Connection modes.
    pub connection_mode: Vec<ConnectionMode>,
    /// Placements.
    pub placement: Vec<Placement>,
    /// What idle threads do.
    pub idle: Vec<Idle>,
    /// Think times of a closed load, in nanoseconds.
    pub think_time_ns: Vec<u64>,
    /// Sizes of text and bytes in parameters, or of lists where there is neither, in bytes: see `Sizing`.
    pub payload: Vec<u64>,
}

/// One combination of a sweep: a load without lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadPoint {
    /// What distinguishes the point, as `concurrency=8 placement=shared`; empty without a sweep.
    pub label: String,
    /// The load.
    pub load: Load,
    /// The payload size, where the sweep has one.
    pub payload_bytes: Option<u64>,
}

impl Sweep {
    /// How many load points there are; at least 1.
    #[must_use]
    pub fn points(&self) -> usize {
        let lists = [
            self.concurrency.len(),
            self.rate_per_s.len(),
            self.connections.len(),
            self.in_flight.len(),
            self.connection_mode.len(),
            self.placement.len(),
            self.idle.len(),
            self.think_time_ns.len(),
            self.payload.len(),
        ];
        lists.into_iter().fold(1, |product, values| product.saturating_mul(values.max(1)))
    }

    /// Every combination, the last list varying fastest.
    #[must_use]
    pub fn load_points(&self, load: &Load) -> Vec<LoadPoint> {
        let mut points = vec![LoadPoint { label: String::new(), load: load.clone(), payload_bytes: None }];
        expand(&mut points, "concurrency", &self.concurrency, |point, concurrency| {
            if let LoadModel::Closed { concurrency: set } = &mut point.load.model {
                *set = *concurrency;
            }
        });
        expand(&mut points, "rate_per_s", &self.rate_per_s, |point, rate| {
            if let LoadModel::Open { rate_per_s: set, .. } = &mut point.load.model {
                *set = *rate;
            }
        });
        expand(&mut points, "connections", &self.connections, |point, connections| {
            point.load.connections = Some(*connections);
        });
        expand(&mut points, "in_flight", &self.in_flight, |point, in_flight| {
            point.load.in_flight = Some(*in_flight);
        });
        expand(&mut points, "connection_mode", &self.connection_mode, |point, mode| {
            point.load.connection_mode = *mode;
        });
        expand(&mut points, "placement", &self.placement, |point, placement| {
            point.load.placement = Some(*placement);
        });
        expand(&mut points, "idle", &self.idle, |point, idle| point.load.idle = *idle);
        let thinking: Vec<Duration> = self.think_time_ns.iter().map(|ns| Duration(*ns)).collect();
        expand(&mut points, "think_time", &thinking, |point, Duration(ns)| {
            point.load.think_time = Some(ThinkTime::FixedNs(*ns));
        });
        expand(&mut points, "payload", &self.payload, |point, bytes| point.payload_bytes = Some(*bytes));
        points
    }
}

/// A time as scenarios write it.
struct Duration(u64);

impl std::fmt::Display for Duration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == 0 { f.write_str("0s") } else { f.write_str(&format_duration_ns(self.0)) }
    }
}

fn expand<T: std::fmt::Display>(
    points: &mut Vec<LoadPoint>,
    key: &str,
    values: &[T],
    set: impl Fn(&mut LoadPoint, &T),
) {
    if values.is_empty() {
        return;
    }
    let mut expanded = Vec::with_capacity(points.len().saturating_mul(values.len()));
    for point in points.iter() {
        for value in values {
            let mut point = point.clone();
            let gap = if point.label.is_empty() { "" } else { " " };
            point.label.push_str(&format!("{gap}{key}={value}"));
            set(&mut point, value);
            expanded.push(point);
        }
    }
    *points = expanded;
}
