//! The driver against connections that refuse calls, servers that never answer and lanes that die: a round
//! ends in time, says what was wrong, and counts nothing twice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "load/going_away.rs"]
mod going_away;
#[path = "load/scripted.rs"]
mod scripted;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use scripted::{Fate, scripted};
use wirebench::load::{self, Drive, DriveError, Observer, Pacing};
use wirebench::protocol::{Protocol, registry};
use wirebench::result::RoundResult;
use wirebench::rpc::{Delay, ErrorClass, Hold, How};
use wirebench::run::{Choices, Plan, Registry, RoundSpec, StageOrders, run_client};
use wirebench::scenario::{ErrorBudget, Generator, Scenario};
use wirebench::transport::TransportError;

struct Nobody;

impl Observer for Nobody {
    fn begins(&self) {}
    fn ends(&self) {}
}

/// A round of the calls of one method, which answers nil.
fn plan(protocol: Protocol, target: &str, load: &str) -> Drive {
    let text = format!(
        "name = \"l\"\n[methods.ping]\nreturns = \"nil\"\n[load]\nwarmup = {{ calls = 8 }}\n{load}\n\
         [backends.x]\nprotocol = \"grpc\"\n"
    );
    let scenario = Scenario::parse("l.toml", &text, &Registry).unwrap_or_else(|error| panic!("{error}"));
    let workload = scenario.workload(None);
    let service = Arc::new(workload.service());
    let generator = Arc::new(Generator::new(&workload));
    let most = u32::try_from(protocol.transport.max_in_flight()).unwrap();
    Drive {
        stages: None,
        wiring: protocol.wiring(&service, 16, 1).unwrap(),
        protocol,
        target: target.into(),
        payload_bytes: Arc::new(load::payload_bytes(&generator, service.methods.len())),
        generator,
        service,
        links: scenario.load.links(most).unwrap(),
        errors: ErrorBudget::default(),
        load: scenario.load,
        write_batch: 16,
        pacing: Pacing::default(),
        seed: 7,
        cpus: Vec::new(),
    }
}

fn round(protocol: Protocol, target: &str, load: &str) -> RoundResult {
    load::drive(&plan(protocol, target, load), &Nobody).unwrap()
}

fn named(name: &str) -> Protocol {
    registry::named(name, false).unwrap()
}

#[test]
fn calls_go_to_a_new_connection_where_a_server_says_that_it_takes_no_more() {
    // With four streams the client keeps calls back, and they are not lost either.
    for (protocol, streams) in [("grpc", 100), ("grpc", 4), ("grpc-tonic", 100)] {
        let target = going_away::serve(8.min(streams as usize), streams);
        let found = round(named(protocol), &target, "closed = { concurrency = 8 }\ncalls = 64");
        let examples = &found.error_examples;
        assert_eq!((found.calls, found.failed_calls()), (64, 0), "{protocol}, {streams}: {examples:?}");
        assert_eq!(found.gave_up, None, "{protocol}, {streams}");
        assert!(found.connections_opened >= Some(8), "{protocol}, {streams}: {:?}", found.connections_opened);
    }
}

#[test]
fn a_goaway_with_many_calls_in_flight_is_one_refusal_and_no_failed_call() {
    let target = going_away::serve_abruptly(10);
    let found = round(named("grpc"), &target, "closed = { concurrency = 80 }\ncalls = 400");
    assert_eq!(found.gave_up, None);
    let failed = (found.calls, found.failed_calls());
    assert_eq!(failed, (400, 0), "{:?}", found.error_examples);
    assert!(found.connections_opened >= Some(40), "{:?}", found.connections_opened);
}

#[test]
fn a_warm_up_in_calls_ends_where_a_thread_has_none_in_flight_yet() {
    let stages = "stages = [{ concurrency = 1, for = \"200ms\" }, { concurrency = 3, for = \"200ms\" }]";
    for think in ["", "think_time = \"1ms\"\n"] {
        let load = format!("client_threads = 3\nplacement = \"free\"\n{think}{stages}");
        let found = round(scripted(|_, _| Fate::Carry), "", &load);
        assert_eq!((found.gave_up.as_deref(), found.failed_calls()), (None, 0), "{load}");
        assert!(found.calls > 0, "{load}");
    }
}

#[test]
fn a_server_that_accepts_and_never_answers_is_given_up_and_that_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || listener.incoming().flatten().collect::<Vec<_>>());
    let load = "closed = { concurrency = 2 }\ncalls = 1000\ntimeout = \"60ms\"";
    let begun = Instant::now();
    let found = round(named("binary-tcp"), &target, load);
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    let why = found.gave_up.as_deref().unwrap();
    assert!(why.contains("10 calls in a row had no answer (the time-out is 60 ms)"), "{why}");
    assert_eq!(found.calls, 0);
}

/// What a connection says that takes no more calls.
fn over() -> Fate {
    Fate::Refuse(TransportError::Reset { reason: "going away".into() })
}

#[test]
fn a_call_that_a_connection_does_not_take_fails_alone() {
    let script = |call: u64, _own: u64| match call {
        20 => Fate::Refuse(TransportError::Refused { reason: "no room".into() }),
        _ => Fate::Carry,
    };
    for load in ["closed = { concurrency = 8 }\ncalls = 64", "open = { rate_per_s = 2000 }\ncalls = 64"] {
        let found = round(scripted(script), "", load);
        assert_eq!((found.calls, found.errors.get(&ErrorClass::Protocol)), (63, Some(&1)), "{load}");
        assert_eq!((found.gave_up, found.connections_opened), (None, Some(1)), "{load}");
    }
}

#[test]
fn a_connection_that_takes_no_more_is_replaced_and_no_call_is_lost() {
    // Every connection takes ten calls.
    let script = |_call: u64, own: u64| if own < 10 { Fate::Carry } else { over() };
    for load in ["closed = { concurrency = 8 }\ncalls = 64", "open = { rate_per_s = 2000 }\ncalls = 64"] {
        let found = round(scripted(script), "", load);
        assert_eq!((found.calls, found.failed_calls()), (64, 0), "{load}: {:?}", found.error_examples);
        assert_eq!(found.gave_up, None, "{load}");
    }
}

#[test]
fn connections_that_never_take_a_call_are_given_up() {
    for fate in [|_, _| over(), |_, _| Fate::Refuse(TransportError::Refused { reason: "no room".into() })] {
        let begun = Instant::now();
        let found =
            round(scripted(fate), "", "closed = { concurrency = 2 }\ncalls = 100000\ntimeout = \"1s\"");
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        let why = found.gave_up.as_deref().unwrap();
        assert!(why.contains("50 times in a row a connection took no call"), "{why}");
        assert!(found.failed_calls() < 60, "{:?}", found.errors);
    }
}

#[test]
fn calls_without_an_answer_within_the_budget_are_waited_for() {
    let plan = || {
        let script = |call: u64, _own: u64| if (8..20).contains(&call) { Fate::Lose } else { Fate::Carry };
        plan(scripted(script), "", "closed = { concurrency = 1 }\ncalls = 40\ntimeout = \"60ms\"")
    };
    let strict = load::drive(&plan(), &Nobody).unwrap();
    assert!(strict.gave_up.is_some() && strict.calls == 0, "{strict:?}");
    let lenient = Drive { errors: ErrorBudget::Share(0.3), ..plan() };
    let lenient = load::drive(&lenient, &Nobody).unwrap();
    assert_eq!((lenient.calls, lenient.failed_calls(), lenient.gave_up), (28, 12, None));
}

#[test]
fn a_last_call_that_times_out_takes_nothing_from_the_rate() {
    let script = |call: u64, _own: u64| if call == 8 + 99 { Fate::Lose } else { Fate::Carry };
    for load in ["closed = { concurrency = 4 }", "open = { rate_per_s = 2000 }"] {
        let found = round(scripted(script), "", &format!("{load}\ncalls = 100\ntimeout = \"1500ms\""));
        assert_eq!((found.calls, found.errors.get(&ErrorClass::Timeout)), (99, Some(&1)), "{load}");
        assert!(found.elapsed_ns < 1_000_000_000, "{load}: {}", found.elapsed_ns);
    }
    let load = "closed = { concurrency = 1 }\ncalls = 2\ntimeout = \"60ms\"";
    let found = round(scripted(|call, _| if call < 8 { Fate::Carry } else { Fate::Lose }), "", load);
    assert_eq!((found.calls, found.failed_calls()), (0, 2));
    assert!(found.elapsed_ns >= 120_000_000, "with no answer, until the last call was over");
}

#[test]
fn what_an_open_loop_offers_follows_from_its_schedule_however_long_the_answers_take() {
    let mut drive =
        plan(scripted(|_, _| Fate::Carry), "", "open = { rate_per_s = 1000 }\ncalls = 20\nin_flight = 1");
    let mut service = (*drive.service).clone();
    let hold = Hold::Fixed(10_000_000);
    service.methods[0].delay = Some(Delay { hold, stall: None, how: How::Sleep });
    drive.wiring = drive.protocol.wiring(&Arc::new(service), 16, 1).unwrap();
    let found = load::drive(&drive, &Nobody).unwrap();
    assert_eq!((found.offered_calls, found.interval_ns), (20, 20_000_000));
    assert!(found.elapsed_ns >= 200_000_000, "{}", found.elapsed_ns);
}

#[test]
fn a_lane_that_dies_ends_the_round_and_is_told() {
    let script = |call: u64, _own: u64| if call == 30 { Fate::Panic } else { Fate::Carry };
    for load in [
        "closed = { concurrency = 2 }\nconnections = 2\nin_flight = 1\ncalls = 1000",
        "open = { rate_per_s = 2000 }\nconnections = 2\nin_flight = 1\nduration = \"300ms\"",
    ] {
        let found = round(scripted(script), "", load);
        let why = found.gave_up.as_deref().unwrap();
        assert!(why.contains("a lane panicked; this is a fault of Wirebench"), "{load}: {why}");
    }
}

#[test]
fn with_a_connection_per_call_none_is_used_again_after_a_time_out() {
    let script = |call: u64, _own: u64| if call == 10 { Fate::Lose } else { Fate::Carry };
    let load = "closed = { concurrency = 1 }\nconnection_mode = \"per-call\"\ncalls = 12\ntimeout = \"60ms\"";
    let found = round(scripted(script), "", load);
    assert_eq!((found.calls, found.failed_calls()), (11, 1));
    assert_eq!(found.connections_opened, Some(12));
}

#[test]
fn a_client_thread_that_cannot_be_set_up_ends_the_others_and_is_the_reason() {
    let load = "open = { rate_per_s = 1000 }\nduration = \"60s\"\nconnections = 2\nclient_threads = 2";
    let mut drive = plan(scripted(|_, _| Fate::Carry), "", load);
    // No machine has a core of this number.
    drive.cpus = vec![0, 1_000];
    let begun = Instant::now();
    assert!(matches!(load::drive(&drive, &Nobody), Err(DriveError::Thread(_))));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn client_threads_begin_together_and_make_every_call_once() {
    let load = "open = { rate_per_s = 2000 }\ncalls = 200\nconnections = 3\nclient_threads = 3";
    let found = round(scripted(|_, _| Fate::Carry), "", load);
    assert_eq!((found.calls, found.offered_calls, found.failed_calls()), (200, 200, 0));
    assert_eq!(found.interval_ns, 100_000_000);
}

#[test]
fn stamps_that_cannot_be_written_cost_the_stages_and_not_the_round() {
    let text = "name = \"s\"\n[methods.ping]\nreturns = \"nil\"\n[load]\ncalls = 20\nwarmup = { calls = 1 }\n\
                [backends.x]\nprotocol = \"null\"\n";
    let scenario = Scenario::parse("s.toml", text, &Registry).unwrap_or_else(|error| panic!("{error}"));
    let cell = Plan::new(scenario, &Choices::default()).unwrap().cells.remove(0);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join("missing").join(name);
    let spec = RoundSpec {
        backend: cell.backend,
        target: None,
        workload: cell.workload,
        load: cell.point.load,
        links: cell.links,
        errors: cell.errors,
        placement: cell.placement,
        client_cpus: Vec::new(),
        server_cpus: Vec::new(),
        write_batch: cell.write_batch,
        server_threads: cell.server_threads,
        server_pid: None,
        break_pacer: false,
        wire_calls: None,
        stages: Some(StageOrders { every: 1, client_file: file("client"), server_file: file("server") }),
    };
    let found = run_client(&spec).unwrap();
    assert_eq!((found.calls, found.failed_calls()), (20, 0));
    let note = found.stages_note.unwrap();
    assert!(note.starts_with("cannot write stamps to ") && note.contains("missing/client"), "{note}");
}
