//! The plan of a run: its cells, and the order of its rounds. Pure: starts nothing.

use std::sync::Arc;

use super::catalogue::{compile_proto, protocol_of};
use crate::host::placement::{self, Assignment, PlacementError};
use crate::protocol::{Protocol, ProtocolError};
use crate::rpc::Service;
use crate::rpc::random::Random;
use crate::scenario::{
    Backend, ErrorBudget, Generator, Hosting, LinkError, Links, LoadPoint, Placement, Scenario, Workload,
};
use crate::transport;

/// Messages per write where the scenario does not say: with both sides on cores of their own,
/// writing everything at once makes them alternate.
const SPLIT_WRITE_BATCH: u32 = 16;
/// On one core every write is a chance for the other side to take over: everything at once.
pub(super) const SHARED_WRITE_BATCH: u32 = 1 << 16;

/// The most rounds of a run: with the shortest of them it takes a night.
const MOST_ROUNDS: u64 = 100_000;

/// Everything that a run will do.
#[derive(Debug)]
pub struct Plan {
    /// The scenario.
    pub scenario: Scenario,
    /// The service that the servers offer.
    pub service: Arc<Service>,
    /// The cells, back end by back end.
    pub cells: Vec<Cell>,
    /// Back ends that are left out, with the reason.
    pub left_out: Vec<(String, String)>,
    /// Cell by cell and round by round, in the order in which they are run.
    pub order: Vec<(usize, u32)>,
}

/// One back end at one load point.
#[derive(Debug, Clone)]
pub struct Cell {
    /// The back end.
    pub backend: Backend,
    /// What it speaks.
    pub protocol: Protocol,
    /// The load.
    pub point: LoadPoint,
    /// The connections that follow from it.
    pub links: Links,
    /// How many calls of a round may fail.
    pub errors: ErrorBudget,
    /// Where both sides run.
    pub placement: Placement,
    /// The cores.
    pub cpus: Assignment,
    /// Messages per write.
    pub write_batch: u32,
    /// Threads of the server, where it is ours.
    pub server_threads: u32,
    /// The calls.
    pub workload: Workload,
}

/// A scenario that cannot be run as it stands.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A back end's protocol cannot be used for it.
    #[error("back end {backend}: {source}{}", skip_hint(source))]
    Protocol {
        /// The back end.
        backend: String,
        /// Why.
        source: ProtocolError,
    },
    /// Connection settings that do not fit.
    #[error("back end {backend}: [load] {}: {source}", source.key)]
    Links {
        /// The back end.
        backend: String,
        /// Why.
        source: LinkError,
    },
    /// No room on this machine.
    #[error("back end {backend}: {source}")]
    Placement {
        /// The back end.
        backend: String,
        /// Why.
        source: PlacementError,
    },
    /// A setting that makes no sense for a back end.
    #[error("back end {backend}: {reason}")]
    Backend {
        /// The back end.
        backend: String,
        /// Why, and what is allowed.
        reason: String,
    },
    /// `--only` names a back end that does not exist.
    #[error("--only {name}: there is no such back end; allowed: {allowed}")]
    Only {
        /// The name.
        name: String,
        /// The back ends of the scenario.
        allowed: String,
    },
    /// More rounds than a run may have.
    #[error(
        "{cells} cells with their rounds are {rounds} rounds, and a run has at most {MOST_ROUNDS}: fewer \
         --rounds (or [load] rounds), or --only some back ends"
    )]
    Rounds {
        /// The cells.
        cells: usize,
        /// Their rounds together.
        rounds: u64,
    },
    /// Nothing is left to run.
    #[error("nothing to run: every back end is left out")]
    Nothing,
}

fn skip_hint(error: &ProtocolError) -> &'static str {
    match error {
        ProtocolError::Unknown { .. } => "",
        _ => " (change the scenario, or leave the back end out with --skip-unsupported)",
    }
}

/// What the command line asks of a plan.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// Only these back ends; empty for all.
    pub only: Vec<String>,
    /// Leave out back ends whose protocol cannot carry the scenario, instead of refusing it.
    pub skip_unsupported: bool,
}

impl Plan {
    /// Plans a scenario.
    ///
    /// # Errors
    /// See [`PlanError`].
    pub fn new(scenario: Scenario, choices: &Choices) -> Result<Self, PlanError> {
        let names = || scenario.backends.iter().map(|backend| &*backend.name).collect::<Vec<_>>().join(", ");
        if let Some(name) =
            choices.only.iter().find(|name| scenario.backends.iter().all(|backend| backend.name != **name))
        {
            return Err(PlanError::Only { name: name.clone(), allowed: names() });
        }
        let service = Arc::new(scenario.service());
        let mut cells = Vec::new();
        let mut left_out = Vec::new();
        let points = scenario.load_points();
        let generators = generators(&scenario, &points);
        for backend in &scenario.backends {
            if !choices.only.is_empty() && !choices.only.contains(&backend.name) {
                continue;
            }
            let name = backend.name.clone();
            let failed = |source| PlanError::Protocol { backend: name.clone(), source };
            let mut backend = backend.clone();
            compile_proto(&mut backend).map_err(failed)?;
            let backend = &backend;
            let protocol = protocol_of(backend).map_err(failed)?;
            check_backend(backend, &protocol)?;
            match check_carries(&protocol, &service, &generators) {
                Ok(()) => {}
                Err(source) if choices.skip_unsupported => {
                    left_out.push((backend.name.clone(), source.to_string()));
                    continue;
                }
                Err(source) => return Err(failed(source)),
            }
            for point in &points {
                cells.push(cell(&scenario, backend, &protocol, point)?);
            }
        }
        if cells.is_empty() {
            return Err(PlanError::Nothing);
        }
        let rounds = cells.iter().map(|cell| u64::from(cell.point.load.rounds)).sum();
        if rounds > MOST_ROUNDS {
            return Err(PlanError::Rounds { cells: cells.len(), rounds });
        }
        let order = interleave(&cells, scenario.seed);
        Ok(Self { scenario, service, cells, left_out, order })
    }
}

fn check_backend(backend: &Backend, protocol: &Protocol) -> Result<(), PlanError> {
    let refuse =
        |reason: &str| PlanError::Backend { backend: backend.name.clone(), reason: reason.to_owned() };
    let is_null = protocol.transport.name() == transport::NULL;
    match &backend.hosting {
        Hosting::Subprocess if is_null && backend.command.is_some() => {
            Err(refuse("the null transport has no server; take away the command"))
        }
        Hosting::External(_) if is_null => Err(refuse("the null transport has no server; take away the url")),
        Hosting::InProcess if backend.command.is_some() => {
            Err(refuse("a command runs as a subprocess; take away hosting = \"in-process\" or the command"))
        }
        _ => Ok(()),
    }
}

/// The calls at each payload size; drawn once, because drawing large ones takes longer than checking them.
fn generators(scenario: &Scenario, points: &[LoadPoint]) -> Vec<Generator> {
    let mut sizes: Vec<Option<u64>> = Vec::new();
    for point in points {
        if !sizes.contains(&point.payload_bytes) {
            sizes.push(point.payload_bytes);
        }
    }
    sizes.into_iter().map(|bytes| Generator::new(&scenario.workload(bytes))).collect()
}

/// Checks names, types, constant answers and every argument list that will be sent.
fn check_carries(
    protocol: &Protocol,
    service: &Service,
    generators: &[Generator],
) -> Result<(), ProtocolError> {
    protocol.check(service)?;
    for generator in generators {
        for method in 0..service.methods.len() {
            for variant in 0..generator.variants(method) {
                protocol.check_arguments(service, method, generator.arguments(method, variant))?;
            }
        }
    }
    Ok(())
}

fn cell(
    scenario: &Scenario,
    backend: &Backend,
    protocol: &Protocol,
    point: &LoadPoint,
) -> Result<Cell, PlanError> {
    let name = || backend.name.clone();
    let limit = u32::try_from(protocol.transport.max_in_flight()).unwrap_or(u32::MAX);
    let links = point.load.links(limit).map_err(|source| PlanError::Links { backend: name(), source })?;
    let failed = |source| PlanError::Placement { backend: name(), source };
    let allowed = placement::allowed_cpus().map_err(failed)?;
    let placement = point.load.placement.unwrap_or_else(|| placement::default_for(allowed.len()));
    let server_threads = backend.server_threads.unwrap_or(point.load.server_threads);
    let cpus =
        placement::assign(placement, &allowed, point.load.client_threads as usize, server_threads as usize)
            .map_err(failed)?;
    let batch = if placement == Placement::Shared { SHARED_WRITE_BATCH } else { SPLIT_WRITE_BATCH };
    Ok(Cell {
        backend: backend.clone(),
        protocol: protocol.clone(),
        point: point.clone(),
        links,
        errors: scenario.gates.errors,
        placement,
        cpus,
        write_batch: point.load.write_batch.unwrap_or(batch),
        server_threads,
        workload: scenario.workload(point.payload_bytes),
    })
}

/// Round after round over all cells, in a seeded order within each, so that a machine whose speed
/// drifts is as unfair to one cell as to another.
fn interleave(cells: &[Cell], seed: u64) -> Vec<(usize, u32)> {
    let most = cells.iter().map(|cell| cell.point.load.rounds).max().unwrap_or(0);
    let mut random = Random::labelled(seed, "order of rounds");
    let mut order = Vec::new();
    for round in 0..most {
        let mut turn: Vec<usize> =
            (0..cells.len()).filter(|cell| round < cells[*cell].point.load.rounds).collect();
        for last in (1..turn.len()).rev() {
            let other = usize::try_from(random.below(last as u64 + 1)).unwrap_or(0);
            turn.swap(last, other);
        }
        order.extend(turn.into_iter().map(|cell| (cell, round)));
    }
    order
}
