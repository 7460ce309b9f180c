//! A run taken apart: what each codec, transport and envelope costs.

use super::document::Document;
use super::parts::{ABOUT_TIMES, amount, interval, signed};
use crate::analysis::{Attribution, Estimate, Metric, MetricParts, Overview, UNEXPLAINED};

pub(super) fn write(document: &mut Document, of: &Overview) {
    let at = if of.point.is_empty() { String::new() } else { format!(" at {}", of.point) };
    let Some(attribution) = &of.attribution else {
        document.heading(format!("The run{at}"));
        let why = of.not_split.as_deref().unwrap_or_default();
        document.paragraph(format!("Codec and transport are not told apart: {why}."));
        return;
    };
    for parts in &attribution.metrics {
        metric(document, attribution, parts, &at);
    }
    if attribution.metrics.is_empty() {
        document.paragraph("None of service time, processor time and bytes was measured of every pair.");
    }
    for left_out in &attribution.left_out {
        document.paragraph(format!("Left out: {}, because {}.", left_out.backend, left_out.why));
    }
}

fn metric(document: &mut Document, of: &Attribution, parts: &MetricParts, at: &str) {
    let metric = parts.metric;
    document.heading(format!("{} of a call{at}", capital(metric.name())));
    document.paragraph(format!(
        "The middle of the {} free pairs is {}{}; from there, over {} round{}:",
        of.pairs.len(),
        amount(metric, parts.base.value),
        interval(metric, &parts.base),
        parts.rounds,
        if parts.rounds == 1 { "" } else { "s" },
    ));
    let effect = |(kind, name, estimate): (&str, &String, &Estimate)| {
        let shown = interval(metric, estimate);
        vec![format!("{kind} {name}"), signed(metric, estimate.value), shown.trim().to_owned()]
    };
    let mut codecs: Vec<(&str, &String, &Estimate)> =
        of.codecs.iter().zip(&parts.codecs).map(|(name, effect)| ("codec", name, effect)).collect();
    let mut transports: Vec<(&str, &String, &Estimate)> = of
        .transports
        .iter()
        .zip(&parts.transports)
        .map(|(name, effect)| ("transport", name, effect))
        .collect();
    for levels in [&mut codecs, &mut transports] {
        levels.sort_by(|a, b| a.2.value.total_cmp(&b.2.value));
    }
    let mut rows: Vec<Vec<String>> = codecs.into_iter().chain(transports).map(effect).collect();
    for (named, found) in of.named.iter().zip(&parts.named) {
        if let Some(envelope) = &found.envelope {
            rows.push(effect(("envelope of", &named.protocol, envelope)));
        }
    }
    document.table(&["part", "adds", "interval (95 %)"], rows);
    if metric == Metric::ServiceNs {
        document.once(ABOUT_TIMES);
    }
    if let Some(shares) = parts.shares {
        document.paragraph(format!(
            "Of the squared differences between the pairs, {:.0} % are the codec's, {:.0} % the transport's, \
             {:.0} % neither's alone.",
            100.0 * shares.codec,
            100.0 * shares.transport,
            100.0 * shares.interaction
        ));
    }
    combinations(document, of, parts);
    protocols(document, of, parts);
}

/// The least share of a pair's figure that is worth a sentence.
const WORTH_SAYING: f64 = 0.05;

fn combinations(document: &mut Document, of: &Attribution, parts: &MetricParts) {
    let significant = of.pairs.iter().zip(&parts.pairs).filter(|(_, found)| found.is_significant);
    for (pair, found) in significant {
        let worth = WORTH_SAYING * found.measured.value.abs();
        let Some(interaction) = found.interaction.as_ref().filter(|found| found.value.abs() >= worth) else {
            continue;
        };
        document.point(format!(
            "{} takes {}{} {} than its codec and its transport add up to ({}).",
            pair.backend,
            amount(parts.metric, interaction.value.abs()),
            interval(parts.metric, &turned(interaction)),
            if interaction.value < 0.0 { "less" } else { "more" },
            amount(parts.metric, found.sum),
        ));
    }
}

/// The interval of the size of what may be negative.
fn turned(estimate: &Estimate) -> Estimate {
    let interval =
        estimate.interval.map(|[low, high]| if estimate.value < 0.0 { [-high, -low] } else { [low, high] });
    Estimate { value: estimate.value.abs(), interval }
}

fn protocols(document: &mut Document, of: &Attribution, parts: &MetricParts) {
    let metric = parts.metric;
    for (named, found) in of.named.iter().zip(&parts.named) {
        let (Some(measured), Some(predicted), Some(rest)) =
            (&found.measured, found.predicted, found.unexplained)
        else {
            document.point(format!(
                "{}: not predicted, because {} or {} is in no free pair.",
                named.backend, named.codec, named.transport
            ));
            continue;
        };
        let share = 100.0 * rest / measured.value;
        let verdict = if found.is_explained == Some(false) {
            format!(
                "{} ({:.0} %) stay unexplained, more than {:.0} %",
                amount(metric, rest),
                share.abs(),
                100.0 * UNEXPLAINED
            )
        } else {
            format!("{:.1} % stay unexplained", share.abs())
        };
        let envelope = if found.envelope.is_some() { ", transport and envelope" } else { " and transport" };
        let forecast = found.forecast.as_ref().map_or_else(String::new, |forecast| {
            format!(" The other pairs alone foretell {}.", amount(metric, forecast.value))
        });
        document.point(format!(
            "{}: {} measured, {} from its codec{envelope}; {verdict}.{forecast}",
            named.backend,
            amount(metric, measured.value),
            amount(metric, predicted),
        ));
    }
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
