//! Judgement: from the rounds of a cell to its figures, verdict, gates and rank.
//!
//! May import `result` and `scenario`. Pure: no I/O, no clock. It deliberately measures nothing (see
//! `record`) and draws nothing (see `report`). What each verdict means is in `METHODOLOGY.md`.

mod attribution;
mod capacity;
mod catches;
mod cell;
pub mod compare;
mod curves;
mod explain;
mod figures;
mod gates;
mod goals;
mod history;
mod load_stages;
mod outcome;
mod overload;
mod probe;
mod quantiles;
mod ranking;
mod side_by_side;
mod stability;
mod stages;
#[cfg(test)]
pub(crate) mod testing;
mod units;
mod unlike_answers;
mod verdict;
mod wire;

pub use attribution::{
    Attribution, Estimate, LeftOut, Metric, MetricParts, NamedCell, NamedParts, NotEstimable, PairCell,
    PairParts, Shares, UNEXPLAINED, attribute,
};
pub use capacity::Search;
pub use catches::{CODECS, Facts, PROTOCOLS, WITHOUT_STREAMS, catches, opens_all_the_time};
pub use cell::{CellDescription, RoundInput, cell_from_rounds};
pub use curves::curves;
pub use explain::{
    BytesRow, Cause, Caution, ConnectionFact, Difference, ExplainError, Explanation, Overview, Part, Side,
    StageGroup, StageRow, StagesDifference, explain, overview,
};
pub use figures::figures;
pub use gates::evaluate_gates;
pub use goals::{Answer, ByteCount, Contender, Goal, Margin, PointAnswers, answers};
pub use history::{IndexedCell, IndexedRun, Trend, TrendPoint, indexed, trends};
pub use outcome::{Outcome, outcome_of_run};
pub use overload::{Growth, growth};
pub use probe::{Judged, Probe, judge_probe, slows_down};
pub use quantiles::{
    CONFIDENCE, MIN_SAMPLES_ABOVE, QUANTILES, QuantileInterval, interval, quantile_interval, quantiles,
};
pub use ranking::{Ranking, Standing, Winner, rank};
pub use side_by_side::{NotComparable, SideBySide, SideCell, SideRow, SideRun, Unlike, side_by_side};
pub use stability::{Halves, halves};
pub use units::{count, duration_ns, duration_us, rate_per_s, three_digits};
pub use unlike_answers::{UnlikeAnswers, unlike_answers};
pub use verdict::{Limits, round_reasons};
pub use wire::add_wire;
