//! Tests of the whole: files to scenarios to calls.

use super::*;

/// The protocols of DESIGN.md, without their code.
pub(super) struct Fixed;

impl Catalogue for Fixed {
    fn protocols(&self) -> Vec<&str> {
        vec!["xmlrpc", "zerorpc", "grpc", "binary-tcp", "null"]
    }

    fn codecs(&self) -> Vec<&str> {
        vec!["xml", "msgpack", "protobuf", "postcard", "json"]
    }

    fn transports(&self) -> Vec<&str> {
        vec!["http1", "http2", "zmq", "tcp"]
    }

    fn schemes(&self) -> Vec<(&str, &str)> {
        vec![
            ("xmlrpc+http", "xmlrpc"),
            ("zerorpc+tcp", "zerorpc"),
            ("grpc+http", "grpc"),
            ("binary+tcp", "binary-tcp"),
        ]
    }

    fn max_in_flight(&self, kind: &BackendKind) -> u32 {
        match kind {
            BackendKind::Protocol(name) if name == "xmlrpc" => 1,
            BackendKind::Pair { transport, .. } if transport == "http1" => 1,
            _ => 1_000,
        }
    }
}

fn parse(text: &str) -> Scenario {
    Scenario::parse("test.toml", text, &Fixed).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_seed_scenario_is_the_article() {
    let scenario = parse(include_str!("../../scenarios/seed.toml"));
    assert_eq!(
        scenario.methods.iter().map(|method| &*method.name).collect::<Vec<_>>(),
        ["getObj", "sendObj"]
    );
    assert_eq!(scenario.mix, Mix::Sequence(vec![(0, 500), (1, 500)]));
    assert_eq!(scenario.load.length, Amount::Calls(1_000));
    assert_eq!(scenario.backends.len(), 8);
    let json = serde_json::to_string(&scenario).unwrap();
    assert_eq!(serde_json::from_str::<Scenario>(&json).unwrap(), scenario);
}

#[test]
fn the_quick_scenario_parses() {
    let scenario = parse(include_str!("../../scenarios/quick.toml"));
    assert_eq!(scenario.methods.len(), 4);
}
