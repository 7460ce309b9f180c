//! Which back end serves a goal best, by how much, and when that cannot be said.
//!
//! A goal is a figure that a team selects by. Where an interval is wanted, it is that of the figure and
//! of the same figure of each valid round together: calls of one round share its luck, so that the
//! interval of the calls alone would be too narrow. Two back ends whose intervals overlap are tied.

use super::ranking::{Ranking, Winner, judged_times, rank};
use crate::result::{
    Bound, CapacityResult, CellResult, Figures, LoadModel, LoadRecord, MessageBytes, Quantiles,
};

/// What a team may want most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Goal {
    /// The lowest 99th percentile at this load.
    Tail,
    /// The lowest median at this load.
    Median,
    /// The most calls per second: those answered in a closed loop, or the capacity that was searched for.
    Throughput,
    /// The fewest bytes per call.
    Bytes,
    /// The least processor time per call, of both sides.
    Cpu,
}

impl Goal {
    /// Every goal, in the order in which people are asked.
    pub const ALL: [Goal; 5] = [Goal::Tail, Goal::Median, Goal::Throughput, Goal::Bytes, Goal::Cpu];

    /// Its short name, for addresses.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Goal::Tail => "p99",
            Goal::Median => "p50",
            Goal::Throughput => "rate",
            Goal::Bytes => "bytes",
            Goal::Cpu => "cpu",
        }
    }

    /// Whether more is better.
    #[must_use]
    pub fn more_is_better(self) -> bool {
        self == Goal::Throughput
    }

    /// Whether the goal is about times, which some loads cannot tell apart.
    fn needs_ranking(self) -> bool {
        matches!(self, Goal::Tail | Goal::Median | Goal::Throughput)
    }
}

/// Where bytes were counted: the farthest point that every back end of the load point has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteCount {
    /// By a relay between both sides.
    Wire,
    /// As handed to the sockets.
    Framed,
    /// As the codec made them.
    Encoded,
}

impl ByteCount {
    /// The bytes of one direction.
    #[must_use]
    pub fn of(self, bytes: &MessageBytes) -> Option<f64> {
        match self {
            ByteCount::Wire => bytes.wire,
            ByteCount::Framed => bytes.framed,
            ByteCount::Encoded => bytes.encoded,
        }
    }
}

/// A back end that is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contender {
    /// The cell's position in the run.
    pub cell: usize,
    /// Nanoseconds, calls per second, bytes, or microseconds, by the goal.
    pub value: f64,
    /// Where it lies.
    pub interval: [f64; 2],
}

/// How many times better the winner is than another back end: at least 1 where it is clear.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margin {
    /// The ratio of the two values.
    pub ratio: f64,
    /// The least and the most that the intervals allow.
    pub interval: [f64; 2],
}

/// The answer to a goal at one load point.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The goal.
    pub goal: Goal,
    /// Who are judged, the best first.
    pub contenders: Vec<Contender>,
    /// Who are not, and why.
    pub left_out: Vec<(usize, String)>,
    /// Who wins.
    pub winner: Winner,
    /// Of [`Goal::Bytes`]: where they were counted.
    pub counted: Option<ByteCount>,
    /// Of [`Goal::Throughput`]: the objective up to which a capacity was searched for.
    pub objective: Option<String>,
}

impl Answer {
    /// The best, whether or not it wins.
    #[must_use]
    pub fn best(&self) -> Option<&Contender> {
        self.contenders.first()
    }

    /// The best that is not tied with the winner: the second, or the first behind those that tie.
    #[must_use]
    pub fn runner_up(&self) -> Option<&Contender> {
        match &self.winner {
            Winner::Tied(tied) => self.contenders.iter().find(|one| !tied.contains(&one.cell)),
            _ => self.contenders.get(1),
        }
    }

    /// How many times better the best is than another.
    #[must_use]
    pub fn margin(&self, over: &Contender) -> Option<Margin> {
        let best = self.best()?;
        let ratio = |worse: f64, better: f64| if better > 0.0 { worse / better } else { f64::INFINITY };
        let ([best_low, best_high], [low, high]) = (best.interval, over.interval);
        Some(if self.goal.more_is_better() {
            Margin {
                ratio: ratio(best.value, over.value),
                interval: [ratio(best_low, high), ratio(best_high, low)],
            }
        } else {
            Margin {
                ratio: ratio(over.value, best.value),
                interval: [ratio(low, best_high), ratio(high, best_low)],
            }
        })
    }
}

/// The answers at one load point.
#[derive(Debug, Clone, PartialEq)]
pub struct PointAnswers {
    /// The load point's short name.
    pub point: String,
    /// Its load, as the first cell has it.
    pub load: LoadRecord,
    /// Its cells.
    pub cells: Vec<usize>,
    /// One per goal.
    pub answers: Vec<Answer>,
}

/// The answers of each load point, in the order of the run; `capacity` is what a search found, if there
/// was one.
#[must_use]
pub fn answers(cells: &[CellResult], capacity: &[CapacityResult]) -> Vec<PointAnswers> {
    rank(cells)
        .into_iter()
        .map(|ranking| PointAnswers {
            answers: Goal::ALL.into_iter().map(|goal| answer(goal, &ranking, cells, capacity)).collect(),
            cells: ranking.standings.iter().map(|standing| standing.cell).collect(),
            point: ranking.point,
            load: ranking.load,
        })
        .collect()
}

fn answer(goal: Goal, ranking: &Ranking, cells: &[CellResult], capacity: &[CapacityResult]) -> Answer {
    let searched = |cell: &CellResult| capacity.iter().find(|found| found.is_of(cell));
    let first = ranking.standings.first().and_then(|standing| cells.get(standing.cell));
    let objective =
        first.and_then(searched).filter(|_| goal == Goal::Throughput).map(|of| of.slo.join(" and "));
    let counted = (goal == Goal::Bytes).then(|| counted_by_all(ranking, cells));
    let mut contenders = Vec::new();
    let mut left_out = Vec::new();
    for standing in &ranking.standings {
        let Some(cell) = cells.get(standing.cell) else { continue };
        let general = standing
            .not_ranked
            .as_ref()
            .filter(|_| goal.needs_ranking() || !cell.verdict.is_valid() || cell.transport == "null");
        let found = searched(cell);
        if let (Goal::Tail | Goal::Median, Some(_)) = (goal, found) {
            let reason = "each back end was loaded up to its own capacity, so that their times are those of \
                          different loads";
            left_out.push((standing.cell, reason.to_owned()));
        } else if let (Goal::Throughput, Some(found)) = (goal, found) {
            match capacity_of(found) {
                Some((value, interval)) => {
                    contenders.push(Contender { cell: standing.cell, value, interval });
                }
                None => left_out.push((standing.cell, found.why.clone())),
            }
        } else if let Some(reason) = general {
            left_out.push((standing.cell, reason.clone()));
        } else if goal == Goal::Throughput && cell.load.model == LoadModel::Open {
            let reason = "its load is a schedule, which makes the rate; a closed loop or a sweep of rates \
                          shows what it can do";
            left_out.push((standing.cell, reason.to_owned()));
        } else if let Some((value, interval)) = value_of(goal, counted, cell) {
            contenders.push(Contender { cell: standing.cell, value, interval });
        } else {
            left_out.push((standing.cell, missing(goal).to_owned()));
        }
    }
    contenders.sort_by(|a, b| {
        let order = a.value.total_cmp(&b.value);
        if goal.more_is_better() { order.reverse() } else { order }
    });
    let winner = decide(goal, &contenders);
    Answer { goal, contenders, left_out, winner, counted, objective }
}

/// A capacity, and how much higher it may be: by the search's precision, or by nobody knows how much.
fn capacity_of(found: &CapacityResult) -> Option<(f64, [f64; 2])> {
    let rate = found.rate_per_s?;
    let high = match found.bound {
        Bound::Exact => rate * (1.0 + found.precision),
        Bound::AtLeast | Bound::None => f64::INFINITY,
    };
    Some((rate, [rate, high]))
}

fn decide(goal: Goal, contenders: &[Contender]) -> Winner {
    let Some(best) = contenders.first() else { return Winner::Nobody };
    if contenders.len() < 2 {
        return Winner::Nobody;
    }
    let overlaps = |other: &&Contender| {
        let ([best_low, best_high], [low, high]) = (best.interval, other.interval);
        if goal.more_is_better() { high >= best_low } else { low <= best_high }
    };
    let tied: Vec<usize> = contenders.iter().filter(overlaps).map(|one| one.cell).collect();
    if tied.len() > 1 { Winner::Tied(tied) } else { Winner::Clear(best.cell) }
}

fn missing(goal: Goal) -> &'static str {
    match goal {
        Goal::Tail => "it has too few calls for a 99th percentile",
        Goal::Median => "it has too few calls for a median",
        Goal::Throughput => "its rate was not measured",
        Goal::Bytes => "its bytes were not counted",
        Goal::Cpu => "the processor time of both sides was not measured",
    }
}

fn counted_by_all(ranking: &Ranking, cells: &[CellResult]) -> ByteCount {
    let valid = || {
        let of = ranking.standings.iter().filter_map(|standing| cells.get(standing.cell));
        of.filter(|cell| cell.verdict.is_valid() && cell.transport != "null")
    };
    let everywhere = |count: ByteCount| {
        valid().next().is_some() && valid().all(|cell| bytes_of(count, &cell.figures).is_some())
    };
    [ByteCount::Wire, ByteCount::Framed]
        .into_iter()
        .find(|count| everywhere(*count))
        .unwrap_or(ByteCount::Encoded)
}

/// Both directions together.
fn bytes_of(count: ByteCount, figures: &Figures) -> Option<f64> {
    let bytes = &figures.bytes_per_call;
    Some(count.of(&bytes.request)? + count.of(&bytes.response)?)
}

fn value_of(goal: Goal, counted: Option<ByteCount>, cell: &CellResult) -> Option<(f64, [f64; 2])> {
    let times = judged_times(cell);
    let own = match goal {
        Goal::Tail => times.intervals.p99,
        Goal::Median => times.intervals.p50,
        _ => None,
    };
    let value = figure(goal, counted, cell.load.model, &cell.figures)?;
    let [low, high] = own.map_or([value, value], |[low, high]| [low as f64, high as f64]);
    let rounds = cell.rounds.iter().filter(|round| round.verdict.is_valid());
    let interval = rounds
        .filter_map(|round| figure(goal, counted, cell.load.model, &round.figures))
        .fold([low.min(value), high.max(value)], |[low, high], of| [low.min(of), high.max(of)]);
    Some((value, interval))
}

fn figure(goal: Goal, counted: Option<ByteCount>, model: LoadModel, figures: &Figures) -> Option<f64> {
    let times: &Quantiles = match model {
        LoadModel::Open => &figures.response_ns,
        LoadModel::Closed => &figures.service_ns,
    };
    match goal {
        Goal::Tail => times.p99.map(|value| value as f64),
        Goal::Median => times.p50.map(|value| value as f64),
        Goal::Throughput => figures.rate_per_s,
        Goal::Bytes => bytes_of(counted?, figures),
        Goal::Cpu => Some(figures.cpu_us_per_call.client? + figures.cpu_us_per_call.server?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{CellDescription, Limits, cell_from_rounds};
    use crate::result::{CpuPerCall, Placement, QuantileIntervals, RoundRecord, Verdict};

    fn cell(backend: &str, p99: u64, half_width: u64, rate: f64) -> CellResult {
        let load = LoadRecord { concurrency: Some(8), ..LoadRecord::default() };
        let description = CellDescription { backend: backend.into(), load, ..CellDescription::default() };
        let mut cell = cell_from_rounds(description, &[], &Limits::default());
        cell.verdict = Verdict::default();
        let intervals = QuantileIntervals {
            p50: Some([p99 / 2, p99 / 2]),
            p99: Some([p99 - half_width, p99 + half_width]),
            ..QuantileIntervals::default()
        };
        cell.figures.service_ns =
            Quantiles { p50: Some(p99 / 2), p99: Some(p99), intervals, ..Quantiles::default() };
        cell.figures.rate_per_s = Some(rate);
        cell
    }

    fn answer_to(goal: Goal, cells: &[CellResult]) -> Answer {
        let found = answers(cells, &[]).remove(0).answers;
        found.into_iter().find(|answer| answer.goal == goal).unwrap()
    }

    #[test]
    fn the_best_wins_by_its_margin_over_the_runner_up() {
        let cells =
            [cell("slow", 3_000, 300, 10.0), cell("fast", 1_000, 100, 40.0), cell("mid", 2_000, 200, 20.0)];
        let answer = answer_to(Goal::Tail, &cells);
        assert_eq!((answer.winner.clone(), answer.runner_up().unwrap().cell), (Winner::Clear(1), 2));
        let margin = answer.margin(answer.runner_up().unwrap()).unwrap();
        assert_eq!(margin.ratio, 2.0);
        assert!((margin.interval[0] - 1_800.0 / 1_100.0).abs() < 1e-9, "{margin:?}");
        assert!((margin.interval[1] - 2_200.0 / 900.0).abs() < 1e-9, "{margin:?}");
        let answer = answer_to(Goal::Throughput, &cells);
        assert_eq!(answer.winner, Winner::Clear(1));
        assert_eq!(answer.margin(answer.runner_up().unwrap()).unwrap().ratio, 2.0);
    }

    #[test]
    fn overlapping_intervals_have_no_clear_winner_and_the_runner_up_is_behind_them() {
        let cells = [cell("a", 1_000, 100, 1.0), cell("b", 1_150, 100, 1.0), cell("c", 9_000, 100, 1.0)];
        let answer = answer_to(Goal::Tail, &cells);
        assert_eq!((answer.winner.clone(), answer.runner_up().unwrap().cell), (Winner::Tied(vec![0, 1]), 2));
    }

    #[test]
    fn rounds_widen_the_interval() {
        let mut cells = [cell("a", 1_000, 10, 100.0), cell("b", 1_150, 10, 90.0)];
        assert_eq!(answer_to(Goal::Throughput, &cells).winner, Winner::Clear(0));
        for (cell, rates) in cells.iter_mut().zip([[85.0, 110.0], [80.0, 95.0]]) {
            cell.rounds = rates
                .into_iter()
                .map(|rate| RoundRecord {
                    figures: Figures { rate_per_s: Some(rate), ..Figures::default() },
                    ..RoundRecord::default()
                })
                .collect();
        }
        assert_eq!(answer_to(Goal::Throughput, &cells).winner, Winner::Tied(vec![0, 1]));
    }

    #[test]
    fn bytes_are_compared_where_every_back_end_has_them() {
        let mut cells = [cell("a", 1_000, 10, 1.0), cell("b", 1_150, 10, 1.0)];
        for (cell, (encoded, framed)) in cells.iter_mut().zip([(10.0, 90.0), (20.0, 40.0)]) {
            for of in [&mut cell.figures.bytes_per_call.request, &mut cell.figures.bytes_per_call.response] {
                (of.encoded, of.framed) = (Some(encoded), Some(framed));
            }
        }
        let answer = answer_to(Goal::Bytes, &cells);
        assert_eq!((answer.counted, answer.winner), (Some(ByteCount::Framed), Winner::Clear(1)));
        cells[1].figures.bytes_per_call.request.framed = None;
        let answer = answer_to(Goal::Bytes, &cells);
        assert_eq!((answer.counted, answer.winner), (Some(ByteCount::Encoded), Winner::Clear(0)));
    }

    #[test]
    fn what_cannot_be_ranked_by_time_is_still_ranked_by_cost() {
        let mut cells = [cell("a", 1_000, 10, 1.0), cell("b", 1_150, 10, 1.0)];
        for (cell, us) in cells.iter_mut().zip([2.0, 3.0]) {
            cell.load.concurrency = Some(1);
            cell.load.placement = Placement::Split;
            cell.figures.cpu_us_per_call = CpuPerCall { client: Some(us), server: Some(us) };
        }
        assert_eq!(answer_to(Goal::Tail, &cells).winner, Winner::Nobody);
        assert_eq!(answer_to(Goal::Tail, &cells).left_out.len(), 2);
        assert_eq!(answer_to(Goal::Cpu, &cells).winner, Winner::Clear(0));
    }

    #[test]
    fn a_capacity_decides_and_a_lower_bound_wins_over_nobody_it_may_reach() {
        let mut cells = [cell("a", 1_000, 10, 1.0), cell("b", 1_150, 10, 1.0)];
        for cell in &mut cells {
            cell.load.model = LoadModel::Open;
            cell.figures.response_ns = cell.figures.service_ns;
        }
        let found = |backend: &str, rate, bound| CapacityResult {
            backend: backend.into(),
            point: String::new(),
            slo: vec!["p99 <= 5ms".into()],
            precision: 0.05,
            rate_per_s: Some(rate),
            bound,
            why: "why".into(),
            probes: Vec::new(),
        };
        let answer = |capacity: &[CapacityResult], goal: Goal| {
            let all = answers(&cells, capacity).remove(0).answers;
            all.into_iter().find(|answer| answer.goal == goal).unwrap()
        };
        let sure = [found("a", 500.0, Bound::Exact), found("b", 900.0, Bound::AtLeast)];
        assert_eq!(answer(&sure, Goal::Throughput).winner, Winner::Clear(1));
        assert_eq!(answer(&sure, Goal::Throughput).objective.as_deref(), Some("p99 <= 5ms"));
        assert_eq!(answer(&sure, Goal::Tail).left_out.len(), 2, "their loads differ");
        let unsure = [found("a", 500.0, Bound::AtLeast), found("b", 900.0, Bound::Exact)];
        assert_eq!(answer(&unsure, Goal::Throughput).winner, Winner::Tied(vec![1, 0]));
    }

    #[test]
    fn an_open_loop_has_no_throughput_of_its_own() {
        let mut cells = [cell("a", 1_000, 10, 1.0), cell("b", 1_150, 10, 1.0)];
        for cell in &mut cells {
            cell.load.model = LoadModel::Open;
            cell.figures.response_ns = cell.figures.service_ns;
        }
        let answer = answer_to(Goal::Throughput, &cells);
        assert!(answer.contenders.is_empty() && answer.left_out[0].1.contains("schedule"));
        assert_eq!(answer_to(Goal::Tail, &cells).winner, Winner::Clear(0));
    }
}
