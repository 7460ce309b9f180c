//! Trends over stored runs: a CSV, and one page with a chart per figure. For looking, never for gating.

use std::fmt::Write as _;

use super::csv::push_record;
use super::text::line;
use crate::analysis::{Trend, TrendPoint, count, duration_ns, duration_us, rate_per_s, three_digits};

/// The most of a text of strangers in the page.
const MAX_TEXT: usize = 120;
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 160.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 26.0;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1b1b;--faint:#767676;--line:#0b5cad;--page:#fff}\
@media(prefers-color-scheme:dark){:root{--ink:#eee;--faint:#a0a0a0;--line:#7db8f0;--page:#161616}}\
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);max-width:60rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}h3{font-size:1rem;margin:1rem 0 0}\
svg{width:100%;max-width:40rem;height:auto}text{fill:var(--ink);font-size:12px}\
.line{fill:none;stroke:var(--line);stroke-width:2}.dot{fill:var(--line)}.axis{stroke:var(--faint)}\
.machine{stroke:var(--faint);stroke-dasharray:3 4}\
table{border-collapse:collapse;font-size:.85rem}th,td{text-align:left;padding:.1rem .8rem .1rem 0}td.n{text-align:right}\
p.note{color:var(--faint)}";

/// The trends as CSV (RFC 4180): a row per figure and run, in base units.
#[must_use]
pub fn history_csv(trends: &[Trend]) -> String {
    let mut text = String::new();
    let header = ["scenario", "cell", "load", "figure", "started_at", "value", "wirebench", "machine", "run"];
    push_record(&mut text, header.into_iter());
    for trend in trends {
        for point in &trend.points {
            let value = point.value.to_string();
            let fields = [
                &trend.scenario,
                &trend.cell,
                &trend.load,
                &trend.figure,
                &point.started_at,
                &value,
                &point.wirebench,
                &point.machine,
                &point.folder,
            ];
            push_record(&mut text, fields.into_iter().map(String::as_str));
        }
    }
    text
}

/// The trends as one page: no script, no network.
#[must_use]
pub fn history_page(trends: &[Trend]) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Wirebench history</title>\n<style>{STYLE}</style></head>\n<body>\n<h1>History</h1>\n\
         <p class=\"note\">For looking, not for judging: runs of different times have different machines around them. \
         A dashed line is where the machine or its kernel changed. <code>wirebench check</code> compares two \
         builds in one sitting.</p>\n"
    );
    if trends.is_empty() {
        page.push_str("<p>There is no valid run yet.</p>\n");
    }
    let mut heading = None;
    for (index, trend) in trends.iter().enumerate() {
        let this = (&trend.scenario, &trend.cell, &trend.load);
        if heading != Some(this) {
            heading = Some(this);
            let name = [&trend.scenario, &trend.cell, &trend.load].map(|text| escaped(text)).join(" · ");
            let _ = writeln!(page, "<h2>{name}</h2>");
        }
        push_trend(&mut page, index, trend);
    }
    page.push_str("</body>\n</html>\n");
    page
}

fn push_trend(page: &mut String, index: usize, trend: &Trend) {
    let figure = escaped(&trend.figure);
    let _ = writeln!(page, "<h3 id=\"f{index}\">{figure}</h3>");
    push_chart(page, index, trend);
    let _ = writeln!(page, "<details><summary>{} as numbers</summary><table>", runs(trend.points.len()));
    page.push_str(
        "<thead><tr><th scope=\"col\">when</th><th scope=\"col\">value</th><th scope=\"col\">wirebench</th>\
         <th scope=\"col\">machine</th><th scope=\"col\">run</th></tr></thead><tbody>\n",
    );
    for point in trend.points.iter().rev() {
        let [at, wirebench, machine, folder] =
            [&point.started_at, &point.wirebench, &point.machine, &point.folder].map(|text| escaped(text));
        let value = in_units(&trend.figure, point.value);
        let _ = writeln!(
            page,
            "<tr><td>{at}</td><td class=\"n\">{value}</td><td>{wirebench}</td><td>{machine}</td><td>{folder}</td></tr>"
        );
    }
    page.push_str("</tbody></table></details>\n");
}

fn runs(number: usize) -> String {
    if number == 1 { "1 run".to_owned() } else { format!("{} runs", count(number as u64)) }
}

fn push_chart(page: &mut String, index: usize, trend: &Trend) {
    let points = &trend.points;
    let most = points.iter().map(|point| point.value).fold(0.0, f64::max);
    // From zero, so that a small wobble looks small.
    let top = if most > 0.0 { most * 1.08 } else { 1.0 };
    let x = |number: usize| {
        let steps = points.len().saturating_sub(1).max(1) as f64;
        LEFT + (WIDTH - LEFT - RIGHT) * number as f64 / steps
    };
    let y = |value: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - value / top);
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
    let described = format!(
        "{}: {} in {}, {} in {}",
        trend.figure,
        in_units(&trend.figure, first.value),
        day(first),
        in_units(&trend.figure, last.value),
        day(last)
    );
    let _ = writeln!(
        page,
        "<svg role=\"img\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" aria-labelledby=\"t{index}\"><title id=\"t{index}\">{}</title>",
        escaped(&described)
    );
    let (zero, end) = (y(0.0), WIDTH - RIGHT);
    let _ =
        writeln!(page, "<line class=\"axis\" x1=\"{LEFT}\" y1=\"{zero:.1}\" x2=\"{end}\" y2=\"{zero:.1}\"/>");
    let _ = writeln!(page, "<text x=\"{}\" y=\"{zero:.1}\" text-anchor=\"end\">0</text>", LEFT - 6.0);
    let _ = writeln!(
        page,
        "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
        LEFT - 6.0,
        y(most) + 4.0,
        in_units(&trend.figure, most)
    );
    for (number, two) in points.windows(2).enumerate().filter(|(_, two)| two[0].machine != two[1].machine) {
        let at = f64::midpoint(x(number), x(number + 1));
        let _ = writeln!(
            page,
            "<line class=\"machine\" x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{zero:.1}\"><title>{}</title></line>",
            escaped(&format!("from here on: {}", two[1].machine))
        );
    }
    let path: Vec<String> = points
        .iter()
        .enumerate()
        .map(|(number, point)| format!("{:.1},{:.1}", x(number), y(point.value)))
        .collect();
    let _ = writeln!(page, "<polyline class=\"line\" points=\"{}\"/>", path.join(" "));
    for (number, point) in points.iter().enumerate() {
        let told = format!("{} {}: {}", day(point), point.wirebench, in_units(&trend.figure, point.value));
        let _ = writeln!(
            page,
            "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"><title>{}</title></circle>",
            x(number),
            y(point.value),
            escaped(&told)
        );
    }
    let below = HEIGHT - 8.0;
    let _ = writeln!(page, "<text x=\"{LEFT}\" y=\"{below}\">{}</text>", escaped(&day(first)));
    if points.len() > 1 {
        let _ = writeln!(
            page,
            "<text x=\"{end}\" y=\"{below}\" text-anchor=\"end\">{}</text>",
            escaped(&day(last))
        );
    }
    page.push_str("</svg>\n");
}

fn day(point: &TrendPoint) -> String {
    point.started_at.chars().take(10).collect()
}

fn in_units(figure: &str, value: f64) -> String {
    match figure {
        figure if figure.ends_with("(ns)") => duration_ns(value),
        figure if figure.ends_with("(µs/call)") => duration_us(value),
        figure if figure.ends_with("(calls/s)") => rate_per_s(value),
        _ => three_digits(value),
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in line(text, MAX_TEXT).chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::HOSTILE;

    fn trend(text: &str) -> Trend {
        let point = |day: u32, value, machine: &str| TrendPoint {
            started_at: format!("2023-01-{day:02}T00:00:00.000Z"),
            folder: text.into(),
            wirebench: text.into(),
            machine: machine.into(),
            value,
        };
        Trend {
            scenario: text.into(),
            cell: text.into(),
            load: text.into(),
            figure: "service p50 (ns)".into(),
            points: vec![point(1, 30_000.0, "m"), point(2, 31_000.0, "m"), point(3, 60_000.0, "n")],
        }
    }

    #[test]
    fn a_page_has_a_chart_per_figure_and_marks_where_the_machine_changed() {
        let page = history_page(&[trend("a"), trend("b")]);
        assert_eq!(page.matches("<svg").count(), 2);
        assert_eq!(page.matches("<circle").count(), 6);
        assert_eq!(page.matches("class=\"machine\"").count(), 2);
        assert!(page.contains("from here on: n") && page.contains("60.0 µs"));
        assert!(history_page(&[]).contains("no valid run"));
    }

    #[test]
    fn texts_of_strangers_stay_texts_and_nothing_is_fetched() {
        let trends: Vec<Trend> = HOSTILE.iter().map(|text| trend(text)).collect();
        let page = history_page(&trends);
        for forbidden in ["<script", "onmouseover=\"", "src=", "href=", "url(", "\u{1b}", "\u{202e}"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        let csv = history_csv(&trends);
        assert!(csv.contains("\"'=cmd|' /C calc'!A0\""), "no formula for a spreadsheet");
        assert_eq!(csv.lines().next().unwrap().split(',').count(), 9);
    }
}
