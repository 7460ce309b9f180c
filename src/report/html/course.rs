//! How each back end of a load point went, second by second and round by round.

use super::parts::{Block, Chart, Grid, Key, Small};
use crate::analysis::{MIN_SAMPLES_ABOVE, count, duration_ns, rate_per_s};
use crate::report::charts::{Axis, ChartError, Frame, Plot, PlotLine, Shade, Unit, Weight, plot, with_dash};
use crate::report::place::{MAX_NAME, Palette, Place, fastest, judged, short, with_verdict};
use crate::report::text::line;
use crate::report::view::NOTHING;
use crate::result::{
    CellHistograms, CellResult, CpuPerCall, Figures, RoundRecord, RoundSeries, RssPeak, Second, UsagePiece,
};

/// Back ends whose course is drawn at a load point.
const MAX_COURSES: usize = 12;
/// A small chart of the course.
const COURSE: (u32, u32) = (430, 150);
/// A stall: the slowest call of a second took at least so long, and so many times the usual median.
const STALL: (u64, f64) = (100_000_000, 20.0);
/// Or fewer than this share of the usual calls were answered in it.
const STALL_SHARE: f64 = 0.5;

/// The course of each back end of a load point.
pub(super) fn course_block(place: &Place<'_>, palette: &Palette) -> Result<Option<Block>, ChartError> {
    let (cells, all) = fastest(place, MAX_COURSES);
    let mut small = Vec::new();
    let mut rows = Vec::new();
    for (index, cell) in &cells {
        let Some(histograms) = place.histograms(*index) else { continue };
        let course = Course::of(cell, histograms);
        if course.rounds.is_empty() {
            continue;
        }
        let id = format!("{}-{index}", place.id("time"));
        small.push(Small {
            title: with_verdict(cell),
            charts: course.draw(&id, palette.series(&cell.backend))?,
            note: course.left_out(),
        });
        rows.extend(course.rows(&line(&cell.backend, MAX_NAME)));
    }
    if small.is_empty() {
        return Ok(None);
    }
    let mut chart = Chart::of_small(place.id("time"), "", small);
    chart.legend = vec![
        Key { line: "l0 d0".into(), fill: String::new(), name: "p50; client's CPU".into() },
        Key { line: "l0 d1".into(), fill: String::new(), name: "p99; server's CPU".into() },
        Key::fill("warm", "warm-up, not measured"),
        Key::fill("stall", "stall"),
    ];
    if all > cells.len() {
        chart.note = format!("The {} fastest of {all} back ends are drawn.", cells.len());
    }
    let header = ["back end", "round", "second", "calls", "rate", "p50", "p99", "slowest", "stall"];
    chart.grid = Some(Grid {
        title: "Second by second".to_owned(),
        header: header.iter().map(|&name| name.to_owned()).collect(),
        rows,
    });
    Ok(Some(Block::of(place.id("course"), place.heading.clone(), vec![chart])))
}

/// A line without a gap.
type Piece = Vec<(f64, f64)>;

/// The rounds of a cell one after the other.
struct Course<'a> {
    cell: &'a CellResult,
    rounds: Vec<(&'a RoundSeries, &'a [Second])>,
}

/// Where a round stands on the axis: the begin of its warm-up, of its measured interval, and its end.
struct Span {
    warm_up: f64,
    begin: f64,
    end: f64,
}

impl<'a> Course<'a> {
    fn of(cell: &'a CellResult, histograms: &'a CellHistograms) -> Self {
        let seconds = |round: &'a RoundSeries| {
            let of = round.seconds.get(&judged(cell))?;
            (!of.is_empty()).then_some((round, of.as_slice()))
        };
        Self { cell, rounds: histograms.rounds.iter().filter_map(seconds).collect() }
    }

    fn spans(&self) -> Vec<Span> {
        let length = |seconds: &[Second]| {
            seconds.iter().map(|second| second.start_s + second.length_s).fold(0.0, f64::max)
        };
        let longest = self.rounds.iter().map(|(_, seconds)| length(seconds)).fold(0.0, f64::max);
        let mut at = 0.0;
        self.rounds
            .iter()
            .map(|(round, seconds)| {
                let took_ns = self.record(round).and_then(|record| record.warmup_ns);
                // A long warm-up would leave no room for what was measured; none at all would not be seen.
                let warm_up = took_ns.map_or(0.0, |ns| ns as f64 / 1e9).clamp(longest * 0.02, longest * 0.5);
                let span = Span { warm_up: at, begin: at + warm_up, end: at + warm_up + length(seconds) };
                at = span.end;
                span
            })
            .collect()
    }

    fn draw(&self, id: &str, series: usize) -> Result<Vec<String>, ChartError> {
        let spans = self.spans();
        let Some(end) = spans.last().map(|span| span.end) else { return Ok(Vec::new()) };
        let axis = || Axis::with_ticks(0.0, end, self.ticks(&spans), "");
        let steps = |value: &dyn Fn(&Second) -> Option<f64>| self.steps(&spans, value);
        let rate = steps(&|second| (second.length_s > 0.0).then(|| second.calls as f64 / second.length_s));
        let p50 = steps(&|second| (second.calls > 0).then(|| (second.p50_ns.max(1) as f64).log10()));
        let p99 = steps(&|second| has_p99(second).then(|| (second.p99_ns.max(1) as f64).log10()));
        let heights = |lines: &[Piece]| -> Vec<f64> { lines.iter().flatten().map(|(_, y)| *y).collect() };
        let mut charts = Vec::new();
        let one = |lines: Vec<(usize, Vec<Piece>)>, y: Option<Axis>, name: &str, title: &str| {
            let Some(y) = y else { return Ok(None) };
            let mut of = Plot::new(axis(), y);
            of.shades = self.shades(&spans);
            of.label_room = 6;
            for (dash, pieces) in lines {
                of.lines.extend(pieces.into_iter().map(|points| PlotLine {
                    series: with_dash(series, dash),
                    weight: Weight::Main,
                    name: String::new(),
                    points,
                }));
            }
            let id = format!("{id}-{name}");
            let description = format!("{title} of {}, round after round.", short(self.cell));
            let (width, height) = COURSE;
            plot(&of, &Frame { id: &id, title, description: &description, width, height }).map(Some)
        };
        let y = Axis::from_zero(heights(&rate), Unit::Plain, 4, "calls/s");
        charts.extend(one(vec![(0, rate)], y, "rate", "Calls per second")?);
        let all: Vec<f64> = heights(&p50).into_iter().chain(heights(&p99)).collect();
        let (name, title) =
            if p99.is_empty() { ("p50", "Median") } else { ("p50, p99", "Median and 99th percentile") };
        let y = Axis::logarithmic(all, Unit::Time, 5, name);
        charts.extend(one(vec![(0, p50), (1, p99)], y, "latency", title)?);
        let cores = |piece: fn(&UsagePiece) -> Option<f64>, of: fn(&CpuPerCall) -> Option<f64>| {
            self.used(&spans, piece, |figures| {
                Some(of(&figures.cpu_us_per_call)? * figures.rate_per_s? / 1e6)
            })
        };
        let client = cores(|piece| piece.client_cores, |of| of.client);
        let server = cores(|piece| piece.server_cores, |of| of.server);
        let all: Vec<f64> = heights(&client).into_iter().chain(heights(&server)).collect();
        let y = Axis::from_zero(all, Unit::Plain, 3, "cores busy");
        charts.extend(one(vec![(0, client), (1, server)], y, "cpu", "Processor time of client and server")?);
        let memory = |piece: fn(&UsagePiece) -> Option<u64>, of: fn(&RssPeak) -> Option<u64>| {
            let bytes = |figures: &Figures| of(&figures.rss_peak_bytes).map(|bytes| bytes as f64);
            self.used(&spans, |used| piece(used).map(|bytes| bytes as f64), bytes)
        };
        let client = memory(|piece| piece.client_rss_bytes, |of| of.client);
        let server = memory(|piece| piece.server_rss_bytes, |of| of.server);
        let all: Vec<f64> = heights(&client).into_iter().chain(heights(&server)).collect();
        let y = Axis::from_zero(all, Unit::Bytes, 3, "memory");
        charts.extend(one(vec![(0, client), (1, server)], y, "memory", "Memory of client and server")?);
        Ok(charts)
    }

    /// What stands below the rounds: their names, and with fewer than three of them, when they end.
    fn ticks(&self, spans: &[Span]) -> Vec<(f64, String)> {
        let seconds = |at: f64| format!("{} s", (at * 10.0).round() / 10.0);
        let mut ticks = Vec::new();
        for ((round, _), span) in self.rounds.iter().zip(spans).step_by(spans.len().div_ceil(6).max(1)) {
            if spans.len() == 1 {
                ticks.push((span.begin, seconds(0.0)));
            }
            ticks.push(((span.begin + span.end) / 2.0, format!("round {}", round.round + 1)));
            if spans.len() < 3 {
                ticks.push((span.end, seconds(span.end - span.begin)));
            }
        }
        ticks
    }

    /// Which seconds have no p50 or p99 in the chart, and why; empty where all have.
    fn left_out(&self) -> String {
        let seconds = || self.rounds.iter().flat_map(|(_, seconds)| seconds.iter());
        let all = seconds().count();
        let silent = seconds().filter(|second| second.calls == 0).count();
        let few = seconds().filter(|second| !has_p99(second)).count();
        let of = |part: usize| {
            if part == all { "any second".to_owned() } else { format!("{part} of {all} seconds") }
        };
        let needed = count((MIN_SAMPLES_ABOVE * 100.0).ceil() as u64);
        let mut told = Vec::new();
        if few > 0 {
            let each = if few == 1 { "it" } else { "each" };
            told.push(format!("No p99 for {}: fewer than {needed} calls in {each}.", of(few)));
        }
        if silent > 0 {
            told.push(format!("No p50 for {}: no call was answered.", of(silent)));
        }
        told.join(" ")
    }

    /// A step per second; a line ends where a second has no value, and with its round.
    fn steps(&self, spans: &[Span], value: &dyn Fn(&Second) -> Option<f64>) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for ((_, seconds), span) in self.rounds.iter().zip(spans) {
            let mut piece = Piece::new();
            for second in *seconds {
                match value(second) {
                    Some(y) => {
                        let from = span.begin + second.start_s;
                        piece.extend([(from, y), (from + second.length_s, y)]);
                    }
                    None => pieces.push(std::mem::take(&mut piece)),
                }
            }
            pieces.push(piece);
        }
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }

    /// A step per piece of a round's usage; one for the whole round where there are no pieces, as in runs
    /// of older versions.
    fn used(
        &self,
        spans: &[Span],
        piece: impl Fn(&UsagePiece) -> Option<f64>,
        whole: impl Fn(&Figures) -> Option<f64>,
    ) -> Vec<Piece> {
        let of = |((round, _), span): (&(&RoundSeries, &[Second]), &Span)| {
            let record = self.record(round)?;
            if record.usage.is_empty() {
                let y = whole(&record.figures)?;
                return Some(vec![(span.begin, y), (span.end, y)]);
            }
            let step = |used: &UsagePiece| {
                let from = span.begin + used.start_s;
                let y = piece(used)?;
                Some([(from, y), ((from + used.length_s).min(span.end), y)])
            };
            Some(record.usage.iter().filter_map(step).flatten().filter(|(x, _)| *x <= span.end).collect())
        };
        self.rounds.iter().zip(spans).filter_map(of).filter(|piece: &Piece| !piece.is_empty()).collect()
    }

    fn record(&self, round: &RoundSeries) -> Option<&RoundRecord> {
        self.cell.rounds.get(round.round)
    }

    fn shades(&self, spans: &[Span]) -> Vec<Shade> {
        let mut shades: Vec<Shade> =
            spans.iter().map(|span| Shade { from: span.warm_up, to: span.begin, stall: false }).collect();
        for ((_, seconds), span) in self.rounds.iter().zip(spans) {
            for second in seconds.iter().filter(|second| is_stall(second, seconds)) {
                let from = span.begin + second.start_s;
                shades.push(Shade { from, to: from + second.length_s, stall: true });
            }
        }
        shades
    }

    fn rows(&self, backend: &str) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        for (round, seconds) in &self.rounds {
            for second in *seconds {
                let rate = second.calls as f64 / second.length_s.max(1e-9);
                rows.push(vec![
                    backend.to_owned(),
                    (round.round + 1).to_string(),
                    format!("{:.3} to {:.3}", second.start_s, second.start_s + second.length_s),
                    count(second.calls),
                    rate_per_s(rate),
                    if second.calls > 0 { duration_ns(second.p50_ns as f64) } else { NOTHING.to_owned() },
                    if has_p99(second) { duration_ns(second.p99_ns as f64) } else { NOTHING.to_owned() },
                    duration_ns(second.max_ns as f64),
                    if is_stall(second, seconds) { "stall".to_owned() } else { String::new() },
                ]);
            }
        }
        rows
    }
}

/// Whether a second has calls enough for a 99th percentile. The last one of a round is often too short.
fn has_p99(second: &Second) -> bool {
    second.calls as f64 * 0.01 >= MIN_SAMPLES_ABOVE
}

/// Whether a second stands out: hardly any calls in it, or one that took far too long. The last, shorter
/// one of a round is judged by its length.
fn is_stall(second: &Second, all: &[Second]) -> bool {
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(0.0)
    };
    let rate = |second: &Second| second.calls as f64 / second.length_s.max(1e-9);
    let (longest, times) = STALL;
    let usual = median(all.iter().map(|second| second.p50_ns as f64).collect());
    let slow = second.max_ns >= longest && second.max_ns as f64 >= usual * times;
    let few = all.len() > 2 && rate(second) < median(all.iter().map(rate).collect()) * STALL_SHARE;
    slow || few
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(round: usize, calls: &[u64]) -> RoundSeries {
        let mut series = RoundSeries { round, ..RoundSeries::default() };
        let second = |(index, calls): (usize, &u64)| Second {
            start_s: index as f64,
            length_s: 1.0,
            calls: *calls,
            p50_ns: 1_000_000,
            p99_ns: 2_000_000,
            max_ns: 3_000_000,
        };
        let seconds = calls.iter().enumerate().map(second).collect();
        series.seconds.insert(crate::result::Kind::Service, seconds);
        series
    }

    /// What a course of these rounds says is missing, and what stands on its axis.
    fn told(rounds: &[&[u64]]) -> (String, Vec<String>) {
        let (run, _) = crate::report::fixture::run();
        let mut histograms = CellHistograms::default();
        histograms.rounds = rounds.iter().enumerate().map(|(round, calls)| series(round, calls)).collect();
        let course = Course::of(&run.cells[0], &histograms);
        let ticks = course.ticks(&course.spans()).into_iter().map(|(_, label)| label).collect();
        (course.left_out(), ticks)
    }

    #[test]
    fn a_percentile_that_is_missing_is_said_and_only_then() {
        assert_eq!(told(&[&[1_000, 1_000]]).0, "");
        assert_eq!(
            told(&[&[1_000, 1_000, 999], &[1_000]]).0,
            "No p99 for 1 of 4 seconds: fewer than 1,000 calls in it."
        );
        assert_eq!(
            told(&[&[1_000, 0, 5]]).0,
            "No p99 for 2 of 3 seconds: fewer than 1,000 calls in each. No p50 for 1 of 3 seconds: no call was answered."
        );
        assert_eq!(told(&[&[10, 20]]).0, "No p99 for any second: fewer than 1,000 calls in each.");
    }

    #[test]
    fn a_few_rounds_have_three_labels_too() {
        assert_eq!(told(&[&[9, 9]]).1, ["0 s", "round 1", "2 s"]);
        assert_eq!(told(&[&[9], &[9, 9]]).1, ["round 1", "1 s", "round 2", "2 s"]);
        assert_eq!(told(&[&[9], &[9], &[9]]).1, ["round 1", "round 2", "round 3"]);
        assert_eq!(told(&[&[9_u64][..]; 7]).1.len(), 4);
    }

    #[test]
    fn a_second_without_calls_or_with_a_slow_one_is_a_stall() {
        let second = |calls, max_ns| Second {
            start_s: 0.0,
            length_s: 1.0,
            calls,
            p50_ns: 1_000_000,
            p99_ns: 2_000_000,
            max_ns,
        };
        let all = [
            second(500, 3_000_000),
            second(500, 200_000_000),
            second(100, 3_000_000),
            second(500, 30_000_000),
        ];
        let found: Vec<bool> = all.iter().map(|second| is_stall(second, &all)).collect();
        assert_eq!(found, [false, true, true, false]);
    }
}
