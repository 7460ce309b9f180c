//! The two sides of a check: a plan of two cells, the base and the candidate.

use super::CheckOptions;
use super::error::CheckError;
use super::words::words;
use crate::analysis::compare::search_precision;
use crate::result::{CheckSide, RunResult};
use crate::run::{Choices, Plan};
use crate::scenario::{
    Amount, Backend, Capacity, CheckMetric, Hosting, Listen, Placement, Scenario, Sweep, default_metrics,
    default_round_ns,
};

/// What the sides are called in messages.
pub(super) const NAMES: [&str; 2] = ["base", "candidate"];
/// A warm-up before every round that is longer costs more than it gives.
const LONGEST_WARMUP_NS: u64 = 200_000_000;

/// The sides of a check.
pub(super) struct Sides {
    /// Two cells: the base, the candidate.
    pub(super) plan: Plan,
    /// What is gated.
    pub(super) metrics: Vec<CheckMetric>,
    /// What is searched, where capacities are compared.
    pub(super) capacity: Option<Capacity>,
    /// Whether the scenario names the metrics: then none may be missing.
    pub(super) metrics_are_given: bool,
    backends: [String; 2],
    commands: [Option<String>; 2],
}

impl Sides {
    /// What a result says of a side.
    pub(super) fn side(&self, run: &RunResult, side: usize) -> CheckSide {
        CheckSide {
            backend: self.backends[side].clone(),
            cell: self.plan.cells[side].backend.name.clone(),
            implementation: run.cells.get(side).and_then(|cell| cell.implementation.clone()),
            command: self.commands[side].clone(),
        }
    }
}

/// Plans the two cells.
///
/// # Errors
/// Whatever cannot be: see [`CheckError`].
pub(super) fn plan_sides(mut scenario: Scenario, options: &CheckOptions) -> Result<Sides, CheckError> {
    let candidate = if options.calibrate { &options.base } else { &options.candidate };
    let backends = [options.base.clone(), candidate.clone()];
    let commands = [
        options.base_command.clone(),
        if options.calibrate { options.base_command.clone() } else { options.candidate_command.clone() },
    ];
    let mut both = Vec::new();
    for side in [0, 1] {
        let flag = ["--base", "--candidate"][side];
        let mut backend = find(&scenario, flag, &backends[side])?;
        // Both are needed: what is missing is an error.
        backend.optional = false;
        if let Some(command) = &commands[side] {
            let flag = ["--base-command", "--candidate-command"][side];
            let refuse = |reason| CheckError::Command { flag, reason };
            let argv = words(command).map_err(refuse)?;
            if backend.listen != Listen::Tcp {
                // The other side may still listen there: a socket of another kind would be compared.
                let name = &backends[side];
                return Err(refuse(format!(
                    "a command is told a host and a port, and the back end {name} listens on a UNIX socket; \
                     remove `listen` from [backends.{name}]"
                )));
            }
            backend.command = Some(argv);
            backend.hosting = Hosting::Subprocess;
        }
        if backends[0] == backends[1] {
            backend.name = format!("{} ({})", backend.name, NAMES[side]);
        }
        both.push(backend);
    }
    scenario.backends = both;
    choose_point(&mut scenario, options.point.as_deref())?;
    scenario.gates.slo.clear();
    // The more pairs, the better the spread is known.
    scenario.gates.check.early_stop &= !options.calibrate;
    let metrics_are_given = !scenario.gates.check.metrics.is_empty();
    let metrics = if metrics_are_given {
        scenario.gates.check.metrics.clone()
    } else {
        default_metrics(&scenario.load)
    };
    let capacity = searched(&scenario, &metrics)?;
    if capacity.is_none() {
        // A server at its limit would take the core of the client that loads it: a search is run as
        // `run` does it.
        scenario.load.placement = scenario.load.placement.or(Some(Placement::Shared));
    }
    let round_ns = scenario.gates.check.round_ns.unwrap_or_else(|| match &capacity {
        Some(capacity) => capacity.check_round_ns(),
        None => default_round_ns(&scenario.load, &metrics),
    });
    scenario.load.length = Amount::DurationNs(round_ns);
    if let Amount::DurationNs(ns) = scenario.load.warmup {
        scenario.load.warmup = Amount::DurationNs(ns.min(LONGEST_WARMUP_NS));
    }
    scenario.load.rounds = 1;
    // Stamps inside the processes cost a little, and nothing is decided by them.
    scenario.load.stage_samples = 0;
    let plan = Plan::new(scenario, &Choices::default())?;
    Ok(Sides { plan, metrics, capacity, metrics_are_given, backends, commands })
}

/// What is searched, as finely as the margins need it; `None` where no capacity is gated.
fn searched(scenario: &Scenario, metrics: &[CheckMetric]) -> Result<Option<Capacity>, CheckError> {
    if !metrics.contains(&CheckMetric::Capacity) {
        return Ok(None);
    }
    let failed = |reason: String| CheckError::Metric { metric: CheckMetric::Capacity.to_string(), reason };
    // A scenario file is refused at the place; one that a program puts together comes here.
    let Some(capacity) = &scenario.capacity else {
        return Err(failed("the scenario searches none: add [capacity] with slo = \"p99 <= 5ms\"".into()));
    };
    if metrics.len() > 1 {
        return Err(failed("it is gated alone, because its rounds are those of searches".into()));
    }
    let gates = &scenario.gates.check;
    let precision = search_precision(capacity.precision, gates.noise_margin, gates.limit)
        .map_err(|error| failed(error.to_string()))?;
    Ok(Some(Capacity { precision, ..capacity.clone() }))
}

fn find(scenario: &Scenario, flag: &'static str, name: &str) -> Result<Backend, CheckError> {
    scenario.backends.iter().find(|backend| backend.name == name).cloned().ok_or_else(|| {
        let names = scenario.backends.iter().map(|backend| &*backend.name);
        CheckError::Backend { flag, name: name.to_owned(), allowed: names.collect::<Vec<_>>().join(", ") }
    })
}

/// Makes one load point of a sweep the load.
fn choose_point(scenario: &mut Scenario, wanted: Option<&str>) -> Result<(), CheckError> {
    if !scenario.load.stages.is_empty() {
        return Err(CheckError::Stages);
    }
    let points = scenario.load_points();
    let chosen = match (wanted, &points[..]) {
        (None, [only]) => only,
        (Some(wanted), _) if points.iter().any(|point| point.label == wanted) => {
            points.iter().find(|point| point.label == wanted).unwrap_or(&points[0])
        }
        _ => {
            let labels: Vec<&str> = points.iter().map(|point| &*point.label).collect();
            return Err(CheckError::Points { points: labels.join(", ") });
        }
    };
    scenario.load = chosen.load.clone();
    let payload = chosen.payload_bytes;
    scenario.sweep = Sweep { payload: payload.into_iter().collect(), ..Sweep::default() };
    Ok(())
}
