//! The stages of a call, with the real binary: over every protocol, load and hosting they are there, are
//! matched, and add up to the service time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fmt::Write as _;

use serde_json::Value;
use support::{Sandbox, cell};

const AT_THE_SERVER: [&str; 5] =
    ["request_transport", "server_decode", "handler", "server_encode", "response_transport"];

const METHODS: &str = r#"
name = "stages"
seed = 7
[methods.get]
returns = { text = { value = "right" } }
[methods.store]
params = { blob = { bytes = { length = { min = 10, max = 300 } } } }
returns = { echo = "blob" }
[methods.slow]
service_time = { fixed = "3ms" }
[mix]
weights = { get = 3, store = 3, slow = 1 }
[load]
warmup = { calls = 10 }
rounds = 1
wire_calls = 0
placement = "free"
"#;

/// Runs METHODS with more of `[load]` and these back ends, and gives the run.
#[track_caller]
fn measured(text: &str, load: &str, backends: &[(&str, &str)]) -> Value {
    let sandbox = Sandbox::new();
    let mut text = format!("{text}{load}\n");
    for (name, lines) in backends {
        writeln!(text, "[backends.{name}]\n{lines}").unwrap();
    }
    sandbox.write("stages.toml", text);
    let (_, run) = sandbox.measure(&["stages.toml"]);
    sandbox.expect_clean();
    run
}

fn mean(cell: &Value, stage: &str) -> Option<f64> {
    cell["stages_ns"][stage]["mean"].as_f64()
}

/// Fails unless these stages are there and no other, every sampled call was matched, and the means add up.
#[track_caller]
fn expect_stages(cell: &Value, stages: &[&str]) {
    let name = &cell["backend"];
    let found: Vec<&str> = cell["stages_ns"]
        .as_object()
        .unwrap_or_else(|| panic!("{name} has no stages"))
        .iter()
        .filter(|(_, stage)| !stage.is_null())
        .map(|(stage, _)| stage.as_str())
        .collect();
    let mut expected = stages.to_vec();
    expected.sort_unstable();
    let mut sorted = found.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected, "{name}");
    let check = &cell["stages_check"];
    assert_eq!(check["unmatched"], 0, "{name}: {check}");
    assert!(check["samples"].as_u64().unwrap() >= 20, "{name}: {check}");
    assert!(check["difference"].as_f64().unwrap().abs() < 0.05, "{name}: {check}");
    // The histograms keep three digits.
    let sum: f64 = found.iter().map(|stage| mean(cell, stage).unwrap()).sum();
    let service = check["service_mean_ns"].as_f64().unwrap();
    let per_stage = |stage: &&str| cell["stages_ns"][*stage]["samples"].as_u64().unwrap();
    let everywhere = found.iter().all(|stage| per_stage(stage) == check["samples"].as_u64().unwrap());
    assert!(!everywhere || (sum / service - 1.0).abs() < 0.05, "{name}: {sum} of {service}");
}

fn all_stages() -> Vec<&'static str> {
    [&["client_encode"], &AT_THE_SERVER[..], &["client_decode"]].concat()
}

const EVERY_STACK: [(&str, &str); 10] = [
    ("xmlrpc", "protocol = \"xmlrpc\""),
    ("zerorpc", "protocol = \"zerorpc\""),
    ("grpc", "protocol = \"grpc\""),
    ("grpc-tonic", "protocol = \"grpc-tonic\""),
    ("binary-tcp", "protocol = \"binary-tcp\""),
    ("null", "protocol = \"null\""),
    ("xml-over-zmq", "codec = \"xml\"\ntransport = \"zmq\""),
    ("json-over-http", "codec = \"json\"\ntransport = \"http1\""),
    ("grpc-unix", "protocol = \"grpc\"\nlisten = \"unix\""),
    ("in-process", "protocol = \"zerorpc\"\nhosting = \"in-process\""),
];

#[test]
fn every_protocol_has_every_stage_and_they_add_up() {
    let run = measured(METHODS, "calls = 600\nstage_samples = 4", &EVERY_STACK);
    for (name, _) in EVERY_STACK {
        let cell = cell(&run, name);
        expect_stages(cell, &all_stages());
        // One call in seven waits 3 ms in its handler, on average a little more than a seventh of 3 ms.
        assert!(mean(cell, "handler").unwrap() > 150_000.0, "{name}: {}", cell["stages_ns"]["handler"]);
        assert_eq!(cell["load"]["stage_samples"], 4);
    }
}

#[test]
fn many_calls_in_flight_on_many_connections_and_threads_are_matched() {
    let load = "calls = 2000\nstage_samples = 3\nclosed = { concurrency = 24 }\nconnections = 24\n\
                client_threads = 2\nserver_threads = 2";
    // The in-process server and the null one take part too.
    let run = measured(METHODS, load, &EVERY_STACK[..8]);
    for (name, _) in &EVERY_STACK[..8] {
        expect_stages(cell(&run, name), &all_stages());
    }
    let load = "calls = 2000\nstage_samples = 3\nclosed = { concurrency = 24 }\nconnections = 2";
    let multiplexing = ["zerorpc", "grpc", "grpc-tonic", "binary-tcp", "xml-over-zmq"];
    let backends = EVERY_STACK.into_iter().filter(|(name, _)| multiplexing.contains(name));
    let run = measured(METHODS, load, &backends.collect::<Vec<_>>());
    for name in multiplexing {
        expect_stages(cell(&run, name), &all_stages());
    }
}

#[test]
fn with_a_connection_per_call_opening_it_is_a_stage() {
    let backends = &EVERY_STACK[..5];
    let load = "calls = 400\nstage_samples = 2\nconnection_mode = \"per-call\"";
    let run = measured(METHODS, load, backends);
    for (name, _) in backends {
        let cell = cell(&run, name);
        expect_stages(cell, &[&["connecting"], &all_stages()[..]].concat());
        assert!(mean(cell, "connecting").unwrap() > 1_000.0, "{name}");
    }
}

#[test]
fn an_open_loop_has_stages_as_well() {
    let load = "open = { rate_per_s = 400 }\ncalls = 200\nstage_samples = 1";
    let run = measured(METHODS, load, &[EVERY_STACK[2]]);
    expect_stages(cell(&run, "grpc"), &all_stages());
}

#[test]
fn a_stream_has_the_stages_of_its_first_item_and_one_for_the_rest() {
    let methods = "name = \"s\"\n[methods.feed]\nstream = { items = 150 }\n\
                   returns = { text = { length = 20 } }\n[load]\nwarmup = { calls = 2 }\nrounds = 1\n\
                   wire_calls = 0\n";
    let backends: Vec<_> =
        EVERY_STACK.into_iter().filter(|(name, _)| !["xmlrpc", "json-over-http"].contains(name)).collect();
    let run = measured(methods, "calls = 60\nstage_samples = 1", &backends);
    for (name, _) in backends {
        expect_stages(cell(&run, name), &[&all_stages()[..], &["following_items"]].concat());
    }
}

#[test]
fn a_foreign_servers_part_is_one_stage_and_switched_off_there_is_none() {
    let serve = |protocol: &str| {
        let words = [
            env!("CARGO_BIN_EXE_wirebench"),
            "serve",
            "--service-file",
            "{service}",
            "--protocol",
            protocol,
            "--listen",
            "{host}:{port}",
        ];
        format!("protocol = \"{protocol}\"\ncommand = {words:?}")
    };
    let (xmlrpc, grpc) = (serve("xmlrpc"), serve("grpc"));
    let backends = [("xmlrpc", xmlrpc.as_str()), ("grpc", grpc.as_str())];
    let run = measured(METHODS, "calls = 200\nstage_samples = 2", &backends);
    for (name, _) in backends {
        let cell = cell(&run, name);
        expect_stages(cell, &["client_encode", "transport_and_server", "client_decode"]);
        assert!(mean(cell, "transport_and_server").unwrap() > 150_000.0, "{name}");
    }

    let sandbox = Sandbox::new();
    sandbox.write("stages.toml", format!("{METHODS}calls = 100\n[backends.grpc]\nprotocol = \"grpc\"\n"));
    let (_, run) = sandbox.measure(&["stages.toml", "--no-stages"]);
    let cell = cell(&run, "grpc");
    assert_eq!((&cell["stages_ns"], &cell["stages_check"]), (&Value::Null, &Value::Null));
    assert_eq!(cell["load"]["stage_samples"], Value::Null);
}
