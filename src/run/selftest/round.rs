//! One case, measured: a server that keeps a record, a client, and perhaps a stop of one of them.

use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::SelftestError;
use super::case::{Case, Side};
use crate::analysis::{Limits, RoundInput, cell_from_rounds};
use crate::host::alarm_clock::{AlarmClock, Wakings};
use crate::host::disturbance::{Disturbance, Own, Snapshot};
use crate::load::Schedule;
use crate::protocol::{CallLog, LoggedCall};
use crate::result::{CellResult, RoundResult};
use crate::run::describe::describe;
use crate::run::plan::{Cell, Choices, Plan};
use crate::run::probe::end_and_wait;
use crate::run::round::{Logs, OpenedRound, open_round, run_client_process};
use crate::run::{Interrupt, Registry, RoundError};
use crate::scenario::{Amount, Catalogue as _, LoadModel, Scenario};

/// A stopped process is stopped for this long.
const STOP: Duration = Duration::from_millis(200);
/// A timer that ends this much later was kept waiting by something else than the kernel's clock.
const LATE_NS: u64 = 150_000;
/// After the client was started: its warm-up takes 40 ms, its interval 3 s.
const STOP_AFTER: Duration = Duration::from_millis(1_300);

/// What was measured.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) round: RoundResult,
    /// Judged like any cell.
    pub(super) cell: CellResult,
    pub(super) log: Vec<LoggedCall>,
    /// When every call was due; empty in a closed loop.
    pub(super) due_ns: Vec<u64>,
    pub(super) disturbance: Disturbance,
}

/// Plans a case as a scenario with one cell.
pub(super) fn plan(case: &Case, protocol: &str) -> Result<Plan, SelftestError> {
    let kind = crate::scenario::BackendKind::Protocol(protocol.to_owned());
    let slots = case.slots;
    // Where a connection carries one call, so many of them.
    let links = if Registry.max_in_flight(&kind) > 1 {
        format!("connections = 1\nin_flight = {slots}")
    } else {
        format!("connections = {slots}\nin_flight = 1")
    };
    let text = format!(
        "name = \"selftest {}\"\n[methods.work]\nservice_time = {}\n[load]\n{}\n{links}\nwarmup = {{ calls = 20 }}\n\
         rounds = 1\n[backends.server]\nprotocol = \"{protocol}\"\n",
        case.name, case.service_time, case.load
    );
    let scenario = Scenario::parse("selftest", &text, &Registry)
        .map_err(|error| SelftestError::Scenario(error.to_string()))?;
    Plan::new(scenario, &Choices::default()).map_err(|error| SelftestError::Scenario(error.to_string()))
}

/// Measures a case.
pub(super) fn measure(
    case: &Case,
    protocol: &str,
    break_pacer: bool,
    interrupt: &Interrupt,
) -> Result<Measured, SelftestError> {
    let plan = plan(case, protocol)?;
    let cell = &plan.cells[0];
    let files = tempfile::tempdir().map_err(SelftestError::Files)?;
    let log = files.path().join("calls.log");
    let logs = Logs { calls: Some(log.clone()), stages: None };
    let OpenedRound { server, mut spec } =
        open_round(cell, &plan.service, &PathBuf::from("."), interrupt, &logs)?;
    let mut server =
        server.ok_or_else(|| SelftestError::Scenario(format!("{protocol} has no server to stop")))?;
    spec.break_pacer = break_pacer;
    let before = Snapshot::take();
    // Without it a case is as good, and says less about what disturbed it.
    let alarm_clock = AlarmClock::start(&spec.client_cpus, LATE_NS).ok();
    let mut stopper = None;
    let round = run_client_process(&spec, interrupt, &mut |client| {
        stopper = case.stopped.map(|side| {
            let pid = if side == Side::Client { client } else { server.child.pid() };
            std::thread::spawn(move || stop(pid))
        });
    })?;
    if let Some(stopper) = stopper {
        // The round is over, so the stop is.
        let _ = stopper.join();
    }
    let wakings = alarm_clock.map(AlarmClock::end);
    let own = own(&round);
    let mut disturbance = match (before, Snapshot::take()) {
        (Some(before), Some(after)) => before.until(&after, own),
        _ => Disturbance::default(),
    };
    if !end_and_wait(&mut server) {
        return Err(SelftestError::Log("the server did not end when it was asked to".into()));
    }
    let text = std::fs::read_to_string(&log).map_err(|error| SelftestError::Log(error.to_string()))?;
    let log = CallLog::read(&text).map_err(|error| SelftestError::Log(error.to_string()))?;
    disturbance.woken_late_share = wakings.and_then(Wakings::late_share);
    disturbance.held_longer_share = held_longer_share(&log, case.holds_ns);
    let input = RoundInput { order: 0, histograms: None, outcome: Ok(&round) };
    let judged = cell_from_rounds(describe(cell), &[input], &Limits::default());
    let due_ns = due_times(cell, round.begun_ns);
    Ok(Measured { round, cell: judged, log, due_ns, disturbance })
}

/// The part of the calls that the server held longer than it was told to, by more than a call may differ.
#[allow(clippy::cast_precision_loss)]
fn held_longer_share(log: &[LoggedCall], holds_ns: &[u64]) -> Option<f64> {
    let is_late = |call: &&LoggedCall| {
        let held_ns = call.answered_ns.saturating_sub(call.begins_ns);
        let told_ns = holds_ns.iter().filter(|told_ns| **told_ns <= held_ns).max();
        told_ns.is_some_and(|told_ns| held_ns - told_ns > LATE_NS)
    };
    (!holds_ns.is_empty() && !log.is_empty())
        .then(|| log.iter().filter(is_late).count() as f64 / log.len() as f64)
}

/// What client and server used together.
fn own(round: &RoundResult) -> Own {
    let sides = [round.context_switches.client, round.context_switches.server];
    Own {
        cpu_ns: round.client_cpu_ns.unwrap_or(0) + round.server_cpu_ns.unwrap_or(0),
        core_wait_ns: sides
            .into_iter()
            .flatten()
            .filter_map(|side| side.core_wait_ns)
            .reduce(u64::saturating_add),
    }
}

/// When the calls were due: by the plan, not by what the client did.
fn due_times(cell: &Cell, begun_ns: Option<u64>) -> Vec<u64> {
    let (LoadModel::Open { rate_per_s, arrivals }, Some(begun_ns)) = (cell.point.load.model, begun_ns) else {
        return Vec::new();
    };
    let (length_ns, calls) = match cell.point.load.length {
        Amount::Calls(calls) => (u64::MAX, usize::try_from(calls).unwrap_or(usize::MAX)),
        Amount::DurationNs(ns) => (ns, usize::MAX),
    };
    let schedule = Schedule::new(rate_per_s, arrivals, cell.workload.seed, length_ns);
    schedule.take(calls).map(|(_, offset_ns)| begun_ns + offset_ns).collect()
}

/// Stops a process for a while.
fn stop(pid: u32) {
    std::thread::sleep(STOP_AFTER);
    signal(pid, Signal::SIGSTOP);
    std::thread::sleep(STOP);
    signal(pid, Signal::SIGCONT);
}

fn signal(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        // A process that has gone already cannot be stopped; the case then fails and says why.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

impl From<RoundError> for SelftestError {
    fn from(error: RoundError) -> Self {
        match error {
            RoundError::Interrupted => SelftestError::Interrupted,
            error => SelftestError::Round(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_were_held_too_long_are_counted_against_what_the_server_was_told() {
        let held = |ns: u64| LoggedCall { arrived_ns: 5, begins_ns: 10, answered_ns: 10 + ns };
        let log = [1_050_000, 1_140_000, 1_200_000, 50_100_000].map(held);
        assert_eq!(held_longer_share(&log, &[1_000_000, 50_000_000]), Some(0.25));
        assert_eq!(held_longer_share(&log, &[1_000_000]), Some(0.5));
        assert_eq!((held_longer_share(&log, &[]), held_longer_share(&[], &[1])), (None, None));
    }
}
