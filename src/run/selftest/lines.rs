//! The outcome of a selftest in words and columns. Pure.

use super::{CaseOutcome, Comparison, Selftest};
use crate::analysis::duration_ns;

const HEAD: [&str; 6] = ["", "figure", "truth", "measured", "tolerance", "omitting waiting"];

/// One line of a case, for the reports of later runs.
pub(super) fn one_line(outcome: &CaseOutcome) -> String {
    let word = if outcome.passed { "passed" } else { "failed" };
    let figures: Vec<String> = outcome
        .comparisons
        .iter()
        .map(|comparison| {
            format!(
                "{} {} (truth by {}: {})",
                comparison.figure,
                shown(comparison.measured_ns),
                comparison.truth_from,
                duration_ns(comparison.truth_ns)
            )
        })
        .collect();
    let colon = if figures.is_empty() { "" } else { ": " };
    format!("{word}: {}{colon}{}", outcome.about, figures.join(", "))
}

/// The whole outcome.
pub(super) fn text(selftest: &Selftest) -> String {
    let mut rows: Vec<[String; 6]> = vec![HEAD.map(str::to_owned)];
    for outcome in &selftest.cases {
        rows.extend(outcome.comparisons.iter().map(row));
    }
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    let mut line = |line: &str| {
        text.push_str(line.trim_end());
        text.push('\n');
    };
    for outcome in &selftest.cases {
        let attempts =
            if outcome.attempts > 1 { format!(" (attempt {})", outcome.attempts) } else { String::new() };
        line(&format!("{} {}: {}{attempts}", mark(outcome.passed), outcome.name, outcome.about));
        if !outcome.comparisons.is_empty() {
            line(&columns(&HEAD.map(str::to_owned), &widths));
        }
        for comparison in &outcome.comparisons {
            line(&columns(&row(comparison), &widths));
        }
        for check in outcome.checks.iter().filter(|check| !check.passed || outcome.comparisons.is_empty()) {
            line(&format!("  {} {}: {}", mark(check.passed), check.what, check.found));
        }
        if !outcome.passed {
            let enough = if outcome.disturbed {
                "that is enough to move a tail"
            } else {
                "that is too little to move a tail"
            };
            line(&format!("  while it ran, {}: {enough}", outcome.disturbance));
        }
    }
    let count = |passed: bool| selftest.cases.iter().filter(|outcome| outcome.passed == passed).count();
    line(&format!(
        "selftest {} through {}: {} passed, {} failed",
        if selftest.passed { "passed" } else { "failed" },
        selftest.protocol,
        count(true),
        count(false)
    ));
    text
}

fn row(comparison: &Comparison) -> [String; 6] {
    [
        mark(comparison.passed).to_owned(),
        comparison.figure.clone(),
        format!("{} by {}", duration_ns(comparison.truth_ns), comparison.truth_from),
        shown(comparison.measured_ns),
        format!("± {}", duration_ns(comparison.tolerance_ns)),
        shown(comparison.omission_ns),
    ]
}

fn columns(row: &[String; 6], widths: &[usize]) -> String {
    let mut line = String::from(" ");
    for (cell, width) in row.iter().zip(widths) {
        let blank = width.saturating_sub(cell.chars().count());
        line.push(' ');
        line.push_str(cell);
        line.push_str(&" ".repeat(blank + 1));
    }
    line
}

fn mark(passed: bool) -> &'static str {
    if passed { "ok" } else { "FAILED" }
}

fn shown(ns: Option<f64>) -> String {
    ns.map_or_else(|| "–".to_owned(), duration_ns)
}

#[cfg(test)]
mod tests {
    use super::super::Check;
    use super::*;

    #[test]
    fn a_failed_case_shows_the_truth_what_was_measured_and_the_disturbance() {
        let comparison = |measured_ns: f64| Comparison {
            figure: "p99".into(),
            truth_from: "rule",
            truth_ns: 181e6,
            measured_ns: Some(measured_ns),
            tolerance_ns: 9e6,
            omission_ns: Some(1e6),
            passed: false,
        };
        let selftest = Selftest {
            at: "2023-11-14T22:13:20.000Z".into(),
            passed: false,
            protocol: "grpc".into(),
            cases: vec![CaseOutcome {
                name: "stall".into(),
                about: "a stall".into(),
                passed: false,
                attempts: 2,
                comparisons: vec![comparison(1e6)],
                checks: vec![Check { what: "the round counts".into(), found: "no".into(), passed: false }],
                disturbance: "other processes used 1.3 cores".into(),
                figures: crate::result::Quantiles::default(),
                disturbed: true,
            }],
        };
        let text = selftest.text();
        for part in [
            "FAILED stall: a stall (attempt 2)",
            "p99     181 ms by rule  1.00 ms   ± 9.00 ms  1.00 ms",
            "  FAILED the round counts: no",
            "while it ran, other processes used 1.3 cores: that is enough to move a tail",
            "selftest failed through grpc: 0 passed, 1 failed",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert_eq!(selftest.record().lines, ["failed: a stall: p99 1.00 ms (truth by rule: 181 ms)"]);
    }
}
