//! Reads a scenario file: TOML with spans, walked by hand, because only that gives every error the
//! exact place of its key and words of its own.

mod backends;
mod capacity;
mod gates;
pub(super) mod keys;
mod kind;
mod load;
mod method_keys;
mod methods;
mod node;
mod samples;
mod shape_keys;
mod shapes;
mod stages;
mod words;

use std::ops::Range;
use std::path::Path;

use toml::de::DeTable;
use toml::de::DeValue;

use self::keys::Kind;
use self::node::{Node, Problem, Read, Section};
pub(super) use self::words::{closest, join, quote};
use super::error::Place;
use super::{Catalogue, Scenario, ScenarioError};

/// The largest scenario file.
pub(super) const MOST_FILE_BYTES: u64 = 1 << 20;

/// The most cells of a scenario: load points × back ends.
const MOST_CELLS: usize = 4_096;

const DEFAULT_SEED: u64 = 42;

static ROOT: Kind = Kind::Table(&keys::SCENARIO);

impl Scenario {
    /// Reads and validates the text of a scenario file. `file` is its name for messages.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn parse(file: &str, text: &str, catalogue: &dyn Catalogue) -> Result<Self, ScenarioError> {
        Self::parse_in(Path::new(""), file, text, catalogue)
    }

    /// [`Self::parse`] for a file of a folder, from which the files that it names are resolved.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn parse_in(
        folder: &Path,
        file: &str,
        text: &str,
        catalogue: &dyn Catalogue,
    ) -> Result<Self, ScenarioError> {
        if text.len() as u64 > MOST_FILE_BYTES {
            return Err(too_large(file, text.len() as u64));
        }
        read(folder, file, text, catalogue).map_err(|problem| located(file, text, problem))
    }

    /// [`Self::parse`] for bytes that may not be text.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn parse_bytes(file: &str, bytes: &[u8], catalogue: &dyn Catalogue) -> Result<Self, ScenarioError> {
        Self::parse_bytes_in(Path::new(""), file, bytes, catalogue)
    }

    /// [`Self::parse_in`] for bytes that may not be text.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn parse_bytes_in(
        folder: &Path,
        file: &str,
        bytes: &[u8],
        catalogue: &dyn Catalogue,
    ) -> Result<Self, ScenarioError> {
        if bytes.len() as u64 > MOST_FILE_BYTES {
            return Err(too_large(file, bytes.len() as u64));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse_in(folder, file, text, catalogue),
            Err(error) => {
                let at = error.valid_up_to();
                // The lossy text is the same up to the first wrong byte.
                let shown = String::from_utf8_lossy(bytes);
                let after = shown[at..].chars().next().map_or(at, |character| at + character.len_utf8());
                Err(ScenarioError {
                    file: file.into(),
                    message: format!("the file is not UTF-8 text: byte {} is wrong", at + 1),
                    help: Some("save the file as UTF-8".into()),
                    place: Some(Place::new(&shown, at..after)),
                })
            }
        }
    }
}

/// The error for a file beyond [`MOST_FILE_BYTES`].
pub(super) fn too_large(file: &str, bytes: u64) -> ScenarioError {
    ScenarioError::of_file(
        file,
        format!("the file has {bytes} bytes; a scenario has at most {MOST_FILE_BYTES} (1 MiB)"),
        Some("is this a scenario file?"),
    )
}

fn located(file: &str, text: &str, problem: Problem) -> ScenarioError {
    let span = shown_span(text, problem.key, problem.value);
    ScenarioError {
        file: file.into(),
        message: problem.message,
        help: problem.help,
        place: Some(Place::new(text, span)),
    }
}

/// The key, and its value too where that follows on the same line.
fn shown_span(text: &str, key: Range<usize>, value: Option<Range<usize>>) -> Range<usize> {
    let Some(value) = value else { return key };
    let follows = value.start >= key.end && value.end <= text.len();
    let same_line = || text.get(key.start..value.end).is_some_and(|shown| !shown.contains('\n'));
    if follows && same_line() { key.start..value.end } else { key }
}

fn read(folder: &Path, file: &str, text: &str, catalogue: &dyn Catalogue) -> Read<Scenario> {
    let table = DeTable::parse(text).map_err(|error| Problem {
        key: error.span().unwrap_or(0..0),
        value: None,
        message: format!("not TOML: {}", error.message()),
        help: None,
    })?;
    if table.get_ref().is_empty() {
        return Err(Problem {
            key: 0..0,
            value: None,
            message: "the scenario is empty".into(),
            help: Some("it needs at least name, [methods.NAME] and [backends.NAME]".into()),
        });
    }
    let table = toml::Spanned::new(0..0, DeValue::Table(table.into_inner()));
    let root = Node::root(&table, &ROOT, folder).section()?;
    let name = root.need("name")?.text()?;
    if name.chars().any(char::is_control) {
        return Err(root.need("name")?.problem("a name has no control characters"));
    }
    let methods = methods::read_methods(root.need("methods")?)?;
    let mix = methods::read_mix(root.get("mix"), &methods)?;
    let sweep_section = root.get("sweep").map(Node::section).transpose()?;
    let load =
        load::read_load(root.get("load"), sweep_section.as_ref(), &mix, root.get("capacity").is_some())?;
    let sweep = load::read_sweep(sweep_section.as_ref(), &load, &methods)?;
    let capacity = capacity::read_capacity(root.get("capacity"), &load, sweep_section.as_ref())?;
    let gates = gates::read_gates(root.get("gates"), capacity.is_some())?;
    let scenario = Scenario {
        name: name.to_owned(),
        file_stem: super::names::file_stem(name),
        service_name: super::names::service_name(name),
        description: root.get("description").map(Node::text).transpose()?.unwrap_or_default().to_owned(),
        seed: root.get("seed").map(Node::unsigned).transpose()?.unwrap_or(DEFAULT_SEED),
        methods,
        mix,
        load,
        sweep,
        capacity,
        gates,
        backends: backends::read_backends(root.need("backends")?, catalogue)?,
        text: text.to_owned(),
        file: file.to_owned(),
        folder: None,
    };
    check_cells(&scenario, &root, sweep_section.as_ref(), catalogue)?;
    Ok(scenario)
}

/// Refuses connection settings that cannot work for some back end at some load point.
fn check_cells(
    scenario: &Scenario,
    root: &Section<'_>,
    sweep: Option<&Section<'_>>,
    catalogue: &dyn Catalogue,
) -> Read<()> {
    let cells = scenario.sweep.points().saturating_mul(scenario.backends.len());
    if cells > MOST_CELLS {
        let node = root.get("sweep").unwrap_or(root.node());
        return Err(node
            .name_problem(format!("{cells} cells (load points × back ends)"))
            .with_help(format!("at most {MOST_CELLS}: make lists shorter")));
    }
    let load = root.get("load").map(Node::section).transpose()?;
    let Some((point, backend, error)) = scenario.first_bad_link(catalogue) else { return Ok(()) };
    let at = sweep.and_then(|sweep| sweep.get(error.key));
    let at = at.or_else(|| load.as_ref().and_then(|load| load.get(error.key)));
    let at = at.or_else(|| root.get("load")).or_else(|| root.get("sweep")).unwrap_or(root.node());
    let gap = if point.label.is_empty() { "" } else { " at " };
    Err(at.problem(format!("{} (back end {backend}{gap}{})", error.message, point.label)).with_help(
        "leave connections and in_flight out to let them follow from the load (HTTP/1: one call per \
         connection; else many on one)",
    ))
}
