//! One call after another from encoding to the decoded answer, by protocol, payload and connection mode.
//!
//! Each group is one connection mode and payload, so that criterion's report shows the protocols side
//! by side. The server is a thread of this process and shares the client's core, so that no call
//! waits for a halted core to wake; the payload goes there and comes back. The groups `per-call/…` open a
//! connection for every call: beside `persistent/…` of the same payload they show what that costs.
//!
//! These are figures for comparing changes of the code. For comparing protocols use `wirebench run`,
//! whose ends are processes of their own.
//!
//! Takes 4 min; `cargo bench --bench roundtrip -- persistent/user` does one group.

#![allow(clippy::expect_used)] // A bench that cannot be set up has nothing to say.

#[path = "support/caller.rs"]
mod caller;
#[path = "support/payloads.rs"]
mod payloads;

use std::sync::Arc;
use std::time::{Duration, Instant};

use caller::{Caller, call};
use criterion::{Criterion, Throughput};
use payloads::Payload;
use wirebench::host::placement::{allowed_cpus, pin_self};
use wirebench::protocol::registry;
use wirebench::rpc::{Answer, ConnectionMode, Field, Method, Service, ServiceMethod, Value};

/// A method per payload that gives it back.
fn echoes(payloads: &[Payload]) -> Arc<Service> {
    let echo = |payload: &Payload| ServiceMethod {
        method: Method {
            name: payload.name.into(),
            params: vec![Field::new("value", payload.ty.clone())],
            returns: payload.ty.clone(),
        },
        answer: Answer::Echo(0),
        stream_items: None,
        delay: None,
        fail_rate: 0.0,
    };
    Arc::new(Service { name: "echo".into(), methods: payloads.iter().map(echo).collect(), seed: 0 })
}

/// The time of so many calls.
fn time(caller: &Caller, mode: ConnectionMode, method: usize, arguments: &[Value], calls: u64) -> Duration {
    caller.run(async {
        let mut session = caller.open().await;
        // HTTP/2 and ZeroMQ have more to say at the start of a connection than a handshake.
        call(&mut session, method, arguments).await;
        let begun = Instant::now();
        for _ in 0..calls {
            if mode == ConnectionMode::PerCall {
                session = caller.open().await;
            }
            call(&mut session, method, arguments).await;
        }
        begun.elapsed()
    })
}

fn main() {
    let cpus: Vec<usize> =
        allowed_cpus().expect("the kernel tells the CPUs").last().map(|cpu| cpu.number).into_iter().collect();
    pin_self(&cpus).expect("a CPU of this process");
    let payloads = payloads::all();
    let service = echoes(&payloads);
    let callers: Vec<(&str, Caller)> = registry::NAMED
        .iter()
        .map(|row| registry::named(row.name, false).expect("a protocol"))
        .filter(|protocol| protocol.check(&service).is_ok())
        .map(|protocol| (protocol.name.unwrap_or("pair"), Caller::new(protocol, &service, &cpus)))
        .collect();

    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .nresamples(10_000)
        .configure_from_args();
    for mode in [ConnectionMode::Persistent, ConnectionMode::PerCall] {
        for (method, payload) in payloads.iter().enumerate() {
            let mut group = criterion.benchmark_group(format!("{}/{}", mode.name(), payload.name));
            group.throughput(Throughput::Elements(1));
            let arguments = std::slice::from_ref(&payload.value);
            for (name, caller) in &callers {
                group.bench_function(*name, |bencher| {
                    bencher.iter_custom(|calls| time(caller, mode, method, arguments, calls));
                });
            }
            group.finish();
        }
    }
    criterion.final_summary();
}
