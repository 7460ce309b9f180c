//! Recording what a client measures: histograms per method and kind in intervals of a second (finer
//! in rounds below eight seconds), counts of errors and wrong answers.
//!
//! Recording a call allocates nothing and takes a few tens of nanoseconds; memory does not grow with
//! the number of calls. This module imports `result` and `scenario` and knows no protocol and no clock: every
//! time is passed in.

mod background;
mod recorder;
pub mod spare_time;
mod tally;

pub use background::{Background, IntervalSink};
pub use recorder::{Interval, IntervalLength, Kinds, Recorder, Sample};
pub use tally::{CallBytes, Tally};
