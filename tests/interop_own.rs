//! A new user's path: a server of their own is running; they look at it, call it, take the scenario that
//! `inspect` writes, edit it and run it. For all three protocols, with real servers in Python.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/interop.rs"]
mod interop;
#[path = "support/said.rs"]
mod said;

use std::path::Path;

use interop::{Pair, Server, python};
use said::{edit, run, said, well};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

const XMLRPC: Pair = Pair { protocol: "xmlrpc", client: "wirebench", server: "CPython `SimpleXMLRPCServer`" };
const ZERORPC: Pair = Pair { protocol: "zerorpc", client: "wirebench", server: "Python `zerorpc.Server`" };
const GRPC: Pair = Pair { protocol: "grpc", client: "wirebench", server: "Python `grpcio`" };

/// The path itself, as the table names it.
const PATH: &str = "a service of one's own: inspect, call, the scenario that inspect writes, run";

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
    XMLRPC.proves(PATH, || walk(&url, ("nope", "fault 1: Exception: method \"nope\" is not supported")));
    let home = TempDir::new().unwrap();
    let fault = said(home.path(), &["call", &url, "fail", "--format", "json"]);
    assert_eq!((fault.code, fault.err.trim()), (1, "fault 42: no luck"));
    let error: Json = serde_json::from_str(&fault.out).unwrap();
    assert_eq!((&error["error"]["code"], &error["error"]["message"]), (&json!(42), &json!("no luck")));
    XMLRPC.proves("gzip asked for (compression): requests and replies are packed", || {
        let long = format!("[\"{}\"]", "tea".repeat(20_000));
        let args = ["call", &url, "order", &long, "--compression", "gzip", "--format", "json"];
        let answer: Json = serde_json::from_str(&well(home.path(), &args)).unwrap();
        assert_eq!(answer["answer"]["item"].as_str().map(str::len), Some(60_000));
        let bytes = |way: &str| answer["bytes"][way]["framed"].as_u64().unwrap();
        assert!(bytes("request") < 5_000 && bytes("response") < 5_000, "{}", answer["bytes"]);
    });
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
    ZERORPC.proves(PATH, || walk(&url, ("nope", "ERR NameError: nope")));
    let home = TempDir::new().unwrap();
    assert_eq!(well(home.path(), &["call", &url, "feed", "[3]"]), "0\n1\n2\n");
    let failed = said(home.path(), &["call", &url, "fail"]);
    assert_eq!(failed.code, 1);
    assert!(failed.err.starts_with("ERR ValueError: no luck\nTraceback"), "{}", failed.err);
    let refused = said(home.path(), &["call", &url, "add", "[1, 2]", "--metadata", "a=b"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("zerorpc carries no metadata"), "{}", refused.err);
}

#[test]
fn the_shipped_servers_in_python_started_by_hand() {
    for (script, modules, scheme, streams) in [
        ("xmlrpc_server.py", &["xmlrpc.server"][..], "xmlrpc+http", false),
        ("zerorpc_server.py", &["zerorpc"], "zerorpc+tcp", true),
        ("grpc_server.py", &["grpc", "grpc_reflection"], "grpc+http", true),
    ] {
        let Some(python) = python(modules) else { continue };
        let server = Server::script(&python, &format!("../../scripts/peers/python/{script}"), &[]);
        let url = format!("{scheme}://{}", server.address);
        let home = TempDir::new().unwrap();
        let folder = home.path();
        let listed = well(folder, &["inspect", &url, "--scenario-out", "s.toml"]);
        assert!(listed.contains("store(user: struct { id: int, name: text })"), "{listed}");
        assert_eq!(listed.contains("stream of"), streams, "{listed}");
        if streams {
            // The only thing that the server does not tell, and a comment says so.
            edit(&folder.join("s.toml"), &[("items = 1 ", "items = 100 ")]);
        }
        let cell = run(folder, "s.toml");
        assert_eq!((&cell["wrong_answers"], &cell["errors"]), (&json!(0), &json!({})), "{script}");
        assert_eq!(cell["methods"].as_object().unwrap().len(), if streams { 4 } else { 3 });
    }
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

    let order = r#"[{"note": "", "price": {"units": 5, "currency": "EUR"}, "id": 7, "name": "é", "items": [{"sku": "a", "weights": [0.5]}], "color": "RED",
        "stock": {"a": 1}, "blob": "AP8=", "at": "2023-11-14T22:13:20Z", "card": "c", "parent": {"id": 1}}]"#;
    let asked = |order: &str, types: &[&str]| {
        let mut args = vec!["call", &url, "Store", order, "--metadata", "who=me"];
        args.extend(types);
        serde_json::from_str::<Json>(&well(folder, &args)).unwrap()
    };
    for types in [&[][..], &["--proto", own_proto()]] {
        let answer = asked(order, types);
        assert_eq!((&answer["who"], &answer["at"]), (&json!("me"), &json!("1970-01-01T00:00:01.5Z")));
        let echo = &answer["order"];
        let is = |field: &str, expected: Json| assert_eq!(echo[field], expected, "{field}");
        GRPC.proves("a service of one's own: nested and recursive messages, repeated fields", || {
            is("items", json!([{"sku": "a", "weights": [0.5]}]));
            assert_eq!(echo["parent"]["id"], 1);
        });
        GRPC.proves("a service of one's own: maps, enums, bytes", || {
            is("stock", json!({"a": 1}));
            is("color", json!("RED"));
            is("blob", json!("AP8="));
        });
        GRPC.proves("a service of one's own: imports, Google's Timestamp and the user's", || {
            is("at", json!("2023-11-14T22:13:20Z"));
            is("price", json!({"units": 5, "currency": "EUR"}));
        });
        GRPC.proves("a service of one's own: oneof and optional, set and not set", || {
            assert_eq!((&echo["card"], echo.get("cash")), (&json!("c"), None));
            is("note", json!(""));
            let bare = asked("[{}]", types)["order"].clone();
            assert_eq!((bare.get("note"), bare.get("card"), bare.get("price")), (None, None, None));
        });
    }
    // The values of its fields in the order of their numbers.
    assert_eq!(asked("[7, \"é\"]", &[])["order"]["name"], "é");
    let watched = well(folder, &["call", &url, "shop.Orders/Watch", r#"[{"id": 1}]"#]);
    assert_eq!(watched.lines().count(), 3, "{watched}");
    let failed = said(folder, &["call", &url, "Fail"]);
    assert_eq!((failed.code, failed.err.trim()), (1, "status 5 NOT_FOUND: no such order: ü"));
    for (method, argument, words) in [
        ("Nope", "[]", "there are: shop.Orders/Store"),
        ("Store", r#"[{"nmae": 1}]"#, "shop.Order does not have (id, name"),
        ("Store", r#"[{"name": 1}]"#, "int as shop.Order.name"),
        ("Store", "[1, 2]", "as shop.Order.name"),
        ("Fail", "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]", "which has 12 fields (id, name, items"),
    ] {
        let refused = said(folder, &["call", &url, method, argument]);
        assert_eq!(refused.code, 2, "{}", refused.err);
        assert!(refused.err.contains(words), "{}", refused.err);
    }

    GRPC.proves(PATH, || {
        assert!(well(folder, &["validate", "orders.toml"]).contains("valid"));
        edit(
            &folder.join("orders.toml"),
            &[("Fail = 1\n", "Fail = 0\n"), ("stream = { items = 1 }", "stream = { items = 3 }")],
        );
        let cell = run(folder, "orders.toml");
        assert_eq!((cell["protocol"].as_str(), cell["codec"].as_str()), (Some("grpc"), Some("protobuf")));
        assert!(cell["methods"]["Store"]["calls"].as_u64().unwrap() > 0);
    });
}

#[test]
fn a_scenario_with_the_users_own_proto() {
    let Some(python) = python(&["grpc", "google.protobuf"]) else { return };
    let home = TempDir::new().unwrap();
    let folder = home.path();
    let (_server, url) = grpc_server(&python, folder);
    for file in ["shop.proto", "money.proto"] {
        std::fs::copy(Path::new(own_proto()).with_file_name(file), folder.join(file)).unwrap();
    }
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
    GRPC.proves(
        "a service of one's own: a scenario with its .proto, metadata and payloads of a file",
        || {
            let cell = run(folder, "s.toml");
            assert_eq!(cell["wrong_answers"], 0);
            assert!(
                cell["methods"]["Watch"]["bytes_per_call"]["response"]["payload"].as_f64().unwrap() > 0.0
            );
        },
    );

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
fn unix_sockets_of_servers_in_python() {
    let home = TempDir::new().unwrap();
    let folder = home.path();
    if let Some(python) = python(&["grpc", "google.protobuf"]) {
        let _server = grpc_server(&python, folder);
        let url = format!("grpc+unix://{}", folder.join("shop.sock").display());
        GRPC.proves("UNIX sockets", || {
            let answer = well(folder, &["call", &url, "Store", r#"[{"name": "x"}]"#]);
            assert!(answer.contains("\"name\":\"x\""), "{answer}");
            assert!(well(folder, &["inspect", &url]).contains("shop.Orders/Store"));
        });
    }
    if let Some(python) = python(&["zerorpc"]) {
        let socket = folder.join("zerorpc.sock");
        let _server = Server::script(&python, "own_zerorpc.py", &[&format!("ipc://{}", socket.display())]);
        let url = format!("zerorpc+ipc://{}", socket.display());
        let scenario = format!(
            "name = \"ipc\"\n[methods.add]\nparams = {{ a = {{ int = {{ value = 1 }} }}, b = {{ int = {{ value = 2 }} }} }}\nreturns = {{ int = {{ value = 3 }} }}\n[backends.z]\nurl = \"{url}\"\n"
        );
        std::fs::write(folder.join("ipc.toml"), scenario).unwrap();
        ZERORPC.proves("UNIX sockets (ipc)", || {
            assert_eq!(well(folder, &["call", &url, "add", "[2, 3]"]), "5\n");
            let cell = run(folder, "ipc.toml");
            assert_eq!((&cell["wrong_answers"], &cell["load"]["socket"]), (&json!(0), &json!("unix")));
        });
    }
}
