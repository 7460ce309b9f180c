//! A run's folder: written round by round, and read as it was written.

use super::*;
use crate::result::{
    CellResult, Environment, Figures, Kind, LoadRecord, RoundRecord, ScenarioRecord, Status, Verdict,
    Versions,
};

fn round(value_ns: u64) -> RoundResult {
    let mut histogram = hdrhistogram::Histogram::<u64>::new(3).unwrap();
    histogram.record(value_ns).unwrap();
    let mut log = hlog::Writer::new(0);
    log.add("getObj", Kind::Service, 0.0, 1.0, &histogram).unwrap();
    let mut round = RoundResult { calls: 1, hlog: log.into_text(), ..RoundResult::default() };
    round.errors.insert(crate::rpc::ErrorClass::Timeout, 2);
    round
}

fn run(rounds: Vec<RoundRecord>) -> RunResult {
    let mut figures = Figures { calls: Some(7), ..Figures::default() };
    figures.errors.insert(crate::rpc::ErrorClass::Reset, 3);
    RunResult {
        schema_version: SCHEMA_VERSION,
        wirebench: Versions::default(),
        started_at: "2023-11-14T22:13:20.000Z".into(),
        seed: 42,
        scenario: ScenarioRecord::default(),
        environment: Environment::default(),
        verdict: Status::Valid,
        interrupted: false,
        skipped: Vec::new(),
        gates: Vec::new(),
        notes: Vec::new(),
        selftest: None,
        capacity: Vec::new(),
        curves: Vec::new(),
        cells: vec![CellResult {
            backend: "grpc".into(),
            point: String::new(),
            protocol: Some("grpc".into()),
            codec: "protobuf".into(),
            transport: "http2".into(),
            hosting: "subprocess".into(),
            implementation: None,
            load: LoadRecord::default(),
            verdict: Verdict::default(),
            figures,
            rounds,
        }],
    }
}

fn record(histograms: &str) -> RoundRecord {
    RoundRecord { histograms: Some(histograms.into()), ..RoundRecord::default() }
}

fn key(backend: &str, point: &str) -> CellKey {
    CellKey { backend: backend.into(), point: point.into() }
}

#[test]
fn a_run_is_read_as_it_was_written_with_null_for_what_was_not_measured() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path()).unwrap();
    let written = run(vec![record("a.hlog")]);
    let path = store.write_run(&written).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let cell = &json["cells"][0];
    assert_eq!(cell["calls"], 7);
    assert_eq!(cell["errors"]["reset"], 3);
    assert!(cell["cpu_us_per_call"]["server"].is_null());
    assert!(cell["response_ns"]["p99"].is_null());
    assert!(cell["rounds"][0]["bytes_per_call"]["request"]["framed"].is_null());
    assert_eq!(cell["load"]["write_batch"], "all");
    assert_eq!(load_run(&path).unwrap(), written);
    assert_eq!(load_run(dir.path()).unwrap(), written);
}

#[test]
fn a_round_is_on_disk_when_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::create(dir.path()).unwrap();
    let name = store.write_round(&key("python zerorpc", "c64"), 1, &round(5_000)).unwrap();
    assert_eq!(name, "python-zerorpc-c64-r1.hlog");
    let rounds = load_rounds(dir.path()).unwrap();
    assert_eq!(rounds[0].result.errors[&crate::rpc::ErrorClass::Timeout], 2);
    assert!(matches!(load_run(dir.path()), Err(StoreError::Unfinished { rounds: 1, .. })));
    let run = run(vec![record(&name)]);
    let histograms = load_histograms(dir.path(), &run);
    assert_eq!(histograms.cells[0].all(Kind::Service).unwrap().len(), 1);
    assert!(histograms.missing.is_empty());
}

#[test]
fn cells_of_like_names_have_files_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::create(dir.path()).unwrap();
    let mut names = BTreeSet::new();
    for backend in ["a b", "a,b", "A-B", "../../etc", "", &"x".repeat(10_000)] {
        assert!(names.insert(store.write_round(&key(backend, ""), 1, &round(1)).unwrap().to_lowercase()));
    }
    assert!(
        names.iter().all(|name| !name.contains('/') && dir.path().join(name).parent() == Some(dir.path()))
    );
    assert_eq!(load_rounds(dir.path()).unwrap().len(), 6);
}

#[test]
fn two_runs_of_one_second_have_folders_of_their_own() {
    let reports = tempfile::tempdir().unwrap();
    let first = Store::create_in(reports.path(), "Seed: fast!", 1_700_000_000).unwrap();
    let second = Store::create_in(reports.path(), "Seed: fast!", 1_700_000_000).unwrap();
    assert!(first.dir().ends_with("Seed-fast-20231114-221320"));
    assert!(second.dir().ends_with("Seed-fast-20231114-221320-2"));
}

#[test]
fn a_cut_last_line_of_the_rounds_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::create(dir.path()).unwrap();
    store.write_round(&key("a", ""), 1, &round(1)).unwrap();
    store.write_round(&key("a", ""), 2, &round(1)).unwrap();
    let path = dir.path().join("rounds.jsonl");
    let text = fs::read(&path).unwrap();
    fs::write(&path, &text[..text.len() - 20]).unwrap();
    assert_eq!(load_rounds(dir.path()).unwrap().len(), 1);
}

#[test]
fn what_is_no_run_is_said_plainly() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(load_run(dir.path()), Err(StoreError::NoRun { .. })));
    let file = dir.path().join("run.json");
    fs::write(&file, r#"{"schema_version": 9}"#).unwrap();
    assert!(matches!(load_run(&file), Err(StoreError::Version { found: 9, .. })));
    fs::write(&file, "[]").unwrap();
    assert!(matches!(load_run(&file), Err(StoreError::NotAResult { .. })));
    let missing = load_run(&dir.path().join("gone.json")).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read "), "{missing}");
}

#[test]
fn histograms_outside_the_folder_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::create(dir.path()).unwrap();
    store.write_round(&key("a", ""), 1, &round(1)).unwrap();
    let elsewhere = dir.path().join("inner");
    fs::create_dir(&elsewhere).unwrap();
    let histograms = load_histograms(&elsewhere, &run(vec![record("../a-r1.hlog")]));
    assert_eq!(histograms.missing.len(), 1);
}

#[test]
fn the_schema_names_the_flattened_figures() {
    let schema = serde_json::to_value(schemars::schema_for!(RunResult)).unwrap();
    let cell = &schema["$defs"]["CellResult"]["properties"];
    for name in ["backend", "calls", "response_ns", "cpu_us_per_call", "rounds"] {
        assert!(cell[name].is_object(), "{name}: {cell}");
    }
}
