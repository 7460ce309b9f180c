//! Runs the real binary in a folder of its own, and looks for what it leaves behind.

// Each test file uses a part.
#![allow(dead_code, unused_imports)]

mod failing_server;
mod schema;

pub use failing_server::{FailingServer, failing_backend};
pub use schema::violations;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// By this variable every process of a test is known, however it was started.
const MARKER: &str = "WIREBENCH_TEST_MARKER";

/// Nothing that these tests wait for takes as long on a machine that works.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A folder in which `wirebench` runs, and the processes that were started from it.
pub struct Sandbox {
    folder: tempfile::TempDir,
    marker: String,
    patience: Duration,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` where a signal killed it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
}

impl Ended {
    /// Fails the test unless the exit code is this one; nothing ever panics.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Fails the test unless standard error holds every one of these.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not said:\n{}", self.stderr);
        }
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// An empty folder.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = tempfile::Builder::new().prefix("wirebench-test-").tempdir().unwrap();
        std::fs::create_dir(folder.path().join("tmp")).unwrap();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { folder, marker: format!("{}-{number}", std::process::id()), patience: PATIENCE }
    }

    /// Waits so long for a command to end.
    pub fn patient(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// `wirebench` with arguments, in the folder.
    pub fn wirebench<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_wirebench"));
        command.args(arguments);
        command
    }

    /// Any command, in the folder, marked.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env(MARKER, &self.marker)
            .env("TMPDIR", self.path("tmp"))
            .env_remove("NO_COLOR")
            .stdin(Stdio::null());
        command
    }

    /// Runs `wirebench` to its end.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ended {
        finish_within(self.wirebench(arguments), self.patience)
    }

    /// Runs `wirebench run` with these arguments and `--out`, which must come out well.
    #[track_caller]
    pub fn measure(&self, arguments: &[&str]) -> (Ended, Value) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let out = format!("out-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let ended = self.run(["run", "--out", &out].iter().chain(arguments));
        let run = self.result(&self.path(&out));
        expect_good(&ended, &run);
        (ended, run)
    }

    /// Starts `wirebench` and returns at once; its output goes to files.
    pub fn start<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Running<'_> {
        let file = |name: &str| std::fs::File::create(self.path(name)).unwrap();
        let mut command = self.wirebench(arguments);
        command.stdout(file("tmp/stdout")).stderr(file("tmp/stderr"));
        Running { child: command.spawn().unwrap(), sandbox: self }
    }

    /// Every living process that was started from here: its id and its command line.
    pub fn processes(&self) -> Vec<(i32, Vec<String>)> {
        let wanted = format!("{MARKER}={}", self.marker);
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
            let Ok(environment) = std::fs::read(entry.path().join("environ")) else { continue };
            if !environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes()) {
                continue;
            }
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let words = line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
            found.push((pid, words.collect()));
        }
        found
    }

    /// Fails the test unless every process of it is gone within the time.
    #[track_caller]
    pub fn expect_nothing_running(&self, within: Duration) {
        let deadline = Instant::now() + within;
        loop {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "still running: {left:#?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Fails the test unless nothing runs any more and no temporary file is left.
    #[track_caller]
    pub fn expect_clean(&self) {
        self.expect_nothing_running(Duration::from_secs(1));
        let left: Vec<_> = listing(&self.path("tmp"));
        let left: Vec<_> =
            left.iter().filter(|name| !["stdout", "stderr"].contains(&name.as_str())).collect();
        assert!(left.is_empty(), "temporary files are left: {left:?}");
    }

    /// The process whose command is `wirebench KIND`, waited for.
    #[track_caller]
    pub fn wait_for_process(&self, kind: &str) -> i32 {
        wait_for(|| {
            let found = self.processes().into_iter().find(|(_, words)| {
                words.first().is_some_and(|name| name.ends_with("wirebench"))
                    && words.get(1).is_some_and(|word| word == kind)
            });
            found.map(|(pid, _)| pid)
        })
    }

    /// Waits until a round is being measured: the client has worked for a while.
    #[track_caller]
    pub fn wait_for_a_measuring_client(&self) -> i32 {
        wait_for(|| {
            let (pid, _) = self
                .processes()
                .into_iter()
                .find(|(_, words)| words.get(1).is_some_and(|word| word == "client"))?;
            (cpu_ticks(pid)? >= 15).then_some(pid)
        })
    }

    /// The one run under `reports/`.
    #[track_caller]
    pub fn only_run(&self) -> PathBuf {
        let runs = listing(&self.path("reports"));
        assert_eq!(runs.len(), 1, "{runs:?}");
        self.path("reports").join(&runs[0])
    }

    /// The `run.json` of a folder, which `wirebench report` must read, too.
    #[track_caller]
    pub fn result(&self, run: &Path) -> Value {
        let report = self.run([OsStr::new("report"), run.as_os_str()]).expect_code(0);
        assert!(!report.stdout.is_empty());
        let text = std::fs::read_to_string(run.join("run.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Only after a test that failed: whatever it left behind shall not disturb the others.
        for (pid, _) in self.processes() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// A `wirebench` that runs.
pub struct Running<'a> {
    child: Child,
    sandbox: &'a Sandbox,
}

impl Running<'_> {
    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Its process.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Whether it has ended.
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let status = wait_for_exit(&mut self.child);
        let read = |name: &str| {
            String::from_utf8_lossy(&std::fs::read(self.sandbox.path(name)).unwrap()).into_owned()
        };
        Ended { code: status.code(), stdout: read("tmp/stdout"), stderr: read("tmp/stderr") }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end.
#[track_caller]
pub fn finish(command: Command) -> Ended {
    finish_within(command, PATIENCE)
}

#[track_caller]
fn finish_within(command: Command, patience: Duration) -> Ended {
    let output = assert_cmd::Command::from_std(command).timeout(patience).output().unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[track_caller]
fn wait_for_exit(child: &mut Child) -> ExitStatus {
    wait_for(|| child.try_wait().unwrap())
}

/// Asks until there is an answer.
#[track_caller]
pub fn wait_for<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The names in a folder, sorted; none where there is no folder.
pub fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| {
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        })
        .unwrap_or_default();
    names.sort();
    names
}

/// The cell of a back end.
#[track_caller]
pub fn cell<'a>(run: &'a Value, backend: &str) -> &'a Value {
    let cells = run["cells"].as_array().unwrap();
    cells.iter().find(|cell| cell["backend"] == backend).unwrap_or_else(|| panic!("no {backend}: {run:#}"))
}

/// What a busy machine does to a measurement with which nothing is wrong. These tests are about
/// everything else.
const OF_THE_MACHINE: [&str; 4] = ["client-stopped", "client-limited", "unstable", "too-few-rounds"];

/// Whether a cell or round counts, or would on a quiet machine.
pub fn is_good(cell_or_round: &Value) -> bool {
    reasons(cell_or_round).iter().all(|(kind, _)| OF_THE_MACHINE.contains(&&**kind))
}

/// Fails the test unless the run ended well, or would have on a quiet machine.
#[track_caller]
pub fn expect_good(ended: &Ended, run: &Value) {
    assert!(!ended.stderr.contains("panicked"), "{ended:#?}");
    let cells = run["cells"].as_array().unwrap();
    assert!(cells.iter().all(is_good), "{ended:#?}");
    let all_valid = cells.iter().all(|cell| cell["verdict"]["status"] == "valid");
    assert_eq!(ended.code, Some(if all_valid { 0 } else { 3 }), "{ended:#?}");
}

/// The kinds and details of the reasons why a cell or round does not count.
pub fn reasons(cell_or_round: &Value) -> Vec<(String, String)> {
    let reasons = cell_or_round["verdict"]["reasons"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    reasons.iter().map(|reason| (text(&reason["kind"]), text(&reason["detail"]))).collect()
}

/// Fails the test unless one reason of a kind says all of these.
#[track_caller]
pub fn expect_reason(cell_or_round: &Value, kind: &str, words: &[&str]) {
    let reasons = reasons(cell_or_round);
    let told =
        reasons.iter().any(|(found, detail)| found == kind && words.iter().all(|word| detail.contains(word)));
    assert!(told, "{kind} {words:?} is not among {reasons:#?}");
}

/// User and system time of a process, in ticks of 10 ms.
fn cpu_ticks(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit(") ").next()?.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}
