//! The GitHub action and the workflow that shows it: the very commands that they contain are run here, as
//! GitHub would run them, with a tiny scenario.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};
use support::{Sandbox, finish};

/// The part of YAML that these two files use: mappings and lists by indentation, plain and quoted words,
/// `|` and `>-` blocks, comments on lines of their own.
struct Yaml<'a> {
    lines: Vec<(usize, &'a str)>,
    at: usize,
}

impl<'a> Yaml<'a> {
    fn parse(text: &'a str) -> Value {
        let lines = text.lines().map(|line| (line.len() - line.trim_start().len(), line.trim_start()));
        let lines = lines.filter(|(_, line)| !line.starts_with('#')).collect();
        Self { lines, at: 0 }.block(0)
    }

    fn skip_empty(&mut self) {
        while self.lines.get(self.at).is_some_and(|(_, line)| line.is_empty()) {
            self.at += 1;
        }
    }

    fn block(&mut self, indent: usize) -> Value {
        self.skip_empty();
        let Some(&(own, line)) = self.lines.get(self.at) else { return Value::Null };
        if own < indent {
            return Value::Null;
        }
        if line.starts_with("- ") { self.list(own) } else { self.mapping(own) }
    }

    fn list(&mut self, indent: usize) -> Value {
        let mut items = Vec::new();
        loop {
            self.skip_empty();
            match self.lines.get(self.at).copied() {
                Some((own, line)) if own == indent && line.starts_with("- ") => {
                    // The item begins where the dash's line goes on.
                    self.lines[self.at] = (indent + 2, line[2..].trim_start());
                    items.push(self.block(indent + 2));
                }
                _ => return Value::Array(items),
            }
        }
    }

    fn mapping(&mut self, indent: usize) -> Value {
        let mut map = Map::new();
        loop {
            self.skip_empty();
            let Some(&(own, line)) = self.lines.get(self.at) else { break };
            if own != indent || line.starts_with("- ") {
                break;
            }
            let (key, value) = line.split_once(':').unwrap_or_else(|| panic!("no mapping: {line}"));
            self.at += 1;
            let value = match value.trim() {
                "" => self.block(indent + 1),
                "|" => Value::String(self.text(indent, "\n")),
                ">-" => Value::String(self.text(indent, " ")),
                word => json!(word.trim_matches('"')),
            };
            assert!(map.insert(key.to_owned(), value).is_none(), "{key} twice");
        }
        Value::Object(map)
    }

    fn text(&mut self, indent: usize, joint: &str) -> String {
        let first = self.lines[self.at].0;
        assert!(first > indent);
        let mut lines = Vec::new();
        while let Some(&(own, line)) = self.lines.get(self.at) {
            if !line.is_empty() && own < first {
                break;
            }
            lines.push(format!("{}{line}", " ".repeat(own.saturating_sub(first))));
            self.at += 1;
        }
        lines.join(joint)
    }
}

fn yaml(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    Yaml::parse(&std::fs::read_to_string(path).unwrap())
}

/// What GitHub puts for `${{ inputs.NAME }}`.
fn filled_in(text: &str, inputs: &BTreeMap<String, String>) -> String {
    match text.strip_prefix("${{ inputs.").and_then(|rest| rest.strip_suffix(" }}")) {
        Some(name) => inputs.get(name).unwrap_or_else(|| panic!("no input {name}")).clone(),
        None => text.to_owned(),
    }
}

/// A job's machine: `wirebench` on the path, and the files that GitHub gives to a step.
struct Job {
    sandbox: Sandbox,
    bin: PathBuf,
}

impl Job {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let bin = sandbox.path("bin");
        std::fs::create_dir(&bin).unwrap();
        symlink(env!("CARGO_BIN_EXE_wirebench"), bin.join("wirebench")).unwrap();
        Self { sandbox, bin }
    }

    /// Runs a script as GitHub does: `bash --noprofile --norc -eo pipefail`.
    fn step(&self, script: &str, env: &[(String, String)]) -> support::Ended {
        let file = self.sandbox.write("step.sh", script);
        let mut command: Command = self.sandbox.command("bash");
        let path = format!("{}:{}", self.bin.display(), std::env::var("PATH").unwrap());
        command.args(["--noprofile", "--norc", "-eo", "pipefail"]).arg(file);
        command.env("PATH", path).env("XDG_STATE_HOME", self.sandbox.path("state"));
        command.env("GITHUB_ACTION_PATH", env!("CARGO_MANIFEST_DIR"));
        for name in ["GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITHUB_PATH"] {
            command.env(name, self.sandbox.path(name));
        }
        command.envs(env.iter().map(|(name, value)| (name, value)));
        finish(command)
    }

    /// Runs the steps of the action with these inputs, as far as they come; the last one's end.
    fn action(&self, given: &BTreeMap<String, String>) -> support::Ended {
        let action = yaml("action.yml");
        assert_eq!(action["runs"]["using"], "composite");
        let mut inputs = BTreeMap::new();
        for (name, about) in action["inputs"].as_object().unwrap() {
            let default = about.get("default").and_then(Value::as_str);
            let value = given.get(name).map(String::as_str).or(default);
            inputs.insert(name.clone(), value.unwrap_or_else(|| panic!("{name} is required")).to_owned());
        }
        assert!(given.keys().all(|name| inputs.contains_key(name)), "an input that the action does not know");
        let mut ended = None;
        for step in action["runs"]["steps"].as_array().unwrap() {
            let env = step.get("env").and_then(Value::as_object).into_iter().flatten();
            let env: Vec<(String, String)> = env
                .map(|(name, value)| (name.clone(), filled_in(value.as_str().unwrap(), &inputs)))
                .collect();
            let script = step["run"].as_str().unwrap();
            // An input within a script would be run as a part of it, whoever wrote it.
            assert!(!script.contains("${{"), "{script}");
            assert_eq!(step["shell"], "bash");
            let step = self.step(script, &env);
            let good = step.code == Some(0);
            ended = Some(step);
            if !good {
                break;
            }
        }
        ended.unwrap()
    }

    fn said(&self, file: &str) -> String {
        std::fs::read_to_string(self.sandbox.path(file)).unwrap_or_default()
    }
}

const TINY: &str = "name = \"tiny\"\n[methods.add]\nparams = { a = \"int\", b = \"int\" }\nreturns = \"int\"\n\
    [load]\nclosed = { concurrency = 2 }\nwarmup = \"10ms\"\n\
    [gates]\nmetrics = [\"rate\"]\nnoise_margin = \"80%\"\nlimit = \"99%\"\nrounds = 5\nround = \"100ms\"\n\
    [backends.binary-tcp]\nprotocol = \"binary-tcp\"\n";

#[test]
fn the_workflow_s_commands_check_two_builds_and_post_a_summary() {
    let workflow = yaml(".github/workflows/regression-check.yml");
    let job = Job::new();
    let scenario = job.sandbox.write("tiny.toml", TINY);
    // Instead of building: what a build would leave behind.
    let cargo = format!(
        "#!/bin/sh\necho \"$@\" >> \"$TMPDIR/cargo.log\"\nfor word in \"$@\"; do case $word in */Cargo.toml)\n\
         mkdir -p \"${{word%/*}}/target/release\"\nln -s {} \"${{word%/*}}/target/release/wirebench\";; esac; done\n",
        env!("CARGO_BIN_EXE_wirebench")
    );
    job.sandbox.write("bin/cargo", cargo);
    std::fs::set_permissions(job.bin.join("cargo"), std::fs::Permissions::from_mode(0o755)).unwrap();
    // Instead of the check-out: a pull request, merged into a base that has moved on meanwhile.
    job.step(
        "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b\n\
         git init -q -b main candidate && cd candidate\n\
         echo old > version && git add version && git commit -qm old\n\
         git checkout -qb change && echo new > changed && git add changed && git commit -qm new\n\
         git checkout -q main && echo current > version && git commit -qam current\n\
         git merge -q --no-ff -m merged change\n",
        &[],
    )
    .expect_code(0);
    let mut checked = false;
    for step in workflow["jobs"]["check"]["steps"].as_array().unwrap() {
        if let Some(script) = step.get("run").and_then(Value::as_str) {
            job.step(script, &[]).expect_code(0);
        }
        if step.get("uses").is_some_and(|uses| uses == "./candidate") {
            let tiny = |text: &str| text.replace("quick", &scenario.display().to_string());
            let with = step["with"].as_object().unwrap().iter();
            let inputs = with.map(|(name, value)| (name.clone(), tiny(value.as_str().unwrap()))).collect();
            job.action(&inputs).expect_code(0);
            checked = true;
        }
    }
    assert!(checked);
    assert_eq!(job.said("base/version"), "current\n");
    assert!(!job.sandbox.path("base/changed").exists() && job.sandbox.path("candidate/changed").exists());
    assert_eq!(job.said("tmp/cargo.log").lines().count(), 2, "both are built");
    assert!(job.said("GITHUB_PATH").ends_with("candidate/target/release\n"));
    let summary = job.said("GITHUB_STEP_SUMMARY");
    assert!(summary.starts_with("### ") && summary.contains("| throughput |"), "{summary}");
    assert_eq!(job.said("GITHUB_OUTPUT"), "exit-code=0\nfolder=wirebench-check\n");
    assert!(job.sandbox.path("wirebench-check/check.json").is_file());
}

#[test]
fn the_action_passes_the_exit_code_on_and_runs_no_input_as_a_script() {
    let job = Job::new();
    job.sandbox.write("tiny.toml", TINY);
    let input = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let inputs: BTreeMap<String, String> = [
        input("scenario", "tiny.toml"),
        input("base", "binary-tcp"),
        input("candidate", "x\"; touch broken; \""),
    ]
    .into();
    job.action(&inputs).expect_code(2).says(&["there is no such back end"]);
    assert!(!job.sandbox.path("broken").exists());
    assert!(job.said("GITHUB_OUTPUT").starts_with("exit-code=2\n"));
}
