//! The project's scripts: shell ones, and Python ones for what is no shell's work.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

fn scripts() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::fs::read_dir(root.join("scripts")).unwrap();
    let files = folder.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    files.chain([root.join(".ci/run")]).collect()
}

#[test]
fn every_script_can_be_executed_and_is_sound() {
    assert!(scripts().len() >= 4, "{:?}", scripts());
    for script in scripts() {
        let mode = std::fs::metadata(&script).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{} cannot be executed", script.display());
        let first = std::fs::read_to_string(&script).unwrap().lines().next().unwrap().to_owned();
        let mut check = match first.as_str() {
            "#!/bin/bash" => Command::new("bash"),
            "#!/bin/sh" => Command::new("sh"),
            "#!/usr/bin/env python3" => Command::new("python3"),
            _ => panic!("{}: {first}", script.display()),
        };
        match first.contains("python3") {
            // Parsed, and nothing written beside it.
            true => check.args(["-c", "import ast, sys; ast.parse(open(sys.argv[1]).read())"]),
            false => check.arg("-n"),
        };
        let checked = check.arg(&script).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}

#[test]
fn ci_runs_the_tests_that_developers_run() {
    let script = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run")).unwrap();
    assert!(script.contains("scripts/test"), "{script}");
}
