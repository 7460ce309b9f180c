//! Why one back end is slower than another, in sentences.

use super::document::Document;
use super::parts::{ABOUT_TIMES, amount, bytes, interval, listed, sentence, signed, times, title};
use crate::analysis::{
    Caution, ConnectionFact, Difference, Explanation, Metric, StageGroup, StageRow, duration_ns,
};
use crate::result::{ConnectionMode, MessageBytes};

pub(super) fn write(document: &mut Document, of: &Explanation) {
    let (slower, faster) = (&of.slower.backend, &of.faster.backend);
    let at = if of.point.is_empty() { String::new() } else { format!(" at {}", of.point) };
    document.heading(format!("{slower} and {faster}{at}"));
    for caution in &of.cautions {
        document.paragraph(careful(caution));
    }
    let time = of.differences.iter().find(|one| one.metric == Metric::ServiceNs);
    match time {
        Some(time) => in_time(document, of, time),
        None if of.differences.is_empty() => {}
        None => document.paragraph("The service time was not measured of both."),
    }
    if let Some(why) = &of.not_split {
        document.paragraph(format!("Codec and transport are not told apart: {why}."));
    }
    stages(document, of);
    for difference in of.differences.iter().filter(|one| one.metric == Metric::CpuUs) {
        in_cpu(document, of, difference);
    }
    in_bytes(document, of);
    connections(document, &of.connections);
}

fn careful(caution: &Caution) -> String {
    match caution {
        Caution::Invalid { backend, reasons } => format!(
            "Take care: the measurement of {backend} does not count ({}); what follows may show that instead of the protocol.",
            listed(reasons)
        ),
        Caution::LoadsDiffer { what } => format!(
            "The two differ in their {what}, so their times say nothing about what they speak and are not compared."
        ),
        Caution::WakeUp => {
            "Take care: one call at a time on two sleeping cores mostly measures the waking of a core, which \
             every protocol pays; placement = \"shared\" or idle = \"spin\" shows the protocols."
                .to_owned()
        }
        Caution::Queued { concurrency } => format!(
            "Take care: with {concurrency} calls in flight, a call's time contains waiting for the others, so that \
             each microsecond of work counts several times; one call in flight shows the work alone."
        ),
        Caution::OneRound => {
            "Take care: with one round there is no telling by how much rounds differ; the figures have no \
             intervals."
                .to_owned()
        }
    }
}

fn in_time(document: &mut Document, of: &Explanation, time: &Difference) {
    let (slower, faster) = (&of.slower.backend, &of.faster.backend);
    let metric = time.metric;
    let ratio = times(time.slower.value, time.faster.value)
        .map_or_else(String::new, |times| format!(", {times} as long"));
    document.paragraph(format!(
        "A call takes {} with {slower} and {} with {faster}: {}{} more{ratio}.",
        amount(metric, time.slower.value),
        amount(metric, time.faster.value),
        amount(metric, time.difference.value),
        interval(metric, &time.difference),
    ));
    for part in &time.parts {
        document.point(sentence(time, part));
    }
    document.once(ABOUT_TIMES);
}

fn in_cpu(document: &mut Document, of: &Explanation, cpu: &Difference) {
    let metric = cpu.metric;
    let more = if cpu.difference.value < 0.0 { "less" } else { "more" };
    let parts: Vec<String> = cpu
        .parts
        .iter()
        .map(|part| {
            format!(
                "{} {}{}",
                title(&part.cause),
                signed(metric, part.amount.value),
                interval(metric, &part.amount)
            )
        })
        .collect();
    let parts = if parts.is_empty() { String::new() } else { format!(": {}", parts.join("; ")) };
    document.paragraph(format!(
        "Processor time of client and server per call: {} takes {}, {} {}; {} {more}{parts}.",
        of.slower.backend,
        amount(metric, cpu.slower.value),
        of.faster.backend,
        amount(metric, cpu.faster.value),
        amount(metric, cpu.difference.value.abs()),
    ));
}

fn stages(document: &mut Document, of: &Explanation) {
    let Some(found) = &of.stages else { return };
    let (slower, faster) = (&of.slower.backend, &of.faster.backend);
    let time = |ns: f64| signed(Metric::ServiceNs, ns);
    let mut groups: Vec<&StageGroup> = found.groups.iter().collect();
    groups.sort_by(|a, b| b.difference_ns.abs().total_cmp(&a.difference_ns.abs()));
    let parts: Vec<String> =
        groups.iter().map(|group| format!("{} {}", group.name, time(group.difference_ns))).collect();
    document.paragraph(format!(
        "By the stamps inside sampled calls, {slower} takes {} {} on average than {faster}: {}; in no stage: {}.",
        amount(Metric::ServiceNs, found.service_ns.abs()),
        if found.service_ns < 0.0 { "less" } else { "more" },
        parts.join("; "),
        amount(Metric::ServiceNs, found.rest_ns),
    ));
    let shown = |ns: Option<f64>| ns.map_or_else(|| "–".to_owned(), duration_ns);
    let row = |one: &StageRow| {
        let more = one.slower_ns.zip(one.faster_ns).map(|(slower, faster)| time(slower - faster));
        let stage = one.stage.replace('_', " ");
        vec![stage, shown(one.slower_ns), shown(one.faster_ns), more.unwrap_or_else(|| "–".to_owned())]
    };
    document.table(&["stage", slower, faster, "difference"], found.stages.iter().map(row).collect());
}

/// The bytes of a message up to a layer.
type Layer = fn(&MessageBytes) -> Option<f64>;

/// The layers that are told apart.
const LAYERS: [(&str, Layer); 4] = [
    ("information", |bytes| bytes.payload),
    ("encoded", |bytes| bytes.encoded),
    ("with envelope and framing", |bytes| bytes.framed),
    ("on the wire", |bytes| bytes.wire),
];

fn in_bytes(document: &mut Document, of: &Explanation) {
    let mut rows = Vec::new();
    for row in &of.bytes {
        for (layer, get) in LAYERS {
            let (slower, faster) = (get(&row.slower), get(&row.faster));
            if slower.is_none() && faster.is_none() {
                continue;
            }
            let shown = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), bytes);
            let name = format!("{}, {layer}", row.direction);
            rows.push(vec![name, shown(slower), shown(faster)]);
        }
    }
    if rows.is_empty() {
        return;
    }
    let (slower, faster) = (&of.slower.backend, &of.faster.backend);
    let total = of.differences.iter().find(|one| one.metric == Metric::Bytes);
    let said = total.map_or_else(
        || "Bytes per call:".to_owned(),
        |total| {
            let more = if total.difference.value < 0.0 { "fewer" } else { "more" };
            let parts: Vec<String> = total
                .parts
                .iter()
                .map(|part| format!("{} {}", title(&part.cause), signed(total.metric, part.amount.value)))
                .collect();
            let parts = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
            format!(
                "Bytes per call, both directions: {slower} sends {}, {faster} {}; {} {more}{parts}.",
                amount(total.metric, total.slower.value),
                amount(total.metric, total.faster.value),
                amount(total.metric, total.difference.value.abs()),
            )
        },
    );
    document.paragraph(said);
    document.table(&["message", slower, faster], rows);
}

fn connections(document: &mut Document, facts: &[ConnectionFact]) {
    for fact in facts {
        let opening = fact
            .opening_ns
            .map_or_else(String::new, |ns| format!("; opening one takes {} on average", duration_ns(ns)));
        let asked = match (fact.is_per_call, fact.mode) {
            (true, ConnectionMode::Persistent) => {
                ", although the load keeps them open: the server closes them"
            }
            _ => "",
        };
        let mut text = if fact.is_per_call {
            format!(
                "Connections: {} opened {:.2} per call{asked}{opening}, which is part of every call.",
                fact.backend, fact.opened_per_call
            )
        } else {
            format!("Connections: {} keeps them open{opening}, before the calls.", fact.backend)
        };
        if let Some(cost) = &fact.per_call_costs_ns {
            text.push_str(&format!(
                " A connection per call costs it {}{} more per call than a persistent one.",
                amount(Metric::ServiceNs, cost.value),
                interval(Metric::ServiceNs, cost)
            ));
        }
        document.paragraph(text);
    }
}
