//! Every way to host a server and to load it, with the real binary; and the gates on what comes out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fmt::Write as _;
use std::io::BufRead as _;
use std::process::{Child, Stdio};

use serde_json::Value;
use support::{Sandbox, cell, is_good};

const NAMED: [&str; 4] = ["xmlrpc", "zerorpc", "grpc", "binary-tcp"];

const METHODS: &str = r#"
name = "load"
seed = 7
[methods.get]
returns = { text = { value = "right" } }
[methods.store]
params = { blob = { bytes = { length = { min = 10, max = 300 } } }, id = { int = { min = 1, max = 1000000 } } }
returns = { echo = "blob" }
[mix]
weights = { get = 3, store = 1 }
"#;

/// A scenario with this `[load]` and the four named protocols.
fn scenario(load: &str, backends: &str) -> String {
    let mut text = format!("{METHODS}[load]\nwarmup = {{ calls = 10 }}\nrounds = 1\n{load}\n{backends}\n");
    if backends.is_empty() {
        for name in NAMED {
            writeln!(text, "[backends.{name}]\nprotocol = \"{name}\"").unwrap();
        }
    }
    text
}

/// Runs a scenario that must come out well, without an error.
#[track_caller]
fn measured(text: &str) -> Value {
    let sandbox = Sandbox::new();
    sandbox.write("load.toml", text);
    let (_, run) = sandbox.measure(&["load.toml"]);
    sandbox.expect_clean();
    for cell in run["cells"].as_array().unwrap() {
        assert_eq!((&cell["wrong_answers"], cell["errors"].to_string().as_str()), (&Value::from(0), "{}"));
    }
    run
}

/// The counts and bytes per method of every back end, as its client summed them up.
fn counts(sandbox: &Sandbox, load: &str) -> Vec<(String, Value)> {
    sandbox.write("load.toml", scenario(load, ""));
    let _ = std::fs::remove_dir_all(sandbox.path("out"));
    let ended = sandbox.run(["run", "load.toml", "--out", "out"]);
    assert!(matches!(ended.code, Some(0 | 3)), "{ended:#?}");
    let rounds = std::fs::read_to_string(sandbox.path("out/rounds.jsonl")).unwrap();
    let mut found: Vec<(String, Value)> = rounds
        .lines()
        .map(|line| {
            let round: Value = serde_json::from_str(line).unwrap();
            (round["cell"]["backend"].as_str().unwrap().to_owned(), round["result"]["methods"].clone())
        })
        .collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(found.len(), 4);
    found
}

#[test]
fn the_same_seed_gives_the_same_calls_and_bytes_however_the_load_is_split() {
    let sandbox = Sandbox::new();
    let one = counts(&sandbox, "calls = 400\nclosed = { concurrency = 1 }");
    for (backend, methods) in &one {
        let calls = |method: &str| methods[method]["calls"].as_u64().unwrap();
        assert_eq!(calls("get") + calls("store"), 400, "{backend}");
        assert!(calls("store") > 40 && calls("get") > 200, "{backend}: {methods}");
        assert!(methods["store"]["request_encoded_bytes"].as_u64().unwrap() > 0);
    }
    for load in [
        "calls = 400\nclosed = { concurrency = 7 }",
        "calls = 400\nclosed = { concurrency = 64 }\nclient_threads = 2\nplacement = \"free\"",
        "calls = 400\nclosed = { concurrency = 3 }\nclient_threads = 3\nserver_threads = 2\nplacement = \"free\"",
        "calls = 400\nopen = { rate_per_s = 2000 }\nclient_threads = 2\nplacement = \"free\"",
    ] {
        assert_eq!(counts(&sandbox, load), one, "{load}");
    }
    let text = scenario("calls = 400\nclosed = { concurrency = 1 }", "").replace("seed = 7", "seed = 8");
    assert_ne!(text, std::fs::read_to_string(sandbox.path("load.toml")).unwrap());
    sandbox.write("other.toml", text);
    let (_, other) = sandbox.measure(&["other.toml"]);
    let store = &cell(&other, "grpc")["methods"]["store"];
    let same = one.iter().find(|(name, _)| name == "grpc").unwrap();
    let mean = same.1["store"]["request_encoded_bytes"].as_f64().unwrap()
        / same.1["store"]["calls"].as_f64().unwrap();
    assert_ne!(store["bytes_per_call"]["request"]["encoded"].as_f64().unwrap(), mean);
}

#[test]
fn per_call_connections_are_opened_for_every_call_on_every_named_protocol() {
    let run = measured(&scenario(
        "calls = 40\nclosed = { concurrency = 2 }\nconnection_mode = \"per-call\"\nconnections = 2\nin_flight = 1",
        "",
    ));
    for name in NAMED {
        let cell = cell(&run, name);
        assert_eq!(cell["calls"], 40);
        assert_eq!(cell["load"]["connection_mode"], "per-call");
        let opened = cell["connections_opened"].as_u64().unwrap();
        assert!(opened >= 40, "{name}: {opened}");
    }
}

#[test]
fn an_open_loop_offers_what_is_due() {
    let run =
        measured(&scenario("duration = \"500ms\"\nopen = { rate_per_s = 200, arrivals = \"poisson\" }", ""));
    for name in NAMED {
        let cell = cell(&run, name);
        assert_eq!(cell["load"]["model"], "open");
        let (calls, offered) =
            (cell["calls"].as_u64().unwrap(), cell["offered_rate_per_s"].as_f64().unwrap());
        assert!((50..200).contains(&calls), "{name}: {calls}");
        assert!((100.0..400.0).contains(&offered), "{name}: {offered}");
        assert!(cell["lag_ns"]["p50"].is_u64() && cell["response_ns"]["p50"].is_u64(), "{cell:#}");
        assert!(cell["wait_ns"]["p50"].is_u64());
    }
}

#[test]
fn a_sweep_makes_a_cell_of_every_combination() {
    let backends =
        "[sweep]\nconcurrency = [1, 4]\npayload = [16, 2048]\n[backends.tcp]\nprotocol = \"binary-tcp\"\n";
    let run = measured(&scenario("calls = 60\nclosed = { concurrency = 1 }", backends));
    let cells = run["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 4);
    let mut points: Vec<&str> = cells.iter().map(|cell| cell["point"].as_str().unwrap()).collect();
    points.sort_unstable();
    points.dedup();
    assert_eq!(points.len(), 4, "{points:?}");
    for cell in cells {
        let payload = cell["load"]["payload_bytes"].as_f64().unwrap();
        let sent = cell["methods"]["store"]["bytes_per_call"]["request"]["encoded"].as_f64().unwrap();
        assert!(sent >= payload && sent < payload + 32.0, "{payload} bytes were {sent} on the way");
    }
}

/// The cores on which a process may run, as the kernel writes them.
fn allowed_cores(pid: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    Some(line.trim().to_owned())
}

#[test]
fn a_free_cell_is_free_beside_one_that_is_not() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "placed.toml",
        "name = \"placed\"\n[methods.get]\nreturns = \"nil\"\n[load]\nclosed = { concurrency = 1 }\n\
         duration = \"700ms\"\nrounds = 2\n[sweep]\nplacement = [\"shared\", \"free\"]\n\
         [backends.tcp]\nprotocol = \"binary-tcp\"\n",
    );
    let running = sandbox.start(["run", "placed.toml", "--out", "out"]);
    let own = running.pid();
    let mut servers = std::collections::BTreeSet::new();
    while std::path::Path::new(&format!("/proc/{own}/exe")).read_link().is_ok() {
        for (pid, command) in sandbox.processes() {
            if command.get(1).is_some_and(|word| word == "serve") {
                servers.extend(allowed_cores(&pid.to_string()));
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let ended = running.end();
    assert!(matches!(ended.code, Some(0 | 3)), "{ended:?}");
    let all = allowed_cores("self").unwrap();
    assert!(servers.contains(&all), "a free server is kept to {servers:?} of {all}");
    let cores = std::thread::available_parallelism().unwrap().get();
    assert!(cores == 1 || servers.iter().any(|set| *set != all), "no server was placed: {servers:?}");
}

#[test]
fn threads_of_client_and_server_share_the_calls() {
    let load = "calls = 300\nclosed = { concurrency = 8 }\nclient_threads = 2\nserver_threads = 2\n\
                placement = \"free\"";
    let run = measured(&scenario(load, ""));
    for name in NAMED {
        let cell = cell(&run, name);
        assert_eq!(cell["calls"], 300);
        assert_eq!(
            (&cell["load"]["client_threads"], &cell["load"]["server_threads"]),
            (&2.into(), &2.into())
        );
    }
}

#[test]
fn an_in_process_server_is_labelled_and_leaves_no_figures_of_a_server_process() {
    let backends = "[backends.inside]\nprotocol = \"grpc\"\nhosting = \"in-process\"\n\
                    [backends.nowhere]\nprotocol = \"null\"\n\
                    [backends.pair]\ncodec = \"msgpack\"\ntransport = \"tcp\"\nhosting = \"in-process\"\n";
    let run = measured(&scenario("calls = 100\nclosed = { concurrency = 4 }", backends));
    for name in ["inside", "nowhere", "pair"] {
        let cell = cell(&run, name);
        assert_eq!((&cell["calls"], &cell["hosting"]), (&100.into(), &"in-process".into()));
        assert_eq!(cell["rss_peak_bytes"]["server"], Value::Null);
    }
    assert_eq!(cell(&run, "pair")["protocol"], Value::Null);
}

/// A `wirebench serve` that is killed at the end.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let mut command = sandbox.wirebench(["serve", "load.toml"].iter().chain(arguments));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        Self { child, address: said["listening"].as_str().unwrap().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_external_server_is_measured_at_its_address_and_left_running() {
    let sandbox = Sandbox::new();
    sandbox.write("load.toml", scenario("calls = 100\nclosed = { concurrency = 2 }", ""));
    let servers = NAMED.map(|name| Server::start(&sandbox, &["--protocol", name]));
    let schemes = ["xmlrpc+http://A/RPC2", "zerorpc+tcp://A", "grpc+http://A", "binary+tcp://A"];
    let mut backends = String::new();
    for ((name, scheme), server) in NAMED.iter().zip(schemes).zip(&servers) {
        writeln!(backends, "[backends.{name}]\nurl = \"{}\"", scheme.replace('A', &server.address)).unwrap();
    }
    sandbox.write("external.toml", scenario("calls = 100\nclosed = { concurrency = 2 }", &backends));
    for _ in 0..2 {
        let (_, run) = sandbox.measure(&["external.toml"]);
        for name in NAMED {
            let cell = cell(&run, name);
            assert_eq!((&cell["calls"], &cell["hosting"]), (&100.into(), &"external".into()));
            assert_eq!(cell["cpu_us_per_call"]["server"], Value::Null);
            assert_eq!(cell["errors"].to_string(), "{}");
        }
    }
}

#[test]
fn an_external_server_that_is_not_there_is_a_failed_row() {
    let sandbox = Sandbox::new();
    // Bound and not accepting: nobody else gets the port meanwhile.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    drop(taken);
    let backends = format!(
        "[backends.far]\nurl = \"binary+tcp://{address}\"\n[backends.near]\nprotocol = \"binary-tcp\"\n"
    );
    sandbox.write("far.toml", scenario("calls = 50\nclosed = { concurrency = 1 }", &backends));
    sandbox.run(["run", "far.toml"]).expect_code(3);
    let run = sandbox.result(&sandbox.only_run());
    support::expect_reason(cell(&run, "far"), "failed", &[&address, "does not answer"]);
    assert!(is_good(cell(&run, "near")));
}

#[test]
fn gates_decide_the_exit_code() {
    let sandbox = Sandbox::new();
    for (slo, code, outcome) in [
        ("\"errors == 0\", \"p50 <= 1h\", \"rate >= 0.001/s\"", 0, Some(true)),
        ("\"p50 <= 1ns\"", 1, Some(false)),
        ("\"rate >= 1000000000/s\"", 1, Some(false)),
        // 50 calls do not tell a quantile of one in ten thousand.
        ("\"p9999 <= 1h\"", 3, None),
    ] {
        let backends = format!("[gates]\nslo = [{slo}]\n[backends.tcp]\nprotocol = \"binary-tcp\"\n");
        sandbox.write("gated.toml", scenario("calls = 50\nclosed = { concurrency = 1 }", &backends));
        let _ = std::fs::remove_dir_all(sandbox.path("out"));
        let ended = sandbox.run(["run", "gated.toml", "--out", "out"]);
        let run = sandbox.result(&sandbox.path("out"));
        if cell(&run, "tcp")["verdict"]["status"] != "valid" {
            assert!(is_good(cell(&run, "tcp")), "{run:#}");
            eprintln!("the machine was too busy to decide {slo}");
            continue;
        }
        let ended = ended.expect_code(code);
        let gates = run["gates"].as_array().unwrap();
        assert!(gates.iter().all(|gate| gate["met"].as_bool() == outcome), "{gates:#?}");
        assert!(ended.stdout.contains("gate"), "{}", ended.stdout);
    }
}
