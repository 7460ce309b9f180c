//! What the tests share that use the command as a user does, in a folder of their own.

// Each test file uses a part.
#![allow(dead_code)]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value as Json;

/// Runs the command in a folder.
pub fn wirebench(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wirebench")).current_dir(folder).args(args).output().unwrap()
}

pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

pub fn said(folder: &Path, args: &[&str]) -> Said {
    let output = wirebench(folder, args);
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs what must go well and gives its standard output.
pub fn well(folder: &Path, args: &[&str]) -> String {
    let said = said(folder, args);
    assert_eq!(said.code, 0, "{args:?}: {}\n{}", said.out, said.err);
    said.out
}

/// Edits a file as a user would with sed.
pub fn edit(path: &Path, changes: &[(&str, &str)]) {
    let mut text = std::fs::read_to_string(path).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from:?} is not in\n{text}");
        text = text.replacen(from, to, 1);
    }
    std::fs::write(path, text).unwrap();
}

/// Runs a scenario shortly and gives its only cell.
pub fn run(folder: &Path, scenario: &str) -> Json {
    let args = ["run", scenario, "--rounds", "1", "--calls", "60", "--warmup", "10", "--format", "json"];
    let out = well(folder, &args);
    let run: Json = serde_json::from_str(&out).unwrap();
    assert_eq!(run["verdict"], "valid", "{run:#}");
    run["cells"][0].clone()
}
