//! Load shapes with the real binary: think times, stages, the search for a capacity.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::Value;
use support::{Sandbox, cell};

/// A scenario on binary-tcp with one method.
fn scenario(method: &str, load: &str) -> String {
    format!(
        "name = \"shapes\"\nseed = 7\n[methods.work]\n{method}\n[load]\nwarmup = {{ calls = 5 }}\nrounds = 1\n\
         placement = \"free\"\n{load}\n[backends.tcp]\nprotocol = \"binary-tcp\"\n"
    )
}

#[test]
fn users_think_between_their_calls() {
    let sandbox = Sandbox::new();
    sandbox
        .write("think.toml", scenario("", "calls = 40\nclosed = { concurrency = 2 }\nthink_time = \"20ms\""));
    let (ended, run) = sandbox.measure(&["think.toml"]);
    let of = cell(&run, "tcp");
    assert_eq!(of["load"]["think_time"]["fixed_ns"], 20_000_000);
    assert_eq!(of["calls"], 40);
    // Twenty calls of a user have nineteen gaps between them.
    assert!(of["elapsed_s"].as_f64().unwrap() > 0.380, "{of:#}");
    let samples = |of: &Value| of["samples"].as_u64().unwrap();
    assert_eq!((samples(&of["response_ns"]), samples(&of["lag_ns"])), (40, 40), "due is not start");
    assert!(ended.stdout.contains("20.0 ms between an answer and the next call"), "{}", ended.stdout);

    // A call that thinks for no time is a closed loop as ever.
    let (_, run) = sandbox.measure(&["think.toml", "--think-time", "0s"]);
    let of = cell(&run, "tcp");
    assert_eq!((samples(&of["lag_ns"]), of["calls"].as_u64()), (0, Some(40)));
    assert_eq!(run["scenario"]["overrides"][0], "--think-time 0ns");
    let refused = sandbox.run(["run", "think.toml", "--rate", "5", "--think-time", "1ms"]);
    refused.expect_code(2).says(&["--think-time", "an open load has no think time"]);
}

#[test]
fn the_gap_between_calls_can_be_swept_and_makes_a_curve() {
    let sandbox = Sandbox::new();
    let load = "duration = \"200ms\"\nclient_threads = 2\nclosed = { concurrency = 4 }\n\
                [sweep]\nthink_time = [\"0s\", \"10ms\"]";
    sandbox.write("gap.toml", scenario("", load));
    let (_, run) = sandbox.measure(&["gap.toml"]);
    let curve = &run["curves"][0];
    assert_eq!((&curve["axis"], &curve["backend"]), (&"think_time".into(), &"tcp".into()));
    let points = curve["points"].as_array().unwrap();
    assert_eq!(points.iter().map(|point| point["x"].as_f64().unwrap()).collect::<Vec<_>>(), [0.0, 1e7]);
    let calls = run["cells"][1]["calls"].as_u64().unwrap();
    // Four users, a call at once and one after each 10 ms: at most twenty each in 200 ms.
    assert!((4..=80).contains(&calls), "{calls}");
}

fn stages(of: &Value) -> &Vec<Value> {
    of["stages"].as_array().unwrap_or_else(|| panic!("{of:#}"))
}

#[test]
fn stages_of_an_open_load_have_figures_and_verdicts_of_their_own() {
    let sandbox = Sandbox::new();
    let load = "open = { arrivals = \"constant\" }\nclient_threads = 2\nstages = [{ rate_per_s = 200, for = \"500ms\" }, \
                { ramp_to_per_s = 400, for = \"1s\", label = \"rush\" }, { rate_per_s = 20, for = \"500ms\" }]";
    sandbox.write("stages.toml", scenario("", load));
    let (ended, run) = sandbox.measure(&["stages.toml"]);
    let of = cell(&run, "tcp");
    let offered: Vec<f64> =
        stages(of).iter().map(|stage| stage["offered_rate_per_s"].as_f64().unwrap()).collect();
    assert_eq!(offered, [200.0, 300.0, 20.0]);
    let calls: Vec<u64> = stages(of).iter().map(|stage| stage["calls"].as_u64().unwrap()).collect();
    assert_eq!(calls, [100, 300, 10], "a call belongs to the stage in which it was due");
    let samples: Vec<u64> =
        stages(of).iter().map(|stage| stage["response_ns"]["samples"].as_u64().unwrap()).collect();
    assert_eq!(samples, calls);
    assert_eq!(of["calls"], 410);
    assert_eq!(stages(of)[1]["label"], "rush");
    assert_eq!((&stages(of)[1]["from_per_s"], &stages(of)[1]["to_per_s"]), (&200.0.into(), &400.0.into()));
    assert_eq!(stages(&of["rounds"][0]).len(), 3);
    assert_eq!(of["load"]["stages"][2]["label"], "20/s for 500ms");
    for shown in ["Stages", "rush", "200/s for 500ms"] {
        assert!(ended.stdout.contains(shown), "{shown}: {}", ended.stdout);
    }
    let (ended, _) = sandbox.measure(&["stages.toml", "--format", "md"]);
    let markdown = ended.stdout;
    assert!(markdown.contains("**Stages**") && markdown.contains("| rush |"), "{markdown}");
}

#[test]
fn a_stage_beyond_what_the_server_can_do_is_overloaded_and_the_others_are_not() {
    let sandbox = Sandbox::new();
    let load = "stages = [{ rate_per_s = 20, for = \"1s\" }, { rate_per_s = 120, for = \"2s\" }]";
    // A server that can do 50/s, on any machine.
    let method = "service_time = { fixed = \"20ms\", how = \"serial\" }";
    sandbox.write("over.toml", scenario(method, load));
    let ended = sandbox.run(["run", "over.toml", "--out", "out"]).expect_code(3);
    let run = sandbox.result(&sandbox.path("out"));
    let of = cell(&run, "tcp");
    let kinds = |stage: usize| stages(of)[stage]["verdict"]["reasons"].to_string();
    assert!(!kinds(0).contains("overloaded"), "{of:#}");
    assert!(kinds(1).contains("overloaded"), "{of:#}");
    assert_eq!(stages(of)[1]["response_ns"]["p99"], Value::Null, "no tail of what has no end");
    support::expect_reason(of, "overloaded", &["in the stage 120/s for 2s"]);
    let achieved = stages(of)[1]["rate_per_s"].as_f64().unwrap();
    assert!(achieved < 55.0, "{achieved}");
    assert!(ended.stdout.contains("overloaded"), "{}", ended.stdout);
}

#[test]
fn steps_of_a_closed_load_change_the_calls_in_flight() {
    let sandbox = Sandbox::new();
    for think in ["", "think_time = \"10ms\"\n"] {
        let load = format!(
            "{think}client_threads = 2\nstages = [{{ concurrency = 2, for = \"600ms\" }}, {{ concurrency = 8, for = \"600ms\" }}, \
             {{ concurrency = 1, for = \"600ms\" }}]"
        );
        // Each call in flight makes at most 50/s of them, and on any machine at least a few.
        sandbox.write("steps.toml", scenario("service_time = { fixed = \"20ms\" }", &load));
        let ended = sandbox.run(["run", "steps.toml", "--out", "steps"]);
        assert!(matches!(ended.code, Some(0 | 3)), "{ended:#?}");
        let run = sandbox.result(&sandbox.path("steps"));
        let of = cell(&run, "tcp");
        let calls: Vec<u64> = stages(of).iter().map(|stage| stage["calls"].as_u64().unwrap()).collect();
        // What was in flight at a step down ends in its own stage, which was the one before.
        assert!(calls[0] <= 62 && calls[2] <= 33, "{calls:?}");
        assert!(calls[1] > calls[0] && calls[1] > calls[2] && calls[2] > 0, "{think}: {calls:?}");
        assert_eq!(stages(of)[0]["offered_rate_per_s"], Value::Null);
        assert_eq!(of["load"]["concurrency"], 8);
        std::fs::remove_dir_all(sandbox.path("steps")).unwrap();
    }
}

#[test]
fn the_capacity_of_a_server_that_is_known_is_found() {
    let sandbox = Sandbox::new().patient(std::time::Duration::from_secs(240));
    // One call at a time, each 20 ms: 50/s, less what a busy machine takes.
    let text = scenario(
        "service_time = { fixed = \"20ms\", how = \"serial\" }",
        "open = { rate_per_s = 20 }\nduration = \"2s\"\n[capacity]\nslo = \"p50 <= 200ms\"\nprecision = 0.1\nmin_per_s = 5\n",
    );
    sandbox.write("capacity.toml", text);
    let ended = sandbox.run(["run", "capacity.toml", "--out", "out"]);
    assert!(matches!(ended.code, Some(0 | 1 | 3)), "{ended:#?}");
    let run = sandbox.result(&sandbox.path("out"));
    let found = &run["capacity"][0];
    let probes = found["probes"].as_array().unwrap();
    let tried = |probe: &Value| probe["rate_per_s"].as_f64().unwrap();
    // What holds on any machine: no rate above 50/s keeps the objective, and every round is kept.
    for probe in probes {
        let (rate, ok) = (tried(probe), probe["ok"] == true);
        assert!(!ok || rate <= 55.0, "{found:#}");
        assert_eq!(ok, probe["why"] == "", "{found:#}");
        assert!(sandbox.path("out").join(probe["histograms"].as_str().unwrap()).is_file());
    }
    assert_eq!(tried(&probes[0]), 20.0);
    assert!(ended.stdout.contains("Capacity"), "{}", ended.stdout);
    if found["bound"] != "exact" {
        eprintln!("the machine was too busy to find it: {found:#}");
        return;
    }
    let rate = found["rate_per_s"].as_f64().unwrap();
    assert!((20.0..=55.0).contains(&rate), "{found:#}");
    let missed = probes.iter().filter(|probe| tried(probe) > rate).map(tried).fold(f64::MAX, f64::min);
    assert!(missed <= rate * 1.1001, "{found:#}");
    let of = cell(&run, "tcp");
    assert_eq!(of["load"]["rate_per_s"].as_f64().unwrap(), rate);
    assert_eq!(of["rounds"].as_array().unwrap().len(), 2, "found, and confirmed");
    // The bytes were counted once, at whatever rate.
    for direction in ["request", "response"] {
        assert!(of["bytes_per_call"][direction]["wire"].as_f64().unwrap() > 10.0, "{of:#}");
    }
}

#[test]
fn an_objective_that_no_rate_keeps_is_a_missed_gate() {
    let sandbox = Sandbox::new();
    let load = "open = { rate_per_s = 40 }\nduration = \"300ms\"";
    sandbox.write("never.toml", scenario("service_time = { fixed = \"20ms\" }", load));
    let ended = sandbox.run(["run", "never.toml", "--capacity", "p50 <= 1ms", "--out", "out"]);
    let run = sandbox.result(&sandbox.path("out"));
    let found = &run["capacity"][0];
    assert_eq!((&found["bound"], &found["rate_per_s"]), (&"none".into(), &Value::Null), "{found:#}");
    assert!(matches!(ended.code, Some(1 | 3)), "{ended:#?}");
    assert_eq!(run["scenario"]["overrides"][0], "--capacity 'p50 <= 1ms'");
    let validated = sandbox.run(["validate", "never.toml", "--capacity", "p50 <= 1ms"]).expect_code(0);
    assert!(
        validated.stdout.contains("the highest rate from 10 to 1000000/s with p50 <= 1ms"),
        "{validated:#?}"
    );
    let closed = sandbox.run(["run", "never.toml", "--concurrency", "2", "--capacity", "p50 <= 1ms"]);
    closed.expect_code(2).says(&["--capacity", "this one is closed; add --rate"]);
}
