//! What reports say against a protocol is what the protocols do: streams and types are tried here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wirebench::analysis::{CODECS, PROTOCOLS, WITHOUT_STREAMS};
use wirebench::codec::{Codec, Shape};
use wirebench::protocol::registry::{NAMED, free_pair, named};
use wirebench::rpc::{Type, Value};
use wirebench::{codec, transport};

#[test]
fn every_protocol_and_codec_has_its_facts_and_no_other() {
    let mut known: Vec<&str> = NAMED.iter().map(|row| row.name).collect();
    let mut told: Vec<&str> = PROTOCOLS.iter().map(|facts| facts.name).collect();
    known.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, known);
    let mut known: Vec<&str> = codec::ALL.iter().map(|entry| entry.name).collect();
    let mut told: Vec<&str> = CODECS.iter().map(|facts| facts.name).collect();
    known.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, known);
}

#[test]
fn transports_carry_streams_but_for_those_that_are_named() {
    for of in transport::ALL {
        assert_eq!(of.carries_streams(), !WITHOUT_STREAMS.contains(&of.name()), "{}", of.name());
    }
}

/// A type, a value of it, and the word by which a refusal is told.
fn probes() -> [(Type, Value, &'static str); 5] {
    [
        (Type::Int, Value::Int(i64::MAX), "integers"),
        (Type::Float, Value::Float(f64::NAN), "NaN"),
        (Type::Float, Value::Float(f64::INFINITY), "infinities"),
        (Type::Text, Value::Text("\u{1}".into()), "control characters"),
        (Type::Time, Value::Time(1_700_000_000), "times"),
    ]
}

fn carries(codec: &dyn Codec, ty: &Type, value: &Value) -> bool {
    let prepared = codec.prepare(&Shape::Result(ty.clone()));
    prepared.is_ok_and(|shape| shape.encode(std::slice::from_ref(value), &mut Vec::new()).is_ok())
}

#[test]
fn what_is_said_to_be_refused_is_refused_and_nothing_else() {
    let protocols = PROTOCOLS.iter().map(|facts| (facts, named(facts.name, false).unwrap()));
    let pairs = CODECS.iter().map(|facts| (facts, free_pair(facts.name, "tcp", false).unwrap()));
    for (facts, protocol) in protocols.chain(pairs) {
        for (ty, value, word) in probes() {
            let carried = carries(&*protocol.codec, &ty, &value);
            assert_eq!(carried, !facts.refuses.contains(word), "{} and {word}", facts.name);
        }
    }
}
