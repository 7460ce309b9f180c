//! Gates: what a run must reach, as a scenario writes it. Judging them is `analysis`'s work.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::check::CheckGates;
use super::duration::parse_duration_ns;
use crate::rpc::named_choice;

/// The `[gates]` of a scenario.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Gates {
    /// What every cell must reach.
    pub slo: Vec<Gate>,
    /// How many failed calls a round may have before it is invalid.
    pub errors: ErrorBudget,
    /// What an inconclusive check means.
    pub inconclusive: Inconclusive,
    /// How `wirebench check` decides.
    #[serde(default)]
    pub check: CheckGates,
}

/// How many failed calls a round may have.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorBudget {
    /// A number of calls.
    Calls(u64),
    /// A share of the calls, 0 to 1.
    Share(f64),
}

impl Default for ErrorBudget {
    fn default() -> Self {
        ErrorBudget::Calls(0)
    }
}

impl ErrorBudget {
    /// Whether so many errors among so many calls are within the budget.
    #[must_use]
    pub fn allows(self, errors: u64, calls: u64) -> bool {
        match self {
            ErrorBudget::Calls(allowed) => errors <= allowed,
            #[allow(clippy::cast_precision_loss)]
            ErrorBudget::Share(share) => errors as f64 <= share * calls as f64,
        }
    }
}

named_choice! {
    /// What an inconclusive check means for the exit code.
    #[derive(Default)]
    Inconclusive {
        /// Nothing: it is said, and the exit code is 0.
        #[default]
        Pass = "pass",
        /// Exit code 4.
        Fail = "fail",
    }
}

/// One expression of `slo`, as `p99 <= 5ms`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// As it was written, with single spaces.
    pub text: String,
    /// What is compared.
    pub metric: GateMetric,
    /// How.
    pub comparison: Comparison,
    /// With what: nanoseconds, calls, a share from 0 to 1, or calls per second, by the metric.
    pub limit: f64,
}

impl Gate {
    /// Whether a value, in the unit of the limit, meets the gate.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        match self.comparison {
            Comparison::AtMost => value <= self.limit,
            Comparison::Below => value < self.limit,
            Comparison::AtLeast => value >= self.limit,
            Comparison::Above => value > self.limit,
            #[allow(clippy::float_cmp)]
            Comparison::Equal => value == self.limit,
        }
    }
}

/// What a gate looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateMetric {
    /// A figure of a time, in nanoseconds.
    Time {
        /// Which of the four times.
        kind: TimeKind,
        /// Which figure.
        figure: Figure,
    },
    /// Failed calls.
    Errors,
    /// Failed calls as a share of all, 0 to 1.
    ErrorShare,
    /// Answered calls per second.
    Rate,
}

named_choice! {
    /// The four times of a call.
    TimeKind {
        /// done − due.
        Response = "response",
        /// done − start.
        Service = "service",
        /// start − ready.
        Wait = "wait",
        /// ready − due.
        Lag = "lag",
    }
}

named_choice! {
    /// A figure of a distribution, named as in results.
    Figure {
        /// The least.
        Min = "min",
        /// The mean.
        Mean = "mean",
        /// The median.
        P50 = "p50",
        /// The 90th percentile.
        P90 = "p90",
        /// The 95th percentile.
        P95 = "p95",
        /// The 99th percentile.
        P99 = "p99",
        /// The 99.9th percentile.
        P999 = "p999",
        /// The 99.99th percentile.
        P9999 = "p9999",
        /// The greatest.
        Max = "max",
    }
}

impl Figure {
    /// The quantile in (0, 1), for a figure that is one.
    #[must_use]
    pub fn quantile(self) -> Option<f64> {
        match self {
            Figure::Min | Figure::Mean | Figure::Max => None,
            Figure::P50 => Some(0.5),
            Figure::P90 => Some(0.9),
            Figure::P95 => Some(0.95),
            Figure::P99 => Some(0.99),
            Figure::P999 => Some(0.999),
            Figure::P9999 => Some(0.9999),
        }
    }
}

named_choice! {
    /// How a value is compared with the limit.
    Comparison {
        /// At most the limit.
        AtMost = "<=",
        /// Below the limit.
        Below = "<",
        /// At least the limit.
        AtLeast = ">=",
        /// Above the limit.
        Above = ">",
        /// Exactly the limit.
        Equal = "==",
    }
}

/// What an expression may look like, for messages.
pub(super) const GRAMMAR: &str = "allowed:
[response|service|wait|lag] min|mean|p50|p90|p95|p99|p999|p9999|max <=|<|>=|> DURATION, as \"p99 <= 5ms\"
errors <=|<|== NUMBER or PERCENTAGE, as \"errors == 0\" or \"errors <= 1%\"
rate >=|>|<=|< NUMBER/s, as \"rate >= 1000/s\"";

/// Reads one expression.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn parse_gate(text: &str) -> Result<Gate, String> {
    let at = text.find(['<', '>', '=', '!']).ok_or("there is no comparison")?;
    let (left, rest) = text.split_at(at);
    let width = rest.chars().take_while(|character| "<>=!".contains(*character)).count();
    let (symbol, right) = rest.split_at(width);
    let (left, right) = (left.trim(), right.trim());
    let comparison =
        Comparison::from_name(symbol).ok_or_else(|| format!("unknown comparison \"{symbol}\""))?;
    if right.is_empty() {
        return Err("there is no limit".into());
    }
    let (metric, limit) = match left {
        "errors" => parse_errors(right)?,
        "rate" => (GateMetric::Rate, parse_rate(right)?),
        _ => (parse_time_metric(left)?, parse_time_limit(right)?),
    };
    let fits = match metric {
        GateMetric::Time { .. } => comparison != Comparison::Equal,
        GateMetric::Errors | GateMetric::ErrorShare => {
            !matches!(comparison, Comparison::AtLeast | Comparison::Above)
        }
        GateMetric::Rate => comparison != Comparison::Equal,
    };
    if !fits {
        return Err(format!("\"{symbol}\" makes no sense with {left}"));
    }
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Gate { text, metric, comparison, limit })
}

fn parse_time_metric(left: &str) -> Result<GateMetric, String> {
    let mut words = left.split_whitespace();
    let (first, second) = (words.next().unwrap_or(""), words.next());
    if words.next().is_some() {
        return Err(format!("unknown metric \"{left}\""));
    }
    let (kind, figure) = match second {
        None => (TimeKind::Response, first),
        Some(figure) => {
            (TimeKind::from_name(first).ok_or_else(|| format!("unknown time \"{first}\""))?, figure)
        }
    };
    // p99.9 is how people write what results call p999.
    let plain = match figure {
        "p99.9" => "p999",
        "p99.99" => "p9999",
        other => other,
    };
    let figure = Figure::from_name(plain).ok_or_else(|| format!("unknown metric \"{figure}\""))?;
    Ok(GateMetric::Time { kind, figure })
}

fn parse_time_limit(right: &str) -> Result<f64, String> {
    #[allow(clippy::cast_precision_loss)]
    parse_duration_ns(right).map(|ns| ns as f64).map_err(|problem| problem.to_string())
}

fn parse_errors(right: &str) -> Result<(GateMetric, f64), String> {
    if let Some(percent) = right.strip_suffix('%') {
        return Ok((GateMetric::ErrorShare, parse_percent(percent)?));
    }
    let whole: u32 = right.parse().map_err(|_| format!("\"{right}\" is no number of errors"))?;
    Ok((GateMetric::Errors, f64::from(whole)))
}

/// Reads a share as `10%`, from 0 to 1.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse_percentage(text: &str) -> Result<f64, String> {
    let percent =
        text.trim().strip_suffix('%').ok_or_else(|| format!("{text:?} is no percentage, as \"10%\""))?;
    parse_percent(percent)
}

/// Reads what stands before a percent sign, as a share from 0 to 1.
pub(super) fn parse_percent(text: &str) -> Result<f64, String> {
    let percent = parse_plain(text.trim()).ok_or_else(|| format!("\"{text}\" is no percentage"))?;
    if percent > 100.0 { Err("a percentage is at most 100".into()) } else { Ok(percent / 100.0) }
}

fn parse_rate(right: &str) -> Result<f64, String> {
    let number = right.strip_suffix("/s").ok_or("a rate needs its unit: \"1000/s\"")?;
    parse_plain(number.trim()).ok_or_else(|| format!("\"{number}\" is no number"))
}

/// A finite number without sign or exponent, so that `inf`, `nan` and `-1` are none.
fn parse_plain(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if plain { text.parse().ok().filter(|number: &f64| number.is_finite()) } else { None }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_become_gates() {
        let time = |kind, figure| GateMetric::Time { kind, figure };
        for (text, metric, comparison, limit) in [
            ("p99 <= 5ms", time(TimeKind::Response, Figure::P99), Comparison::AtMost, 5e6),
            ("p50<200us", time(TimeKind::Response, Figure::P50), Comparison::Below, 2e5),
            ("service p99.9 <= 1s", time(TimeKind::Service, Figure::P999), Comparison::AtMost, 1e9),
            ("p999 <= 1s", time(TimeKind::Response, Figure::P999), Comparison::AtMost, 1e9),
            ("  wait   max < 1ms ", time(TimeKind::Wait, Figure::Max), Comparison::Below, 1e6),
            ("lag mean <= 10us", time(TimeKind::Lag, Figure::Mean), Comparison::AtMost, 1e4),
            ("errors == 0", GateMetric::Errors, Comparison::Equal, 0.0),
            ("errors <= 0.5%", GateMetric::ErrorShare, Comparison::AtMost, 0.005),
            ("rate >= 1000/s", GateMetric::Rate, Comparison::AtLeast, 1000.0),
            ("rate > 2.5 /s", GateMetric::Rate, Comparison::Above, 2.5),
        ] {
            let gate = parse_gate(text).unwrap();
            assert_eq!((gate.metric, gate.comparison, gate.limit), (metric, comparison, limit), "{text}");
            assert_eq!(gate.text, text.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in [
            "",
            "p99",
            "p99 <=",
            "p99 <= 5",
            "p99 => 5ms",
            "p99 != 5ms",
            "p99 == 5ms",
            "p98 <= 5ms",
            "p100 <= 5ms",
            "total p99 <= 5ms",
            "response p99 of all <= 5ms",
            "errors >= 1",
            "errors == -1",
            "errors <= 101%",
            "errors <= nan%",
            "rate >= 1000",
            "rate >= inf/s",
            "rate >= 1e3/s",
            "<= 5ms",
            "p99 <= 5ms <= 6ms",
            "p99 <= 5ms\u{0}",
        ] {
            assert!(parse_gate(text).is_err(), "{text:?} became {:?}", parse_gate(text));
        }
    }

    #[test]
    fn a_gate_holds_on_its_own_side_of_the_limit() {
        let gate = parse_gate("p99 <= 5ms").unwrap();
        assert!(gate.holds(5e6) && !gate.holds(5e6 + 1.0));
        assert!(ErrorBudget::Share(0.01).allows(1, 100) && !ErrorBudget::Share(0.01).allows(2, 100));
        assert!(ErrorBudget::default().allows(0, 0) && !ErrorBudget::default().allows(1, 100));
    }
}
