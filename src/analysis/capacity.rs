//! The search for the highest rate at which a back end keeps its objective: which rate is tried next,
//! and what a round at it says. Pure: rounds are made by `run`.
//!
//! A server slows down gradually and a machine is noisy, so that the search trusts no single round
//! that misses narrowly: such a rate is tried once more, and the rate that is found is confirmed by a
//! second round.

use super::gates::evaluate_gates;
use crate::result::{Bound, CellResult, ReasonKind};
use crate::scenario::{Capacity, Gate};

/// A search is over after this many rounds, whatever they said.
const MOST_PROBES: usize = 60;
/// A round that says nothing about the server is repeated so often.
const REPEATS: u32 = 2;
/// Tried rates have so many significant digits.
const DIGITS: i32 = 4;

/// What a round at a rate said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// The objective was kept.
    Holds,
    /// It was missed; a second round may think otherwise.
    Misses,
    /// It cannot be kept: the server did not keep up, or died.
    Beyond,
    /// The load generator was at its limit.
    ClientLimited,
    /// Nothing about the server: the machine was disturbed, or there were too few calls.
    Unclear,
}

/// What the rounds at a rate came to, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What it was.
    pub probe: Probe,
    /// Why; empty where the objective was kept.
    pub why: String,
}

/// Judges a round at a rate, put together as a cell of its own.
#[must_use]
pub fn judge_probe(cell: &CellResult, slo: &[Gate]) -> Judged {
    let has = |kind| cell.verdict.has(kind);
    let detail = |kinds: &[ReasonKind]| {
        let reason = cell.verdict.reasons.iter().find(|reason| kinds.contains(&reason.kind));
        reason.map_or_else(String::new, |reason| format!("{}: {}", reason.kind.name(), reason.detail))
    };
    use ReasonKind as Kind;
    if has(Kind::WrongAnswers) || has(Kind::Failed) {
        return Judged { probe: Probe::Beyond, why: detail(&[Kind::WrongAnswers, Kind::Failed]) };
    }
    if has(Kind::ClientStopped) {
        return Judged { probe: Probe::Unclear, why: detail(&[Kind::ClientStopped]) };
    }
    if has(Kind::ClientLimited) {
        return Judged { probe: Probe::ClientLimited, why: detail(&[Kind::ClientLimited]) };
    }
    if has(Kind::Overloaded) {
        return Judged { probe: Probe::Beyond, why: detail(&[Kind::Overloaded]) };
    }
    if has(Kind::Errors) {
        return Judged { probe: Probe::Misses, why: detail(&[Kind::Errors]) };
    }
    if !cell.verdict.is_valid() {
        let why = cell.verdict.reasons.first().map_or_else(String::new, |reason| reason.detail.clone());
        return Judged { probe: Probe::Unclear, why };
    }
    let outcomes = evaluate_gates(slo, std::slice::from_ref(cell));
    let measured = |outcome: &crate::result::GateOutcome| outcome.measured.clone().unwrap_or_default();
    if let Some(missed) = outcomes.iter().find(|outcome| outcome.met == Some(false)) {
        let why = format!("{} is missed: {}", missed.text, measured(missed));
        return Judged { probe: Probe::Misses, why };
    }
    match outcomes.iter().find(|outcome| outcome.met.is_none()) {
        Some(unclear) => {
            let why = format!("{} cannot be judged: too few calls; lengthen duration", unclear.text);
            Judged { probe: Probe::Unclear, why }
        }
        None => Judged { probe: Probe::Holds, why: String::new() },
    }
}

/// Where a search is: it doubles or halves until one rate holds and one does not, and then cuts the
/// space between them in (geometric) halves.
#[derive(Debug, Clone)]
pub struct Search {
    min_per_s: f64,
    max_per_s: f64,
    precision: f64,
    /// Rates that hold, ascending, with the number of rounds that said so.
    held: Vec<(f64, u32)>,
    /// The lowest rate above them that does not, and whether that is the client's doing.
    missed: Option<(f64, bool)>,
    next_per_s: Option<f64>,
    /// Rounds at the next rate that did not decide.
    undecided: u32,
    probes: usize,
}

impl Search {
    /// A search that begins at `start_per_s`.
    #[must_use]
    pub fn new(capacity: &Capacity, start_per_s: f64) -> Self {
        let (min_per_s, max_per_s) = (capacity.min_per_s, capacity.max_per_s);
        Self {
            min_per_s,
            max_per_s,
            precision: capacity.precision,
            held: Vec::new(),
            missed: None,
            next_per_s: Some(start_per_s.clamp(min_per_s, max_per_s)),
            undecided: 0,
            probes: 0,
        }
    }

    /// The rate of the next round; `None` where the search is over.
    #[must_use]
    pub fn next_per_s(&self) -> Option<f64> {
        self.next_per_s
    }

    /// Takes what a round at [`Self::next_per_s`] said.
    pub fn take(&mut self, probe: Probe) {
        let Some(at) = self.next_per_s else { return };
        self.probes += 1;
        let is_confirmation = self.held.iter().any(|(rate, _)| *rate == at);
        let again = match probe {
            Probe::Holds => false,
            Probe::Beyond => false,
            Probe::Misses | Probe::ClientLimited => self.undecided == 0 && !is_confirmation,
            Probe::Unclear => self.undecided < REPEATS,
        };
        if again && self.probes < MOST_PROBES {
            self.undecided += 1;
            return;
        }
        self.undecided = 0;
        match probe {
            Probe::Holds => match self.held.iter_mut().find(|(rate, _)| *rate == at) {
                Some((_, times)) => *times += 1,
                None => {
                    self.held.push((at, 1));
                    self.held.sort_by(|one, other| one.0.total_cmp(&other.0));
                }
            },
            _ => {
                self.held.retain(|(rate, _)| *rate < at);
                self.missed = Some((at, probe == Probe::ClientLimited));
            }
        }
        self.next_per_s = if self.probes >= MOST_PROBES { None } else { self.choose() };
    }

    fn choose(&self) -> Option<f64> {
        match (self.held.last(), self.missed) {
            (None, None) => None,
            (None, Some((missed, _))) if missed <= self.min_per_s => None,
            (None, Some((missed, _))) => Some(rounded(missed / 2.0).max(self.min_per_s)),
            (Some((held, times)), None) if *held >= self.max_per_s => (*times < 2).then_some(*held),
            (Some((held, _)), None) => Some(rounded(held * 2.0).min(self.max_per_s)),
            (Some((held, times)), Some((missed, _))) => {
                let middle = rounded((held * missed).sqrt());
                if missed / held <= 1.0 + self.precision || middle <= *held || middle >= missed {
                    (*times < 2).then_some(*held)
                } else {
                    Some(middle)
                }
            }
        }
    }

    /// The rate that was found: it held in two rounds.
    #[must_use]
    pub fn found_per_s(&self) -> Option<f64> {
        self.held.last().filter(|(_, times)| *times > 1).map(|(rate, _)| *rate)
    }

    /// What is known of the capacity.
    #[must_use]
    pub fn bound(&self) -> Bound {
        match (self.found_per_s(), self.missed) {
            (None, _) => Bound::None,
            (Some(_), Some((_, false))) => Bound::Exact,
            (Some(_), _) => Bound::AtLeast,
        }
    }

    /// What the bound means, in words.
    #[must_use]
    pub fn why(&self) -> String {
        match (self.found_per_s(), self.missed) {
            (None, Some((missed, _))) if self.held.is_empty() && self.next_per_s.is_none() => {
                format!("the objective is not kept even at {missed}/s")
            }
            (None, _) => "the search ended before a rate was confirmed".to_owned(),
            (Some(_), Some((missed, true))) => {
                format!("the load generator is at its limit at {missed}/s: the server may do more")
            }
            (Some(_), Some((missed, false))) => format!("the objective is not kept at {missed}/s"),
            (Some(_), None) => "the highest rate that was to be tried (max_per_s)".to_owned(),
        }
    }
}

/// A rate with few digits, so that it can be said and typed.
fn rounded(rate_per_s: f64) -> f64 {
    let magnitude = rate_per_s.abs().max(f64::MIN_POSITIVE).log10().floor() as i32;
    let unit = 10_f64.powi(magnitude - DIGITS + 1);
    let steps = (rate_per_s / unit).round();
    // Dividing by a whole power of ten leaves no tail of nines.
    if magnitude < DIGITS { steps / 10_f64.powi(DIGITS - 1 - magnitude) } else { steps * unit }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::random::Random;

    fn capacity(min_per_s: f64, max_per_s: f64) -> Capacity {
        Capacity { slo: Vec::new(), min_per_s, max_per_s, precision: 0.05 }
    }

    /// Searches with a server that is `server` at a rate; the rates tried.
    fn search(capacity: &Capacity, start: f64, mut server: impl FnMut(f64) -> Probe) -> (Search, Vec<f64>) {
        let mut search = Search::new(capacity, start);
        let mut tried = Vec::new();
        while let Some(rate) = search.next_per_s() {
            tried.push(rate);
            assert!(tried.len() <= MOST_PROBES, "{tried:?}");
            assert!((capacity.min_per_s..=capacity.max_per_s).contains(&rate));
            search.take(server(rate));
        }
        (search, tried)
    }

    fn limit(limit: f64) -> impl Fn(f64) -> Probe {
        move |rate| if rate <= limit { Probe::Holds } else { Probe::Beyond }
    }

    #[test]
    fn a_server_with_a_limit_is_found_within_the_precision_from_any_start() {
        for of_server in [12.0, 99.0, 500.0, 1_234.5, 7_654.0, 99_000.0] {
            for start in [10.0, 100.0, 3_000.0, 100_000.0] {
                let (search, tried) = search(&capacity(10.0, 100_000.0), start, limit(of_server));
                let found = search.found_per_s().unwrap();
                assert!(found <= of_server && found * 1.0501 >= of_server, "{found} of {of_server}");
                assert_eq!(search.bound(), Bound::Exact);
                assert!(tried.len() <= 22, "{of_server} from {start}: {tried:?}");
            }
        }
    }

    #[test]
    fn limits_of_the_search_are_bounds_and_not_answers() {
        let (search, _) = search(&capacity(10.0, 800.0), 100.0, limit(1e6));
        assert_eq!((search.found_per_s(), search.bound()), (Some(800.0), Bound::AtLeast));
        let (search, tried) = self::search(&capacity(10.0, 800.0), 100.0, limit(5.0));
        assert_eq!((search.found_per_s(), search.bound()), (None, Bound::None));
        assert_eq!(tried, [100.0, 50.0, 25.0, 12.5, 10.0]);
    }

    #[test]
    fn the_clients_limit_is_tried_twice_and_makes_a_lower_bound() {
        let server = |rate| if rate <= 700.0 { Probe::Holds } else { Probe::ClientLimited };
        let (search, tried) = search(&capacity(10.0, 1e5), 100.0, server);
        assert_eq!(search.bound(), Bound::AtLeast);
        assert!(search.found_per_s().unwrap() >= 660.0 && search.why().contains("load generator"));
        assert_eq!(tried.iter().filter(|rate| **rate == 800.0).count(), 2, "{tried:?}");
    }

    #[test]
    fn one_unlucky_round_moves_nothing() {
        let mut unlucky = true;
        let (search, _) = search(&capacity(10.0, 1e5), 100.0, |rate| {
            if rate == 200.0 && std::mem::take(&mut unlucky) { Probe::Misses } else { limit(1_000.0)(rate) }
        });
        assert!(search.found_per_s().unwrap() > 950.0);
        // A disturbed machine is waited for.
        let mut disturbed = 2;
        let (search, _) = self::search(&capacity(10.0, 1e5), 100.0, |rate| {
            if rate == 400.0 && disturbed > 0 {
                disturbed -= 1;
                return Probe::Unclear;
            }
            limit(1_000.0)(rate)
        });
        assert!(search.found_per_s().unwrap() > 950.0);
    }

    #[test]
    fn a_noisy_server_is_found_near_its_limit() {
        let mut off = 0;
        for seed in 0..200 {
            let mut random = Random::new(seed);
            // One round in ten at a rate that holds is unlucky, and the limit itself moves by 3 %.
            let server = |rate: f64| {
                let of_now = 1_000.0 * (1.0 + 0.06 * (random.unit() - 0.5));
                if rate > of_now * 1.2 {
                    Probe::Beyond
                } else if rate > of_now || random.unit() < 0.1 {
                    Probe::Misses
                } else {
                    Probe::Holds
                }
            };
            let (search, tried) = search(&capacity(10.0, 1e5), 100.0, server);
            let found = search.found_per_s().unwrap_or(0.0);
            assert!(found <= 1_030.0 && tried.len() < MOST_PROBES, "{found}: {tried:?}");
            off += u32::from(found < 900.0);
        }
        assert!(off <= 20, "{off} of 200 searches ended below 90 %");
    }

    #[test]
    fn a_server_that_is_bad_at_one_rate_only_has_an_answer_whose_edge_was_seen() {
        // From 300 to 350/s something resonates; beyond 1,000/s it is over.
        let server = |rate: f64| {
            if (300.0..350.0).contains(&rate) || rate > 1_000.0 { Probe::Beyond } else { Probe::Holds }
        };
        for start in [10.0, 110.0, 320.0, 900.0] {
            let (search, tried) = search(&capacity(10.0, 1e5), start, server);
            let found = search.found_per_s().unwrap();
            assert_eq!((search.bound(), server(found)), (Bound::Exact, Probe::Holds));
            let edge = tried.iter().any(|rate| server(*rate) == Probe::Beyond && *rate <= found * 1.0501);
            assert!(edge, "{found} from {start}: {tried:?}");
        }
    }

    #[test]
    fn a_server_of_which_nothing_can_be_said_ends_the_search() {
        for probe in [Probe::Unclear, Probe::Misses, Probe::ClientLimited] {
            let (search, _) = search(&capacity(10.0, 1e5), 100.0, |_| probe);
            assert_eq!(search.bound(), Bound::None);
        }
        // A rate that holds once and never again is no answer.
        let mut seen = Vec::new();
        let (search, _) = search(&capacity(10.0, 1e3), 100.0, |rate| {
            let is_new = !seen.contains(&rate.to_bits());
            seen.push(rate.to_bits());
            if is_new { Probe::Holds } else { Probe::Misses }
        });
        assert_eq!(search.found_per_s(), None);
    }

    #[test]
    fn a_round_is_judged_by_its_verdict_first_and_then_by_the_objective() {
        use crate::analysis::{CellDescription, Limits, cell_from_rounds};
        use crate::result::{LoadModel, LoadRecord, Reason, Verdict};
        let objective = vec![Capacity::parse_objective("p99 <= 5ms").unwrap()];
        let cell = |p99_ns: Option<u64>, kind: Option<ReasonKind>| {
            let load = LoadRecord { model: LoadModel::Open, ..LoadRecord::default() };
            let description = CellDescription { load, ..CellDescription::default() };
            let mut cell = cell_from_rounds(description, &[], &Limits::default());
            let reason = kind.map(|kind| Reason { kind, detail: "because".into() });
            cell.verdict = Verdict::of(reason.into_iter().collect());
            cell.figures.response_ns.p99 = p99_ns;
            cell
        };
        for (p99_ns, kind, probe) in [
            (Some(5_000_000), None, Probe::Holds),
            (Some(5_000_001), None, Probe::Misses),
            (None, None, Probe::Unclear),
            (Some(1), Some(ReasonKind::Overloaded), Probe::Beyond),
            (Some(1), Some(ReasonKind::WrongAnswers), Probe::Beyond),
            (Some(1), Some(ReasonKind::Failed), Probe::Beyond),
            (Some(1), Some(ReasonKind::ClientLimited), Probe::ClientLimited),
            (Some(1), Some(ReasonKind::ClientStopped), Probe::Unclear),
            (Some(1), Some(ReasonKind::Unstable), Probe::Unclear),
            (Some(1), Some(ReasonKind::Errors), Probe::Misses),
        ] {
            let judged = judge_probe(&cell(p99_ns, kind), &objective);
            assert_eq!(judged.probe, probe, "{p99_ns:?} {kind:?}");
            assert_eq!(judged.why.is_empty(), probe == Probe::Holds, "{judged:?}");
        }
    }

    #[test]
    fn rates_are_rounded_to_digits_that_people_can_type() {
        for (rate, shown) in
            [(1_414.213, "1414"), (70.710_67, "70.71"), (0.123_456, "0.1235"), (123_456.0, "123500")]
        {
            assert_eq!(rounded(rate).to_string(), shown);
        }
    }
}
