//! Method and machine: what was run, on what, how to run it again, and the data to save.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::report::place::MAX_NAME;
use crate::report::sentences::machine;
use crate::report::text::{block, file_name, line};
use crate::report::{Input, Options, ReportError, render_files};
use crate::result::{Environment, RunResult, shell_word};

/// The most characters of a sentence that a stranger may have written.
pub(super) const MAX_SENTENCE: usize = 600;
/// The most characters of a command. One that is cut would not work: a longer one is not shown.
const MAX_COMMAND: usize = 2_000;
/// A longer result is embedded without the figures of its rounds: the page is to stay small.
const MAX_DATA: usize = 4 << 20;

/// What is told of a run.
pub(super) struct About {
    /// Its number on a page of several runs; empty otherwise.
    pub run: String,
    pub name: String,
    pub started_at: String,
    pub seed: u64,
    pub version: String,
    pub machine: Vec<(String, String)>,
    pub selftest: Vec<String>,
    /// Empty where it is too long to be shown.
    pub command: String,
    pub scenario: String,
    pub files: Vec<Download>,
    /// How it differs from the first run; empty for the first, or where it does not.
    pub differs: Vec<String>,
}

/// A file that the page holds.
pub(super) struct Download {
    pub name: String,
    pub address: String,
    pub about: String,
}

/// Tells a run.
pub(super) fn about(
    input: &Input<'_>,
    number: Option<usize>,
    first: &RunResult,
) -> Result<About, ReportError> {
    let run = input.run;
    Ok(About {
        run: number.map_or_else(String::new, |number| format!("Run {number}")),
        name: line(&run.scenario.name, MAX_NAME),
        started_at: line(&run.started_at, 40),
        seed: run.seed,
        version: version(run),
        machine: machine(&run.environment)
            .into_iter()
            .map(|(name, value)| (line(&name, MAX_NAME), line(&value, MAX_NAME)))
            .collect(),
        selftest: run.selftest.as_ref().map_or_else(Vec::new, |selftest| {
            selftest.lines.iter().map(|text| line(text, MAX_SENTENCE)).collect()
        }),
        command: command(run),
        scenario: block(&run.scenario.text),
        files: downloads(input)?,
        differs: if number.is_some_and(|number| number > 1) { differences(first, run) } else { Vec::new() },
    })
}

/// The version of a run's wirebench.
pub(super) fn version(run: &RunResult) -> String {
    match &run.wirebench.git {
        Some(commit) => format!("{} ({})", line(&run.wirebench.version, 40), line(commit, 40)),
        None => line(&run.wirebench.version, 40),
    }
}

/// The command that makes such a run again; empty where it is too long.
fn command(run: &RunResult) -> String {
    let again = run.scenario.again.clone().unwrap_or_else(|| {
        // Older versions kept the scenario and what was changed in it.
        let scenario = run.scenario.file.as_ref().unwrap_or(&run.scenario.name);
        let words = [shell_word(scenario)].into_iter().chain(run.scenario.overrides.iter().cloned());
        format!("wirebench run {}", words.collect::<Vec<_>>().join(" "))
    });
    if again.chars().count() > MAX_COMMAND { String::new() } else { line(&again, MAX_COMMAND) }
}

fn downloads(input: &Input<'_>) -> Result<Vec<Download>, ReportError> {
    let stem = file_name(&input.run.scenario.name);
    let failed = |error: serde_json::Error| ReportError::Render { format: "html", reason: error.to_string() };
    let mut json = serde_json::to_vec(input.run).map_err(failed)?;
    let mut about = "the whole result, as in run.json".to_owned();
    if json.len() > MAX_DATA {
        let mut short = input.run.clone();
        for cell in &mut short.cells {
            cell.rounds.clear();
        }
        json = serde_json::to_vec(&short).map_err(failed)?;
        about = "the result without its single rounds, which would not fit: run.json has them".to_owned();
    }
    let mut files = vec![Download {
        name: format!("{stem}.json"),
        address: format!("data:application/json;base64,{}", STANDARD.encode(&json)),
        about,
    }];
    for file in render_files("csv", input.run, input.histograms, Options::default())? {
        let suffix = file.name.trim_start_matches("report").trim_end_matches(".csv").to_owned();
        files.push(Download {
            name: format!("{stem}{suffix}.csv"),
            address: format!("data:text/csv;base64,{}", STANDARD.encode(&file.bytes)),
            about: if suffix.is_empty() {
                "a row per cell".to_owned()
            } else {
                format!("its{}", suffix.replace('-', " "))
            },
        });
    }
    Ok(files)
}

/// How two runs differ in what their figures depend on.
fn differences(first: &RunResult, run: &RunResult) -> Vec<String> {
    let mut found = Vec::new();
    let compare = |found: &mut Vec<String>, what: &str, one: Option<String>, other: Option<String>| {
        if one != other {
            let told =
                |text: Option<String>| text.map_or_else(|| "not recorded".to_owned(), |text| line(&text, 60));
            found.push(format!("{what}: {} in run 1, {} here", told(one), told(other)));
        }
    };
    type Of = fn(&Environment) -> Option<String>;
    let of_machine: [(&str, Of); 7] = [
        ("processor", |of| of.cpu.clone()),
        ("cores", |of| of.cores.map(|cores| cores.to_string())),
        ("kernel", |of| of.kernel.clone()),
        ("frequency governor", |of| of.governor.clone()),
        ("clock source", |of| of.clocksource.clone()),
        ("virtualization", |of| of.virtualization.clone()),
        ("build profile", |of| of.build_profile.clone()),
    ];
    for (what, of) in of_machine {
        compare(&mut found, what, of(&first.environment), of(&run.environment));
    }
    compare(&mut found, "wirebench", Some(version(first)), Some(version(run)));
    compare(&mut found, "seed", Some(first.seed.to_string()), Some(run.seed.to_string()));
    let loads = |run: &RunResult| {
        let mut words: Vec<String> = run
            .cells
            .iter()
            .map(|cell| format!("{:?}, {:?}", cell.load.placement, cell.load.connection_mode).to_lowercase())
            .collect();
        words.sort();
        words.dedup();
        Some(words.join(" and "))
    };
    compare(&mut found, "placement and connections", loads(first), loads(run));
    if first.scenario.text != run.scenario.text {
        found.push("the scenarios differ: their calls, payloads or loads may not be the same".to_owned());
    }
    compare(
        &mut found,
        "changed on the command line",
        Some(first.scenario.overrides.join(" ")),
        Some(run.scenario.overrides.join(" ")),
    );
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::run;

    #[test]
    fn a_command_is_quoted_for_the_shell() {
        let (mut run, _) = run();
        assert_eq!(command(&run), "wirebench run scenarios/echo.toml --rounds 3");
        run.scenario.file = Some("it's a; rm -rf".into());
        assert_eq!(command(&run), "wirebench run 'it'\\''s a; rm -rf' --rounds 3");
        run.scenario.again = Some("wirebench check payload-text --base a".into());
        assert_eq!(command(&run), "wirebench check payload-text --base a");
    }

    #[test]
    fn what_makes_two_runs_incomparable_is_named() {
        let (first, _) = run();
        assert!(differences(&first, &first).is_empty());
        let mut other = first.clone();
        other.environment.cpu = Some("another".into());
        other.scenario.text.push('x');
        let found = differences(&first, &other);
        assert!(
            found[0].starts_with("processor: Intel") && found[1].starts_with("the scenarios differ"),
            "{found:?}"
        );
    }
}
