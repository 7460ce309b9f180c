//! Effects that were built in are found again, and what cannot be told is refused.

use super::*;
use crate::analysis::testing::{Cost, Made, cells, invalid};
use crate::result::Placement;

/// What each codec and transport costs: time in ns, bytes.
const CODECS: [(&str, f64, f64); 3] =
    [("xml", 12_000.0, 400.0), ("msgpack", 3_000.0, 90.0), ("postcard", 1_000.0, 60.0)];
const TRANSPORTS: [(&str, f64, f64); 3] =
    [("http1", 16_000.0, 200.0), ("zmq", 9_000.0, 40.0), ("tcp", 2_000.0, 10.0)];
const BASE: Cost = Cost { service_ns: 5_000.0, cpu_us: 4.0, bytes: 0.0 };

fn built(names: &[Owned]) -> Vec<Made<'_>> {
    names
        .iter()
        .map(|(name, protocol, codec, transport, cost)| (name.as_str(), *protocol, *codec, *transport, *cost))
        .collect()
}

type Owned = (String, Option<&'static str>, &'static str, &'static str, Cost);

/// Every pair, and ZeroRPC with an envelope of 1.5 µs and 30 bytes.
fn factorial() -> Vec<Owned> {
    let mut made: Vec<Owned> = Vec::new();
    for (codec, codec_ns, codec_bytes) in CODECS {
        for (transport, transport_ns, transport_bytes) in TRANSPORTS {
            let cost =
                BASE.plus(Cost::new(codec_ns, codec_bytes)).plus(Cost::new(transport_ns, transport_bytes));
            made.push((format!("{codec}-{transport}"), None, codec, transport, cost));
        }
    }
    let pair = made.iter().find(|one| one.0 == "msgpack-zmq").unwrap().4;
    made.push(("zerorpc".into(), Some("zerorpc"), "msgpack", "zmq", pair.plus(Cost::new(1_500.0, 30.0))));
    made
}

fn of(parts: &Attribution, metric: Metric) -> &MetricParts {
    parts.metrics.iter().find(|parts| parts.metric == metric).unwrap()
}

fn level<'a>(names: &[String], estimates: &'a [Estimate], name: &str) -> &'a Estimate {
    &estimates[names.iter().position(|known| known == name).unwrap()]
}

/// A deviation of a level's cost from the mean of its factor's levels.
fn deviation(levels: &[(&str, f64, f64)], name: &str) -> f64 {
    let mean = levels.iter().map(|level| level.1).sum::<f64>() / levels.len() as f64;
    levels.iter().find(|level| level.0 == name).unwrap().1 - mean
}

#[test]
fn built_effects_are_found_again_exactly_without_noise() {
    let made = factorial();
    let found = attribute(&cells(&built(&made), 4, 0.0, 1), "").unwrap();
    let service = of(&found, Metric::ServiceNs);
    for (name, _, _) in CODECS {
        let effect = level(&found.codecs, &service.codecs, name);
        assert!((effect.value - deviation(&CODECS, name)).abs() < 1.0, "{name}: {effect:?}");
    }
    for (name, _, _) in TRANSPORTS {
        let effect = level(&found.transports, &service.transports, name);
        assert!((effect.value - deviation(&TRANSPORTS, name)).abs() < 1.0, "{name}: {effect:?}");
    }
    assert!(service.pairs.iter().all(|pair| pair.interaction.unwrap().value.abs() < 1.0));
    let zerorpc = &service.named[0];
    assert!((zerorpc.envelope.unwrap().value - 1_500.0).abs() < 1.0);
    assert!(zerorpc.unexplained.unwrap().abs() < 2.0 && zerorpc.is_explained == Some(true));
    let bytes = of(&found, Metric::Bytes);
    assert!((bytes.named[0].envelope.unwrap().value - 30.0).abs() < 1e-9);
    let shares = service.shares.unwrap();
    assert!((shares.codec + shares.transport + shares.interaction - 1.0).abs() < 1e-9);
    assert!(shares.interaction < 1e-6 && shares.transport > shares.codec);
}

#[test]
fn intervals_hold_the_built_effects_about_as_often_as_they_say() {
    let made = factorial();
    let made = built(&made);
    let (mut held, mut all) = (0, 0);
    for seed in 0..120 {
        let found = attribute(&cells(&made, 6, 0.04, seed), "").unwrap();
        let service = of(&found, Metric::ServiceNs);
        let expected = [
            (service.codecs[0], deviation(&CODECS, "xml")),
            (service.transports[2], deviation(&TRANSPORTS, "tcp")),
            (service.named[0].envelope.unwrap(), 1_500.0),
        ];
        for (estimate, truth) in expected {
            let [low, high] = estimate.interval.unwrap();
            held += i32::from(low <= truth && truth <= high);
            all += 1;
        }
    }
    let share = f64::from(held) / f64::from(all);
    assert!((0.91..=0.985).contains(&share), "{held} of {all}");
}

#[test]
fn an_interaction_that_is_there_is_found_and_one_that_is_not_is_not() {
    let mut made = factorial();
    let found = attribute(&cells(&built(&made), 6, 0.03, 3), "").unwrap();
    assert!(of(&found, Metric::ServiceNs).pairs.iter().all(|pair| !pair.is_significant));

    // XML over HTTP/1 costs 20 µs more than its parts.
    made[0].4 = made[0].4.plus(Cost::new(20_000.0, 0.0));
    let found = attribute(&cells(&built(&made), 6, 0.01, 3), "").unwrap();
    let pair = &of(&found, Metric::ServiceNs).pairs[0];
    // Four ninths of it: rows and columns take the rest, as least squares must.
    assert!(pair.is_significant && (pair.interaction.unwrap().value - 20_000.0 * 4.0 / 9.0).abs() < 900.0);
}

#[test]
fn what_is_not_explained_is_said() {
    let mut made = factorial();
    // The pair and its protocol are 30 µs slower than their codec and transport, in a few noisy rounds.
    for one in made.iter_mut().filter(|one| one.2 == "msgpack" && one.3 == "zmq") {
        one.4 = one.4.plus(Cost::new(30_000.0, 0.0));
    }
    let found = attribute(&cells(&built(&made), 3, 0.15, 5), "").unwrap();
    let zerorpc = &of(&found, Metric::ServiceNs).named[0];
    assert_eq!(zerorpc.is_explained, Some(false), "{zerorpc:?}");
    // And the other pairs alone would not have foreseen it.
    let measured = zerorpc.measured.unwrap().value;
    assert!(zerorpc.forecast.unwrap().value < 0.7 * measured);
}

#[test]
fn an_incomplete_design_is_taken_apart_where_its_pairs_hang_together() {
    let made: Vec<Owned> = factorial()
        .into_iter()
        .filter(|one| ["xml-http1", "msgpack-http1", "msgpack-zmq", "zerorpc"].contains(&one.0.as_str()))
        .collect();
    let found = attribute(&cells(&built(&made), 3, 0.0, 1), "").unwrap();
    let service = of(&found, Metric::ServiceNs);
    assert!((service.codecs[0].value - service.codecs[1].value - 9_000.0).abs() < 2.0);
    assert!((service.transports[0].value - service.transports[1].value - 7_000.0).abs() < 2.0);
    // Three pairs, three differences: nothing is left over, and no share is told.
    assert_eq!((service.pairs[0].interaction, service.shares), (None, None));
    assert!((service.named[0].envelope.unwrap().value - 1_500.0).abs() < 2.0);
}

#[test]
fn what_cannot_be_told_apart_is_refused_with_what_to_add() {
    let keep = |names: &[&str]| -> Vec<Owned> {
        factorial().into_iter().filter(|one| names.contains(&one.0.as_str())).collect()
    };
    let refusal = |names: &[&str]| {
        let made = keep(names);
        attribute(&cells(&built(&made), 3, 0.0, 1), "").unwrap_err().to_string()
    };
    assert!(refusal(&["zerorpc"]).contains("no free pair;"));
    assert!(refusal(&["zerorpc", "xml-tcp"]).contains("one free pair only"));
    let apart = refusal(&["xml-http1", "msgpack-http1", "postcard-tcp"]);
    assert!(apart.contains("(xml-http1, msgpack-http1 | postcard-tcp)"), "{apart}");
}

#[test]
fn cells_that_do_not_count_or_were_loaded_otherwise_are_left_out_and_named() {
    let made = factorial();
    let mut cells = cells(&built(&made), 3, 0.0, 1);
    cells[4].verdict = invalid();
    cells[5].load.placement = Placement::Split;
    cells[6].implementation = Some("CPython".into());
    let found = attribute(&cells, "").unwrap();
    assert_eq!((found.pairs.len(), found.left_out.len()), (6, 2));
    assert!(found.left_out[0].why.contains("not valid") && found.left_out[1].why.contains("placement"));
    // ZeroRPC's own pair is the invalid one: no envelope, but what its parts foretell.
    let zerorpc = &of(&found, Metric::ServiceNs).named[0];
    assert_eq!(zerorpc.envelope, None);
    assert!((zerorpc.unexplained.unwrap() - 1_500.0).abs() < 2.0);
}

#[test]
fn a_round_that_does_not_count_is_made_up_for_by_the_others() {
    let made = factorial();
    let mut cells = cells(&built(&made), 5, 0.02, 9);
    cells[2].rounds[3].verdict = invalid();
    cells[2].rounds[3].figures.service_ns.p50 = Some(900_000_000);
    let found = attribute(&cells, "").unwrap();
    let xml = level(&found.codecs, &of(&found, Metric::ServiceNs).codecs, "xml");
    let [low, high] = xml.interval.unwrap();
    assert!(low < 6_667.0 && high > 6_667.0 && high - low < 4_000.0, "{xml:?}");
}

#[test]
fn one_round_gives_figures_without_intervals_and_nothing_significant() {
    let made = factorial();
    let found = attribute(&cells(&built(&made), 1, 0.02, 2), "").unwrap();
    let service = of(&found, Metric::ServiceNs);
    assert!(service.codecs.iter().all(|effect| effect.interval.is_none()));
    assert!(service.pairs.iter().all(|pair| !pair.is_significant));
}
