//! What the documentation shows works: its commands parse, its scenarios are valid, its links lead
//! somewhere, and the map of the source is complete.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;

use clap::Parser as _;
use wirebench::cli::Arguments;
use wirebench::result::ReasonKind;
use wirebench::run::{Choices, Plan, Registry};
use wirebench::scenario::Scenario;

const DOCUMENTS: [&str; 4] = ["README.md", "METHODOLOGY.md", "CONTRIBUTING.md", "CHANGELOG.md"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The fenced blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<(bool, String)> = None;
    for line in text.lines() {
        match (&mut open, line.trim().strip_prefix("```")) {
            (None, Some(info)) => open = Some((info == language, String::new())),
            (Some(_), Some(_)) => {
                let closed = open.take().filter(|(is_wanted, _)| *is_wanted);
                blocks.extend(closed.map(|(_, text)| text));
            }
            (Some((_, text)), None) => text.push_str(&format!("{line}\n")),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// The `wirebench` commands of the blocks that a shell would run, as words.
fn commands(text: &str) -> Vec<Vec<String>> {
    let lines = ["sh", "console"].into_iter().flat_map(|language| blocks(text, language)).collect::<String>();
    lines
        .lines()
        .map(|line| line.trim_start_matches("$ "))
        .map(|line| line.split_once(" #").map_or(line, |(command, _)| command))
        .map(|line| line.split_once(" >").map_or(line, |(command, _)| command))
        .map(words)
        .filter(|words| words.first().is_some_and(|program| program.ends_with("wirebench")))
        .collect()
}

/// Words as a shell makes them; in single quotes a space is part of a word.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn every_command_parses() {
    let found: Vec<Vec<String>> = DOCUMENTS.iter().flat_map(|name| commands(&read(name))).collect();
    assert!(found.len() > 10, "only {} commands were found", found.len());
    for words in found {
        if let Err(error) = Arguments::try_parse_from(&words) {
            panic!("{}: {error}", words.join(" "));
        }
    }
    let sample = "```sh\nwirebench run seed --colour red  # no such option\n```\n";
    assert!(Arguments::try_parse_from(&commands(sample)[0]).is_err(), "a wrong command is found");
}

#[test]
fn every_scenario_of_the_readme_can_be_planned() {
    let scenarios = blocks(&read("README.md"), "toml");
    assert!(!scenarios.is_empty());
    for text in scenarios {
        let scenario = Scenario::parse("README.md", &text, &Registry)
            .unwrap_or_else(|error| panic!("{}", error.render(false)));
        let choices = Choices { only: Vec::new(), skip_unsupported: false };
        if let Err(error) = Plan::new(scenario, &choices) {
            panic!("{error}\n{text}");
        }
    }
}

#[test]
fn every_link_leads_to_a_file() {
    let mut links = 0;
    for name in DOCUMENTS {
        for part in read(name).split("](").skip(1) {
            let target = part.split_once(')').map_or("", |(target, _)| target);
            let target = target.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            links += 1;
            assert!(root().join(target).exists(), "{name} links to {target}, which does not exist");
        }
    }
    assert!(links > 5, "only {links} links were found");
}

#[test]
fn the_map_of_the_source_names_every_module() {
    let map = read("CONTRIBUTING.md");
    for entry in std::fs::read_dir(root().join("src")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let named = if path.is_dir() { format!("`{name}/`") } else { format!("`{name}`") };
        assert!(map.contains(&named), "CONTRIBUTING.md does not mention {named}");
    }
}

#[test]
fn the_methodology_explains_every_verdict() {
    use ReasonKind as Kind;
    let text = read("METHODOLOGY.md");
    for kind in [
        Kind::ClientLimited,
        Kind::Overloaded,
        Kind::Unstable,
        Kind::WrongAnswers,
        Kind::Errors,
        Kind::Failed,
        Kind::ClientStopped,
        Kind::Interrupted,
        Kind::TooFewRounds,
    ] {
        assert!(text.contains(&format!("`{}`", kind.name())), "METHODOLOGY.md: {}", kind.name());
    }
}
