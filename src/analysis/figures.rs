//! The figures of one or more rounds together.

use std::collections::BTreeMap;

use super::quantiles::{QUANTILES, quantiles};
use super::stages::{connection, stages, stages_check};
use crate::result::{
    BytesPerCall, CellHistograms, ContextSwitches, CpuPerCall, ErrorExample, Figures, Kind, LoadModel,
    MessageBytes, MethodCounts, MethodResult, OpeningTime, OpeningTotals, Quantiles, RoundResult, RssPeak,
    Switches,
};
use crate::rpc::ErrorClass;

/// A quantile of the response time is marked where the generator's lag is more than this part of it.
const MARKED_LAG_SHARE: f64 = 0.1;
/// The most error examples of a cell.
const MAX_ERROR_EXAMPLES: usize = 20;

/// The figures of rounds whose histograms are merged already. What no round measured is null.
#[must_use]
pub fn figures(model: LoadModel, rounds: &[&RoundResult], histograms: &CellHistograms) -> Figures {
    if rounds.is_empty() {
        return Figures::default();
    }
    let calls = total(rounds, |round| round.calls);
    let elapsed_s = total(rounds, |round| round.elapsed_ns) as f64 / 1e9;
    let interval_s = total(rounds, |round| round.interval_ns) as f64 / 1e9;
    let offered = total(rounds, |round| round.offered_calls);
    let service_ns = distribution(histograms, Kind::Service);
    // In a closed loop a call is due when it starts, so that both are one.
    let response_ns = match (model, distribution(histograms, Kind::Response)) {
        (LoadModel::Closed, response) if response.samples == 0 => service_ns,
        (_, response) => response,
    };
    let lag_ns = distribution(histograms, Kind::Lag);
    let methods = methods(model, rounds, histograms);
    Figures {
        calls: Some(calls),
        wrong_answers: Some(total(rounds, |round| round.wrong_answers)),
        errors: errors(rounds.iter().map(|round| &round.errors)),
        error_examples: error_examples(rounds),
        elapsed_s: Some(elapsed_s),
        rate_per_s: quotient(calls as f64, elapsed_s),
        offered_rate_per_s: match model {
            LoadModel::Open => quotient(offered as f64, interval_s),
            LoadModel::Closed => None,
        },
        lag_marked: lag_marked(&lag_ns, &response_ns),
        response_ns,
        service_ns,
        wait_ns: distribution(histograms, Kind::Wait),
        lag_ns,
        bytes_per_call: bytes_per_call(rounds),
        wire_note: None,
        cpu_us_per_call: CpuPerCall {
            client: per_call(rounds, |round| round.client_cpu_ns).map(|ns| ns / 1e3),
            server: per_call(rounds, |round| round.server_cpu_ns).map(|ns| ns / 1e3),
        },
        rss_peak_bytes: RssPeak {
            client: largest(rounds, |round| round.rss_peak_bytes.client),
            server: largest(rounds, |round| round.rss_peak_bytes.server),
        },
        context_switches: ContextSwitches {
            client: switches(rounds.iter().map(|round| round.context_switches.client)),
            server: switches(rounds.iter().map(|round| round.context_switches.server)),
        },
        connections_opened: sum(rounds, |round| round.connections_opened),
        opening_ns: opening(rounds),
        connection_ns: connection(rounds),
        late: sum(rounds, |round| round.late),
        waited_calls: sum(rounds, |round| round.waited_calls),
        spun_ns: sum(rounds, |round| round.spun_ns),
        backlog: largest(rounds, |round| round.backlog),
        client_stopped_ns: largest(rounds, |round| round.client_stopped_ns),
        server_stopped_ns: largest(rounds, |round| round.server_stopped_ns),
        stages_ns: stages(rounds),
        stages_note: rounds.iter().find_map(|round| round.stages_note.clone()),
        stages: Vec::new(),
        stages_check: stages_check(rounds),
        methods,
    }
}

fn total(rounds: &[&RoundResult], of: impl Fn(&RoundResult) -> u64) -> u64 {
    rounds.iter().fold(0, |sum, round| sum.saturating_add(of(round)))
}

fn sum(rounds: &[&RoundResult], of: impl Fn(&RoundResult) -> Option<u64>) -> Option<u64> {
    rounds.iter().filter_map(|round| of(round)).reduce(u64::saturating_add)
}

fn largest(rounds: &[&RoundResult], of: impl Fn(&RoundResult) -> Option<u64>) -> Option<u64> {
    rounds.iter().filter_map(|round| of(round)).max()
}

fn quotient(dividend: f64, divisor: f64) -> Option<f64> {
    (divisor > 0.0).then(|| dividend / divisor)
}

/// An amount per answered call, over the rounds in which it was measured.
fn per_call(rounds: &[&RoundResult], of: impl Fn(&RoundResult) -> Option<u64>) -> Option<f64> {
    let mut amount = None;
    let mut calls = 0_u64;
    for round in rounds {
        if let Some(found) = of(round) {
            amount = Some(amount.unwrap_or(0_u64).saturating_add(found));
            calls = calls.saturating_add(round.calls);
        }
    }
    quotient(amount? as f64, calls as f64)
}

fn distribution(histograms: &CellHistograms, kind: Kind) -> Quantiles {
    histograms.all(kind).map_or_else(Quantiles::default, |histogram| quantiles(&histogram))
}

fn lag_marked(lag: &Quantiles, response: &Quantiles) -> Vec<String> {
    let values = |of: &Quantiles| [of.p50, of.p90, of.p95, of.p99, of.p999, of.p9999];
    QUANTILES
        .iter()
        .zip(values(lag).into_iter().zip(values(response)))
        .filter(|(_, values)| match values {
            (Some(lag), Some(response)) => *lag as f64 > MARKED_LAG_SHARE * *response as f64,
            _ => false,
        })
        .map(|((name, _), _)| (*name).to_owned())
        .collect()
}

fn errors<'a>(maps: impl Iterator<Item = &'a BTreeMap<ErrorClass, u64>>) -> BTreeMap<ErrorClass, u64> {
    let mut errors = BTreeMap::new();
    for (class, count) in maps.flatten().filter(|(_, count)| **count > 0) {
        let sum: &mut u64 = errors.entry(*class).or_default();
        *sum = sum.saturating_add(*count);
    }
    errors
}

/// What failed in these rounds, and examples of it.
pub(super) fn failures(rounds: &[&RoundResult]) -> (BTreeMap<ErrorClass, u64>, Vec<ErrorExample>) {
    (errors(rounds.iter().map(|round| &round.errors)), error_examples(rounds))
}

fn error_examples(rounds: &[&RoundResult]) -> Vec<ErrorExample> {
    let mut examples: Vec<ErrorExample> = Vec::new();
    for example in rounds.iter().flat_map(|round| &round.error_examples) {
        let same = |known: &&mut ErrorExample| known.class == example.class && known.code == example.code;
        if let Some(known) = examples.iter_mut().find(same) {
            known.count = known.count.saturating_add(example.count);
        } else if examples.len() < MAX_ERROR_EXAMPLES {
            examples.push(example.clone());
        }
    }
    examples
}

fn switches(sides: impl Iterator<Item = Option<Switches>>) -> Option<Switches> {
    sides.flatten().reduce(|sum, side| Switches {
        voluntary: sum.voluntary.saturating_add(side.voluntary),
        involuntary: sum.involuntary.saturating_add(side.involuntary),
        core_wait_ns: sum.core_wait_ns.into_iter().chain(side.core_wait_ns).reduce(u64::saturating_add),
    })
}

fn opening(rounds: &[&RoundResult]) -> Option<OpeningTime> {
    let openings: Vec<&OpeningTotals> = rounds
        .iter()
        .filter_map(|round| round.opening.as_ref())
        .filter(|opening| opening.connections > 0)
        .collect();
    let mean = |of: fn(&OpeningTotals) -> Option<u64>| {
        let timed = || openings.iter().filter_map(|opening| Some((of(opening)?, opening.connections)));
        let connections: u64 = timed().map(|(_, connections)| connections).sum();
        quotient(timed().map(|(ns, _)| ns as f64).sum(), connections as f64)
    };
    (!openings.is_empty()).then(|| OpeningTime {
        resolve: mean(|opening| opening.resolve_ns),
        connect: mean(|opening| opening.connect_ns),
        handshake: mean(|opening| opening.handshake_ns),
        max: openings.iter().filter_map(|opening| opening.max_ns).max(),
    })
}

fn bytes_per_call(rounds: &[&RoundResult]) -> BytesPerCall {
    let counts = || rounds.iter().flat_map(|round| round.methods.values());
    let mut bytes = encoded_bytes(counts);
    bytes.request.framed = per_call(rounds, |round| round.framed.request);
    bytes.response.framed = per_call(rounds, |round| round.framed.response);
    bytes
}

fn encoded_bytes<'a, I: Iterator<Item = &'a MethodCounts>>(counts: impl Fn() -> I) -> BytesPerCall {
    let calls: u64 = counts().map(|count| count.calls).sum();
    let mean =
        |of: fn(&MethodCounts) -> u64| quotient(counts().map(|count| of(count) as f64).sum(), calls as f64);
    BytesPerCall {
        request: MessageBytes {
            payload: mean(|count| count.request_payload_bytes),
            encoded: mean(|count| count.request_encoded_bytes),
            ..MessageBytes::default()
        },
        response: MessageBytes {
            payload: mean(|count| count.response_payload_bytes),
            encoded: mean(|count| count.response_encoded_bytes),
            ..MessageBytes::default()
        },
    }
}

fn methods(
    model: LoadModel,
    rounds: &[&RoundResult],
    histograms: &CellHistograms,
) -> BTreeMap<String, MethodResult> {
    let mut methods = BTreeMap::new();
    for name in rounds.iter().flat_map(|round| round.methods.keys()) {
        if methods.contains_key(name) {
            continue;
        }
        let counts = || rounds.iter().filter_map(|round| round.methods.get(name));
        let of = |kind| histograms.of(name, kind).map_or_else(Quantiles::default, quantiles);
        let service_ns = of(Kind::Service);
        let response_ns = match (model, of(Kind::Response)) {
            (LoadModel::Closed, response) if response.samples == 0 => service_ns,
            (_, response) => response,
        };
        let calls = counts().fold(0, |sum: u64, count| sum.saturating_add(count.calls));
        let items = counts().filter_map(|count| count.items).reduce(u64::saturating_add);
        let items_per_s = items.zip(service_ns.mean).and_then(|(items, mean_ns)| {
            quotient(items as f64, calls as f64).and_then(|per_call| quotient(per_call * 1e9, mean_ns))
        });
        let result = MethodResult {
            calls,
            errors: errors(counts().map(|count| &count.errors)),
            response_ns,
            service_ns,
            bytes_per_call: encoded_bytes(counts),
            encoded_bytes_first_calls: None,
            wire_pass: None,
            first_item_ns: items.map(|_| of(Kind::FirstItem)),
            items,
            items_per_s,
        };
        methods.insert(name.clone(), result);
    }
    methods
}
