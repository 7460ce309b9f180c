//! Python peers on a machine that lacks them: skipped, with the line that gets them; refused where
//! all are required. And present ones: measured.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use support::{Ended, Sandbox, finish, listing};

const ONLY: [&str; 6] = ["run", "seed", "--rounds", "1", "--only", "binary-tcp,python-zerorpc"];

/// Runs without any program in `PATH`.
fn without_path(sandbox: &Sandbox, more: &[&str]) -> Ended {
    let mut command = sandbox.wirebench(ONLY.iter().chain(more));
    command.env("PATH", sandbox.path("nothing"));
    finish(command)
}

/// A project with a virtual environment whose Python has no packages.
fn bare_environment(sandbox: &Sandbox) {
    std::fs::create_dir_all(sandbox.path(".venv/bin")).unwrap();
    std::fs::create_dir_all(sandbox.path("scripts/peers")).unwrap();
    let python = sandbox.write(".venv/bin/python", "#!/bin/sh\nexec python3 -S \"$@\"\n");
    std::fs::set_permissions(python, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[track_caller]
fn expect_skipped(sandbox: &Sandbox, ended: &Ended, why: &str, how: &str) {
    let run = sandbox.result(&sandbox.only_run());
    support::expect_good(ended, &run);
    assert_eq!(run["cells"].as_array().unwrap().len(), 1, "{run:#}");
    let skipped = &run["skipped"][0];
    assert_eq!(skipped["backend"], "python-zerorpc");
    assert!(skipped["why"].as_str().unwrap().contains(why), "{skipped}");
    assert!(skipped["how_to_get_it"].as_str().unwrap().contains(how), "{skipped}");
    assert!(ended.stdout.contains("skipped python-zerorpc"), "{}", ended.stdout);
    assert!(ended.stdout.contains(&format!("to have it: {how}")), "{}", ended.stdout);
}

#[test]
fn without_python_its_peers_are_skipped_with_the_line_that_gets_it() {
    let sandbox = Sandbox::new();
    let ended = without_path(&sandbox, &[]);
    expect_skipped(&sandbox, &ended, "python3 is missing", "install Python 3");
    sandbox.expect_clean();
}

#[test]
fn without_a_package_its_peer_is_skipped_with_the_line_that_gets_it() {
    let sandbox = Sandbox::new();
    bare_environment(&sandbox);
    let ended = sandbox.run(ONLY);
    let how = "run python3 -m venv .venv && .venv/bin/python -m pip install zerorpc";
    expect_skipped(&sandbox, &ended, "package gevent is missing", how);
    sandbox.expect_clean();
}

#[test]
fn the_line_that_gets_a_package_is_that_of_the_project() {
    let sandbox = Sandbox::new();
    bare_environment(&sandbox);
    sandbox.write("scripts/setup-python", "");
    let ended = sandbox.run(ONLY);
    expect_skipped(&sandbox, &ended, "package gevent is missing", "run ./scripts/setup-python");
}

#[test]
fn the_line_that_gets_a_package_is_that_of_the_virtual_environment() {
    let sandbox = Sandbox::new();
    let venv =
        Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(sandbox.path(".venv")).output();
    assert!(venv.is_ok_and(|venv| venv.status.success()));
    let ended = sandbox.run(ONLY);
    expect_skipped(
        &sandbox,
        &ended,
        "package gevent is missing",
        "run .venv/bin/python -m pip install zerorpc",
    );
}

#[test]
fn where_all_are_required_a_missing_interpreter_or_package_is_refused_before_anything_is_measured() {
    let sandbox = Sandbox::new();
    without_path(&sandbox, &["--require-all"]).expect_code(2).says(&[
        "back end python-zerorpc",
        "python3 is missing",
        "install Python 3",
    ]);
    bare_environment(&sandbox);
    sandbox.run(ONLY.iter().chain(&["--require-all"])).expect_code(2).says(&[
        "back end python-zerorpc",
        "package gevent is missing",
        "pip install zerorpc",
    ]);
    assert!(listing(&sandbox.path("reports")).is_empty());
    sandbox.expect_clean();
}
