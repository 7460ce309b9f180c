//! The shipped scenarios keep what they say: every one can be planned, and takes about as long as it says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::Sandbox;
use wirebench::codec;
use wirebench::rpc::random::Random;
use wirebench::run::{Choices, Plan, Registry};
use wirebench::scenario::embedded::SCENARIOS;
use wirebench::scenario::{Generator, Scenario, Sizing};
use wirebench::transport::MAX_MESSAGE_BYTES;

fn read(name: &str) -> Scenario {
    let shipped = wirebench::scenario::embedded::find(name).unwrap();
    Scenario::parse(name, shipped.text, &Registry).unwrap_or_else(|error| panic!("{error}"))
}

fn plan(scenario: Scenario) -> Plan {
    Plan::new(scenario, &Choices { only: Vec::new(), skip_unsupported: false }).unwrap()
}

/// The seconds of the last "about 40 s", "about 2 min" or "about half a minute" of a text.
fn told_s(text: &str) -> Option<f64> {
    let words: Vec<String> = text
        .to_lowercase()
        .split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    let at = |index: usize| words.get(index).map_or("", String::as_str);
    let told = |index: usize| match (at(index + 1).parse::<f64>().ok(), at(index + 1), at(index + 2)) {
        (Some(number), _, "s") => Some(number),
        (Some(number), _, "min") => Some(number * 60.0),
        (None, "half", "a") if at(index + 3) == "minute" => Some(30.0),
        _ => None,
    };
    (0..words.len()).rev().filter(|index| at(*index) == "about").find_map(told)
}

#[test]
fn every_shipped_scenario_says_what_it_shows_and_takes_about_as_long_as_it_says() {
    assert_eq!(told_s("About 2 min.\n# about\n# half a minute; about this"), Some(30.0));
    for shipped in SCENARIOS {
        let told = told_s(shipped.text);
        let told = told.unwrap_or_else(|| panic!("{} does not say how long it takes", shipped.name));
        let estimated = read(shipped.name).estimated_ns() as f64 / 1e9;
        assert!((0.6..=1.6).contains(&(estimated / told)), "{}: {estimated} s, not {told} s", shipped.name);
        assert!(!shipped.description().is_empty(), "{}", shipped.name);
        let comment: String = shipped.text.lines().take_while(|line| line.starts_with('#')).collect();
        assert!(comment.contains("What it shows"), "{} does not say what it shows", shipped.name);
    }
}

#[test]
fn every_shipped_scenario_can_be_planned_for_all_its_back_ends() {
    for shipped in SCENARIOS {
        let mut scenario = read(shipped.name);
        // Drawing megabytes takes an unoptimised build too long; the next test looks at the largest.
        scenario.sweep.payload.retain(|bytes| *bytes <= 4_096);
        let cells = scenario.backends.len() * scenario.load_points().len();
        assert_eq!(plan(scenario).cells.len(), cells, "{}", shipped.name);
    }
}

#[test]
fn sizes_of_the_payload_scenarios_are_what_they_say_and_fit_a_message_of_every_protocol() {
    for (name, item_bytes) in
        [("text", 4), ("bytes", 1), ("ints", 4), ("floats", 8), ("structs", 40), ("nested", 160)]
    {
        let scenario = read(&format!("payload-{name}"));
        let shape = &scenario.methods[0].params[0].1;
        let sizes = &scenario.sweep.payload;
        assert_eq!(sizes.last(), Some(&(1 << 20)));
        for size in sizes {
            let value = shape.draw(&mut Random::new(1), Sizing::of([shape], Some(*size)));
            let found = value.payload_bytes();
            assert!(found >= *size && found < size + item_bytes, "{name}: {found} instead of {size}");
            let mut bytes = Vec::new();
            for entry in codec::ALL.iter().filter(|_| *size == 1 << 20) {
                let codec = (entry.open)(&codec::Options::default());
                let codec = codec.prepare(&codec::Shape::Result(shape.ty())).unwrap();
                bytes.clear();
                codec.encode(std::slice::from_ref(&value), &mut bytes).unwrap();
                assert!(bytes.len() < MAX_MESSAGE_BYTES / 2, "{name}, {}: {} bytes", entry.name, bytes.len());
            }
        }
    }
}

#[test]
fn the_attribution_scenario_has_every_pair_and_every_protocol() {
    let plan = plan(read("attribution"));
    let pairs: std::collections::BTreeSet<(&str, &str)> = plan
        .cells
        .iter()
        .filter(|cell| cell.protocol.name.is_none())
        .map(|cell| (cell.protocol.codec.name(), cell.protocol.transport.name()))
        .collect();
    assert_eq!((pairs.len(), plan.cells.len()), (20, 24));
}

#[test]
fn records_of_known_sources_have_their_sizes() {
    // YCSB: 10 fields of 100 bytes.
    let record = Generator::new(&read("ycsb-a").workload(None)).expected(0, 0).payload_bytes();
    assert_eq!(record, 1_000);
    // gRPC's: 300 bytes there, 50 back.
    let grpc = Generator::new(&read("grpc-300-50").workload(None));
    assert_eq!((grpc.arguments(0, 0)[0].payload_bytes(), grpc.expected(0, 0).payload_bytes()), (300, 50));
}

#[test]
fn the_list_names_every_shipped_scenario_and_prints_any() {
    let sandbox = Sandbox::new();
    let list = sandbox.run(["scenarios"]).expect_code(0).stdout;
    for shipped in SCENARIOS {
        assert!(list.contains(&format!("\n{} ", shipped.name)) || list.starts_with(shipped.name), "{list}");
    }
    let text = sandbox.run(["scenarios", "ycsb-b"]).expect_code(0).stdout;
    assert_eq!(text, wirebench::scenario::embedded::find("ycsb-b").unwrap().text);
    sandbox.run(["scenarios", "ycsb"]).expect_code(2).says(&["no shipped scenario", "ycsb-a"]);
    let unknown = sandbox.run(["run", "ycsb-d"]).expect_code(2);
    unknown.says(&[
        "there is no scenario `ycsb-d`",
        "did you mean",
        "media-content    The MediaContent record",
    ]);
}
