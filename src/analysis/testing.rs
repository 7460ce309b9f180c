//! Cells made by hand from known parts, for tests of what takes them apart again.

use crate::result::{
    CellResult, Environment, Figures, LoadRecord, OURS, Placement, Quantiles, Reason, ReasonKind,
    RoundRecord, RunResult, SCHEMA_VERSION, ScenarioRecord, Status, Verdict, Versions,
};
use crate::rpc::random::Random;

/// What a call costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cost {
    pub(crate) service_ns: f64,
    pub(crate) cpu_us: f64,
    pub(crate) bytes: f64,
}

impl Cost {
    /// A cost whose processor time is nine tenths of the time.
    pub(crate) fn new(service_ns: f64, bytes: f64) -> Self {
        Self { service_ns, cpu_us: service_ns * 0.9e-3, bytes }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            service_ns: self.service_ns + other.service_ns,
            cpu_us: self.cpu_us + other.cpu_us,
            bytes: self.bytes + other.bytes,
        }
    }
}

fn figures(cost: Cost) -> Figures {
    const CALLS: u64 = 10_000;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let p50 = Some(cost.service_ns.round() as u64);
    let mut figures = Figures { calls: Some(CALLS), ..Figures::default() };
    figures.service_ns =
        Quantiles { samples: CALLS, p50, mean: Some(cost.service_ns), ..Quantiles::default() };
    figures.cpu_us_per_call.client = Some(cost.cpu_us * 0.6);
    figures.cpu_us_per_call.server = Some(cost.cpu_us * 0.4);
    figures.bytes_per_call.request.framed = Some(cost.bytes * 0.5);
    figures.bytes_per_call.response.framed = Some(cost.bytes * 0.5);
    figures
}

/// A back end: its name, its protocol, codec and transport, and what a call costs.
pub(crate) type Made<'a> = (&'a str, Option<&'a str>, &'a str, &'a str, Cost);

/// Cells of `rounds` rounds; each round has its own speed, and each figure of it is off by about `noise`.
pub(crate) fn cells(made: &[Made<'_>], rounds: u64, noise: f64, seed: u64) -> Vec<CellResult> {
    let mut random = Random::labelled(seed, "cells made by hand");
    // Twelve uniform draws make about a normal one.
    let mut normal = || (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
    let speeds: Vec<f64> = (0..rounds).map(|_| 1.0 + noise * normal()).collect();
    let load = LoadRecord { concurrency: Some(1), placement: Placement::Shared, ..LoadRecord::default() };
    let cell = |(backend, protocol, codec, transport, cost): &Made<'_>| {
        let mut round = |(order, speed): (u64, &f64)| RoundRecord {
            order,
            figures: figures(Cost {
                service_ns: cost.service_ns * speed * (1.0 + noise * normal()),
                cpu_us: cost.cpu_us * speed * (1.0 + noise * normal()),
                ..*cost
            }),
            ..RoundRecord::default()
        };
        CellResult {
            backend: (*backend).to_owned(),
            point: String::new(),
            protocol: protocol.map(str::to_owned),
            codec: (*codec).to_owned(),
            transport: (*transport).to_owned(),
            hosting: "subprocess".into(),
            implementation: Some(OURS.into()),
            load: load.clone(),
            verdict: Verdict::default(),
            figures: figures(*cost),
            rounds: (0..rounds).zip(&speeds).map(&mut round).collect(),
        }
    };
    made.iter().map(cell).collect()
}

/// A verdict that does not count.
pub(crate) fn invalid() -> Verdict {
    Verdict::of(vec![Reason { kind: ReasonKind::Unstable, detail: "the median moved".into() }])
}

/// A run of these cells.
pub(crate) fn run_of(cells: Vec<CellResult>) -> RunResult {
    RunResult {
        schema_version: SCHEMA_VERSION,
        wirebench: Versions::default(),
        started_at: "2023-11-14T22:13:20.000Z".into(),
        seed: 42,
        scenario: ScenarioRecord { name: "by hand".into(), ..ScenarioRecord::default() },
        environment: Environment::default(),
        verdict: Status::Valid,
        interrupted: false,
        skipped: Vec::new(),
        gates: Vec::new(),
        notes: Vec::new(),
        selftest: None,
        capacity: Vec::new(),
        curves: Vec::new(),
        cells,
    }
}
