//! No process outlives its parent: children, grandchildren, daemons, the deaf and the stopped.

// Clippy sees no tests outside `#[test]` functions; the helpers here are nothing else.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use wirebench::host::{Child, ChildSpec, Exit, HostError, NoLine, use_binary};

const BINARY: &str = env!("CARGO_BIN_EXE_wirebench");

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn start(spec: &ChildSpec) -> Result<Child, HostError> {
    use_binary(BINARY);
    Child::start(spec)
}

fn shell(script: &str) -> Child {
    start(&ChildSpec::new("sh").args(["-c", script])).unwrap()
}

fn python(script: &str) -> Child {
    start(&ChildSpec::new("python3").args(["-c", script])).unwrap()
}

/// Gone, or at least only waiting to be reaped by somebody else.
fn is_gone(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .map_or(true, |stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')))
}

fn wait_until_gone(pid: i32) {
    let deadline = soon();
    while !is_gone(pid) {
        assert!(Instant::now() < deadline, "process {pid} is still there");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn pids(child: &Child, count: usize) -> Vec<i32> {
    (0..count).map(|_| child.next_line(soon()).unwrap().trim().parse().unwrap()).collect()
}

const DAEMON: &str = "
import os, signal, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.write(1, b'%d\\n' % os.getpid())
        while True: time.sleep(100)
    os._exit(0)
os.wait()
";

#[test]
fn the_exit_code_of_a_child_is_reported() {
    let child = shell("exit 7");
    assert_eq!(child.wait(soon()), Some(Exit { code: Some(7), signal: None }));
}

#[test]
fn the_signal_that_killed_a_child_is_reported() {
    let child = shell("kill -9 $$");
    assert_eq!(child.wait(soon()), Some(Exit { code: None, signal: Some(9) }));
}

#[test]
fn a_missing_command_is_told_from_one_that_cannot_run() {
    let missing = start(&ChildSpec::new("no-such-command-anywhere")).unwrap_err();
    assert!(matches!(missing, HostError::CommandMissing { .. }), "{missing}");
    let folder = start(&ChildSpec::new("/")).unwrap_err();
    assert!(matches!(folder, HostError::Start { .. }), "{folder}");
    let cpus = ChildSpec { cpus: vec![1_000], ..ChildSpec::new("true") };
    assert!(start(&cpus).unwrap_err().to_string().contains("CPUs [1000]"));
}

#[test]
fn output_is_read_by_line_and_as_a_whole() {
    let child = shell("echo one; echo two; echo three; echo bad >&2");
    assert_eq!(child.next_line(soon()).as_deref(), Ok("one"));
    assert_eq!(child.output(soon()).as_deref(), Some(&b"two\nthree\n"[..]));
    assert_eq!(child.next_line(soon()), Err(NoLine::Ended));
    child.wait(soon()).unwrap();
    let mut child = child;
    child.kill();
    assert_eq!(child.stderr_tail(), "bad");
}

#[test]
fn a_silent_child_times_out() {
    let child = shell("exec sleep 100");
    assert_eq!(child.next_line(Instant::now() + Duration::from_millis(5)), Err(NoLine::TimedOut));
    assert_eq!(child.try_exit(), None);
}

#[test]
fn a_child_that_writes_without_end_is_not_blocked_and_not_kept() {
    let spec = ChildSpec {
        output_limit_bytes: 1_000,
        ..ChildSpec::new("sh").args(["-c", "head -c 1000000 /dev/zero; echo done >&2"])
    };
    let child = start(&spec).unwrap();
    assert_eq!(child.output(soon()).unwrap().len(), 1_000);
    assert!(child.output_truncated());
    assert!(child.wait(soon()).unwrap().success());
}

#[test]
fn environment_folder_cpus_and_input_reach_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input");
    std::fs::write(&input, "hello\n").unwrap();
    let cpu = wirebench::host::placement::allowed_cpus().unwrap().last().unwrap().number;
    let spec = ChildSpec {
        env: vec![("WIREBENCH_TEST".into(), "set".into())],
        folder: Some(folder.path().into()),
        cpus: vec![cpu],
        stdin_file: Some(input),
        ..ChildSpec::new("sh")
            .args(["-c", "cat; pwd -P; echo $WIREBENCH_TEST; grep Cpus_allowed_list /proc/self/status"])
    };
    let child = start(&spec).unwrap();
    assert_eq!(child.next_line(soon()).as_deref(), Ok("hello"));
    assert_eq!(Path::new(&child.next_line(soon()).unwrap()), folder.path().canonicalize().unwrap());
    assert_eq!(child.next_line(soon()).as_deref(), Ok("set"));
    assert_eq!(child.next_line(soon()).unwrap().split_whitespace().last(), Some(&*cpu.to_string()));
}

#[test]
fn a_child_has_no_input_and_no_blocked_signals() {
    let child = shell("cat; grep SigBlk /proc/self/status");
    let lines = String::from_utf8(child.output(soon()).unwrap()).unwrap();
    assert_eq!(lines, "SigBlk:\t0000000000000000\n");
}

#[test]
fn a_child_that_ignores_sigterm_is_killed() {
    let mut child = shell("trap '' TERM; echo $$; while :; do sleep 100; done");
    let pid = pids(&child, 1)[0];
    assert_eq!(u32::try_from(pid).unwrap(), child.pid());
    child.kill();
    assert!(is_gone(pid));
    assert_eq!(child.try_exit(), Some(Exit { code: None, signal: Some(9) }));
}

#[test]
fn a_child_may_end_cleanly_on_sigterm() {
    let mut child = shell("trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done");
    child.next_line(soon()).unwrap();
    child.kill();
    assert_eq!(child.try_exit(), Some(Exit { code: Some(5), signal: None }));
}

#[test]
fn a_stopped_child_dies_of_sigterm() {
    let mut child = shell("echo $$; exec sleep 100");
    let pid = pids(&child, 1)[0];
    kill(Pid::from_raw(pid), Signal::SIGSTOP).unwrap();
    child.kill();
    assert!(is_gone(pid));
    assert_eq!(child.try_exit(), Some(Exit { code: None, signal: Some(15) }));
}

#[test]
fn a_daemon_that_forked_twice_and_ignores_sigterm_is_killed_with_its_ancestor() {
    let mut child = python(&format!("{DAEMON}\ntime.sleep(100)"));
    let daemon = pids(&child, 1)[0];
    assert!(!is_gone(daemon));
    child.kill();
    assert!(is_gone(daemon));
}

#[test]
fn a_daemon_does_not_survive_the_command_that_left_it_behind() {
    let child = python(DAEMON);
    let daemon = pids(&child, 1)[0];
    assert!(child.wait(soon()).unwrap().success());
    drop(child);
    assert!(is_gone(daemon));
}

#[test]
fn many_children_that_keep_forking_are_all_killed() {
    let mut child = shell("trap '' TERM; while :; do setsid sleep 100 & echo $!; sleep 0.002; done");
    let seen = pids(&child, 20);
    let supervisor = i32::try_from(child.supervisor_pid()).unwrap();
    child.kill();
    assert!(is_gone(supervisor));
    let rest = String::from_utf8(child.output(soon()).unwrap()).unwrap();
    let later: Vec<i32> = rest.lines().filter_map(|line| line.parse().ok()).collect();
    assert!(seen.iter().chain(&later).all(|&pid| is_gone(pid)));
}

#[test]
fn dropping_a_child_kills_it() {
    let child = shell("echo $$; exec sleep 100");
    let pid = pids(&child, 1)[0];
    drop(child);
    assert!(is_gone(pid));
}

#[test]
fn a_killed_supervisor_is_noticed_and_its_command_killed() {
    let child = shell("echo $$; exec sleep 100");
    let pid = pids(&child, 1)[0];
    let supervisor = i32::try_from(child.supervisor_pid()).unwrap();
    kill(Pid::from_raw(supervisor), Signal::SIGKILL).unwrap();
    assert_eq!(child.wait(soon()), Some(Exit::UNKNOWN));
    wait_until_gone(pid);
}

#[test]
fn a_hanging_supervisor_is_killed_by_force() {
    let mut child = shell("echo $$; exec sleep 100");
    let pid = pids(&child, 1)[0];
    let supervisor = i32::try_from(child.supervisor_pid()).unwrap();
    kill(Pid::from_raw(supervisor), Signal::SIGSTOP).unwrap();
    child.kill();
    assert!(is_gone(supervisor));
    wait_until_gone(pid);
}

/// A supervisor by hand: the parent's end of the lifeline, and the process.
fn supervise(script: &str) -> (UnixStream, std::process::Child) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let child = Command::new(BINARY)
        .args(["supervise", "--", "python3", "-c", script])
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    (ours, child)
}

fn first_line_as_pid(supervisor: &mut std::process::Child) -> i32 {
    let mut line = String::new();
    BufReader::new(supervisor.stdout.take().unwrap()).read_line(&mut line).unwrap();
    line.trim().parse().unwrap()
}

#[test]
fn signals_to_the_supervisor_end_everything_below_it() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let (mut ours, mut supervisor) = supervise(&format!("{DAEMON}\ntime.sleep(100)"));
        let daemon = first_line_as_pid(&mut supervisor);
        kill(Pid::from_raw(i32::try_from(supervisor.id()).unwrap()), signal).unwrap();
        assert_eq!(supervisor.wait().unwrap().code(), Some(128 + 15));
        assert!(is_gone(daemon), "{signal}");
        let mut told = String::new();
        ours.read_to_string(&mut told).unwrap();
        assert!(told.ends_with("{\"exited\":{\"code\":null,\"signal\":15}}\n"), "{told}");
    }
}

#[test]
fn the_supervisor_returns_what_the_command_returned() {
    let (_ours, mut supervisor) = supervise("import sys; sys.exit(9)");
    assert_eq!(supervisor.wait().unwrap().code(), Some(9));
}

#[test]
fn nothing_survives_a_parent_that_is_killed() {
    // A parent that holds the only other end of the lifeline, as ours does, and is killed.
    let parent = format!(
        "
import socket, subprocess, sys
ours, theirs = socket.socketpair()
subprocess.Popen([{BINARY:?}, 'supervise', '--', sys.executable, '-c', {script:?}], stdin=theirs)
theirs.close()
ours.recv(1000)
ours.recv(1000)
",
        script = format!("{DAEMON}\nos.write(1, b'%d %d\\n' % (os.getpid(), os.getppid()))\ntime.sleep(100)")
    );
    let mut parent = Command::new("python3").args(["-c", &parent]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap());
    let mut text = String::new();
    lines.read_line(&mut text).unwrap();
    lines.read_line(&mut text).unwrap();
    let below: Vec<i32> = text.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(below.len(), 3, "{text}");
    assert!(below.iter().all(|&pid| !is_gone(pid)));
    parent.kill().unwrap();
    parent.wait().unwrap();
    below.into_iter().for_each(wait_until_gone);
}

/// Not a test by itself: the body of the parent that the next test kills.
#[test]
fn a_parent_of_three() {
    if std::env::var_os("WIREBENCH_TEST_PARENT").is_none() {
        return;
    }
    let daemon = format!("{DAEMON}\ntime.sleep(100)");
    let children = [shell("echo $$; exec sleep 100"), shell("echo $$; exec sleep 100"), python(&daemon)];
    for child in &children {
        println!("pids {} {} {}", pids(child, 1)[0], child.pid(), child.supervisor_pid());
    }
    println!("all");
    loop {
        std::thread::park();
    }
}

#[test]
fn nothing_survives_a_harness_with_several_children_that_is_killed() {
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_parent_of_three", "--nocapture"])
        .env("WIREBENCH_TEST_PARENT", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut below: Vec<i32> = Vec::new();
    for line in lines.take_while(|line| line != "all") {
        // The test harness's own words may stand before ours.
        if let Some((_, listed)) = line.split_once("pids ") {
            below.extend(listed.split_whitespace().map(|pid| pid.parse::<i32>().unwrap()));
        }
    }
    assert_eq!(below.len(), 9);
    assert!(below.iter().all(|&pid| !is_gone(pid)));
    parent.kill().unwrap();
    parent.wait().unwrap();
    below.into_iter().for_each(wait_until_gone);
}
