//! `wirebench check` that compares capacities, on real servers. What is asserted holds on a busy machine,
//! too: whether so few pairs decide is not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::Value;
use support::{Ended, Running, Sandbox, finish, violations};

const BINARY: &str = env!("CARGO_BIN_EXE_wirebench");

/// A service that answers one call at a time, and wide margins, so that searches are short.
fn scenario(service_time: &str, capacity: &str, gates: &str) -> String {
    format!(
        "name = \"limited\"\n\
         [methods.work]\nservice_time = {{ fixed = \"{service_time}\", how = \"serial\" }}\n\
         [load]\nopen = {{ rate_per_s = 800 }}\nwarmup = \"20ms\"\nplacement = \"free\"\n{capacity}\n\
         [gates]\nmetrics = [\"capacity\"]\n{gates}\n[backends.binary]\nprotocol = \"binary-tcp\"\n"
    )
}

const SEARCH: &str = "[capacity]\nslo = \"p50 <= 10ms\"\nprecision = 0.1";
const WIDE: &str = "noise_margin = \"12%\"\nlimit = \"60%\"\nalpha = 0.3";

/// The command of a server that answers as a scenario says.
fn served(scenario: &str) -> String {
    format!("'{BINARY}' serve {scenario} --protocol binary-tcp --listen {{host}}:{{port}}")
}

fn check(sandbox: &Sandbox, arguments: &[&str]) -> Ended {
    let mut command = sandbox.wirebench(
        ["check", "fast.toml", "--base", "binary"].iter().copied().chain(arguments.iter().copied()),
    );
    command.env("XDG_STATE_HOME", sandbox.path("state"));
    finish(command)
}

fn json(sandbox: &Sandbox, path: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(sandbox.path(path)).unwrap()).unwrap()
}

fn text(sandbox: &Sandbox, path: &str) -> String {
    std::fs::read_to_string(sandbox.path(path)).unwrap()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("{value:#}"))
}

/// What holds of the searches of a pair, on any machine. Returns how many rounds they had.
fn expect_fair(sandbox: &Sandbox, pair: &Value) -> usize {
    let searches = list(&pair["searches"]);
    let probes = [0, 1].map(|side: usize| list(&searches[side]["probes"]));
    for (side, limit_per_s) in [(0, 1_000.0), (1, 800.0)] {
        assert_eq!(searches[side]["precision"], 0.06, "finer than the scenario's: {pair:#}");
        for probe in probes[side] {
            // Half of the calls wait for no more than 10 ms, so that in 120 ms a sixth may be too many.
            let rate_per_s = probe["rate_per_s"].as_f64().unwrap();
            assert!(probe["ok"] == false || rate_per_s <= 1.25 * limit_per_s, "{pair:#}");
            assert!(sandbox.path("out").join(probe["histograms"].as_str().unwrap()).is_file());
        }
    }
    assert_eq!(probes[0][0]["rate_per_s"], probes[1][0]["rate_per_s"], "both begin at one rate");
    let order = |side: usize, turn: usize| probes[side][turn]["order"].as_u64().unwrap();
    let first = usize::from(pair["candidate_first"] == true);
    for turn in 0..probes[0].len().min(probes[1].len()) {
        assert_eq!(order(1 - first, turn), order(first, turn) + 1, "the sides take turns: {pair:#}");
        assert_eq!(order(first, turn), order(first, 0) + 2 * turn as u64);
    }
    probes[0].len() + probes[1].len()
}

#[test]
fn a_server_that_can_do_less_is_compared_by_its_capacity() {
    let sandbox = Sandbox::new().patient(std::time::Duration::from_secs(240));
    sandbox.write("fast.toml", scenario("1ms", SEARCH, WIDE));
    sandbox.write("slow.toml", scenario("1250us", SEARCH, WIDE));
    let (fast, slow) = (served("fast.toml"), served("slow.toml"));
    let ended = check(
        &sandbox,
        &[
            &["--candidate", "binary", "--base-command", &fast, "--candidate-command", &slow][..],
            &["--rounds", "2", "--round", "120ms", "--out", "out"],
        ]
        .concat(),
    );
    if ended.code == Some(3) && !sandbox.path("out").exists() {
        // Not even unscored searches came to an end, twice.
        eprintln!("the machine was too busy: {ended:?}");
        ended.says(&["(binary ("]);
        return;
    }
    let check = json(&sandbox, "out/check.json");
    let schema = sandbox.run(["schema", "check"]).expect_code(0).json();
    assert_eq!(violations(&schema, &check), Vec::<String>::new());
    assert_eq!(check["settings"]["search"]["slo"][0], "p50 <= 10ms");
    assert_eq!(check["load"]["rate_per_s"], Value::Null);
    let pairs = list(&check["pairs"]);
    let rounds: usize = pairs.iter().map(|pair| expect_fair(&sandbox, pair)).sum();
    assert_eq!(text(&sandbox, "out/rounds.jsonl").lines().count(), rounds, "every round is on disk");
    let run = json(&sandbox, "out/run.json");
    assert_eq!(list(&run["capacity"]).len(), 2 * pairs.len());

    let metric = &check["metrics"][0];
    assert_eq!(list(&check["metrics"]).len(), 1);
    assert_eq!((&metric["name"], &metric["unit"]), (&"capacity".into(), &"calls/s".into()));
    assert_eq!(metric["more_is_better"], true);
    let counted: Vec<&Value> = pairs.iter().filter(|pair| pair["dropped"].is_null()).collect();
    let figures: Vec<Value> = counted
        .iter()
        .map(|pair| list(&pair["searches"]).iter().map(|of| of["rate_per_s"].clone()).collect())
        .collect();
    assert_eq!(metric["pairs"], Value::Array(figures), "{check:#}");
    for pair in pairs.iter().filter(|pair| !pair["dropped"].is_null()) {
        let why = pair["dropped"].as_str().unwrap();
        assert!(why.contains(": only a lower bound: ") || why.contains(": no capacity: "), "{why}");
    }
    let junit = text(&sandbox, "out/junit.xml");
    assert!(junit.contains("name=\"capacity\""), "{junit}");
    if check["status"] == "invalid" {
        eprintln!("the machine was too busy: {}", check["sentence"]);
        assert_eq!(ended.code, Some(3), "{ended:?}");
        return;
    }
    assert_eq!(counted.len(), 2);
    assert!(ended.stdout.contains("2 pairs of searches"), "{}", ended.stdout);
    assert!(text(&sandbox, "out/check.md").contains("Every pair of searches"));
    assert_eq!(json(&sandbox, "out/benchmark-bigger.json")[0]["unit"], "calls/s");
    assert_eq!(json(&sandbox, "out/benchmark-smaller.json"), Value::Array(Vec::new()));
    assert!(json(&sandbox, "out/bencher.json")["limited/binary"]["capacity"]["value"].is_f64());
    assert_eq!(ended.code, Some(i32::from(check["status"] == "regressed")), "{ended:?}");
    if check["status"] == "regressed" {
        assert!(ended.stdout.contains("does less: capacity −"), "{}", ended.stdout);
        assert!(metric["change"].as_f64().unwrap() < 0.0 && junit.contains("<failure"));
    } else {
        eprintln!("two pairs did not find it: {}", check["sentence"]);
    }
}

#[test]
fn a_budget_for_too_few_pairs_of_searches_says_which_one_is_enough() {
    let sandbox = Sandbox::new().patient(std::time::Duration::from_secs(240));
    sandbox.write("fast.toml", scenario("1ms", SEARCH, WIDE));
    let ended = check(&sandbox, &["--candidate", "binary", "--budget", "1s", "--round", "120ms"]);
    // A machine that is too busy for a search has nothing to measure its length by.
    if ended.code != Some(3) {
        ended.expect_code(2).says(&["at least 2 are needed", "the budget of 1s is too short", "--budget "]);
    }
    assert!(!sandbox.path("reports").exists(), "nothing is scored");
}

#[test]
fn a_base_without_a_capacity_is_told_before_the_first_pair() {
    let sandbox = Sandbox::new();
    let never = "[capacity]\nslo = \"p50 <= 1us\"\nmin_per_s = 200";
    sandbox.write("fast.toml", scenario("1ms", never, WIDE).replace("= 800", "= 200"));
    check(&sandbox, &["--candidate", "binary", "--round", "100ms"])
        .expect_code(3)
        .says(&["the base (binary (base)): no capacity: ", "even at 200/s"]);
}

#[test]
fn a_candidate_that_often_does_not_start_does_not_pass() {
    let sandbox = Sandbox::new().patient(std::time::Duration::from_secs(240));
    sandbox.write("fast.toml", scenario("1ms", SEARCH, WIDE));
    // Unscored searches have a dozen rounds or two; after forty starts every eighth one fails.
    let script = format!(
        "echo >> starts\nn=$(wc -l < starts)\n[ $n -gt 40 ] && [ $((n % 8)) = 0 ] && exit 9\nexec {}\n",
        served("fast.toml").replace("{host}:{port}", "$1")
    );
    sandbox.write("candidate.sh", script);
    let arguments = ["--candidate", "binary", "--candidate-command", "sh candidate.sh {host}:{port}"];
    let ended =
        check(&sandbox, &[&arguments[..], &["--rounds", "4", "--round", "120ms", "--out", "out"]].concat());
    let starts = text(&sandbox, "starts").lines().count();
    if !sandbox.path("out").exists() {
        eprintln!("the machine was too busy, after {starts} starts: {ended:?}");
        ended.expect_code(3);
        return;
    }
    let found = json(&sandbox, "out/check.json");
    let dropped = list(&found["pairs"]).iter().filter_map(|pair| pair["dropped"].as_str());
    let failed = dropped.filter(|why| why.starts_with("candidate: failed: ")).count();
    assert!(failed > 0 || starts < 48, "{starts} starts: {found:#}");
    if failed > 0 {
        assert_ne!(found["status"], "pass", "{found:#}");
        assert_ne!(ended.code, Some(0), "{ended:?}");
    }
}

/// Starts a long check and waits for its first pair; nothing where not even its unscored searches came to
/// an end, as happens on a busy machine.
fn begun_pair(sandbox: &Sandbox) -> Option<Running<'_>> {
    let arguments = "check fast.toml --base binary --candidate binary --rounds 40 --round 120ms --out out";
    let mut running = sandbox.start(arguments.split(' '));
    loop {
        let rounds = std::fs::read_to_string(sandbox.path("out/rounds.jsonl")).unwrap_or_default();
        if rounds.lines().count() >= 2 {
            return Some(running);
        }
        if running.is_over() {
            running.end().expect_code(3).says(&["(binary ("]);
            return None;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn an_interrupted_search_keeps_its_rounds() {
    let sandbox = Sandbox::new();
    sandbox.write("fast.toml", scenario("1ms", SEARCH, WIDE));
    let running =
        (0..5).find_map(|_| begun_pair(&sandbox)).expect("unscored searches that end, once in five");
    running.signal(nix::sys::signal::Signal::SIGINT);
    running.end().expect_code(130);
    sandbox.expect_nothing_running(support::PATIENCE);
    let check = json(&sandbox, "out/check.json");
    assert_eq!((&check["status"], &check["interrupted"]), (&"invalid".into(), &true.into()));
    assert!(check["sentence"].as_str().unwrap().contains("pairs of searches"), "{}", check["sentence"]);
    let run = json(&sandbox, "out/run.json");
    let probes: usize = list(&run["capacity"]).iter().map(|search| list(&search["probes"]).len()).sum();
    assert_eq!(probes, text(&sandbox, "out/rounds.jsonl").lines().count());
}

#[test]
fn what_cannot_be_searched_is_refused_before_anything_is_measured() {
    let sandbox = Sandbox::new();
    for (capacity, gates, more, words) in [
        ("", "", &[][..], &["the scenario does not search a capacity", "add [capacity] with slo"][..]),
        (SEARCH, "", &["--rounds", "4"], &["4 pairs", "at least 5 are needed", "--rounds 5"]),
        (SEARCH, "", &["--limit", "3%"], &["capacity cannot be gated", "0.5 % apart", "raise limit"]),
        (
            SEARCH,
            "",
            &["--metric", "capacity", "--metric", "cpu"],
            &["--metric: capacity: capacity is gated alone"],
        ),
        // Another metric in place of the file's.
        (SEARCH, "", &["--metric", "cpu", "--metric", "p50", "--rounds", "5"], &["with 2 gated metrics"]),
        (SEARCH, "", &["--concurrency", "2"], &["--concurrency", "needs an open load"]),
    ] {
        sandbox.write("fast.toml", scenario("1ms", capacity, gates));
        let arguments = [&["--candidate", "binary"][..], more].concat();
        check(&sandbox, &arguments).expect_code(2).says(words);
    }
    let two = scenario("1ms", SEARCH, "").replace("[\"capacity\"]", "[\"capacity\", \"cpu\"]");
    sandbox.write("fast.toml", two);
    check(&sandbox, &["--candidate", "binary"]).expect_code(2).says(&["capacity is gated alone"]);
    assert!(!sandbox.path("reports").exists());

    sandbox.write("fast.toml", scenario("1ms", SEARCH, ""));
    let validated = sandbox.run(["validate", "fast.toml"]).expect_code(0);
    let told = "check compares capacities: searches within 1 %, for at most 10 min";
    assert!(validated.stdout.contains(told), "{validated:?}");
    sandbox.write("fast.toml", scenario("1ms", SEARCH, "limit = \"3%\""));
    sandbox.run(["validate", "fast.toml"]).expect_code(2).says(&["0.5 % apart"]);
}
