//! What the stamps of the stages cost: the same calls without them, with the default share of sampled calls,
//! and with every call sampled.
//!
//! `null` is the harness alone, with both sides' stamps on one thread: what a sampled call costs shows
//! best there. `binary-tcp`, 64 in flight, has the shortest calls of all protocols with a network. The times are
//! of one call, so that the difference of two lines is what the stamps take of it.
//!
//! Takes 25 s.

#![allow(clippy::expect_used)] // A bench that cannot be set up has nothing to say.

use std::sync::Arc;
use std::time::Duration;

use criterion::Criterion;
use wirebench::host::{Serve, serve_in_process};
use wirebench::load::{self, Drive, Observer, Pacing, StageProbe};
use wirebench::protocol::{Protocol, Records, StampLog, registry};
use wirebench::run::Registry;
use wirebench::scenario::{Amount, ErrorBudget, Generator, Scenario};

const SCENARIO: &str = r#"
name = "stages"
[methods.send]
params = { data = { text = { value = "lxx nb" } } }
[load]
closed = { concurrency = 64 }
warmup = { calls = 1000 }
[backends.any]
protocol = "binary-tcp"
"#;

struct Nobody;

impl Observer for Nobody {
    fn begins(&self) {}
    fn ends(&self) {}
}

/// Makes so many calls, one in `every` with stamps on both sides (0: none), and says what they took.
fn drive(protocol: &Protocol, every: u32, calls: u64) -> Duration {
    let mut scenario = Scenario::parse("stages", SCENARIO, &Registry).expect("a scenario");
    scenario.load.length = Amount::Calls(calls);
    let workload = scenario.workload(None);
    let service = Arc::new(workload.service());
    let records = Records { calls: None, stages: (every > 0).then(|| Arc::new(StampLog::new(every))) };
    let wiring = protocol.wiring_with(&service, 16, 1, records.clone()).expect("a wiring");
    let target = if wiring.local_handlers.is_some() {
        String::new()
    } else {
        let (protocol, service, wiring) = (protocol.clone(), Arc::clone(&service), Arc::clone(&wiring));
        serve_in_process(Serve { protocol, service, wiring, spin: false, log: Some(records) }, &[])
            .expect("a server on this machine")
    };
    let generator = Arc::new(Generator::new(&workload));
    let drive = Drive {
        protocol: protocol.clone(),
        payload_bytes: Arc::new(load::payload_bytes(&generator, service.methods.len())),
        service,
        wiring,
        target,
        generator,
        links: scenario.load.links(1_000).expect("connections"),
        errors: ErrorBudget::default(),
        load: scenario.load,
        write_batch: 16,
        pacing: Pacing::default(),
        seed: 1,
        cpus: Vec::new(),
        stages: (every > 0).then(|| Arc::new(StageProbe::new(every))),
    };
    let round = load::drive(&drive, &Nobody).expect("a round");
    assert_eq!(round.calls, calls);
    Duration::from_nanos(round.elapsed_ns)
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let mut group = criterion.benchmark_group("stages");
    for name in ["null", "binary-tcp"] {
        let protocol = registry::named(name, false).expect("a protocol of the registry");
        for (share, every) in [("off", 0), ("one in 32", 32), ("every call", 1)] {
            group.bench_function(format!("{name}/{share}"), |bencher| {
                bencher.iter_custom(|calls| drive(&protocol, every, calls.max(1)));
            });
        }
    }
    group.finish();
    criterion.final_summary();
}
