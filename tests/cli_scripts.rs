//! The project's shell scripts.

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
        let shell = ["bash", "sh"].into_iter().find(|shell| first == format!("#!/bin/{shell}"));
        let Some(shell) = shell else { panic!("{}: {first}", script.display()) };
        let checked = Command::new(shell).arg("-n").arg(&script).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}

#[test]
fn ci_runs_the_tests_that_developers_run() {
    let script = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run")).unwrap();
    assert!(script.contains("scripts/test"), "{script}");
}
