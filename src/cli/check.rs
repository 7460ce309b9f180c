//! `wirebench check`: is the candidate slower than the base?

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::check_progress::CheckLine;
use crate::analysis::Outcome;
use crate::report::{CHECK_FORMATS, Options, render_check};
use crate::result::{CheckResult, shell_word, write_whole};
use crate::run::{CheckOptions, FinishedCheck, INTERRUPTED, Interrupt, Registry, check, outcome_of_check};
use crate::scenario::{
    Overrides, Placement, Scenario, format_duration_ns, parse_duration_ns, parse_percentage,
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A scenario: a file, or the name of a shipped one
    scenario: String,
    /// The back end that is compared with
    #[arg(long, value_name = "BACKEND")]
    base: String,
    /// The back end that is checked; the same one for a check against itself
    #[arg(long, value_name = "BACKEND", required_unless_present = "calibrate", conflicts_with = "calibrate")]
    candidate: Option<String>,
    /// Replaces the base's command, as './server-old --port {port}'; it listens on TCP
    #[arg(long, value_name = "COMMAND")]
    base_command: Option<String>,
    /// Replaces the candidate's command, as './server-new --port {port}'; it listens on TCP
    #[arg(long, value_name = "COMMAND")]
    candidate_command: Option<String>,
    /// What is gated, in place of the scenario's metrics; may be given several times: rate, cpu, p50 to p99 of
    /// response or service, as 'response p99'; or capacity, alone, where the scenario has [capacity]
    #[arg(long, value_name = "NAME")]
    metric: Vec<String>,
    /// Pairs of rounds; as many as the budget allows where it is not given. One gated metric takes at least 5,
    /// two or three take 6
    #[arg(long, value_name = "N", conflicts_with = "budget", value_parser = clap::value_parser!(u32).range(1..=500))]
    rounds: Option<u32>,
    /// How long it may measure; 60s where nobody says (capacity: 10m). Six pairs of the usual rounds of half a
    /// second take about 15s, with the starts of the servers and unscored rounds: 20s is the least that makes sense
    #[arg(long, value_name = "TIME", value_parser = at_least_a_second)]
    budget: Option<u64>,
    /// How long a round measures, as 500ms
    #[arg(long, value_name = "TIME", value_parser = at_least_50_ms)]
    round: Option<u64>,
    /// What is worse by this or more must not pass, as 10%
    #[arg(long, value_name = "PERCENT", value_parser = percentage)]
    limit: Option<f64>,
    /// What is worse by no more than this is not worse, as 2%
    #[arg(long, value_name = "PERCENT", value_parser = percentage)]
    noise_margin: Option<f64>,
    /// The load point, where the scenario sweeps several
    #[arg(long, value_name = "POINT")]
    point: Option<String>,
    /// Calls in flight, in a closed loop
    #[arg(long, value_name = "N", conflicts_with = "rate")]
    concurrency: Option<u32>,
    /// Calls due per second, in an open loop
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<f64>,
    /// Where client and server run; shared where neither this nor the scenario says it
    #[arg(long, value_parser = placement)]
    placement: Option<Placement>,
    /// Seed of calls, payloads and arrivals
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Seed of the coin that decides which side of a pair is first; another one each time by default
    #[arg(long, value_name = "N")]
    order_seed: Option<u64>,
    /// Measure how much the base varies against itself on this machine, and keep it for later checks
    #[arg(long)]
    calibrate: bool,
    /// The file with calibrations; in the user's state folder where it is not given
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// The check's folder; reports/<name>-check-<time> where it is not given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How the result is printed
    #[arg(long, default_value = "table", value_parser = clap::builder::PossibleValuesParser::new(CHECK_FORMATS.iter().map(|format| format.name)))]
    format: String,
}

fn at_least(text: &str, least_ns: u64) -> Result<u64, String> {
    match parse_duration_ns(text) {
        Ok(ns) if ns >= least_ns => Ok(ns),
        Ok(_) => Err(format!("at least {}", format_duration_ns(least_ns))),
        Err(error) => Err(error.to_string()),
    }
}

fn at_least_a_second(text: &str) -> Result<u64, String> {
    at_least(text, 1_000_000_000)
}

fn at_least_50_ms(text: &str) -> Result<u64, String> {
    at_least(text, 50_000_000)
}

fn percentage(text: &str) -> Result<f64, String> {
    parse_percentage(text)
}

fn placement(text: &str) -> Result<Placement, String> {
    Placement::from_name(text).ok_or_else(|| format!("allowed: {}", Placement::NAMES.join(", ")))
}

impl Arguments {
    fn scenario(&self) -> anyhow::Result<Scenario> {
        let mut scenario = super::find_scenario(&self.scenario)?;
        let overrides = Overrides {
            concurrency: self.concurrency,
            rate_per_s: self.rate,
            placement: self.placement,
            seed: self.seed,
            ..Overrides::default()
        };
        scenario.override_with(&overrides, &Registry)?;
        if !self.metric.is_empty() {
            scenario.gate_metrics(&self.metric)?;
        }
        let gates = &mut scenario.gates.check;
        if self.budget.is_some() {
            // A budget that is typed replaces a number of rounds that is written.
            gates.rounds = None;
        }
        gates.rounds = self.rounds.or(gates.rounds);
        gates.budget_ns = self.budget.or(gates.budget_ns);
        gates.round_ns = self.round.or(gates.round_ns);
        gates.limit = self.limit.unwrap_or(gates.limit);
        gates.noise_margin = self.noise_margin.unwrap_or(gates.noise_margin);
        anyhow::ensure!(gates.limit > gates.noise_margin, "--limit must be above --noise-margin");
        Ok(scenario)
    }

    fn options(&self) -> CheckOptions {
        CheckOptions {
            base: self.base.clone(),
            candidate: self.candidate.clone().unwrap_or_else(|| self.base.clone()),
            base_command: self.base_command.clone(),
            candidate_command: self.candidate_command.clone(),
            point: self.point.clone(),
            order_seed: self.order_seed,
            calibrate: self.calibrate,
            calibration: self.calibration.clone(),
            out: self.out.clone(),
            overrides: self.typed(),
        }
    }

    /// The changes as they were typed, for the result.
    fn typed(&self) -> Vec<String> {
        let mut typed = vec![format!("--base {}", shell_word(&self.base))];
        let mut add = |flag: &str, value: Option<String>| {
            typed.extend(value.map(|value| format!("--{flag} {}", shell_word(&value))));
        };
        let percent = |share: Option<f64>| share.map(|share| format!("{}%", share * 100.0));
        add("candidate", self.candidate.clone());
        add("base-command", self.base_command.clone());
        add("candidate-command", self.candidate_command.clone());
        add("rounds", self.rounds.map(|value| value.to_string()));
        add("budget", self.budget.map(format_duration_ns));
        add("round", self.round.map(format_duration_ns));
        add("limit", percent(self.limit));
        add("noise-margin", percent(self.noise_margin));
        for metric in &self.metric {
            add("metric", Some(metric.clone()));
        }
        add("point", self.point.clone());
        add("concurrency", self.concurrency.map(|value| value.to_string()));
        add("rate", self.rate.map(|value| value.to_string()));
        add("placement", self.placement.map(|value| value.to_string()));
        add("seed", self.seed.map(|value| value.to_string()));
        if self.calibrate {
            typed.push("--calibrate".into());
        }
        typed
    }
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let scenario = arguments.scenario()?;
    let interrupt = Interrupt::listen().context("cannot listen to signals")?;
    let mut line = CheckLine::new();
    let finished = check(scenario, &arguments.options(), &mut line, &interrupt);
    line.finish();
    let finished = match finished {
        Ok(finished) => finished,
        Err(error) => {
            let code = error.exit_code();
            super::complain(&error.into());
            return Ok(code);
        }
    };
    let FinishedCheck { result, dir, calibrated } = &finished;
    let written = write_reports(result, dir);
    let shown = show(result, &arguments.format);
    if let Some((_, path)) = calibrated {
        super::say(format_args!("kept for later checks: {}", path.display()));
    }
    super::say(format_args!("check: {}", dir.display()));
    if arguments.format != "table" {
        // What is on standard output is for a program; the sentence is for the one who waits.
        super::say(&result.sentence);
    }
    let mut code = if result.interrupted { INTERRUPTED } else { outcome_of_check(result).code() };
    for error in [written.err(), shown.err()].into_iter().flatten() {
        super::complain(&error);
        code = if result.interrupted { code } else { Outcome::Invalid.code() };
    }
    Ok(code)
}

/// Writes what programs and people read beside `check.json`.
fn write_reports(result: &CheckResult, dir: &Path) -> anyhow::Result<()> {
    for format in CHECK_FORMATS.iter().filter(|format| format.name != "json") {
        let file = render_check(format.name, result, Options::default())?;
        write_whole(&dir.join(&file.name), &file.bytes)?;
    }
    Ok(())
}

fn show(result: &CheckResult, format: &str) -> anyhow::Result<()> {
    let options =
        Options { colour: super::stdout_has_colour(), columns: super::columns(), ..Options::default() };
    super::print(&render_check(format, result, options)?.bytes)
        .context("cannot write the result to standard output")
}
