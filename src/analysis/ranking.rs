//! Which back end is faster, and when that cannot be said.

use crate::result::{CellResult, Idle, LoadModel, LoadRecord, Placement, Quantiles};

/// One cell among those of its load point.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The cell's position in the run.
    pub cell: usize,
    /// The median that is ranked: service time in a closed loop, response time in an open one.
    pub p50_ns: Option<u64>,
    /// Where it lies: its interval, and the medians of the valid rounds. Calls of one round share its
    /// luck, so that the interval alone is too narrow.
    pub interval_ns: Option<[u64; 2]>,
    /// The median divided by the best one; null where the cell is not ranked.
    pub ratio_to_best: Option<f64>,
    /// Why it is not ranked.
    pub not_ranked: Option<String>,
}

/// Who is fastest at a load point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Winner {
    /// This cell, beyond the intervals.
    Clear(usize),
    /// The intervals of these cells overlap: no clear winner.
    Tied(Vec<usize>),
    /// Nobody is ranked, or there is nobody to compare with.
    Nobody,
}

/// The cells of one load point.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// The load point's short name.
    pub point: String,
    /// Its load, as the first cell has it; without a rate where the cells differ in it.
    pub load: LoadRecord,
    /// Its cells, in the order of the run.
    pub standings: Vec<Standing>,
    /// Who is fastest.
    pub winner: Winner,
}

/// Ranks the cells of each load point, in the order of the run.
#[must_use]
pub fn rank(cells: &[CellResult]) -> Vec<Ranking> {
    let mut rankings: Vec<Ranking> = Vec::new();
    for (index, cell) in cells.iter().enumerate() {
        let standing = standing(index, cell);
        let comparable = |ranking: &&mut Ranking| {
            ranking.point == cell.point
                && ranking.load.model == cell.load.model
                && ranking.load.placement == cell.load.placement
        };
        match rankings.iter_mut().find(comparable) {
            Some(ranking) => ranking.standings.push(standing),
            None => rankings.push(Ranking {
                point: cell.point.clone(),
                load: cell.load.clone(),
                standings: vec![standing],
                winner: Winner::Nobody,
            }),
        }
    }
    for ranking in &mut rankings {
        apart(ranking, cells);
        decide(ranking);
    }
    rankings
}

/// Cells of which each was loaded at a rate of its own, as a search for capacities leaves them, stand side by
/// side, and their times do not compare.
fn apart(ranking: &mut Ranking, cells: &[CellResult]) {
    let rate = |standing: &Standing| cells.get(standing.cell).and_then(|cell| cell.load.rate_per_s);
    let first = ranking.load.rate_per_s;
    if ranking.standings.iter().all(|standing| rate(standing) == first) {
        return;
    }
    ranking.load.rate_per_s = None;
    for standing in &mut ranking.standings {
        let reason = "each back end was loaded at a rate of its own, so that their times do not compare";
        standing.not_ranked.get_or_insert_with(|| reason.to_owned());
    }
}

/// The times that a cell is judged by: response in an open loop, service in a closed one.
#[must_use]
pub(super) fn judged_times(cell: &CellResult) -> &Quantiles {
    match cell.load.model {
        LoadModel::Open => &cell.figures.response_ns,
        LoadModel::Closed => &cell.figures.service_ns,
    }
}

fn standing(index: usize, cell: &CellResult) -> Standing {
    let times = judged_times(cell);
    let rounds = cell.rounds.iter().filter(|round| round.verdict.is_valid()).filter_map(|round| {
        match cell.load.model {
            LoadModel::Open => round.figures.response_ns.p50,
            LoadModel::Closed => round.figures.service_ns.p50,
        }
    });
    let interval_ns = times.intervals.p50.map(|[low, high]| {
        rounds.fold([low, high], |[low, high], median| [low.min(median), high.max(median)])
    });
    Standing {
        cell: index,
        p50_ns: times.p50,
        interval_ns,
        ratio_to_best: None,
        not_ranked: not_ranked(cell),
    }
}

fn not_ranked(cell: &CellResult) -> Option<String> {
    if !cell.verdict.is_valid() {
        return Some("its measurement is not valid".to_owned());
    }
    // The registry's name of the transport that is none.
    if cell.transport == "null" {
        return Some("it has no network: it shows the harness's own floor".to_owned());
    }
    let load = &cell.load;
    if load.model == LoadModel::Closed
        && load.concurrency == Some(1)
        && load.placement == Placement::Split
        && load.idle == Idle::Park
    {
        return Some(
            "one call at a time on two cores measures the waking of a halted core rather than the protocol; \
             placement = \"shared\" or idle = \"spin\" measures the protocol"
                .to_owned(),
        );
    }
    if judged_times(cell).p50.is_none() {
        return Some("it has too few calls for a median".to_owned());
    }
    None
}

fn decide(ranking: &mut Ranking) {
    let ranked = |standing: &&Standing| standing.not_ranked.is_none();
    let Some((best, best_interval, best_p50)) = ranking
        .standings
        .iter()
        .filter(ranked)
        .filter_map(|standing| Some((standing.cell, standing.interval_ns?, standing.p50_ns?)))
        .min_by_key(|(_, _, p50)| *p50)
    else {
        return;
    };
    for standing in ranking.standings.iter_mut().filter(|standing| standing.not_ranked.is_none()) {
        standing.ratio_to_best = standing.p50_ns.map(|p50| p50 as f64 / best_p50.max(1) as f64);
    }
    let tied: Vec<usize> = ranking
        .standings
        .iter()
        .filter(ranked)
        .filter(|standing| standing.interval_ns.is_some_and(|[low, _]| low <= best_interval[1]))
        .map(|standing| standing.cell)
        .collect();
    ranking.winner = if tied.len() > 1 {
        Winner::Tied(tied)
    } else if ranking.standings.iter().filter(ranked).count() > 1 {
        Winner::Clear(best)
    } else {
        Winner::Nobody
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::CellDescription;
    use crate::analysis::{Limits, cell_from_rounds};
    use crate::result::{QuantileIntervals, Reason, ReasonKind, Verdict};

    fn cell(backend: &str, p50: u64, half_width: u64, load: LoadRecord) -> CellResult {
        let description = CellDescription { backend: backend.into(), load, ..CellDescription::default() };
        let mut cell = cell_from_rounds(description, &[], &Limits::default());
        cell.verdict = Verdict::default();
        let times = Quantiles {
            p50: Some(p50),
            intervals: QuantileIntervals {
                p50: Some([p50 - half_width, p50 + half_width]),
                ..QuantileIntervals::default()
            },
            ..Quantiles::default()
        };
        cell.figures.service_ns = times;
        cell.figures.response_ns = times;
        cell
    }

    fn ranked<const N: usize>(cells: &[CellResult; N]) -> Vec<Ranking> {
        rank(cells)
    }

    fn at(concurrency: u64) -> LoadRecord {
        LoadRecord { concurrency: Some(concurrency), ..LoadRecord::default() }
    }

    #[test]
    fn the_fastest_wins_and_the_others_are_its_multiples() {
        let rankings = ranked(&[cell("a", 3_000, 10, at(8)), cell("b", 1_000, 10, at(8))]);
        assert_eq!(rankings[0].winner, Winner::Clear(1));
        let ratios: Vec<_> = rankings[0].standings.iter().map(|standing| standing.ratio_to_best).collect();
        assert_eq!(ratios, [Some(3.0), Some(1.0)]);
    }

    #[test]
    fn overlapping_intervals_have_no_clear_winner() {
        let rankings = ranked(&[cell("a", 1_000, 60, at(8)), cell("b", 1_100, 60, at(8))]);
        assert_eq!(rankings[0].winner, Winner::Tied(vec![0, 1]));
    }

    #[test]
    fn one_call_at_a_time_split_and_parked_is_not_ranked() {
        for (load, expected) in [
            (at(1), false),
            (LoadRecord { idle: Idle::Spin, ..at(1) }, true),
            (LoadRecord { placement: Placement::Shared, ..at(1) }, true),
            (at(2), true),
        ] {
            let rankings = ranked(&[cell("a", 3_000, 10, load.clone()), cell("b", 1_000, 10, load)]);
            assert_eq!(rankings[0].winner == Winner::Clear(1), expected);
            assert_eq!(rankings[0].standings[0].ratio_to_best.is_some(), expected);
        }
    }

    #[test]
    fn the_harness_own_floor_is_shown_and_not_ranked() {
        let floor = CellResult { transport: "null".into(), ..cell("null", 1_000, 10, at(8)) };
        let rankings = ranked(&[floor, cell("slow", 2_000, 10, at(8)), cell("slower", 9_000, 10, at(8))]);
        assert!(rankings[0].standings[0].not_ranked.as_ref().unwrap().contains("floor"));
        assert_eq!(rankings[0].winner, Winner::Clear(1));
    }

    #[test]
    fn an_invalid_cell_is_not_ranked_however_fast() {
        let mut fast = cell("a", 10, 1, at(8));
        fast.verdict = Verdict::of(vec![Reason { kind: ReasonKind::Errors, detail: "x".into() }]);
        let rankings = ranked(&[fast, cell("b", 1_000, 10, at(8)), cell("c", 2_000, 10, at(8))]);
        assert_eq!(rankings[0].winner, Winner::Clear(1));
        assert_eq!(rankings[0].standings[0].ratio_to_best, None);
    }

    #[test]
    fn load_points_and_placements_are_ranked_apart() {
        let mut shared = cell("a", 1_000, 1, LoadRecord { placement: Placement::Shared, ..at(8) });
        shared.point = String::new();
        let mut other_point = cell("a", 1_000, 1, at(64));
        other_point.point = "c64".into();
        assert_eq!(ranked(&[cell("a", 1_000, 1, at(8)), shared, other_point]).len(), 3);
    }
}
