//! What `run` and `validate` let the command line change in a scenario.

use crate::result::shell_word;
use crate::run::{Choices, Plan, Registry};
use crate::scenario::{Amount, Overrides, Placement, Scenario, parse_duration_ns};

#[derive(Debug, Default, clap::Args)]
pub(super) struct LoadOptions {
    /// Only these back ends
    #[arg(long, value_name = "BACKEND", value_delimiter = ',')]
    only: Vec<String>,
    /// Leave out back ends whose protocol cannot carry the scenario, instead of refusing it
    #[arg(long)]
    skip_unsupported: bool,
    /// Rounds per cell
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    rounds: Option<u32>,
    /// Calls per round
    #[arg(long, value_name = "N", allow_negative_numbers = true, conflicts_with = "duration")]
    calls: Option<u64>,
    /// Length of a round's measured interval, as 10s or 500ms
    #[arg(long, value_name = "TIME", value_parser = duration, allow_hyphen_values = true)]
    duration: Option<u64>,
    /// Warm-up: a time (500ms), or a number of calls
    #[arg(long, value_name = "TIME|N", value_parser = amount, allow_hyphen_values = true)]
    warmup: Option<Amount>,
    /// Calls in flight, in a closed loop
    #[arg(long, value_name = "N", allow_negative_numbers = true, conflicts_with = "rate")]
    concurrency: Option<u32>,
    /// Calls due per second, in an open loop
    #[arg(long, value_name = "PER_SECOND", allow_negative_numbers = true)]
    rate: Option<f64>,
    /// Time between an answer and a slot's next call, in a closed loop
    #[arg(long, value_name = "TIME", value_parser = duration, allow_hyphen_values = true)]
    think_time: Option<u64>,
    /// Search the highest rate at which this is kept, as "p99 <= 5ms"; needs an open loop
    #[arg(long, value_name = "OBJECTIVE")]
    capacity: Option<String>,
    /// Where client and server run
    #[arg(long, value_parser = placement)]
    placement: Option<Placement>,
    /// Seed of calls, payloads, arrivals and the order of rounds
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Do not make calls once more to count bytes on the wire
    #[arg(long)]
    no_wire_pass: bool,
    /// Take no stamps for the stages of a call
    #[arg(long)]
    no_stages: bool,
}

fn duration(text: &str) -> Result<u64, String> {
    parse_duration_ns(text).map_err(|error| error.to_string())
}

fn amount(text: &str) -> Result<Amount, String> {
    match text.parse() {
        Ok(calls) => Ok(Amount::Calls(calls)),
        Err(_) => duration(text).map(Amount::DurationNs),
    }
}

fn placement(text: &str) -> Result<Placement, String> {
    Placement::from_name(text).ok_or_else(|| format!("allowed: {}", Placement::NAMES.join(", ")))
}

impl LoadOptions {
    /// Reads and plans a scenario with these changes.
    ///
    /// # Errors
    /// Whatever is wrong with the scenario or the changes, in words.
    pub(super) fn plan(&self, name: &str) -> anyhow::Result<Plan> {
        let mut scenario: Scenario = super::find_scenario(name)?;
        let overrides = Overrides {
            rounds: self.rounds,
            calls: self.calls,
            duration_ns: self.duration,
            warmup: self.warmup,
            concurrency: self.concurrency,
            rate_per_s: self.rate,
            think_time_ns: self.think_time,
            placement: self.placement,
            seed: self.seed,
            no_wire_pass: self.no_wire_pass,
            no_stages: self.no_stages,
        };
        scenario.override_with(&overrides, &Registry)?;
        if let Some(objective) = &self.capacity {
            scenario.search_capacity(objective)?;
        }
        let choices = Choices { only: self.only.clone(), skip_unsupported: self.skip_unsupported };
        Ok(Plan::new(scenario, &choices)?)
    }

    /// The changes as they were typed, for the result.
    pub(super) fn typed(&self) -> Vec<String> {
        let mut typed = Vec::new();
        let mut add = |flag: &str, value: Option<String>| {
            if let Some(value) = value {
                typed.push(format!("--{flag} {}", shell_word(&value)));
            }
        };
        add("only", (!self.only.is_empty()).then(|| self.only.join(",")));
        add("rounds", self.rounds.map(|value| value.to_string()));
        add("calls", self.calls.map(|value| value.to_string()));
        add("duration", self.duration.map(crate::scenario::format_duration_ns));
        add(
            "warmup",
            self.warmup.map(|amount| match amount {
                Amount::Calls(calls) => calls.to_string(),
                Amount::DurationNs(ns) => crate::scenario::format_duration_ns(ns),
            }),
        );
        add("concurrency", self.concurrency.map(|value| value.to_string()));
        add("rate", self.rate.map(|value| value.to_string()));
        add("think-time", self.think_time.map(crate::scenario::format_duration_ns));
        add("capacity", self.capacity.clone());
        add("placement", self.placement.map(|value| value.to_string()));
        add("seed", self.seed.map(|value| value.to_string()));
        if self.skip_unsupported {
            typed.push("--skip-unsupported".into());
        }
        if self.no_wire_pass {
            typed.push("--no-wire-pass".into());
        }
        if self.no_stages {
            typed.push("--no-stages".into());
        }
        typed
    }
}
