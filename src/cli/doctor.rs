//! `wirebench doctor`: what on this machine will disturb a measurement.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use crate::host::doctor::{Finding, Level, examine};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How the findings are printed
    #[arg(long, default_value = "text", value_parser = ["text", "json"])]
    format: String,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let findings = examine();
    if arguments.format == "json" {
        super::print(format!("{}\n", serde_json::to_string_pretty(&findings)?).as_bytes())?;
    } else {
        super::print(text(&findings, super::stdout_has_colour()).as_bytes())?;
    }
    // A disturbed machine is no error: it is what was asked for.
    Ok(0)
}

fn text(findings: &[Finding], colour: bool) -> String {
    let mut text = String::new();
    for Finding { name, level, found, effect } in findings {
        let (word, shade) = match level {
            Level::Good => ("good", AnsiColor::Green),
            Level::Note => ("note", AnsiColor::Cyan),
            Level::Warning => ("warning", AnsiColor::Yellow),
        };
        let style = if colour { Style::new().fg_color(Some(shade.into())) } else { Style::new() };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{style}{word:<8}{style:#} {name}: {found}");
        let _ = writeln!(text, "         {effect}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_two_lines_and_has_colour_on_demand_only() {
        let finding = Finding { name: "cores", level: Level::Note, found: "2".into(), effect: "few".into() };
        assert_eq!(text(std::slice::from_ref(&finding), false), "note     cores: 2\n         few\n");
        assert!(text(&[finding], true).contains('\u{1b}'));
    }
}
