//! Why one protocol is faster than another: what the codec, the transport, their combination and the
//! envelope add to a call.
//!
//! The model adds: `figure = base + codec + transport + interaction`, and `+ envelope` for a named protocol.
//! The parts of a call follow each other (encode, carry, decode), so their times, their processor time and
//! their bytes are sums; a codec costs the same microseconds over a slow transport as over a fast one. On a
//! logarithmic scale, on which effects are ratios, that same codec would seem to cost little over the slow
//! one and much over the fast one. What does not add up is the interaction, which is shown.
//!
//! Codec and transport come from the free pairs alone, because they share one envelope. The envelope's cost
//! is the named protocol less the free pair of its codec and transport. Pure, as all of `analysis`.

mod estimate;
mod fit;
mod metric;
mod table;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use estimate::Estimate;
pub(in crate::analysis) use estimate::{Spread, jackknife};
pub use metric::Metric;
pub(in crate::analysis) use table::{MetricTable, Parts, Series, Table, difference_of_load, is_ours};

use super::quantiles::CONFIDENCE;
use crate::result::CellResult;

/// The most that may be left unexplained of a protocol's figure before it is said, as a share.
pub const UNEXPLAINED: f64 = 0.15;

/// A free pair of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PairCell {
    /// The cell's position in the run.
    pub cell: usize,
    /// The back end's name.
    pub backend: String,
    /// The position of its codec in [`Attribution::codecs`].
    pub codec: usize,
    /// The position of its transport in [`Attribution::transports`].
    pub transport: usize,
}

/// A named protocol of the run, served by us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedCell {
    /// The cell's position in the run.
    pub cell: usize,
    /// The back end's name.
    pub backend: String,
    /// The protocol.
    pub protocol: String,
    /// Its codec.
    pub codec: String,
    /// Its transport.
    pub transport: String,
}

/// A cell that is not taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The back end's name.
    pub backend: String,
    /// Why.
    pub why: String,
}

/// A load point taken apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attribution {
    /// The load point's short name; empty where the run has one only.
    pub point: String,
    /// The codecs of the free pairs.
    pub codecs: Vec<String>,
    /// The transports of the free pairs.
    pub transports: Vec<String>,
    /// The free pairs.
    pub pairs: Vec<PairCell>,
    /// The named protocols.
    pub named: Vec<NamedCell>,
    /// Cells of ours that could have been taken apart, and why they are not.
    pub left_out: Vec<LeftOut>,
    /// Each metric that was measured for every pair.
    pub metrics: Vec<MetricParts>,
}

/// One metric taken apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricParts {
    /// The metric, with its unit.
    pub metric: Metric,
    /// How many rounds it rests on.
    pub rounds: usize,
    /// The middle of the table.
    pub base: Estimate,
    /// What each codec adds to it; they sum to 0.
    pub codecs: Vec<Estimate>,
    /// What each transport adds to it; they sum to 0.
    pub transports: Vec<Estimate>,
    /// Each free pair.
    pub pairs: Vec<PairParts>,
    /// Each named protocol.
    pub named: Vec<NamedParts>,
    /// How the differences between the pairs divide; null where not every codec goes over every transport.
    pub shares: Option<Shares>,
}

/// A free pair's figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairParts {
    /// What was measured.
    pub measured: Estimate,
    /// What codec and transport add up to.
    pub sum: f64,
    /// What is left; null where there are no more pairs than effects, so that nothing can be.
    pub interaction: Option<Estimate>,
    /// Whether that is beyond what rounds differ by, for all pairs together (95 %, Bonferroni).
    pub is_significant: bool,
}

/// A named protocol's figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NamedParts {
    /// What was measured; null where this metric was not, of this protocol.
    pub measured: Option<Estimate>,
    /// What its envelope adds to the free pair of its codec and transport; null where the run lacks that.
    pub envelope: Option<Estimate>,
    /// Base, codec and transport, the interaction where it is significant, and the envelope; null where the
    /// codec or the transport is in no free pair.
    pub predicted: Option<f64>,
    /// Measured less predicted.
    pub unexplained: Option<f64>,
    /// Whether that is at most [`UNEXPLAINED`] of what was measured.
    pub is_explained: Option<bool>,
    /// What the other pairs alone say of it: without its own pair and without an envelope, as if this
    /// combination had never been measured.
    pub forecast: Option<Estimate>,
}

/// How the sum of squared differences between pairs divides; the three are 1 together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Shares {
    /// Between codecs.
    pub codec: f64,
    /// Between transports.
    pub transport: f64,
    /// What does not add up, and noise.
    pub interaction: f64,
}

/// Why codec and transport cannot be told apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotEstimable {
    /// There are no free pairs to compare.
    #[error(
        "the run has {}; codec and transport are told apart by comparing free pairs: wirebench run attribution",
        if *.pairs == 0 { "no free pair" } else { "one free pair only" }
    )]
    TooFewPairs {
        /// How many there are.
        pairs: usize,
    },
    /// Nothing leads from one group of pairs to another.
    #[error(
        "the free pairs fall into groups that share no codec and no transport ({}): nothing tells whether they \
         differ by the one or by the other; add a pair that has its codec in one group and its transport in another",
        groups.iter().map(|group| group.join(", ")).collect::<Vec<_>>().join(" | ")
    )]
    Apart {
        /// The back ends of each group.
        groups: Vec<Vec<String>>,
    },
}

/// Takes a load point apart; `point` is its short name, empty where the run has one only.
///
/// # Errors
/// The run's free pairs do not tell codec and transport apart.
pub fn attribute(cells: &[CellResult], point: &str) -> Result<Attribution, NotEstimable> {
    let table = Table::new(cells, point)?;
    let metrics = Metric::ALL.into_iter().filter_map(|metric| take_apart(&table, cells, metric)).collect();
    let Table { codecs, transports, pairs, named, left_out } = table;
    Ok(Attribution { point: point.to_owned(), codecs, transports, pairs, named, left_out, metrics })
}

fn take_apart(table: &Table, cells: &[CellResult], metric: Metric) -> Option<MetricParts> {
    let figures = table.figures(cells, metric)?;
    let rounds = figures.rounds();
    let estimates = |pick: &dyn Fn(&Parts) -> Option<Vec<f64>>| {
        jackknife(rounds, |without| pick(&figures.parts(without)?))
    };
    let plain = |spreads: Vec<Spread>| spreads.into_iter().map(|one| one.at(CONFIDENCE)).collect::<Vec<_>>();
    let base = estimates(&|parts| Some(vec![parts.fit.base]))?.first()?.at(CONFIDENCE);
    let codecs = plain(estimates(&|parts| Some(parts.fit.rows.clone()))?);
    let transports = plain(estimates(&|parts| Some(parts.fit.columns.clone()))?);
    let whole = figures.parts(None)?;
    let measured = plain(estimates(&|parts| Some(parts.pairs.clone()))?);
    let places = table.places();
    let rest = |parts: &Parts| {
        let rest = |(figure, place): (&f64, &fit::Place)| figure - parts.fit.at(*place);
        Some(parts.pairs.iter().zip(&places).map(rest).collect())
    };
    let interactions = estimates(&rest).filter(|_| table.has_interaction());
    // One of so many intervals would miss 0 by chance.
    let for_all = 1.0 - (1.0 - CONFIDENCE) / places.len() as f64;
    let pairs: Vec<PairParts> = measured
        .into_iter()
        .zip(&places)
        .enumerate()
        .map(|(index, (measured, place))| {
            let interaction = interactions.as_ref().and_then(|all| all.get(index));
            PairParts {
                measured,
                sum: whole.fit.at(*place),
                interaction: interaction.map(|one| one.at(CONFIDENCE)),
                is_significant: interaction.is_some_and(|one| one.at(for_all).is_certain()),
            }
        })
        .collect();
    let named = (0..table.named.len())
        .map(|index| named_parts(table, &figures, &whole, &pairs, index))
        .collect::<Option<Vec<_>>>()?;
    let shares = table.is_complete().then(|| shares(&whole, &places)).flatten();
    Some(MetricParts { metric, rounds, base, codecs, transports, pairs, named, shares })
}

fn named_parts(
    table: &Table,
    figures: &MetricTable<'_>,
    whole: &Parts,
    pairs: &[PairParts],
    index: usize,
) -> Option<NamedParts> {
    let named = table.named.get(index)?;
    let one = |pick: &dyn Fn(Option<usize>) -> Option<f64>| {
        let spreads = jackknife(figures.rounds(), |without| Some(vec![pick(without)?]))?;
        spreads.first().map(|spread| spread.at(CONFIDENCE))
    };
    let figure = |parts: &Parts| parts.named.get(index).copied().flatten();
    let measured = one(&|without| figure(&figures.parts(without)?));
    let place = table.place_of(&named.codec, &named.transport);
    let pair = place.and_then(|place| table.pair_at(place));
    let envelope = pair.and_then(|pair| {
        one(&|without| {
            let parts = figures.parts(without)?;
            Some(figure(&parts)? - parts.pairs.get(pair)?)
        })
    });
    let interaction = pair.and_then(|pair| pairs.get(pair)).filter(|pair| pair.is_significant);
    let interaction = interaction.and_then(|pair| pair.interaction).map_or(0.0, |found| found.value);
    let predicted = place
        .map(|place| whole.fit.at(place) + interaction + envelope.map_or(0.0, |envelope| envelope.value));
    let value = measured.map(|measured| measured.value);
    let unexplained = predicted.zip(value).map(|(predicted, value)| value - predicted);
    let forecast = match (pair, place) {
        (Some(pair), _) => one(&|without| figures.forecast(pair, without)),
        (None, Some(place)) => one(&|without| Some(figures.parts(without)?.fit.at(place))),
        (None, None) => None,
    };
    Some(NamedParts {
        measured,
        envelope,
        predicted,
        unexplained,
        is_explained: unexplained.zip(value).map(|(rest, value)| rest.abs() <= UNEXPLAINED * value.abs()),
        forecast,
    })
}

/// Of a complete table, in which the three sums of squares are independent of each other.
fn shares(whole: &Parts, places: &[fit::Place]) -> Option<Shares> {
    let mut sums = [0.0; 3];
    for (figure, (row, column)) in whole.pairs.iter().zip(places) {
        let parts = [
            *whole.fit.rows.get(*row)?,
            *whole.fit.columns.get(*column)?,
            figure - whole.fit.at((*row, *column)),
        ];
        for (sum, part) in sums.iter_mut().zip(parts) {
            *sum += part * part;
        }
    }
    let all: f64 = sums.iter().sum();
    let [codec, transport, interaction] = sums.map(|sum| sum / all);
    (all > 0.0).then_some(Shares { codec, transport, interaction })
}
