//! Reads `[gates]`.

use super::node::{Node, Read, Section};
use super::words::quote;
use crate::scenario::check::{self, BytesGate, CheckGates, CheckMetric, Floors};
use crate::scenario::gate::{ErrorBudget, GRAMMAR, Gates, Inconclusive, parse_gate, parse_percent};

/// Reads the gates of a scenario that searches a capacity, or not.
pub(super) fn read_gates(node: Option<&Node<'_>>, searches: bool) -> Read<Gates> {
    let Some(node) = node else { return Ok(Gates::default()) };
    let section = node.section()?;
    let mut slo = Vec::new();
    if let Some(node) = section.get("slo") {
        for item in node.items()? {
            let text = item.text()?;
            let gate = parse_gate(text)
                .map_err(|why| item.problem(format!("{}: {why}", quote(text))).with_help(GRAMMAR))?;
            slo.push(gate);
        }
    }
    let inconclusive = section.get("inconclusive").map(Node::choice).transpose()?;
    Ok(Gates {
        slo,
        errors: section.get("errors").map_or(Ok(ErrorBudget::default()), read_budget)?,
        inconclusive: inconclusive.and_then(Inconclusive::from_name).unwrap_or_default(),
        check: read_check(&section, searches)?,
    })
}

fn read_budget(node: &Node<'_>) -> Read<ErrorBudget> {
    if !node.is_text() {
        return Ok(ErrorBudget::Calls(node.unsigned()?));
    }
    let text = node.text()?;
    let Some(percent) = text.trim().strip_suffix('%') else {
        return Err(node.problem("expected a number of calls, or a share as \"1%\""));
    };
    parse_percent(percent).map(ErrorBudget::Share).map_err(|why| node.problem(why))
}

fn read_check(section: &Section<'_>, searches: bool) -> Read<CheckGates> {
    let default = CheckGates::default();
    let metrics = section.get("metrics").map_or(Ok(Vec::new()), |node| read_metrics(node, searches))?;
    let noise_margin = section.get("noise_margin").map_or(Ok(default.noise_margin), read_share)?;
    let limit = section.get("limit").map_or(Ok(default.limit), read_share)?;
    if limit <= noise_margin
        && let Some(node) = section.get("limit").or_else(|| section.get("noise_margin"))
    {
        return Err(node
            .problem(format!(
                "the limit ({:.3}%) must be above the noise margin ({:.3}%)",
                limit * 100.0,
                noise_margin * 100.0
            ))
            .with_help(
                "what is worse by less than noise_margin is not worse; what is worse by limit must not pass",
            ));
    }
    let duration = |name: &str| section.get(name).map(Node::duration_ns).transpose();
    Ok(CheckGates {
        metrics,
        noise_margin,
        limit,
        floor: section.get("floor").map_or(Ok(default.floor), |node| read_floor(node, default.floor))?,
        alpha: section.get("alpha").map_or(Ok(default.alpha), Node::number)?,
        rounds: section.get("rounds").map(Node::small).transpose()?,
        budget_ns: duration("budget")?,
        round_ns: duration("round")?,
        early_stop: section.get("early_stop").map_or(Ok(default.early_stop), Node::boolean)?,
        bytes: section
            .get("bytes")
            .map(Node::choice)
            .transpose()?
            .and_then(BytesGate::from_name)
            .unwrap_or(default.bytes),
    })
}

fn read_metrics(node: &Node<'_>, searches: bool) -> Read<Vec<CheckMetric>> {
    let items = node.items()?;
    let names = items.iter().map(Node::text).collect::<Read<Vec<&str>>>()?;
    check::read_metrics(&names, searches)
        .map_err(|wrong| items[wrong.index].problem(wrong.problem).with_help(wrong.help))
}

/// A share as `"2%"`.
fn read_share(node: &Node<'_>) -> Read<f64> {
    let text = node.text()?;
    let Some(percent) = text.trim().strip_suffix('%') else {
        return Err(node
            .problem(format!("{} is no share", quote(text)))
            .with_help("a percentage, as \"10%\""));
    };
    parse_percent(percent).map_err(|why| node.problem(why))
}

fn read_floor(node: &Node<'_>, default: Floors) -> Read<Floors> {
    let section = node.section()?;
    let duration = |name: &str| section.get(name).map(Node::duration_ns).transpose();
    Ok(Floors {
        time_ns: duration("time")?.unwrap_or(default.time_ns),
        cpu_ns: duration("cpu")?.unwrap_or(default.cpu_ns),
    })
}
