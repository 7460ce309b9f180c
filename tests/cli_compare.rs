//! `wirebench compare` and `wirebench history`, on runs that were really made.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::Sandbox;

const TINY: &str = "name = \"tiny\"\n[methods.add]\nparams = { a = \"int\", b = \"int\" }\nreturns = \"int\"\n\
    [load]\nclosed = { concurrency = 2 }\nduration = \"60ms\"\nwarmup = \"10ms\"\nrounds = 2\nplacement = \"shared\"\n\
    [backends.binary-tcp]\nprotocol = \"binary-tcp\"\n";

#[test]
fn two_runs_are_compared_and_what_would_mean_nothing_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", TINY);
    for (out, more) in [
        ("a", &[][..]),
        ("b", &["--rounds", "3"]),
        ("other-load", &["--concurrency", "4"]),
        ("other-place", &["--placement", "free"]),
    ] {
        sandbox.run(["run", "tiny.toml", "--out", out].iter().chain(more));
    }
    let ended = sandbox.run(["compare", "a", "b"]).expect_code(0);
    for word in ["service p50", "throughput", "differs: rounds: 2 → 3", "differs: command line", "advisory"]
    {
        assert!(ended.stdout.contains(word), "{word}: {ended:?}");
    }
    // Which run is which, and what each column is.
    let lines: Vec<&str> = ended.stdout.lines().map(str::trim).collect();
    assert!(
        lines[0].starts_with("first: a, begun 2") && lines[1].starts_with("second: b, begun 2"),
        "{lines:?}"
    );
    let columns = |line: &&str| line.split_whitespace().eq(["figure", "first", "second", "change"]);
    assert_eq!(lines.iter().filter(|line| columns(line)).count(), 1, "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("client CPU per call ")), "{lines:?}");
    let json = sandbox.run(["compare", "a", "b", "--format", "json", "--gate-bytes"]).expect_code(0).json();
    let bytes = &json["cells"][0]["bytes"][0];
    assert_eq!((&bytes["method"], &bytes["request"][0]), (&"add".into(), &bytes["request"][1]));
    assert!(
        sandbox
            .run(["compare", "a", "b", "--format", "md"])
            .expect_code(0)
            .stdout
            .contains("| service p50 |")
    );
    sandbox.run(["compare", "a", "other-load"]).expect_code(2).says(&["the concurrency is 2 and 4"]);
    sandbox.run(["compare", "a", "other-place"]).expect_code(2).says(&["placement", "shared and free"]);
    sandbox.run(["compare", "a", "nowhere"]).expect_code(2).says(&["nowhere"]);
}

#[test]
fn history_draws_every_figure_of_a_folder_of_runs_and_keeps_an_index() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", TINY);
    for out in ["runs/first", "runs/second"] {
        sandbox.run(["run", "tiny.toml", "--out", out]);
    }
    std::fs::create_dir(sandbox.path("runs/damaged")).unwrap();
    sandbox.write("runs/damaged/run.json", "{");
    let read = |name: &str| std::fs::read_to_string(sandbox.path(name)).unwrap();
    sandbox.run(["history", "runs"]).expect_code(0).says(&["left out", "damaged"]);
    let csv = read("runs/history.csv");
    let p50 = csv.lines().filter(|line| line.contains("service p50")).count();
    // A busy machine may have made a run invalid; it is no point of a line then.
    let valid = ["first", "second"]
        .iter()
        .filter(|run| read(&format!("runs/{run}/run.json")).contains("\"verdict\": \"valid\""))
        .count();
    assert_eq!(p50, valid, "{csv}");
    // One that is slow, too, has too few calls for a p99.
    let charts = if valid == 0 { 0 } else { 5 + usize::from(csv.contains("service p99")) };
    assert_eq!(read("runs/history.html").matches("<svg").count(), charts, "{csv}");
    let index = read("runs/history.json");
    assert!(index.contains("\"folder\": \"first\"") && !index.contains("damaged"));
    sandbox.run(["history", "runs", "--scenario", "another", "--out", "pages"]).expect_code(0);
    assert!(read("pages/history.html").contains("no valid run"));
    assert_eq!(read("runs/history.json"), index, "unchanged runs are not read again");
    sandbox.run(["history", "tiny.toml"]).expect_code(2);
    sandbox.run(["history", "tmp"]).expect_code(2).says(&["no folders of runs"]);
}
