//! What a reader is told, in the units and words of people: shared by the formats for people.

use crate::analysis::{Ranking, Standing, Winner, count, duration_ns, rank, rate_per_s, three_digits};
use crate::result::{
    CellResult, ConnectionMode, Environment, Idle, LoadModel, LoadRecord, Placement, Quantiles, ReasonKind,
    RunResult, Status, WriteBatch,
};

/// What stands for a figure that was not measured.
pub(super) const NOTHING: &str = "–";
/// The most load points that the headline speaks of.
const MAX_HEADLINES: usize = 3;

/// A run as it is told.
pub(super) struct View {
    /// Sentences that answer the reader's question.
    pub headline: Vec<String>,
    /// Whether the run counts.
    pub valid: bool,
    /// One per load point.
    pub groups: Vec<Group>,
    /// Why cells or rounds do not count.
    pub invalid: Vec<Remark>,
    /// Back ends left out.
    pub skipped: Vec<Remark>,
    /// Gates in sentences, and whether each is met.
    pub gates: Vec<GateLine>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

/// Something said about a back end.
pub(super) struct Remark {
    pub subject: String,
    pub text: String,
    /// A line for the shell that mends it, or what to do.
    pub remedy: Option<String>,
}

/// A gate and what came of it.
pub(super) struct GateLine {
    pub outcome: &'static str,
    pub text: String,
}

/// The cells of a load point.
pub(super) struct Group {
    /// Its short name; empty where the run has one load point only.
    pub point: String,
    /// Its load in words.
    pub load: String,
    /// Which times the columns show.
    pub times: &'static str,
    /// Why its cells are not ranked, or who ties.
    pub remarks: Vec<String>,
    pub rows: Vec<Row>,
}

/// A cell.
pub(super) struct Row {
    /// Its position in the run.
    pub cell: usize,
    pub backend: String,
    /// Who wrote the server, where it is not ours.
    pub implementation: Option<String>,
    /// `protocol`, or `codec over transport` of a free pair.
    pub stack: String,
    pub p50: Figure,
    pub p99: Figure,
    pub max: Figure,
    pub rate: Figure,
    pub ratio: String,
    pub bytes_request: Figure,
    pub bytes_response: Figure,
    /// In microseconds.
    pub cpu_client: Figure,
    /// In microseconds.
    pub cpu_server: Figure,
    pub errors: String,
    pub verdict: String,
    pub valid: bool,
}

/// A figure in its unit.
pub(super) struct Figure {
    pub text: String,
    /// Whether it is the best of its load point.
    pub best: bool,
}

/// Tells a run.
pub(super) fn view(run: &RunResult) -> View {
    let rankings = rank(&run.cells);
    let valid = run.verdict == Status::Valid && run.cells.iter().all(|cell| cell.verdict.is_valid());
    View {
        headline: headline(run, &rankings, valid),
        valid,
        groups: rankings.iter().map(|ranking| group(run, ranking)).collect(),
        invalid: invalid(run),
        skipped: run
            .skipped
            .iter()
            .map(|skipped| Remark {
                subject: skipped.backend.clone(),
                text: skipped.why.clone(),
                remedy: skipped.how_to_get_it.clone(),
            })
            .collect(),
        gates: run.gates.iter().map(gate_line).collect(),
        notes: notes(run),
    }
}

fn headline(run: &RunResult, rankings: &[Ranking], valid: bool) -> Vec<String> {
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
    let at = if ranking.point.is_empty() { String::new() } else { format!("At {}: ", ranking.point) };
    let name = |cell: usize| run.cells.get(cell).map_or("", |cell| &*cell.backend);
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
            let names: Vec<&str> = cells.iter().map(|cell| name(*cell)).collect();
            format!("{at}no clear winner among {}: the intervals of their medians overlap.", names.join(", "))
        }
        Winner::Nobody => match only_ranked(ranking) {
            Some(standing) => {
                format!("{at}{} has a median of {}.", name(standing.cell), p50(standing))
            }
            None => format!("{at}no back end is ranked."),
        },
    }
}

fn only_ranked(ranking: &Ranking) -> Option<&Standing> {
    ranking.standings.iter().find(|standing| standing.ratio_to_best.is_some())
}

fn group(run: &RunResult, ranking: &Ranking) -> Group {
    let mut remarks: Vec<String> = Vec::new();
    let valid_cells = || {
        ranking
            .standings
            .iter()
            .filter(|standing| run.cells.get(standing.cell).is_some_and(|cell| cell.verdict.is_valid()))
    };
    for reason in valid_cells().filter_map(|standing| standing.not_ranked.as_ref()) {
        let sentence = format!("Not ranked: {reason}.");
        if !remarks.contains(&sentence) {
            remarks.push(sentence);
        }
    }
    if ranking.load.model == LoadModel::Closed {
        remarks.push("Closed loop: not what users would wait at a given rate.".to_owned());
    }
    let mut rows: Vec<Row> = ranking
        .standings
        .iter()
        .filter_map(|standing| Some(row(standing, run.cells.get(standing.cell)?)))
        .collect();
    mark_best(run, &mut rows);
    Group {
        point: ranking.point.clone(),
        load: load_in_words(&ranking.load),
        times: match ranking.load.model {
            LoadModel::Closed => "service time",
            LoadModel::Open => "response time",
        },
        remarks,
        rows,
    }
}

fn row(standing: &Standing, cell: &CellResult) -> Row {
    let figures = &cell.figures;
    let times = times(cell);
    let failed: u64 = figures.errors.values().sum();
    let bytes = figures.bytes_per_call;
    Row {
        cell: standing.cell,
        backend: cell.backend.clone(),
        implementation: cell.implementation.clone().filter(|name| !name.starts_with("wirebench")),
        stack: cell
            .protocol
            .clone()
            .unwrap_or_else(|| format!("{} over {}, a free pair", cell.codec, cell.transport)),
        p50: plain(nanoseconds(times.p50)),
        p99: plain(nanoseconds(times.p99)),
        max: plain(nanoseconds(times.max)),
        rate: plain(figures.rate_per_s.map(rate_per_s)),
        ratio: standing.ratio_to_best.map_or_else(|| NOTHING.to_owned(), |ratio| format!("{ratio:.2}×")),
        bytes_request: plain(bytes.request.encoded.map(bytes_text)),
        bytes_response: plain(bytes.response.encoded.map(bytes_text)),
        cpu_client: plain(figures.cpu_us_per_call.client.map(three_digits)),
        cpu_server: plain(figures.cpu_us_per_call.server.map(three_digits)),
        errors: if figures.calls.is_some() {
            count(failed.saturating_add(figures.wrong_answers.unwrap_or(0)))
        } else {
            NOTHING.to_owned()
        },
        verdict: match cell.verdict.reasons.first() {
            None => "valid".to_owned(),
            Some(reason) => reason.kind.name().to_owned(),
        },
        valid: cell.verdict.is_valid(),
    }
}

fn plain(text: Option<String>) -> Figure {
    Figure { text: text.unwrap_or_else(|| NOTHING.to_owned()), best: false }
}

/// The times of a cell that people are told: what they wait in an open loop, what a call takes in a
/// closed one.
pub(super) fn times(cell: &CellResult) -> &Quantiles {
    match cell.load.model {
        LoadModel::Open => &cell.figures.response_ns,
        LoadModel::Closed => &cell.figures.service_ns,
    }
}

/// A quantile in its unit.
pub(super) fn nanoseconds(value: Option<u64>) -> Option<String> {
    value.map(|value| duration_ns(value as f64))
}

/// A mean number of bytes.
pub(super) fn bytes_text(bytes: f64) -> String {
    if bytes < 9_999.5 { format!("{bytes:.0}") } else { format!("{:.1}k", bytes / 1e3) }
}

/// Marks the best figure of each column among the valid cells, where there are several. The times of
/// a group that is not ranked are not marked.
fn mark_best(run: &RunResult, rows: &mut [Row]) {
    let ranked = rows.iter().any(|row| row.ratio != NOTHING);
    type Column = (fn(&CellResult) -> Option<f64>, fn(&mut Row) -> &mut Figure, bool);
    let columns: [Column; 8] = [
        (|cell| times(cell).p50.map(|value| value as f64), |row| &mut row.p50, true),
        (|cell| times(cell).p99.map(|value| value as f64), |row| &mut row.p99, true),
        (|cell| times(cell).max.map(|value| value as f64), |row| &mut row.max, true),
        (|cell| cell.figures.rate_per_s.map(|rate| -rate), |row| &mut row.rate, true),
        (|cell| cell.figures.bytes_per_call.request.encoded, |row| &mut row.bytes_request, false),
        (|cell| cell.figures.bytes_per_call.response.encoded, |row| &mut row.bytes_response, false),
        (|cell| cell.figures.cpu_us_per_call.client, |row| &mut row.cpu_client, false),
        (|cell| cell.figures.cpu_us_per_call.server, |row| &mut row.cpu_server, false),
    ];
    for (value, figure, needs_ranking) in columns {
        if needs_ranking && !ranked {
            continue;
        }
        let values: Vec<Option<f64>> =
            rows.iter().map(|row| run.cells.get(row.cell).filter(|_| row.valid).and_then(value)).collect();
        if values.iter().flatten().count() < 2 {
            continue;
        }
        let best = values.iter().flatten().copied().fold(f64::INFINITY, f64::min);
        for (row, value) in rows.iter_mut().zip(values) {
            figure(row).best = value == Some(best);
        }
    }
}

/// A load in words.
pub(super) fn load_in_words(load: &LoadRecord) -> String {
    let mut words = Vec::new();
    match load.model {
        LoadModel::Closed => {
            let calls = load.concurrency.unwrap_or(0);
            words.push(format!("closed loop, {} in flight", plural(calls, "call")));
        }
        LoadModel::Open => {
            let rate = load.rate_per_s.map_or_else(|| NOTHING.to_owned(), rate_per_s);
            let arrivals = match load.arrivals {
                Some(crate::result::Arrivals::Poisson) => "Poisson",
                _ => "constant",
            };
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

fn plural(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(number), if number == 1 { "" } else { "s" })
}

fn invalid(run: &RunResult) -> Vec<Remark> {
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

fn gate_line(gate: &crate::result::GateOutcome) -> GateLine {
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

fn notes(run: &RunResult) -> Vec<String> {
    let mut notes = run.notes.clone();
    for cell in &run.cells {
        if !cell.figures.lag_marked.is_empty() {
            notes.push(format!(
                "{}: the load generator's lag is more than a tenth of {}",
                cell.label(),
                cell.figures.lag_marked.join(", ")
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
        if cell.hosting == "in-process" {
            notes.push(format!("{}: client and server shared one process", cell.label()));
        }
    }
    notes.extend(run.environment.warnings.iter().cloned());
    notes
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
