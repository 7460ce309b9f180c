//! Two runs side by side.

use super::*;
use crate::analysis::{CellDescription, Limits, cell_from_rounds};
use crate::result::{
    ConnectionMode, FirstCalls, LoadRecord, MethodResult, Placement, ScenarioRecord, Status, Verdict,
    Versions,
};

const SCENARIO: &str = "name = \"x\"\n[methods.m]\nreturns = \"int\"\n[backends.a]\nprotocol = \"grpc\"\n";

fn run(p50: u64) -> RunResult {
    let description = CellDescription {
        backend: "a".into(),
        load: LoadRecord { concurrency: Some(4), ..LoadRecord::default() },
        ..CellDescription::default()
    };
    let mut cell = cell_from_rounds(description, &[], &Limits::default());
    cell.verdict = Verdict::default();
    cell.figures.service_ns.p50 = Some(p50);
    let encoded = FirstCalls { calls: 10, request: 100, response: Some(200) };
    let method = MethodResult { encoded_bytes_first_calls: Some(encoded), ..MethodResult::default() };
    cell.figures.methods.insert("m".into(), method);
    // From JSON, as a stored run is read: what it does not have takes its default.
    let run = serde_json::json!({
        "schema_version": 1, "wirebench": Versions::default(), "started_at": "", "seed": 1,
        "scenario": ScenarioRecord { name: "x".into(), text: SCENARIO.into(), ..ScenarioRecord::default() },
        "environment": {}, "verdict": "valid", "cells": [cell],
    });
    serde_json::from_value(run).unwrap()
}

fn names(differences: &[Unlike]) -> Vec<&str> {
    differences.iter().map(|difference| &*difference.what).collect()
}

#[test]
fn figures_stand_side_by_side_and_what_differs_is_named() {
    let (a, mut b) = (run(100), run(150));
    b.environment.kernel = Some("6.9".into());
    b.wirebench.version = "0.2.0".into();
    b.cells[0].load.connection_mode = ConnectionMode::PerCall;
    b.scenario.text = SCENARIO.replace("grpc", "xmlrpc");
    let both = side_by_side(&a, &b, false).unwrap();
    assert_eq!(names(&both.differences), ["wirebench", "kernel", "the scenario's backends"]);
    assert_eq!(names(&both.cells[0].differences), ["connection mode"]);
    let p50 = &both.cells[0].rows[0];
    assert_eq!((&*p50.name, p50.a, p50.b, p50.change), ("service p50", Some(100.0), Some(150.0), Some(0.5)));
    assert_eq!(p50.beyond_rounds, None, "there are no rounds to tell by");
}

#[test]
fn what_would_mean_nothing_is_refused_with_a_reason() {
    let refused = |change: &dyn Fn(&mut RunResult)| {
        let mut b = run(100);
        change(&mut b);
        side_by_side(&run(100), &b, false).unwrap_err().to_string()
    };
    for (change, word) in [
        (
            &(|b: &mut RunResult| b.cells[0].load.placement = Placement::Shared) as &dyn Fn(&mut RunResult),
            "placement",
        ),
        (&|b| b.cells[0].load.model = LoadModel::Open, "the loop"),
        (&|b| b.cells[0].load.concurrency = Some(8), "the concurrency is 4 and 8"),
        (&|b| b.cells[0].load.payload_bytes = Some(8), "the payload"),
        (&|b| b.scenario.text = SCENARIO.replace("int", "text"), "differ in [methods]"),
        (&|b| b.scenario.text.push_str("[mix]\nweights = { m = 1 }\n"), "differ in [mix]"),
        (&|b| b.scenario.text = "=".into(), "cannot be read"),
        (&|b| b.cells[0].backend = "b".into(), "no such cell"),
        (&|b| b.cells[0].verdict.status = Status::Invalid, "not valid"),
        (&|b| b.cells.clear(), "no such cell"),
    ] {
        assert!(refused(change).contains(word), "{word}: {}", refused(change));
    }
}

#[test]
fn more_encoded_bytes_fail_where_they_are_gated_and_the_calls_are_the_same() {
    let (a, mut b) = (run(100), run(100));
    let more = FirstCalls { calls: 10, request: 101, response: Some(200) };
    b.cells[0].figures.methods.get_mut("m").unwrap().encoded_bytes_first_calls = Some(more);
    assert!(side_by_side(&a, &b, true).unwrap().has_more_bytes());
    assert!(!side_by_side(&b, &a, true).unwrap().has_more_bytes());
    assert!(!side_by_side(&a, &b, false).unwrap().has_more_bytes());
    b.seed = 2;
    assert!(side_by_side(&a, &b, true).unwrap().cells[0].bytes.is_empty(), "other calls have other bytes");
}
