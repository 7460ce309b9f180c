//! From facts to sentences. Pure.

use super::probes::Times;
use super::{Facts, Finding, Level};

/// A pacer's lag is judged against this (MEASUREMENT: `client-limited`).
const LAG_LIMIT_NS: u64 = 200_000;
/// Reading a clock in the kernel and not in the process takes longer than this.
const SLOW_CLOCK_NS: u64 = 200;
/// Files for a few thousand connections.
const FEW_FILES: u64 = 4_096;
/// A connection's port is kept for this long after its end (TIME_WAIT, fixed in Linux).
const TIME_WAIT_S: u64 = 60;

/// Every finding, in the order in which they are shown.
pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    [
        build(facts),
        cores(facts),
        quota(facts),
        machine(facts),
        governor(facts),
        others(facts),
        clock(facts),
        timer(facts),
        wake_up(facts),
        files(facts),
        processes(facts),
        ports(facts),
        memory(facts),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn finding(
    name: &'static str,
    level: Level,
    found: impl Into<String>,
    effect: impl Into<String>,
) -> Option<Finding> {
    Some(Finding { name, level, found: found.into(), effect: effect.into() })
}

fn unknown(name: &'static str, effect: &str) -> Option<Finding> {
    finding(name, Level::Note, "the machine does not say", effect)
}

fn build(facts: &Facts) -> Option<Finding> {
    match facts.environment.build_profile.as_deref() {
        Some("release") => finding("build", Level::Good, "release", "client and our servers are optimised"),
        _ => finding(
            "build",
            Level::Warning,
            "debug",
            "client and our own servers are several times slower than they can be: install with cargo install, \
             or build with --release",
        ),
    }
}

fn cores(facts: &Facts) -> Option<Finding> {
    let allowed = facts.environment.allowed_cpus.len();
    let online = facts.environment.cores.unwrap_or(allowed as u64);
    let found = format!("{allowed} of {online} usable");
    if allowed < 2 {
        return finding(
            "cores",
            Level::Warning,
            found,
            "client and server take turns on one core (placement = \"shared\"): latency contains the other \
             side's work, and a capacity is that of both together",
        );
    }
    if facts.environment.smt == Some(true) {
        return finding(
            "cores",
            Level::Note,
            format!("{found}, two threads per core"),
            "threads of one core slow each other down: split placement keeps client and server on different \
             cores where there are enough",
        );
    }
    if allowed == 2 {
        return finding(
            "cores",
            Level::Note,
            found,
            "split placement gives one core to the client and one to the server: everything else on this \
             machine takes its time from one of them",
        );
    }
    finding("cores", Level::Good, found, "client and server get cores of their own, and others remain")
}

fn quota(facts: &Facts) -> Option<Finding> {
    let Some(quota) = facts.environment.container_cpu_quota else {
        return finding(
            "container quota",
            Level::Good,
            "none",
            "nobody is stopped for having used its share",
        );
    };
    let level = if quota < 2.0 { Level::Warning } else { Level::Note };
    finding(
        "container quota",
        level,
        format!("{quota:.2} cores"),
        "whoever has used its share stands still for the rest of a period of usually 100 ms, which shows as \
         stalls in the tail: raise the quota, or lower the rate",
    )
}

fn machine(facts: &Facts) -> Option<Finding> {
    match facts.environment.virtualization.as_deref() {
        None => unknown("virtual machine", "a hypervisor may take cores away unseen"),
        Some("none") => finding("virtual machine", Level::Good, "no", "nobody takes cores away unseen"),
        Some(vendor) => finding(
            "virtual machine",
            Level::Note,
            vendor,
            "the hypervisor may take a core away (steal) and waking a core is dearer: compare only what was \
             measured in one invocation",
        ),
    }
}

fn governor(facts: &Facts) -> Option<Finding> {
    match facts.environment.governor.as_deref() {
        Some("performance") => finding(
            "frequency governor",
            Level::Good,
            "performance",
            "the clock rate does not depend on load",
        ),
        Some(governor) => finding(
            "frequency governor",
            Level::Warning,
            governor,
            "a core that is little used runs slower, so that low rates look slow: set the governor to \
             performance (cpupower frequency-set -g performance)",
        ),
        None => unknown(
            "frequency governor",
            "the host decides on the clock rate; a core that is little used may run slower",
        ),
    }
}

fn others(facts: &Facts) -> Option<Finding> {
    let Some(seen) = facts.disturbance else {
        return unknown("other load", "what others do on this machine is not seen in the numbers' verdicts");
    };
    if !seen.is_notable() {
        let found = format!("{:.2} cores, {:.1} % stolen", seen.other_cores, seen.steal_share * 100.0);
        return finding("other load", Level::Good, found, "the machine is quiet");
    }
    finding(
        "other load",
        Level::Warning,
        seen.to_string(),
        "waiting for a core is in the tail of every figure, and rounds become unstable or client-limited: \
         end what runs, or wait",
    )
}

fn clock(facts: &Facts) -> Option<Finding> {
    let source = facts.environment.clocksource.as_deref().unwrap_or("unknown source");
    let read_ns = facts.clock_read_ns?;
    let found = format!("{source}, {read_ns} ns per reading");
    if read_ns > SLOW_CLOCK_NS {
        return finding(
            "clock",
            Level::Warning,
            found,
            "every call reads the clock about five times: fast protocols look slower; use a clock source that \
             is read without the kernel (tsc, kvm-clock)",
        );
    }
    finding("clock", Level::Good, found, "reading it is cheap beside a call")
}

fn timer(facts: &Facts) -> Option<Finding> {
    let Some(late) = facts.timer else {
        return unknown("timer", "open loops may be paced late, which shows as lag");
    };
    let found = format!("{} late", shown(late));
    if late.p99_ns > LAG_LIMIT_NS {
        return finding(
            "timer",
            Level::Warning,
            found,
            "beyond 200 µs at p99, open loops on one core become client-limited; on cores of their own, \
             spinning the last 100 µs hides most of it",
        );
    }
    finding("timer", Level::Good, found, "the pacer spins the last 100 µs where it has a core of its own")
}

fn wake_up(facts: &Facts) -> Option<Finding> {
    let shared = facts.shared?;
    let Some(split) = facts.split else {
        return finding(
            "wake-up",
            Level::Note,
            format!("{} there and back on one core", shown(shared)),
            "there is no second core to wake",
        );
    };
    let polls = facts
        .halt_poll_ns
        .map_or_else(String::new, |ns| format!("; an idle core polls for {} µs before it halts", ns / 1_000));
    let found =
        format!("{} there and back between cores, {} on one core{polls}", shown(split), shown(shared));
    if split.p50_ns > 2 * shared.p50_ns {
        return finding(
            "wake-up",
            Level::Note,
            found,
            "with one call at a time on two cores, every protocol shows the waking of a halted core and not \
             itself: use idle = \"spin\" or placement = \"shared\" to compare protocols there",
        );
    }
    finding("wake-up", Level::Good, found, "waking the other core is no dearer than sharing one")
}

fn files(facts: &Facts) -> Option<Finding> {
    let files = facts.open_files?;
    if files < FEW_FILES {
        return finding(
            "open files",
            Level::Note,
            files.to_string(),
            "each connection is one, on both sides: more connections than that fail to open (ulimit -n)",
        );
    }
    finding("open files", Level::Good, files.to_string(), "enough for as many connections")
}

fn processes(facts: &Facts) -> Option<Finding> {
    let processes = facts.processes?;
    if processes < 256 {
        return finding(
            "processes",
            Level::Warning,
            processes.to_string(),
            "servers may fail to start their threads (ulimit -u)",
        );
    }
    let found = if processes == u64::MAX { "unlimited".to_owned() } else { processes.to_string() };
    finding("processes", Level::Good, found, "enough for servers with many threads")
}

fn ports(facts: &Facts) -> Option<Finding> {
    let ports = facts.local_ports?;
    finding(
        "local ports",
        Level::Note,
        ports.to_string(),
        format!(
            "a connection's port is kept for {TIME_WAIT_S} s after its end: with a connection per call, more \
             than {}/s for a minute fail to connect to one server",
            ports / TIME_WAIT_S
        ),
    )
}

fn memory(facts: &Facts) -> Option<Finding> {
    let available = facts.available_bytes?;
    let found = format!("{} MiB free", available >> 20);
    if available < 512 << 20 {
        return finding("memory", Level::Warning, found, "a machine that swaps measures its disk");
    }
    finding("memory", Level::Good, found, "neither side needs more than a fraction")
}

fn shown(times: Times) -> String {
    let us = |ns: u64| format!("{:.1}", ns as f64 / 1e3);
    format!("p50 {} µs, p99 {} µs", us(times.p50_ns), us(times.p99_ns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::disturbance::Disturbance;
    use crate::result::Environment;

    fn good() -> Facts {
        let times = |p50_ns, p99_ns| Some(Times { p50_ns, p99_ns });
        Facts {
            environment: Environment {
                cores: Some(8),
                allowed_cpus: (0..8).collect(),
                smt: Some(false),
                governor: Some("performance".into()),
                virtualization: Some("none".into()),
                clocksource: Some("tsc".into()),
                build_profile: Some("release".into()),
                ..Environment::default()
            },
            disturbance: Some(Disturbance::default()),
            clock_read_ns: Some(25),
            timer: times(40_000, 90_000),
            shared: times(10_000, 20_000),
            split: times(12_000, 20_000),
            halt_poll_ns: None,
            open_files: Some(65_536),
            processes: Some(u64::MAX),
            local_ports: Some(28_232),
            available_bytes: Some(8 << 30),
        }
    }

    #[test]
    fn a_good_machine_has_nothing_to_warn_of() {
        let found = findings(&good());
        assert_eq!(found.len(), 13);
        assert!(found.iter().all(|finding| finding.level != Level::Warning), "{found:#?}");
    }

    #[test]
    fn each_disturbance_is_named_with_what_it_does() {
        let change = |change: fn(&mut Facts)| {
            let mut facts = good();
            change(&mut facts);
            facts
        };
        let table: [(&str, Facts, Level, &str); 10] = [
            (
                "build",
                change(|facts| facts.environment.build_profile = Some("debug".into())),
                Level::Warning,
                "--release",
            ),
            ("cores", change(|facts| facts.environment.allowed_cpus = vec![0]), Level::Warning, "take turns"),
            ("cores", change(|facts| facts.environment.smt = Some(true)), Level::Note, "slow each other"),
            (
                "container quota",
                change(|facts| facts.environment.container_cpu_quota = Some(1.5)),
                Level::Warning,
                "100 ms",
            ),
            (
                "frequency governor",
                change(|facts| facts.environment.governor = Some("powersave".into())),
                Level::Warning,
                "low rates",
            ),
            (
                "frequency governor",
                change(|facts| facts.environment.governor = None),
                Level::Note,
                "host decides",
            ),
            (
                "other load",
                change(|facts| {
                    facts.disturbance = Some(Disturbance { other_cores: 1.0, ..Disturbance::default() });
                }),
                Level::Warning,
                "tail",
            ),
            ("clock", change(|facts| facts.clock_read_ns = Some(900)), Level::Warning, "tsc"),
            (
                "wake-up",
                change(|facts| facts.split = Some(Times { p50_ns: 60_000, p99_ns: 90_000 })),
                Level::Note,
                "spin",
            ),
            ("open files", change(|facts| facts.open_files = Some(1_024)), Level::Note, "ulimit -n"),
        ];
        for (name, facts, level, word) in table {
            let found = findings(&facts);
            let finding = found.iter().find(|finding| finding.name == name).unwrap();
            assert_eq!(finding.level, level, "{name}");
            assert!(finding.effect.contains(word), "{finding:?}");
        }
    }

    #[test]
    fn nothing_is_guessed_of_a_machine_that_says_nothing() {
        let found = findings(&Facts::default());
        assert!(found.iter().any(|finding| finding.found == "the machine does not say"));
    }
}
