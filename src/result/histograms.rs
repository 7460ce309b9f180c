//! The merged histograms of a run's cells.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::hlog::{self, HlogError, Interval, Kind};
use super::series::{RoundSeries, round_series};

/// The histograms of one cell by method and kind, in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CellHistograms {
    by_method: BTreeMap<(String, Kind), Histogram<u64>>,
    /// Rounds by themselves, thinned: whole histograms of every second would not fit into memory.
    pub rounds: Vec<RoundSeries>,
}

impl CellHistograms {
    /// Adds the intervals of a round.
    ///
    /// # Errors
    /// A count does not fit in 64 bits.
    pub fn add<'a>(&mut self, intervals: impl IntoIterator<Item = &'a Interval>) -> Result<(), HlogError> {
        for interval in intervals {
            hlog::add(&mut self.by_method, &interval.method, interval.kind, &interval.histogram)?;
        }
        Ok(())
    }

    /// Adds the intervals of a round, and keeps the round by itself in `rounds` too. `round` is its
    /// position in the cell.
    ///
    /// # Errors
    /// A count does not fit in 64 bits.
    pub fn add_round(&mut self, round: usize, intervals: &[Interval]) -> Result<(), HlogError> {
        self.add(intervals)?;
        self.rounds.push(round_series(round, intervals)?);
        Ok(())
    }

    /// The methods that have a histogram of a kind, in order.
    pub fn methods(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.by_method.keys().filter(move |(_, of)| *of == kind).map(|(method, _)| &**method)
    }

    /// The histogram of one method.
    #[must_use]
    pub fn of(&self, method: &str, kind: Kind) -> Option<&Histogram<u64>> {
        self.by_method.get(&(method.to_owned(), kind))
    }

    /// The histogram of all methods together; `None` where nothing was recorded.
    #[must_use]
    pub fn all(&self, kind: Kind) -> Option<Histogram<u64>> {
        let mut found: Option<Histogram<u64>> = None;
        for ((_, of), histogram) in &self.by_method {
            if *of != kind {
                continue;
            }
            match &mut found {
                None => found = Some(histogram.clone()),
                // All of them come from `hlog::add`, which lets them grow: adding cannot fail.
                Some(sum) => sum.add(histogram).ok()?,
            }
        }
        found
    }
}

/// The histograms of every cell, in the order of the run's cells.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histograms {
    /// One per cell.
    pub cells: Vec<CellHistograms>,
    /// Files that could not be read, in sentences for the report.
    pub missing: Vec<String>,
}

impl Histograms {
    /// Those of a cell; `None` where the run has no such cell.
    #[must_use]
    pub fn cell(&self, index: usize) -> Option<&CellHistograms> {
        self.cells.get(index)
    }
}
