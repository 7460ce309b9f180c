//! Is the candidate slower than the base? Statistics on pairs of rounds.
//!
//! The unit is the round, never the call: calls of one round share its luck. A round of the base and one
//! of the candidate, made one after the other in an order decided by a coin, are a pair; from each pair
//! and metric comes one number, the logarithm of the candidate's figure divided by the base's, turned so
//! that positive is worse. [`Differences`] has the numbers of a metric and everything exact that follows
//! from them; [`decide()`] gives the verdicts over several metrics; [`plan_looks`] says when one may look;
//! [`power`] says what can be found.
//!
//! [`judge()`] puts them together for the figures of a check's rounds, and [`sentence()`] says what came of it.
//!
//! Pure. It deliberately makes no rounds: that is `run`'s work.

mod bytes;
mod capacity;
mod decide;
mod drops;
mod judge;
mod looks;
mod metric;
mod paired;
pub mod power;
mod sentence;
mod signed_rank;

pub use bytes::compare_bytes;
pub use capacity::{CoarseSearch, capacities, capacity_of, middle_of, search_precision, start_of_pair};
pub use decide::{Decided, Margins, Measured, Verdict, decide, is_settled};
pub use drops::{Drops, OVERLOADED_TIMES};
pub use judge::{Gate, PairFigures, calibrated, judge, status};
pub use looks::{Look, TooFewPairs, fewest_pairs, plan_looks};
pub use metric::{figure, label, shown_metrics};
pub use paired::Differences;
pub use sentence::{better, change, in_unit, sentence};
pub use signed_rank::SignedRank;
