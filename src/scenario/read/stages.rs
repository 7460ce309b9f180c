//! Reads `[load] stages`.

use super::node::{Node, Read, Section};
use crate::scenario::duration::MOST_NS;
use crate::scenario::stage::{Level, Stage, total_ns};
use crate::scenario::{Arrivals, LoadModel, stage};

/// What says how much load a stage has.
const LEVELS: [&str; 3] = ["rate_per_s", "ramp_to_per_s", "concurrency"];

/// Reads the stages and the model that follows from them. What else says how much load there is, or
/// how long it lasts, is refused.
pub(super) fn read_stages(
    node: &Node<'_>,
    load: &Section<'_>,
    sweep: Option<&Section<'_>>,
) -> Read<(Vec<Stage>, LoadModel)> {
    for name in ["calls", "duration"] {
        if let Some(other) = load.get(name) {
            return Err(other
                .name_problem("the stages say how long the load lasts")
                .with_help("remove the key, or the stages"));
        }
    }
    for name in ["rate_per_s", "concurrency"] {
        if let Some(swept) = sweep.and_then(|sweep| sweep.get(name)) {
            return Err(swept
                .name_problem("[load] stages say how much load there is")
                .with_help("remove the key, or the stages"));
        }
    }
    let mut stages: Vec<Stage> = Vec::new();
    for item in node.items()? {
        let stage = read_stage(&item, stages.last())?;
        if let Some(first) = stages.first()
            && first.level.concurrency().is_some() != stage.level.concurrency().is_some()
        {
            return Err(item.problem("rates and concurrencies in one load").with_help(
                "a load is open (rate_per_s, ramp_to_per_s) or closed (concurrency) in all its stages",
            ));
        }
        stages.push(stage);
    }
    if total_ns(&stages) > MOST_NS {
        return Err(node.name_problem("the stages last longer than 30 days (720h) together"));
    }
    let model = model_of(&stages, load)?;
    Ok((stages, model))
}

fn model_of(stages: &[Stage], load: &Section<'_>) -> Read<LoadModel> {
    let level_elsewhere = |name: &str, key: &str| -> Read<()> {
        let Some(model) = load.get(name) else { return Ok(()) };
        match model.section()?.get(key) {
            Some(level) => Err(level
                .name_problem("the stages say how much load there is")
                .with_help("remove the key, or the stages")),
            None => Ok(()),
        }
    };
    level_elsewhere("open", "rate_per_s")?;
    level_elsewhere("closed", "concurrency")?;
    match stage::mean_rate_per_s(stages) {
        Some(rate_per_s) => {
            if let Some(closed) = load.get("closed") {
                return Err(closed
                    .name_problem("a closed load has no rates, and the stages give some")
                    .with_help("give `concurrency` in the stages, or `open` instead of `closed`"));
            }
            let arrivals = match load.get("open") {
                Some(open) => open.section()?.get("arrivals").map(Node::choice).transpose()?,
                None => None,
            };
            let arrivals = arrivals.and_then(Arrivals::from_name).unwrap_or(Arrivals::Constant);
            Ok(LoadModel::Open { rate_per_s, arrivals })
        }
        None => {
            if let Some(open) = load.get("open") {
                return Err(open
                    .name_problem("an open load has no concurrency, and the stages give some")
                    .with_help("give rate_per_s in the stages, or `closed` instead of `open`"));
            }
            let most = stages.iter().filter_map(|stage| stage.level.concurrency()).max();
            Ok(LoadModel::Closed { concurrency: most.unwrap_or(1) })
        }
    }
}

fn read_stage(node: &Node<'_>, before: Option<&Stage>) -> Read<Stage> {
    let section = node.section()?;
    for (index, level) in LEVELS.iter().enumerate() {
        for other in &LEVELS[index + 1..] {
            section.exclusive(level, other)?;
        }
    }
    let from = section.get("ramp_from_per_s");
    if let (Some(from), None) = (from, section.get("ramp_to_per_s")) {
        return Err(from
            .name_problem("only a ramp has a rate to start from")
            .with_help("give ramp_to_per_s too"));
    }
    let level = if let Some(rate) = section.get("rate_per_s") {
        let rate_per_s = rate.number()?;
        Level::Rate { from_per_s: rate_per_s, to_per_s: rate_per_s }
    } else if let Some(calls) = section.get("concurrency") {
        Level::Concurrency(calls.small()?)
    } else if let Some(to) = section.get("ramp_to_per_s") {
        read_ramp(to, from, before)?
    } else {
        return Err(node
            .problem("the stage does not say how much load it has")
            .with_help("give one of rate_per_s, ramp_to_per_s, concurrency"));
    };
    Ok(Stage {
        label: section.get("label").map(Node::text).transpose()?.map(str::to_owned),
        level,
        length_ns: section.need("for")?.duration_ns()?,
    })
}

fn read_ramp(to: &Node<'_>, from: Option<&Node<'_>>, before: Option<&Stage>) -> Read<Level> {
    let to_per_s = to.number()?;
    let from_per_s = match (from.map(Node::number).transpose()?, before.map(|stage| stage.level)) {
        (Some(from_per_s), _) => from_per_s,
        (None, Some(Level::Rate { to_per_s, .. })) => to_per_s,
        (None, _) => {
            return Err(to
                .name_problem("there is no rate before it from which the ramp could start")
                .with_help("give ramp_from_per_s, or begin with a stage of rate_per_s"));
        }
    };
    #[allow(clippy::float_cmp)]
    if from_per_s == to_per_s {
        return Err(to
            .problem(format!("the ramp starts from {from_per_s}/s and goes nowhere"))
            .with_help("a stage at a constant rate is { rate_per_s = …, for = … }"));
    }
    Ok(Level::Rate { from_per_s, to_per_s })
}
