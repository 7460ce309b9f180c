//! Bytes on the wire, as Wirebench's relay counts them, beside what another relay in another language
//! counts of the same calls; and what a run says when it cannot count.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/interop.rs"]
mod interop;
mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;
use support::{Sandbox, cell};

/// Calls of each method in the wire pass.
const CALLS: u64 = 20;

/// Two methods in a sequence, so that the pass takes them in this order.
const SCENARIO: &str = r#"
name = "wire"
seed = 7
[methods.get]
returns = { text = { value = "right" } }
[methods.store]
params = { blob = { bytes = { length = { min = 10, max = 3000 } } }, id = { int = { min = 1, max = 1000000 } } }
returns = { echo = "blob" }
[mix]
sequence = [ { method = "get", calls = 30 }, { method = "store", calls = 30 } ]
[load]
warmup = { calls = 5 }
rounds = 1
wire_calls = 20
"#;

/// A back end whose server stands behind the counting relay.
fn behind_relay(name: &str, protocol: &str, python: &Path, server: &[&str]) -> String {
    let relay = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/counting_relay.py");
    let log = format!("{name}.counts");
    let mut words = vec![python.to_str().unwrap(), relay.to_str().unwrap(), "{host}:{port}", &log];
    words.extend(server);
    format!("[backends.{name}]\nprotocol = \"{protocol}\"\ncommand = {words:?}\n")
}

/// What the other relay counted: bytes up and down of each connection on which the client spoke.
fn counted(sandbox: &Sandbox, name: &str) -> Vec<(u64, u64)> {
    let log = std::fs::read_to_string(sandbox.path(&format!("{name}.counts"))).unwrap();
    let mut connections: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for line in log.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let connection = connections.entry(words[0].parse().unwrap()).or_default();
        let bytes: u64 = words[2].parse().unwrap();
        if words[1] == "up" { connection.0 += bytes } else { connection.1 += bytes }
    }
    connections.into_values().filter(|(up, _)| *up > 0).collect()
}

/// Compares the passes of a run with the other relay's last connections, which are theirs. `share` is how
/// far the two may be apart.
#[track_caller]
fn expect_same(sandbox: &Sandbox, run: &Value, name: &str, share: f64) {
    let cell = cell(run, name);
    assert_eq!(cell["wire_note"], Value::Null, "{name}");
    let counted = counted(sandbox, name);
    let passes: Vec<&Value> = ["get", "store"].map(|method| &cell["methods"][method]["wire_pass"]).into();
    let connections: u64 = passes.iter().map(|pass| pass["connections"].as_u64().unwrap()).sum();
    let mut theirs = counted[counted.len() - usize::try_from(connections).unwrap()..].iter();
    for pass in passes {
        assert_eq!(pass["calls"], CALLS, "{name}");
        let of_method = theirs.by_ref().take(usize::try_from(pass["connections"].as_u64().unwrap()).unwrap());
        let (up, down) = of_method.fold((0, 0), |(up, down), (u, d)| (up + u, down + d));
        for (ours, theirs) in [(&pass["request_bytes"], up), (&pass["response_bytes"], down)] {
            let (ours, theirs) = (ours.as_f64().unwrap(), theirs as f64);
            assert!((ours - theirs).abs() <= share * theirs, "{name}: {ours} here, {theirs} there: {pass}");
        }
    }
    let wire = |direction: &str, what: &str| cell["bytes_per_call"][direction][what].as_f64().unwrap();
    for direction in ["request", "response"] {
        assert!(wire(direction, "wire") >= wire(direction, "encoded"), "{name}: {cell:#}");
    }
}

/// The python of the peers; the relay itself needs no package.
fn python() -> Option<std::path::PathBuf> {
    interop::python(&["zerorpc", "grpc"])
}

#[test]
fn another_relay_counts_the_same_of_our_servers() {
    let Some(python) = python() else { return };
    let sandbox = Sandbox::new();
    let mut text = SCENARIO.to_owned();
    let protocols = ["binary-tcp", "zerorpc", "xmlrpc", "grpc", "grpc-tonic"];
    for protocol in protocols {
        let server = [
            env!("CARGO_BIN_EXE_wirebench"),
            "serve",
            "--service-file",
            "{service}",
            "--protocol",
            protocol,
            "--listen",
            "127.0.0.1:INNER_PORT",
        ];
        text.push_str(&behind_relay(protocol, protocol, &python, &server));
    }
    sandbox.write("wire.toml", text);
    let (_, run) = sandbox.measure(&["wire.toml"]);
    for protocol in protocols {
        expect_same(&sandbox, &run, protocol, if protocol.starts_with("grpc") { 0.01 } else { 0.0 });
    }
}

#[test]
fn another_relay_counts_the_same_of_pythons_servers() {
    let Some(python) = python() else { return };
    let sandbox = Sandbox::new();
    let mut text = SCENARIO.to_owned();
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/peers/python");
    let servers: [(&str, &str, &str, &[&str], f64); 4] = [
        ("http10", "xmlrpc", "xmlrpc_server.py", &["--http", "1.0"], 0.0),
        ("http11", "xmlrpc", "xmlrpc_server.py", &["--http", "1.1"], 0.0),
        ("zerorpc", "zerorpc", "zerorpc_server.py", &[], 0.0),
        ("grpc", "grpc", "grpc_server.py", &[], 0.01),
    ];
    for (name, protocol, script, more, _) in servers {
        let script = peers.join(script);
        let mut server = vec![python.to_str().unwrap(), "-B", script.to_str().unwrap()];
        server.extend(["--host", "127.0.0.1", "--port", "INNER_PORT"]);
        server.extend(more);
        text.push_str(&behind_relay(name, protocol, &python, &server));
    }
    sandbox.write("wire.toml", text);
    let (_, run) = sandbox.measure(&["wire.toml"]);
    for (name, _, _, _, share) in servers {
        expect_same(&sandbox, &run, name, share);
    }
    let connections =
        |name: &str| cell(&run, name)["methods"]["get"]["wire_pass"]["connections"].as_u64().unwrap();
    assert_eq!((connections("http10"), connections("http11")), (CALLS, 1));
}

const OURS: [&str; 5] = ["binary-tcp", "zerorpc", "xmlrpc", "grpc", "null"];

fn with_ours(load: &str) -> String {
    let mut text = format!("{SCENARIO}{load}\n");
    for name in OURS {
        writeln!(text, "[backends.{name}]\nprotocol = \"{name}\"").unwrap();
    }
    text
}

#[test]
fn the_codecs_bytes_of_the_first_calls_are_the_same_in_every_run() {
    let first_calls = |load: &str| {
        let sandbox = Sandbox::new();
        sandbox.write("wire.toml", with_ours(load));
        let (_, run) = sandbox.measure(&["wire.toml"]);
        OURS.map(|name| cell(&run, name)["methods"]["store"]["encoded_bytes_first_calls"].clone())
    };
    let one = first_calls("");
    for (name, first) in OURS.iter().zip(&one) {
        if *name == "null" {
            assert_eq!(*first, Value::Null, "it has no wire");
            continue;
        }
        assert_eq!(first["calls"], CALLS, "{name}");
        assert!(first["request"].as_u64() > first["response"].as_u64(), "{name}: {first}");
        assert!(first["response"].as_u64().unwrap() > 10 * CALLS, "{name}: {first}");
    }
    assert_eq!(one, first_calls("connection_mode = \"per-call\""), "the mode is none of the codec's affair");
}

#[test]
fn a_connection_per_call_carries_its_handshake_every_time() {
    let wire = |load: &str| {
        let sandbox = Sandbox::new();
        sandbox.write("wire.toml", with_ours(load));
        let (_, run) = sandbox.measure(&["wire.toml"]);
        ["zerorpc", "grpc", "null"].map(|name| {
            let cell = cell(&run, name);
            (cell["bytes_per_call"]["request"]["wire"].as_f64(), cell["methods"]["get"]["wire_pass"].clone())
        })
    };
    let (persistent, per_call) = (wire(""), wire("connection_mode = \"per-call\""));
    // A ZMTP greeting and READY command of 94 bytes; HTTP/2's preface and settings.
    for (index, handshake) in [(0, 94.0), (1, 24.0)] {
        let (shared, own) = (persistent[index].0.unwrap(), per_call[index].0.unwrap());
        assert!(own - shared > handshake * 0.9, "{own} and {shared}");
        assert_eq!(per_call[index].1["connections"], CALLS);
        assert_eq!(persistent[index].1["connections"], 1);
    }
    assert_eq!(per_call[2], (None, Value::Null), "the null protocol has no wire");
}

#[test]
fn without_a_wire_pass_its_figures_are_null_and_the_run_is_as_good() {
    let sandbox = Sandbox::new();
    sandbox.write("wire.toml", with_ours(""));
    let (_, run) = sandbox.measure(&["wire.toml", "--only", "grpc", "--no-wire-pass"]);
    let cell = cell(&run, "grpc");
    assert_eq!(cell["bytes_per_call"]["request"]["wire"], Value::Null);
    assert_eq!(cell["methods"]["get"]["wire_pass"], Value::Null);
    assert_eq!(cell["load"]["wire_calls"], Value::Null);
    assert!(cell["bytes_per_call"]["request"]["framed"].as_f64().unwrap() > 0.0);
}
