//! Encoding and decoding alone, by codec and payload: no envelope, no transport.
//!
//! Each group is one direction and payload, so that criterion's report shows the codecs side by
//! side; the throughput counts the information in the value, not the bytes that a codec makes of it.
//! For the nested struct, rows that end in `-struct` are what a program with types of its own does:
//! a Rust struct through rmp-serde, postcard, serde_json or a prost derive. The distance to the row
//! without the ending is what the neutral `Value` costs, which all protocols of a comparison pay.
//!
//! Takes 3 min; `cargo bench --bench codec -- user` does the nested struct alone.

#![allow(clippy::expect_used)] // A bench that cannot be set up has nothing to say.

#[path = "support/payloads.rs"]
mod payloads;
#[path = "support/typed.rs"]
mod typed;

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use payloads::Payload;
use wirebench::codec::{self, Options, Shape, ShapeCodec};
use wirebench::rpc::Value;

fn prepared(payload: &Payload) -> Vec<(&'static str, Box<dyn ShapeCodec>)> {
    let prepare = |entry: &codec::Entry| {
        let codec = (entry.open)(&Options::default());
        (entry.name, codec.prepare(&Shape::Result(payload.ty.clone())).expect("every codec carries it"))
    };
    codec::ALL.iter().map(prepare).collect()
}

fn encoded(codec: &dyn ShapeCodec, value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec.encode(std::slice::from_ref(value), &mut bytes).expect("every codec carries it");
    bytes
}

fn begin<'c>(criterion: &'c mut Criterion, what: &str, payload: &Payload) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(format!("{what}/{}", payload.name));
    match payload.value.payload_bytes() {
        0 => {}
        bytes => {
            group.throughput(Throughput::Bytes(bytes));
        }
    }
    group
}

fn encode(criterion: &mut Criterion, payload: &Payload) {
    let mut group = begin(criterion, "encode", payload);
    for (name, codec) in prepared(payload) {
        let (values, mut bytes) = (std::slice::from_ref(&payload.value), Vec::new());
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                bytes.clear();
                let _ = codec.encode(black_box(values), &mut bytes);
                black_box(bytes.len())
            });
        });
    }
    if payload.name == "user" {
        typed::encode(&mut group, &payload.value);
    }
    group.finish();
}

fn decode(criterion: &mut Criterion, payload: &Payload) {
    let mut group = begin(criterion, "decode", payload);
    for (name, codec) in prepared(payload) {
        let (bytes, mut values) = (encoded(codec.as_ref(), &payload.value), Vec::new());
        assert!(codec.decode(&bytes, &mut values).is_ok() && values == [payload.value.clone()], "{name}");
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                values.clear();
                let _ = codec.decode(black_box(&bytes), &mut values);
                black_box(values.len())
            });
        });
    }
    if payload.name == "user" {
        typed::decode(&mut group, &payload.value);
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .nresamples(10_000)
        .configure_from_args();
    for payload in payloads::all() {
        encode(&mut criterion, &payload);
        decode(&mut criterion, &payload);
    }
    criterion.final_summary();
}
