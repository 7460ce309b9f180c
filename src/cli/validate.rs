//! `wirebench validate`: says what a scenario would do, and starts nothing.

use std::fmt::Write as _;

use anyhow::Context as _;

use super::load_options::LoadOptions;
use crate::analysis::compare::search_precision;
use crate::scenario::{Amount, Capacity, CheckGates, CheckMetric, about, estimated_ns, format_duration_ns};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A scenario: a file, or the name of a shipped one
    scenario: String,
    #[command(flatten)]
    load: LoadOptions,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let plan = arguments.load.plan(&arguments.scenario)?;
    let mut text = String::new();
    let scenario = &plan.scenario;
    writeln!(text, "{}: valid", scenario.name)?;
    if !scenario.description.is_empty() {
        writeln!(text, "  {}", scenario.description)?;
    }
    let methods: Vec<String> = plan
        .service
        .methods
        .iter()
        .map(|method| {
            let params: Vec<String> =
                method.method.params.iter().map(|field| format!("{}: {}", field.name, field.ty)).collect();
            format!("{}({}) -> {}", method.method.name, params.join(", "), method.method.returns)
        })
        .collect();
    writeln!(text, "  methods: {}", methods.join("; "))?;
    match &scenario.capacity {
        None => {
            let takes = about(estimated_ns(plan.cells.iter().map(|cell| &cell.point.load)));
            writeln!(text, "  {} cells, {} rounds, about {takes}:", plan.cells.len(), plan.order.len())?;
        }
        Some(capacity) => {
            let slo: Vec<&str> = capacity.slo.iter().map(|gate| &*gate.text).collect();
            writeln!(
                text,
                "  the highest rate from {} to {}/s with {}, within {} %, is searched for each of:",
                capacity.min_per_s,
                capacity.max_per_s,
                slo.join(" and "),
                capacity.precision * 100.0
            )?;
        }
    }
    let check = match &scenario.capacity {
        Some(capacity) if scenario.gates.check.metrics.contains(&CheckMetric::Capacity) => {
            Some(compared(capacity, &scenario.gates.check)?)
        }
        _ => None,
    };
    for cell in &plan.cells {
        let load = &cell.point.load;
        let length = match load.length {
            Amount::Calls(calls) => format!("{calls} calls"),
            Amount::DurationNs(ns) => format_duration_ns(ns),
        };
        let point =
            if cell.point.label.is_empty() { String::new() } else { format!(" ({})", cell.point.label) };
        writeln!(
            text,
            "    {}{point}: {}, {} loop, {} connection(s) with {} in flight, {}, {} x {length}",
            cell.backend.name,
            cell.protocol.label(),
            load.model.name(),
            cell.links.connections,
            cell.links.in_flight,
            cell.placement,
            load.rounds,
        )?;
    }
    for (backend, why) in &plan.left_out {
        writeln!(text, "    {backend}: left out: {why}")?;
    }
    if let Some(check) = check {
        writeln!(text, "  {check}")?;
    }
    super::print(text.as_bytes())?;
    Ok(0)
}

/// What a check of capacities would do.
fn compared(capacity: &Capacity, gates: &CheckGates) -> anyhow::Result<String> {
    let precision = search_precision(capacity.precision, gates.noise_margin, gates.limit)
        .context("capacity cannot be gated")?;
    let length = match gates.rounds {
        Some(rounds) => format!("{rounds} pairs of them"),
        None => format!("for at most {}", about(gates.budget_or_default_ns())),
    };
    Ok(format!(
        "check compares capacities: searches within {} %, {length}",
        (precision * 1e4).round() / 100.0
    ))
}
