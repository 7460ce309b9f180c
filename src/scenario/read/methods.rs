//! Reads `[methods]` and `[mix]`.

use std::sync::Arc;

use super::method_keys::OPEN;
use super::node::{Node, Read, Section};
use super::shapes::{check_name, meant_a_list, min_beyond_max, read_kind, read_shape};
use super::words::{closest, join, quote};
use crate::rpc::{Delay, Hold, How, Stall};
use crate::scenario::{Expect, MethodSpec, Mix, Returns, Shape, Sizing};

/// The most memory that the arguments or the answer of one call may take: what fits a message of
/// the largest size in every protocol.
const MOST_CALL_BYTES: u64 = 32 << 20;

/// Reads every method.
pub(super) fn read_methods(node: &Node<'_>) -> Read<Vec<MethodSpec>> {
    node.entries()?.iter().map(read_method).collect()
}

fn read_method(node: &Node<'_>) -> Read<MethodSpec> {
    check_method_name(node)?;
    let section = node.section()?;
    let mut params: Vec<(Arc<str>, Shape)> = Vec::new();
    if let Some(node) = section.get("params") {
        for param in node.entries()? {
            check_name(&param)?;
            params.push((Arc::from(param.name), read_shape(&param)?));
        }
        check_size(node, params.iter().map(|(_, shape)| shape), None)?;
    }
    let expect = section.get("expect").map(Node::choice).transpose()?;
    let expect = expect.and_then(Expect::from_name).unwrap_or_default();
    let returns = match section.get("returns") {
        Some(node) => read_returns(node, &params)?,
        None if expect == Expect::Any => Returns::Open,
        None => Returns::Drawn(Shape::Nil),
    };
    if returns == Returns::Open && expect != Expect::Any {
        let node = section.get("expect").or(section.get("returns")).unwrap_or(node);
        return Err(node
            .problem("an answer of any type cannot be checked")
            .with_help("expect = \"any\", or say in `returns` what comes back"));
    }
    Ok(MethodSpec {
        name: Arc::from(node.name),
        params,
        returns,
        expect,
        stream_items: section
            .get("stream")
            .map(|node| node.section()?.need("items")?.unsigned())
            .transpose()?,
        delay: section.get("service_time").map(read_service_time).transpose()?,
        fail_rate: match section.get("fail") {
            Some(node) => node.section()?.need("rate")?.number()?,
            None => 0.0,
        },
    })
}

/// A method's name is an identifier, perhaps with dots: it becomes a path, a tag of histogram
/// logs, and a name in generated code.
fn check_method_name(node: &Node<'_>) -> Read<()> {
    check_name(node)?;
    let begins = node.name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let rest = |character: char| character.is_ascii_alphanumeric() || "_.-".contains(character);
    if begins && node.name.chars().all(rest) {
        return Ok(());
    }
    Err(node
        .name_problem("not the name of a method")
        .with_help("allowed: a letter or `_`, then letters, digits, `_`, `.` and `-`"))
}

/// Refuses arguments or answers that are too large for a message.
pub(super) fn check_size<'s>(
    node: &Node<'_>,
    shapes: impl Iterator<Item = &'s Shape> + Clone,
    payload_bytes: Option<u64>,
) -> Read<()> {
    let sizing = Sizing::of(shapes.clone(), payload_bytes);
    let bytes = shapes.fold(0_u64, |sum, shape| sum.saturating_add(shape.most_bytes(sizing)));
    if bytes <= MOST_CALL_BYTES {
        return Ok(());
    }
    Err(node
        .name_problem(format!("one call could need {} MiB", bytes >> 20))
        .with_help(format!("at most {} MiB: make lengths smaller", MOST_CALL_BYTES >> 20)))
}

fn read_returns(node: &Node<'_>, params: &[(Arc<str>, Shape)]) -> Read<Returns> {
    if node.is_table() {
        let section = node.section().map_err(|problem| meant_a_list(node, problem))?;
        let first = section.first()?;
        if first.name == "echo" {
            return read_echo(first, params);
        }
        let shape = read_kind(first)?;
        check_size(node, std::iter::once(&shape), None)?;
        return Ok(Returns::Drawn(shape));
    }
    if node.is_text() && node.text()? == OPEN {
        return Ok(Returns::Open);
    }
    Ok(Returns::Drawn(read_shape(node)?))
}

fn read_echo(node: &Node<'_>, params: &[(Arc<str>, Shape)]) -> Read<Returns> {
    let name = node.text()?;
    if let Some(position) = params.iter().position(|(param, _)| **param == *name) {
        return Ok(Returns::Echo(position));
    }
    let problem = node.problem(format!("the method has no parameter {}", quote(name)));
    if params.is_empty() {
        return Err(problem.with_help("give the method `params`"));
    }
    Err(problem.with_help(format!("allowed: {}", join(params.iter().map(|(param, _)| param)))))
}

fn read_service_time(node: &Node<'_>) -> Read<Delay> {
    let section = node.section()?;
    let forms = ["fixed", "uniform", "exponential", "bimodal"];
    for (index, form) in forms.iter().enumerate() {
        for other in &forms[index + 1..] {
            section.exclusive(form, other)?;
        }
    }
    let hold = read_hold(&section)?;
    let stall = section.get("stall").map(read_stall).transpose()?;
    let hold = match (hold, stall) {
        (Some(hold), _) => hold,
        (None, Some(_)) => Hold::Fixed(0),
        (None, None) => {
            return Err(node
                .problem("says no time")
                .with_help(format!("give one of {}, stall", join(forms))));
        }
    };
    let how = section.get("how").map(Node::choice).transpose()?.and_then(How::from_name).unwrap_or_default();
    Ok(Delay { hold, stall, how })
}

fn read_hold(section: &Section<'_>) -> Read<Option<Hold>> {
    if let Some(node) = section.get("fixed") {
        return Ok(Some(Hold::Fixed(node.duration_ns()?)));
    }
    if let Some(node) = section.get("exponential") {
        return Ok(Some(Hold::Exponential(node.duration_ns()?)));
    }
    if let Some(node) = section.get("uniform") {
        let (min_ns, max_ns) = read_range_ns(node)?;
        return Ok(Some(Hold::Uniform(min_ns, max_ns)));
    }
    let Some(node) = section.get("bimodal") else { return Ok(None) };
    let bimodal = node.section()?;
    Ok(Some(Hold::Bimodal {
        fast_ns: bimodal.need("fast")?.duration_ns()?,
        slow_ns: bimodal.need("slow")?.duration_ns()?,
        slow_share: bimodal.need("slow_share")?.number()?,
    }))
}

/// Two times, as `[MIN, MAX]` or `{ min, max }`.
pub(super) fn read_range_ns(node: &Node<'_>) -> Read<(u64, u64)> {
    let (min, max) = if node.is_list() {
        let items = node.items()?;
        match &items[..] {
            [min, max] => (min.duration_ns()?, max.duration_ns()?),
            _ => return Err(node.problem("expected two times")),
        }
    } else {
        let section = node.section()?;
        (section.need("min")?.duration_ns()?, section.need("max")?.duration_ns()?)
    };
    if min > max { Err(min_beyond_max(node)) } else { Ok((min, max)) }
}

fn read_stall(node: &Node<'_>) -> Read<Stall> {
    let section = node.section()?;
    let stall = Stall {
        every_ns: section.need("every")?.duration_ns()?,
        for_ns: section.need("for")?.duration_ns()?,
    };
    if stall.for_ns >= stall.every_ns {
        return Err(section
            .need("for")?
            .problem("a stall must be shorter than the time from one to the next")
            .with_help("make `for` less than `every`"));
    }
    Ok(stall)
}

/// Reads the call mix; without one all methods are called equally often.
pub(super) fn read_mix(node: Option<&Node<'_>>, methods: &[MethodSpec]) -> Read<Mix> {
    let Some(node) = node else {
        return Ok(Mix::Weights((0..methods.len()).map(|method| (method, 1)).collect()));
    };
    let section = node.section()?;
    let first = section.first()?;
    if first.name == "sequence" {
        let mut steps = Vec::new();
        for item in first.items()? {
            let step = item.section()?;
            let method = step.need("method")?;
            steps.push((position(method, method.text()?, methods)?, step.need("calls")?.unsigned()?));
        }
        return Ok(Mix::Sequence(steps));
    }
    let mut weights = Vec::new();
    for entry in first.entries()? {
        let method = position(&entry, entry.name, methods)?;
        weights.push((method, entry.unsigned()?));
    }
    if weights.iter().all(|(_, weight)| *weight == 0) {
        return Err(first.problem("all weights are 0").with_help("give at least one method a weight"));
    }
    Ok(Mix::Weights(weights))
}

fn position(node: &Node<'_>, name: &str, methods: &[MethodSpec]) -> Read<usize> {
    if let Some(position) = methods.iter().position(|method| *method.name == *name) {
        return Ok(position);
    }
    let names = || methods.iter().map(|method| &*method.name);
    let help = match closest(name, names()) {
        Some(meant) => format!("did you mean `{meant}`? methods: {}", join(names())),
        None => format!("methods: {}", join(names())),
    };
    Err(node.problem(format!("there is no method {}", quote(name))).with_help(help))
}
