//! Markdown for a job summary: the whole check, below 1,024 KiB.

use super::CheckFormat;
use super::comment::short;
use crate::analysis::compare::{in_unit, label};
use crate::analysis::rate_per_s;
use crate::report::text::{Limited, markdown};
use crate::report::{Options, ReportError};
use crate::result::CheckResult;

pub(super) const FORMAT: CheckFormat =
    CheckFormat { name: "md", about: "Markdown for a job summary", file_name: "check.md", render };

/// GitHub takes 1 MiB per step.
const MAX_BYTES: usize = 1_000_000;

fn render(check: &CheckResult, _: Options) -> Result<Vec<u8>, ReportError> {
    let mut text = Limited::new(MAX_BYTES);
    short(&mut text, check);
    text.push(&format!("\n<details><summary>Every pair of {}</summary>\n\n", check.settings.pairs_of()));
    for metric in check.metrics.iter().filter(|metric| metric.gated) {
        text.push(&format!(
            "\n{}\n\n| pair | base | candidate |\n|--:|--:|--:|\n",
            markdown(label(&metric.name), 60)
        ));
        for (number, [base, candidate]) in metric.pairs.iter().enumerate() {
            text.push(&format!(
                "| {} | {} | {} |\n",
                number + 1,
                in_unit(metric, *base),
                in_unit(metric, *candidate)
            ));
        }
    }
    for (number, pair) in check.pairs.iter().enumerate().filter(|(_, pair)| !pair.searches.is_empty()) {
        let sides = ["base", "candidate"].into_iter().zip(&pair.searches);
        let told = sides.map(|(side, search)| {
            let found = search.rate_per_s.map_or_else(|| "none".to_owned(), rate_per_s);
            format!("{side} {found} in {} rounds ({})", search.probes.len(), search.why)
        });
        let told = markdown(&told.collect::<Vec<_>>().join("; "), 600);
        text.push(&format!("\nsearches of attempt {}: {told}\n", number + 1));
    }
    for (number, pair) in check.pairs.iter().enumerate() {
        if let Some(why) = &pair.dropped {
            text.push(&format!("\nattempt {} was dropped: {}\n", number + 1, markdown(why, 300)));
        }
    }
    text.push("\n</details>\n");
    Ok(text.finish().into_bytes())
}
