//! Keeps the body of the fuzz targets compiling and true, without nightly and libFuzzer: short runs
//! over random bytes and over small alterations of real messages.

// Clippy knows only functions marked as tests; everything here is one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../fuzz/shared.rs"]
mod shared;

use proptest::prelude::*;
use wirebench::codec::ALL;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_break_no_decoder(data in proptest::collection::vec(any::<u8>(), 0..80)) {
        for entry in ALL {
            shared::decode(entry.name, &data);
        }
    }

    #[test]
    fn pieces_of_xml_and_json_break_no_decoder(
        pick in any::<u8>(),
        pieces in proptest::collection::vec(prop_oneof![
            Just("<value>"), Just("</value>"), Just("<array>"), Just("<data>"), Just("</data>"), Just("</array>"),
            Just("<struct>"), Just("</struct>"), Just("<nil/>"), Just("<double>"), Just("</double>"), Just("&amp;"),
            Just("1e5"), Just("\""), Just("["), Just("]"), Just("{"), Just("}"), Just(","), Just(":"), Just("null"),
            Just(" "), Just("-0"), Just("\r\n"), Just("<![CDATA["), Just("]]>"), Just("<!--"), Just("-->"),
        ], 0..12),
    ) {
        let data = [vec![pick], pieces.concat().into_bytes()].concat();
        for entry in ALL {
            shared::decode(entry.name, &data);
        }
    }
}

#[test]
fn every_codec_has_a_fuzz_target() {
    let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/Cargo.toml")).unwrap();
    for entry in ALL {
        let target = format!("name = \"decode_{}\"", entry.name);
        assert!(manifest.contains(&target), "{target}");
    }
}
