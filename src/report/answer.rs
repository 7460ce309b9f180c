//! The answer: for each goal that a reader may have, which back end to take, by how much, and the catch.

use super::place::{Place, short};
use super::text::line;
use super::view::{NOTHING, bytes_text};
use crate::analysis::{
    Answer, ByteCount, Contender, Goal, Margin, PointAnswers, Winner, catches, duration_ns, duration_us,
    opens_all_the_time, rate_per_s,
};
use crate::result::{CellResult, RunResult};

/// Load points that have a card of their own; the others are rows of a table.
const MAX_CARDS: usize = 3;
/// Back ends in the order of a card.
const MAX_ORDER: usize = 8;

/// What a goal is called and asks for.
pub(super) struct Panel {
    pub key: &'static str,
    /// Stands beside the button.
    pub name: &'static str,
    /// Whether it is the one that is shown first.
    pub first: bool,
    pub cards: Vec<Card>,
    /// The answers of further load points.
    pub more: Vec<Vec<String>>,
}

/// The answer at one load point.
pub(super) struct Card {
    pub place: String,
    /// `clear`, `tied` or `nobody`.
    pub kind: &'static str,
    /// Who, or that nobody can be named.
    pub take: String,
    /// By how much.
    pub why: String,
    pub runner_up: String,
    /// The best of other groups of back ends: of protocols that have peers elsewhere, where the winner's has
    /// none, and of the servers of each maker.
    pub among: Vec<String>,
    pub order: Vec<Rank>,
    /// Whether the order is folded at first.
    pub folded: bool,
    /// What stands against the winner, by back end.
    pub catches: Vec<(String, Vec<String>)>,
    pub left_out: Vec<String>,
}

/// A back end in the order of a card.
pub(super) struct Rank {
    pub name: String,
    pub figure: String,
    pub interval: String,
    pub ratio: String,
    /// The length of its bar in percent of the longest.
    pub length: String,
}

/// One per goal; the first one that can be answered is shown first.
pub(super) fn panels(places: &[Place<'_>]) -> Vec<Panel> {
    let mut panels: Vec<Panel> = Goal::ALL
        .into_iter()
        .enumerate()
        .map(|(index, goal)| {
            let of = |place: &Place<'_>| {
                let answer = place.answers.answers.get(index).filter(|answer| answer.goal == goal);
                answer.map(|answer| card(place, &place.answers, answer))
            };
            let mut cards: Vec<Card> = places.iter().filter_map(of).collect();
            // What can be answered is said first.
            cards.sort_by_key(|card| card.kind == "nobody");
            say_once(&mut cards);
            let more = cards.split_off(cards.len().min(MAX_CARDS));
            let more = more.into_iter().map(|card| vec![card.place, card.take, card.why]).collect();
            Panel { key: goal.key(), name: goal_name(goal), first: false, cards, more }
        })
        .collect();
    let answered = panels.iter().position(|panel| panel.cards.iter().any(|card| card.kind != "nobody"));
    if let Some(first) = panels.get_mut(answered.unwrap_or(0)) {
        first.first = true;
    }
    panels
}

/// The first card tells everything; the others leave out catches that were told, and fold their order.
fn say_once(cards: &mut [Card]) {
    let mut told: Vec<String> = Vec::new();
    for (index, card) in cards.iter_mut().enumerate() {
        card.folded = index > 0;
        card.catches.retain(|(name, _)| !told.contains(name));
        told.extend(card.catches.iter().map(|(name, _)| name.clone()));
    }
}

fn goal_name(goal: Goal) -> &'static str {
    match goal {
        Goal::Tail => "Lowest p99",
        Goal::Median => "Lowest median",
        Goal::Throughput => "Most calls per second",
        Goal::Bytes => "Smallest on the wire",
        Goal::Cpu => "Least CPU",
    }
}

fn card(place: &Place<'_>, answers: &PointAnswers, answer: &Answer) -> Card {
    let run = place.input.run;
    let name = |cell: usize| run.cells.get(cell).map_or_else(String::new, short);
    let figure = |of: &Contender| figure(answer.goal, of.value);
    let (kind, take, why, winners) = match (&answer.winner, answer.best()) {
        (Winner::Clear(cell), Some(best)) => {
            let second = answer.runner_up();
            let margin = second.and_then(|second| answer.margin(second));
            let why = match (second, margin) {
                (Some(second), Some(margin)) => {
                    format!(
                        "{} {}. {}",
                        what(answer, best),
                        than(answer, &margin, &name(second.cell)),
                        spread(&margin)
                    )
                }
                _ => format!("{}.", what(answer, best)),
            };
            ("clear", name(*cell), why, vec![*cell])
        }
        (Winner::Tied(tied), Some(_)) => {
            let figures: Vec<String> = answer
                .contenders
                .iter()
                .filter(|one| tied.contains(&one.cell))
                .map(|one| format!("{} {}", name(one.cell), figure(one)))
                .collect();
            let reason = if answer.goal == Goal::Bytes {
                "they do not differ beyond their rounds"
            } else {
                "their intervals overlap"
            };
            let why = format!("{}: {reason}. Choose among them by another goal.", figures.join(", "));
            ("tied", "No clear winner".to_owned(), why, tied.clone())
        }
        (_, Some(only)) => {
            let why = format!("{}. There is no other back end to compare it with.", what(answer, only));
            ("nobody", format!("Only {} is judged", name(only.cell)), why, vec![only.cell])
        }
        (_, None) => ("nobody", "No answer".to_owned(), reasons(run, answer).join(" "), Vec::new()),
    };
    let runner_up = match (&answer.winner, answer.runner_up()) {
        (Winner::Clear(_), Some(second)) => {
            format!("{}, {} {}", name(second.cell), figure(second), interval_text(answer.goal, second))
        }
        (Winner::Tied(_), Some(next)) => {
            let times = answer.margin(next).map_or_else(String::new, |margin| {
                format!(", {} behind the first", ratio_text(margin.ratio))
            });
            format!("{}, {}{times}", name(next.cell), figure(next))
        }
        _ => String::new(),
    };
    Card {
        place: place_name(place, answers),
        kind,
        take,
        why,
        runner_up,
        among: among(run, answer),
        order: order(run, answer),
        folded: false,
        catches: winners.into_iter().take(3).filter_map(|cell| catch(run.cells.get(cell)?)).collect(),
        left_out: if answer.best().is_some() { reasons(run, answer) } else { Vec::new() },
    }
}

fn place_name(place: &Place<'_>, answers: &PointAnswers) -> String {
    if place.heading.is_empty() {
        super::sentences::load_in_short(&answers.load)
    } else {
        place.heading.clone()
    }
}

/// What the best one does.
fn what(answer: &Answer, best: &Contender) -> String {
    let figure = figure(answer.goal, best.value);
    match answer.goal {
        Goal::Tail => format!("99 of 100 calls take at most {figure}"),
        Goal::Median => format!("Half of the calls take at most {figure}"),
        Goal::Throughput => match &answer.objective {
            Some(objective) => format!("It keeps {} up to {figure}", line(objective, 80)),
            None => format!("It answers {figure}"),
        },
        Goal::Bytes => {
            let counted = match answer.counted {
                Some(ByteCount::Wire) => "on the wire, connections included",
                Some(ByteCount::Framed) => "as handed to the sockets",
                _ => "as the codec makes them",
            };
            format!("A call and its answer are {figure} {counted}")
        }
        Goal::Cpu => format!("A call costs {figure} of processor time, both sides together"),
    }
}

fn than(answer: &Answer, margin: &Margin, second: &str) -> String {
    let times = ratio_text(margin.ratio);
    match answer.goal {
        Goal::Throughput => format!("— {times} the rate of {second}"),
        Goal::Bytes => format!("— {second} needs {times} as many"),
        Goal::Cpu => format!("— {second} needs {times} as much"),
        Goal::Tail | Goal::Median => format!("— {second} takes {times} as long"),
    }
}

/// How sure the margin is.
fn spread(margin: &Margin) -> String {
    let [low, high] = margin.interval;
    if high - low < 0.005 || !low.is_finite() {
        return String::new();
    }
    if high.is_infinite() {
        return format!("It is at least {}.", ratio_text(low));
    }
    format!("From round to round and call to call it may be {} to {}.", ratio_text(low), ratio_text(high))
}

fn ratio_text(ratio: f64) -> String {
    match ratio {
        ratio if !ratio.is_finite() => "many times".to_owned(),
        ratio if ratio < 10.0 => format!("{ratio:.2}×"),
        ratio => format!("{ratio:.1}×"),
    }
}

/// A figure of a goal in its unit.
fn figure(goal: Goal, value: f64) -> String {
    match goal {
        Goal::Tail | Goal::Median => duration_ns(value),
        Goal::Throughput => rate_per_s(value),
        Goal::Bytes => format!("{} B", bytes_text(value)),
        Goal::Cpu => duration_us(value),
    }
}

fn interval_text(goal: Goal, of: &Contender) -> String {
    let [low, high] = of.interval;
    if high.is_infinite() {
        return "(at least)".to_owned();
    }
    let (low, high) = (figure(goal, low), figure(goal, high));
    if low == high { String::new() } else { format!("({low} to {high})") }
}

/// Who is best among those that a team can choose from, where the best of all is not one of them.
fn among(run: &RunResult, answer: &Answer) -> Vec<String> {
    let cells = || answer.contenders.iter().filter_map(|one| Some((one, run.cells.get(one.cell)?)));
    let Some((_, first)) = cells().next() else { return Vec::new() };
    let told = |(one, cell): (&Contender, &CellResult)| {
        format!("{} {}", short(cell), figure(answer.goal, one.value))
    };
    let mut found = Vec::new();
    if is_own_protocol(first)
        && let Some(next) = cells().find(|(_, cell)| !is_own_protocol(cell) && cell.transport != "null")
    {
        found.push(format!("Of protocols that are spoken elsewhere: {}.", told(next)));
    }
    let maker = |cell: &CellResult| cell.implementation.as_deref().and_then(maker_of).map(str::to_owned);
    let mut makers: Vec<String> = cells().filter_map(|(_, cell)| maker(cell)).collect();
    makers.sort();
    makers.dedup();
    for name in makers.into_iter().filter(|name| maker(first).as_ref() != Some(name)) {
        let own: Vec<String> =
            cells().filter(|(_, cell)| maker(cell).as_ref() == Some(&name)).map(told).take(3).collect();
        if own.len() > 1 {
            found.push(format!("Of the servers in {}: {}.", line(&name, 40), own.join(", then ")));
        }
    }
    found
}

/// Whether no peer but this project's speaks it.
fn is_own_protocol(cell: &CellResult) -> bool {
    cell.protocol.as_deref() == Some("binary-tcp")
}

/// The first word of what a server says it is, as of `CPython SimpleXMLRPCServer 3.11`.
fn maker_of(implementation: &str) -> Option<&str> {
    implementation.split_whitespace().next()
}

fn order(run: &RunResult, answer: &Answer) -> Vec<Rank> {
    let longest = answer.contenders.iter().map(|one| one.value).fold(0.0, f64::max);
    let of = |one: &Contender| {
        let name = run.cells.get(one.cell).map_or_else(String::new, short);
        let ratio = answer.margin(one).map_or_else(|| NOTHING.to_owned(), |margin| ratio_text(margin.ratio));
        let length = if longest > 0.0 { one.value / longest * 100.0 } else { 0.0 };
        Rank {
            name,
            figure: figure(answer.goal, one.value),
            interval: interval_text(answer.goal, one),
            ratio,
            length: format!("{:.1}", length.clamp(0.5, 100.0)),
        }
    };
    answer.contenders.iter().take(MAX_ORDER).map(of).collect()
}

/// Why back ends are not judged: each reason once, with the back ends that it holds for.
fn reasons(run: &RunResult, answer: &Answer) -> Vec<String> {
    let mut found: Vec<(&str, Vec<String>)> = Vec::new();
    for (cell, reason) in &answer.left_out {
        let name = run.cells.get(*cell).map_or_else(String::new, short);
        match found.iter_mut().find(|(known, _)| known == reason) {
            Some((_, names)) => names.push(name),
            None => found.push((reason, vec![name])),
        }
    }
    let sentence = |(reason, names): (&str, Vec<String>)| {
        let more = names.len().saturating_sub(6);
        let mut told = names.into_iter().take(6).collect::<Vec<_>>().join(", ");
        if more > 0 {
            told.push_str(&format!(" and {more} more"));
        }
        line(&format!("{told}: {reason}."), 600)
    };
    found.into_iter().map(sentence).collect()
}

fn catch(cell: &CellResult) -> Option<(String, Vec<String>)> {
    let mut found = catches(cell);
    if let Some(implementation) = &cell.implementation {
        found.push(format!("measured with this server: {}", line(implementation, 80)));
    }
    if opens_all_the_time(cell) && found.len() > 1 {
        // What costs most is said first.
        found.rotate_right(2);
    }
    (!found.is_empty()).then(|| (short(cell), found))
}
