//! Explanations of runs that are built from known parts, as they are read.

use super::*;
use crate::analysis::testing::{Cost, Made, cells, invalid, run_of};
use crate::analysis::{explain, overview};
use crate::result::{OpeningTime, Quantiles, Stages, StagesCheck};

fn cost(us: f64, bytes: f64) -> Cost {
    Cost::new(us * 1e3, bytes)
}

/// Codecs: 12 µs and 3 µs; transports: 16 and 9 µs; envelopes of XML-RPC and ZeroRPC 0.5 and 1.5 µs.
fn made() -> Vec<Made<'static>> {
    vec![
        ("xml-http1", None, "xml", "http1", cost(28.0, 500.0)),
        ("xml-zmq", None, "xml", "zmq", cost(21.0, 340.0)),
        ("msgpack-http1", None, "msgpack", "http1", cost(19.0, 250.0)),
        ("msgpack-zmq", None, "msgpack", "zmq", cost(12.0, 90.0)),
        ("xmlrpc", Some("xmlrpc"), "xml", "http1", cost(28.5, 540.0)),
        ("zerorpc", Some("zerorpc"), "msgpack", "zmq", cost(13.5, 130.0)),
        ("grpc", Some("grpc"), "protobuf", "http2", cost(40.0, 110.0)),
        ("python-zerorpc", Some("zerorpc"), "msgpack", "zmq", cost(213.5, 130.0)),
    ]
}

fn run() -> RunResult {
    let mut cells = cells(&made(), 7, 0.02, 11);
    cells[7].implementation = Some("python zerorpc_server.py".into());
    let mean = |ns: f64| Some(Quantiles { mean: Some(ns), ..Quantiles::default() });
    for (cell, scale) in [(4, 1.0), (5, 0.25)] {
        cells[cell].figures.stages_ns = Some(Stages {
            client_encode: mean(4_000.0 * scale),
            request_transport: mean(9_000.0),
            server_decode: mean(2_000.0 * scale),
            handler: mean(90.0),
            ..Stages::default()
        });
        let service_mean_ns = 15_200.0 - 6_000.0 * (1.0 - scale) / 0.75;
        cells[cell].figures.stages_check = Some(StagesCheck { service_mean_ns, ..StagesCheck::default() });
        cells[cell].figures.bytes_per_call.request.payload = Some(100.0);
        cells[cell].figures.bytes_per_call.request.encoded = Some(400.0 * scale);
    }
    run_of(cells)
}

fn said(run: &RunResult, one: &str, other: &str, format: &str) -> String {
    render_explanations(run, &explain(run, one, other, None).unwrap(), format, 100).unwrap()
}

#[test]
fn two_protocols_are_explained_as_text() {
    insta::assert_snapshot!(said(&run(), "xmlrpc", "zerorpc", "text"));
}

#[test]
fn two_protocols_are_explained_as_markdown() {
    insta::assert_snapshot!(said(&run(), "xmlrpc", "zerorpc", "md"));
}

#[test]
fn a_foreign_server_and_what_the_pairs_do_not_cover_are_explained() {
    insta::assert_snapshot!(said(&run(), "python-zerorpc", "grpc", "text"));
}

#[test]
fn cautions_and_connections_are_said() {
    let mut run = run();
    run.cells[4].verdict = invalid();
    run.cells[4].figures.connections_opened = run.cells[4].figures.calls;
    run.cells[5].figures.connections_opened = Some(1);
    run.cells[4].figures.opening_ns =
        Some(OpeningTime { connect: Some(40_000.0), handshake: Some(0.0), ..OpeningTime::default() });
    for cell in &mut run.cells {
        cell.load.concurrency = Some(8);
    }
    insta::assert_snapshot!(said(&run, "xmlrpc", "zerorpc", "text"));
}

#[test]
fn a_run_is_taken_apart_as_text() {
    let run = run();
    insta::assert_snapshot!(render_overviews(&run, &overview(&run, None).unwrap(), "text", 100).unwrap());
}

#[test]
fn how_times_are_made_is_said_once() {
    let run = run();
    let of_all = render_explanations(
        &run,
        &[("xmlrpc", "zerorpc"), ("python-zerorpc", "grpc")]
            .iter()
            .flat_map(|(one, other)| explain(&run, one, other, None).unwrap())
            .collect::<Vec<_>>(),
        "text",
        1_000,
    );
    assert_eq!(of_all.unwrap().matches("means over the rounds of each round's medians").count(), 1);
    let split = render_overviews(&run, &overview(&run, None).unwrap(), "text", 1_000).unwrap();
    assert_eq!(split.matches("means over the rounds of each round's medians").count(), 1, "{split}");
}

#[test]
fn json_has_the_figures_behind_the_sentences() {
    let json: serde_json::Value = serde_json::from_str(&said(&run(), "xmlrpc", "zerorpc", "json")).unwrap();
    let found = &json["explanations"][0];
    assert_eq!(
        (&found["slower"]["backend"], &found["faster"]["codec"]),
        (&"xmlrpc".into(), &"msgpack".into())
    );
    let parts = found["differences"][0]["parts"].as_array().unwrap();
    let codec = parts.iter().find(|part| part["cause"]["kind"] == "codec").unwrap();
    assert!((codec["amount"]["value"].as_f64().unwrap() - 9_000.0).abs() < 900.0, "{codec}");
    assert!(codec["amount"]["interval"][0].as_f64().unwrap() < 9_000.0);
}

#[test]
fn an_unknown_format_names_the_known_ones() {
    let run = run();
    let error = render_explanations(&run, &[], "xml", 80).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no format \"xml\" of an explanation; the formats are text, md, json"
    );
}
