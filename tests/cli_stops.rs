//! A server that somebody stops in the middle of a round: the round counts, and everybody is told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{Sandbox, cell};

const STOP: Duration = Duration::from_millis(400);

#[test]
fn a_stopped_server_is_told_and_is_in_the_times() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "stop.toml",
        "name = \"stop\"\n[methods.work]\n[load]\nopen = { rate_per_s = 400 }\nduration = \"4s\"\nwarmup = { calls = 5 }\n\
         rounds = 1\nplacement = \"free\"\n[backends.tcp]\nprotocol = \"binary-tcp\"\n",
    );
    let running = sandbox.start(["run", "stop.toml", "--out", "out", "--no-wire-pass"]);
    sandbox.wait_for_a_measuring_client();
    let server = Pid::from_raw(sandbox.wait_for_process("serve"));
    kill(server, Signal::SIGSTOP).unwrap();
    let begun = Instant::now();
    std::thread::sleep(STOP);
    kill(server, Signal::SIGCONT).unwrap();
    let stopped = begun.elapsed();
    let ended = running.end();
    assert!(matches!(ended.code, Some(0 | 3)), "{ended:#?}");
    let run = sandbox.result(&sandbox.path("out"));
    let of = cell(&run, "tcp");
    let seen_ns = of["server_stopped_ns"].as_u64().unwrap();
    // Looks every 10 ms, by a thread that a busy machine may keep waiting.
    assert!(seen_ns >= 200_000_000, "{seen_ns} of {stopped:?}");
    assert!(of["response_ns"]["max"].as_u64().unwrap() >= 200_000_000, "{of:#}");
    let blamed = of["verdict"]["reasons"].to_string();
    assert!(!blamed.contains("overloaded") && !blamed.contains("failed"), "{blamed}");
    assert!(ended.stdout.contains("the server was stopped for"), "{}", ended.stdout);
}
