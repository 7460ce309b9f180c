//! `wirebench doctor`: what on this machine will disturb a measurement, and what it does to the
//! numbers.
//!
//! It looks and tries, and changes nothing. What the machine does not tell is said to be unknown.

mod findings;
pub mod probes;

use std::time::Duration;

use serde::Serialize;

use self::probes::Times;
use super::disturbance::{Disturbance, Own, Snapshot};
use super::placement;
use crate::result::Environment;

/// How long the machine is watched for what others do.
const WATCH: Duration = Duration::from_millis(1_000);

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Good,
    /// Worth knowing when reading numbers.
    Note,
    /// Will make numbers wrong or noisy.
    Warning,
}

/// One thing about the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub name: &'static str,
    /// How much it matters.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// What it does to the numbers, and what to do.
    pub effect: String,
}

/// What findings are made of.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The machine and the software on it.
    pub environment: Environment,
    /// What others did while nothing was measured.
    pub disturbance: Option<Disturbance>,
    /// What reading the clock costs.
    pub clock_read_ns: Option<u64>,
    /// How late a timer is.
    pub timer: Option<Times>,
    /// One byte there and back on one core.
    pub shared: Option<Times>,
    /// One byte there and back between two cores.
    pub split: Option<Times>,
    /// For how long an idle core of a guest polls before it halts.
    pub halt_poll_ns: Option<u64>,
    /// Open files that a process may have.
    pub open_files: Option<u64>,
    /// Processes and threads that the user may have.
    pub processes: Option<u64>,
    /// Local ports that outgoing connections can have.
    pub local_ports: Option<u64>,
    /// Memory that is free for programs.
    pub available_bytes: Option<u64>,
}

/// Looks at the machine and tries its timers and wake-ups; takes about three seconds.
#[must_use]
pub fn examine() -> Vec<Finding> {
    findings::findings(&gather())
}

fn gather() -> Facts {
    let before = Snapshot::take();
    std::thread::sleep(WATCH);
    let disturbance =
        before.zip(Snapshot::take()).map(|(before, after)| before.until(&after, Own::default()));
    let cpus: Vec<usize> =
        placement::allowed_cpus().unwrap_or_default().iter().map(|cpu| cpu.number).collect();
    let first = cpus.first().copied();
    let last = cpus.last().copied();
    let limit = |resource| {
        let (soft, _) = nix::sys::resource::getrlimit(resource).ok()?;
        Some(soft)
    };
    let number = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    Facts {
        environment: super::environment(),
        disturbance,
        clock_read_ns: Some(probes::clock_read_ns()),
        timer: first.and_then(|cpu| probes::timer_lateness(cpu).ok()?),
        shared: first.and_then(|cpu| probes::ping_pong(cpu, cpu).ok()?),
        split: first.zip(last).filter(|(a, b)| a != b).and_then(|(a, b)| probes::ping_pong(a, b).ok()?),
        halt_poll_ns: number("/sys/module/haltpoll/parameters/guest_halt_poll_ns"),
        open_files: limit(nix::sys::resource::Resource::RLIMIT_NOFILE),
        processes: limit(nix::sys::resource::Resource::RLIMIT_NPROC),
        local_ports: local_ports(),
        available_bytes: available_bytes(),
    }
}

fn local_ports() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut ends = text.split_whitespace().filter_map(|word| word.parse::<u64>().ok());
    let (low, high) = (ends.next()?, ends.next()?);
    Some(high.saturating_sub(low) + 1)
}

fn available_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1_024)
}
