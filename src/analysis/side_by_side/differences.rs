//! What is not the same in two runs, and what makes comparing them meaningless.

use super::Unlike;
use crate::result::{CellResult, RunResult};

/// The sections of a scenario that say what is called.
const WORK: [&str; 2] = ["methods", "mix"];

fn table(run: &RunResult) -> Option<toml::Table> {
    run.scenario.text.parse().ok()
}

/// Why the runs as a whole cannot be compared.
pub(super) fn refusals(a: &RunResult, b: &RunResult) -> Option<String> {
    let (Some(ours), Some(theirs)) = (table(a), table(b)) else {
        return Some("the scenario of one of them cannot be read".to_owned());
    };
    for section in WORK {
        if ours.get(section) != theirs.get(section) {
            return Some(format!(
                "their scenarios ({:?} and {:?}) differ in [{section}]: other calls take other times",
                a.scenario.name, b.scenario.name
            ));
        }
    }
    None
}

/// Collects what is not the same.
struct Differences(Vec<Unlike>);

impl Differences {
    fn see<T: PartialEq + serde::Serialize>(&mut self, what: &str, a: &T, b: &T) {
        if a != b {
            self.0.push(Unlike { what: what.to_owned(), a: shown(a), b: shown(b) });
        }
    }
}

/// A value as it stands in results; `–` for none.
fn shown(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(serde_json::Value::Null) | Err(_) => "–".to_owned(),
        Ok(other) => other.to_string(),
    }
}

/// How machine, program and scenario differ.
pub(super) fn run_differences(a: &RunResult, b: &RunResult) -> Vec<Unlike> {
    let mut found = Differences(Vec::new());
    let (ours, theirs) = (&a.environment, &b.environment);
    found.see("wirebench", &a.wirebench.version, &b.wirebench.version);
    found.see("wirebench's commit", &a.wirebench.git, &b.wirebench.git);
    found.see("build profile", &ours.build_profile, &theirs.build_profile);
    found.see("processor", &ours.cpu, &theirs.cpu);
    found.see("cores", &ours.cores, &theirs.cores);
    found.see("allowed cores", &ours.allowed_cpus, &theirs.allowed_cpus);
    found.see("container CPU quota", &ours.container_cpu_quota, &theirs.container_cpu_quota);
    found.see("operating system", &ours.os, &theirs.os);
    found.see("kernel", &ours.kernel, &theirs.kernel);
    found.see("clock source", &ours.clocksource, &theirs.clocksource);
    found.see("frequency governor", &ours.governor, &theirs.governor);
    found.see("idle governor", &ours.cpuidle_governor, &theirs.cpuidle_governor);
    found.see("hypervisor", &ours.virtualization, &theirs.virtualization);
    found.see("memory", &ours.memory_bytes, &theirs.memory_bytes);
    let names: std::collections::BTreeSet<&String> =
        ours.versions.keys().chain(theirs.versions.keys()).collect();
    for name in names {
        found.see(&format!("version of {name}"), &ours.versions.get(name), &theirs.versions.get(name));
    }
    found.see("seed (other values are sent)", &a.seed, &b.seed);
    found.see("scenario", &a.scenario.name, &b.scenario.name);
    found.see("command line", &a.scenario.overrides, &b.scenario.overrides);
    if let (Some(ours), Some(theirs)) = (table(a), table(b)) {
        let sections: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        for section in
            sections.into_iter().filter(|section| !["name", "description"].contains(&section.as_str()))
        {
            if ours.get(section) != theirs.get(section) {
                found.0.push(Unlike {
                    what: format!("the scenario's {section}"),
                    a: "see the scenario".to_owned(),
                    b: "see the scenario".to_owned(),
                });
            }
        }
    }
    found.0
}

/// How load and server of two cells differ; the error is why they cannot be compared.
pub(super) fn load_differences(a: &CellResult, b: &CellResult) -> Result<Vec<Unlike>, String> {
    let (ours, theirs) = (&a.load, &b.load);
    let refuse = |what: &str, a: String, b: String, why: &str| Err(format!("{what} is {a} and {b}: {why}"));
    if ours.placement != theirs.placement {
        let why = "where client and server run decides the times";
        return refuse("the placement", shown(&ours.placement), shown(&theirs.placement), why);
    }
    if ours.model != theirs.model {
        return refuse("the loop", shown(&ours.model), shown(&theirs.model), "they have other times");
    }
    for (what, a, b) in [
        ("the concurrency", shown(&ours.concurrency), shown(&theirs.concurrency)),
        ("the rate", shown(&ours.rate_per_s), shown(&theirs.rate_per_s)),
        ("the think time", shown(&ours.think_time), shown(&theirs.think_time)),
        ("the payload", shown(&ours.payload_bytes), shown(&theirs.payload_bytes)),
    ] {
        if a != b {
            return refuse(what, a, b, "that is another load");
        }
    }
    let mut found = Differences(Vec::new());
    found.see("connection mode", &ours.connection_mode, &theirs.connection_mode);
    found.see("connections", &ours.connections, &theirs.connections);
    found.see("in flight per connection", &ours.in_flight, &theirs.in_flight);
    found.see("arrivals", &ours.arrivals, &theirs.arrivals);
    found.see("idle", &ours.idle, &theirs.idle);
    found.see("write batch", &ours.write_batch, &theirs.write_batch);
    found.see("client threads", &ours.client_threads, &theirs.client_threads);
    found.see("server threads", &ours.server_threads, &theirs.server_threads);
    found.see("time-out (ms)", &ours.timeout_ms, &theirs.timeout_ms);
    found.see("calls per round", &ours.calls, &theirs.calls);
    found.see("round (ms)", &ours.duration_ms, &theirs.duration_ms);
    found.see("warm-up (ms)", &ours.warmup_ms, &theirs.warmup_ms);
    found.see("warm-up (calls)", &ours.warmup_calls, &theirs.warmup_calls);
    found.see("socket", &ours.socket, &theirs.socket);
    found.see("compression", &ours.compression, &theirs.compression);
    found.see("protocol", &a.protocol, &b.protocol);
    found.see("codec", &a.codec, &b.codec);
    found.see("transport", &a.transport, &b.transport);
    found.see("hosting", &a.hosting, &b.hosting);
    found.see("server", &a.implementation, &b.implementation);
    found.see("rounds", &a.rounds.len(), &b.rounds.len());
    Ok(found.0)
}
