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
