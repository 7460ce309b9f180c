//! What opening connections costs, with the real binary: every step is told where there is one, and how many.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::Value;
use support::{Sandbox, cell};

const CALLS: u64 = 60;
const PROTOCOLS: [&str; 6] = ["xmlrpc", "zerorpc", "grpc", "grpc-tonic", "binary-tcp", "null"];

fn scenario(load: &str) -> String {
    let mut text = format!(
        "name = \"c\"\n[methods.get]\nreturns = {{ text = {{ value = \"right\" }} }}\n[load]\ncalls = {CALLS}\n\
         warmup = {{ calls = 7 }}\nrounds = 1\nwire_calls = 0\nplacement = \"free\"\n{load}\n"
    );
    for name in PROTOCOLS {
        text.push_str(&format!("[backends.{name}]\nprotocol = \"{name}\"\n"));
    }
    text
}

/// How many samples a step has; `None` where it is null.
fn samples(cell: &Value, step: &str) -> Option<u64> {
    cell["connection_ns"][step]["samples"].as_u64()
}

#[test]
fn a_kept_connection_is_opened_once_and_its_first_call_told_though_it_was_in_the_warm_up() {
    let sandbox = Sandbox::new();
    sandbox.write("c.toml", scenario("closed = { concurrency = 3 }\nconnections = 3"));
    let (ended, run) = sandbox.measure(&["c.toml"]);
    for name in ["xmlrpc", "zerorpc", "grpc", "grpc-tonic", "binary-tcp"] {
        let cell = cell(&run, name);
        let handshake = name.starts_with("grpc").then_some(3);
        let found = ["resolve", "connect", "handshake", "first_call"].map(|step| samples(cell, step));
        assert_eq!(found, [None, Some(3), handshake, Some(3)], "{name}");
        assert!(cell["connection_ns"]["first_call"]["mean"].as_f64().unwrap() > 0.0);
    }
    assert!(!ended.stdout.contains("handshake p50"), "the run is not about connections: {}", ended.stdout);
}

#[test]
fn with_a_connection_per_call_every_call_is_a_first_one_and_both_tables_tell() {
    let sandbox = Sandbox::new();
    let text = scenario("[sweep]\nconnection_mode = [\"persistent\", \"per-call\"]");
    sandbox.write("c.toml", text);
    let (ended, run) = sandbox.measure(&["c.toml"]);
    let cells = run["cells"].as_array().unwrap();
    for cell in cells.iter().filter(|cell| cell["backend"] != "null") {
        let opened = if cell["load"]["connection_mode"] == "per-call" { CALLS } else { 1 };
        let name = format!("{} {}", cell["backend"], cell["point"]);
        assert_eq!(cell["connections_opened"], opened, "{name}");
        assert_eq!(samples(cell, "connect"), Some(opened), "{name}");
        assert_eq!(samples(cell, "first_call"), Some(opened), "{name}");
        // Connecting, the handshake and the call are what a call with its own connection takes.
        if opened == CALLS {
            let mean = |step: &str| cell["connection_ns"][step]["mean"].as_f64().unwrap_or(0.0);
            let parts = mean("connect") + mean("handshake") + mean("first_call");
            let service = cell["service_ns"]["mean"].as_f64().unwrap();
            assert!(parts > 0.5 * service && parts < 1.05 * service, "{name}: {parts} of {service}");
        }
    }
    assert!(
        ended.stdout.contains("handshake p50") && ended.stdout.contains("first call"),
        "{}",
        ended.stdout
    );
    let out = support::listing(&sandbox.path("")).into_iter().find(|name| name.starts_with("out-")).unwrap();
    let markdown = sandbox.run(["report", &out, "--format", "md"]);
    assert!(markdown.stdout.contains("| back end | opened | resolve p50 |"), "{}", markdown.stdout);
}

#[test]
fn a_name_is_resolved_and_that_is_a_step() {
    let sandbox = Sandbox::new();
    let running = sandbox.start(["serve", "seed", "--protocol", "binary-tcp"]);
    let line = support::wait_for(|| {
        std::fs::read_to_string(sandbox.path("tmp/stdout")).ok().filter(|text| text.contains('\n'))
    });
    let listening: Value = serde_json::from_str(line.trim()).unwrap();
    let port = listening["listening"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    let text = format!(
        "name = \"n\"\n[methods.getObj]\nreturns = {{ text = {{ value = \"lqz nb\" }} }}\n[load]\ncalls = 20\n\
         warmup = {{ calls = 2 }}\nrounds = 1\n[backends.named]\nurl = \"binary+tcp://localhost:{port}\"\n"
    );
    // The address of a server at a URL is as the user wrote it.
    sandbox.write("n.toml", text);
    let (_, run) = sandbox.measure(&["n.toml"]);
    assert_eq!(samples(cell(&run, "named"), "resolve"), Some(1));
    drop(running);
}
