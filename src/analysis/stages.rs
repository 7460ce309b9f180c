//! The stages of the sampled calls of several rounds, and the steps of opening their connections.

use super::quantiles::quantiles;
use crate::result::{CellHistograms, ConnectionCost, Kind, RoundResult, StageLog, Stages, StagesCheck, hlog};

/// The distribution of each stage; `None` where no call was sampled.
pub(super) fn stages(rounds: &[&RoundResult]) -> Option<Stages> {
    let mut merged = CellHistograms::default();
    for log in logs(rounds) {
        // A damaged log of stages costs the stages, never the round.
        merged.add(&hlog::read(&log.hlog).ok()?).ok()?;
    }
    let of = |stage: &str| merged.of(stage, Kind::Stage).map(quantiles);
    let stages = Stages {
        connecting: of("connecting"),
        client_encode: of("client_encode"),
        request_transport: of("request_transport"),
        server_decode: of("server_decode"),
        handler: of("handler"),
        server_encode: of("server_encode"),
        response_transport: of("response_transport"),
        client_decode: of("client_decode"),
        following_items: of("following_items"),
        transport_and_server: of("transport_and_server"),
    };
    (stages != Stages::default()).then_some(stages)
}

/// The distribution of each step of opening a connection; `None` where none was opened.
pub(super) fn connection(rounds: &[&RoundResult]) -> Option<ConnectionCost> {
    let mut merged = CellHistograms::default();
    for round in rounds {
        // As with the stages.
        merged.add(&hlog::read(&round.connection_log).ok()?).ok()?;
    }
    let of = |step: &str| merged.of(step, Kind::Connection).map(quantiles);
    let cost = ConnectionCost {
        resolve: of("resolve"),
        connect: of("connect"),
        handshake: of("handshake"),
        first_call: of("first_call"),
    };
    (cost != ConnectionCost::default()).then_some(cost)
}

fn logs<'a>(rounds: &'a [&RoundResult]) -> impl Iterator<Item = &'a StageLog> {
    rounds.iter().filter_map(|round| round.stages.as_ref())
}

/// The stages' sum beside the service time. The sums are exact; the histograms' means are not quite.
pub(super) fn stages_check(rounds: &[&RoundResult]) -> Option<StagesCheck> {
    let sum = |of: fn(&StageLog) -> u64| logs(rounds).map(of).fold(0_u64, u64::saturating_add);
    let (samples, unmatched) = (sum(|log| log.samples), sum(|log| log.unmatched));
    if samples == 0 {
        return None;
    }
    let sampled = samples.saturating_add(unmatched);
    let service_mean_ns = sum(|log| log.service_ns) as f64 / sampled as f64;
    let stages_mean_ns = sum(|log| log.stages_ns) as f64 / samples as f64;
    let difference = if service_mean_ns > 0.0 { stages_mean_ns / service_mean_ns - 1.0 } else { 0.0 };
    Some(StagesCheck { samples, unmatched, service_mean_ns, stages_mean_ns, difference })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(samples: u64, unmatched: u64, service_ns: u64, stages_ns: u64) -> RoundResult {
        let stages = Some(StageLog { samples, unmatched, service_ns, stages_ns, hlog: String::new() });
        RoundResult { stages, ..RoundResult::default() }
    }

    #[test]
    fn the_check_weighs_rounds_by_their_samples() {
        let (one, other, none) = (round(3, 1, 400, 330), round(1, 0, 100, 70), RoundResult::default());
        let check = stages_check(&[&one, &other, &none]).unwrap();
        assert_eq!((check.samples, check.unmatched), (4, 1));
        assert_eq!((check.service_mean_ns, check.stages_mean_ns), (100.0, 100.0));
        assert_eq!(check.difference, 0.0);
        assert_eq!(stages_check(&[&none]), None);
        assert_eq!(stages_check(&[&round(0, 5, 500, 0)]), None);
    }
}
