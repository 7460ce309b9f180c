//! `wirebench selftest` as a user runs it: it fails where the pacer is broken, and the known truths
//! hold through every protocol.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

use serde_json::Value;

/// Runs the selftest; its exit code and its outcome.
fn selftest(arguments: &[&str]) -> (i32, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_wirebench"))
        .args(["selftest", "--format", "json"])
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let json = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), json)
}

fn case<'a>(outcome: &'a Value, name: &str) -> &'a Value {
    let mut cases = outcome["cases"].as_array().unwrap().iter();
    cases.find(|case| case["name"] == name).unwrap()
}

fn ms(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no time: {value}")) / 1e6
}

#[test]
fn a_broken_pacer_fails_and_a_stopped_client_does_not_count() {
    // The machine may be busy: what is asserted holds all the same.
    let (_, sound) = selftest(&["--only", "client-stopped"]);
    let sound = case(&sound, "client-stopped");
    assert_eq!(sound["checks"][0]["passed"], true, "{sound:#}");
    let (code, broken) = selftest(&["--only", "client-stopped", "--break-pacer"]);
    assert_eq!((code, &broken["passed"]), (3, &Value::Bool(false)), "{broken:#}");
    let p99 = |case: &Value| ms(&case["comparisons"][0]["measured_ns"]);
    let truth = ms(&case(&broken, "client-stopped")["comparisons"][0]["truth_ns"]);
    assert!(p99(sound) > 120.0, "the stop is in the response time: {sound:#}");
    assert!(p99(case(&broken, "client-stopped")) < truth / 2.0, "a broken pacer hides it: {broken:#}");
}

#[test]
fn an_unknown_case_is_named_with_those_that_exist() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_wirebench")).args(["selftest", "--only", "stahl"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("there is no case stahl; allowed: fixed, queue, stall-closed"), "{text}");
}

#[test]
#[ignore = "long: two minutes, and a quiet machine"]
fn a_stall_shows_through_every_protocol_in_an_open_loop_and_hides_in_a_closed_one() {
    for protocol in ["xmlrpc", "zerorpc", "grpc", "binary-tcp"] {
        let (_, outcome) = selftest(&["--protocol", protocol, "--only", "stall-closed,stall"]);
        let of = |name: &str, figure: &str| {
            let comparisons = case(&outcome, name)["comparisons"].as_array().unwrap();
            ms(&comparisons.iter().find(|row| row["figure"] == figure).unwrap()["measured_ns"])
        };
        let (open, closed) = (of("stall", "p99"), of("stall-closed", "p99"));
        assert!((open / 181.0 - 1.0).abs() < 0.05, "{protocol}: {open} ms in an open loop");
        assert!((0.9..2.0).contains(&closed), "{protocol}: {closed} ms in a closed loop");
    }
}

#[test]
#[ignore = "long: a minute, and a quiet machine"]
fn overload_and_stops_have_their_verdicts_through_every_protocol() {
    for protocol in ["xmlrpc", "zerorpc", "grpc", "binary-tcp"] {
        let cases = ["overload", "client-stopped", "server-stopped"];
        let (_, outcome) = selftest(&["--protocol", protocol, "--only", &cases.join(",")]);
        for name in cases {
            // Verdict, rates, no tail, and that the server's stop is seen; times are for a quiet machine.
            for check in case(&outcome, name)["checks"].as_array().unwrap() {
                assert_eq!(check["passed"], true, "{protocol}, {name}: {check:#}");
            }
        }
    }
}

#[test]
#[ignore = "long: over a minute, and a quiet machine"]
fn the_selftest_passes_on_a_quiet_machine() {
    let begun = std::time::Instant::now();
    let (code, outcome) = selftest(&[]);
    assert_eq!(code, 0, "{outcome:#}");
    assert!(begun.elapsed().as_secs() < 90, "{:?}", begun.elapsed());
}
