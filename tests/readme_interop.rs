//! The README's interop table says what the tests proved and nothing else. It is rendered from
//! `target/interop/*.jsonl`, which the tests named `interop_*` write; this file's name puts it behind
//! them. `WIREBENCH_BLESS=1 cargo test --test readme_interop` renders it anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/interop.rs"]
mod interop;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use interop::Proof;

/// The test files that prove something.
const FILES: [&str; 5] =
    ["interop_binary_tcp", "interop_grpc", "interop_own", "interop_xmlrpc", "interop_zerorpc"];

const BEGIN: &str = "<!-- interop:begin -->";
const END: &str = "<!-- interop:end -->";

/// What takes long in real time is proved on `scripts/test --long` only.
const LONG: &str = "(long)";

type Row = (String, String, String);

/// What was proved: features by protocol, client and server. The last line about a feature counts.
fn proved() -> BTreeMap<Row, BTreeSet<String>> {
    let mut last = BTreeMap::new();
    for name in FILES {
        let Ok(text) = std::fs::read_to_string(interop::folder().join(format!("{name}.jsonl"))) else {
            continue;
        };
        for line in text.lines() {
            let proof: Proof = serde_json::from_str(line).unwrap();
            last.insert(((proof.protocol, proof.client, proof.server), proof.feature), proof.ok);
        }
    }
    let mut rows: BTreeMap<Row, BTreeSet<String>> = BTreeMap::new();
    for ((row, feature), ok) in last {
        if ok {
            rows.entry(row).or_default().insert(feature);
        }
    }
    rows
}

fn rendered(rows: &BTreeMap<Row, BTreeSet<String>>) -> String {
    let mut table =
        String::from("| protocol | client | server | proved by a test |\n| --- | --- | --- | --- |\n");
    for ((protocol, client, server), features) in rows {
        let features: Vec<&str> = features.iter().map(String::as_str).collect();
        table += &format!("| {protocol} | {client} | {server} | {} |\n", features.join("; "));
    }
    table
}

fn read(table: &str) -> BTreeMap<Row, BTreeSet<String>> {
    let mut rows = BTreeMap::new();
    for line in table.lines().filter(|line| line.starts_with("| ")).skip(2) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [protocol, client, server, features] = cells[..] else { panic!("no row of the table: {line}") };
        let features = features.split("; ").map(str::to_owned).collect();
        rows.insert((protocol.into(), client.into(), server.into()), features);
    }
    rows
}

#[test]
fn the_table_claims_nothing_that_was_not_proved() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap_or_default();
    let Some((before, (table, after))) =
        readme.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?)))
    else {
        eprintln!("skipped: there is no README.md with {BEGIN} and {END}");
        return;
    };
    let proved = proved();
    if std::env::var_os("WIREBENCH_BLESS").is_some() {
        let readme = format!("{before}{BEGIN}\n{}{END}{after}", rendered(&proved));
        std::fs::write(&path, readme).unwrap();
        return;
    }
    if !FILES.iter().all(|name| interop::folder().join(format!("{name}.jsonl")).exists()) {
        eprintln!("skipped: not every interop test has run here; cargo test runs them before this one");
        return;
    }
    let nothing = BTreeSet::new();
    for (row, features) in read(table) {
        let found = proved.get(&row).unwrap_or(&nothing);
        let long = |feature: &&String| feature.ends_with(LONG) && !interop::is_long();
        let unproved: Vec<_> = features.difference(found).filter(|feature| !long(feature)).collect();
        assert!(
            unproved.is_empty(),
            "README.md claims what no test proved: {row:?} {unproved:?}; render the table with \
             WIREBENCH_BLESS=1 cargo test --test readme_interop"
        );
    }
}

#[test]
fn what_is_rendered_is_read_back() {
    let row = ("xmlrpc".into(), "a client".into(), "a server".into());
    let features = BTreeSet::from(["one".into(), "two, and more".into()]);
    let rows = BTreeMap::from([(row, features)]);
    assert_eq!(read(&rendered(&rows)), rows);
}
