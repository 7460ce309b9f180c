//! The smaller commands, and what goes to which stream.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::{Sandbox, cell, expect_good, finish, listing, violations, wait_for};

const SMALL: &str = r#"
name = "small"
[methods.get]
returns = { text = { value = "right" } }
[load]
closed = { concurrency = 1 }
calls = 50
warmup = { calls = 5 }
rounds = 1
[backends.tcp]
protocol = "binary-tcp"
[backends.http]
protocol = "xmlrpc"
"#;

fn small() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("small.toml", SMALL);
    sandbox
}

#[test]
fn without_a_command_the_seed_scenario_is_run() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.wirebench::<&str>([]);
    // Without Python: its peers are skipped here, and tested elsewhere.
    command.env("PATH", sandbox.path("nothing"));
    let ended = finish(command);
    let out = sandbox.only_run();
    assert!(out.file_name().unwrap().to_string_lossy().starts_with("seed-"), "{}", out.display());
    let run = sandbox.result(&out);
    expect_good(&ended, &run);
    assert_eq!(run["scenario"]["name"], "seed");
    assert_eq!(run["cells"].as_array().unwrap().len(), 4);
    assert_eq!(run["skipped"].as_array().unwrap().len(), 4);
    for cell in run["cells"].as_array().unwrap() {
        let rounds = cell["rounds"].as_array().unwrap();
        assert!(rounds.len() >= 3, "{}", rounds.len());
        for round in rounds {
            assert_eq!((&round["calls"], &round["wrong_answers"]), (&1000.into(), &0.into()));
            assert_eq!(round["errors"].to_string(), "{}");
            assert!(out.join(round["histograms"].as_str().unwrap()).exists());
        }
    }
    assert!(ended.stderr.contains(&format!("report: reports/{}", out.file_name().unwrap().display())));
    sandbox.expect_clean();
}

#[test]
fn the_result_alone_goes_to_standard_output() {
    let sandbox = small();
    let (json, run) = sandbox.measure(&["small.toml", "--format", "json"]);
    assert_eq!(json.json(), run);
    let (markdown, _) = sandbox.measure(&["small.toml", "--format", "md"]);
    assert!(markdown.stdout.starts_with(['#', '|']), "{}", markdown.stdout);
    for ended in [&json, &markdown] {
        assert!(!ended.stdout.contains("report:") && ended.stderr.contains("report: out-"), "{ended:#?}");
        assert!(!ended.stdout.contains('\u{1b}') && !ended.stderr.contains('\u{1b}'), "{ended:#?}");
    }
}

/// What a terminal gets to see.
fn on_a_terminal(sandbox: &Sandbox, variables: &[(&str, &str)]) -> String {
    let script = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let mut command = sandbox.command("python3");
    command
        .args(["-c", script, env!("CARGO_BIN_EXE_wirebench"), "report", "out"])
        .env_remove("CI")
        .env("TERM", "xterm-256color")
        .envs(variables.iter().copied());
    finish(command).expect_code(0).stdout
}

#[test]
fn a_terminal_gets_colours_unless_no_color_says_otherwise() {
    let sandbox = small();
    sandbox.run(["run", "small.toml", "--out", "out"]);
    assert!(on_a_terminal(&sandbox, &[]).contains("\u{1b}[1m"));
    for variables in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let seen = on_a_terminal(&sandbox, &[variables]);
        assert!(seen.contains("tcp") && !seen.contains('\u{1b}'), "{variables:?}: {seen}");
    }
    assert!(!sandbox.run(["report", "out"]).expect_code(0).stdout.contains('\u{1b}'));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let sandbox = small();
    for line in [
        "\"$0\" schema | head -1",
        "\"$0\" --help | head -1",
        "\"$0\" completions bash | head -1",
        "\"$0\" run small.toml --format json --out out | head -1",
        "\"$0\" run small.toml --out out 2>&1 | true",
        "\"$0\" report out --format html | head -1",
        "\"$0\" run nothing 2>&1 | true",
    ] {
        let mut command = sandbox.command("sh");
        command.args(["-c", line, env!("CARGO_BIN_EXE_wirebench")]);
        let ended = finish(command).expect_code(0);
        assert!(!ended.stderr.contains("Broken pipe"), "{line}: {ended:#?}");
    }
}

#[test]
fn a_stored_run_is_rendered_in_every_format() {
    let sandbox = small();
    let out = sandbox.path("out");
    sandbox.run(["run", "small.toml", "--out", "out"]);
    let ended = sandbox
        .run(["report", "out", "--format", "html,md,csv,hgrm,json,table", "--out", "rendered"])
        .expect_code(0);
    assert_eq!(ended.stdout, "");
    let rendered = sandbox.path("rendered");
    let names = listing(&rendered);
    for ending in ["html", "md", "csv", "hgrm", "json", "txt"] {
        let of_it: Vec<_> = names.iter().filter(|name| name.ends_with(&format!(".{ending}"))).collect();
        assert!(!of_it.is_empty(), "{ending}: {names:?}");
        for name in of_it {
            assert!(std::fs::metadata(rendered.join(name)).unwrap().len() > 0, "{name}");
            assert!(ended.stderr.contains(name.as_str()), "{name} is not told: {}", ended.stderr);
        }
    }
    // The page that the run wrote is the page that the stored run gives.
    let page = |folder: &Path| std::fs::read_to_string(folder.join("report.html")).unwrap();
    assert_eq!(page(&out), page(&rendered));
    assert!(!page(&out).contains("http://") || !page(&out).contains("src=\"http"));
    // The file instead of the folder, and two runs at once, each in a folder of its own.
    sandbox.run(["report", "out/run.json", "--format", "csv"]).expect_code(0);
    sandbox.run(["run", "small.toml", "--out", "other"]);
    sandbox.run(["report", "out", "other", "--format", "csv", "--out", "both"]).expect_code(0);
    assert_eq!(listing(&sandbox.path("both")), ["other", "out"]);
    // Two folders of one name, and a run under another name, as a page saves it.
    sandbox.run(["report", "out", "./out", "--format", "csv", "--out", "twice"]).expect_code(0);
    assert_eq!(listing(&sandbox.path("twice")), ["out", "out-2"]);
    std::fs::copy(out.join("run.json"), sandbox.path("small.json")).unwrap();
    sandbox.run(["report", "small.json", "--format", "md"]).expect_code(0);
    // Nothing is written where one of the formats does not exist.
    sandbox
        .run(["report", "out", "--format", "html,nonsense", "--out", "none"])
        .expect_code(2)
        .says(&["nonsense", "html, svg"]);
    assert!(!sandbox.path("none").exists());
    sandbox.run(["report", "out", "--format", "poem"]).expect_code(2).says(&["poem", "html", "csv"]);
    sandbox
        .run(["report", "out", "--format", "csv", "--out", "/dev/full"])
        .expect_code(2)
        .says(&["/dev/full"]);
}

#[test]
fn a_server_alone_says_where_it_listens_answers_and_ends_on_sigterm() {
    for protocol in ["xmlrpc", "zerorpc", "grpc", "binary-tcp"] {
        let sandbox = small();
        let mut command = sandbox.wirebench(["serve", "small.toml", "--protocol", protocol]);
        let mut server = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(server.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(said["protocol"], protocol);
        let address: SocketAddr = said["listening"].as_str().unwrap().parse().unwrap();
        assert!(address.ip().is_loopback() && address.port() > 0, "{address}");
        if protocol == "xmlrpc" {
            let body = "<?xml version='1.0'?><methodCall><methodName>get</methodName></methodCall>";
            let mut stream = TcpStream::connect(address).unwrap();
            write!(stream, "POST /RPC2 HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.contains("right"), "{answer}");
        }

        // The same port again: a clear error.
        let taken = address.to_string();
        sandbox
            .run(["serve", "small.toml", "--protocol", protocol, "--listen", &taken])
            .expect_code(2)
            .says(&[&taken, "in use"]);

        kill(Pid::from_raw(i32::try_from(server.id()).unwrap()), Signal::SIGTERM).unwrap();
        wait_for(|| server.try_wait().unwrap());
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "more than one line");
        sandbox.expect_nothing_running(Duration::from_secs(1));
    }
}

#[test]
fn a_server_that_cannot_be_is_refused() {
    let sandbox = small();
    for (arguments, words) in [
        (&["small.toml"][..], &["--protocol"][..]),
        (&["small.toml", "--protocol", "corba"], &["corba", "grpc"]),
        (&["small.toml", "--codec", "json"], &["--transport"]),
        (&["small.toml", "--codec", "json", "--transport", "pigeon"], &["pigeon", "tcp"]),
        (&["small.toml", "--protocol", "grpc", "--listen", "here"], &["here"]),
        (&["small.toml", "--protocol", "grpc", "--listen", "192.0.2.1:1"], &["192.0.2.1:1"]),
        (&["small.toml", "--protocol", "grpc", "--threads", "0"], &["--threads"]),
        (&["missing.toml", "--protocol", "grpc"], &["missing.toml"]),
        (&["--protocol", "grpc"], &["SCENARIO"]),
    ] {
        let arguments: Vec<&str> = ["serve"].iter().chain(arguments).copied().collect();
        let ended = sandbox.run(&arguments).expect_code(2).says(words);
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
    sandbox.expect_clean();
}

#[test]
fn validate_says_what_would_be_done_and_starts_nothing() {
    let sandbox = small();
    let ended = sandbox.run(["validate", "small.toml", "--rounds", "4", "--concurrency", "3"]).expect_code(0);
    for words in ["small: valid", "get() -> text", "2 cells, 8 rounds", "tcp: binary-tcp", "4 x 50 calls"] {
        assert!(ended.stdout.contains(words), "{words:?}: {}", ended.stdout);
    }
    for scenario in ["seed", "quick"] {
        sandbox.run(["validate", scenario]).expect_code(0);
    }
    assert_eq!(listing(&sandbox.path("")), ["small.toml", "tmp"]);
}

#[test]
fn the_schema_of_results_holds_for_a_good_and_for_a_failed_run() {
    let sandbox = small();
    let schema = sandbox.run(["schema", "result"]).expect_code(0).json();
    let (_, good) = sandbox.measure(&["small.toml"]);
    assert_eq!(violations(&schema, &good), [""; 0]);

    let failing = support::failing_backend(&sandbox, "victim", support::FailingServer::IsKilled);
    let text = SMALL
        .replace("calls = 50", "calls = 200")
        .replace("[load]", "[gates]\nslo = [\"p50 <= 1h\"]\n[load]");
    sandbox.write("failing.toml", format!("{text}{failing}"));
    sandbox.run(["run", "failing.toml", "--out", "failed"]);
    let failed = sandbox.result(&sandbox.path("failed"));
    assert_eq!(cell(&failed, "victim")["verdict"]["status"], "invalid");
    assert_eq!(violations(&schema, &failed), [""; 0]);

    let rounds = sandbox.run(["schema", "round"]).expect_code(0).json();
    for line in std::fs::read_to_string(sandbox.path("failed/rounds.jsonl")).unwrap().lines() {
        let stored: Value = serde_json::from_str(line).unwrap();
        assert_eq!(violations(&rounds, &stored["result"]), [""; 0]);
    }

    let mut broken = good;
    broken["cells"][0]["calls"] = "many".into();
    assert!(!violations(&schema, &broken).is_empty());
}

#[test]
fn the_schema_of_scenarios_holds_for_those_that_are_shipped_and_not_for_a_misspelt_key() {
    let sandbox = small();
    let schema = sandbox.run(["schema"]).expect_code(0).json();
    let of_file = |path: &Path| -> Value {
        let text = std::fs::read_to_string(path).unwrap();
        serde_json::to_value(toml::from_str::<toml::Value>(&text).unwrap()).unwrap()
    };
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    assert!(listing(&shipped).len() >= 2);
    for name in listing(&shipped).iter().filter(|name| name.ends_with(".toml")) {
        let scenario = of_file(&shipped.join(name));
        assert_eq!(violations(&schema, &scenario), [""; 0], "{name}");
        sandbox.run([Path::new("validate"), &shipped.join(name)]).expect_code(0);
    }
    sandbox.write("bad.toml", SMALL.replace("calls = 50", "callz = 50"));
    assert!(!violations(&schema, &of_file(&sandbox.path("bad.toml"))).is_empty());
}

#[test]
fn the_proto_of_a_scenario_is_that_of_a_hand_written_service() {
    let ended = Sandbox::new().run(["proto", "seed"]).expect_code(0);
    for words in ["syntax = \"proto3\";", "service", "rpc getObj", "rpc sendObj"] {
        assert!(ended.stdout.contains(words), "{words}: {}", ended.stdout);
    }
}

#[test]
fn completions_are_sound_and_offer_what_people_use() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish"] {
        let ended = sandbox.run(["completions", shell]).expect_code(0);
        for words in ["validate", "placement", "skip-unsupported"] {
            assert!(ended.stdout.contains(words), "{shell}: {words}");
        }
        assert!(!ended.stdout.contains("supervise"), "{shell} offers what is ours alone");
        let script = sandbox.write("completions", &ended.stdout);
        match Command::new(shell).arg("-n").arg(&script).output() {
            Ok(checked) => assert!(checked.status.success(), "{checked:?}"),
            Err(_) => eprintln!("skipped the check of the {shell} script: install {shell} for it"),
        }
    }
    sandbox.run(["completions", "nosh"]).expect_code(2).says(&["nosh", "bash", "zsh", "fish"]);
}

#[test]
fn help_and_version_are_answers_and_no_errors() {
    let sandbox = Sandbox::new();
    let help = sandbox.run(["--help"]).expect_code(0);
    for words in ["run", "validate", "Exit codes", "130 interrupted"] {
        assert!(help.stdout.contains(words), "{words}");
    }
    assert!(!help.stdout.contains("supervise"));
    let version = sandbox.run(["--version"]).expect_code(0);
    assert_eq!(version.stdout, format!("wirebench {}\n", env!("CARGO_PKG_VERSION")));
}
