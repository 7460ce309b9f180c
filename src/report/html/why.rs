//! Why: where the time of a call goes, and what codec, transport and envelope add to it.

use std::collections::BTreeMap;

use super::costs::{bar_chart, block};
use super::parts::{Block, Chart, Grid, Heat, Key, Shaded};
use crate::analysis::{Estimate, Metric, MetricParts, attribute, duration_ns, duration_us};
use crate::report::charts::{Bar, ChartError, Part, SHADES};
use crate::report::place::{MAX_NAME, Place, with_verdict};
use crate::report::text::line;
use crate::report::view::{NOTHING, bytes_text, times};
use crate::result::{CellResult, Quantiles, Stages};

/// The colour of what no stamp divides.
const UNSTAMPED: usize = 9;

/// A stage in words, the colour of its part, and its mean in nanoseconds.
type Stage = (&'static str, usize, Option<f64>);

/// A stage in words, and the colour of its part.
fn stage_in_words(name: &str) -> (&'static str, usize) {
    match name {
        "connecting" => ("connecting", 7),
        "client_encode" => ("client encodes", 0),
        "request_transport" => ("request travels", 1),
        "server_decode" => ("server decodes", 2),
        "handler" => ("service works", 3),
        "server_encode" => ("server encodes", 4),
        "response_transport" => ("answer travels", 5),
        "transport_and_server" => ("transport and server", 9),
        "client_decode" => ("client decodes", 6),
        "following_items" => ("further items", 8),
        _ => ("other", 9),
    }
}

/// The stages that any back end has, in the order of a call, with their means.
fn stages(of: &Stages) -> Vec<Stage> {
    let told = |(name, quantiles): (&str, Option<&Quantiles>)| {
        let (words, colour) = stage_in_words(name);
        (words, colour, quantiles.and_then(|of| of.mean))
    };
    of.named().into_iter().map(told).collect()
}

/// Where the service time goes, and the pairs of codec and transport.
pub(super) fn why_block(place: &Place<'_>) -> Result<Option<Block>, ChartError> {
    let mut charts = Vec::new();
    charts.extend(stages_chart(place)?);
    let mut of = block(place, "why-block", charts)
        .unwrap_or_else(|| Block::of(place.id("why-block"), place.heading.clone(), Vec::new()));
    of.heats = heat(place);
    effects(place, &mut of);
    Ok((!of.charts.is_empty() || !of.heats.is_empty() || !of.grids.is_empty()).then_some(of))
}

/// What each codec, transport and envelope adds, as the analysis takes the load point apart.
fn effects(place: &Place<'_>, block: &mut Block) {
    let Ok(found) = attribute(&place.input.run.cells, &place.answers.point) else { return };
    if found.metrics.is_empty() {
        return;
    }
    let name = |name: &str| line(name, MAX_NAME);
    let row = |part: String, of: &dyn Fn(&MetricParts) -> Option<Estimate>, signed: bool| {
        let fields = found.metrics.iter().map(|parts| {
            of(parts).map_or_else(|| NOTHING.to_owned(), |estimate| told(parts.metric, &estimate, signed))
        });
        [part].into_iter().chain(fields).collect::<Vec<_>>()
    };
    let mut rows = vec![row("the middle of all pairs".to_owned(), &|parts| Some(parts.base), false)];
    for (index, codec) in found.codecs.iter().enumerate() {
        rows.push(row(format!("codec {}", name(codec)), &|parts| parts.codecs.get(index).copied(), true));
    }
    for (index, transport) in found.transports.iter().enumerate() {
        rows.push(row(
            format!("transport {}", name(transport)),
            &|parts| parts.transports.get(index).copied(),
            true,
        ));
    }
    for (index, named) in found.named.iter().enumerate() {
        let part = format!("envelope of {}", name(&named.backend));
        rows.push(row(part, &|parts| parts.named.get(index).and_then(|of| of.envelope), true));
    }
    let metrics = found.metrics.iter().map(|parts| parts.metric.name().to_owned());
    block.grids.push(Grid {
        title: "What each part adds to a call, with the interval that holds it with 95 % confidence"
            .to_owned(),
        header: ["part".to_owned()].into_iter().chain(metrics).collect(),
        rows,
    });
    for parts in &found.metrics {
        let Some(shares) = parts.shares else { continue };
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        block.notes.push(format!(
            "Of the differences in {} between the pairs, {} come from the codec, {} from the transport, and {} do \
             not add up.",
            parts.metric.name(),
            percent(shares.codec),
            percent(shares.transport),
            percent(shares.interaction)
        ));
    }
}

/// An estimate in the unit of its metric.
fn told(metric: Metric, estimate: &Estimate, signed: bool) -> String {
    let amount = |value: f64| match metric {
        Metric::ServiceNs => duration_ns(value.abs()),
        Metric::CpuUs => duration_us(value.abs()),
        Metric::Bytes => format!("{} B", bytes_text(value.abs())),
    };
    let sign = |value: f64| match value {
        value if value < 0.0 => "−",
        _ if signed => "+",
        _ => "",
    };
    let text = |value: f64| format!("{}{}", sign(value), amount(value));
    match estimate.interval {
        Some([low, high]) if text(low) != text(high) => {
            format!("{} ({} to {})", text(estimate.value), text(low), text(high))
        }
        _ => text(estimate.value),
    }
}

fn stages_chart(place: &Place<'_>) -> Result<Option<Chart>, ChartError> {
    let staged: Vec<(&CellResult, Vec<Stage>)> = place
        .cells()
        .filter_map(|(_, cell)| Some((cell, stages(cell.figures.stages_ns.as_ref()?))))
        .filter(|(_, stages)| stages.iter().any(|(_, _, mean)| mean.is_some()))
        .collect();
    // Stages that no back end of the load point has are not shown.
    let there =
        |index: usize| staged.iter().any(|(_, stages)| stages.get(index).is_some_and(|of| of.2.is_some()));
    let mut rows = Vec::new();
    let mut figures = Vec::new();
    let text = |mean: Option<f64>| mean.map_or_else(|| NOTHING.to_owned(), duration_ns);
    for (cell, stages) in &staged {
        let sum: f64 = stages.iter().filter_map(|(_, _, mean)| *mean).sum();
        let parts = stages.iter().filter_map(|(_, colour, mean)| {
            let mean = (*mean)?;
            Some(if *colour == UNSTAMPED { Part::Around(mean) } else { Part::Piece(*colour, mean) })
        });
        rows.push(Bar {
            name: with_verdict(cell),
            figure: duration_ns(sum),
            parts: parts.collect(),
            range: None,
        });
        let fields = stages.iter().enumerate().filter(|(index, _)| there(*index)).map(|(_, of)| text(of.2));
        let check = cell.figures.stages_check;
        let difference =
            check.map_or_else(|| NOTHING.to_owned(), |check| format!("{:+.1} %", check.difference * 100.0));
        let all = [text(Some(sum)), text(check.map(|check| check.service_mean_ns)), difference];
        figures.push([line(&cell.backend, MAX_NAME)].into_iter().chain(fields).chain(all).collect());
    }
    let Some(mut chart) =
        bar_chart(place.id("stages"), "Stages of a call", "Mean time of each stage of a call", rows)?
    else {
        return Ok(None);
    };
    let names: Vec<(&str, usize)> = stages(&Stages::default())
        .into_iter()
        .enumerate()
        .filter(|(index, _)| there(*index))
        .map(|(_, (name, colour, _))| (name, colour))
        .collect();
    let class = |colour: usize| if colour == UNSTAMPED { "faint".to_owned() } else { format!("f{colour}") };
    chart.legend = names.iter().map(|(name, colour)| Key::fill(&class(*colour), name)).collect();
    chart.note.push_str(
        " Means of sampled calls, from stamps on both sides; of a server without stamps, everything beyond the \
         client is one stage.",
    );
    let header = ["back end"].into_iter().chain(names.iter().map(|(name, _)| *name)).chain([
        "sum",
        "service time of these calls",
        "difference",
    ]);
    chart.grid = Some(Grid {
        title: "Mean time of each stage".to_owned(),
        header: header.map(str::to_owned).collect(),
        rows: figures,
    });
    Ok(Some(chart))
}

/// Tables of codec by transport, where several free pairs were measured.
fn heat(place: &Place<'_>) -> Vec<Heat> {
    let free: Vec<&CellResult> = place
        .cells()
        .map(|(_, cell)| cell)
        .filter(|cell| cell.protocol.is_none() && cell.verdict.is_valid())
        .collect();
    let names = |of: fn(&CellResult) -> &String| {
        let mut names: Vec<&String> = Vec::new();
        for cell in &free {
            if !names.contains(&of(cell)) {
                names.push(of(cell));
            }
        }
        names
    };
    let (codecs, transports) = (names(|cell| &cell.codec), names(|cell| &cell.transport));
    if free.len() < 3 || codecs.len() < 2 && transports.len() < 2 {
        return Vec::new();
    }
    type Value = fn(&CellResult) -> Option<f64>;
    type Text = fn(f64) -> String;
    let figures: [(&str, Value, Text); 3] = [
        ("median", |cell| times(cell).p50.map(|value| value as f64), duration_ns),
        (
            "CPU per call, both sides",
            |cell| Some((cell.figures.cpu_us_per_call.client? + cell.figures.cpu_us_per_call.server?) * 1e3),
            duration_ns,
        ),
        (
            "bytes as handed to the sockets",
            |cell| {
                let bytes = cell.figures.bytes_per_call;
                Some(bytes.request.framed? + bytes.response.framed?)
            },
            |bytes| format!("{} B", bytes_text(bytes)),
        ),
    ];
    let mut heats = Vec::new();
    for (title, value, text) in figures {
        let at: BTreeMap<(&String, &String), f64> = free
            .iter()
            .filter_map(|cell| {
                Some(((&cell.codec, &cell.transport), value(cell).filter(|value| *value > 0.0)?))
            })
            .collect();
        let low = at.values().copied().fold(f64::INFINITY, f64::min);
        let high = at.values().copied().fold(0.0, f64::max);
        if at.is_empty() {
            continue;
        }
        let shade = |value: f64| {
            let share = if high > low { (value / low).ln() / (high / low).ln() } else { 0.0 };
            ((share * SHADES as f64) as usize).min(SHADES - 1)
        };
        let row = |codec: &&String| {
            let of = transports.iter().map(|transport| match at.get(&(*codec, *transport)) {
                Some(value) => Shaded { text: text(*value), class: format!("h{}", shade(*value)) },
                None => Shaded { text: NOTHING.to_owned(), class: String::new() },
            });
            (line(codec, MAX_NAME), of.collect())
        };
        heats.push(Heat {
            title: format!("Codec × transport: {title}"),
            corner: "codec",
            header: transports.iter().map(|name| line(name, MAX_NAME)).collect(),
            rows: codecs.iter().map(row).collect(),
        });
    }
    heats
}
