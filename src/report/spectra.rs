//! The percentile spectrum of a load point, as a page and a picture of its own draw it.

use super::charts::{ChartError, Frame, Spectrum, Target, between, points, spectrum};
use super::place::{Palette, Place, fastest, judged, short, with_verdict};
use super::text::line;
use crate::result::{CellHistograms, CellResult, Kind, LoadModel, ReasonKind, quantile_curve};
use crate::scenario::{Figure, Gate, GateMetric, TimeKind};

/// More lines cannot be told apart.
const MAX_LINES: usize = 12;

/// What is drawn of a load point.
pub(super) struct Spectra {
    lines: Vec<Spectrum>,
    targets: Vec<Target>,
    /// The series and the names of the lines, with the verdict where a cell does not count.
    pub names: Vec<(usize, String)>,
    /// Which times they are.
    pub times: &'static str,
    pub title: String,
    pub description: String,
    /// How to read it.
    pub note: String,
}

impl Spectra {
    /// The spectra of a load point; `None` where no back end has calls enough.
    pub(super) fn of(place: &Place<'_>, palette: &Palette) -> Option<Self> {
        let (cells, all) = fastest(place, MAX_LINES);
        let mut lines: Vec<Spectrum> = Vec::new();
        let mut names = Vec::new();
        for (index, cell) in &cells {
            let Some(histograms) = place.histograms(*index) else { continue };
            let series = palette.series(&cell.backend);
            let Some(of) = lines_of(series, cell, histograms) else { continue };
            names.push((series, with_verdict(cell)));
            lines.push(of);
        }
        if lines.is_empty() {
            return None;
        }
        let times = times_name(place);
        let mut note = String::from(
            "Each line ends where fewer than ten calls are slower; of an overloaded back end, at the median. \
             The band reaches from the lowest round to the highest.",
        );
        note.push_str(match place.answers.load.model {
            LoadModel::Open => {
                " Thin lines: service time, without the waiting before it. Faint lines: the load generator's lag."
            }
            LoadModel::Closed => " In a closed loop the response time is the service time.",
        });
        if all > cells.len() {
            note.push_str(&format!(" The {} fastest of {all} back ends are drawn.", cells.len()));
        }
        Some(Self {
            title: format!("Percentile spectrum of the {times}"),
            description: format!(
                "Line chart of the {times} in {} back ends, from the fastest call to the slowest, on a logarithmic \
                 scale.",
                lines.len()
            ),
            lines,
            targets: targets(place),
            names,
            times,
            note,
        })
    }

    /// Draws them.
    pub(super) fn draw(&self, frame: &Frame<'_>) -> Result<String, ChartError> {
        spectrum(&self.lines, &self.targets, self.times, frame)
    }
}

/// The times that a load point is judged by.
pub(super) fn times_name(place: &Place<'_>) -> &'static str {
    match place.answers.load.model {
        LoadModel::Closed => "service time",
        LoadModel::Open => "response time",
    }
}

fn lines_of(series: usize, cell: &CellResult, histograms: &CellHistograms) -> Option<Spectrum> {
    let tail = !cell.verdict.has(ReasonKind::Overloaded);
    let curve = |kind: Kind| {
        histograms.all(kind).map_or_else(Vec::new, |histogram| points(&quantile_curve(&histogram), tail))
    };
    let main = curve(judged(cell));
    if main.is_empty() {
        return None;
    }
    let open = cell.load.model == LoadModel::Open;
    let rounds: Vec<Vec<(f64, f64)>> = histograms
        .rounds
        .iter()
        .filter_map(|round| round.curves.get(&judged(cell)))
        .map(|curve| points(curve, tail))
        .filter(|points| !points.is_empty())
        .collect();
    Some(Spectrum {
        series,
        name: short(cell),
        main,
        beside: if open { curve(Kind::Service) } else { Vec::new() },
        lag: if open { curve(Kind::Lag) } else { Vec::new() },
        rounds: between(&rounds),
    })
}

/// The targets of the scenario's gates that are times of a call.
fn targets(place: &Place<'_>) -> Vec<Target> {
    let mut found: Vec<Target> = Vec::new();
    for outcome in &place.input.run.gates {
        let Some(Gate { metric: GateMetric::Time { kind, figure }, limit, .. }) = Gate::parse(&outcome.text)
        else {
            continue;
        };
        let of_calls = matches!(kind, TimeKind::Response | TimeKind::Service) && figure != Figure::Mean;
        let name = format!("target: {}", line(&outcome.text, 40));
        if of_calls && limit > 0.0 && !found.iter().any(|target| target.name == name) {
            found.push(Target { at: limit.log10(), name });
        }
    }
    found.truncate(4);
    found
}
