//! JUnit XML of a run: a test case per gate and cell, and one per cell for whether it counts.

use super::suite::{Case, Ended, Suite, junit};
use super::{Format, Input, ReportError, ReportFile, one_file};
use crate::result::RunResult;

pub(super) const FORMAT: Format =
    Format { name: "junit", about: "JUnit XML: a test case per gate", file_name: "junit.xml", render };

fn render(input: &Input<'_>) -> Result<Vec<ReportFile>, ReportError> {
    let run = input.run;
    let suite = Suite {
        name: run.scenario.name.clone(),
        started_at: run.started_at.clone(),
        elapsed_s: run.cells.iter().filter_map(|cell| cell.figures.elapsed_s).sum(),
        properties: vec![("seed", run.seed.to_string()), ("wirebench", run.wirebench.version.clone())],
        cases: cases(run),
    };
    Ok(one_file(FORMAT.file_name, junit(&suite)))
}

fn cases(run: &RunResult) -> Vec<Case> {
    let mut cases = Vec::new();
    for cell in &run.cells {
        let reasons: Vec<String> = cell
            .verdict
            .reasons
            .iter()
            .map(|reason| format!("{}: {}", reason.kind.name(), reason.detail))
            .collect();
        let ended = match reasons.first() {
            None => Ended::Passed,
            Some(first) => Ended::Error(first.clone()),
        };
        cases.push(Case {
            class: cell.label(),
            name: "the measurement counts".into(),
            ended,
            body: reasons.join("\n"),
        });
    }
    for gate in &run.gates {
        let measured = gate.measured.clone().unwrap_or_else(|| "not measured".into());
        let ended = match gate.met {
            Some(true) => Ended::Passed,
            Some(false) => Ended::Failure(format!("{}: {measured}", gate.text)),
            None => Ended::Error(format!("{}: cannot be judged ({measured})", gate.text)),
        };
        let class = if gate.point.is_empty() {
            gate.backend.clone()
        } else {
            format!("{} {}", gate.backend, gate.point)
        };
        cases.push(Case { class, name: gate.text.clone(), ended, body: format!("measured: {measured}") });
    }
    for skipped in &run.skipped {
        let ended = Ended::Skipped(skipped.why.clone());
        let body = skipped.how_to_get_it.clone().unwrap_or_default();
        cases.push(Case {
            class: skipped.backend.clone(),
            name: "the back end can be started".into(),
            ended,
            body,
        });
    }
    cases
}
