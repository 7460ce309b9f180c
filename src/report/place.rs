//! The load points of all runs on a page, with the colours that their back ends keep on the whole page.

use std::collections::BTreeSet;

use super::Input;
use super::sentences::load_in_short;
use super::text::{file_name, line};
use super::view::times;
use crate::analysis::{PointAnswers, answers};
use crate::result::{CellHistograms, CellResult, Kind, LoadModel};

/// The most characters of a name that a stranger gave.
pub(super) const MAX_NAME: usize = 120;
/// The most characters of a name in a chart's legend or description.
const MAX_SHORT: usize = 48;

/// A load point of a run.
pub(super) struct Place<'a> {
    pub input: &'a Input<'a>,
    /// The run's number on a page of several, from 1.
    pub run: Option<usize>,
    /// What ids of this place end with.
    pub suffix: String,
    /// What it is called; empty where there is one only.
    pub heading: String,
    pub answers: PointAnswers,
}

impl Place<'_> {
    /// Its cells with their position in the run.
    pub(super) fn cells(&self) -> impl Iterator<Item = (usize, &CellResult)> {
        self.answers.cells.iter().filter_map(|index| Some((*index, self.input.run.cells.get(*index)?)))
    }

    /// The histograms of a cell.
    pub(super) fn histograms(&self, cell: usize) -> Option<&CellHistograms> {
        self.input.histograms.cell(cell)
    }

    /// An id in the page.
    pub(super) fn id(&self, name: &str) -> String {
        format!("{name}{}", self.suffix)
    }
}

/// Every load point of every run.
pub(super) fn places<'a>(inputs: &'a [Input<'a>]) -> Vec<Place<'a>> {
    let mut taken = BTreeSet::new();
    let mut places = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        let run = (inputs.len() > 1).then_some(index + 1);
        for answers in answers(&input.run.cells) {
            places.push(Place { input, run, suffix: String::new(), heading: String::new(), answers });
        }
    }
    if places.len() < 2 {
        return places;
    }
    for place in &mut places {
        let point = line(&place.answers.point, 40);
        let load = load_in_short(&place.answers.load);
        let more = beyond(&point);
        let mut heading = if more.is_empty() { load } else { format!("{load}, {more}") };
        let mut stem = String::new();
        if let Some(run) = place.run {
            heading = format!("Run {run}, {heading}");
            stem.push_str(&format!("-run{run}"));
        }
        if !point.is_empty() {
            stem.push('-');
            stem.push_str(&file_name(&point));
        }
        let mut suffix = stem.clone();
        let mut copy = 2;
        while suffix.is_empty() || !taken.insert(suffix.clone()) {
            suffix = format!("{stem}-{copy}");
            copy += 1;
        }
        (place.suffix, place.heading) = (suffix, heading);
    }
    places
}

/// What a load point's name says beyond the load in words.
fn beyond(point: &str) -> String {
    let told = |word: &&str| {
        word.starts_with("concurrency=") || word.starts_with("rate_per_s=") || {
            // The short names of earlier versions, as c64 and r500.
            let mut letters = word.chars();
            matches!(letters.next(), Some('c' | 'r')) && letters.all(|letter| letter.is_ascii_digit())
        }
    };
    point.split(' ').filter(|word| !told(word)).collect::<Vec<_>>().join(" ")
}

/// Which colour and dash pattern a back end has.
pub(super) struct Palette {
    names: Vec<String>,
}

impl Palette {
    /// In the order in which the runs name them.
    pub(super) fn of(inputs: &[Input<'_>]) -> Self {
        let mut names: Vec<String> = Vec::new();
        let mut seen = BTreeSet::new();
        for cell in inputs.iter().flat_map(|input| &input.run.cells) {
            if seen.insert(&cell.backend) {
                names.push(cell.backend.clone());
            }
        }
        Self { names }
    }

    /// The number of a back end's series.
    pub(super) fn series(&self, backend: &str) -> usize {
        self.names.iter().position(|name| name == backend).unwrap_or(0)
    }
}

/// A back end's name in a chart.
pub(super) fn short(cell: &CellResult) -> String {
    line(&cell.backend, MAX_SHORT)
}

/// The same, with the verdict where it does not count.
pub(super) fn with_verdict(cell: &CellResult) -> String {
    match cell.verdict.reasons.first() {
        Some(reason) if !cell.verdict.is_valid() => {
            format!("{} (does not count: {})", short(cell), reason.kind.name())
        }
        _ => short(cell),
    }
}

/// The times that a load point is judged by.
pub(super) fn judged(cell: &CellResult) -> Kind {
    match cell.load.model {
        LoadModel::Open => Kind::Response,
        LoadModel::Closed => Kind::Service,
    }
}

/// The cells of a place, the fastest first, and as many as can be told apart.
pub(super) fn fastest<'a>(place: &'a Place<'_>, most: usize) -> (Vec<(usize, &'a CellResult)>, usize) {
    let mut cells: Vec<(usize, &CellResult)> = place.cells().collect();
    let all = cells.len();
    if all > most {
        cells.sort_by_key(|(_, cell)| (!cell.verdict.is_valid(), times(cell).p50.unwrap_or(u64::MAX)));
        cells.truncate(most);
    }
    (cells, all)
}
