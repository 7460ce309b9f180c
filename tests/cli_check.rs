//! `wirebench check` on real servers. The slowdowns are huge, because the machine of a test is busy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::Value;
use support::{Ended, Sandbox, finish, violations};

const BINARY: &str = env!("CARGO_BIN_EXE_wirebench");

/// A service whose method takes so long, busily, and a second one that nobody calls.
fn scenario(service_time: &str, load: &str, gates: &str) -> String {
    format!(
        "name = \"checked\"\n\
         [methods.echo]\nparams = {{ text = {{ text = {{ length = {{ min = 1, max = 30 }} }} }} }}\nreturns = {{ echo = \"text\" }}\n{service_time}\n\
         [load]\nwarmup = \"20ms\"\n{load}\n[gates]\n{gates}\n\
         [backends.binary]\nprotocol = \"binary-tcp\"\n[backends.grpc]\nprotocol = \"grpc\"\n"
    )
}

/// The command of a server that answers as a scenario says.
fn served(scenario: &str) -> String {
    format!("'{BINARY}' serve {scenario} --protocol binary-tcp --listen {{host}}:{{port}}")
}

fn check(sandbox: &Sandbox, arguments: &[&str]) -> Ended {
    let state = sandbox.path("state");
    let mut command = sandbox.wirebench(["check"].iter().chain(arguments));
    command.env("XDG_STATE_HOME", state);
    finish(command)
}

/// Checks one server against another of the same back end: `binary` of `fast.toml`, with these commands.
fn check_builds(sandbox: &Sandbox, [base, candidate]: [&str; 2], more: &[&str]) -> Ended {
    let sides = ["fast.toml", "--base", "binary", "--candidate", "binary", "--out", "out"];
    let commands = ["--base-command", base, "--candidate-command", candidate];
    check(sandbox, &[&sides[..], &commands, more].concat())
}

fn result(sandbox: &Sandbox, out: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(sandbox.path(out).join("check.json")).unwrap()).unwrap()
}

fn verdict(check: &Value, metric: &str) -> String {
    let metrics = check["metrics"].as_array().unwrap();
    let found = metrics.iter().find(|found| found["name"] == metric);
    found.unwrap_or_else(|| panic!("no {metric}: {check:#}"))["verdict"].to_string()
}

#[test]
fn a_command_for_a_back_end_on_a_unix_socket_is_refused() {
    let sandbox = Sandbox::new();
    let unix = scenario("", "closed = { concurrency = 1 }", "")
        .replace("protocol = \"binary-tcp\"", "protocol = \"binary-tcp\"\nlisten = \"unix\"");
    sandbox.write("unix.toml", unix);
    let served = served("unix.toml");
    for flag in ["--base-command", "--candidate-command"] {
        let sides = ["unix.toml", "--base", "binary", "--candidate", "binary", flag, &served];
        let words = [flag, "UNIX socket", "remove `listen` from [backends.binary]"];
        check(&sandbox, &sides).expect_code(2).says(&words);
    }
    assert!(!sandbox.path("reports").exists());
}

#[test]
fn a_server_with_more_work_per_call_is_a_regression() {
    let sandbox = Sandbox::new();
    let closed = "closed = { concurrency = 1 }";
    sandbox.write("fast.toml", scenario("", closed, ""));
    let slow = "service_time = { fixed = \"2ms\", how = \"busy\" }";
    sandbox.write("slow.toml", scenario(slow, closed, ""));
    let (fast, slow) = (served("fast.toml"), served("slow.toml"));
    let ended = check_builds(&sandbox, [&fast, &slow], &["--rounds", "6", "--round", "500ms"]).expect_code(1);
    assert!(ended.stdout.contains("slower: service p50 +"), "{ended:?}");
    let check = result(&sandbox, "out");
    assert_eq!(check["status"], "regressed");
    assert_eq!(
        (verdict(&check, "service p50"), verdict(&check, "cpu")),
        ("\"regressed\"".into(), "\"regressed\"".into())
    );
    let p50 = &check["metrics"][0];
    assert!(p50["change"].as_f64().unwrap() > 1.0 && p50["interval"][0].as_f64().unwrap() > 0.5, "{p50}");
    // Everything is kept, and can be rendered again.
    let run: Value =
        serde_json::from_str(&std::fs::read_to_string(sandbox.path("out/run.json")).unwrap()).unwrap();
    let rounds = |cell: usize| run["cells"][cell]["rounds"].as_array().unwrap().len();
    assert!(rounds(0) >= 6 && rounds(1) >= 6);
    for file in
        ["check.md", "comment.md", "junit.xml", "benchmark-smaller.json", "bencher.json", "rounds.jsonl"]
    {
        assert!(sandbox.path("out").join(file).is_file(), "{file}");
    }
    // Formats of a run take the rounds that lie beside the check.
    sandbox.run(["report", "out/check.json", "--format", "html,md", "--out", "page"]).expect_code(0);
    assert!(sandbox.path("page/report.html").exists());
    let again = sandbox.run(["report", "out", "--format", "junit"]).expect_code(0);
    assert!(again.stdout.contains("<failure message=\"service p50 +"), "{again:?}");
    let schema = sandbox.run(["schema", "check"]).expect_code(0).json();
    assert_eq!(violations(&schema, &check), Vec::<String>::new());
}

#[test]
fn a_back_end_against_itself_is_no_regression_and_calibrates_the_machine() {
    let sandbox = Sandbox::new();
    // On a busy machine anything may happen to a time within 10 %, and nothing within 100 %.
    let gates = "noise_margin = \"60%\"\nlimit = \"100%\"\ninconclusive = \"pass\"";
    sandbox.write("same.toml", scenario("", "closed = { concurrency = 2 }", gates));
    let common = ["--rounds", "8", "--round", "150ms"];
    let arguments =
        [&["same.toml", "--base", "binary", "--calibrate", "--out", "calibrated"][..], &common].concat();
    let ended = check(&sandbox, &arguments).expect_code(0);
    assert!(ended.stderr.contains("kept for later checks"), "{ended:?}");
    let arguments =
        [&["same.toml", "--base", "binary", "--candidate", "binary", "--out", "out"][..], &common].concat();
    let ended = check(&sandbox, &arguments).expect_code(0);
    assert!(ended.stdout.contains("this machine, calibrated"), "{ended:?}");
    let check = result(&sandbox, "out");
    assert_ne!(check["status"], "regressed");
    assert_eq!(check["base"]["cell"], "binary (base)");
    assert_eq!(check["calibration"]["metrics"][0]["name"], "rate");
    let bytes = &check["bytes"][0];
    assert_eq!((&bytes["verdict"], &bytes["gated"]), (&"pass".into(), &true.into()));
    assert_eq!(bytes["request"][0], bytes["request"][1]);
    assert!(bytes["calls"].as_u64().unwrap() > 1);
}

#[test]
fn a_slow_tail_is_found_in_the_tail_alone() {
    let sandbox = Sandbox::new();
    let load = "open = { rate_per_s = 1000 }";
    let gates = "metrics = [\"response p50\", \"response p99\"]\nnoise_margin = \"90%\"\nlimit = \"100%\"";
    sandbox.write("fast.toml", scenario("", load, gates));
    // More than one call in a hundred takes 80 ms longer, and other calls need not wait for it.
    let slow = "service_time = { bimodal = { fast = \"0ms\", slow = \"80ms\", slow_share = 0.03 } }";
    sandbox.write("slow.toml", scenario(slow, load, gates));
    let (fast, slow) = (served("fast.toml"), served("slow.toml"));
    let ended = check_builds(&sandbox, [&fast, &slow], &["--rounds", "6"]);
    let check = result(&sandbox, "out");
    // A machine that is too busy for an open loop may drop too many pairs; then nothing is said.
    if check["status"] == "invalid" {
        assert_eq!(ended.code, Some(3), "{ended:?}");
        return;
    }
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(verdict(&check, "response p99"), "\"regressed\"");
    assert_ne!(verdict(&check, "response p50"), "\"regressed\"");
}

#[test]
fn a_candidate_that_cannot_keep_up_where_the_base_can_is_slower() {
    let sandbox = Sandbox::new();
    let (load, gates) = ("open = { rate_per_s = 100 }", "metrics = [\"response p50\"]");
    sandbox.write("fast.toml", scenario("", load, gates));
    let serial = "service_time = { fixed = \"20ms\", how = \"serial\" }";
    sandbox.write("slow.toml", scenario(serial, load, gates));
    let (fast, slow) = (served("fast.toml"), served("slow.toml"));
    let ended = check_builds(&sandbox, [&fast, &slow], &["--rounds", "5", "--round", "1s"]);
    let check = result(&sandbox, "out");
    // A machine that is too busy for an open loop may drop too many pairs; then nothing is said.
    if check["status"] == "invalid" && ended.stdout.contains("client-") {
        return;
    }
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(verdict(&check, "response p50"), "\"regressed\"");
    assert!(check["metrics"][0]["change"].as_f64().unwrap() >= 8.9, "{check:#}");
    let notes = check["notes"].to_string();
    assert!(notes.contains("the candidate alone was overloaded"), "{notes}");
}

#[test]
fn a_candidate_that_fails_now_and_then_does_not_pass() {
    let sandbox = Sandbox::new();
    let gates = "metrics = [\"cpu\"]\nnoise_margin = \"99%\"\nlimit = \"100%\"";
    sandbox.write("fast.toml", scenario("", "closed = { concurrency = 1 }", gates));
    let fast = served("fast.toml");
    // The fourth start and every fourth after it fail; the first ones are unscored.
    let starts =
        "n=$(($(cat starts 2>/dev/null || echo 0) + 1)); echo $n > starts; [ $((n % 4)) != 0 ] || exit 7";
    let flaky = format!(
        "sh -c \"{starts}; exec {BINARY} serve fast.toml --protocol binary-tcp --listen {{host}}:{{port}}\""
    );
    let ended =
        check_builds(&sandbox, [&fast, &flaky], &["--rounds", "5", "--round", "100ms"]).expect_code(3);
    assert!(ended.stdout.contains("candidate's rounds failed and none of the base's"), "{ended:?}");
    assert_eq!(result(&sandbox, "out")["status"], "invalid");
}

#[test]
fn more_bytes_and_failing_calls_are_regressions_of_their_own() {
    let sandbox = Sandbox::new();
    let gates = "noise_margin = \"90%\"\nlimit = \"100%\"\nmetrics = [\"cpu\"]\nbytes = \"gate\"";
    sandbox.write("plain.toml", scenario("", "closed = { concurrency = 2 }", gates));
    let common = ["--rounds", "5", "--round", "60ms"];
    let arguments =
        [&["plain.toml", "--base", "binary", "--candidate", "grpc", "--out", "bytes"][..], &common].concat();
    let ended = check(&sandbox, &arguments).expect_code(1);
    assert!(ended.stdout.contains("more bytes: echo encodes"), "{ended:?}");

    sandbox.write("fails.toml", scenario("fail = { rate = 0.5 }", "closed = { concurrency = 2 }", gates));
    let (plain, fails) = (served("plain.toml"), served("fails.toml"));
    let arguments = [
        &["plain.toml", "--base", "binary", "--candidate", "binary", "--out", "errors"][..],
        &["--base-command", &plain, "--candidate-command", &fails],
        &common,
    ]
    .concat();
    let ended = check(&sandbox, &arguments).expect_code(1);
    assert!(ended.stdout.contains("calls of the candidate failed"), "{ended:?}");
    let check = result(&sandbox, "errors");
    assert_eq!(check["errors"]["failed"][0], 0);
    assert!(check["errors"]["failed"][1].as_u64().unwrap() > 0);
}

#[test]
fn bytes_that_were_asked_for_and_are_not_known_are_no_pass() {
    let sandbox = Sandbox::new();
    let gates = "noise_margin = \"90%\"\nlimit = \"100%\"\nmetrics = [\"service p50\"]\nbytes = \"gate\"\nerrors = \"90%\"";
    sandbox.write("plain.toml", scenario("", "closed = { concurrency = 2 }", gates));
    sandbox.write("fails.toml", scenario("fail = { rate = 0.5 }", "closed = { concurrency = 2 }", gates));
    let builds = [&served("plain.toml"), &served("fails.toml")];
    let arguments = [
        &["plain.toml", "--base", "binary", "--candidate", "binary", "--out", "out"][..],
        &["--base-command", builds[0], "--candidate-command", builds[1], "--rounds", "5", "--round", "60ms"],
    ]
    .concat();
    let ended = check(&sandbox, &arguments).expect_code(3);
    assert!(ended.stdout.contains("the encoded bytes of echo could not be compared"), "{ended:?}");
    assert_eq!(result(&sandbox, "out")["status"], "invalid");
}

#[test]
fn a_candidate_that_dies_is_an_invalid_measurement() {
    let sandbox = Sandbox::new();
    sandbox.write("plain.toml", scenario("", "closed = { concurrency = 1 }", ""));
    let arguments = ["plain.toml", "--base", "binary", "--candidate", "grpc", "--candidate-command", "false"];
    check(&sandbox, &arguments).expect_code(3).says(&["the candidate (grpc)"]);
}

#[test]
fn a_candidate_that_answers_nothing_is_an_invalid_measurement() {
    let sandbox = Sandbox::new();
    sandbox.write("plain.toml", scenario("", "closed = { concurrency = 1 }", ""));
    sandbox.write("fails.toml", scenario("fail = { rate = 1.0 }", "closed = { concurrency = 1 }", ""));
    let fails = served("fails.toml");
    let arguments = [
        "plain.toml",
        "--base",
        "binary",
        "--candidate",
        "binary",
        "--candidate-command",
        &fails,
        "--round",
        "60ms",
    ];
    check(&sandbox, &arguments)
        .expect_code(3)
        .says(&["the candidate (binary (candidate)): no call was answered"]);
}

#[test]
fn an_interrupted_check_ends_at_once_and_leaves_nothing_running() {
    let sandbox = Sandbox::new();
    sandbox.write("plain.toml", scenario("", "closed = { concurrency = 1 }", ""));
    let running =
        sandbox.start(["check", "plain.toml", "--base", "binary", "--candidate", "grpc", "--round", "5s"]);
    sandbox.wait_for_a_measuring_client();
    running.signal(nix::sys::signal::Signal::SIGINT);
    running.end().expect_code(130);
    sandbox.expect_nothing_running(support::PATIENCE);
}

#[test]
fn what_cannot_be_checked_is_refused_before_anything_is_measured() {
    let sandbox = Sandbox::new();
    sandbox.write("plain.toml", scenario("", "closed = { concurrency = 1 }", ""));
    sandbox.write("swept.toml", scenario("", "[sweep]\nconcurrency = [1, 2]", ""));
    sandbox.write("slow.toml", scenario("", "open = { rate_per_s = 5 }", "metrics = [\"p99\"]"));
    for (arguments, words) in [
        (
            &["plain.toml", "--base", "binray", "--candidate", "grpc"][..],
            &["--base binray", "binary, grpc"][..],
        ),
        (&["plain.toml", "--base", "grpc", "--candidate", "x"], &["--candidate x", "allowed"]),
        (
            &["plain.toml", "--base", "binary", "--candidate", "grpc", "--rounds", "5"],
            &["5 pairs", "at least 6 are needed", "--rounds 6"],
        ),
        (
            &["plain.toml", "--base", "binary", "--candidate", "grpc", "--candidate-command", "'x"],
            &["--candidate-command", "not closed"],
        ),
        (
            &[
                "plain.toml",
                "--base",
                "binary",
                "--candidate",
                "grpc",
                "--candidate-command",
                "no-such-program",
            ],
            &["no-such-program"],
        ),
        (
            &["swept.toml", "--base", "binary", "--candidate", "grpc"],
            &["--point", "concurrency=1, concurrency=2"],
        ),
        (&["plain.toml", "--base", "binary"], &["--candidate"]),
        (
            &["plain.toml", "--base", "binary", "--candidate", "grpc", "--limit", "1%"],
            &["--limit must be above"],
        ),
        (
            &["plain.toml", "--base", "binary", "--candidate", "grpc", "--metric", "p98"],
            &["--metric: p98: unknown metric", "allowed: rate, cpu, and p50"],
        ),
        (
            &["plain.toml", "--base", "binary", "--candidate", "grpc", "--metric", "cpu", "--metric", "cpu"],
            &["--metric: cpu: the metric is in the list twice"],
        ),
        (
            &["plain.toml", "--base", "binary", "--candidate", "grpc", "--metric", "capacity"],
            &["--metric: capacity: the scenario does not search a capacity", "add [capacity]"],
        ),
        (
            // The file gates p99 alone, for which five pairs would do.
            &[
                "slow.toml",
                "--base",
                "binary",
                "--candidate",
                "grpc",
                "--rounds",
                "5",
                "--metric",
                "cpu",
                "--metric",
                "p50",
            ],
            &["with 2 gated metrics: at least 6 are needed"],
        ),
        (
            &["slow.toml", "--base", "binary", "--candidate", "grpc", "--round", "100ms"],
            &["response p99 cannot be gated", "lengthen them with --round"],
        ),
    ] {
        check(&sandbox, arguments).expect_code(2).says(words);
    }
    assert!(!sandbox.path("reports").exists());
}

#[test]
fn the_help_says_how_many_pairs_are_needed() {
    let help = Sandbox::new().run(["check", "--help"]).expect_code(0).stdout;
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let of = |metrics| wirebench::analysis::compare::fewest_pairs(metrics, 0.05);
    assert_eq!(of(2), of(3));
    let told = format!("One gated metric takes at least {}, two or three take {}", of(1), of(2));
    assert!(words.contains(&told) && words.contains("20s is the least that makes sense"), "{words}");
}

#[test]
fn a_budget_that_is_too_short_says_which_one_is_enough() {
    let sandbox = Sandbox::new();
    sandbox.write("plain.toml", scenario("", "closed = { concurrency = 1 }", ""));
    let arguments =
        ["plain.toml", "--base", "binary", "--candidate", "grpc", "--budget", "1s", "--round", "400ms"];
    check(&sandbox, &arguments).expect_code(2).says(&["at least 6 are needed", "--budget"]);
}
