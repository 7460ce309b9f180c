//! `wirebench doctor` as a user runs it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

#[test]
fn doctor_says_what_it_found_and_what_it_does_and_is_never_an_error() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_wirebench")).args(["doctor", "--format", "json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let findings: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    for name in
        ["build", "cores", "container quota", "frequency governor", "other load", "clock", "timer", "wake-up"]
    {
        let finding = findings.iter().find(|finding| finding["name"] == name);
        let finding = finding.unwrap_or_else(|| panic!("{name}: {findings:#?}"));
        for key in ["level", "found", "effect"] {
            assert!(finding[key].as_str().is_some_and(|text| !text.is_empty()), "{finding}");
        }
    }
}
