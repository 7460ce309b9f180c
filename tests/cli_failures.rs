//! Servers and clients that fail under the run: the row says why, the other rows are measured, what
//! was measured is kept, and nothing is left behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::{
    Ended, FailingServer, Sandbox, cell, expect_good, expect_reason, failing_backend, is_good, reasons,
};

const SCENARIO: &str = r#"
name = "failing"
[methods.get]
returns = { text = { value = "right" } }
[load]
closed = { concurrency = 1 }
calls = 200
warmup = { calls = 10 }
rounds = 1
timeout = "500ms"
[backends.healthy]
protocol = "binary-tcp"
"#;

/// Runs the scenario with one server more, and checks what holds whatever its fault is.
fn run_with(fault: FailingServer) -> (Ended, Value) {
    let sandbox = Sandbox::new();
    let text = format!("{SCENARIO}{}", failing_backend(&sandbox, "victim", fault));
    sandbox.write("failing.toml", text);
    let ended = sandbox.run(["run", "failing.toml"]);
    sandbox.expect_clean();
    let run = sandbox.result(&sandbox.only_run());
    assert!(is_good(cell(&run, "healthy")), "{run:#}");
    assert_eq!(cell(&run, "healthy")["calls"], 200);
    (ended, run)
}

/// As above, for a fault that spoils the victim's cell.
fn failed_with(fault: FailingServer) -> (Ended, Value) {
    let (ended, run) = run_with(fault);
    let ended = ended.expect_code(3);
    assert_eq!(run["verdict"], "invalid");
    let victim = cell(&run, "victim").clone();
    assert_eq!(victim["verdict"]["status"], "invalid");
    assert_eq!(victim["rounds"].as_array().unwrap().len(), 1);
    (ended, victim)
}

/// What was measured before the fault: the 50 good calls, less the readiness call and the warm-up.
fn expect_kept(victim: &Value) {
    let round = &victim["rounds"][0];
    assert!(round["histograms"].as_str().is_some_and(|name| name.ends_with(".hlog")), "{victim:#}");
    assert_eq!(victim["calls"], 39, "{victim:#}");
    assert!(victim["service_ns"]["p50"].as_u64().is_some(), "{victim:#}");
}

#[test]
fn the_foreign_server_of_these_tests_is_measured_when_nothing_is_wrong_with_it() {
    let (ended, run) = run_with(FailingServer::Healthy);
    expect_good(&ended, &run);
    assert_eq!(cell(&run, "victim")["calls"], 200);
}

#[test]
fn a_server_that_crashes_at_start_is_a_failed_row_with_its_last_words() {
    let (ended, victim) = failed_with(FailingServer::CrashesAtStart);
    expect_reason(&victim, "failed", &["exited with code 7 before it was ready", "cannot open the database"]);
    assert!(ended.stdout.contains("cannot open the database"), "{}", ended.stdout);
}

#[test]
fn a_server_that_exits_in_mid_round_is_a_failed_row_and_its_calls_are_kept() {
    let (_, victim) = failed_with(FailingServer::Exits);
    expect_reason(&victim, "failed", &["exited with code 0 during the round", "had enough after 50 calls"]);
    expect_kept(&victim);
}

#[test]
fn a_server_that_is_killed_in_mid_round_is_a_failed_row_and_its_calls_are_kept() {
    let (_, victim) = failed_with(FailingServer::IsKilled);
    expect_reason(&victim, "failed", &["was killed by SIGKILL", "during the round", "my last words"]);
    expect_kept(&victim);
}

#[test]
fn a_server_that_stops_to_answer_gives_timeouts_by_class() {
    let sandbox = Sandbox::new();
    let text = SCENARIO.replace("calls = 200", "calls = 42").replace("healthy", "other");
    sandbox
        .write("hang.toml", format!("{text}{}", failing_backend(&sandbox, "victim", FailingServer::Hangs)));
    sandbox.run(["run", "hang.toml"]).expect_code(3);
    sandbox.expect_clean();
    let run = sandbox.result(&sandbox.only_run());
    let victim = cell(&run, "victim");
    expect_reason(victim, "errors", &["3 of 42 calls failed", "3 timeout", "500 ms"]);
    expect_kept(victim);
}

#[test]
fn a_server_that_turns_to_garbage_gives_protocol_errors_by_class() {
    let (_, victim) = failed_with(FailingServer::TurnsToGarbage);
    expect_reason(&victim, "errors", &["161 of 200 calls failed", "protocol"]);
    expect_kept(&victim);
}

#[test]
fn a_wrong_answer_voids_the_row_and_shows_what_was_expected_and_found() {
    let (_, victim) = failed_with(FailingServer::AnswersWrongly);
    assert_eq!(victim["wrong_answers"], 161);
    expect_reason(&victim, "wrong-answers", &["161 of 200", "get answered \"wrong\", expected \"right\""]);
}

#[test]
fn a_server_that_ignores_sigterm_is_ended_all_the_same_with_its_children() {
    let (ended, run) = run_with(FailingServer::IgnoresSigterm);
    expect_good(&ended, &run);
}

/// Both have their whole time to get ready, so they are waited for side by side.
#[test]
fn a_server_that_answers_nothing_or_garbage_is_a_failed_row() {
    let wait = |fault| std::thread::spawn(move || failed_with(fault).1);
    let (silent, garbled) = (wait(FailingServer::NeverAnswers), wait(FailingServer::SpeaksGarbage));
    let (silent, garbled) = (silent.join().unwrap(), garbled.join().unwrap());
    expect_reason(&silent, "failed", &["answered no call within", "no answer within", "up to no good"]);
    expect_reason(&garbled, "failed", &["answered no call within", "last attempt", "up to no good"]);
}

/// Runs one of our servers for a minute and kills a process of the round after a moment.
fn kill_in_mid_round(backend: &str, protocol: &str, victim: &str) -> (Ended, Value) {
    let sandbox = Sandbox::new();
    let text = format!(
        "{}\n[backends.{backend}]\n{protocol}\n",
        SCENARIO.replace("calls = 200", "duration = \"60s\"").split("[backends").next().unwrap()
    );
    sandbox.write("long.toml", text);
    let running = sandbox.start(["run", "long.toml"]);
    sandbox.wait_for_a_measuring_client();
    kill(Pid::from_raw(sandbox.wait_for_process(victim)), Signal::SIGKILL).unwrap();
    let ended = running.end();
    sandbox.expect_clean();
    let run = sandbox.result(&sandbox.only_run());
    (ended.expect_code(3), cell(&run, backend).clone())
}

#[test]
fn killing_our_server_in_mid_round_fails_the_row_soon_and_keeps_its_calls_on_every_transport() {
    let one = |name: &'static str, protocol: &'static str| {
        std::thread::spawn(move || (name, kill_in_mid_round(name, protocol, "serve")))
    };
    for batch in [
        [("xmlrpc", "protocol = \"xmlrpc\""), ("zerorpc", "protocol = \"zerorpc\"")],
        [("grpc", "protocol = \"grpc\""), ("tcp", "protocol = \"binary-tcp\"")],
        [
            ("tonic", "codec = \"protobuf\"\ntransport = \"http2-tonic\""),
            ("zmq", "codec = \"json\"\ntransport = \"zmq\""),
        ],
    ] {
        for thread in batch.map(|(name, protocol)| one(name, protocol)) {
            let (name, (_, victim)) = thread.join().unwrap();
            expect_reason(&victim, "failed", &["was killed by SIGKILL", "during the round"]);
            assert!(victim["calls"].as_u64().is_some_and(|calls| calls > 0), "{name}: {victim:#}");
            assert!(victim["rounds"][0]["histograms"].is_string(), "{name}: {victim:#}");
            let elapsed_s = victim["elapsed_s"].as_f64().unwrap();
            assert!(elapsed_s < 30.0, "{name} went on for {elapsed_s} s");
        }
    }
}

#[test]
fn killing_the_client_in_mid_round_fails_the_row_and_says_so() {
    let (_, victim) = kill_in_mid_round("tcp", "protocol = \"binary-tcp\"", "client");
    expect_reason(&victim, "failed", &["the client was killed by SIGKILL"]);
    assert_eq!(victim["calls"], Value::Null);
    assert_eq!(reasons(&victim).len(), 1);
}
