// Included where `wirebench` is the library: a run made by hand, with every kind of row.

use hdrhistogram::Histogram;
use wirebench::analysis::{CellDescription, Limits, RoundInput};
use wirebench::analysis::{cell_from_rounds, evaluate_gates};
use wirebench::result::hlog::{Writer, read};
use wirebench::result::{
    Arrivals, Bound, CapacityResult, CellHistograms, CellResult, Environment, ErrorExample, Histograms, Idle, Kind, LoadModel,
    LoadRecord, LoadStage, MethodCounts, Placement, Reason, ReasonKind, RoundResult, RunResult, SCHEMA_VERSION,
    ScenarioRecord, Skipped, Status, Versions, WriteBatch,
};
use wirebench::rpc::ErrorClass;
use wirebench::rpc::random::Random;
use wirebench::scenario::{Comparison, Figure, Gate, GateMetric, TimeKind};

/// A back end and how it behaves.
struct Fake {
    backend: &'static str,
    stack: (Option<&'static str>, &'static str, &'static str),
    implementation: &'static str,
    median_us: f64,
    bytes: (u64, u64, u64),
    cpu_us: Option<(f64, f64)>,
    calls: u64,
    errors: u64,
}

const OURS: &str = "wirebench (Rust)";

const FAKES: [Fake; 5] = [
    Fake {
        backend: "xmlrpc",
        stack: (Some("xmlrpc"), "xml", "http1"),
        implementation: OURS,
        median_us: 620.0,
        bytes: (214, 131, 180),
        cpu_us: Some((10.1, 9.7)),
        calls: 9_000,
        errors: 0,
    },
    Fake {
        backend: "zerorpc",
        stack: (Some("zerorpc"), "msgpack", "zmq"),
        implementation: OURS,
        median_us: 170.0,
        bytes: (61, 60, 22),
        cpu_us: Some((2.9, 2.4)),
        calls: 15_000,
        errors: 0,
    },
    Fake {
        backend: "grpc",
        stack: (Some("grpc"), "protobuf", "http2"),
        implementation: OURS,
        median_us: 250.0,
        bytes: (12, 11, 69),
        cpu_us: Some((3.8, 4.1)),
        calls: 12_000,
        errors: 0,
    },
    Fake {
        backend: "binary-tcp",
        stack: (Some("binary-tcp"), "postcard", "tcp"),
        implementation: OURS,
        median_us: 34.0,
        bytes: (8, 8, 9),
        cpu_us: Some((0.45, 0.51)),
        calls: 40_000,
        errors: 0,
    },
    Fake {
        backend: "python-xmlrpc",
        stack: (Some("xmlrpc"), "xml", "http1"),
        implementation: "CPython SimpleXMLRPCServer 3.11",
        median_us: 21_000.0,
        bytes: (214, 131, 260),
        cpu_us: None,
        calls: 900,
        errors: 7,
    },
];

fn round_of(fake: &Fake, load: &LoadRecord, round: u64) -> RoundResult {
    let mut random = Random::labelled(round, fake.backend);
    let mut log = Writer::new(1_700_000_000_000 + round * 10_000);
    let open = load.model == LoadModel::Open;
    let overloaded = open && fake.median_us > 10_000.0;
    let seconds = 4;
    for second in 0..seconds {
        let mut times = [(); 4].map(|()| Histogram::<u64>::new(3).expect("3 digits are allowed"));
        for call in 0..fake.calls / seconds {
            let jitter = 0.75 + 0.35 * random.exponential();
            let service = (fake.median_us * 1e3 * jitter) as u64;
            let wait = if overloaded { (second * 1_000_000_000 + call * 4_000_000) / 3 } else { 300 };
            for (histogram, value) in times.iter_mut().zip([service + wait + 900, service, wait, 900]) {
                histogram.record(value).expect("the histogram grows");
            }
        }
        for (kind, histogram) in [Kind::Response, Kind::Service, Kind::Wait, Kind::Lag].into_iter().zip(&times) {
            if open || kind == Kind::Service {
                log.add("echo", kind, second as f64, 1.0, histogram).expect("a histogram is written");
            }
        }
    }
    let (request, response, around) = fake.bytes;
    let calls = fake.calls / seconds * seconds;
    let mut result = RoundResult {
        started_at: format!("2023-11-14T22:13:{:02}.000Z", 20 + round),
        elapsed_ns: seconds * 1_000_000_000,
        interval_ns: seconds * 1_000_000_000,
        offered_calls: if overloaded { calls * 2 } else { calls },
        calls,
        waited_calls: open.then_some(if overloaded { calls } else { 0 }),
        connections_opened: Some(load.connections),
        hlog: log.into_text(),
        ..RoundResult::default()
    };
    result.framed.request = Some(calls * (request + around));
    result.framed.response = Some(calls * (response + around));
    if let Some((client, server)) = fake.cpu_us {
        result.client_cpu_ns = Some((client * 1e3 * calls as f64) as u64);
        result.server_cpu_ns = Some((server * 1e3 * calls as f64) as u64);
    }
    result.rss_peak_bytes.client = Some(9 << 20);
    let mut counts = MethodCounts {
        calls,
        request_payload_bytes: calls * 6,
        request_encoded_bytes: calls * request,
        response_payload_bytes: calls * 6,
        response_encoded_bytes: calls * response,
        ..MethodCounts::default()
    };
    if fake.errors > 0 {
        result.errors.insert(ErrorClass::Timeout, fake.errors);
        counts.errors = result.errors.clone();
        result.error_examples.push(ErrorExample {
            class: ErrorClass::Timeout,
            code: None,
            message: "no answer within 5000 ms".into(),
            count: fake.errors,
        });
    }
    result.methods.insert("echo".into(), counts);
    result
}

fn cell_at(fake: &Fake, point: &str, load: &LoadRecord) -> (CellResult, CellHistograms) {
    let results: Vec<RoundResult> = (0..3).map(|round| round_of(fake, load, round)).collect();
    let inputs: Vec<RoundInput<'_>> = results
        .iter()
        .zip(0..)
        .map(|(result, order)| RoundInput {
            order,
            histograms: Some(format!("{}-{point}-r{}.hlog", fake.backend, order + 1)),
            outcome: Ok(result),
        })
        .collect();
    let cell = cell_from_rounds(describe(fake, point, load), &inputs, &Limits::default());
    let mut histograms = CellHistograms::default();
    for (round, result) in results.iter().enumerate() {
        let intervals = read(&result.hlog).expect("the log was just written");
        histograms.add_round(round, &intervals).expect("counts are small");
    }
    (cell, histograms)
}

fn describe(fake: &Fake, point: &str, load: &LoadRecord) -> CellDescription {
    CellDescription {
        backend: fake.backend.into(),
        point: point.into(),
        protocol: fake.stack.0.map(Into::into),
        codec: fake.stack.1.into(),
        transport: fake.stack.2.into(),
        hosting: "subprocess".into(),
        implementation: Some(fake.implementation.into()),
        load: load.clone(),
    }
}

fn failed_cell(point: &str, load: &LoadRecord) -> CellResult {
    let reason = Reason {
        kind: ReasonKind::Failed,
        detail: "the server ended with exit code 1 before it was ready: ModuleNotFoundError: no module named \
                 'zmq'; look at its standard error"
            .into(),
    };
    let rounds: Vec<RoundInput<'_>> =
        (0..3).map(|order| RoundInput { order, histograms: None, outcome: Err(reason.clone()) }).collect();
    let fake = Fake {
        backend: "msgpack-over-tcp",
        stack: (None, "msgpack", "tcp"),
        implementation: OURS,
        median_us: 0.0,
        bytes: (0, 0, 0),
        cpu_us: None,
        calls: 0,
        errors: 0,
    };
    cell_from_rounds(describe(&fake, point, load), &rounds, &Limits::default())
}

/// The loads of the run: one call at a time, many at once, and at a rate.
fn loads() -> [(&'static str, LoadRecord); 3] {
    let base = LoadRecord {
        connections: 1,
        in_flight: 64,
        placement: Placement::Split,
        idle: Idle::Park,
        write_batch: WriteBatch::UpTo(16),
        client_threads: Some(1),
        server_threads: Some(1),
        timeout_ms: Some(5_000),
        duration_ms: Some(4_000),
        ..LoadRecord::default()
    };
    [
        ("c1", LoadRecord { concurrency: Some(1), ..base.clone() }),
        ("c64", LoadRecord { concurrency: Some(64), ..base.clone() }),
        (
            "r500",
            LoadRecord {
                model: LoadModel::Open,
                rate_per_s: Some(500.0),
                arrivals: Some(Arrivals::Poisson),
                ..base
            },
        ),
    ]
}

/// The run and its histograms.
pub fn run() -> (RunResult, Histograms) {
    static RUN: std::sync::OnceLock<(RunResult, Histograms)> = std::sync::OnceLock::new();
    RUN.get_or_init(made_by_hand).clone()
}

fn made_by_hand() -> (RunResult, Histograms) {
    let mut cells = Vec::new();
    let mut histograms = Histograms::default();
    for (point, load) in loads() {
        for fake in &FAKES {
            let (cell, of) = cell_at(fake, point, &load);
            cells.push(cell);
            histograms.cells.push(of);
        }
        if point == "c64" {
            cells.push(failed_cell(point, &load));
            histograms.cells.push(CellHistograms::default());
        }
    }
    let gates = [
        Gate {
            text: "p99 <= 1ms".into(),
            metric: GateMetric::Time { kind: TimeKind::Response, figure: Figure::P99 },
            comparison: Comparison::AtMost,
            limit: 1e6,
        },
        Gate {
            text: "errors == 0".into(),
            metric: GateMetric::Errors,
            comparison: Comparison::Equal,
            limit: 0.0,
        },
    ];
    let gates = evaluate_gates(&gates, &cells[5..8]);
    let run = RunResult {
        schema_version: SCHEMA_VERSION,
        wirebench: Versions { version: "0.1.0".into(), git: Some("0123abc".into()) },
        started_at: "2023-11-14T22:13:20.000Z".into(),
        seed: 42,
        scenario: ScenarioRecord {
            name: "echo of small messages".into(),
            file: Some("scenarios/echo.toml".into()),
            text: "name = \"echo of small messages\"\n\n[methods.echo]\nparams = { text = \"text\" }\nreturns = { echo = \"text\" }\n\n[backends.xmlrpc]\nprotocol = \"xmlrpc\"\n"
                .into(),
            overrides: vec!["--rounds 3".into()],
            ..ScenarioRecord::default()
        },
        environment: Environment {
            cpu: Some("Intel(R) Xeon(R) Processor @ 2.60GHz".into()),
            cores: Some(2),
            os: Some("Debian GNU/Linux 12".into()),
            kernel: Some("6.1.0-18-amd64".into()),
            clocksource: Some("kvm-clock".into()),
            memory_bytes: Some(8 << 30),
            virtualization: Some("kvm".into()),
            build_profile: Some("release".into()),
            warnings: vec!["the processor has a neighbour: 3 % of its time was stolen".into()],
            ..Environment::default()
        },
        verdict: Status::Invalid,
        interrupted: false,
        skipped: vec![Skipped {
            backend: "python-grpc".into(),
            why: "its command cannot start: no module named grpc".into(),
            how_to_get_it: Some("scripts/setup-peers.sh grpc".into()),
        }],
        gates,
        notes: Vec::new(),
        selftest: None,
        capacity: Vec::new(),
        curves: wirebench::analysis::curves(&cells),
        cells,
    };
    (run, histograms)
}

/// Texts that a stranger may have put into a scenario or a server's answer.
pub const HOSTILE: [&str; 5] = [
    "<script>alert(1)</script>",
    "\" onmouseover=\"alert(1)' & </td></svg>",
    "\u{202e}gnp.exe\u{1b}[31m\r\n| --- |",
    "=cmd|' /C calc'!A0",
    "![x](https://example.org/x.png) @everyone `code`",
];

/// The run with hostile texts everywhere, and one of ten thousand characters.
pub fn hostile_run() -> (RunResult, Histograms) {
    let (mut run, histograms) = run();
    let long = "x".repeat(10_000);
    let texts: Vec<&str> = HOSTILE.into_iter().chain([&*long]).collect();
    for (index, cell) in run.cells.iter_mut().enumerate() {
        let text = texts[index % texts.len()];
        cell.backend = text.into();
        cell.implementation = Some(text.into());
        cell.protocol = None;
        cell.codec = text.into();
        cell.load.stages.push(LoadStage { label: text.into(), lasts_s: 1.0, ..LoadStage::default() });
        for reason in &mut cell.verdict.reasons {
            reason.detail = text.into();
        }
        for example in &mut cell.figures.error_examples {
            example.message = text.into();
        }
        if index > 10 {
            cell.point = text.into();
        }
    }
    for text in texts {
        run.skipped.push(Skipped { backend: text.into(), why: text.into(), how_to_get_it: Some(text.into()) });
        run.notes.push(text.into());
        run.environment.versions.insert(text.into(), text.into());
        run.environment.warnings.push(text.into());
        run.capacity.push(CapacityResult {
            backend: text.into(),
            point: text.into(),
            slo: vec![text.into()],
            precision: 0.05,
            rate_per_s: Some(1_000.0),
            bound: Bound::Exact,
            why: text.into(),
            probes: Vec::new(),
        });
        run.scenario.expect.insert(text.into(), text.into());
        run.scenario.text.push_str(text);
        run.scenario.overrides.push(text.into());
    }
    run.scenario.name = HOSTILE.join(" ");
    (run, histograms)
}

/// Two good cells and a failed one of the run.
#[allow(dead_code)] // The integration tests need the whole run only.
pub fn small_run() -> (RunResult, Histograms) {
    let (mut run, mut histograms) = run();
    let keep = [6, 8, 10];
    let mut index = 0..;
    run.cells.retain(|_| index.next().is_some_and(|index| keep.contains(&index)));
    let mut index = 0..;
    histograms.cells.retain(|_| index.next().is_some_and(|index| keep.contains(&index)));
    (run, histograms)
}

/// A sweep of calls in flight over four protocols and four free pairs, with stages, and bytes on the wire.
#[allow(dead_code)] // Not every test looks at it.
pub fn sweep_run() -> (RunResult, Histograms) {
    let pair = |backend, codec, transport, median_us, bytes| Fake {
        backend,
        stack: (None, codec, transport),
        implementation: OURS,
        median_us,
        bytes,
        cpu_us: Some((median_us / 60.0, median_us / 50.0)),
        calls: 4_000,
        errors: 0,
    };
    let pairs = [
        pair("xml-tcp", "xml", "tcp", 90.0, (214, 131, 9)),
        pair("xml-http1", "xml", "http1", 600.0, (214, 131, 180)),
        pair("msgpack-tcp", "msgpack", "tcp", 40.0, (14, 13, 9)),
        pair("msgpack-http1", "msgpack", "http1", 550.0, (14, 13, 180)),
    ];
    let (mut run, _) = run();
    let mut histograms = Histograms::default();
    run.cells.clear();
    run.scenario.name = "a sweep".into();
    let base = loads()[1].1.clone();
    for concurrency in [1_u64, 4, 16, 64, 256] {
        let load = LoadRecord { concurrency: Some(concurrency), placement: Placement::Shared, ..base.clone() };
        for fake in FAKES[..4].iter().chain(&pairs) {
            // Eight calls at once are served; more wait.
            let slower = (concurrency as f64 / 8.0).max(1.0);
            let median_us = fake.median_us * slower;
            let calls = 4_000 * concurrency.min(8);
            let fake = Fake { median_us, calls, ..*fake };
            let (mut cell, of) = cell_at(&fake, &format!("concurrency={concurrency}"), &load);
            let stage = |share: f64| {
                let mean = Some(median_us * 1e3 * share);
                Some(wirebench::result::Quantiles { mean, ..Default::default() })
            };
            cell.figures.stages_ns = Some(wirebench::result::Stages {
                client_encode: stage(0.1),
                request_transport: stage(0.3),
                server_decode: stage(0.1),
                handler: stage(0.05),
                server_encode: stage(0.1),
                response_transport: stage(0.3),
                client_decode: stage(0.1),
                ..wirebench::result::Stages::default()
            });
            let bytes = &mut cell.figures.bytes_per_call;
            for of in [&mut bytes.request, &mut bytes.response] {
                of.wire = of.framed.map(|framed| framed + 12.0);
            }
            run.cells.push(cell);
            histograms.cells.push(of);
        }
    }
    run.curves = wirebench::analysis::curves(&run.cells);
    (run, histograms)
}

/// Two hundred cells: eight back ends at 25 load points.
#[allow(dead_code)] // Not every test looks at it.
pub fn large_run() -> (RunResult, Histograms) {
    let (mut run, _) = run();
    let mut histograms = Histograms::default();
    run.cells.clear();
    let base = loads()[1].1.clone();
    let made: Vec<(CellResult, CellHistograms)> =
        FAKES[..4].iter().map(|fake| cell_at(&Fake { calls: 4_000, ..*fake }, "c1", &base)).collect();
    for concurrency in 1..=25_u64 {
        for copy in 0..2 {
            for (cell, histogram) in &made {
                let mut cell = cell.clone();
                if copy > 0 {
                    cell.protocol = None;
                    cell.backend = format!("another server that speaks {} over {}", cell.codec, cell.transport);
                }
                cell.load.concurrency = Some(concurrency);
                cell.point = format!("c{concurrency}");
                run.cells.push(cell);
                histograms.cells.push(histogram.clone());
            }
        }
    }
    (run, histograms)
}
