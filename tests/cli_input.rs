//! Bad input: a clear error that names the place and says what is allowed, exit code 2, no panic, no
//! process left, nothing written.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::{Ended, Sandbox, finish, listing};

const GOOD: &str = r#"
name = "good"
[methods.get]
returns = { text = { value = "right" } }
[load]
closed = { concurrency = 1 }
calls = 20
warmup = { calls = 5 }
rounds = 1
[backends.tcp]
protocol = "binary-tcp"
[backends.http]
protocol = "xmlrpc"
"#;

/// Runs it and checks what holds for every bad input.
#[track_caller]
fn refused(sandbox: &Sandbox, arguments: &[&str], words: &[&str]) -> Ended {
    let before = listing(&sandbox.path(""));
    let ended = sandbox.run(arguments).expect_code(2).says(words);
    assert_eq!(ended.stdout, "", "{ended:#?}");
    sandbox.expect_clean();
    assert_eq!(listing(&sandbox.path("")), before, "something was written");
    ended
}

/// Runs a scenario file of this content, which must be refused with these words.
#[track_caller]
fn refused_scenario(content: impl AsRef<[u8]>, words: &[&str]) {
    let sandbox = Sandbox::new();
    sandbox.write("bad.toml", content);
    refused(&sandbox, &["run", "bad.toml"], words);
    refused(&sandbox, &["validate", "bad.toml"], words);
}

/// The good scenario with one thing replaced.
#[track_caller]
fn spoiled(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replacen(from, to, 1)
}

#[test]
fn the_scenario_that_these_tests_spoil_is_good() {
    let sandbox = Sandbox::new();
    sandbox.write("good.toml", GOOD);
    sandbox.run(["validate", "good.toml"]).expect_code(0);
    assert_eq!(listing(&sandbox.path("")), ["good.toml", "tmp"]);
}

#[test]
fn wrong_keys_types_and_values_are_refused_with_their_place() {
    let mut unsaid = Vec::new();
    for (content, words) in [
        (spoiled("calls = 20", "callz = 20"), &["callz", "bad.toml:7:1", "^", "calls"][..]),
        (spoiled("calls = 20", "calls = \"many\""), &["calls", "bad.toml:7:", "^"]),
        (spoiled("calls = 20", "calls = -1"), &["calls", "bad.toml:7:", "^"]),
        (spoiled("calls = 20", "calls = 0"), &["calls", "bad.toml:7:", "from 1"]),
        (
            spoiled("calls = 20", "duration = \"10 parsecs\""),
            &["duration", "bad.toml:7:", "allowed: ns, us, ms, s"],
        ),
        (spoiled("rounds = 1", "rounds = 1\nplacement = \"moon\""), &["moon", "split", "shared", "free"]),
        (spoiled("protocol = \"binary-tcp\"", "protocol = \"corba\""), &["corba", "bad.toml:11:", "grpc"]),
        (
            spoiled("protocol = \"binary-tcp\"", "codec = \"asn1\"\ntransport = \"tcp\""),
            &["asn1", "postcard"],
        ),
        (
            spoiled("protocol = \"binary-tcp\"", "codec = \"xml\"\ntransport = \"pigeon\""),
            &["pigeon", "http1"],
        ),
        (spoiled("protocol = \"binary-tcp\"", "url = \"ftp://127.0.0.1:1\""), &["ftp", "binary+tcp"]),
        (spoiled("[load]", "[mix]\nweights = { put = 1 }\n[load]"), &["put", "bad.toml:6:", "get"]),
        (
            spoiled("[load]", "[mix]\nsequence = [ { method = \"put\", calls = 3 } ]\n[load]"),
            &["put", "bad.toml:6:", "get"],
        ),
        (
            spoiled("calls = 20", "calls = 20\nconnections = 2\nin_flight = 4"),
            &["in_flight", "http", "http/1"],
        ),
        (
            spoiled("concurrency = 1 }", "concurrency = 8 }\nconnections = 2\nin_flight = 1"),
            &["connections", "8"],
        ),
        (spoiled("{ text =", "{ words ="), &["words", "bad.toml:4:", "text"]),
        (spoiled("name = \"good\"", ""), &["name"]),
        ("name = [".to_owned(), &["bad.toml:1:"]),
        (String::new(), &["bad.toml", "empty"]),
        ("   \n\n".to_owned(), &["bad.toml", "empty"]),
    ] {
        let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
        let sandbox = Sandbox::new();
        sandbox.write("bad.toml", &content);
        for command in ["run", "validate"] {
            let ended = refused(&sandbox, &[command, "bad.toml"], &[]);
            let said = ended.stderr.to_lowercase();
            for word in words.iter().filter(|word| !said.contains(*word)) {
                unsaid.push(format!("{command}: {word:?} is not said of\n{content}\n{said}"));
            }
        }
    }
    assert!(unsaid.is_empty(), "{}", unsaid.join("\n"));
}

#[test]
fn files_that_are_no_text_too_long_or_no_files_are_refused() {
    refused_scenario(b"name = \"a\xff\xfe\"\n", &["bad.toml", "UTF-8"]);
    refused_scenario(vec![b'#'; 10 << 20], &["bad.toml", "10485760", "1 MiB"]);
    refused_scenario([0_u8; 4096], &["bad.toml"]);
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("folder")).unwrap();
    for command in ["run", "validate", "proto"] {
        refused(&sandbox, &[command, "folder"], &["`folder` is a folder", "seed"]);
        refused(&sandbox, &[command, "missing.toml"], &["no scenario `missing.toml`"]);
        refused(&sandbox, &[command, "sed"], &["did you mean `seed`"]);
        refused(&sandbox, &[command, "/dev/full"], &["/dev/full", "1 MiB"]);
        refused(&sandbox, &[command, ""], &["no scenario"]);
    }
}

#[test]
fn flags_that_make_no_sense_are_refused_and_say_what_does() {
    let sandbox = Sandbox::new();
    sandbox.write("good.toml", GOOD);
    for (flags, words) in [
        (&["--only", "tpc"][..], &["--only tpc", "allowed: tcp, http"][..]),
        (&["--only", ""], &["--only"]),
        (&["--calls", "10", "--duration", "1s"], &["--calls", "--duration", "cannot be used with"]),
        (&["--calls", "0"], &["--calls", "from 1 to 1000000000000"]),
        (&["--calls", "many"], &["--calls", "many"]),
        (&["--duration", "0s"], &["--duration", "at least 1ms"]),
        (&["--duration", "soon"], &["--duration", "soon"]),
        (&["--duration", "-5s"], &["--duration"]),
        (&["--warmup", "brief"], &["--warmup", "brief"]),
        (&["--rate", "0"], &["--rate", "from 0.001 to 10000000"]),
        (&["--rate", "-1"], &["--rate", "from 0.001 to 10000000"]),
        (&["--rate", "NaN"], &["--rate", "from 0.001 to 10000000"]),
        (&["--rate", "inf"], &["--rate", "from 0.001 to 10000000"]),
        (&["--rate", "100", "--concurrency", "3"], &["--rate", "--concurrency"]),
        (&["--rate", "1e12"], &["--rate", "from 0.001 to 10000000"]),
        (&["--concurrency", "0"], &["--concurrency", "from 1 to 65536"]),
        (&["--concurrency", "4000000000"], &["--concurrency", "from 1 to 65536"]),
        (&["--concurrency", "4294967296"], &["--concurrency"]),
        (&["--rounds", "0"], &["--rounds", "from 1 to 1000"]),
        (&["--rounds", "1000000000"], &["--rounds", "from 1 to 1000"]),
        (&["--rounds", "-1"], &["--rounds", "-1"]),
        (&["--calls", "-1"], &["--calls", "-1"]),
        (&["--placement", "moon"], &["--placement", "moon", "split, shared, free"]),
        (&["--seed", "lucky"], &["--seed", "lucky"]),
        (&["--format", "poem"], &["--format", "poem", "table, json, md"]),
        (&["--no-such-flag"], &["--no-such-flag"]),
    ] {
        let arguments: Vec<&str> = ["run", "good.toml"].iter().chain(flags).copied().collect();
        refused(&sandbox, &arguments, words);
    }
    refused(&sandbox, &["ran"], &["ran", "run"]);
    refused(&sandbox, &["run", "seed", "--concurrency", "8"], &["--concurrency", "one call in flight"]);
}

#[test]
fn more_rounds_than_a_run_may_have_are_refused() {
    let sandbox = Sandbox::new();
    let connections: Vec<String> = (1..=60).map(|connections| connections.to_string()).collect();
    let sweep = format!("[sweep]\nconnections = [{}]\n[backends.tcp]", connections.join(", "));
    sandbox.write("good.toml", spoiled("[backends.tcp]", &sweep).replace("xmlrpc", "grpc"));
    let words = ["120 cells", "120000 rounds", "at most 100000", "--rounds"];
    for command in ["run", "validate"] {
        refused(&sandbox, &[command, "good.toml", "--rounds", "1000"], &words);
    }
    sandbox.run(["validate", "good.toml", "--rounds", "1000", "--only", "tcp"]).expect_code(0);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write("good.toml", GOOD);
    sandbox.write("file", "");
    let out = |out: &str| refused(&sandbox, &["run", "good.toml", "--out", out], &["cannot", out]);
    out("/dev/full");
    out("file");
    out("file/below");
    out("/proc/nowhere");
    let said = out("/dev/full").stderr;
    assert_eq!(said.matches("os error").count(), 1, "said twice: {said}");
}

#[test]
fn a_type_that_a_protocol_cannot_carry_is_refused_before_the_run_or_left_out_on_demand() {
    let sandbox = Sandbox::new();
    let text =
        spoiled("returns = { text = { value = \"right\" } }", "returns = { int = { value = 9000000000 } }");
    sandbox.write("wide.toml", &text);
    for command in ["run", "validate"] {
        refused(&sandbox, &[command, "wide.toml"], &["back end http", "32 bits", "--skip-unsupported"]);
    }
    let (ended, run) = sandbox.measure(&["wide.toml", "--skip-unsupported"]);
    assert!(ended.stdout.contains("skipped http"), "{}", ended.stdout);
    assert_eq!(run["skipped"][0]["backend"], "http");
    assert!(run["skipped"][0]["why"].as_str().unwrap().contains("32 bits"), "{run:#}");
    assert_eq!(run["cells"].as_array().unwrap().len(), 1);
    refused(
        &sandbox,
        &["run", "wide.toml", "--skip-unsupported", "--only", "http"],
        &["nothing to run", "left out"],
    );
}

#[test]
fn a_missing_command_is_refused_before_anything_is_measured() {
    let sandbox = Sandbox::new();
    let peer = "[backends.peer]\nprotocol = \"grpc\"\ncommand = [\"no-such-server\", \"{port}\"]\n";
    sandbox.write("bad.toml", format!("{GOOD}{peer}"));
    refused(&sandbox, &["run", "bad.toml"], &["back end peer", "no-such-server", "install"]);
    sandbox.write("optional.toml", format!("{GOOD}{peer}optional = true\n"));
    refused(&sandbox, &["run", "optional.toml", "--require-all"], &["back end peer", "no-such-server"]);
    let (ended, _) = sandbox.measure(&["optional.toml"]);
    assert!(ended.stdout.contains("skipped peer"), "{}", ended.stdout);
    assert!(ended.stdout.contains("to have it: install no-such-server"), "{}", ended.stdout);
}

#[test]
fn a_report_of_something_that_is_no_run_is_refused() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("folder")).unwrap();
    sandbox.write("text.json", "not json");
    sandbox.write("other.json", "{\"schema_version\": 1, \"cells\": 7}");
    sandbox.write("array.json", "[]");
    sandbox.write("later.json", "{\"schema_version\": 99}");
    sandbox.write("bytes.json", [0xff, 0xfe, 0x00]);
    for (path, words) in [
        ("folder", &["folder", "run.json"][..]),
        ("missing", &["missing", "No such file"]),
        ("text.json", &["text.json is no result"]),
        ("other.json", &["other.json is no result"]),
        ("array.json", &["array.json is no result"]),
        ("bytes.json", &["bytes.json is no result"]),
        ("later.json", &["schema_version 99", "newer"]),
        ("/dev/null", &["/dev/null is no result"]),
    ] {
        refused(&sandbox, &["report", path], words);
    }
    refused(&sandbox, &["report"], &["RUNS"]);
}

#[test]
fn what_nobody_can_read_is_no_panic() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command("sh");
    command.args(["-c", "\"$0\" run nothing 2>/dev/full", env!("CARGO_BIN_EXE_wirebench")]);
    finish(command).expect_code(2);
}
