//! Every format of a check: as it was (snapshots), readable by its consumer, unharmed by strangers' texts.

use serde::Deserialize;

use super::*;
use crate::analysis::compare::{Gate, Look, PairFigures, judge, sentence, status};
use crate::report::fixture::{HOSTILE, small_run};
use crate::report::suite::tests::read_strictly;
use crate::result::{
    Bound, BytesCheck, CalibratedMetric, Calibration, CapacityResult, CheckSettings, CheckSide, CheckStatus,
    ErrorsCheck, Figures, LoadModel, LookRecord, PairRecord, SearchSettings,
};
use crate::rpc::random::Random;
use crate::scenario::{CheckGates, CheckMetric, Figure, TimeKind};

const P50: CheckMetric = CheckMetric::Time { kind: TimeKind::Service, figure: Figure::P50 };

fn round(slower: f64, random: &mut Random) -> Figures {
    let mut luck = || 1.0 + 0.05 * (random.unit() - 0.5);
    let mut figures = Figures { rate_per_s: Some(30_000.0 / slower * luck()), ..Figures::default() };
    figures.service_ns.p50 = Some((30_000.0 * slower * luck()) as u64);
    figures.service_ns.p99 = Some((90_000.0 * slower * luck()) as u64);
    figures.cpu_us_per_call.server = Some(14.0 * luck());
    figures
}

/// A check whose candidate needs so many times the time of the base.
fn check(slower: f64, pairs: usize) -> CheckResult {
    let mut random = Random::new(4);
    let figures: Vec<PairFigures> = (0..pairs)
        .map(|_| PairFigures {
            base: round(1.0, &mut random),
            candidate: round(slower, &mut random),
            capacities_per_s: None,
        })
        .collect();
    let (gates, last) = (CheckGates::default(), Look { pairs, level: 0.05 });
    let gate =
        Gate { metrics: &[P50, CheckMetric::Cpu], gates: &gates, model: LoadModel::Closed, last, step: 0.0 };
    let (metrics, _) = judge(&gate, &figures, last);
    let (run, _) = small_run();
    let counted = PairRecord {
        candidate_first: false,
        base: Some(0),
        candidate: Some(1),
        searches: Vec::new(),
        dropped: None,
    };
    let dropped = PairRecord {
        dropped: Some("candidate: client-limited: the generator was late by 1 ms".into()),
        ..counted.clone()
    };
    let bytes = vec![BytesCheck {
        method: "echo".into(),
        calls: 100,
        request: [800, 800],
        response: [800, 900],
        gated: false,
        verdict: CheckStatus::Pass,
    }];
    let errors = ErrorsCheck { failed: [0, 0], calls: [9_000, 8_000], rounds_over_budget: [0, 0] };
    let side = |cell: &str| CheckSide {
        backend: "binary-tcp".into(),
        cell: cell.into(),
        implementation: Some("wirebench (Rust)".into()),
        command: None,
    };
    let mut check = CheckResult {
        schema_version: 1,
        wirebench: run.wirebench.clone(),
        started_at: run.started_at.clone(),
        elapsed_s: 41.5,
        seed: 42,
        scenario: run.scenario.clone(),
        environment: run.environment.clone(),
        status: status(&metrics, &bytes, &errors),
        sentence: String::new(),
        interrupted: false,
        base: side("binary-tcp (base)"),
        candidate: side("binary-tcp (candidate)"),
        load: run.cells[0].load.clone(),
        settings: CheckSettings {
            alpha: 0.05,
            noise_margin: 0.02,
            limit: 0.1,
            pairs: pairs as u64,
            looks: vec![LookRecord { pairs: pairs as u64, level: 0.05 }],
            round_ms: 500,
            budget_s: Some(60.0),
            order_seed: 7,
            inconclusive_fails: false,
            search: None,
        },
        metrics,
        bytes,
        errors,
        pairs: std::iter::repeat_n(counted, pairs).chain([dropped]).collect(),
        calibration: Some(Calibration {
            at: "2023-11-13T22:13:20.000Z".into(),
            machine: "a machine".into(),
            wirebench: "0.1.0".into(),
            scenario: "seed".into(),
            backend: "binary-tcp".into(),
            pairs: 30,
            metrics: vec![CalibratedMetric {
                name: "service p50".into(),
                spread: 0.04,
                smallest_detectable: 0.045,
                limit: 0.1,
                pairs_for_limit: Some(7),
            }],
        }),
        notes: vec!["response p99 is not gated".into()],
    };
    check.sentence = sentence(&check);
    check
}

/// A check of capacities whose candidate has this share of the base's.
fn check_of_capacities(share: f64, pairs: usize) -> CheckResult {
    let mut check = check(1.0, pairs);
    let search = |rate_per_s: f64| CapacityResult {
        backend: "binary-tcp".into(),
        point: "pair=1".into(),
        slo: vec!["p99 <= 5ms".into()],
        precision: 0.01,
        rate_per_s: Some(rate_per_s),
        bound: Bound::Exact,
        why: "the objective is not kept at 1010/s".into(),
        probes: Vec::new(),
    };
    let found = (0..pairs).map(|pair| 1_000.0 + 4.0 * pair as f64).map(|base| [base, base * share]);
    let (gates, last) = (CheckGates::default(), Look { pairs, level: 0.05 });
    let metrics = &[CheckMetric::Capacity];
    let gate = Gate { metrics, gates: &gates, model: LoadModel::Open, last, step: 0.01 };
    let figures: Vec<PairFigures> = found.clone().map(PairFigures::of_capacities).collect();
    (check.metrics, _) = judge(&gate, &figures, last);
    for (pair, both) in check.pairs.iter_mut().zip(found) {
        pair.searches = both.map(search).into();
    }
    let slo = vec!["p99 <= 5ms".into()];
    check.settings.search = Some(SearchSettings { slo, precision: 0.01 });
    check.status = status(&check.metrics, &check.bytes, &check.errors);
    check.calibration = None;
    check.sentence = sentence(&check);
    check
}

fn text(format: &str, check: &CheckResult) -> String {
    String::from_utf8(render_check(format, check, Options::default()).unwrap().bytes).unwrap()
}

#[test]
fn a_regression_in_the_formats_for_people_is_as_it_was() {
    let check = check(1.25, 20);
    insta::assert_snapshot!("check_table", text("table", &check));
    insta::assert_snapshot!("check_comment", text("comment", &check));
    insta::assert_snapshot!("check_junit", text("junit", &check));
}

#[test]
fn the_sentence_says_what_a_developer_needs() {
    let slower = check(1.25, 20).sentence;
    assert!(slower.starts_with("slower: service p50 +2") && slower.contains("(95 % interval +"), "{slower}");
    assert!(slower.contains("limit +10.0 %") && slower.ends_with("20 pairs of rounds"), "{slower}");
    let same = check(1.0, 20).sentence;
    assert!(same.starts_with("not worse by the limit: service p50 "), "{same}");
    assert!(
        same.contains("20 pairs of rounds find service p50 +") && same.ends_with("nine times in ten"),
        "{same}"
    );
    let few = check(1.06, 6);
    let open = CheckResult { status: CheckStatus::Inconclusive, ..few };
    assert!(sentence(&open).starts_with("not decided with 6 pairs of rounds"), "{}", sentence(&open));
    let better = check(0.5, 20);
    assert!(!better.sentence.contains("no regression") && !same.contains("no regression"));
}

#[test]
fn what_is_faster_is_told_as_faster_and_not_as_not_worse() {
    let better = check(0.5, 20);
    assert_eq!(better.status, CheckStatus::Pass);
    let told = &better.sentence;
    assert!(told.starts_with("faster: service p50 −") && told.contains("% interval −"), "{told}");
    assert!(told.contains("; not worse by the limit: server CPU per call "), "{told}");
    let table = text("table", &better);
    let line = |of: &str| table.lines().find(|line| line.starts_with(of)).unwrap().trim_end().to_owned();
    assert!(line("service p50").ends_with("pass, faster"), "{table}");
    assert!(line("server CPU").ends_with("pass"), "{table}");
    let more = check_of_capacities(1.25, 8);
    assert!(more.sentence.starts_with("does more: capacity +25.0 % ("), "{}", more.sentence);
}

#[test]
fn a_check_of_capacities_speaks_of_searches_and_of_calls_per_second() {
    let less = check_of_capacities(0.8, 8);
    assert!(less.sentence.starts_with("does less: capacity −20.0 % ("), "{}", less.sentence);
    assert!(less.sentence.ends_with("8 pairs of searches"), "{}", less.sentence);
    let same = check_of_capacities(1.0, 8).sentence;
    assert!(same.contains("8 pairs of searches find capacity −"), "{same}");
    let told = text("comment", &less);
    assert!(
        told.contains("8 pairs of searches for the highest rate with p99 &lt;= 5ms, within 1 %"),
        "{told}"
    );
    let told = text("md", &less);
    assert!(told.contains("Every pair of searches") && told.contains("base 1.00 k/s in 0 rounds"), "{told}");
    assert_eq!(read_strictly(&text("junit", &less)), [3, 1, 0, 0]);
    let bigger: Vec<BenchmarkEntry> = serde_json::from_str(&text("benchmark-bigger", &less)).unwrap();
    assert_eq!((bigger.len(), &*bigger[0].unit), (1, "calls/s"));
    let bencher: Bencher = serde_json::from_str(&text("bencher", &less)).unwrap();
    let capacity = &bencher["echo of small messages/binary-tcp"]["capacity"];
    assert!(capacity.value > 800.0 && capacity.upper_value.unwrap() < 900.0);
    let again: CheckResult = serde_json::from_str(&text("json", &less)).unwrap();
    assert_eq!(again, less);
}

#[test]
fn junit_is_read_by_strict_readers_whatever_came_out() {
    assert_eq!(read_strictly(&text("junit", &check(1.25, 20))), [4, 1, 0, 0]);
    assert_eq!(read_strictly(&text("junit", &check(1.0, 20))), [4, 0, 0, 0]);
    let mut open = check(1.0, 20);
    open.metrics[0].verdict = Some(CheckStatus::Inconclusive);
    open.status = CheckStatus::Inconclusive;
    assert_eq!(read_strictly(&text("junit", &open)), [4, 0, 0, 1]);
    open.status = CheckStatus::Invalid;
    assert_eq!(read_strictly(&text("junit", &open)), [4, 0, 3, 0]);
}

/// What github-action-benchmark takes: `value` may be a string there, and we write a number.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)] // Reading is the test.
struct BenchmarkEntry {
    name: String,
    unit: String,
    value: f64,
    range: Option<String>,
    extra: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BencherMetric {
    value: f64,
    lower_value: Option<f64>,
    upper_value: Option<f64>,
}

type Bencher = std::collections::BTreeMap<String, std::collections::BTreeMap<String, BencherMetric>>;

#[test]
fn figures_are_read_by_the_programs_that_track_them() {
    let check = check(1.25, 20);
    let smaller: Vec<BenchmarkEntry> = serde_json::from_str(&text("benchmark-smaller", &check)).unwrap();
    assert_eq!(smaller.len(), 3);
    assert!(smaller.iter().all(|entry| entry.value > 0.0 && entry.name.contains("binary-tcp: ")));
    let bigger: Vec<BenchmarkEntry> = serde_json::from_str(&text("benchmark-bigger", &check)).unwrap();
    assert_eq!(bigger.iter().map(|entry| &*entry.unit).collect::<Vec<_>>(), ["calls/s"]);
    let bencher: Bencher = serde_json::from_str(&text("bencher", &check)).unwrap();
    let latency = &bencher["echo of small messages/binary-tcp"]["latency"];
    let (low, high) = (latency.lower_value.unwrap(), latency.upper_value.unwrap());
    assert!(low < high && (low..=high).contains(&(latency.value)), "{low} {high} {}", latency.value);

    let (run, histograms) = small_run();
    let of_run = |format: &str| crate::report::render(format, &run, &histograms).unwrap();
    let smaller: Vec<BenchmarkEntry> = serde_json::from_slice(&of_run("benchmark-smaller")).unwrap();
    let bigger: Vec<BenchmarkEntry> = serde_json::from_slice(&of_run("benchmark-bigger")).unwrap();
    assert!(smaller.len() >= 6 && bigger.len() == 2, "{} {}", smaller.len(), bigger.len());
    let bencher: Bencher = serde_json::from_slice(&of_run("bencher")).unwrap();
    assert!(bencher.values().all(|measures| measures["latency"].value > 0.0 && measures.len() >= 4));
    let [tests, failures, errors, skipped] = read_strictly(&String::from_utf8(of_run("junit")).unwrap());
    assert!(tests >= 5 && failures >= 1 && errors >= 1 && skipped == 1, "{tests} {failures} {errors}");
}

#[test]
fn hostile_texts_stay_texts_and_long_ones_stay_small() {
    let mut hostile = check(1.25, 20);
    let long = "x".repeat(100_000);
    hostile.scenario.name = HOSTILE.join(" ");
    hostile.candidate.cell = HOSTILE[0].into();
    hostile.base.cell = HOSTILE[2].into();
    hostile.notes = HOSTILE.iter().map(|text| (*text).to_owned()).chain([long.clone()]).collect();
    hostile.bytes[0].method = HOSTILE[1].into();
    for number in 0..3_000 {
        let why = format!("{number}: {} {long}", HOSTILE[number % HOSTILE.len()]);
        hostile.pairs.push(PairRecord { dropped: Some(why), ..hostile.pairs[0].clone() });
    }
    let comment = text("comment", &hostile);
    assert!(comment.len() < 64 * 1024, "{}", comment.len());
    let summary = text("md", &hostile);
    assert!(summary.len() < 1_024 * 1024, "{}", summary.len());
    for told in [&comment, &summary] {
        assert!(!told.contains("<script") && !told.contains("@everyone") && !told.contains("![x]"));
    }
    for format in ["table", "md", "comment", "junit"] {
        assert!(!text(format, &hostile).contains(['\u{1b}', '\u{202e}']), "{format}");
    }
    read_strictly(&text("junit", &hostile));
    let again: CheckResult = serde_json::from_str(&text("json", &hostile)).unwrap();
    assert_eq!(again.notes, hostile.notes);
}

#[test]
fn an_unknown_format_is_told_and_every_known_one_renders() {
    let check = check(1.0, 6);
    for format in CHECK_FORMATS {
        assert!(render_check(format.name, &check, Options::default()).is_ok(), "{format:?}");
    }
    assert!(render_check("html", &check, Options::default()).is_err() && !is_check_format("html"));
}
