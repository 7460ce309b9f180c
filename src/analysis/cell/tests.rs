//! Rounds become a cell: each verdict with its rule, and what a cell keeps of rounds that do not count.

use super::*;
use crate::analysis::{Growth, growth, halves};
use crate::result::hlog::Writer;
use crate::result::{Arrivals, Kind, LoadModel, MethodCounts, Status, Switches};
use crate::rpc::ErrorClass;
use hdrhistogram::Histogram;

/// A round of four seconds: `service_ns(i)`, `wait_ns(i)` and `lag_ns` for call i of 4,000.
struct Script {
    service_ns: fn(u64) -> u64,
    wait_ns: fn(u64) -> u64,
    lag_ns: u64,
    change: fn(&mut RoundResult),
}

const QUIET: Script =
    Script { service_ns: |call| 100_000 + call % 97 * 100, wait_ns: |_| 100, lag_ns: 1_000, change: |_| {} };

const SECONDS: u64 = 4;
const CALLS_PER_SECOND: u64 = 1_000;

fn round(script: &Script) -> RoundResult {
    let mut log = Writer::new(1_700_000_000_000);
    for second in 0..SECONDS {
        let mut histograms = [(); 4].map(|()| Histogram::<u64>::new(3).unwrap());
        for call in second * CALLS_PER_SECOND..(second + 1) * CALLS_PER_SECOND {
            let (service, wait) = ((script.service_ns)(call), (script.wait_ns)(call));
            let values = [service + wait + script.lag_ns, service, wait, script.lag_ns];
            for (histogram, value) in histograms.iter_mut().zip(values) {
                histogram.record(value).unwrap();
            }
        }
        for (kind, histogram) in Kind::ALL.into_iter().zip(&histograms) {
            log.add("echo", kind, second as f64, 1.0, histogram).unwrap();
        }
    }
    let calls = SECONDS * CALLS_PER_SECOND;
    let mut round = RoundResult {
        started_at: "2023-11-14T22:13:20.000Z".into(),
        elapsed_ns: SECONDS * 1_000_000_000,
        interval_ns: SECONDS * 1_000_000_000,
        offered_calls: calls,
        calls,
        waited_calls: Some(0),
        server_cpu_ns: Some(400_000_000),
        hlog: log.into_text(),
        ..RoundResult::default()
    };
    round.methods.insert(
        "echo".into(),
        MethodCounts {
            calls,
            request_encoded_bytes: calls * 10,
            response_encoded_bytes: calls * 20,
            ..MethodCounts::default()
        },
    );
    (script.change)(&mut round);
    round
}

fn open() -> LoadRecord {
    LoadRecord {
        model: LoadModel::Open,
        rate_per_s: Some(1_000.0),
        arrivals: Some(Arrivals::Constant),
        ..LoadRecord::default()
    }
}

fn cell_of<const N: usize>(load: LoadRecord, outcomes: &[Result<RoundResult, Reason>; N]) -> CellResult {
    let inputs: Vec<RoundInput<'_>> = outcomes
        .iter()
        .enumerate()
        .map(|(order, outcome)| RoundInput {
            order: order as u64,
            histograms: Some(format!("r{order}.hlog")),
            outcome: outcome.as_ref().map_err(Clone::clone),
        })
        .collect();
    cell_from_rounds(CellDescription { load, ..CellDescription::default() }, &inputs, &Limits::default())
}

fn kinds(script: &Script) -> Vec<&'static str> {
    let cell = cell_of(open(), &[Ok(round(script))]);
    assert_eq!(cell.verdict.status == Status::Valid, cell.verdict.reasons.is_empty());
    cell.verdict.reasons.iter().map(|reason| reason.kind.name()).collect()
}

#[test]
fn each_verdict_has_its_rule() {
    let table: [(&str, Script, &[&str]); 16] = [
        ("quiet", QUIET, &[]),
        ("lag below the floor", Script { lag_ns: 150_000, ..QUIET }, &[]),
        ("lag above the floor", Script { lag_ns: 250_000, ..QUIET }, &["client-limited"]),
        (
            "lag small against the response",
            Script { lag_ns: 250_000, service_ns: |_| 5_000_000, ..QUIET },
            &[],
        ),
        (
            "the client cannot offer the rate",
            Script { change: |round| round.elapsed_ns = 5_000_000_000, ..QUIET },
            &["client-limited"],
        ),
        (
            "the server is busy",
            Script {
                change: |round| {
                    round.elapsed_ns = 5_000_000_000;
                    round.server_cpu_ns = Some(4_900_000_000);
                },
                ..QUIET
            },
            &["overloaded"],
        ),
        (
            "every slot is taken",
            Script {
                change: |round| {
                    round.elapsed_ns = 5_000_000_000;
                    round.waited_calls = Some(3_000);
                },
                ..QUIET
            },
            &["overloaded"],
        ),
        ("waiting grows without end", Script { wait_ns: |call| call * 20_000, ..QUIET }, &["overloaded"]),
        (
            "service time grows without end, for lack of a limit of calls in flight",
            Script { service_ns: |call| 100_000 + call * 20_000, ..QUIET },
            &["overloaded"],
        ),
        (
            "waiting happens to grow in a queue that empties again and again",
            Script { wait_ns: |call| if call % 5 == 0 { 100 } else { call * 20_000 }, ..QUIET },
            &[],
        ),
        (
            "one stall in the last second is the server's, and shown",
            Script { wait_ns: |call| if call >= 3_800 { (4_000 - call) * 1_000_000 } else { 100 }, ..QUIET },
            &[],
        ),
        (
            "the halves disagree",
            Script { service_ns: |call| if call < 2_000 { 100_000 } else { 150_000 }, ..QUIET },
            &["unstable"],
        ),
        (
            "the halves differ by less than a tenth",
            Script { service_ns: |call| if call < 2_000 { 100_000 } else { 105_000 }, ..QUIET },
            &[],
        ),
        (
            "wrong answers",
            Script { change: |round| round.add_wrong_answer("echo", "a", "b"), ..QUIET },
            &["wrong-answers"],
        ),
        (
            "errors",
            Script {
                change: |round| {
                    let _ = round.errors.insert(ErrorClass::Remote, 1);
                },
                ..QUIET
            },
            &["errors"],
        ),
        (
            "the client stood still",
            Script { change: |round| round.client_stopped_ns = Some(200_000_000), ..QUIET },
            &["client-stopped"],
        ),
    ];
    for (name, script, expected) in table {
        assert_eq!(kinds(&script), expected, "{name}");
    }
}

#[test]
fn the_server_may_stand_still() {
    let stopped = Script { change: |round| round.server_stopped_ns = Some(300_000_000), ..QUIET };
    assert!(kinds(&stopped).is_empty());
}

#[test]
fn a_round_that_a_mishap_or_a_client_giving_up_cut_short_has_failed_and_keeps_its_figures() {
    let died = Script { change: |round| round.mishap = Some("the server died".into()), ..QUIET };
    let gave_up = Script { change: |round| round.gave_up = Some("50 connections failed".into()), ..QUIET };
    for (script, detail) in [(died, "the server died"), (gave_up, "50 connections failed")] {
        let cell = cell_of(open(), &[Ok(round(&script))]);
        let [reason] = &cell.verdict.reasons[..] else { panic!("{:?}", cell.verdict) };
        assert_eq!(reason.kind, ReasonKind::Failed);
        assert!(reason.detail.contains(detail), "{}", reason.detail);
        assert!(cell.figures.calls.is_some_and(|calls| calls > 0));
    }
}

#[test]
fn errors_within_the_budget_are_allowed() {
    let failing = Script {
        change: |round| {
            let _ = round.errors.insert(ErrorClass::Remote, 40);
        },
        ..QUIET
    };
    let result = round(&failing);
    let input = RoundInput { order: 0, histograms: None, outcome: Ok(&result) };
    let description = CellDescription { load: open(), ..CellDescription::default() };
    for (share, valid) in [(0.0, false), (0.005, false), (0.01, true)] {
        let limits = Limits { errors: crate::scenario::ErrorBudget::Share(share), objective_ns: None };
        let cell = cell_from_rounds(description.clone(), std::slice::from_ref(&input), &limits);
        assert_eq!(cell.verdict.is_valid(), valid, "{share}");
    }
}

#[test]
fn a_late_generator_is_noticed_in_short_rounds_too_and_a_lone_late_call_is_not() {
    let kinds = |calls: u64, late: u64| {
        let mut log = Writer::new(1_700_000_000_000);
        let histogram = |values: &dyn Fn(u64) -> u64| {
            let mut histogram = Histogram::<u64>::new(3).unwrap();
            (0..calls).for_each(|call| histogram.record(values(call)).unwrap());
            histogram
        };
        let lag = |call: u64| if call < late { 20_000_000 } else { 1_000 };
        for (kind, histogram) in
            [(Kind::Lag, histogram(&lag)), (Kind::Response, histogram(&|call| 100_000 + lag(call)))]
        {
            log.add("echo", kind, 0.0, 10.0, &histogram).unwrap();
        }
        let round = RoundResult {
            elapsed_ns: 10_000_000_000,
            interval_ns: 10_000_000_000,
            offered_calls: calls,
            calls,
            hlog: log.into_text(),
            ..RoundResult::default()
        };
        let cell = cell_of(open(), &[Ok(round)]);
        cell.verdict.reasons.iter().map(|reason| reason.kind.name()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(500, 100), ["client-limited"], "a fifth of the calls is late");
    assert_eq!(kinds(500, 500), ["client-limited"]);
    assert_eq!(kinds(20, 8), ["client-limited"]);
    for (calls, late) in [(500, 0), (500, 5), (20, 1)] {
        assert!(kinds(calls, late).is_empty(), "{late} of {calls}: luck");
    }
}

#[test]
fn a_verdict_says_what_to_change() {
    let cell = cell_of(open(), &[Ok(round(&Script { lag_ns: 250_000, ..QUIET }))]);
    let detail = &cell.verdict.reasons[0].detail;
    assert!(detail.contains("250 µs late (200 µs is allowed: "), "{detail}");
}

#[test]
fn an_overloaded_cell_has_a_rate_and_no_tail() {
    let cell = cell_of(open(), &[Ok(round(&Script { wait_ns: |call| call * 20_000, ..QUIET }))]);
    assert!(cell.figures.rate_per_s.is_some() && cell.figures.offered_rate_per_s.is_some());
    assert!(cell.figures.response_ns.p50.is_some());
    assert_eq!((cell.figures.response_ns.p99, cell.figures.response_ns.intervals.p99), (None, None));
    assert_eq!(cell.rounds[0].figures.methods["echo"].response_ns.p90, None);
}

#[test]
fn a_cell_is_valid_when_two_thirds_of_its_rounds_are_and_counts_those_only() {
    let slow =
        || round(&Script { service_ns: |call| if call < 2_000 { 900_000 } else { 2_000_000 }, ..QUIET });
    let good = || Ok(round(&QUIET));
    let cell = cell_of(open(), &[good(), good(), Ok(slow())]);
    assert!(cell.verdict.is_valid());
    assert_eq!(cell.figures.calls, Some(8_000));
    assert_eq!(cell.figures.service_ns.samples, 8_000);
    assert!(cell.figures.service_ns.max < Some(200_000));
    assert_eq!(cell.rounds.len(), 3);
    let cell = cell_of(open(), &[good(), Ok(slow()), Ok(slow())]);
    let kinds: Vec<_> = cell.verdict.reasons.iter().map(|reason| reason.kind.name()).collect();
    assert_eq!(kinds, ["unstable", "too-few-rounds"]);
    assert!(cell.verdict.reasons[0].detail.starts_with("in 2 of 3 rounds: "));
}

#[test]
fn one_wrong_answer_in_one_round_voids_the_cell() {
    let wrong = round(&Script { change: |round| round.add_wrong_answer("echo", "a", "b"), ..QUIET });
    let cell = cell_of(open(), &[Ok(round(&QUIET)), Ok(round(&QUIET)), Ok(wrong)]);
    assert!(cell.verdict.has(ReasonKind::WrongAnswers));
    assert_eq!(cell.figures.wrong_answers, Some(1));
}

#[test]
fn errors_of_a_round_that_does_not_count_are_errors_of_the_cell() {
    let failing = Script {
        change: |round| {
            let _ = round.errors.insert(ErrorClass::Timeout, 1_000);
        },
        ..QUIET
    };
    let cell = cell_of(open(), &[Ok(round(&QUIET)), Ok(round(&failing)), Ok(round(&QUIET))]);
    assert!(cell.verdict.is_valid());
    assert_eq!(cell.figures.calls, Some(8_000));
    assert_eq!(cell.figures.errors, [(ErrorClass::Timeout, 1_000)].into());
    let gates = ["errors == 0", "errors <= 5%", "errors <= 10%"]
        .map(|text| crate::scenario::Gate::parse(text).unwrap());
    let outcomes = crate::analysis::evaluate_gates(&gates, &[cell]);
    let found: Vec<_> = outcomes.iter().map(|outcome| (outcome.met, outcome.measured.as_deref())).collect();
    assert_eq!(
        found,
        [(Some(false), Some("1,000")), (Some(false), Some("7.692 %")), (Some(true), Some("7.692 %"))]
    );
}

#[test]
fn a_failed_round_is_a_row() {
    let failed = Err(Reason { kind: ReasonKind::Failed, detail: "exit code 1: boom".into() });
    let cell = cell_of(open(), &[failed.clone(), failed]);
    assert_eq!(cell.rounds.len(), 2);
    assert_eq!(cell.figures, Figures::default());
    assert_eq!(cell.verdict.reasons[0].detail, "in 2 of 2 rounds: exit code 1: boom");
    assert!(cell_of(open(), &[]).verdict.has(ReasonKind::Interrupted));
}

#[test]
fn damaged_histograms_fail_the_round() {
    let damaged = round(&Script { change: |round| round.hlog.push_str("nonsense\n"), ..QUIET });
    assert!(cell_of(open(), &[Ok(damaged)]).verdict.has(ReasonKind::Failed));
}

#[test]
fn figures_are_sums_over_the_rounds_divided_by_their_calls() {
    let counted = || {
        Ok(round(&Script {
            change: |round| {
                round.framed.request = Some(4_000 * 30);
                round.context_switches.client =
                    Some(Switches { voluntary: 5, involuntary: 1, core_wait_ns: Some(100) });
                round.rss_peak_bytes.server = Some(1 << 20);
            },
            ..QUIET
        }))
    };
    let cell = cell_of(open(), &[counted(), counted()]);
    let figures = &cell.figures;
    assert_eq!(figures.calls, Some(8_000));
    assert_eq!(figures.rate_per_s, Some(1_000.0));
    assert_eq!(figures.bytes_per_call.request.encoded, Some(10.0));
    assert_eq!(figures.bytes_per_call.request.framed, Some(30.0));
    assert_eq!(figures.bytes_per_call.response.wire, None);
    assert_eq!(figures.cpu_us_per_call.server, Some(100.0));
    assert_eq!(figures.cpu_us_per_call.client, None);
    assert_eq!(
        figures.context_switches.client,
        Some(Switches { voluntary: 10, involuntary: 2, core_wait_ns: Some(200) })
    );
    assert_eq!(figures.rss_peak_bytes.server, Some(1 << 20));
    assert_eq!(figures.methods["echo"].bytes_per_call.response.encoded, Some(20.0));
}

#[test]
fn quantiles_that_owe_more_than_a_tenth_to_lag_are_marked() {
    let cell = cell_of(open(), &[Ok(round(&Script { lag_ns: 20_000, ..QUIET }))]);
    assert!(cell.verdict.is_valid());
    assert_eq!(cell.figures.lag_marked, ["p50", "p90", "p95", "p99"]);
}

#[test]
fn a_closed_loop_answers_for_no_lag_and_responds_in_its_service_time() {
    let mut result = round(&Script { lag_ns: 250_000, wait_ns: |call| call * 20_000, ..QUIET });
    let only_service: Vec<&str> =
        result.hlog.lines().filter(|line| !line.starts_with("Tag=") || line.contains("/service,")).collect();
    result.hlog = only_service.join("\n") + "\n";
    let cell = cell_of(LoadRecord::default(), &[Ok(result)]);
    assert!(cell.verdict.is_valid(), "{:?}", cell.verdict);
    assert_eq!(cell.figures.response_ns, cell.figures.service_ns);
    assert_eq!(cell.figures.lag_ns, Quantiles::default());
    assert_eq!(cell.figures.offered_rate_per_s, None);
}

#[test]
fn correlated_noise_is_not_taken_for_a_change() {
    // Every second has a median of its own, and the halves happen to differ by a fifth.
    let noisy =
        Script { service_ns: |call| [100_000, 160_000, 120_000, 190_000][(call / 1_000) as usize], ..QUIET };
    assert!(kinds(&noisy).is_empty());
}

#[test]
fn growth_and_halves_need_enough_intervals() {
    let log = hlog::read(&round(&QUIET).hlog).unwrap();
    let Growth { slowest_ns_per_s, .. } = growth(&log, Kind::Wait).unwrap();
    assert!(slowest_ns_per_s.abs() < 1.0);
    let first_second: Vec<Interval> = log.into_iter().filter(|interval| interval.start_s < 1.0).collect();
    assert_eq!(growth(&first_second, Kind::Wait), None);
    assert!(halves(&first_second, Kind::Service).is_empty());
}

#[test]
fn a_saturated_client_is_named_where_cores_are_apart() {
    let result = |client_s: f64, server_s: f64| {
        let only_service = |hlog: &str| {
            let lines = hlog.lines().filter(|line| !line.starts_with("Tag=") || line.contains("/service,"));
            lines.collect::<Vec<_>>().join("\n") + "\n"
        };
        let mut result = round(&QUIET);
        result.hlog = only_service(&result.hlog);
        result.client_cpu_ns = Some((client_s * 1e9) as u64);
        result.server_cpu_ns = Some((server_s * 1e9) as u64);
        result
    };
    let closed = |concurrency| LoadRecord {
        concurrency: Some(concurrency),
        client_threads: Some(1),
        server_threads: Some(1),
        ..LoadRecord::default()
    };
    let limited = |load: LoadRecord, client_s, server_s| {
        cell_of(load, &[Ok(result(client_s, server_s))]).verdict.has(ReasonKind::ClientLimited)
    };
    assert!(limited(closed(8), 3.9, 1.5));
    assert!(!limited(closed(8), 3.9, 3.0), "both are busy");
    assert!(!limited(closed(8), 3.0, 1.5), "the client is not at its limit");
    assert!(!limited(closed(1), 3.9, 1.5), "one call at a time");
    assert!(!limited(LoadRecord { idle: crate::result::Idle::Spin, ..closed(8) }, 3.9, 1.5), "a spin");
    let shared = LoadRecord { placement: crate::result::Placement::Shared, ..closed(8) };
    assert!(!limited(shared, 3.9, 1.5), "one core for both");
}

#[test]
fn methods_of_a_sequence_are_judged_in_their_own_time() {
    // Two methods take turns by the second; each is steady, though one is ten times the other.
    let sequence = |change: fn(u64) -> u64| {
        let mut log = Writer::new(1_700_000_000_000);
        for second in 0..8_u64 {
            let (name, usual) = if second % 2 == 0 { ("fetch", 100_000) } else { ("send", 1_000_000) };
            let mut histogram = Histogram::<u64>::new(3).unwrap();
            for call in 0..1_000 {
                histogram.record((usual + call) * change(second) / 100).unwrap();
            }
            log.add(name, Kind::Service, second as f64, 1.0, &histogram).unwrap();
        }
        let mut result = round(&QUIET);
        result.hlog = log.into_text();
        cell_of(LoadRecord::default(), &[Ok(result)]).verdict.has(ReasonKind::Unstable)
    };
    assert!(!sequence(|_| 100));
    assert!(sequence(|second| if second < 4 { 100 } else { 150 }));
}
