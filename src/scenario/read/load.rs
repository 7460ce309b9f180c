//! Reads `[load]` and `[sweep]`.

use super::methods::{check_size, read_range_ns};
use super::node::{Node, Problem, Read, Section};
use super::stages::read_stages;
use crate::scenario::capacity::DEFAULT_START_PER_S;
use crate::scenario::{
    Amount, Arrivals, ConnectionMode, Idle, Load, LoadModel, MethodSpec, Mix, Placement, Sweep, ThinkTime,
    stage,
};

const DEFAULT_DURATION_NS: u64 = 10_000_000_000;
const DEFAULT_WARMUP_NS: u64 = 500_000_000;
const DEFAULT_TIMEOUT_NS: u64 = 5_000_000_000;
const DEFAULT_ROUNDS: u32 = 3;
/// A sampled call costs about a third of a microsecond: a hundredth of that stays well below 3 % of the shortest
/// call.
const DEFAULT_STAGE_SAMPLES: u32 = 32;
const DEFAULT_WIRE_CALLS: u32 = 100;

/// Reads the load. A sequence decides the model and the number of calls; where the capacity
/// `is_searched`, an open load needs no rate.
pub(super) fn read_load(
    node: Option<&Node<'_>>,
    sweep: Option<&Section<'_>>,
    mix: &Mix,
    is_searched: bool,
) -> Read<Load> {
    let section = node.map(Node::section).transpose()?;
    let get = |name: &str| section.as_ref().and_then(|section| section.get(name));
    if let Some(section) = &section {
        section.exclusive("closed", "open")?;
        section.exclusive("calls", "duration")?;
    }
    let (stages, model) = match (get("stages"), &section) {
        (Some(stages), Some(section)) => read_stages(stages, section, sweep)?,
        _ => (Vec::new(), read_model(get("open"), get("closed"), sweep, is_searched)?),
    };
    let think_time = get("think_time").map(read_think_time).transpose()?;
    if let (LoadModel::Open { .. }, Some(node)) = (model, get("think_time")) {
        return Err(think_in_an_open_load(node));
    }
    let length = match (get("calls"), get("duration")) {
        (Some(calls), _) => Amount::Calls(calls.unsigned()?),
        (None, Some(duration)) => Amount::DurationNs(duration.duration_ns()?),
        (None, None) if !stages.is_empty() => Amount::DurationNs(stage::total_ns(&stages)),
        (None, None) => Amount::DurationNs(DEFAULT_DURATION_NS),
    };
    let length = match mix.sequence_calls() {
        Some(calls) => {
            check_sequence(section.as_ref(), sweep, model)?;
            Amount::Calls(calls)
        }
        None => length,
    };
    let small = |name: &str| get(name).map(Node::small).transpose();
    let duration = |name: &str| get(name).map(Node::duration_ns).transpose();
    let choice = |name: &str| get(name).map(Node::choice).transpose();
    Ok(Load {
        model,
        stages,
        think_time,
        connections: small("connections")?,
        in_flight: small("in_flight")?,
        connection_mode: choice("connection_mode")?
            .and_then(ConnectionMode::from_name)
            .unwrap_or(ConnectionMode::Persistent),
        length,
        warmup: get("warmup").map_or(Ok(Amount::DurationNs(DEFAULT_WARMUP_NS)), read_warmup)?,
        rounds: small("rounds")?.unwrap_or(DEFAULT_ROUNDS),
        placement: choice("placement")?.and_then(Placement::from_name),
        idle: choice("idle")?.and_then(Idle::from_name).unwrap_or(Idle::Park),
        write_batch: small("write_batch")?,
        timeout_ns: duration("timeout")?.unwrap_or(DEFAULT_TIMEOUT_NS),
        client_threads: small("client_threads")?.unwrap_or(1),
        server_threads: small("server_threads")?.unwrap_or(1),
        stage_samples: small("stage_samples")?.unwrap_or(DEFAULT_STAGE_SAMPLES),
        wire_calls: small("wire_calls")?.unwrap_or(DEFAULT_WIRE_CALLS),
    })
}

fn read_model(
    open: Option<&Node<'_>>,
    closed: Option<&Node<'_>>,
    sweep: Option<&Section<'_>>,
    is_searched: bool,
) -> Read<LoadModel> {
    match open {
        Some(open) => read_open(open, sweep, is_searched),
        None => read_closed(closed, sweep),
    }
}

fn read_open(node: &Node<'_>, sweep: Option<&Section<'_>>, is_searched: bool) -> Read<LoadModel> {
    if let Some(concurrency) = sweep.and_then(|sweep| sweep.get("concurrency")) {
        return Err(concurrency
            .name_problem("an open load has no concurrency")
            .with_help("sweep rate_per_s, or give [load] closed instead of open"));
    }
    let section = node.section()?;
    let rate = section.get("rate_per_s").map(Node::number).transpose()?;
    let swept = sweep.and_then(|sweep| sweep.get("rate_per_s")).map(|rates| {
        let first = rates.items()?.first().map(Node::number).transpose()?;
        first.ok_or_else(|| rates.problem("an empty list"))
    });
    let rate_per_s = match (rate, swept.transpose()?) {
        (Some(rate), _) | (None, Some(rate)) => rate,
        (None, None) if is_searched => DEFAULT_START_PER_S,
        (None, None) => {
            return Err(node
                .problem("the key `rate_per_s` is missing")
                .with_help("give it here, or a list of rates in [sweep]"));
        }
    };
    let arrivals = section.get("arrivals").map(Node::choice).transpose()?;
    Ok(LoadModel::Open {
        rate_per_s,
        arrivals: arrivals.and_then(Arrivals::from_name).unwrap_or(Arrivals::Constant),
    })
}

fn read_closed(node: Option<&Node<'_>>, sweep: Option<&Section<'_>>) -> Read<LoadModel> {
    if let Some(rate) = sweep.and_then(|sweep| sweep.get("rate_per_s")) {
        return Err(rate
            .name_problem("a closed load has no rate")
            .with_help("give [load] open = { arrivals = \"constant\" }, or sweep concurrency"));
    }
    let concurrency = match node {
        Some(node) => node.section()?.get("concurrency").map(Node::small).transpose()?,
        None => None,
    };
    Ok(LoadModel::Closed { concurrency: concurrency.unwrap_or(1) })
}

fn think_in_an_open_load(node: &Node<'_>) -> Problem {
    node.name_problem("an open load has no think time: its schedule says when calls are due")
        .with_help("remove the key, or give [load] closed instead of open")
}

fn read_think_time(node: &Node<'_>) -> Read<ThinkTime> {
    if !node.is_table() {
        return Ok(ThinkTime::FixedNs(node.duration_ns()?));
    }
    let section = node.section()?;
    let first = section.first()?;
    Ok(match first.name {
        "fixed" => ThinkTime::FixedNs(first.duration_ns()?),
        "exponential" => ThinkTime::ExponentialNs(first.duration_ns()?),
        _ => {
            let (min_ns, max_ns) = read_range_ns(first)?;
            ThinkTime::UniformNs(min_ns, max_ns)
        }
    })
}

fn read_warmup(node: &Node<'_>) -> Read<Amount> {
    if node.is_table() {
        return Ok(Amount::Calls(node.section()?.need("calls")?.unsigned()?));
    }
    Ok(Amount::DurationNs(node.duration_ns()?))
}

/// A sequence is one call after another and says itself how many.
fn check_sequence(load: Option<&Section<'_>>, sweep: Option<&Section<'_>>, model: LoadModel) -> Read<()> {
    let get = |name: &str| load.and_then(|section| section.get(name));
    if let Some(open) = get("open") {
        return Err(open
            .name_problem("a sequence is closed, one call in flight")
            .with_help("use weights in [mix] for an open load"));
    }
    if let (Some(closed), true) = (get("closed"), model != (LoadModel::Closed { concurrency: 1 })) {
        return Err(closed
            .problem("a sequence has one call in flight")
            .with_help("concurrency = 1, or use weights in [mix]"));
    }
    if let Some(stages) = get("stages") {
        return Err(stages
            .name_problem("a sequence has one call in flight, and sets the number of calls itself")
            .with_help("remove the key, or use weights in [mix]"));
    }
    if let Some(length) = get("calls").or_else(|| get("duration")) {
        return Err(length
            .name_problem("a sequence sets the number of calls itself")
            .with_help("remove the key, or change the calls in [mix] sequence"));
    }
    match sweep.and_then(|sweep| sweep.get("concurrency")) {
        Some(node) => Err(node
            .name_problem("a sequence has one call in flight")
            .with_help("remove the key, or use weights in [mix]")),
        None => Ok(()),
    }
}

/// Reads the sweep.
pub(super) fn read_sweep(section: Option<&Section<'_>>, load: &Load, methods: &[MethodSpec]) -> Read<Sweep> {
    let Some(section) = section else { return Ok(Sweep::default()) };
    if let Some(node) = section.get("payload")
        && !methods.iter().any(|method| method.params.iter().any(|(_, shape)| shape.has_payload()))
    {
        return Err(node
            .name_problem("there is nothing to size")
            .with_help("give a text, bytes or list parameter a `length`; that is what payload replaces"));
    }
    if let (LoadModel::Open { .. }, Some(node)) = (load.model, section.get("think_time")) {
        return Err(think_in_an_open_load(node));
    }
    let payload = |node: &Node<'_>| {
        let bytes = node.unsigned()?;
        for method in methods {
            check_size(node, method.params.iter().map(|(_, shape)| shape), Some(bytes))?;
        }
        Ok(bytes)
    };
    let named = |node: &Node<'_>| node.choice().map(str::to_owned);
    let modes = list(section, "connection_mode", named)?;
    let placements = list(section, "placement", named)?;
    let idle = list(section, "idle", named)?;
    Ok(Sweep {
        concurrency: list(section, "concurrency", Node::small)?,
        rate_per_s: list(section, "rate_per_s", Node::number)?,
        connections: list(section, "connections", Node::small)?,
        in_flight: list(section, "in_flight", Node::small)?,
        connection_mode: modes.iter().filter_map(|name| ConnectionMode::from_name(name)).collect(),
        placement: placements.iter().filter_map(|name| Placement::from_name(name)).collect(),
        idle: idle.iter().filter_map(|name| Idle::from_name(name)).collect(),
        think_time_ns: list(section, "think_time", Node::duration_ns)?,
        payload: list(section, "payload", payload)?,
    })
}

fn list<'a, T: PartialEq>(
    section: &Section<'a>,
    name: &str,
    read: impl Fn(&Node<'a>) -> Read<T>,
) -> Read<Vec<T>> {
    let Some(node) = section.get(name) else { return Ok(Vec::new()) };
    let mut values = Vec::new();
    for item in node.items()? {
        let value = read(&item)?;
        if values.contains(&value) {
            return Err(item.problem("the value is in the list twice").with_help("each value once"));
        }
        values.push(value);
    }
    Ok(values)
}
