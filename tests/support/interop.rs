//! What the interop tests share: peers in Python, our own server, and the record of what was proved.
//!
//! Every proof appends one line of JSON to `target/interop/<test file>.jsonl`. The README's table is
//! rendered from those files (`tests/readme_interop.rs`), so no row of it is typed by hand. The last
//! line about a feature counts; delete `target/interop` after renaming one.

// Each test file uses a part.
#![allow(dead_code)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use wirebench::host::{Child, ChildSpec, use_binary};

/// A peer that says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who calls whom, over which protocol.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// The protocol's name.
    pub protocol: &'static str,
    /// The client, as the table names it.
    pub client: &'static str,
    /// The server, as the table names it.
    pub server: &'static str,
}

/// One line of a result file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Proof {
    pub protocol: String,
    pub client: String,
    pub server: String,
    pub feature: String,
    pub ok: bool,
}

impl Pair {
    /// Runs a test that proves a feature and records how it went.
    pub fn proves(self, feature: &str, test: impl FnOnce()) {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(test));
        self.record(feature, outcome.is_ok());
        if let Err(panic) = outcome {
            eprintln!("not proved: {feature}");
            std::panic::resume_unwind(panic);
        }
    }

    /// Runs a client script of `tests/python` and records each of its checks, which it prints as
    /// `{"feature": …, "error": null or text}`.
    pub fn script_proves(self, python: &Path, script: &str, args: &[&str]) {
        let mut child = start_script(python, script, args);
        let output = child.output(Instant::now() + 4 * PATIENCE);
        let output = output.unwrap_or_else(|| panic!("{script} hangs: {}", child.stderr_tail()));
        let exit = child.wait(Instant::now() + PATIENCE);
        let mut failed = Vec::new();
        for line in String::from_utf8(output).unwrap().lines() {
            let check: Check = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            self.record(&check.feature, check.error.is_none());
            failed.extend(check.error.map(|error| format!("{}: {error}", check.feature)));
        }
        assert!(failed.is_empty(), "{script}: {}", failed.join("\n"));
        assert!(exit.is_some_and(|exit| exit.success()), "{script}: {exit:?} {}", child.stderr_tail());
        child.kill();
    }

    fn record(self, feature: &str, ok: bool) {
        assert!(!feature.contains(['|', ';']), "the table is read back by these marks: {feature}");
        let proof = Proof {
            protocol: self.protocol.into(),
            client: self.client.into(),
            server: self.server.into(),
            feature: feature.into(),
            ok,
        };
        let folder = folder();
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{}.jsonl", env!("CARGO_CRATE_NAME")));
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
        // One write per line, so that tests side by side do not mix theirs.
        file.write_all(format!("{}\n", serde_json::to_string(&proof).unwrap()).as_bytes()).unwrap();
    }
}

#[derive(Deserialize)]
struct Check {
    feature: String,
    error: Option<String>,
}

/// Where the result files are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("interop")
}

/// The interpreter that has these modules; without one the test is to return, which is said on
/// standard error (or fails where peers are required).
pub fn python(modules: &[&str]) -> Option<PathBuf> {
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    let python = if venv.exists() { venv } else { PathBuf::from("python3") };
    let imports = format!("import sys, {}", modules.join(", "));
    let found = std::process::Command::new(&python).args(["-c", &imports]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    let text = format!("no Python with {modules:?} here; get it with ./scripts/setup-python");
    assert!(std::env::var_os("WIREBENCH_REQUIRE_PEERS").is_none(), "{text}");
    eprintln!("skipped: {text}");
    None
}

/// Whether tests that take long in real time were asked for.
pub fn is_long() -> bool {
    std::env::var_os("WIREBENCH_LONG").is_some()
}

/// A server in a process of its own; ended when dropped.
pub struct Server {
    pub address: String,
    pub child: Child,
}

impl Server {
    /// Starts a server script of `tests/python` and waits until it says where it listens.
    pub fn script(python: &Path, script: &str, args: &[&str]) -> Self {
        Self::listening(start_script(python, script, args), script)
    }

    /// Starts `wirebench serve` with a scenario of `tests/support`, or one that it knows by name.
    pub fn ours(scenario: &str, args: &[&str]) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support").join(scenario);
        let scenario = if file.exists() { file.to_str().unwrap() } else { scenario };
        let mut all = vec!["serve", scenario];
        all.extend(args);
        use_binary(env!("CARGO_BIN_EXE_wirebench"));
        let spec = ChildSpec::new(env!("CARGO_BIN_EXE_wirebench")).args(all);
        Self::listening(Child::start(&spec).unwrap(), "wirebench serve")
    }

    fn listening(child: Child, what: &str) -> Self {
        let line = child.next_line(Instant::now() + PATIENCE);
        let line = line.unwrap_or_else(|_| panic!("{what} does not listen: {}", child.stderr_tail()));
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        Self { address: line["listening"].as_str().unwrap().to_owned(), child }
    }
}

/// The most memory that a server had so far (`VmHWM`).
pub fn peak_kibibytes(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

fn start_script(python: &Path, script: &str, args: &[&str]) -> Child {
    use_binary(env!("CARGO_BIN_EXE_wirebench"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(script);
    let mut all = vec![path.to_str().unwrap()];
    all.extend(args);
    // -B: no cache files among the sources.
    Child::start(&ChildSpec::new(python).args(["-B"]).args(all)).unwrap()
}
