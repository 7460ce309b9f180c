//! Tests of the whole: files to scenarios to calls.

use super::*;
use crate::rpc::{Type, Value};

mod errors;
mod generator;
mod load_shapes;
mod meant;
mod schema;

/// The protocols of DESIGN.md, without their code.
pub(in crate::scenario) struct Fixed;

impl Catalogue for Fixed {
    fn protocols(&self) -> Vec<&str> {
        vec!["xmlrpc", "zerorpc", "grpc", "grpc-tonic", "binary-tcp", "null"]
    }

    fn codecs(&self) -> Vec<&str> {
        vec!["xml", "msgpack", "protobuf", "postcard", "json"]
    }

    fn transports(&self) -> Vec<&str> {
        vec!["http1", "http2", "zmq", "tcp"]
    }

    fn schemes(&self) -> Vec<(&str, &str)> {
        vec![
            ("xmlrpc+http", "xmlrpc"),
            ("zerorpc+tcp", "zerorpc"),
            ("grpc+http", "grpc"),
            ("grpc+unix", "grpc"),
            ("binary+tcp", "binary-tcp"),
        ]
    }

    fn max_in_flight(&self, kind: &BackendKind) -> u32 {
        match kind {
            BackendKind::Protocol(name) if name == "xmlrpc" => 1,
            BackendKind::Pair { transport, .. } if transport == "http1" => 1,
            _ => 1_000,
        }
    }
}

fn parse(text: &str) -> Scenario {
    Scenario::parse("test.toml", text, &Fixed).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_seed_scenario_is_the_article() {
    let scenario = parse(include_str!("../../../scenarios/seed.toml"));
    assert_eq!(
        scenario.methods.iter().map(|method| &*method.name).collect::<Vec<_>>(),
        ["getObj", "sendObj"]
    );
    assert_eq!(scenario.mix, Mix::Sequence(vec![(0, 500), (1, 500)]));
    assert_eq!(scenario.load.length, Amount::Calls(1_000));
    assert_eq!(scenario.backends.len(), 8);
    let json = serde_json::to_string(&scenario).unwrap();
    assert_eq!(serde_json::from_str::<Scenario>(&json).unwrap(), scenario);
}

#[test]
fn the_quick_scenario_parses() {
    let scenario = parse(include_str!("../../../scenarios/quick.toml"));
    assert_eq!(scenario.methods.len(), 4);
}

#[test]
fn the_example_of_the_design_means_what_it_says() {
    let scenario = parse(
        r#"
name = "Seed (v2)"
[methods.store]
params  = { user = { struct = { id = { int = { min = 1, max = 1000000 } },
                                tags = { list = { of = { text = { length = 12 } }, length = 5 } } } },
            blob = { bytes = { length = { min = 100, max = 2000 } } } }
returns = { echo = "user" }
service_time = { exponential = "1ms" }
fail = { rate = 0.0 }
[methods.feed]
stream = { items = 1000 }
returns = { text = { length = 20 } }
[mix]
weights = { store = 95, feed = 5 }
[load]
open = { rate_per_s = 500, arrivals = "poisson" }
[gates]
slo = ["p99 <= 5ms", "errors == 0", "rate >= 1000/s"]
[backends.python-zerorpc]
protocol = "zerorpc"
command = ["{python}", "scripts/peers/python/zerorpc_server.py", "--port", "{port}"]
optional = true
[backends.msgpack-over-tcp]
codec = "msgpack"
transport = "tcp"
[backends.ours]
url = "grpc+http://127.0.0.1:50051"
"#,
    );
    assert_eq!((&*scenario.file_stem, &*scenario.service_name), ("seed-v2", "seed_v2"));
    let store = &scenario.methods[0];
    // In the order of the file, not of the alphabet.
    assert_eq!(store.params.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["user", "blob"]);
    assert_eq!(store.returns, Returns::Echo(0));
    assert_eq!(store.method().returns, store.params[0].1.ty());
    assert_eq!(scenario.methods[1].stream_items, Some(1_000));
    assert_eq!(scenario.load.model, LoadModel::Open { rate_per_s: 500.0, arrivals: Arrivals::Poisson });
    assert_eq!(scenario.gates.slo.len(), 3);
    assert!(scenario.backends[0].optional && scenario.backends[0].command.is_some());
    assert_eq!(
        scenario.backends[1].kind,
        BackendKind::Pair { codec: "msgpack".into(), transport: "tcp".into() }
    );
    assert_eq!(scenario.backends[2].kind, BackendKind::Protocol("grpc".into()));
    assert_eq!(scenario.backends[2].hosting.name(), "external");
}

#[test]
fn a_sweep_is_every_combination_and_the_last_list_varies_fastest() {
    let scenario = parse(
        "name = \"x\"\n[methods.m]\nparams = { a = { text = { length = 1 } } }\n[load]\ncalls = 1\n\
         [sweep]\npayload = [10, 20]\nconcurrency = [1, 8]\nplacement = [\"shared\"]\n\
         [backends.b]\nprotocol = \"grpc\"\n",
    );
    let points = scenario.load_points();
    assert_eq!(
        points.iter().map(|point| &*point.label).collect::<Vec<_>>(),
        [
            "concurrency=1 placement=shared payload=10",
            "concurrency=1 placement=shared payload=20",
            "concurrency=8 placement=shared payload=10",
            "concurrency=8 placement=shared payload=20",
        ]
    );
    assert_eq!(points[3].load.model, LoadModel::Closed { concurrency: 8 });
    assert_eq!((points[3].load.placement, points[3].payload_bytes), (Some(Placement::Shared), Some(20)));
    let without = parse("name = \"x\"\n[methods.m]\n[backends.b]\nprotocol = \"grpc\"\n").load_points();
    assert_eq!((without.len(), &*without[0].label), (1, ""));
}

#[test]
fn a_swept_key_needs_no_value_in_the_load() {
    let scenario = parse(
        "name = \"x\"\n[methods.m]\n[load]\nopen = { arrivals = \"poisson\" }\n[sweep]\nrate_per_s = [5, 7.5]\n\
         [backends.b]\nprotocol = \"grpc\"\n",
    );
    let rates: Vec<LoadModel> = scenario.load_points().into_iter().map(|point| point.load.model).collect();
    let arrivals = Arrivals::Poisson;
    assert_eq!(
        rates,
        [LoadModel::Open { rate_per_s: 5.0, arrivals }, LoadModel::Open { rate_per_s: 7.5, arrivals }]
    );
}

#[test]
fn defaults_are_those_of_the_design() {
    let scenario = parse("name = \"x\"\n[methods.a]\n[methods.b]\n[backends.b]\nprotocol = \"grpc\"\n");
    assert_eq!(scenario.mix, Mix::Weights(vec![(0, 1), (1, 1)]));
    assert_eq!(scenario.load.model, LoadModel::Closed { concurrency: 1 });
    assert_eq!(scenario.load.warmup, Amount::DurationNs(500_000_000));
    assert_eq!((scenario.load.rounds, scenario.load.timeout_ns), (3, 5_000_000_000));
    assert_eq!((scenario.load.placement, scenario.load.idle), (None, Idle::Park));
    assert_eq!(scenario.gates, Gates::default());
    assert_eq!((&scenario.backends[0].hosting, scenario.seed), (&Hosting::Subprocess, 42));
}

#[test]
fn every_shipped_scenario_is_embedded_under_its_file_name() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".toml").map(str::to_owned)
        })
        .collect();
    files.sort();
    let mut names: Vec<&str> = embedded::SCENARIOS.iter().map(|scenario| scenario.name).collect();
    names.sort_unstable();
    assert_eq!(files, names);
    for scenario in embedded::SCENARIOS {
        assert_eq!(parse(scenario.text).file_stem, scenario.name);
        assert_eq!(embedded::find(scenario.name), Some(scenario));
    }
}

#[test]
fn values_of_the_users_own_are_drawn_and_checked_as_asked() {
    let methods = r#"
[methods.m]
params = { note = { json_file = { path = "tests/data/notes.json", type = { struct = { title = "text", body = "text", blob = "bytes" } } } },
           plain = { json_file = "tests/data/notes.json" } }
expect = "any"
[methods.n]
returns = "int"
expect = "type"
"#;
    let text = format!("name = \"x\"\n{methods}[backends.b]\nprotocol = \"grpc\"\n");
    let scenario = parse(&text);
    assert_eq!(scenario.methods[0].returns, Returns::Open);
    let generator = Generator::new(&scenario.workload(None));
    assert!(generator.variants(0) > 1);
    let titles: std::collections::BTreeSet<String> = (0..generator.variants(0))
        .map(|variant| match &generator.arguments(0, variant)[0] {
            Value::Struct(fields) => {
                assert!(matches!(fields[2].1, Value::Bytes(_)), "{fields:?}");
                format!("{:?}", fields[0].1)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(titles.len(), 2);
    assert_eq!((generator.expect(0), generator.expect(1)), (Expect::Any, Expect::Type));
    assert_eq!(scenario.service().methods[0].method.returns, Type::Any);
    for (from, to, words) in [
        ("json_file = \"tests/data/notes.json\"", "json_file = \"none.json\"", "cannot read none.json"),
        ("blob = \"bytes\"", "blob = \"int\"", "value 1: value.blob: expected a whole number"),
        ("returns = \"int\"", "returns = \"any\"", "cannot be checked"),
        ("expect = \"any\"", "expect = \"some\"", "\"equal\" or \"type\" or \"any\""),
    ] {
        let error = Scenario::parse("x.toml", &text.replacen(from, to, 1), &Fixed).unwrap_err();
        assert!(error.to_string().contains(words), "{to}: {error}");
    }
}
