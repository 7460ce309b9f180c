//! What a process and everything below it has used: CPU time, memory, context switches.
//!
//! CPU time is the process's CPU clock (clock_getcpuclockid(3)): the same nanosecond counters of the
//! scheduler that `/proc/PID/task/*/schedstat` shows, summed over the threads, and with the threads
//! that have already ended, which schedstat forgets. Where that clock cannot be read, it is the sum
//! over schedstat, but at least `utime + stime` of `/proc/PID/stat`, which counts ended threads in
//! ticks of 10 ms. Children that ended and were waited for count by `cutime + cstime` in both cases.
//!
//! Sampling costs a few reads per process and thread; take the difference of two samples.

use std::io;

use nix::sys::time::TimeValLike as _;
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use procfs::process::{Process, Stat};
use serde::{Deserialize, Serialize};

use super::process_tree::descendants_at_a_glance;
use crate::result::Switches;

/// What a process tree has used since it was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// User and system time, in nanoseconds.
    pub cpu_ns: u64,
    /// The highest resident memory of each living process, added up (`VmHWM`).
    pub rss_peak_bytes: u64,
    /// Context switches of the living threads, and how long those that matter waited for a core.
    pub context_switches: Switches,
}

impl Usage {
    /// What was used since an earlier sample; the peak of memory is the later one. Never below 0,
    /// although a process that ended in between takes its switches along.
    #[must_use]
    pub fn since(self, earlier: Usage) -> Usage {
        let (later, before) = (self.context_switches, earlier.context_switches);
        Usage {
            cpu_ns: self.cpu_ns.saturating_sub(earlier.cpu_ns),
            rss_peak_bytes: self.rss_peak_bytes,
            context_switches: Switches {
                voluntary: later.voluntary.saturating_sub(before.voluntary),
                involuntary: later.involuntary.saturating_sub(before.involuntary),
                core_wait_ns: later
                    .core_wait_ns
                    .zip(before.core_wait_ns)
                    .map(|(later_ns, before_ns)| later_ns.saturating_sub(before_ns)),
            },
        }
    }
}

/// The usage of `pid` and all its descendants.
///
/// # Errors
/// `NotFound` where there is no such process (any more). Descendants that end while they are read
/// are left out.
pub fn sample(pid: u32) -> io::Result<Usage> {
    let missing = || io::Error::new(io::ErrorKind::NotFound, format!("there is no process {pid}"));
    let root = i32::try_from(pid).map_err(|_| missing())?;
    let mut usage = one_process(root).ok_or_else(missing)?;
    for below in descendants_at_a_glance(root).into_iter().filter_map(one_process) {
        usage.cpu_ns += below.cpu_ns;
        usage.rss_peak_bytes += below.rss_peak_bytes;
        usage.context_switches.voluntary += below.context_switches.voluntary;
        usage.context_switches.involuntary += below.context_switches.involuntary;
        usage.context_switches.core_wait_ns =
            sum(usage.context_switches.core_wait_ns, below.context_switches.core_wait_ns);
    }
    Ok(usage)
}

fn one_process(pid: i32) -> Option<Usage> {
    let process = Process::new(pid).ok()?;
    let stat = process.stat().ok()?;
    let waited_for = ticks_ns(u64::try_from(stat.cutime + stat.cstime).unwrap_or(0));
    let own = cpu_clock_ns(pid).unwrap_or_else(|| cpu_from_proc_ns(&process, &stat));
    // None for a process that has ended and is not yet waited for.
    let rss_kib = process.status().ok().and_then(|status| status.vmhwm).unwrap_or(0);
    Some(Usage {
        cpu_ns: own + waited_for,
        rss_peak_bytes: rss_kib * 1024,
        context_switches: context_switches(&process, &stat),
    })
}

/// The CPU clock of a process.
pub(super) fn cpu_clock_ns(pid: i32) -> Option<u64> {
    let clock = clock_getcpuclockid(Pid::from_raw(pid)).ok()?;
    u64::try_from(clock_gettime(clock).ok()?.num_nanoseconds()).ok()
}

fn cpu_from_proc_ns(process: &Process, stat: &Stat) -> u64 {
    let tasks = process.tasks().into_iter().flatten().flatten();
    let living = tasks.filter_map(|task| task.schedstat().ok()).map(|schedstat| schedstat.sum_exec_runtime);
    living.sum::<u64>().max(ticks_ns(stat.utime + stat.stime))
}

fn ticks_ns(ticks: u64) -> u64 {
    ticks.saturating_mul(1_000_000_000 / procfs::ticks_per_second().max(1))
}

/// Of a process whose main thread is this one.
fn context_switches(process: &Process, main: &Stat) -> Switches {
    let mut switches = Switches::default();
    for task in process.tasks().into_iter().flatten().flatten() {
        if let Ok(status) = task.status() {
            switches.voluntary += status.voluntary_ctxt_switches.unwrap_or(0);
            switches.involuntary += status.nonvoluntary_ctxt_switches.unwrap_or(0);
        }
        if task.stat().is_ok_and(|stat| !gives_way(&stat, main)) {
            // The second number of schedstat (proc(5), sched-stats).
            let waited_ns = task.schedstat().ok().map(|schedstat| schedstat.run_delay);
            switches.core_wait_ns = sum(switches.core_wait_ns, waited_ns);
        }
    }
    switches
}

/// Whether a thread waits by intent: it runs in spare time (the watch, the writer of intervals), or at a
/// lower priority than the main one.
fn gives_way(thread: &Stat, main: &Stat) -> bool {
    /// `SCHED_IDLE` of sched(7).
    const IDLE: Option<u32> = Some(5);
    thread.nice > main.nice || thread.policy == IDLE && main.policy != IDLE
}

/// What was read of two, where something was.
fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).reduce(u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader};

    fn burn(at_least_ns: u64) {
        let start = clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().num_nanoseconds();
        let goal = start + i64::try_from(at_least_ns).unwrap();
        while clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().num_nanoseconds() < goal {}
    }

    #[test]
    fn time_of_threads_that_have_ended_counts() {
        let before = sample(std::process::id()).unwrap();
        std::thread::spawn(|| burn(30_000_000)).join().unwrap();
        let used = sample(std::process::id()).unwrap().since(before);
        assert!(used.cpu_ns >= 30_000_000, "{used:?}");
        assert!(used.rss_peak_bytes > 1_000_000, "{used:?}");
    }

    #[test]
    fn a_child_of_a_child_counts() {
        let script =
            "sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo done; exec sleep 100' & wait";
        let mut child = std::process::Command::new("setsid")
            .args(["sh", "-c", script])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let used = sample(child.id()).unwrap();
        assert!(used.cpu_ns > 5_000_000, "{used:?}");
        assert!(used.context_switches.voluntary > 0, "{used:?}");
        let pid = i32::try_from(child.id()).unwrap();
        for below in descendants_at_a_glance(pid) {
            nix::sys::signal::kill(Pid::from_raw(below), nix::sys::signal::SIGKILL).unwrap();
        }
        child.wait().unwrap();
    }

    #[test]
    fn the_files_in_proc_are_a_good_substitute_for_the_clock() {
        burn(50_000_000);
        let process = Process::myself().unwrap();
        let from_proc = cpu_from_proc_ns(&process, &process.stat().unwrap());
        let from_clock = cpu_clock_ns(process.pid()).unwrap();
        assert!(from_proc > from_clock / 2 && from_proc < 2 * from_clock, "{from_proc} {from_clock}");
    }

    #[test]
    fn the_wait_for_a_core_is_that_of_threads_that_matter_and_null_where_none_is_read() {
        let process = Process::myself().unwrap();
        let own = process.stat().unwrap();
        let main = || process.task_from_tid(process.pid()).unwrap().schedstat().unwrap().run_delay;
        let before_ns = main();
        let switches = context_switches(&process, &own);
        assert!(switches.core_wait_ns.unwrap() >= before_ns, "{switches:?}");
        // To a process of the highest priority all of these threads are of a lower one.
        let mut highest = own;
        highest.nice = -21;
        assert_eq!(context_switches(&process, &highest).core_wait_ns, None);
        assert_eq!((sum(None, None), sum(Some(2), None), sum(Some(2), Some(3))), (None, Some(2), Some(5)));
    }

    #[test]
    fn a_thread_in_spare_time_does_not_count_as_one_that_waits() {
        let status = crate::record::spare_time::spawn("spare", || {
            Process::myself().unwrap().task_from_tid(nix::unistd::gettid().as_raw()).unwrap().stat().unwrap()
        });
        let spare = status.unwrap().join().unwrap();
        let main = Process::myself().unwrap().stat().unwrap();
        assert!(gives_way(&spare, &main) && !gives_way(&main, &main) && !gives_way(&main, &spare));
        assert!(!gives_way(&spare, &spare), "of a process that is run so, every thread counts");
        let mut nicer = main.clone();
        nicer.nice += 1;
        assert!(gives_way(&nicer, &main));
    }

    #[test]
    fn an_unread_wait_stays_unread() {
        let with = |core_wait_ns| Usage {
            context_switches: Switches { core_wait_ns, ..Switches::default() },
            ..Usage::default()
        };
        let waited = |later, before| with(later).since(with(before)).context_switches.core_wait_ns;
        assert_eq!(
            (waited(Some(7), Some(5)), waited(Some(7), None), waited(None, Some(5))),
            (Some(2), None, None)
        );
    }

    #[test]
    fn a_process_that_does_not_exist_is_an_error() {
        assert_eq!(sample(u32::MAX).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(sample(4_194_305).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
