//! `wirebench scenarios`: the shipped scenarios, and the text of one.

use std::fmt::Write as _;

use crate::run::Registry;
use crate::scenario::{Scenario, about, embedded};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The name of a shipped scenario: its text is printed, to read or to start from
    scenario: Option<String>,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    if let Some(name) = &arguments.scenario {
        let Some(found) = embedded::find(name) else {
            let names: Vec<&str> = embedded::SCENARIOS.iter().map(|scenario| scenario.name).collect();
            anyhow::bail!("no shipped scenario is named {name:?}; there are: {}", names.join(", "));
        };
        super::print(found.text.as_bytes())?;
        return Ok(0);
    }
    let widest = embedded::SCENARIOS.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for scenario in embedded::SCENARIOS {
        writeln!(text, "{:<widest$}  {:>6}  {}", scenario.name, takes(scenario), described(scenario))?;
    }
    text.push_str("\nwirebench run NAME runs one; wirebench scenarios NAME prints it, with what it shows.\n");
    super::print(text.as_bytes())?;
    Ok(0)
}

/// The description without its last words, which say how long it takes, as the column before it does.
fn described(scenario: &embedded::Embedded) -> String {
    let description = scenario.description();
    let what = description.split_once(" About ").map_or(description.as_str(), |(what, _)| what);
    what.trim_end_matches('.').to_owned()
}

/// How long it takes with all its back ends.
fn takes(scenario: &embedded::Embedded) -> String {
    Scenario::parse(scenario.name, scenario.text, &Registry)
        .map_or_else(|_| "–".to_owned(), |scenario| about(scenario.estimated_ns()))
}
