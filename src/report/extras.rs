//! Tables beside those of the load points: capacities, the stages of a load, and the knees of curves. Shared by
//! the formats for people.

use super::view::{NOTHING, nanoseconds};
use crate::analysis::{count, duration_ns, rate_per_s};
use crate::result::{Axis, Bound, CellResult, Curve, LoadModel, RunResult, StageResult};

/// A table with what is to be said about it.
pub(super) struct Extra {
    /// Its heading.
    pub(super) title: &'static str,
    /// The heads of its columns.
    pub(super) columns: Vec<&'static str>,
    /// How many of the columns, from the left, are names; figures follow, and a word ends the row.
    pub(super) names: usize,
    /// The rows. Names are as they were written: a format escapes and cuts them.
    pub(super) rows: Vec<Vec<String>>,
    /// Sentences below it.
    pub(super) remarks: Vec<String>,
}

/// Every table of a run that has something in it.
pub(super) fn extras(run: &RunResult) -> Vec<Extra> {
    [capacity(run), stages(run), knees(run)].into_iter().flatten().collect()
}

fn capacity(run: &RunResult) -> Option<Extra> {
    let first = run.capacity.first()?;
    let rows = run.capacity.iter().map(|found| {
        let probe =
            found.probes.iter().rev().find(|probe| probe.ok && Some(probe.rate_per_s) == found.rate_per_s);
        let rate = match (found.bound, found.rate_per_s) {
            (Bound::AtLeast, Some(rate)) => format!("at least {}", rate_per_s(rate)),
            (_, rate) => rate.map_or_else(|| NOTHING.to_owned(), rate_per_s),
        };
        let name = if found.point.is_empty() {
            found.backend.clone()
        } else {
            format!("{} {}", found.backend, found.point)
        };
        vec![
            name,
            found.slo.join(" and "),
            rate,
            nanoseconds(probe.and_then(|probe| probe.p99_ns)).unwrap_or_else(|| NOTHING.to_owned()),
            count(found.probes.len() as u64),
            match found.bound {
                Bound::Exact => "found",
                Bound::AtLeast => "lower bound",
                Bound::None => "none",
            }
            .to_owned(),
        ]
    });
    let mut remarks: Vec<String> =
        run.capacity.iter().map(|found| format!("{}: {}.", found.backend, found.why)).collect();
    remarks.push(format!(
        "Capacity: the highest rate at which the objective was kept without errors, within {:.0} %; the figures \
         of the load points are those at that rate.",
        first.precision * 100.0
    ));
    Some(Extra {
        title: "Capacity",
        columns: vec!["back end", "objective", "capacity", "p99 there", "rounds", "bound"],
        names: 2,
        rows: rows.collect(),
        remarks,
    })
}

fn stages(run: &RunResult) -> Option<Extra> {
    let rows: Vec<Vec<String>> = run
        .cells
        .iter()
        .flat_map(|cell| cell.figures.stages.iter().map(move |stage| stage_row(cell, stage)))
        .collect();
    (!rows.is_empty()).then(|| Extra {
        title: "Stages",
        columns: vec!["back end", "stage", "offered", "achieved", "p50", "p99", "max", "verdict"],
        names: 2,
        rows,
        remarks: vec![
            "A stage has the calls that were due in it, whenever they were answered. What a stage left \
             waiting, the next one's calls wait for too."
                .to_owned(),
        ],
    })
}

fn stage_row(cell: &CellResult, stage: &StageResult) -> Vec<String> {
    let times = match cell.load.model {
        LoadModel::Open => &stage.response_ns,
        LoadModel::Closed => &stage.service_ns,
    };
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    vec![
        cell.label(),
        stage.stage.label.clone(),
        or_nothing(stage.offered_rate_per_s.map(rate_per_s)),
        or_nothing(stage.rate_per_s.map(rate_per_s)),
        or_nothing(nanoseconds(times.p50)),
        or_nothing(nanoseconds(times.p99)),
        or_nothing(nanoseconds(times.max)),
        stage.verdict.reasons.first().map_or("valid", |reason| reason.kind.name()).to_owned(),
    ]
}

fn knees(run: &RunResult) -> Option<Extra> {
    let rows: Vec<Vec<String>> = run.curves.iter().filter_map(knee_row).collect();
    (!rows.is_empty()).then(|| Extra {
        title: "Knees",
        columns: vec!["back end", "over", "knee at", "achieved", "p50", "p99", "load points"],
        names: 2,
        rows,
        remarks: vec![
            "The knee is the load point with the most calls per second for each unit of mean time."
                .to_owned(),
        ],
    })
}

fn knee_row(curve: &Curve) -> Option<Vec<String>> {
    let knee = curve.points.get(usize::try_from(curve.knee?).ok()?)?;
    let at = match curve.axis {
        Axis::RatePerS => rate_per_s(knee.x),
        Axis::ThinkTime => duration_ns(knee.x),
        _ => count(knee.x as u64),
    };
    let over = if curve.point.is_empty() {
        curve.axis.name().to_owned()
    } else {
        format!("{} at {}", curve.axis.name(), curve.point)
    };
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    Some(vec![
        curve.backend.clone(),
        over,
        at,
        or_nothing(knee.achieved_per_s.map(rate_per_s)),
        or_nothing(nanoseconds(knee.p50_ns)),
        or_nothing(nanoseconds(knee.p99_ns)),
        count(curve.points.len() as u64),
    ])
}
