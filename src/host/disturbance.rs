//! What else the machine did while something was measured: time that a hypervisor took, other
//! processes, waiting for a core.
//!
//! Two snapshots of the kernel's counters and their difference; it measures nothing by itself.

use std::fmt;

use procfs::{CpuPressure, Current as _, CurrentSI as _, KernelStats};

use crate::clock::now_ns;

/// Stolen time beyond this part of the machine's is worth a word.
const STEAL_SHARE: f64 = 0.005;
/// Other processes that used more than this many cores on average are worth a word.
const OTHER_CORES: f64 = 0.1;
/// A core of two that stands still for so much of the time delays one call in 500.
const TAIL_STEAL_SHARE: f64 = 0.001;
/// Threads of ours that waited for a core for so much of the time delayed as many calls or more.
const TAIL_WAIT_SHARE: f64 = 0.01;
/// So many of a server's calls held too long, or so many late wakings on the client's core, are as many that
/// a percentile of all may be made of.
const TAIL_LATE_SHARE: f64 = 0.003;
/// Runnable processes that had to wait for a core for more than this part of the time.
const PRESSURE_SHARE: f64 = 0.1;

/// The kernel's counters at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot {
    at_ns: u64,
    busy_ns: u64,
    steal_ns: u64,
    all_ns: u64,
    /// Since the machine was started: the time in which somebody waited for a core.
    pressure_ns: Option<u64>,
}

/// What happened between two snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Disturbance {
    /// The part of the machine's processor time that its hypervisor gave to others.
    pub steal_share: f64,
    /// How many cores other processes used on average.
    pub other_cores: f64,
    /// The part of the time in which somebody waited for a core; `None` on kernels that do not say.
    pub pressure_share: Option<f64>,
    /// For how much of the time our own threads were ready to run and had no core, added up; `None`
    /// where that was not looked at.
    pub own_wait_share: Option<f64>,
    /// The part of the calls that our own server, by its own record, held longer than it was told to: its
    /// core was not there. `None` where that was not looked at.
    pub held_longer_share: Option<f64>,
    /// The part of the wakings of a witness on the client's core that came late. `None` without a witness.
    pub woken_late_share: Option<f64>,
}

/// What we used ourselves between two snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Own {
    /// Processor time.
    pub cpu_ns: u64,
    /// How long our threads were ready to run and had no core; `None` where that was not looked at.
    pub core_wait_ns: Option<u64>,
}

impl Snapshot {
    /// Reads the counters; `None` where the kernel does not show them.
    #[must_use]
    pub fn take() -> Option<Self> {
        let total = KernelStats::current().ok()?.total;
        let tick_ns = 1_000_000_000 / procfs::ticks_per_second().max(1);
        let idle = total.idle + total.iowait.unwrap_or(0);
        let steal = total.steal.unwrap_or(0);
        let busy =
            total.user + total.nice + total.system + total.irq.unwrap_or(0) + total.softirq.unwrap_or(0);
        let pressure = CpuPressure::current().ok().map(|pressure| pressure.some.total.saturating_mul(1_000));
        Some(Self {
            at_ns: now_ns(),
            busy_ns: busy.saturating_mul(tick_ns),
            steal_ns: steal.saturating_mul(tick_ns),
            all_ns: (idle + steal + busy).saturating_mul(tick_ns),
            pressure_ns: pressure,
        })
    }

    /// What happened until `later`, beside what we used ourselves.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn until(&self, later: &Self, own: Own) -> Disturbance {
        let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let elapsed_ns = later.at_ns.saturating_sub(self.at_ns);
        let others_ns = later.busy_ns.saturating_sub(self.busy_ns).saturating_sub(own.cpu_ns);
        Disturbance {
            steal_share: share(
                later.steal_ns.saturating_sub(self.steal_ns),
                later.all_ns.saturating_sub(self.all_ns),
            ),
            other_cores: share(others_ns, elapsed_ns),
            pressure_share: self
                .pressure_ns
                .zip(later.pressure_ns)
                .map(|(before, after)| share(after.saturating_sub(before), elapsed_ns)),
            own_wait_share: own.core_wait_ns.map(|ns| share(ns, elapsed_ns)),
            held_longer_share: None,
            woken_late_share: None,
        }
    }
}

impl Disturbance {
    /// Whether it is enough to doubt what was measured meanwhile.
    #[must_use]
    pub fn is_notable(&self) -> bool {
        self.steal_share > STEAL_SHARE || self.other_cores > OTHER_CORES
    }

    /// Whether it is enough to move a 99th percentile, for which one call in a hundred is enough.
    #[must_use]
    pub fn moves_a_tail(&self) -> bool {
        self.is_notable()
            || self.steal_share > TAIL_STEAL_SHARE
            || self.own_wait_share.is_some_and(|share| share > TAIL_WAIT_SHARE)
            || [self.held_longer_share, self.woken_late_share]
                .into_iter()
                .flatten()
                .any(|share| share > TAIL_LATE_SHARE)
    }

    /// What was seen, in numbers, however little it is.
    #[must_use]
    pub fn in_numbers(&self) -> String {
        let mut seen = vec![
            format!("the hypervisor took {:.2} % of the processor time", self.steal_share * 100.0),
            format!("other processes used {:.2} cores", self.other_cores),
        ];
        if let Some(share) = self.own_wait_share {
            seen.push(format!("client and server waited for a core in {:.2} % of the time", share * 100.0));
        }
        if let Some(share) = self.held_longer_share {
            seen.push(format!(
                "the server, by its own record, held {:.2} % of the calls longer than it was told to",
                share * 100.0
            ));
        }
        if let Some(share) = self.woken_late_share {
            seen.push(format!(
                "a thread that only sleeps on the client's core was woken late {:.2} % of the times",
                share * 100.0
            ));
        }
        seen.join(", ")
    }
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut seen = Vec::new();
        if self.steal_share > STEAL_SHARE {
            seen.push(format!("the hypervisor took {:.1} % of the processor time", self.steal_share * 100.0));
        }
        if self.other_cores > OTHER_CORES {
            seen.push(format!("other processes used {:.1} cores", self.other_cores));
        }
        if let Some(share) = self.pressure_share.filter(|share| *share > PRESSURE_SHARE) {
            seen.push(format!("somebody waited for a core in {:.0} % of the time", share * 100.0));
        }
        if seen.is_empty() { f.write_str("no disturbance was seen") } else { f.write_str(&seen.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_load_is_what_we_did_not_use_ourselves() {
        let at = |seconds: u64, busy: u64, steal: u64| Snapshot {
            at_ns: seconds * 1_000_000_000,
            busy_ns: busy * 1_000_000_000,
            steal_ns: steal * 1_000_000_000,
            all_ns: 2 * seconds * 1_000_000_000,
            pressure_ns: Some(seconds * 500_000_000),
        };
        let own = Own { cpu_ns: 4_000_000_000, core_wait_ns: Some(50_000_000) };
        let seen = at(0, 0, 0).until(&at(10, 9, 1), own);
        let expected = Disturbance {
            steal_share: 0.05,
            other_cores: 0.5,
            pressure_share: Some(0.5),
            own_wait_share: Some(0.005),
            ..Disturbance::default()
        };
        assert_eq!(seen, expected);
        assert!(seen.is_notable());
        assert_eq!(
            seen.to_string(),
            "the hypervisor took 5.0 % of the processor time, other processes used 0.5 cores, somebody waited \
             for a core in 50 % of the time"
        );
        assert_eq!(
            seen.in_numbers(),
            "the hypervisor took 5.00 % of the processor time, other processes used 0.50 cores, client and \
             server waited for a core in 0.50 % of the time"
        );
        assert_eq!(Disturbance::default().to_string(), "no disturbance was seen");
    }

    #[test]
    fn little_is_enough_to_move_a_tail() {
        let quiet = Disturbance { own_wait_share: Some(0.001), ..Disturbance::default() };
        assert!(!quiet.moves_a_tail());
        let stolen = Disturbance { steal_share: 0.002, ..quiet };
        let waited = Disturbance { own_wait_share: Some(0.02), ..quiet };
        let held = Disturbance { held_longer_share: Some(0.005), ..quiet };
        assert!(held.in_numbers().ends_with("held 0.50 % of the calls longer than it was told to"));
        let woken = Disturbance { woken_late_share: Some(0.006), ..quiet };
        assert!(woken.in_numbers().ends_with("client's core was woken late 0.60 % of the times"));
        for seen in [stolen, waited, held, woken] {
            assert!(seen.moves_a_tail() && !seen.is_notable(), "{seen:?}");
        }
    }

    #[test]
    fn this_kernel_shows_its_counters() {
        let before = Snapshot::take().unwrap();
        let seen = before.until(&Snapshot::take().unwrap(), Own::default());
        assert!(seen.steal_share >= 0.0 && seen.other_cores >= 0.0);
    }
}
