//! Whether to believe the page: in a word each beside the answer, and in sentences under Validity.
//!
//! No sentence stands in both: who wants to know more than the word follows the link.

use crate::analysis::{opens_all_the_time, unlike_answers};
use crate::report::Input;
use crate::report::place::{MAX_NAME, Place, short};
use crate::report::sentences::plural;
use crate::report::text::line;
use crate::result::{ConnectionMode, Idle, LoadModel, Placement, RunResult};

/// Fewer rounds say little about what differs from round to round.
const FEW_ROUNDS: usize = 3;

/// The most methods that are named.
const MAX_LOOSE: usize = 4;

/// Something that speaks for the figures or against them.
pub(super) struct Check {
    /// `good`, `warn` or `bad`.
    pub kind: &'static str,
    /// Its mark, for those who see no colours.
    pub mark: &'static str,
    /// What it is about, in a few words: for beside the answer.
    pub short: &'static str,
    /// What was found: for Validity.
    pub text: String,
}

fn good(short: &'static str, text: impl Into<String>) -> Check {
    Check { kind: "good", mark: "✓", short, text: text.into() }
}

fn warn(short: &'static str, text: impl Into<String>) -> Check {
    Check { kind: "warn", mark: "!", short, text: text.into() }
}

fn bad(short: &'static str, text: impl Into<String>) -> Check {
    Check { kind: "bad", mark: "✗", short, text: text.into() }
}

/// The answer to whether a run can be believed.
pub(super) fn verdict(checks: &[Check]) -> String {
    let of = |kind: &str| checks.iter().filter(|check| check.kind == kind).count() as u64;
    match (of("bad"), of("warn")) {
        (0, 0) => "Yes: nothing that was looked at speaks against it.".to_owned(),
        (0, warn) => format!("Yes, within limits: {} to keep in mind.", plural(warn, "thing")),
        (bad, 0) => format!("Not as a whole: {} against it.", speaks(bad)),
        (bad, warn) => {
            format!(
                "Not as a whole: {} against it, and {} to keep in mind.",
                speaks(bad),
                plural(warn, "more thing")
            )
        }
    }
}

fn speaks(things: u64) -> String {
    format!("{} {}", plural(things, "thing"), if things == 1 { "speaks" } else { "speak" })
}

/// A check for each thing that was looked at, in a word: what is against the run first.
pub(super) fn in_short(checks: &[Check]) -> Vec<&Check> {
    let mut sorted: Vec<&Check> = Vec::new();
    for kind in ["bad", "warn", "good"] {
        for check in checks.iter().filter(|check| check.kind == kind) {
            if !sorted.iter().any(|known| known.short == check.short) {
                sorted.push(check);
            }
        }
    }
    sorted
}

/// What speaks for a run and against it, the weightiest first.
pub(super) fn checks(input: &Input<'_>, places: &[Place<'_>]) -> Vec<Check> {
    let run = input.run;
    let mut checks = vec![rounds(run)];
    if run.interrupted {
        checks.push(bad("Interrupted", "The run was interrupted before all its rounds were made."));
    }
    checks.push(answers(run));
    if run.environment.build_profile.as_deref().is_some_and(|profile| profile != "release") {
        checks.push(bad(
            "Debug build",
            "Wirebench was not built for speed (no release build): its figures mean nothing.",
        ));
    }
    checks.extend(few_rounds(run));
    checks.push(selftest(run));
    checks.push(placement(run));
    let connections: Vec<Check> = places.iter().filter_map(connections).collect();
    checks.extend(connections);
    checks.extend(few_calls(run));
    if !unlike_answers(run).is_empty() {
        checks.push(warn(
            "Different answers",
            "Back ends did not answer the same thing to the same calls: the notes below name them.",
        ));
    }
    if run.cells.iter().any(|cell| cell.load.model == LoadModel::Closed) {
        checks.push(warn(
            "Closed loop",
            "In a closed loop each call waits for the one before: these are not the times that users would wait \
             at a given rate.",
        ));
    }
    let disturbed = run.environment.warnings.len();
    if disturbed > 0 {
        let things = plural(disturbed as u64, "thing");
        let text = format!("The notes below name {things} that may have disturbed the measurement.");
        checks.push(warn("Disturbances", text));
    }
    let lagging = run.cells.iter().filter(|cell| !cell.figures.lag_marked.is_empty()).count();
    if lagging > 0 {
        checks.push(warn(
            "Lag of the load generator",
            format!(
                "In {} the load generator's own lag is more than a tenth of some quantile.",
                plural(lagging as u64, "cell")
            ),
        ));
    }
    checks
}

fn rounds(run: &RunResult) -> Check {
    let cells = run.cells.len();
    let invalid: Vec<String> = run
        .cells
        .iter()
        .filter(|cell| !cell.verdict.is_valid())
        .map(|cell| line(&cell.label(), 40))
        .collect();
    let of: Vec<bool> =
        run.cells.iter().flat_map(|cell| &cell.rounds).map(|round| round.verdict.is_valid()).collect();
    let valid = of.iter().filter(|valid| **valid).count();
    if cells == 0 {
        return bad("Nothing measured", "Nothing was measured.");
    }
    if !invalid.is_empty() {
        let mut names = invalid.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
        if invalid.len() > 4 {
            names.push_str(&format!(" and {} more", invalid.len() - 4));
        }
        return bad(
            "Cells that do not count",
            format!("{} of {cells} cells do not count: {names}.", invalid.len()),
        );
    }
    let told = plural(of.len() as u64, "round");
    if valid == of.len() {
        good(
            "Every round counts",
            format!("All {told} count, each with fresh processes and in turn with the others."),
        )
    } else {
        warn("Rounds left out", format!("{valid} of {told} count; the others are left out."))
    }
}

fn answers(run: &RunResult) -> Check {
    let sum = |of: fn(&crate::result::Figures) -> u64| -> u64 {
        run.cells.iter().fold(0, |sum: u64, cell| sum.saturating_add(of(&cell.figures)))
    };
    let calls = sum(|figures| figures.calls.unwrap_or(0));
    let wrong = sum(|figures| figures.wrong_answers.unwrap_or(0));
    let failed = sum(|figures| figures.errors.values().sum());
    let loose = &run.scenario.expect;
    let checked = match loose.len() {
        0 => "every answer was checked, none was wrong".to_owned(),
        _ => {
            let how = |(name, how): (&String, &String)| {
                let how = if how == "type" { "by its type only" } else { "not at all" };
                format!("{} {how}", line(name, MAX_NAME))
            };
            let told: Vec<String> = loose.iter().take(MAX_LOOSE).map(how).collect();
            let more = loose.len().saturating_sub(MAX_LOOSE);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!(
                "no answer was found wrong, but the scenario has these checked loosely: {}{more}",
                told.join(", ")
            )
        }
    };
    match (wrong, failed) {
        (0, 0) if loose.is_empty() => {
            good("Every answer right", format!("{} were answered, {checked}.", plural(calls, "call")))
        }
        (0, 0) => {
            warn("Answers checked loosely", format!("{} were answered; {checked}.", plural(calls, "call")))
        }
        (0, failed) => warn("Failed calls", format!("{} failed; {checked}.", plural(failed, "call"))),
        (wrong, _) => bad(
            "Wrong answers",
            format!(
                "{} wrong.",
                if wrong == 1 { "1 answer was".to_owned() } else { format!("{wrong} answers were") }
            ),
        ),
    }
}

fn few_rounds(run: &RunResult) -> Option<Check> {
    let fewest =
        run.cells.iter().filter(|cell| cell.verdict.is_valid()).map(|cell| cell.rounds.len()).min()?;
    (fewest < FEW_ROUNDS).then(|| {
        warn(
            "Few rounds",
            format!(
                "Only {} per cell: how much rounds differ is hardly known. Three or more say it.",
                plural(fewest as u64, "round")
            ),
        )
    })
}

fn selftest(run: &RunResult) -> Check {
    match &run.selftest {
        Some(selftest) if selftest.passed => good(
            "Selftest passed",
            format!("This machine passed the selftest against known truths ({}).", line(&selftest.at, 40)),
        ),
        Some(selftest) => {
            bad("Selftest failed", format!("This machine failed the selftest of {}.", line(&selftest.at, 40)))
        }
        None => warn(
            "Without a selftest",
            "No selftest was made on this machine: wirebench selftest proves the measuring.",
        ),
    }
}

fn placement(run: &RunResult) -> Check {
    let has = |placement: Placement| run.cells.iter().any(|cell| cell.load.placement == placement);
    let kinds: Vec<&str> = [
        (Placement::Shared, "client and server on one core"),
        (Placement::Split, "client and server on different cores"),
        (Placement::Free, "client and server wherever the system put them"),
    ]
    .into_iter()
    .filter(|(placement, _)| has(*placement))
    .map(|(_, words)| words)
    .collect();
    if kinds.len() > 1 {
        return warn(
            "Mixed placement",
            format!("Placements differ ({}): they are not compared with each other.", kinds.join("; ")),
        );
    }
    let halted = run.cells.iter().any(|cell| {
        cell.load.placement == Placement::Split
            && cell.load.idle == Idle::Park
            && cell.load.concurrency == Some(1)
    });
    let words = kinds.first().copied().unwrap_or("not recorded");
    if halted {
        return warn(
            "Waking of cores",
            format!(
                "Placement: {words}. One call at a time then measures the waking of a core, and is not ranked."
            ),
        );
    }
    good("One placement for all", format!("Placement: {words}, the same for every back end."))
}

/// Back ends of a load point whose connections live differently.
fn connections(place: &Place<'_>) -> Option<Check> {
    let per_call: Vec<String> = place
        .cells()
        .filter(|(_, cell)| cell.load.connection_mode == ConnectionMode::PerCall || opens_all_the_time(cell))
        .map(|(_, cell)| short(cell))
        .collect();
    let all = place.cells().count();
    if per_call.is_empty() || per_call.len() == all {
        return None;
    }
    let at = if place.heading.is_empty() { String::new() } else { format!("{}: ", place.heading) };
    let names = per_call.iter().take(6).cloned().collect::<Vec<_>>().join(", ");
    let who = if per_call.len() == 1 { "opens" } else { "open" };
    Some(warn(
        "Unlike connections",
        format!(
            "{at}{names} {who} a connection for nearly every call, the others keep theirs: not comparable as protocols."
        ),
    ))
}

fn few_calls(run: &RunResult) -> Option<Check> {
    let short: Vec<String> = run
        .cells
        .iter()
        .filter(|cell| cell.verdict.is_valid())
        .filter(|cell| crate::report::view::times(cell).p99.is_none())
        .map(|cell| line(&cell.label(), 40))
        .collect();
    (!short.is_empty()).then(|| {
        let names = short.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
        warn("No p99 for some", format!("Too few calls for a 99th percentile: {names}."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_follows_from_what_speaks_against_the_run_and_that_is_told_first() {
        let (good, warn, bad) = (|| good("a", "A."), || warn("b", "B."), || bad("c", "C."));
        assert_eq!(verdict(&[good()]), "Yes: nothing that was looked at speaks against it.");
        assert_eq!(verdict(&[good(), warn(), warn()]), "Yes, within limits: 2 things to keep in mind.");
        assert_eq!(verdict(&[bad()]), "Not as a whole: 1 thing speaks against it.");
        let all = [good(), warn(), bad(), warn()];
        assert_eq!(
            verdict(&all),
            "Not as a whole: 1 thing speaks against it, and 2 more things to keep in mind."
        );
        let words: Vec<&str> = in_short(&all).iter().map(|check| check.short).collect();
        assert_eq!(words, ["c", "b", "a"], "what is against it first, and each word once");
    }
}
