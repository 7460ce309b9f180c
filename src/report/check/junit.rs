//! JUnit XML of a check: a test case per gate, with its numbers.

use super::CheckFormat;
use super::lines::{COLUMNS, bytes, errors, row};
use crate::report::suite::{Case, Ended, Suite, junit};
use crate::report::{Options, ReportError};
use crate::result::{CheckResult, CheckStatus, MetricCheck};

pub(super) const FORMAT: CheckFormat =
    CheckFormat { name: "junit", about: "JUnit XML: a test case per gate", file_name: "junit.xml", render };

fn render(check: &CheckResult, _: Options) -> Result<Vec<u8>, ReportError> {
    let suite = Suite {
        name: format!("wirebench check {}", check.scenario.name),
        started_at: check.started_at.clone(),
        elapsed_s: check.elapsed_s,
        properties: vec![
            ("base", check.base.cell.clone()),
            ("candidate", check.candidate.cell.clone()),
            ("pairs", check.pairs_counted().to_string()),
            ("alpha", check.settings.alpha.to_string()),
            ("seed", check.seed.to_string()),
            ("order_seed", check.settings.order_seed.to_string()),
            ("wirebench", check.wirebench.version.clone()),
        ],
        cases: cases(check),
    };
    Ok(junit(&suite).into_bytes())
}

fn cases(check: &CheckResult) -> Vec<Case> {
    let class = check.candidate.cell.clone();
    let case = |name: String, ended, body| Case { class: class.clone(), name, ended, body };
    let valid = match check.status {
        CheckStatus::Invalid => Ended::Error(check.sentence.clone()),
        _ => Ended::Passed,
    };
    let mut cases = vec![case("the measurement counts".into(), valid, check.notes.join("\n"))];
    for metric in check.metrics.iter().filter(|metric| metric.gated) {
        let ended = ended(check, metric);
        cases.push(case(metric.name.clone(), ended, numbers(metric)));
    }
    for method in check.bytes.iter().filter(|method| method.gated) {
        let ended = match method.verdict {
            CheckStatus::Regressed => Ended::Failure(bytes(method)),
            _ => Ended::Passed,
        };
        cases.push(case(format!("encoded bytes of {}", method.method), ended, bytes(method)));
    }
    let failed = errors(check).unwrap_or_else(|| "no call failed".to_owned());
    let ended = if check.errors.is_regression() { Ended::Failure(failed.clone()) } else { Ended::Passed };
    cases.push(case("errors".into(), ended, failed));
    cases
}

fn ended(check: &CheckResult, metric: &MetricCheck) -> Ended {
    let told = || row(metric)[3..5].join(", ");
    match (check.status, metric.verdict) {
        (CheckStatus::Invalid, _) => Ended::Error(check.sentence.clone()),
        (_, Some(CheckStatus::Regressed)) => Ended::Failure(format!("{} {}", metric.name, told())),
        (_, Some(CheckStatus::Pass)) => Ended::Passed,
        _ => Ended::Skipped(format!("not decided: {} {}", metric.name, told())),
    }
}

fn numbers(metric: &MetricCheck) -> String {
    let fields = COLUMNS.iter().zip(row(metric)).map(|(name, field)| format!("{name}: {field}"));
    let p = metric.p_regressed.map(|p| format!("p (no worse than the noise margin): {p:.3e}"));
    fields.chain(p).collect::<Vec<_>>().join("\n")
}
