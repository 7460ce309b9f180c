//! Joins the stamps of both sides of the wire into the stages of a call, after the round. Pure.
//!
//! Every stage lies between two stamps of one clock, and the stamps of a call follow each other without
//! a gap, so the stages of a matched call add up to its service time to the nanosecond. What can be
//! apart is the mean of the calls that were matched from that of all that were sampled.

use std::collections::HashMap;

use hdrhistogram::Histogram;

use crate::load::StampedCall;
use crate::protocol::ServerStamps;
use crate::result::{Kind, StageLog, hlog};

/// Stages of one call in nanoseconds, each under its name in the result.
type Stages = Vec<(&'static str, u64)>;

/// Joins a round's samples. Without `server` everything between the client's two ends is one stage.
/// `streams` says of each method whether it streams. `None` where nothing was sampled.
pub(super) fn join(
    calls: &[StampedCall],
    server: Option<&[ServerStamps]>,
    streams: &[bool],
) -> Option<StageLog> {
    let mut by_key: HashMap<u64, Vec<&ServerStamps>> = HashMap::new();
    for stamps in server.unwrap_or_default() {
        by_key.entry(stamps.key).or_default().push(stamps);
    }
    let mut log = StageLog::default();
    let mut histograms: Vec<(&'static str, Histogram<u64>)> = Vec::new();
    for call in calls {
        let Some(own) = client_stages(call, is_stream(call, streams)) else { continue };
        log.service_ns = log.service_ns.saturating_add(call.done_ns.saturating_sub(call.start_ns));
        let beyond = match server {
            None => Some(vec![("transport_and_server", own.beyond_ns)]),
            Some(_) => by_key.get(&call.stamps.key).and_then(|found| server_stages(call, found, &own)),
        };
        let Some(beyond) = beyond else {
            log.unmatched += 1;
            continue;
        };
        log.samples += 1;
        for (name, ns) in own.stages.into_iter().chain(beyond) {
            log.stages_ns = log.stages_ns.saturating_add(ns);
            record(&mut histograms, name, ns);
        }
    }
    if log.samples + log.unmatched == 0 {
        return None;
    }
    let mut writer = hlog::Writer::new(0);
    for (name, histogram) in &histograms {
        // The only failure is a histogram beyond the format's size, which 64 bits of nanoseconds exclude.
        let _ = writer.add(name, Kind::Stage, 0.0, 0.0, histogram);
    }
    log.hlog = writer.into_text();
    Some(log)
}

fn is_stream(call: &StampedCall, streams: &[bool]) -> bool {
    usize::try_from(call.method).ok().and_then(|method| streams.get(method)).copied().unwrap_or(false)
}

fn record(histograms: &mut Vec<(&'static str, Histogram<u64>)>, name: &'static str, ns: u64) {
    let place = histograms.iter().position(|(known, _)| *known == name);
    let place = place.or_else(|| {
        histograms.push((name, Histogram::new(hlog::SIGNIFICANT_DIGITS).ok()?));
        Some(histograms.len() - 1)
    });
    if let Some((_, histogram)) = place.and_then(|place| histograms.get_mut(place)) {
        // It grows as far as it has to.
        let _ = histogram.record(ns);
    }
}

/// What the client's own stamps say.
struct Own {
    stages: Stages,
    /// From sent to received, and from the answer to the status that ends the call.
    beyond_ns: u64,
    /// The second part of it.
    status_ns: u64,
}

/// `None` where the stamps are not in order, which a call without a message has.
fn client_stages(call: &StampedCall, streams: bool) -> Option<Own> {
    let StampedCall { start_ns, connected_ns, stamps, done_ns, .. } = call;
    let mut stages = Stages::new();
    let connecting_ns = connected_ns.checked_sub(*start_ns)?;
    if connecting_ns > 0 {
        stages.push(("connecting", connecting_ns));
    }
    stages.push(("client_encode", stamps.sent_ns.checked_sub(*connected_ns)?));
    let outside_ns = stamps.received_ns.checked_sub(stamps.sent_ns)?;
    let decode_ns = stamps.decoded_ns.checked_sub(stamps.received_ns)?;
    let after_ns = done_ns.checked_sub(stamps.decoded_ns)?;
    if streams {
        stages.extend([("client_decode", decode_ns), ("following_items", after_ns)]);
        return Some(Own { stages, beyond_ns: outside_ns, status_ns: 0 });
    }
    // Where the transport ends a call with a status, the answer waits for it.
    let ended_ns = if stamps.ended_ns == 0 { stamps.decoded_ns } else { stamps.ended_ns };
    let status_ns = ended_ns.checked_sub(stamps.decoded_ns)?;
    stages.push(("client_decode", decode_ns + after_ns.checked_sub(status_ns)?));
    Some(Own { stages, beyond_ns: outside_ns + status_ns, status_ns })
}

/// What the server's stamps say, if exactly one of those found under the call's key lies within the call.
fn server_stages(call: &StampedCall, found: &[&ServerStamps], own: &Own) -> Option<Stages> {
    let mut within = found.iter().filter_map(|server| between(call, server, own));
    let stages = within.next()?;
    within.next().is_none().then_some(stages)
}

/// The stages at the server and on the way, or nothing where the stamps are not in the order of a call.
fn between(call: &StampedCall, server: &ServerStamps, own: &Own) -> Option<Stages> {
    let request_ns = server.received_ns.checked_sub(call.stamps.sent_ns)?;
    let decode_ns = server.decoded_ns.checked_sub(server.received_ns)?;
    let encode_ns = server.encoded_ns.checked_sub(server.encoding_ns)?;
    // An answer is encoded when it is known; a service time that is waited out comes after.
    let before_ns = server.encoding_ns.checked_sub(server.decoded_ns)?;
    let waited_ns = server.answered_ns.checked_sub(server.encoded_ns)?;
    let response_ns = call.stamps.received_ns.checked_sub(server.answered_ns)?;
    Some(vec![
        ("request_transport", request_ns),
        ("server_decode", decode_ns),
        ("handler", before_ns + waited_ns),
        ("server_encode", encode_ns),
        ("response_transport", response_ns + own.status_ns),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ClientStamps;
    use crate::result::CellHistograms;

    fn call(key: u64, start_ns: u64) -> StampedCall {
        let stamps = ClientStamps {
            key,
            sent_ns: start_ns + 10,
            received_ns: start_ns + 1_000,
            decoded_ns: start_ns + 1_030,
            ended_ns: 0,
        };
        StampedCall { method: 0, start_ns, connected_ns: start_ns, stamps, done_ns: start_ns + 1_050 }
    }

    fn server(key: u64, start_ns: u64) -> ServerStamps {
        ServerStamps {
            key,
            received_ns: start_ns + 210,
            decoded_ns: start_ns + 250,
            encoding_ns: start_ns + 260,
            encoded_ns: start_ns + 300,
            answered_ns: start_ns + 700,
        }
    }

    fn means(log: &StageLog) -> Vec<(String, u64)> {
        let mut histograms = CellHistograms::default();
        histograms.add(&hlog::read(&log.hlog).unwrap()).unwrap();
        let names: Vec<String> = histograms.methods(Kind::Stage).map(str::to_owned).collect();
        let mean = |name: &str| histograms.of(name, Kind::Stage).unwrap().mean().round() as u64;
        names.into_iter().map(|name| (name.clone(), mean(&name))).collect()
    }

    fn named(stages: &[(&str, u64)]) -> Vec<(String, u64)> {
        let mut stages: Vec<_> = stages.iter().map(|(name, ns)| ((*name).to_owned(), *ns)).collect();
        stages.sort();
        stages
    }

    #[test]
    fn the_stages_of_a_call_are_what_lies_between_its_stamps_and_add_up() {
        let log = join(&[call(7, 5_000)], Some(&[server(7, 5_000)]), &[false]).unwrap();
        assert_eq!((log.samples, log.unmatched, log.service_ns, log.stages_ns), (1, 0, 1_050, 1_050));
        let expected = [
            ("client_encode", 10),
            ("request_transport", 200),
            ("server_decode", 40),
            ("handler", 10 + 400),
            ("server_encode", 40),
            ("response_transport", 300),
            ("client_decode", 30 + 20),
        ];
        assert_eq!(means(&log), named(&expected));
    }

    #[test]
    fn a_connection_of_its_own_and_a_late_status_have_their_place() {
        let mut call = call(7, 5_000);
        (call.start_ns, call.stamps.ended_ns) = (4_000, 6_045);
        let log = join(&[call], Some(&[server(7, 5_000)]), &[false]).unwrap();
        assert_eq!((log.service_ns, log.stages_ns), (2_050, 2_050));
        let means = means(&log);
        for stage in [("connecting", 1_000), ("response_transport", 300 + 15), ("client_decode", 30 + 5)] {
            assert!(means.contains(&(stage.0.to_owned(), stage.1)), "{stage:?} in {means:?}");
        }
    }

    #[test]
    fn a_stream_has_the_stages_of_its_first_item_and_the_rest() {
        let mut call = call(7, 5_000);
        (call.done_ns, call.stamps.ended_ns) = (95_000, 95_000);
        let log = join(&[call], Some(&[server(7, 5_000)]), &[true]).unwrap();
        assert_eq!((log.service_ns, log.stages_ns), (90_000, 90_000));
        let means = means(&log);
        assert!(means.iter().any(|(name, ns)| name == "following_items" && ns.abs_diff(88_970) < 100));
        assert!(means.contains(&("client_decode".to_owned(), 30)));
    }

    #[test]
    fn samples_may_come_in_any_order_and_lost_ones_are_counted() {
        let calls: Vec<StampedCall> = (0..100).map(|key| call(key, 10_000 * key)).collect();
        let mut servers: Vec<ServerStamps> =
            (0..100).filter(|key| key % 10 != 3).map(|key| server(key, 10_000 * key)).collect();
        servers.reverse();
        // The server saw calls that the client did not sample: the warm-up, other clients.
        servers.extend((500..600).map(|key| server(key, 10_000 * key)));
        let log = join(&calls, Some(&servers), &[false]).unwrap();
        assert_eq!((log.samples, log.unmatched), (90, 10));
        assert_eq!((log.service_ns, log.stages_ns), (100 * 1_050, 90 * 1_050));
    }

    #[test]
    fn of_two_calls_with_one_key_the_one_within_the_call_counts() {
        // A port that was used again: another connection's first call.
        let servers = [server(7, 90_000), server(7, 5_000), server(7, 1_000)];
        let log = join(&[call(7, 5_000)], Some(&servers), &[false]).unwrap();
        assert_eq!((log.samples, log.stages_ns), (1, 1_050));
        // Two that both fit cannot be told apart.
        let twice = [server(7, 5_000), server(7, 5_001)];
        let log = join(&[call(7, 5_000)], Some(&twice), &[false]).unwrap();
        assert_eq!((log.samples, log.unmatched), (0, 1));
    }

    #[test]
    fn a_server_without_stamps_is_one_stage_with_the_transport() {
        let mut call = call(7, 5_000);
        call.stamps.ended_ns = 6_045;
        let log = join(&[call], None, &[false]).unwrap();
        assert_eq!((log.samples, log.unmatched, log.stages_ns), (1, 0, 1_050));
        let expected = [("client_encode", 10), ("transport_and_server", 990 + 15), ("client_decode", 30 + 5)];
        assert_eq!(means(&log), named(&expected));
    }

    #[test]
    fn a_call_without_a_message_or_no_call_at_all_has_no_stages() {
        let mut empty = call(7, 5_000);
        (empty.stamps.received_ns, empty.stamps.decoded_ns) = (0, 0);
        assert_eq!(join(&[empty], Some(&[server(7, 5_000)]), &[false]), None);
        assert_eq!(join(&[], Some(&[]), &[]), None);
    }
}
