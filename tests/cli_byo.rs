//! A new user's path: a server of their own is running; they look at it, call it, take the scenario that
//! `inspect` writes, edit it and run it. For all three protocols, with real servers in Python.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/interop.rs"]
mod interop;

use std::path::Path;
use std::process::{Command, Output};

use interop::{Server, python};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// Runs the command in a folder.
fn wirebench(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wirebench")).current_dir(folder).args(args).output().unwrap()
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

fn said(folder: &Path, args: &[&str]) -> Said {
    let output = wirebench(folder, args);
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs what must go well and gives its standard output.
fn well(folder: &Path, args: &[&str]) -> String {
    let said = said(folder, args);
    assert_eq!(said.code, 0, "{args:?}: {}\n{}", said.out, said.err);
    said.out
}

/// Edits a file as a user would with sed.
fn edit(path: &Path, changes: &[(&str, &str)]) {
    let mut text = std::fs::read_to_string(path).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from:?} is not in\n{text}");
        text = text.replacen(from, to, 1);
    }
    std::fs::write(path, text).unwrap();
}

/// Runs a scenario shortly and gives its only cell.
fn run(folder: &Path, scenario: &str) -> Json {
    let args = ["run", scenario, "--rounds", "1", "--calls", "60", "--warmup", "10", "--format", "json"];
    let out = well(folder, &args);
    let run: Json = serde_json::from_str(&out).unwrap();
    assert_eq!(run["verdict"], "valid", "{run:#}");
    run["cells"][0].clone()
}

/// What is the same for every protocol without types: look, call, edit, run.
fn walk(url: &str, unknown: (&str, &str)) {
    let home = TempDir::new().unwrap();
    let folder = home.path();

    let listed = well(folder, &["inspect", url, "--scenario-out", "shop.toml"]);
    assert!(listed.contains("add(") && listed.contains("Adds two numbers."), "{listed}");
    let inspected: Json = serde_json::from_str(&well(folder, &["inspect", url, "--format", "json"])).unwrap();
    let names: Vec<&str> = inspected["methods"]
        .as_array()
        .unwrap()
        .iter()
        .map(|method| method["name"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"order"), "{names:?}");

    assert_eq!(well(folder, &["call", url, "add", "[2, 3]"]), "5\n");
    let called = said(folder, &["call", url, "order", r#"["tea"]"#]);
    let order: Json = serde_json::from_str(&called.out).unwrap();
    assert_eq!(order["item"], "tea");
    assert!(called.err.contains(" ms ") && called.err.contains("bytes sent"), "{}", called.err);
    let tagged = well(folder, &["call", url, "add", "--tagged", r#"[{"float": 0.5}, {"int": 1}]"#]);
    assert_eq!(tagged, "{\"float\":1.5}\n");

    let (method, words) = unknown;
    let nope = said(folder, &["call", url, method]);
    assert_eq!((nope.code, nope.out.as_str()), (1, ""));
    assert!(nope.err.contains(words), "{}", nope.err);

    assert!(well(folder, &["validate", "shop.toml"]).contains("valid"));
    // A file of the user's is never replaced.
    assert_eq!(said(folder, &["inspect", url, "--scenario-out", "shop.toml"]).code, 2);

    let scenario = folder.join("shop.toml");
    std::fs::write(folder.join("items.json"), r#"["tea", "coffee"]"#).unwrap();
    let parameters = "# Fill in its parameters, in order, each with any name and its type, as:\n\
                      # params = { id = { int = { min = 1, max = 100 } }, name = \"text\" }\n";
    let open = "# Answers are not compared: say what they are (returns) to have them checked,\n\
                # by type (expect = \"type\") or by value (expect = \"equal\").\n\
                returns = \"any\"\nexpect = \"any\"";
    edit(
        &scenario,
        &[
            (
                &format!("[methods.add]\n{parameters}{open}"),
                "[methods.add]\nparams = { a = { int = { value = 2 } }, b = { int = { value = 3 } } }\nreturns = { int = { value = 5 } }",
            ),
            (
                &format!("[methods.order]\n{parameters}{open}"),
                "[methods.order]\nparams = { item = { json_file = \"items.json\" } }\nreturns = { struct = { number = \"int\", item = \"text\" } }\nexpect = \"type\"",
            ),
            ("fail = 1\n", "fail = 0\n"),
        ],
    );
    let text = std::fs::read_to_string(&scenario).unwrap().replace("feed = 1\n", "feed = 0\n");
    std::fs::write(&scenario, text).unwrap();
    let cell = run(folder, "shop.toml");
    assert_eq!((cell["calls"].as_u64(), cell["hosting"].as_str()), (Some(60), Some("external")));
    assert!(cell["methods"]["order"]["calls"].as_u64().unwrap() > 0);

    // By value, the counting method is wrong: that voids the cell.
    edit(&scenario, &[("\nexpect = \"type\"", "\nexpect = \"equal\"")]);
    let args = ["run", "shop.toml", "--rounds", "1", "--calls", "20", "--warmup", "0ms", "--format", "json"];
    let wrong = said(folder, &args);
    assert_eq!(wrong.code, 3, "{}", wrong.err);
    let result: Json = serde_json::from_str(&wrong.out).unwrap();
    assert!(result["cells"][0]["wrong_answers"].as_u64().unwrap() > 0);
}

#[test]
fn a_users_own_xml_rpc_server() {
    let Some(python) = python(&["xmlrpc.client"]) else { return };
    let server = Server::script(&python, "own_xmlrpc.py", &[]);
    let url = format!("xmlrpc+http://{}/shop/rpc", server.address);
    walk(&url, ("nope", "fault 1: Exception: method \"nope\" is not supported"));
    let home = TempDir::new().unwrap();
    let fault = said(home.path(), &["call", &url, "fail", "--format", "json"]);
    assert_eq!((fault.code, fault.err.trim()), (1, "fault 42: no luck"));
    let error: Json = serde_json::from_str(&fault.out).unwrap();
    assert_eq!((&error["error"]["code"], &error["error"]["message"]), (&json!(42), &json!("no luck")));
    // The path of the URL is the one that is posted to.
    let elsewhere = format!("xmlrpc+http://{}/RPC2", server.address);
    let lost = said(home.path(), &["call", &elsewhere, "add", "[1, 2]"]);
    assert_eq!(lost.code, 1, "{}", lost.err);
    assert!(lost.err.starts_with("HTTP 404"), "{}", lost.err);
}

#[test]
fn a_users_own_zerorpc_server() {
    let Some(python) = python(&["zerorpc"]) else { return };
    let server = Server::script(&python, "own_zerorpc.py", &[]);
    let url = format!("zerorpc+tcp://{}", server.address);
    walk(&url, ("nope", "ERR NameError: nope"));
    let home = TempDir::new().unwrap();
    assert_eq!(well(home.path(), &["call", &url, "feed", "[3]"]), "0\n1\n2\n");
    let failed = said(home.path(), &["call", &url, "fail"]);
    assert_eq!(failed.code, 1);
    assert!(failed.err.starts_with("ERR ValueError: no luck\nTraceback"), "{}", failed.err);
    let refused = said(home.path(), &["call", &url, "add", "[1, 2]", "--metadata", "a=b"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("zerorpc carries no metadata"), "{}", refused.err);
}

fn own_proto() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/shop.proto")
}

/// The server, its URL, and the folder with what it was given.
fn grpc_server(python: &Path, home: &Path) -> (Server, String) {
    let schema = wirebench::run::load_proto(Path::new(own_proto()), &[]).unwrap();
    let set = home.join("shop.protoset");
    std::fs::write(&set, schema.to_bytes()).unwrap();
    let socket = home.join("shop.sock");
    let server = Server::script(python, "own_grpc.py", &[set.to_str().unwrap(), socket.to_str().unwrap()]);
    let url = format!("grpc+http://{}", server.address);
    (server, url)
}

#[test]
fn a_users_own_grpc_server() {
    let Some(python) = python(&["grpc", "google.protobuf"]) else { return };
    let home = TempDir::new().unwrap();
    let folder = home.path();
    let (_server, url) = grpc_server(&python, folder);

    let listed = well(folder, &["inspect", &url, "--scenario-out", "orders.toml"]);
    assert!(listed.contains("shop.Orders/Store(id: int, name: text"), "{listed}");
    assert!(listed.contains("-> stream of struct"), "{listed}");

    let order = r#"[{"id": 7, "name": "é", "items": [{"sku": "a", "weights": [0.5]}], "color": "RED",
        "stock": {"a": 1}, "blob": "AP8=", "at": "2023-11-14T22:13:20Z", "card": "c", "parent": {"id": 1}}]"#;
    for types in [&[][..], &["--proto", own_proto()]] {
        let mut args = vec!["call", &url, "Store", order, "--metadata", "who=me"];
        args.extend(types);
        let answer: Json = serde_json::from_str(&well(folder, &args)).unwrap();
        assert_eq!((&answer["who"], &answer["at"]), (&json!("me"), &json!("1970-01-01T00:00:01.5Z")));
        let echo = &answer["order"];
        assert_eq!(
            (&echo["color"], &echo["stock"], &echo["blob"]),
            (&json!("RED"), &json!({"a": 1}), &json!("AP8="))
        );
        assert_eq!((&echo["parent"]["id"], &echo["at"]), (&json!(1), &json!("2023-11-14T22:13:20Z")));
        assert_eq!((&echo["card"], echo.get("cash")), (&json!("c"), None));
    }
    let watched = well(folder, &["call", &url, "shop.Orders/Watch", r#"[{"id": 1}]"#]);
    assert_eq!(watched.lines().count(), 3, "{watched}");
    let failed = said(folder, &["call", &url, "Fail"]);
    assert_eq!((failed.code, failed.err.trim()), (1, "status 5 NOT_FOUND: no such order: ü"));
    for (method, argument, words) in [
        ("Nope", "[]", "there are: shop.Orders/Store"),
        ("Store", r#"[{"nmae": 1}]"#, "shop.Order does not have (id, name"),
        ("Store", r#"[{"name": 1}]"#, "int as shop.Order.name"),
        ("Store", "[1, 2]", "takes one argument, the request"),
    ] {
        let refused = said(folder, &["call", &url, method, argument]);
        assert_eq!(refused.code, 2, "{}", refused.err);
        assert!(refused.err.contains(words), "{}", refused.err);
    }

    assert!(well(folder, &["validate", "orders.toml"]).contains("valid"));
    edit(
        &folder.join("orders.toml"),
        &[("Fail = 1\n", "Fail = 0\n"), ("stream = { items = 1 }", "stream = { items = 3 }")],
    );
    let cell = run(folder, "orders.toml");
    assert_eq!((cell["protocol"].as_str(), cell["codec"].as_str()), (Some("grpc"), Some("protobuf")));
    assert!(cell["methods"]["Store"]["calls"].as_u64().unwrap() > 0);
}

#[test]
fn a_scenario_with_the_users_own_proto() {
    let Some(python) = python(&["grpc", "google.protobuf"]) else { return };
    let home = TempDir::new().unwrap();
    let folder = home.path();
    let (_server, url) = grpc_server(&python, folder);
    std::fs::copy(own_proto(), folder.join("shop.proto")).unwrap();
    std::fs::write(
        folder.join("orders.json"),
        r#"[{"id": 1, "name": "a", "stock": {"x": 2}}, {"id": 2, "items": [{"sku": "s"}]}]"#,
    )
    .unwrap();
    let scenario = format!(
        r#"
name = "orders"
[methods.Store]
params = {{ id = "int", name = {{ text = {{ value = "n" }} }}, cash = {{ float = {{ value = 1.1 }} }},
           items = {{ list = {{ of = {{ struct = {{ sku = {{ text = {{ value = "s" }} }}, weights = {{ list = {{ of = "float", value = [0.5, 2.0] }} }} }} }}, length = 1 }} }} }}
returns = {{ struct = {{ order = {{ struct = {{ name = {{ text = {{ value = "n" }} }}, cash = {{ float = {{ value = 1.1 }} }} }} }}, who = {{ text = {{ value = "bench" }} }} }} }}
[methods.Watch]
params = {{ whole = {{ json_file = "orders.json" }} }}
stream = {{ items = 3 }}
returns = "any"
expect = "any"
[load]
timeout = "10s"
[backends.mine]
url = "{url}"
proto = "shop.proto"
metadata = {{ who = "bench" }}
"#
    );
    std::fs::write(folder.join("s.toml"), &scenario).unwrap();
    let cell = run(folder, "s.toml");
    assert_eq!(cell["wrong_answers"], 0);
    assert!(cell["methods"]["Watch"]["bytes_per_call"]["response"]["payload"].as_f64().unwrap() > 0.0);

    for (from, to, words) in [
        ("proto = \"shop.proto\"", "proto = \"nope.proto\"", "nope.proto"),
        ("proto = \"shop.proto\"", "proto = \"shop.proto\"\nservice = \"shop.Nope\"", "it has: shop.Orders"),
        ("[methods.Store]", "[methods.Stare]", "shop.Orders does not have; it has: Store"),
        ("stream = { items = 3 }\n", "", "stream = { items = N }"),
        (
            "cash = { float = { value = 1.1 } },",
            "cash = { float = { value = 1.123456789 } },",
            "write 1.1234568",
        ),
        ("orders.json", "none.json", "cannot read"),
        ("who = \"bench\"", "te = \"bench\"", "writes this header itself"),
    ] {
        std::fs::write(folder.join("bad.toml"), scenario.replacen(from, to, 1)).unwrap();
        let refused = said(folder, &["validate", "bad.toml"]);
        assert_eq!(refused.code, 2, "{to}: {}", refused.out);
        assert!(refused.err.contains(words), "{to}: {}", refused.err);
    }
}

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
        }
    }
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("xmlrpc+http://{}", silent.local_addr().unwrap());
    let late = said(folder, &["call", &url, "m", "--timeout", "200ms"]);
    assert_eq!(late.code, 3);
    assert!(late.err.starts_with("no answer within 2"), "{}", late.err);
    for (args, words) in [
        (&["call", "http://h:1", "m"][..], "xmlrpc+http"),
        (&["call", "grpc+http://h", "m"], "the port is missing"),
        (&["call", &url, "m", "{}"], "one JSON array"),
        (&["call", &url, "m", "[18446744073709551615]"], "a whole number of 64 bits"),
        (&["call", &url, "m", "[5000000000]"], "32 bits"),
        (&["call", "grpc+http://h:1/path", "m"], "has no path"),
    ] {
        let refused = said(folder, args);
        assert_eq!(refused.code, 2, "{args:?}: {}", refused.err);
        assert!(refused.err.contains(words), "{args:?}: {}", refused.err);
    }
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

#[test]
fn unix_sockets_of_servers_in_python() {
    let home = TempDir::new().unwrap();
    let folder = home.path();
    if let Some(python) = python(&["grpc", "google.protobuf"]) {
        let _server = grpc_server(&python, folder);
        let url = format!("grpc+unix://{}", folder.join("shop.sock").display());
        let answer = well(folder, &["call", &url, "Store", r#"[{"name": "x"}]"#]);
        assert!(answer.contains("\"name\":\"x\""), "{answer}");
        assert!(well(folder, &["inspect", &url]).contains("shop.Orders/Store"));
    }
    if let Some(python) = python(&["zerorpc"]) {
        let socket = folder.join("zerorpc.sock");
        let _server = Server::script(&python, "own_zerorpc.py", &[&format!("ipc://{}", socket.display())]);
        let url = format!("zerorpc+ipc://{}", socket.display());
        assert_eq!(well(folder, &["call", &url, "add", "[2, 3]"]), "5\n");
        let scenario = format!(
            "name = \"ipc\"\n[methods.add]\nparams = {{ a = {{ int = {{ value = 1 }} }}, b = {{ int = {{ value = 2 }} }} }}\nreturns = {{ int = {{ value = 3 }} }}\n[backends.z]\nurl = \"{url}\"\n"
        );
        std::fs::write(folder.join("ipc.toml"), scenario).unwrap();
        let cell = run(folder, "ipc.toml");
        assert_eq!((&cell["wrong_answers"], &cell["load"]["socket"]), (&json!(0), &json!("unix")));
    }
}
