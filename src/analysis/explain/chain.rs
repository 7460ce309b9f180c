//! The difference of two cells, link by link: implementation, envelope, codec, transport, and what is left.

use serde::Serialize;

use super::super::attribution::{
    Metric, MetricTable, Parts, Series, Table, difference_of_load, is_ours, jackknife,
};
use super::super::quantiles::CONFIDENCE;
use super::Estimate;
use crate::result::CellResult;

/// What a part of a difference comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Cause {
    /// Another codec.
    Codec {
        /// Of the slower one.
        slower: String,
        /// Of the faster one.
        faster: String,
    },
    /// Another transport.
    Transport {
        /// Of the slower one.
        slower: String,
        /// Of the faster one.
        faster: String,
    },
    /// What codec and transport together do otherwise than the sum of the two: unexplained.
    Interaction,
    /// What the protocols' envelopes add to the free pairs of their codecs and transports.
    Envelope {
        /// The slower one's protocol; null for a free pair.
        slower: Option<String>,
        /// The faster one's protocol; null for a free pair.
        faster: Option<String>,
    },
    /// A server that is not ours, against ours of the same protocol.
    Implementation {
        /// The back end whose server is not ours.
        backend: String,
        /// Our back end of that protocol.
        ours: String,
        /// Whether the slower one is meant.
        of_slower: bool,
    },
    /// Everything that was not told apart: codec, transport, envelope and, where it is not ours, the
    /// implementation, as far as they differ.
    Protocol {
        /// What differs between the two.
        what: Vec<String>,
    },
}

/// A part of a difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// Where it comes from.
    pub cause: Cause,
    /// How much, in the metric's unit; negative where it is in the slower one's favour.
    pub amount: Estimate,
}

/// The difference in one metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The metric, with its unit.
    pub metric: Metric,
    /// Of the slower back end.
    pub slower: Estimate,
    /// Of the faster one.
    pub faster: Estimate,
    /// Slower less faster, round by round.
    pub difference: Estimate,
    /// What it consists of; the parts add up to it.
    pub parts: Vec<Part>,
}

/// How a cell is reached from the table of free pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Path {
    /// Our own cell of its protocol, where the cell itself is not ours.
    ours: Option<usize>,
    link: Option<Link>,
}

/// Where our own cell stands in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Pair(usize),
    /// A named protocol, with the pair of its codec and transport.
    Named {
        named: usize,
        pair: usize,
    },
}

pub(super) fn differences(
    cells: &[CellResult],
    slow: usize,
    fast: usize,
    table: Option<&Table>,
) -> Vec<Difference> {
    let mut paths = [slow, fast].map(|cell| path(cells, cell, table));
    // Two servers of one protocol, neither of them ours: the way by ours would lead there and back.
    if paths[0].ours.is_some() && paths[0].ours == paths[1].ours {
        paths = [Path { ours: None, link: None }; 2];
    }
    Metric::ALL
        .into_iter()
        .filter_map(|metric| difference(cells, [slow, fast], paths, table, metric))
        .collect()
}

fn path(cells: &[CellResult], index: usize, table: Option<&Table>) -> Path {
    let nowhere = Path { ours: None, link: None };
    let Some(cell) = cells.get(index) else { return nowhere };
    let is_same_protocol = |other: &&(usize, &CellResult)| {
        is_ours(other.1)
            && other.1.verdict.is_valid()
            && cell.protocol.is_some()
            && other.1.protocol == cell.protocol
            && other.1.point == cell.point
            && difference_of_load(other.1, cell).is_none()
    };
    let ours = if is_ours(cell) {
        None
    } else {
        cells.iter().enumerate().find(|other| is_same_protocol(&other)).map(|(index, _)| index)
    };
    if ours.is_none() && !is_ours(cell) {
        return nowhere;
    }
    let standing = ours.unwrap_or(index);
    let link = table.and_then(|table| {
        if let Some(pair) = table.pairs.iter().position(|pair| pair.cell == standing) {
            return Some(Link::Pair(pair));
        }
        let named = table.named.iter().position(|named| named.cell == standing)?;
        let of = table.named.get(named)?;
        let pair = table.pair_at(table.place_of(&of.codec, &of.transport)?)?;
        Some(Link::Named { named, pair })
    });
    Path { ours, link }
}

fn difference(
    cells: &[CellResult],
    [slow, fast]: [usize; 2],
    paths: [Path; 2],
    table: Option<&Table>,
    metric: Metric,
) -> Option<Difference> {
    let series = |cell: usize| cells.get(cell).map(|cell| Series::of(cell, metric));
    let (of_slow, of_fast) = (series(slow)?, series(fast)?);
    let ours = paths.map(|path| path.ours.and_then(series));
    let figures = table.and_then(|table| table.figures(cells, metric));
    let all = [Some(&of_slow), Some(&of_fast), ours[0].as_ref(), ours[1].as_ref()];
    let own_rounds = all.into_iter().flatten().map(Series::rounds).max().unwrap_or(0);
    let rounds = own_rounds.max(figures.as_ref().map_or(0, MetricTable::rounds));
    let one = |figure: &dyn Fn(Option<usize>) -> Option<f64>| {
        let spreads = jackknife(rounds, |without| Some(vec![figure(without)?]))?;
        spreads.first().map(|spread| spread.at(CONFIDENCE))
    };
    let slower = one(&|without| of_slow.mean(without))?;
    let faster = one(&|without| of_fast.mean(without))?;
    let difference = one(&|without| Some(of_slow.mean(without)? - of_fast.mean(without)?))?;

    let mut parts = Vec::new();
    for (side, ours) in ours.iter().enumerate() {
        let Some(ours) = ours else { continue };
        let foreign = if side == 0 { &of_slow } else { &of_fast };
        let sign = if side == 0 { 1.0 } else { -1.0 };
        let Some(amount) = one(&|without| Some(sign * (foreign.mean(without)? - ours.mean(without)?))) else {
            continue;
        };
        let name = |cell: Option<usize>| {
            cell.and_then(|cell| cells.get(cell)).map_or_else(String::new, |cell| cell.backend.clone())
        };
        let backend = name(Some(if side == 0 { slow } else { fast }));
        let ours = name(paths.get(side).and_then(|path| path.ours));
        parts.push(Part { cause: Cause::Implementation { backend, ours, of_slower: side == 0 }, amount });
    }
    let standing = [ours[0].as_ref().unwrap_or(&of_slow), ours[1].as_ref().unwrap_or(&of_fast)];
    let split = match (table, figures.as_ref(), paths[0].link, paths[1].link) {
        (Some(table), Some(figures), Some(of_slow), Some(of_fast)) => {
            split(table, figures, rounds, of_slow, of_fast)
        }
        _ => None,
    };
    parts.extend(split.unwrap_or_else(|| {
        let rest = one(&|without| Some(standing[0].mean(without)? - standing[1].mean(without)?));
        lumped(cells, [slow, fast], paths, rest).into_iter().collect()
    }));
    parts.sort_by(|a, b| b.amount.value.abs().total_cmp(&a.amount.value.abs()));
    Some(Difference { metric, slower, faster, difference, parts })
}

/// What is left in one part; nothing where nothing differs any more.
fn lumped(
    cells: &[CellResult],
    [slow, fast]: [usize; 2],
    paths: [Path; 2],
    rest: Option<Estimate>,
) -> Option<Part> {
    let same_cell = paths[0].ours.unwrap_or(slow) == paths[1].ours.unwrap_or(fast);
    let (slower, faster) = (cells.get(slow)?, cells.get(fast)?);
    let mut what = Vec::new();
    let mut add = |name: &str, differs: bool| {
        if differs {
            what.push(name.to_owned());
        }
    };
    add("codec", slower.codec != faster.codec);
    add("transport", slower.transport != faster.transport);
    add("envelope", slower.protocol != faster.protocol);
    let unreached = |path: Path, cell: &CellResult| path.ours.is_none() && !is_ours(cell);
    add("implementation", unreached(paths[0], slower) || unreached(paths[1], faster));
    rest.filter(|_| !same_cell).map(|amount| Part { cause: Cause::Protocol { what }, amount })
}

/// Codec, transport, interaction and envelope of the two; parts that both have in common are left out.
fn split(
    table: &Table,
    figures: &MetricTable<'_>,
    rounds: usize,
    slow: Link,
    fast: Link,
) -> Option<Vec<Part>> {
    let pair_of = |link: Link| match link {
        Link::Pair(pair) | Link::Named { pair, .. } => pair,
    };
    let envelope = |parts: &Parts, link: Link| match link {
        Link::Pair(_) => Some(0.0),
        Link::Named { named, pair } => {
            Some(parts.named.get(named).copied().flatten()? - parts.pairs.get(pair)?)
        }
    };
    let (slow_pair, fast_pair) = (table.pairs.get(pair_of(slow))?, table.pairs.get(pair_of(fast))?);
    let amounts = jackknife(rounds, |without| {
        let parts = figures.parts(without)?;
        let effect =
            |effects: &[f64], slow: usize, fast: usize| Some(effects.get(slow)? - effects.get(fast)?);
        let rest = |index: usize| {
            let pair = table.pairs.get(index)?;
            Some(parts.pairs.get(index)? - parts.fit.at((pair.codec, pair.transport)))
        };
        Some(vec![
            effect(&parts.fit.rows, slow_pair.codec, fast_pair.codec)?,
            effect(&parts.fit.columns, slow_pair.transport, fast_pair.transport)?,
            rest(pair_of(slow))? - rest(pair_of(fast))?,
            envelope(&parts, slow)? - envelope(&parts, fast)?,
        ])
    })?;
    let name = |levels: &[String], level: usize| levels.get(level).cloned().unwrap_or_default();
    let protocol = |link: Link| match link {
        Link::Pair(_) => None,
        Link::Named { named, .. } => table.named.get(named).map(|named| named.protocol.clone()),
    };
    let causes = [
        (slow_pair.codec != fast_pair.codec).then(|| Cause::Codec {
            slower: name(&table.codecs, slow_pair.codec),
            faster: name(&table.codecs, fast_pair.codec),
        }),
        (slow_pair.transport != fast_pair.transport).then(|| Cause::Transport {
            slower: name(&table.transports, slow_pair.transport),
            faster: name(&table.transports, fast_pair.transport),
        }),
        (pair_of(slow) != pair_of(fast) && table.has_interaction()).then_some(Cause::Interaction),
        (protocol(slow) != protocol(fast))
            .then(|| Cause::Envelope { slower: protocol(slow), faster: protocol(fast) }),
    ];
    let part = |(cause, amount): (Option<Cause>, &super::super::attribution::Spread)| {
        Some(Part { cause: cause?, amount: amount.at(CONFIDENCE) })
    };
    Some(causes.into_iter().zip(&amounts).filter_map(part).collect())
}
