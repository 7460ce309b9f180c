//! Streams in scenarios: every item is compared, counted and timed, on every protocol that has
//! streams; the others refuse them before the run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use serde_json::Value as Json;
use wirebench::host::{Serve, serve_in_process};
use wirebench::load::{self, Drive, Observer, Pacing};
use wirebench::protocol::registry;
use wirebench::result::{RoundResult, hlog};
use wirebench::rpc::{Answer, CallError, Service, Value};
use wirebench::scenario::{Catalogue, ErrorBudget, Generator, Scenario};

const METHODS: &str = r#"
name = "feed"
seed = 7
[methods.feed]
params = { from = "int" }
returns = { text = { length = 20 } }
stream = { items = ITEMS }
[methods.ping]
returns = "nil"
[mix]
weights = { feed = 1, ping = 1 }
"#;

fn scenario(items: u64, load: &str, backends: &str) -> String {
    let methods = METHODS.replace("ITEMS", &items.to_string());
    format!("{methods}[load]\nrounds = 1\ntimeout = \"20s\"\nplacement = \"free\"\n{load}\n{backends}\n")
}

fn wirebench(folder: &Path, text: &str, arguments: &[&str]) -> Output {
    let file = folder.join("feed.toml");
    std::fs::write(&file, text).unwrap();
    Command::new(env!("CARGO_BIN_EXE_wirebench"))
        .arg("run")
        .arg(&file)
        .arg("--out")
        .arg(folder.join("out"))
        .args(arguments)
        .output()
        .unwrap()
}

/// Runs a scenario and gives its cells.
fn cells(text: &str) -> Vec<Json> {
    let folder = tempfile::tempdir().unwrap();
    let output = wirebench(folder.path(), text, &[]);
    let run = std::fs::read(folder.path().join("out/run.json"))
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let run: Json = serde_json::from_slice(&run).unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("items/call"), "{told}");
    run["cells"].as_array().unwrap().clone()
}

/// What must be true of every cell, whatever the machine's mood.
fn check(cell: &Json, items: u64) {
    let name = &cell["backend"];
    let feed = &cell["methods"]["feed"];
    let calls = feed["calls"].as_u64().unwrap();
    assert!(calls > 0, "{name}: {cell}");
    assert_eq!(cell["wrong_answers"], 0, "{name}");
    assert_eq!(cell["errors"], serde_json::json!({}), "{name}: {}", cell["error_examples"]);
    assert_eq!(feed["items"], calls * items, "{name}");
    assert_eq!(feed["first_item_ns"]["samples"], calls, "{name}");
    let ns = |of: &str, figure: &str| feed[of][figure].as_u64().unwrap();
    assert!(ns("first_item_ns", "min") > 0, "{name}");
    assert!(ns("first_item_ns", "max") <= ns("service_ns", "max"), "{name}");
    let mean_s = feed["service_ns"]["mean"].as_f64().unwrap() / 1e9;
    let per_s = feed["items_per_s"].as_f64().unwrap();
    assert!((per_s * mean_s / items as f64 - 1.0).abs() < 1e-9, "{name}: {per_s}");
    let ping = &cell["methods"]["ping"];
    assert!(
        ping["first_item_ns"].is_null() && ping["items"].is_null(),
        "{name}: a unary method has no items"
    );
}

const OURS: &str = r#"
[backends.zerorpc]
protocol = "zerorpc"
[backends.grpc]
protocol = "grpc"
[backends.grpc-tonic]
protocol = "grpc-tonic"
[backends.binary-tcp]
protocol = "binary-tcp"
[backends.null]
protocol = "null"
[backends.json-zmq]
codec = "json"
transport = "zmq"
[backends.xml-http2]
codec = "xml"
transport = "http2"
"#;

#[test]
fn ten_thousand_items_per_call_are_checked_and_timed_in_a_closed_loop() {
    let load =
        "closed = { concurrency = 2 }\nconnections = 1\nin_flight = 2\ncalls = 4\nwarmup = { calls = 1 }";
    let cells = cells(&scenario(10_000, load, OURS));
    assert_eq!(cells.len(), 7);
    cells.iter().for_each(|cell| check(cell, 10_000));
}

#[test]
fn items_are_checked_and_timed_in_an_open_loop_and_with_a_connection_per_call() {
    let load = "open = { rate_per_s = 40 }\nconnection_mode = \"per-call\"\nconnections = 8\nin_flight = 1\nduration = \"500ms\"\nwarmup = \"100ms\"";
    for cell in cells(&scenario(300, load, OURS)) {
        check(&cell, 300);
    }
}

#[test]
fn python_servers_stream_ten_thousand_items() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    if !python.exists() {
        assert!(std::env::var_os("WIREBENCH_REQUIRE_PEERS").is_none(), "run ./scripts/setup-python");
        eprintln!("skipped: no .venv; run ./scripts/setup-python");
        return;
    }
    let backend = |name: &str| {
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scripts/peers/python/{name}_server.py"));
        format!(
            "[backends.python-{name}]\nprotocol = \"{name}\"\ncommand = [{:?}, {:?}, \"--host\", \"{{host}}\", \"--port\", \"{{port}}\"]\n",
            python, script
        )
    };
    let load = "closed = { concurrency = 1 }\ncalls = 4\nwarmup = { calls = 1 }";
    let cells = cells(&scenario(10_000, load, &(backend("zerorpc") + &backend("grpc"))));
    assert_eq!(cells.len(), 2);
    cells.iter().for_each(|cell| check(cell, 10_000));
}

#[test]
fn a_protocol_without_streams_is_refused_before_the_run_or_left_out_on_demand() {
    let load = "closed = { concurrency = 1 }\ncalls = 4\nwarmup = { calls = 1 }";
    for (backend, sentence) in [
        ("[backends.x]\nprotocol = \"xmlrpc\"", "xmlrpc cannot carry streams (feed)"),
        ("[backends.x]\ncodec = \"msgpack\"\ntransport = \"http1\"", "http1 cannot carry streams (feed)"),
    ] {
        let text = scenario(10, load, &format!("{backend}\n[backends.n]\nprotocol = \"null\""));
        let folder = tempfile::tempdir().unwrap();
        let output = wirebench(folder.path(), &text, &[]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(sentence), "{told}");
        assert!(!folder.path().join("out").exists(), "nothing is measured");
        let output = wirebench(folder.path(), &text, &["--skip-unsupported"]);
        let run = std::fs::read_to_string(folder.path().join("out/run.json"))
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        let run: Json = serde_json::from_str(&run).unwrap();
        assert_eq!(run["skipped"][0]["backend"], "x");
        assert!(run["skipped"][0]["why"].as_str().unwrap().contains(sentence), "{}", run["skipped"]);
        assert_eq!(run["cells"].as_array().unwrap().len(), 1);
    }
}

struct Nobody;

impl Observer for Nobody {
    fn begins(&self) {}
    fn ends(&self) {}
}

/// The names a scenario may use.
struct Names;

impl Catalogue for Names {
    fn protocols(&self) -> Vec<&str> {
        registry::NAMED.iter().map(|row| row.name).collect()
    }
    fn codecs(&self) -> Vec<&str> {
        Vec::new()
    }
    fn transports(&self) -> Vec<&str> {
        Vec::new()
    }
    fn schemes(&self) -> Vec<(&str, &str)> {
        Vec::new()
    }
    fn max_in_flight(&self, _kind: &wirebench::scenario::BackendKind) -> u32 {
        1_000
    }
}

/// A round of 20 items a stream against a server whose service was changed.
fn round(protocol: &str, change: impl FnOnce(&mut Service)) -> RoundResult {
    let load = "closed = { concurrency = 1 }\ncalls = 8\nwarmup = { calls = 2 }\ntimeout = \"120ms\"";
    let backends = format!("[backends.x]\nprotocol = \"{protocol}\"");
    let text = scenario(20, load, &backends).replace("timeout = \"20s\"\n", "");
    let scenario = Scenario::parse("feed.toml", &text, &Names).unwrap_or_else(|error| panic!("{error}"));
    let protocol = registry::named(protocol, false).unwrap();
    let workload = scenario.workload(None);
    let service = Arc::new(workload.service());
    let mut offered = (*service).clone();
    change(&mut offered);
    let offered = Arc::new(offered);
    let serve = Serve {
        wiring: protocol.wiring(&offered, 16, 1).unwrap(),
        protocol: protocol.clone(),
        service: offered,
        spin: false,
        log: None,
    };
    let target = serve_in_process(serve, &[]).unwrap();
    let generator = Arc::new(Generator::new(&workload));
    let drive = Drive {
        stages: None,
        wiring: protocol.wiring(&service, 16, 1).unwrap(),
        protocol,
        target,
        payload_bytes: Arc::new(load::payload_bytes(&generator, service.methods.len())),
        generator,
        service,
        links: scenario.load.links(1_000).unwrap(),
        errors: ErrorBudget::default(),
        load: scenario.load,
        write_batch: 16,
        pacing: Pacing::default(),
        seed: 7,
        cpus: Vec::new(),
    };
    load::drive(&drive, &Nobody).unwrap()
}

const STREAMING: [&str; 4] = ["zerorpc", "grpc", "grpc-tonic", "binary-tcp"];

#[test]
fn a_stream_with_too_few_or_too_many_items_is_a_wrong_answer() {
    for protocol in STREAMING {
        for items in [19, 21] {
            let round = round(protocol, |service| service.methods[0].stream_items = Some(items));
            let feed = &round.methods["feed"];
            assert!(feed.calls > 0 && feed.wrong_answers == feed.calls, "{protocol}: {feed:?}");
            let example = &round.wrong_examples[0];
            assert_eq!((&*example.expected, &*example.found), ("20 items", &*format!("{items} items")));
            let recorded = hlog::read(&round.hlog).unwrap();
            assert!(recorded.iter().all(|interval| interval.method == "ping"), "{protocol}");
        }
    }
}

#[test]
fn an_item_that_is_not_the_expected_one_is_a_wrong_answer() {
    for protocol in STREAMING {
        let round = round(protocol, |service| {
            service.methods[0].answer = Answer::Value(Value::Text("another".into()));
        });
        let feed = &round.methods["feed"];
        assert!(feed.calls > 0 && feed.wrong_answers == feed.calls, "{protocol}: {feed:?}");
        assert_eq!(feed.items, Some(feed.calls * 20), "the stream is read to its end");
        assert!(round.wrong_examples[0].found.ends_with("as item 1"), "{:?}", round.wrong_examples);
    }
}

#[test]
fn one_answer_where_a_stream_was_expected_and_the_other_way_round_are_wrong() {
    for protocol in STREAMING {
        let unary = round(protocol, |service| service.methods[0].stream_items = None);
        let feed = &unary.methods["feed"];
        assert!(feed.wrong_answers == feed.calls && feed.calls > 0, "{protocol}: {feed:?}");
        let stream = round(protocol, |service| service.methods[1].stream_items = Some(3));
        let ping = &stream.methods["ping"];
        assert!(ping.wrong_answers + ping.errors.values().sum::<u64>() > 0, "{protocol}: {ping:?}");
        assert!(stream.methods["feed"].calls > 0 && stream.methods["feed"].wrong_answers == 0, "{protocol}");
    }
}

#[test]
fn the_time_out_of_a_stream_counts_from_its_start_to_its_end() {
    use wirebench::rpc::{Delay, ErrorClass, Hold, How};
    for protocol in STREAMING {
        let round = round(protocol, |service| {
            let delay = Delay { hold: Hold::Fixed(2_000_000_000), stall: None, how: How::Sleep };
            service.methods[0].delay = Some(delay);
        });
        let feed = &round.methods["feed"];
        assert_eq!(feed.calls, 0, "{protocol}: {feed:?}");
        assert!(feed.errors[&ErrorClass::Timeout] > 0, "{protocol}: {feed:?}");
        let message = CallError::Timeout { after_ms: 120 }.to_string();
        assert_eq!(round.error_examples[0].message, message);
    }
}
