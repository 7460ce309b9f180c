//! Ctrl-C, SIGTERM and SIGKILL, and a disk that is full: what was measured is on disk, the report
//! says what is missing, and nothing runs on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::{
    FailingServer, Running, Sandbox, cell, expect_reason, failing_backend, finish, is_good, listing, wait_for,
};

/// Rounds of two seconds: long enough to be caught in the middle.
fn scenario(sandbox: &Sandbox, rounds: u32, backends: &str) -> PathBuf {
    sandbox.write(
        "long.toml",
        format!(
            r#"
name = "long"
[methods.get]
returns = {{ text = {{ value = "right" }} }}
[load]
closed = {{ concurrency = 1 }}
duration = "2s"
warmup = {{ calls = 5 }}
rounds = {rounds}
{backends}
"#
        ),
    )
}

const OURS: &str = "[backends.tcp]\nprotocol = \"binary-tcp\"\n[backends.http]\nprotocol = \"xmlrpc\"\n";

/// Waits until so many rounds are on disk; the result is then written, too.
fn wait_for_rounds(out: &Path, count: usize) {
    wait_for(|| {
        let rounds = std::fs::read_to_string(out.join("rounds.jsonl")).ok()?;
        let has_result = out.join("run.json").exists();
        (rounds.lines().count() >= count && has_result).then_some(())
    });
}

/// What holds for every run that was ended after one round of two back ends.
fn expect_interrupted(sandbox: &Sandbox, out: &Path) -> Value {
    let run = sandbox.result(out);
    assert_eq!(run["interrupted"], true);
    let measured: Vec<&Value> =
        run["cells"].as_array().unwrap().iter().filter(|cell| cell["calls"].is_u64()).collect();
    assert_eq!(measured.len(), 1, "{run:#}");
    assert!(is_good(measured[0]), "{run:#}");
    let histograms = measured[0]["rounds"][0]["histograms"].as_str().unwrap();
    assert!(std::fs::metadata(out.join(histograms)).unwrap().len() > 0);
    let names = ["tcp", "http"];
    let missing = names.iter().find(|name| measured[0]["backend"] != **name).unwrap();
    expect_reason(cell(&run, missing), "interrupted", &["the run ended before"]);
    assert_eq!(cell(&run, missing)["calls"], Value::Null);
    run
}

/// Starts a run of many rounds and returns in the middle of its second one.
fn in_the_second_round<'a>(sandbox: &'a Sandbox, out: &Path) -> Running<'a> {
    scenario(sandbox, 1, OURS);
    let running = sandbox.start(["run", "long.toml", "--out", "out"]);
    wait_for_rounds(out, 1);
    sandbox.wait_for_process("client");
    running
}

fn a_first_signal_ends_in_good_order(signal: Signal) {
    let sandbox = Sandbox::new();
    let out = sandbox.path("out");
    let running = in_the_second_round(&sandbox, &out);
    running.signal(signal);
    let signalled = Instant::now();
    let ended = running.end().expect_code(130).says(&["interrupted: what was measured is kept", "report:"]);
    assert!(signalled.elapsed() < Duration::from_secs(10), "{:?}", signalled.elapsed());
    sandbox.expect_clean();
    assert!(ended.stdout.contains("the run ended before"), "{}", ended.stdout);
    expect_interrupted(&sandbox, &out);
    for file in ["report.html", "report.csv", "report.md"] {
        assert!(out.join(file).exists(), "{file}");
    }
}

#[test]
fn ctrl_c_in_mid_run_keeps_what_was_measured_and_says_what_was_not() {
    a_first_signal_ends_in_good_order(Signal::SIGINT);
}

#[test]
fn sigterm_ends_a_run_as_ctrl_c_does() {
    a_first_signal_ends_in_good_order(Signal::SIGTERM);
}

#[test]
fn a_run_that_ignores_hang_ups_outlives_its_terminal() {
    let sandbox = Sandbox::new();
    let out = sandbox.path("out");
    scenario(&sandbox, 1, OURS);
    let mut child = sandbox
        .command("sh")
        .args(["-c", "trap '' HUP; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_wirebench"), "run", "long.toml"])
        .args(["--out", "out"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for_rounds(&out, 1);
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGHUP).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(sandbox.result(&out)["interrupted"], false);
    sandbox.expect_clean();
}

/// Two signals of a kind are one while the first is pending.
fn has_taken_its_signals(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let pending = status.lines().filter(|line| line.starts_with("SigPnd:") || line.starts_with("ShdPnd:"));
    pending.map(|line| line.rsplit('\t').next().unwrap()).all(|mask| mask.bytes().all(|digit| digit == b'0'))
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let sandbox = Sandbox::new();
    let out = sandbox.path("out");
    // A server that ignores SIGTERM leaves the time for a second one.
    scenario(&sandbox, 5, &failing_backend(&sandbox, "deaf", FailingServer::IgnoresSigterm));
    let running = sandbox.start(["run", "long.toml", "--out", "out"]);
    wait_for_rounds(&out, 1);
    sandbox.wait_for_process("client");
    running.signal(Signal::SIGINT);
    wait_for(|| has_taken_its_signals(running.pid()).then_some(()));
    running.signal(Signal::SIGINT);
    let ended = running.end().expect_code(130);
    assert_eq!((&*ended.stdout, &*ended.stderr), ("", ""), "it went on to report");
    sandbox.expect_nothing_running(Duration::from_secs(1));
    assert_eq!(sandbox.result(&out)["interrupted"], true);
}

#[test]
fn sigkill_leaves_nothing_running_and_finished_rounds_on_disk() {
    let sandbox = Sandbox::new();
    let out = sandbox.path("out");
    let running = in_the_second_round(&sandbox, &out);
    assert!(sandbox.processes().len() >= 5, "{:?}", sandbox.processes());
    running.signal(Signal::SIGKILL);
    sandbox.expect_nothing_running(Duration::from_secs(1));
    assert_eq!(running.end().code, None);
    expect_interrupted(&sandbox, &out);
}

#[test]
fn sigkill_ends_a_foreign_server_that_ignores_sigterm_and_what_it_started() {
    let sandbox = Sandbox::new();
    let backend = failing_backend(&sandbox, "deaf", FailingServer::IgnoresSigterm);
    scenario(&sandbox, 1, &backend);
    let running = sandbox.start(["run", "long.toml", "--out", "out"]);
    sandbox.wait_for_process("client");
    let python = sandbox.processes().into_iter().filter(|(_, words)| words[0].contains("python")).count();
    assert_eq!(python, 2, "a server and its child: {:#?}", sandbox.processes());
    running.signal(Signal::SIGKILL);
    sandbox.expect_nothing_running(Duration::from_secs(1));
}

#[test]
fn ctrl_c_ends_a_round_of_a_server_that_ignores_sigterm() {
    let sandbox = Sandbox::new();
    let backend = failing_backend(&sandbox, "deaf", FailingServer::IgnoresSigterm);
    scenario(&sandbox, 1, &backend);
    let running = sandbox.start(["run", "long.toml", "--out", "out", "--duration", "60s"]);
    sandbox.wait_for_a_measuring_client();
    running.signal(Signal::SIGINT);
    let signalled = Instant::now();
    running.end().expect_code(130);
    assert!(signalled.elapsed() < Duration::from_secs(5), "{:?}", signalled.elapsed());
    sandbox.expect_clean();
    expect_reason(
        cell(&sandbox.result(&sandbox.path("out")), "deaf"),
        "interrupted",
        &["the run ended before"],
    );
}

#[test]
fn ctrl_c_ends_the_wait_for_a_server_to_get_ready() {
    for fault in [FailingServer::NeverAnswers, FailingServer::SpeaksGarbage] {
        let sandbox = Sandbox::new();
        scenario(&sandbox, 1, &failing_backend(&sandbox, "silent", fault));
        let running = sandbox.start(["run", "long.toml", "--out", "out"]);
        wait_for(|| sandbox.processes().iter().any(|(_, words)| words[0].contains("python")).then_some(()));
        running.signal(Signal::SIGINT);
        let signalled = Instant::now();
        running.end().expect_code(130);
        assert!(signalled.elapsed() < Duration::from_secs(3), "{:?}", signalled.elapsed());
        sandbox.expect_clean();
    }
}

#[test]
fn ctrl_c_ends_the_wait_for_an_external_server() {
    let sandbox = Sandbox::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("[backends.far]\nurl = \"binary+tcp://{}\"\n", listener.local_addr().unwrap());
    scenario(&sandbox, 1, &url);
    let running = sandbox.start(["run", "long.toml", "--out", "out"]);
    // It has called, and gets no answer.
    let _connection = listener.accept().unwrap();
    running.signal(Signal::SIGINT);
    let signalled = Instant::now();
    running.end().expect_code(130);
    assert!(signalled.elapsed() < Duration::from_secs(3), "{:?}", signalled.elapsed());
}

#[test]
fn a_killed_supervisor_takes_its_server_along() {
    let sandbox = Sandbox::new();
    scenario(&sandbox, 1, "[backends.tcp]\nprotocol = \"binary-tcp\"\n");
    let running = sandbox.start(["run", "long.toml", "--out", "out"]);
    sandbox.wait_for_a_measuring_client();
    let supervisor = sandbox.processes().into_iter().find(|(_, words)| {
        words.get(1).is_some_and(|word| word == "supervise") && words.iter().any(|word| word == "serve")
    });
    kill(Pid::from_raw(supervisor.unwrap().0), Signal::SIGKILL).unwrap();
    running.end().expect_code(3);
    sandbox.expect_clean();
    let run = sandbox.result(&sandbox.path("out"));
    expect_reason(cell(&run, "tcp"), "failed", &["ended together with its supervisor"]);
}

/// Every write to the histograms of the second round fails as on a full disk.
#[test]
fn a_full_disk_ends_the_run_with_the_files_name_and_keeps_the_rounds_before() {
    let sandbox = Sandbox::new();
    scenario(&sandbox, 2, "[backends.tcp]\nprotocol = \"binary-tcp\"\n");
    let out = sandbox.path("out");
    std::fs::create_dir(&out).unwrap();
    symlink("/dev/full", out.join("tcp-r2.hlog.part")).unwrap();
    let arguments = ["run", "long.toml", "--out", "out", "--duration", "200ms"];
    sandbox
        .run(arguments)
        .expect_code(3)
        .says(&["tcp-r2.hlog: No space left on device", "the rounds that it finished before are in out"]);
    sandbox.expect_clean();
    let run = sandbox.result(&out);
    assert_eq!(run["interrupted"], true);
    assert_eq!(cell(&run, "tcp")["rounds"].as_array().unwrap().len(), 1);
    assert_eq!(listing(&out), ["rounds.jsonl", "run.json", "tcp-r1.hlog"]);
}

#[test]
fn a_report_that_finds_the_disk_full_leaves_the_result_and_the_table() {
    let sandbox = Sandbox::new();
    scenario(&sandbox, 1, "[backends.tcp]\nprotocol = \"binary-tcp\"\n");
    let out = sandbox.path("out");
    std::fs::create_dir(&out).unwrap();
    symlink("/dev/full", out.join("report.html.part")).unwrap();
    let arguments = ["run", "long.toml", "--out", "out", "--duration", "200ms"];
    let ended = sandbox.run(arguments).expect_code(3).says(&["report.html: No space left on device"]);
    assert!(ended.stdout.contains("tcp"), "{}", ended.stdout);
    assert!(is_good(cell(&sandbox.result(&out), "tcp")));
}

#[test]
fn a_result_that_cannot_be_printed_is_on_disk() {
    let sandbox = Sandbox::new();
    scenario(&sandbox, 1, "[backends.tcp]\nprotocol = \"binary-tcp\"\n");
    let mut command = sandbox.command("sh");
    let script = "\"$0\" run long.toml --out out --duration 200ms >/dev/full";
    command.args(["-c", script, env!("CARGO_BIN_EXE_wirebench")]);
    finish(command).expect_code(3).says(&["standard output", "No space left on device"]);
    assert!(is_good(cell(&sandbox.result(&sandbox.path("out")), "tcp")));
    assert!(sandbox.path("out/report.html").exists());
}

/// A real file system of 100 KiB, where this user may mount one.
#[test]
fn a_file_system_that_fills_up_ends_the_run_and_keeps_the_rounds_before() {
    let sandbox = Sandbox::new();
    let disk = sandbox.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let mounted = sandbox
        .command("mount")
        .args(["-t", "tmpfs", "-o", "size=80k", "tmpfs"])
        .arg(&disk)
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        eprintln!("skipped: this user may not mount a file system");
        return;
    }
    scenario(&sandbox, 50, "[backends.tcp]\nprotocol = \"binary-tcp\"\n");
    let ended = sandbox.run(["run", "long.toml", "--out", "disk/out", "--duration", "20ms"]);
    let run = sandbox.path("disk/out/run.json");
    let rounds = std::fs::read_to_string(&run).map(|text| text.matches("\"order\"").count());
    let report = sandbox.run(["report", "disk/out"]);
    let unmounted = sandbox.command("umount").arg(&disk).status().unwrap();
    assert!(unmounted.success());
    ended.expect_code(3).says(&["No space left on device", "disk/out"]);
    let rounds = rounds.unwrap();
    assert!((1..50).contains(&rounds), "{rounds}");
    report.expect_code(0);
    sandbox.expect_clean();
}
