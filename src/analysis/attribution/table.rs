//! Which cells of a load point are taken apart, and their figures round by round.

use super::fit::{self, Fit, Place};
use super::metric::Metric;
use super::{LeftOut, NamedCell, NotEstimable, PairCell};
use crate::result::{CellResult, OURS};

/// A cell's figure in each round; none where the round does not count.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::analysis) struct Series(Vec<Option<f64>>);

impl Series {
    pub(in crate::analysis) fn of(cell: &CellResult, metric: Metric) -> Self {
        let figure = |round: &crate::result::RoundRecord| {
            metric.of(&round.figures, &cell.load).filter(|_| round.verdict.is_valid())
        };
        Self(cell.rounds.iter().map(figure).collect())
    }

    /// How many rounds there are, counted or not.
    pub(in crate::analysis) fn rounds(&self) -> usize {
        self.0.len()
    }

    /// The mean over the rounds, but for the one that is left out.
    pub(in crate::analysis) fn mean(&self, without: Option<usize>) -> Option<f64> {
        let kept = self.0.iter().enumerate().filter(|(round, _)| Some(*round) != without);
        let (sum, count) =
            kept.filter_map(|(_, figure)| *figure).fold((0.0, 0_u32), |(sum, n), one| (sum + one, n + 1));
        (count > 0).then(|| sum / f64::from(count))
    }
}

/// The cells of one load point that can be taken apart.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::analysis) struct Table {
    pub(in crate::analysis) codecs: Vec<String>,
    pub(in crate::analysis) transports: Vec<String>,
    pub(in crate::analysis) pairs: Vec<PairCell>,
    pub(in crate::analysis) named: Vec<NamedCell>,
    pub(in crate::analysis) left_out: Vec<LeftOut>,
}

/// What the figures of one metric come to without one of the rounds.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::analysis) struct Parts {
    pub(in crate::analysis) fit: Fit,
    /// Of each pair.
    pub(in crate::analysis) pairs: Vec<f64>,
    /// Of each named protocol; none where it was not measured.
    pub(in crate::analysis) named: Vec<Option<f64>>,
}

/// Our own servers, whose only difference is what they speak.
pub(in crate::analysis) fn is_ours(cell: &CellResult) -> bool {
    cell.implementation.as_deref() == Some(OURS)
}

/// What else differs between two cells than what they speak; none where nothing does.
pub(in crate::analysis) fn difference_of_load(one: &CellResult, other: &CellResult) -> Option<&'static str> {
    let (a, b) = (&one.load, &other.load);
    let differs = [
        (a.placement != b.placement, "placement"),
        (a.model != b.model, "load model"),
        (a.connection_mode != b.connection_mode, "connection mode"),
        (a.idle != b.idle, "idling"),
        (a.socket != b.socket, "kind of socket"),
        (a.compression != b.compression, "compression"),
        (a.payload_bytes != b.payload_bytes, "payload size"),
        ((one.hosting == "in-process") != (other.hosting == "in-process"), "hosting"),
        (a.server_threads.zip(b.server_threads).is_some_and(|(a, b)| a != b), "number of server threads"),
    ];
    differs.into_iter().find(|(differs, _)| *differs).map(|(_, what)| what)
}

impl Table {
    /// Finds the free pairs and named protocols of a load point.
    pub(in crate::analysis) fn new(cells: &[CellResult], point: &str) -> Result<Self, NotEstimable> {
        let mut table =
            Self { codecs: vec![], transports: vec![], pairs: vec![], named: vec![], left_out: vec![] };
        let mut first: Option<&CellResult> = None;
        for (index, cell) in cells.iter().enumerate().filter(|(_, cell)| cell.point == point) {
            // The registry's name of the transport that is none: it is the harness's own floor.
            if !is_ours(cell) || cell.transport == "null" {
                continue;
            }
            let why = if cell.verdict.is_valid() {
                let differs = first.and_then(|first| difference_of_load(first, cell));
                differs.map(|what| format!("its {what} is another than that of the other cells"))
            } else {
                Some("its measurement is not valid".to_owned())
            };
            if let Some(why) = why {
                table.left_out.push(LeftOut { backend: cell.backend.clone(), why });
                continue;
            }
            first = first.or(Some(cell));
            table.add(index, cell);
        }
        table.check()?;
        Ok(table)
    }

    fn add(&mut self, index: usize, cell: &CellResult) {
        let backend = cell.backend.clone();
        if let Some(protocol) = &cell.protocol {
            let (codec, transport) = (cell.codec.clone(), cell.transport.clone());
            self.named.push(NamedCell { cell: index, backend, protocol: protocol.clone(), codec, transport });
            return;
        }
        let level = |levels: &mut Vec<String>, name: &str| {
            levels.iter().position(|known| known == name).unwrap_or_else(|| {
                levels.push(name.to_owned());
                levels.len() - 1
            })
        };
        let place = (level(&mut self.codecs, &cell.codec), level(&mut self.transports, &cell.transport));
        if self.pair_at(place).is_some() {
            let why = "another back end is the same pair".to_owned();
            self.left_out.push(LeftOut { backend, why });
            return;
        }
        self.pairs.push(PairCell { cell: index, backend, codec: place.0, transport: place.1 });
    }

    fn check(&self) -> Result<(), NotEstimable> {
        if self.pairs.len() < 2 {
            return Err(NotEstimable::TooFewPairs { pairs: self.pairs.len() });
        }
        let groups = fit::groups(&self.places());
        if groups.len() > 1 {
            let name = |pair: &PairCell| pair.backend.clone();
            let named = |group: &Vec<usize>| {
                group.iter().filter_map(|pair| self.pairs.get(*pair)).map(name).collect()
            };
            return Err(NotEstimable::Apart { groups: groups.iter().map(named).collect() });
        }
        Ok(())
    }

    pub(super) fn places(&self) -> Vec<Place> {
        self.pairs.iter().map(|pair| (pair.codec, pair.transport)).collect()
    }

    /// The position among the pairs of the pair of these levels.
    pub(in crate::analysis) fn pair_at(&self, place: Place) -> Option<usize> {
        self.pairs.iter().position(|pair| (pair.codec, pair.transport) == place)
    }

    /// The levels of these names; each of them must be among the free pairs.
    pub(in crate::analysis) fn place_of(&self, codec: &str, transport: &str) -> Option<Place> {
        let level = |levels: &[String], name: &str| levels.iter().position(|known| known == name);
        Some((level(&self.codecs, codec)?, level(&self.transports, transport)?))
    }

    /// Whether there are more pairs than effects, so that something can be left over.
    pub(in crate::analysis) fn has_interaction(&self) -> bool {
        self.pairs.len() > self.codecs.len() + self.transports.len() - 1
    }

    /// Whether every codec goes over every transport.
    pub(super) fn is_complete(&self) -> bool {
        self.pairs.len() == self.codecs.len() * self.transports.len()
    }

    /// The figures of a metric; none where a pair lacks it.
    pub(in crate::analysis) fn figures<'t>(
        &'t self,
        cells: &[CellResult],
        metric: Metric,
    ) -> Option<MetricTable<'t>> {
        let series = |cell: usize| cells.get(cell).map_or(Series(vec![]), |cell| Series::of(cell, metric));
        let pairs: Vec<Series> = self.pairs.iter().map(|pair| series(pair.cell)).collect();
        let named: Vec<Series> = self.named.iter().map(|named| series(named.cell)).collect();
        pairs.iter().all(|pair| pair.mean(None).is_some()).then_some(MetricTable {
            table: self,
            pairs,
            named,
        })
    }
}

/// A table with the figures of one metric.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::analysis) struct MetricTable<'t> {
    table: &'t Table,
    pairs: Vec<Series>,
    named: Vec<Series>,
}

impl MetricTable<'_> {
    pub(in crate::analysis) fn rounds(&self) -> usize {
        self.pairs.iter().chain(&self.named).map(Series::rounds).max().unwrap_or(0)
    }

    /// What the figures come to without one of the rounds.
    pub(in crate::analysis) fn parts(&self, without: Option<usize>) -> Option<Parts> {
        let pairs: Option<Vec<f64>> = self.pairs.iter().map(|pair| pair.mean(without)).collect();
        let pairs = pairs?;
        let figures: Vec<(Place, f64)> = self.table.places().into_iter().zip(pairs.iter().copied()).collect();
        Some(Parts {
            fit: fit::fit(self.table.codecs.len(), self.table.transports.len(), &figures)?,
            pairs,
            named: self.named.iter().map(|named| named.mean(without)).collect(),
        })
    }

    /// What the other pairs say of a pair; none where they cannot.
    pub(super) fn forecast(&self, pair: usize, without: Option<usize>) -> Option<f64> {
        let places = self.table.places();
        let others = || (0..places.len()).filter(|other| *other != pair);
        let figure = |other: usize| Some((*places.get(other)?, self.pairs.get(other)?.mean(without)?));
        let figures: Option<Vec<(Place, f64)>> = others().map(figure).collect();
        let fit = fit::fit(self.table.codecs.len(), self.table.transports.len(), &figures?)?;
        Some(fit.at(*places.get(pair)?))
    }
}
