//! `call`, `inspect` and `init` with our own servers, and what they refuse. With a user's own servers:
//! `interop_own.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/interop.rs"]
mod interop;
#[path = "support/said.rs"]
mod said;

use std::path::Path;

use interop::Server;
use said::{said, well};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

#[test]
fn our_own_servers_are_called_with_the_types_of_their_scenario() {
    let home = TempDir::new().unwrap();
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/quick.toml");
    for (protocol, scheme) in [("binary-tcp", "binary+tcp"), ("grpc", "grpc+http"), ("xmlrpc", "xmlrpc+http")]
    {
        let server = Server::ours(scenario, &["--protocol", protocol]);
        let url = format!("{scheme}://{}", server.address);
        let user = r#"[{"id": 1, "name": "x", "tags": ["t"]}]"#;
        let out = well(home.path(), &["call", &url, "store_user", user, "--scenario", scenario]);
        assert_eq!(out, "{\"id\":1,\"name\":\"x\",\"tags\":[\"t\"]}\n", "{protocol}");
        let uploaded = well(home.path(), &["call", &url, "upload", r#"["AP8="]"#, "--scenario", scenario]);
        assert_eq!(uploaded, "null\n", "{protocol}");
        let wrong = said(home.path(), &["call", &url, "add", "[1]", "--scenario", scenario]);
        assert_eq!(wrong.code, 2);
        assert!(wrong.err.contains("add takes 2 arguments (a: int, b: int), found 1"), "{}", wrong.err);
    }
    let server = Server::ours(scenario, &["--protocol", "binary-tcp"]);
    let url = format!("binary+tcp://{}", server.address);
    let untyped = said(home.path(), &["call", &url, "add", "[1, 2]"]);
    assert_eq!(untyped.code, 2);
    assert!(untyped.err.contains("--scenario"), "{}", untyped.err);
    assert_eq!(said(home.path(), &["inspect", &url]).code, 2);
}

#[test]
fn a_scenario_that_cannot_be_written_leaves_nothing_beside_it() {
    let home = TempDir::new().unwrap();
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/quick.toml");
    let server = Server::ours(scenario, &["--protocol", "grpc"]);
    let url = format!("grpc+http://{}", server.address);
    let inspect = |file: &str| said(home.path(), &["inspect", &url, "--scenario-out", file]);
    let here = |file: &str| home.path().join(file).exists();
    std::fs::write(home.path().join("mine.toml"), "mine").unwrap();
    assert_eq!(inspect("mine.toml").code, 2);
    assert!(!here("mine.protoset"));
    std::fs::write(home.path().join("theirs.protoset"), "theirs").unwrap();
    let refused = inspect("theirs.toml");
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("theirs.protoset"), "{}", refused.err);
    assert!(!here("theirs.toml"));
    assert_eq!(inspect("new.toml").code, 0);
    assert!(here("new.toml") && here("new.protoset"));
    well(home.path(), &["validate", "new.toml"]);
}

#[test]
fn the_items_of_a_stream_are_printed_one_a_line_over_every_protocol() {
    let home = TempDir::new().unwrap();
    let text = "name = \"s\"\n[methods.feed]\nparams = { n = \"int\", word = \"text\" }\nstream = { items = 3 }\nreturns = { echo = \"word\" }\n[backends.b]\nprotocol = \"binary-tcp\"\n";
    std::fs::write(home.path().join("s.toml"), text).unwrap();
    let scenario = home.path().join("s.toml");
    let scenario = scenario.to_str().unwrap();
    for (protocol, scheme, needs_types, item) in [
        ("zerorpc", "zerorpc+tcp", false, "\"é\"\n"),
        ("grpc", "grpc+http", false, "{\"value\":\"é\"}\n"),
        ("grpc-tonic", "grpc-tonic+http", false, "{\"value\":\"é\"}\n"),
        ("binary-tcp", "binary+tcp", true, ""),
    ] {
        let server = Server::ours(scenario, &["--protocol", protocol]);
        let url = format!("{scheme}://{}", server.address);
        let args = ["call", &url, "feed", "[3, \"é\"]"];
        if !needs_types {
            assert_eq!(well(home.path(), &args), item.repeat(3), "{protocol}");
        }
        let typed = [&args[..], &["--scenario", scenario]].concat();
        assert_eq!(well(home.path(), &typed), "\"é\"\n\"é\"\n\"é\"\n", "{protocol}");
        let counted = well(home.path(), &[&typed[..], &["--format", "json"]].concat());
        assert!(counted.contains("\"items\":3"), "{protocol}: {counted}");
    }
}

#[test]
fn no_answer_is_exit_code_3_and_wrong_usage_2() {
    let home = TempDir::new().unwrap();
    let folder = home.path();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for scheme in ["xmlrpc+http", "zerorpc+tcp", "grpc+http"] {
        let url = format!("{scheme}://127.0.0.1:{port}");
        for args in [&["call", &url, "m"][..], &["inspect", &url]] {
            let lost = said(folder, args);
            assert_eq!(lost.code, 3, "{args:?}: {}", lost.err);
            assert!(lost.err.contains("cannot connect"), "{}", lost.err);
            let attempted = format!("cannot call m at {url}: cannot connect");
            assert!(args[0] != "call" || lost.err.starts_with(&attempted), "{}", lost.err);
        }
    }
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("xmlrpc+http://{}", silent.local_addr().unwrap());
    let late = said(folder, &["call", &url, "m", "--timeout", "200ms"]);
    assert_eq!(late.code, 3);
    let attempted = format!("cannot call m at {url}: no answer within 2");
    assert!(late.err.starts_with(&attempted), "{}", late.err);
    for (args, words) in [
        (&["call", "http://h:1", "m"][..], "xmlrpc+http"),
        (&["call", "grpc+http://h", "m"], "the port is missing"),
        (&["call", &url, "m", "{}"], "one JSON array"),
        (&["call", &url, "m", "[18446744073709551615]"], "a whole number of 64 bits"),
        (&["call", &url, "m", "[5000000000]"], "32 bits; --xmlrpc-i8 writes it"),
        (&["call", &url, "m", "[1,"], "what is no JSON from its column 3 on"),
        (&["call", &url, "m", "[1]", "--tagged"], "as {\"int\": 5}, found 1"),
        (&["call", "grpc+http://h:1/path", "m"], "has no path"),
    ] {
        let refused = said(folder, args);
        assert_eq!(refused.code, 2, "{args:?}: {}", refused.err);
        assert!(refused.err.contains(words), "{args:?}: {}", refused.err);
        assert_eq!(refused.err.lines().count(), 1, "{}", refused.err);
    }
}

#[test]
fn an_error_of_a_call_is_told_once_with_what_was_attempted() {
    let home = TempDir::new().unwrap();
    let scenario = "quick";
    let server = Server::ours(scenario, &["--protocol", "zerorpc"]);
    let url = format!("zerorpc+tcp://{}", server.address);
    let call = |args: &[&str]| said(home.path(), &[&["call", &url], args].concat());
    let nope = call(&["nope"]);
    assert_eq!((nope.code, &*nope.err), (1, "ERR NameError: method \"nope\" is not supported\n"));
    let wrong = call(&["add", "[1, \"x\"]", "--scenario", scenario]);
    let words = "add at URL: b: expected a whole number of 64 bits, found the text \"x\"\n";
    assert_eq!(wrong.err, format!("wirebench: cannot call {}", words.replace("URL", &url)));
    let args = "[{\"int\": 1}, {\"text\": \"x\"}]";
    let wrong = call(&["add", args, "--tagged", "--scenario", scenario]);
    let words = "add at URL: expected int as b, found text\n";
    assert_eq!(wrong.err, format!("wirebench: cannot call {}", words.replace("URL", &url)));
}

#[test]
fn a_scenario_from_nothing_validates_and_runs() {
    let home = TempDir::new().unwrap();
    let folder = home.path();
    let printed = well(folder, &["init"]);
    well(folder, &["init", "mine.toml"]);
    assert_eq!(std::fs::read_to_string(folder.join("mine.toml")).unwrap(), printed);
    assert_eq!(said(folder, &["init", "mine.toml"]).code, 2);
    assert!(well(folder, &["validate", "mine.toml"]).contains("my service: valid"));
    let args = ["run", "mine.toml", "--rounds", "1", "--calls", "50", "--warmup", "5", "--format", "json"];
    let run: Json = serde_json::from_str(&well(folder, &args)).unwrap();
    assert_eq!(run["cells"].as_array().unwrap().len(), 2);
}

#[test]
fn values_of_metadata_are_sent_and_nowhere_kept() {
    let home = TempDir::new().unwrap();
    let folder = home.path();
    let text = "name = \"token\"\n[methods.m]\n[backends.grpc]\nprotocol = \"grpc\"\n[backends.grpc.metadata]\nauthorization = \"s3cret\"\n[backends.xmlrpc]\nprotocol = \"xmlrpc\"\nmetadata = { authorization = \"s3cret\" }\n";
    std::fs::write(folder.join("token.toml"), text).unwrap();
    let args = ["run", "token.toml", "--rounds", "1", "--calls", "20", "--warmup", "0ms", "--out", "kept"];
    well(folder, &args);
    well(folder, &["report", "kept", "--format", "html,md,csv,json", "--out", "pages"]);
    let mut files = 0;
    for name in ["kept", "pages"] {
        for entry in std::fs::read_dir(folder.join(name)).unwrap() {
            let path = entry.unwrap().path();
            let kept = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains("s3cret");
            assert!(!kept, "the token is in {}", path.display());
            files += 1;
        }
    }
    assert!(files > 5);
    let run = std::fs::read_to_string(folder.join("kept/run.json")).unwrap();
    assert!(run.contains("authorization = \\\"(6 bytes, not kept)\\\""), "{run}");
}

#[test]
fn compression_packs_both_ways_is_recorded_and_is_refused_where_there_is_none() {
    let home = TempDir::new().unwrap();
    let folder = home.path();
    let method =
        "[methods.m]\nparams = { a = { text = { value = \"AAAA\" } } }\nreturns = { echo = \"a\" }\n"
            .replace("AAAA", &"a".repeat(10_000));
    let backend = |name: &str, what: &str| {
        format!("[backends.{name}-plain]\n{what}\n[backends.{name}]\n{what}\ncompression = \"gzip\"\n")
    };
    let backends = [
        backend("xmlrpc", "protocol = \"xmlrpc\""),
        backend("grpc", "protocol = \"grpc\""),
        backend("grpc-tonic", "protocol = \"grpc-tonic\""),
        backend("pair", "codec = \"json\"\ntransport = \"http2\""),
    ];
    std::fs::write(folder.join("gzip.toml"), format!("name = \"gzip\"\n{method}{}", backends.concat()))
        .unwrap();
    let args = ["run", "gzip.toml", "--rounds", "1", "--calls", "50", "--warmup", "5", "--format", "json"];
    let run: Json = serde_json::from_str(&well(folder, &args)).unwrap();
    for cell in run["cells"].as_array().unwrap() {
        let name = cell["backend"].as_str().unwrap();
        let gzip = !name.ends_with("-plain");
        assert_eq!(cell["load"]["compression"] == "gzip", gzip, "{name}");
        assert_eq!((&cell["calls"], &cell["wrong_answers"]), (&json!(50), &json!(0)), "{name}");
        for way in ["request", "response"] {
            let bytes = &cell["bytes_per_call"][way];
            assert!(bytes["encoded"].as_f64().unwrap() > 10_000.0, "{name}: {bytes}");
            assert_eq!(bytes["framed"].as_f64().unwrap() < 1_000.0, gzip, "{name} {way}: {bytes}");
        }
    }
    for (what, words) in [
        ("protocol = \"zerorpc\"", "zerorpc has no compression; protocols over HTTP have"),
        ("codec = \"json\"\ntransport = \"tcp\"", "json/tcp has no compression"),
    ] {
        let text = format!("name = \"x\"\n[methods.m]\n[backends.b]\n{what}\ncompression = \"gzip\"\n");
        std::fs::write(folder.join("no.toml"), text).unwrap();
        let refused = said(folder, &["validate", "no.toml"]);
        assert_eq!(refused.code, 2, "{}", refused.out);
        assert!(refused.err.contains(words), "{}", refused.err);
    }
    let text = "name = \"x\"\n[methods.m]\n[backends.b]\nprotocol = \"grpc\"\ncompression = \"zstd\"\n";
    std::fs::write(folder.join("no.toml"), text).unwrap();
    let refused = said(folder, &["validate", "no.toml"]);
    assert!(refused.code == 2 && refused.err.contains("5:1"), "{}", refused.err);
}

#[test]
fn unix_sockets_of_our_own_servers() {
    let home = TempDir::new().unwrap();
    let folder = home.path();
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/quick.toml");
    for (protocol, scheme) in [
        ("binary-tcp", "binary+unix"),
        ("grpc", "grpc+unix"),
        ("grpc-tonic", "grpc-tonic+unix"),
        ("zerorpc", "zerorpc+ipc"),
        ("xmlrpc", "xmlrpc+unix"),
    ] {
        let socket = folder.join(format!("{protocol}.sock"));
        let server = Server::ours(scenario, &["--protocol", protocol, "--listen", socket.to_str().unwrap()]);
        assert_eq!(Path::new(&server.address), socket, "{protocol}");
        let url = format!("{scheme}://{}", server.address);
        let called = well(folder, &["call", &url, "upload", r#"["AP8="]"#, "--scenario", scenario]);
        assert_eq!(called, "null\n", "{protocol}");
    }
    let backends = "[backends.grpc]\nprotocol = \"grpc\"\nlisten = \"unix\"\n[backends.binary]\nprotocol = \"binary-tcp\"\nlisten = \"unix\"\n[backends.zerorpc]\nprotocol = \"zerorpc\"\nlisten = \"unix\"\n[backends.pair]\ncodec = \"json\"\ntransport = \"http1\"\nlisten = \"unix\"\n";
    let text = format!(
        "name = \"unix\"\n[methods.m]\nparams = {{ a = \"text\" }}\nreturns = {{ echo = \"a\" }}\n{backends}"
    );
    std::fs::write(folder.join("unix.toml"), text).unwrap();
    let args = ["run", "unix.toml", "--rounds", "1", "--calls", "50", "--warmup", "5", "--format", "json"];
    let run: Json = serde_json::from_str(&well(folder, &args)).unwrap();
    let cells = run["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 4);
    for cell in cells {
        assert_eq!((&cell["calls"], &cell["load"]["socket"]), (&json!(50), &json!("unix")), "{cell:#}");
    }
}
