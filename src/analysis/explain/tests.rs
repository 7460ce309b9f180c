//! Differences that were built in come out as the parts they were built from.

use super::*;
use crate::analysis::testing::{Cost, Made, cells, invalid, run_of};
use crate::result::{ConnectionMode, OpeningTime, Quantiles, Stages, StagesCheck};

fn cost(ns: f64) -> Cost {
    Cost::new(ns, ns / 100.0)
}

/// 2 × 2 pairs whose codecs differ by 9 µs and transports by 7 µs; envelopes of 1.5 and 0.5 µs; a server in
/// Python that takes 200 µs more than ours.
fn made() -> Vec<Made<'static>> {
    vec![
        ("xml-http1", None, "xml", "http1", cost(30_000.0)),
        ("xml-zmq", None, "xml", "zmq", cost(23_000.0)),
        ("msgpack-http1", None, "msgpack", "http1", cost(21_000.0)),
        ("msgpack-zmq", None, "msgpack", "zmq", cost(14_000.0)),
        ("xmlrpc", Some("xmlrpc"), "xml", "http1", cost(30_500.0)),
        ("zerorpc", Some("zerorpc"), "msgpack", "zmq", cost(15_500.0)),
        ("python-zerorpc", Some("zerorpc"), "msgpack", "zmq", cost(215_500.0)),
        ("grpc", Some("grpc"), "protobuf", "http2", cost(40_000.0)),
    ]
}

fn run() -> RunResult {
    let mut cells = cells(&made(), 4, 0.0, 1);
    cells[6].implementation = Some("CPython zerorpc_server.py".into());
    run_of(cells)
}

fn only(run: &RunResult, one: &str, other: &str) -> Explanation {
    let mut found = explain(run, one, other, None).unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0)
}

fn time(explanation: &Explanation) -> &Difference {
    explanation.differences.iter().find(|one| one.metric == Metric::ServiceNs).unwrap()
}

fn amount(explanation: &Explanation, is: impl Fn(&Cause) -> bool) -> Option<f64> {
    time(explanation).parts.iter().find(|part| is(&part.cause)).map(|part| part.amount.value)
}

fn near(found: Option<f64>, expected: f64) -> bool {
    found.is_some_and(|found| (found - expected).abs() < 2.0)
}

#[test]
fn the_parts_are_those_that_were_built_in_and_add_up() {
    let run = run();
    for (one, other) in [("xmlrpc", "zerorpc"), ("zerorpc", "xmlrpc")] {
        let found = only(&run, one, other);
        assert_eq!((found.slower.backend.as_str(), found.faster.backend.as_str()), ("xmlrpc", "zerorpc"));
        assert!(near(amount(&found, |cause| matches!(cause, Cause::Codec { .. })), 9_000.0));
        assert!(near(amount(&found, |cause| matches!(cause, Cause::Transport { .. })), 7_000.0));
        assert!(near(amount(&found, |cause| matches!(cause, Cause::Envelope { .. })), -1_000.0));
        assert!(near(amount(&found, |cause| *cause == Cause::Interaction), 0.0));
        assert_eq!(found.not_split, None);
        for difference in &found.differences {
            let sum: f64 = difference.parts.iter().map(|part| part.amount.value).sum();
            assert!((sum - difference.difference.value).abs() < 1e-6 * difference.slower.value);
        }
    }
}

#[test]
fn who_is_slower_is_asked_of_what_is_taken_apart() {
    let mut run = run();
    let cell = run.cells.iter_mut().find(|cell| cell.backend == "xmlrpc").unwrap();
    // All calls of the cell together say otherwise than its rounds.
    cell.figures.service_ns.p50 = Some(1);
    let found = only(&run, "xmlrpc", "zerorpc");
    assert_eq!(found.slower.backend, "xmlrpc");
    assert!(time(&found).difference.value > 0.0, "{found:?}");
}

#[test]
fn a_server_that_is_not_ours_differs_by_its_implementation_first() {
    let found = only(&run(), "xmlrpc", "python-zerorpc");
    assert_eq!(found.slower.backend, "python-zerorpc");
    let implementation = |cause: &Cause| matches!(cause, Cause::Implementation { ours, of_slower: true, .. } if ours == "zerorpc");
    assert!(near(amount(&found, implementation), 200_000.0));
    assert!(near(amount(&found, |cause| matches!(cause, Cause::Codec { .. })), -9_000.0));
    // Of one protocol, nothing else differs.
    let found = only(&run(), "zerorpc", "python-zerorpc");
    assert!(near(amount(&found, implementation), 200_000.0));
    assert_eq!((time(&found).parts.len(), found.not_split), (1, None));
}

#[test]
fn what_the_pairs_do_not_cover_is_one_part_and_says_so() {
    let found = only(&run(), "grpc", "zerorpc");
    let Cause::Protocol { what } = &time(&found).parts[0].cause else { panic!("{found:#?}") };
    assert_eq!(what, &["codec", "transport", "envelope"]);
    assert!(near(Some(time(&found).parts[0].amount.value), 24_500.0));
    assert!(found.not_split.unwrap().contains("protobuf over http2"));

    let named = run_of(cells(&made()[4..6], 3, 0.0, 1));
    assert!(only(&named, "xmlrpc", "zerorpc").not_split.unwrap().contains("wirebench run attribution"));
}

#[test]
fn two_servers_that_are_not_ours_are_compared_by_way_of_ours() {
    let mut run = run();
    let mut other = run.cells[4].clone();
    other.backend = "python-xmlrpc".into();
    other.implementation = Some("CPython SimpleXMLRPCServer".into());
    for round in &mut other.rounds {
        round.figures.service_ns.p50 = Some(60_500);
    }
    other.figures.service_ns.p50 = Some(60_500);
    run.cells.push(other);
    let found = only(&run, "python-xmlrpc", "python-zerorpc");
    let of = |of_slower: bool| {
        amount(
            &found,
            |cause| matches!(cause, Cause::Implementation { of_slower: side, .. } if *side == of_slower),
        )
    };
    assert!(near(of(true), 200_000.0) && near(of(false), -30_000.0));
    assert!(near(amount(&found, |cause| matches!(cause, Cause::Transport { .. })), -7_000.0));
}

#[test]
fn two_servers_of_one_protocol_differ_in_their_implementation_alone() {
    let mut run = run();
    let mut other = run.cells[6].clone();
    other.backend = "go-zerorpc".into();
    for round in &mut other.rounds {
        round.figures.service_ns.p50 = Some(25_500);
        round.figures.methods.clear();
    }
    other.figures.service_ns.p50 = Some(25_500);
    run.cells.push(other);
    let found = only(&run, "python-zerorpc", "go-zerorpc");
    let [part] = &time(&found).parts[..] else { panic!("{found:#?}") };
    assert_eq!(part.cause, Cause::Protocol { what: vec!["implementation".into()] });
    assert!(near(Some(part.amount.value), 190_000.0) && found.not_split.is_none());
}

#[test]
fn what_must_be_read_with_care_is_said() {
    let mut run = run();
    run.cells[4].verdict = invalid();
    let found = only(&run, "xmlrpc", "zerorpc");
    let expected = Caution::Invalid { backend: "xmlrpc".into(), reasons: vec!["unstable".into()] };
    assert_eq!(found.cautions, [expected]);
    assert!(found.not_split.unwrap().contains("xmlrpc is not valid"));

    run.cells[5].load.placement = Placement::Split;
    let found = only(&run, "xmlrpc", "zerorpc");
    assert_eq!(found.cautions[0], Caution::LoadsDiffer { what: "placement".into() });
    assert!(found.differences.is_empty(), "different loads are not compared");

    let mut run = self::run();
    for cell in &mut run.cells {
        cell.load.placement = Placement::Split;
    }
    assert_eq!(only(&run, "xmlrpc", "zerorpc").cautions, [Caution::WakeUp]);
    let mut run = run_of(cells(&made(), 1, 0.0, 1));
    for cell in &mut run.cells {
        cell.load.concurrency = Some(8);
    }
    assert_eq!(
        only(&run, "xmlrpc", "zerorpc").cautions,
        [Caution::Queued { concurrency: 8 }, Caution::OneRound]
    );
}

#[test]
fn names_that_the_run_does_not_have_are_refused_with_those_it_has() {
    let run = run();
    let refused = |one: &str, other: &str, point: Option<&str>| {
        explain(&run, one, other, point).unwrap_err().to_string()
    };
    assert!(
        refused("xmlrpc", "grcp", None).starts_with("the run has no back end \"grcp\"; it has: xml-http1, ")
    );
    assert!(refused("grpc", "grpc", None).contains("against itself"));
    assert_eq!(refused("grpc", "xmlrpc", Some("c8")), "the run has no load point \"c8\"; it has: \"\"");
    let mut run = run.clone();
    run.cells[4].point = "c8".into();
    let error = explain(&run, "xmlrpc", "zerorpc", None).unwrap_err();
    assert!(error.to_string().contains("no load point in common"));
}

#[test]
fn stages_bytes_and_connections_stand_beside_where_they_were_measured() {
    let mut run = run();
    let mean = |ns: f64| Some(Quantiles { mean: Some(ns), ..Quantiles::default() });
    let check = |service_mean_ns| Some(StagesCheck { service_mean_ns, ..StagesCheck::default() });
    run.cells[4].figures.stages_ns = Some(Stages {
        client_encode: mean(900.0),
        handler: mean(60.0),
        request_transport: mean(5_000.0),
        ..Stages::default()
    });
    run.cells[4].figures.stages_check = check(6_000.0);
    assert!(only(&run, "xmlrpc", "zerorpc").stages.is_none(), "one side has none");
    run.cells[5].figures.stages_ns =
        Some(Stages { client_encode: mean(300.0), handler: mean(50.0), ..Stages::default() });
    run.cells[5].figures.stages_check = check(350.0);
    let found = only(&run, "xmlrpc", "zerorpc");
    let stages = found.stages.as_ref().unwrap();
    let group = |of: &StagesDifference, name: &str| {
        of.groups.iter().find(|group| group.name == name).map(|group| group.difference_ns)
    };
    assert_eq!(group(stages, "encoding and decoding"), Some(600.0));
    assert_eq!((group(stages, "transport"), group(stages, "connecting")), (Some(5_000.0), None));
    assert_eq!((stages.service_ns, stages.rest_ns), (5_650.0, 40.0));

    // A server without stamps: the other one's stages beyond the client are put together to match.
    run.cells[5].figures.stages_ns =
        Some(Stages { client_encode: mean(300.0), transport_and_server: mean(50.0), ..Stages::default() });
    let stages = only(&run, "xmlrpc", "zerorpc").stages.unwrap();
    assert_eq!(group(&stages, "transport and server"), Some(5_010.0));
    assert_eq!((group(&stages, "encoding and decoding at the client"), stages.rest_ns), (Some(600.0), 40.0));
    assert_eq!(found.bytes[0].slower.framed, Some(152.5));
    assert!(found.connections.is_empty(), "persistent connections of both are no news");

    // HTTP/1.0: the server closes each connection.
    run.cells[4].figures.connections_opened = run.cells[4].figures.calls;
    run.cells[5].figures.connections_opened = Some(1);
    run.cells[4].figures.opening_ns =
        Some(OpeningTime { connect: Some(40_000.0), handshake: Some(1_000.0), ..OpeningTime::default() });
    let found = only(&run, "xmlrpc", "zerorpc");
    assert_eq!(found.connections.len(), 2);
    assert!(found.connections[0].is_per_call && !found.connections[1].is_per_call);
    assert_eq!(found.connections[0].opening_ns, Some(41_000.0));

    // The same back end with a connection per call, 60 µs slower.
    let mut other = run.cells[5].clone();
    other.point = "connection_mode=per-call".into();
    other.load.connection_mode = ConnectionMode::PerCall;
    for round in &mut other.rounds {
        round.figures.service_ns.p50 = round.figures.service_ns.p50.map(|p50| p50 + 60_000);
    }
    run.cells.push(other);
    let found = only(&run, "xmlrpc", "zerorpc");
    assert!(near(found.connections[1].per_call_costs_ns.map(|cost| cost.value), 60_000.0));
}

#[test]
fn without_two_names_each_load_point_is_taken_apart() {
    let run = run();
    let found = overview(&run, None).unwrap();
    assert_eq!((found.len(), found[0].attribution.as_ref().unwrap().pairs.len()), (1, 4));
    assert!(overview(&run, Some("x")).is_err());
    let named = run_of(cells(&made()[4..6], 3, 0.0, 1));
    assert!(overview(&named, None).unwrap()[0].not_split.as_ref().unwrap().contains("no free pair"));
}
