//! `wirebench explain`, from a run of the real binary to its sentences.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::{Sandbox, expect_good};

const PAIRS: &str = r#"
name = "pairs"
[methods.get]
params = { key = { text = { length = 20 } } }
returns = { echo = "key" }
[load]
closed = { concurrency = 1 }
calls = 200
warmup = { calls = 20 }
rounds = 2
placement = "shared"
[backends.binary-tcp]
protocol = "binary-tcp"
[backends.xmlrpc]
protocol = "xmlrpc"
"#;

fn run() -> Sandbox {
    let sandbox = Sandbox::new();
    let mut text = PAIRS.to_owned();
    for (codec, transport) in [("xml", "http1"), ("xml", "tcp"), ("postcard", "http1"), ("postcard", "tcp")] {
        let pair = format!("codec = \"{codec}\"\ntransport = \"{transport}\"\n");
        text.push_str(&format!("[backends.{codec}-{transport}]\n{pair}"));
    }
    sandbox.write("pairs.toml", text);
    let ended = sandbox.run(["run", "pairs.toml", "--out", "out"]);
    let mut result = sandbox.result(&sandbox.path("out"));
    expect_good(&ended, &result);
    // A machine that was not quiet for a moment must not leave a pair out: this is about explaining.
    for cell in result["cells"].as_array_mut().unwrap() {
        let valid = serde_json::json!({ "status": "valid", "reasons": [] });
        for round in cell["rounds"].as_array_mut().unwrap() {
            round["verdict"] = valid.clone();
        }
        cell["verdict"] = valid;
    }
    sandbox.write("out/run.json", result.to_string());
    sandbox
}

#[test]
fn a_run_with_pairs_is_taken_apart_and_two_back_ends_are_explained() {
    let sandbox = run();
    let whole = sandbox.run(["explain", "out"]).expect_code(0);
    for part in ["codec xml", "transport http1", "envelope of xmlrpc", "envelope of binary-tcp"] {
        assert!(whole.stdout.contains(part), "{part}: {}", whole.stdout);
    }
    let json =
        sandbox.run(["explain", "out", "xmlrpc", "binary-tcp", "--format", "json"]).expect_code(0).json();
    let explanation = &json["explanations"][0];
    assert_eq!(explanation["slower"]["backend"], "xmlrpc");
    assert!(explanation["not_split"].is_null());
    for difference in explanation["differences"].as_array().unwrap() {
        let parts = difference["parts"].as_array().unwrap();
        assert_eq!(parts.len(), 4, "codec, transport, envelope, unexplained: {difference}");
        let sum: f64 = parts.iter().map(|part| part["amount"]["value"].as_f64().unwrap()).sum();
        let whole = difference["difference"]["value"].as_f64().unwrap();
        assert!((sum - whole).abs() <= 1e-6 * whole.abs(), "{difference}");
    }
    let envelope = ["explain", "out", "xmlrpc", "xml-http1", "--format"];
    let json = sandbox.run(envelope.iter().chain(&["json"])).expect_code(0).json();
    let markdown = sandbox.run(envelope.iter().chain(&["md"])).expect_code(0);
    // 149 bytes are less than two rounds differ by: either may have been the slower one.
    let words = if json["explanations"][0]["slower"]["backend"] == "xmlrpc" {
        "- Envelope: that of xmlrpc instead of the minimal one"
    } else {
        "- Envelope: the minimal one instead of that of xmlrpc"
    };
    assert!(markdown.stdout.contains(words), "{}", markdown.stdout);
    let time = &json["explanations"][0]["differences"][0];
    assert_eq!(time["metric"], "service-ns");
    assert!(time["difference"]["value"].as_f64().unwrap() >= 0.0, "the slower one takes longer: {time}");

    sandbox
        .run(["explain", "out", "xmlrpc", "grpc"])
        .expect_code(2)
        .says(&["no back end \"grpc\"", "binary-tcp, xmlrpc, xml-http1"]);
    sandbox.run(["explain", "out", "--at", "c8"]).expect_code(2).says(&["no load point \"c8\""]);
    sandbox.run(["explain", "out", "xmlrpc"]).expect_code(2);
    sandbox.run(["explain", "nowhere"]).expect_code(2);
    sandbox.expect_clean();
}
