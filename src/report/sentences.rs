//! What a reader is told in sentences: the answer, the load, and why something does not count.

use super::text::line;
use super::view::{GateLine, NOTHING, Remark};
use crate::analysis::{
    Ranking, Standing, UnlikeAnswers, Winner, count, duration_ns, rate_per_s, three_digits, unlike_answers,
};
use crate::result::{
    Arrivals, ConnectionMode, Environment, GateOutcome, Idle, LoadModel, LoadRecord, Placement, ReasonKind,
    RunResult, ThinkTime, WriteBatch,
};

/// The most load points that the headline speaks of.
const MAX_HEADLINES: usize = 3;
/// A stop that is told: a shorter one is no more than two looks at the server's state.
const TOLD_STOP_NS: u64 = 20_000_000;
/// The most stages of a load that are named in a sentence.
const MAX_STAGES: usize = 6;

pub(super) fn headline(run: &RunResult, rankings: &[Ranking], valid: bool) -> Vec<String> {
    let mut sentences = Vec::new();
    if run.interrupted {
        sentences.push("The run was interrupted; what is here was measured before.".to_owned());
    }
    if !valid {
        let invalid = run.cells.iter().filter(|cell| !cell.verdict.is_valid()).count();
        sentences.push(match (invalid, run.cells.len()) {
            (_, 0) => "Nothing was measured.".to_owned(),
            (0, _) => "The run does not count.".to_owned(),
            (invalid, all) => format!("{invalid} of {all} cells do not count; see why below."),
        });
    }
    for ranking in rankings.iter().take(MAX_HEADLINES) {
        sentences.push(verdict_on(run, ranking));
    }
    if rankings.len() > MAX_HEADLINES {
        sentences.push(format!("{} more load points are below.", rankings.len() - MAX_HEADLINES));
    }
    sentences
}

fn verdict_on(run: &RunResult, ranking: &Ranking) -> String {
    let at =
        if ranking.point.is_empty() { String::new() } else { format!("At {}: ", line(&ranking.point, 40)) };
    let name = |cell: usize| run.cells.get(cell).map_or_else(String::new, |cell| line(&cell.backend, 60));
    let p50 = |standing: &Standing| {
        standing.p50_ns.map_or_else(|| NOTHING.to_owned(), |p50| duration_ns(p50 as f64))
    };
    match &ranking.winner {
        Winner::Clear(best) => {
            let ranked = || ranking.standings.iter().filter(|standing| standing.ratio_to_best.is_some());
            let fastest = ranked().find(|standing| standing.cell == *best);
            let second = ranked().filter(|standing| standing.cell != *best).min_by_key(|one| one.p50_ns);
            let (Some(fastest), Some(second)) = (fastest, second) else { return at };
            format!(
                "{at}{} is fastest, with a median of {}; {} takes {:.2} times as long.",
                name(*best),
                p50(fastest),
                name(second.cell),
                second.ratio_to_best.unwrap_or(1.0)
            )
        }
        Winner::Tied(cells) => {
            let names: Vec<String> = cells.iter().map(|cell| name(*cell)).collect();
            format!("{at}no clear winner among {}: the intervals of their medians overlap.", names.join(", "))
        }
        Winner::Nobody => match only_ranked(ranking) {
            Some(standing) => {
                format!("{at}{} has a median of {}.", name(standing.cell), p50(standing))
            }
            None if at.is_empty() => String::from("No back end is ranked; the remarks say why."),
            None => format!("{at}no back end is ranked; the remarks say why."),
        },
    }
}

fn only_ranked(ranking: &Ranking) -> Option<&Standing> {
    ranking.standings.iter().find(|standing| standing.ratio_to_best.is_some())
}

/// Where a search ended at another rate for each.
const OWN_RATE: &str = "each back end at a rate of its own";

/// A load in words.
pub(super) fn load_in_words(load: &LoadRecord) -> String {
    let mut words = Vec::new();
    match load.model {
        _ if !load.stages.is_empty() => {
            let stages: Vec<String> = load.stages.iter().map(|stage| line(&stage.label, 40)).collect();
            let shown = stages.iter().take(MAX_STAGES).cloned().collect::<Vec<_>>().join(", ");
            let more = if stages.len() > MAX_STAGES { ", …" } else { "" };
            let arrivals = load.arrivals.map_or(String::new(), |of| format!(", {} arrivals", arrivals(of)));
            words.push(format!("{} loop in stages ({shown}{more}){arrivals}", model(load.model)));
            words.extend(load.think_time.filter(|think| !think.is_zero()).map(think_in_words));
        }
        LoadModel::Closed => {
            let calls = load.concurrency.unwrap_or(0);
            words.push(format!("closed loop, {} in flight", plural(calls, "call")));
            words.extend(load.think_time.filter(|think| !think.is_zero()).map(think_in_words));
        }
        LoadModel::Open => {
            let rate = load.rate_per_s.map_or_else(|| OWN_RATE.to_owned(), rate_per_s);
            let arrivals = arrivals(load.arrivals.unwrap_or(Arrivals::Constant));
            words.push(format!("open loop, {rate}, {arrivals} arrivals"));
        }
    }
    words.push(match load.connection_mode {
        ConnectionMode::Persistent => plural(load.connections, "connection"),
        ConnectionMode::PerCall => "a connection per call".to_owned(),
    });
    words.push(
        match load.placement {
            Placement::Split => "client and server on different cores",
            Placement::Shared => "client and server on one core",
            Placement::Free => "client and server wherever the system puts them",
        }
        .to_owned(),
    );
    words.push(
        match load.idle {
            Idle::Park => "idle threads sleep",
            Idle::Spin => "idle threads poll",
        }
        .to_owned(),
    );
    words.push(match load.write_batch {
        WriteBatch::All => "all ready messages per write".to_owned(),
        WriteBatch::UpTo(messages) => format!("up to {} per write", plural(u64::from(messages), "message")),
    });
    words.join("; ")
}

fn model(model: LoadModel) -> &'static str {
    match model {
        LoadModel::Closed => "closed",
        LoadModel::Open => "open",
    }
}

fn arrivals(arrivals: Arrivals) -> &'static str {
    match arrivals {
        Arrivals::Poisson => "Poisson",
        Arrivals::Constant => "constant",
    }
}

/// A load in few words.
pub(super) fn load_in_short(load: &LoadRecord) -> String {
    match load.model {
        LoadModel::Closed => format!("{} in flight", plural(load.concurrency.unwrap_or(0), "call")),
        LoadModel::Open => match load.rate_per_s {
            Some(rate) => format!("{} offered", rate_per_s(rate)),
            None => OWN_RATE.to_owned(),
        },
    }
}

fn think_in_words(think: ThinkTime) -> String {
    let time = |ns: u64| duration_ns(ns as f64);
    match think {
        ThinkTime::FixedNs(ns) => format!("{} between an answer and the next call", time(ns)),
        ThinkTime::UniformNs(min, max) => {
            format!("{} to {} between an answer and the next call", time(min), time(max))
        }
        ThinkTime::ExponentialNs(mean) => {
            format!("exponential, on average {} between an answer and the next call", time(mean))
        }
    }
}

pub(super) fn plural(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(number), if number == 1 { "" } else { "s" })
}

pub(super) fn invalid(run: &RunResult) -> Vec<Remark> {
    let mut remarks = Vec::new();
    for cell in &run.cells {
        for reason in &cell.verdict.reasons {
            remarks.push(Remark {
                subject: cell.label(),
                text: format!("{}: {}", reason.kind.name(), reason.detail),
                remedy: None,
            });
        }
        if cell.verdict.is_valid() {
            for (index, round) in cell.rounds.iter().enumerate() {
                for reason in &round.verdict.reasons {
                    remarks.push(Remark {
                        subject: format!("{}, round {} of {}", cell.label(), index + 1, cell.rounds.len()),
                        text: format!("left out, {}: {}", reason.kind.name(), reason.detail),
                        remedy: None,
                    });
                }
            }
        }
    }
    remarks
}

pub(super) fn gate_line(gate: &GateOutcome) -> GateLine {
    let subject =
        if gate.point.is_empty() { gate.backend.clone() } else { format!("{} {}", gate.backend, gate.point) };
    let measured = gate.measured.as_deref().unwrap_or("not measured");
    GateLine {
        outcome: match gate.met {
            Some(true) => "met",
            Some(false) => "not met",
            None => "not judged",
        },
        text: format!("{} for {subject}: {measured}", gate.text),
    }
}

pub(super) fn notes(run: &RunResult) -> Vec<String> {
    let mut notes = run.notes.clone();
    for cell in &run.cells {
        if !cell.figures.lag_marked.is_empty() {
            notes.push(format!(
                "{}: the load generator's lag is more than a tenth of {}",
                cell.label(),
                cell.figures.lag_marked.join(", ")
            ));
        }
        if let Some(stopped_ns) = cell.figures.server_stopped_ns.filter(|ns| *ns >= TOLD_STOP_NS) {
            notes.push(format!(
                "{}: the server was stopped for {} in one of the rounds; that is in its times, and counts",
                cell.label(),
                duration_ns(stopped_ns as f64)
            ));
        }
        // An errors verdict says it already.
        let told = cell.verdict.has(ReasonKind::Errors);
        for example in cell.figures.error_examples.iter().filter(|_| !told) {
            let code = example.code.map_or_else(String::new, |code| format!(" (code {code})"));
            notes.push(format!(
                "{}: {} {} errors{code}, the first: {}",
                cell.label(),
                count(example.count),
                example.class.name(),
                example.message
            ));
        }
        if let Some(note) = &cell.figures.wire_note {
            notes.push(format!("{}: bytes on the wire were not counted in full: {note}", cell.label()));
        }
        if let Some(note) = &cell.figures.stages_note {
            notes.push(format!("{}: the stages of calls are missing: {note}", cell.label()));
        }
        if cell.hosting == "in-process" {
            notes.push(format!("{}: client and server shared one process", cell.label()));
        }
    }
    notes.extend(unlike_answers(run).iter().map(unlike));
    notes.extend(run.environment.warnings.iter().cloned());
    notes
}

fn unlike(found: &UnlikeAnswers) -> String {
    let ((smaller, low), (larger, high)) = (&found.smaller, &found.larger);
    format!(
        "{}: {} and {} did not answer the same thing: {} and {} bytes of {} in a mean answer; their figures are \
         of different work",
        line(&found.method, 60),
        line(smaller, 60),
        line(larger, 60),
        three_digits(*low),
        three_digits(*high),
        if found.encoded { "the codec" } else { "information" }
    )
}

/// The machine in pairs of a name and a value; what is not known is left out.
pub(super) fn machine(environment: &Environment) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            pairs.push((name.to_owned(), value));
        }
    };
    add("Processor", environment.cpu.clone());
    add("Cores", environment.cores.map(count));
    add(
        "Memory",
        environment.memory_bytes.map(|bytes| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))),
    );
    add("System", environment.os.clone());
    add("Kernel", environment.kernel.clone());
    add("Clock source", environment.clocksource.clone());
    add("Frequency governor", environment.governor.clone());
    add("Idle governor", environment.cpuidle_governor.clone());
    add("Virtualization", environment.virtualization.clone());
    add("Compiler", environment.rustc.clone());
    add("Build profile", environment.build_profile.clone());
    for (name, version) in &environment.versions {
        add(name, Some(version.clone()));
    }
    pairs
}
