//! The search for the highest rate at which a back end keeps its objective: which rate is tried next, and
//! what is known at the end. What a round says is [`super::probe`]'s. Pure: rounds are made by `run`.
//!
//! A server slows down gradually and a machine is noisy, so that the search trusts no single round
//! that misses narrowly: such a rate is tried once more, and the rate that is found is confirmed by a
//! second round.

use super::probe::Probe;
use crate::result::Bound;
use crate::scenario::Capacity;

/// A search is over after this many rounds, whatever they said.
const MOST_PROBES: usize = 60;
/// A round that says nothing about the server is repeated so often.
const REPEATS: u32 = 2;
/// A search from anywhere goes on in steps of this size.
const LONGEST_STRIDE: f64 = 2.0;
/// The first step of one that begins near the answer, as so many times the precision.
const FIRST_STRIDE: f64 = 4.0;
/// Tried rates have so many significant digits.
const DIGITS: i32 = 4;

/// Why a rate does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    /// The server did not keep the objective.
    Server,
    /// The load generator was at its limit.
    Client,
    /// No round at it said anything of the server.
    Unclear,
}

/// Where a search is: it doubles or halves until one rate holds and one does not, and then cuts the
/// space between them in (geometric) halves. One that begins near the answer takes small steps first.
#[derive(Debug, Clone)]
pub struct Search {
    min_per_s: f64,
    max_per_s: f64,
    precision: f64,
    /// Rates that hold, ascending, with the number of rounds that said so.
    held: Vec<(f64, u32)>,
    /// The lowest rate above them that does not, and why.
    missed: Option<(f64, Edge)>,
    next_per_s: Option<f64>,
    /// By how much the next rate beyond all others differs from the last, as a factor.
    stride: f64,
    /// Rounds at the next rate that said nothing.
    unclear: u32,
    /// Whether one at the next rate missed narrowly.
    is_doubted: bool,
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
            stride: LONGEST_STRIDE,
            unclear: 0,
            is_doubted: false,
            probes: 0,
        }
    }

    /// A search that begins at a rate that is near the answer, as an earlier search found it: the first
    /// step is the first stride, and each later one twice as long, until the search doubles as any.
    #[must_use]
    pub fn near(capacity: &Capacity, start_per_s: f64) -> Self {
        let start_per_s = rounded(start_per_s);
        Self { stride: first_stride(capacity.precision), ..Self::new(capacity, start_per_s) }
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
            Probe::Misses | Probe::ClientLimited => !self.is_doubted && !is_confirmation,
            Probe::Unclear => self.unclear < REPEATS,
        };
        if again && self.probes < MOST_PROBES {
            match probe {
                Probe::Unclear => self.unclear += 1,
                _ => self.is_doubted = true,
            }
            return;
        }
        (self.unclear, self.is_doubted) = (0, false);
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
                let edge = match probe {
                    Probe::ClientLimited => Edge::Client,
                    Probe::Unclear => Edge::Unclear,
                    _ => Edge::Server,
                };
                self.missed = Some((at, edge));
            }
        }
        self.next_per_s = if self.probes >= MOST_PROBES { None } else { self.choose() };
    }

    /// The step that is due, and the next one longer.
    fn stride(&mut self) -> f64 {
        let due = self.stride;
        self.stride = (due * due).min(LONGEST_STRIDE);
        due
    }

    fn choose(&mut self) -> Option<f64> {
        match (self.held.last().copied(), self.missed) {
            (None, None) => None,
            (None, Some((missed, _))) if missed <= self.min_per_s => None,
            (None, Some((missed, _))) => Some(rounded(missed / self.stride()).max(self.min_per_s)),
            (Some((held, times)), None) if held >= self.max_per_s => (times < 2).then_some(held),
            (Some((held, _)), None) => Some(rounded(held * self.stride()).min(self.max_per_s)),
            (Some((held, times)), Some((missed, _))) => {
                let middle = rounded((held * missed).sqrt());
                if missed / held <= 1.0 + self.precision || middle <= held || middle >= missed {
                    (times < 2).then_some(held)
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
            (Some(_), Some((_, Edge::Server))) => Bound::Exact,
            (Some(_), _) => Bound::AtLeast,
        }
    }

    /// What the bound means, in words.
    #[must_use]
    pub fn why(&self) -> String {
        match (self.found_per_s(), self.missed) {
            (None, Some((missed, edge))) if self.held.is_empty() && self.next_per_s.is_none() => match edge {
                Edge::Unclear => format!("the rounds say nothing of the server, even at {missed}/s"),
                _ => format!("the objective is not kept even at {missed}/s"),
            },
            (None, _) => "the search ended before a rate was confirmed".to_owned(),
            (Some(_), Some((missed, Edge::Client))) => {
                format!("the load generator is at its limit at {missed}/s: the server may do more")
            }
            (Some(_), Some((missed, Edge::Unclear))) => {
                format!("the rounds at {missed}/s say nothing of the server: it may do more")
            }
            (Some(_), Some((missed, Edge::Server))) => format!("the objective is not kept at {missed}/s"),
            (Some(_), None) => "the highest rate that was to be tried (max_per_s)".to_owned(),
        }
    }
}

/// The first step of a search that begins near the answer, as a factor: two halvings make it as fine as
/// the precision.
#[must_use]
pub fn first_stride(precision: f64) -> f64 {
    (1.0 + FIRST_STRIDE * precision).min(LONGEST_STRIDE)
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
    fn a_search_from_nearby_is_short_and_one_from_afar_still_ends() {
        let fine = Capacity { precision: 0.01, ..capacity(10.0, 100_000.0) };
        for (off, most) in [(1.0, 8), (1.02, 8), (0.97, 8), (1.12, 11), (0.9, 11), (30.0, 20), (0.03, 20)] {
            let start = 1_234.5 * off;
            let mut search = Search::near(&fine, start);
            let mut tried = 0;
            while let Some(rate) = search.next_per_s() {
                tried += 1;
                search.take(limit(1_234.5)(rate));
            }
            let found = search.found_per_s().unwrap();
            assert!(found <= 1_234.5 && found * 1.0101 >= 1_234.5, "{found} from {start}");
            assert_eq!(search.bound(), Bound::Exact);
            assert!(tried <= most, "{tried} rounds from {start}");
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
    fn a_rate_of_which_no_round_says_anything_makes_a_lower_bound() {
        let server = |rate| if rate <= 700.0 { Probe::Holds } else { Probe::Unclear };
        let (search, tried) = search(&capacity(10.0, 1e5), 100.0, server);
        assert_eq!(search.bound(), Bound::AtLeast);
        assert!(search.why().contains("say nothing of the server: it may do more"), "{}", search.why());
        assert_eq!(tried.iter().filter(|rate| **rate == 800.0).count(), 3, "{tried:?}");
        // A disturbed round does not make the next miss the second one.
        let mut said = [Probe::Unclear, Probe::Misses].into_iter();
        let (search, _) = self::search(&capacity(10.0, 1e5), 100.0, |rate| {
            if rate == 400.0 { said.next().unwrap_or(Probe::Holds) } else { limit(1_000.0)(rate) }
        });
        assert!(search.found_per_s().unwrap() > 950.0);
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
    fn rates_are_rounded_to_digits_that_people_can_type() {
        for (rate, shown) in
            [(1_414.213, "1414"), (70.710_67, "70.71"), (0.123_456, "0.1235"), (123_456.0, "123500")]
        {
            assert_eq!(rounded(rate).to_string(), shown);
        }
    }
}
