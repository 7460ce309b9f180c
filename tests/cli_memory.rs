//! Memory: the harness stays small, and a client holds no more for many calls than for few.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use support::Sandbox;

const LIMIT_BYTES: u64 = 64 << 20;

/// The most that any process which these tests waited for, or that those waited for, ever held.
fn largest_child_bytes() -> u64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    u64::try_from(usage.max_rss()).unwrap() * 1024
}

#[test]
fn a_run_of_the_seed_scenario_holds_under_64_mib_in_every_process() {
    let sandbox = Sandbox::new();
    // Our own four back ends: what a Python peer holds is its own affair.
    let (_, run) = sandbox.measure(&["seed", "--rounds", "1", "--only", "xmlrpc,zerorpc,grpc,binary-tcp"]);
    for cell in run["cells"].as_array().unwrap() {
        for side in ["client", "server"] {
            let peak_bytes = cell["rss_peak_bytes"][side].as_u64().unwrap();
            assert!(peak_bytes < LIMIT_BYTES, "{} {side}: {peak_bytes}", cell["backend"]);
        }
    }
    assert!(largest_child_bytes() > 1 << 20);
    assert!(largest_child_bytes() < LIMIT_BYTES, "{}", largest_child_bytes());
}

/// The resident peak of a client that makes so many calls to an in-process back end.
fn client_peak_bytes(calls: &str) -> f64 {
    let sandbox = Sandbox::new().patient(Duration::from_secs(600));
    let text = "name = \"many\"\n[methods.get]\nreturns = { text = { value = \"right\" } }\n\
                [load]\nclosed = { concurrency = 1 }\ncalls = 1\nwarmup = { calls = 10 }\nrounds = 1\n\
                [backends.null]\nprotocol = \"null\"\n";
    sandbox.write("many.toml", text);
    let (_, run) = sandbox.measure(&["many.toml", "--calls", calls]);
    assert_eq!(run["cells"][0]["calls"].to_string(), calls);
    assert!(largest_child_bytes() < LIMIT_BYTES, "{}", largest_child_bytes());
    run["cells"][0]["rss_peak_bytes"]["client"].as_f64().unwrap()
}

fn expect_the_same_memory(few: &str, many: &str) {
    let (few_bytes, many_bytes) = (client_peak_bytes(few), client_peak_bytes(many));
    let ratio = many_bytes / few_bytes;
    assert!(ratio < 1.1, "{few} calls hold {few_bytes}, {many} hold {many_bytes}");
}

#[test]
fn a_million_calls_hold_no_more_than_ten_thousand() {
    expect_the_same_memory("10000", "1000000");
}

#[test]
#[ignore = "long: a minute in a debug build"]
fn ten_million_calls_hold_no_more_than_ten_thousand() {
    expect_the_same_memory("10000", "10000000");
}
