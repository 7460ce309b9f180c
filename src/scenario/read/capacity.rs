//! Reads `[capacity]`.

use super::node::{Node, Read, Section};
use crate::scenario::capacity::{DEFAULT_MAX_PER_S, DEFAULT_MIN_PER_S, DEFAULT_PRECISION};
use crate::scenario::gate::GRAMMAR;
use crate::scenario::{Capacity, Load, LoadModel};

/// Reads the search for a capacity, which needs an open load of one rate.
pub(super) fn read_capacity(
    node: Option<&Node<'_>>,
    load: &Load,
    sweep: Option<&Section<'_>>,
) -> Read<Option<Capacity>> {
    let Some(node) = node else { return Ok(None) };
    if !matches!(load.model, LoadModel::Open { .. }) {
        return Err(node
            .name_problem("the search varies the rate of an open load, and this one is closed")
            .with_help("give [load] open = { arrivals = \"constant\" } or \"poisson\""));
    }
    if !load.stages.is_empty() {
        return Err(node
            .name_problem("[load] stages say the rates, and the search varies them")
            .with_help("keep one of them"));
    }
    if let Some(rates) = sweep.and_then(|sweep| sweep.get("rate_per_s")) {
        return Err(rates
            .name_problem("the search of [capacity] varies the rate")
            .with_help("keep one of them"));
    }
    let section = node.section()?;
    let slo = section.need("slo")?;
    let objectives = if slo.is_list() { slo.items()? } else { vec![slo.clone()] };
    let mut gates = Vec::new();
    for objective in &objectives {
        let gate = Capacity::parse_objective(objective.text()?)
            .map_err(|problem| objective.problem(problem).with_help(GRAMMAR))?;
        gates.push(gate);
    }
    let number = |name: &str| section.get(name).map(Node::number).transpose();
    let min_per_s = number("min_per_s")?;
    let max_per_s = number("max_per_s")?;
    let capacity = Capacity {
        slo: gates,
        min_per_s: min_per_s.unwrap_or(DEFAULT_MIN_PER_S.min(max_per_s.unwrap_or(f64::MAX))),
        max_per_s: max_per_s.unwrap_or(DEFAULT_MAX_PER_S.max(min_per_s.unwrap_or(0.0))),
        precision: number("precision")?.unwrap_or(DEFAULT_PRECISION),
    };
    if capacity.min_per_s > capacity.max_per_s {
        return Err(section.need("min_per_s")?.problem("min_per_s is greater than max_per_s"));
    }
    Ok(Some(capacity))
}
