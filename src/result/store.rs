//! A run's folder: rounds are written when they end, `run.json` replaces its earlier self.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::cell::RoundRecord;
use super::check::CheckResult;
use super::histograms::{CellHistograms, Histograms};
use super::hlog;
use super::round::RoundResult;
use super::run::{RunResult, SCHEMA_VERSION};
use crate::rpc::civil;

/// The file with the whole result.
const RUN_FILE: &str = "run.json";
/// The file with what a check decided.
const CHECK_FILE: &str = "check.json";
/// The file with one line per finished round, for a run that never came to its end.
const ROUNDS_FILE: &str = "rounds.jsonl";
/// The file of a round's stages: that of its histograms with another ending.
const STAGES_EXTENSION: &str = "stages.hlog";
/// How many folders of one name and second are tried.
const MAX_ATTEMPTS: u32 = 1_000;
/// The longest file name part made from a scenario's or back end's name, in bytes.
const MAX_SLUG_BYTES: usize = 60;

/// Why a run's folder cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder holds no result.
    #[error("{} holds no run.json; give the folder of a run, or its run.json", path.display())]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// The run was killed before its result was written.
    #[error(
        "the run in {} ended before its run.json was written; its {rounds} finished rounds are in rounds.jsonl",
        path.display()
    )]
    Unfinished {
        /// The folder.
        path: PathBuf,
        /// How many rounds it holds.
        rounds: usize,
    },
    /// The file is no result.
    #[error("{} is no result of a run: {reason}", path.display())]
    NotAResult {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The result is of a later version.
    #[error(
        "{} has schema_version {found}, and this wirebench reads up to {SCHEMA_VERSION}: use the wirebench that wrote it, or a newer one",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// No free name for the folder was found.
    #[error("{} and {MAX_ATTEMPTS} folders like it exist already: name another with --out", path.display())]
    NoFreeName {
        /// The first name tried.
        path: PathBuf,
    },
    /// A result cannot be put into JSON.
    #[error("cannot write {}: {reason}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

fn io_error<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> StoreError + 'a {
    move |source| StoreError::Io { action, path: path.to_owned(), source }
}

/// Which cell a round belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CellKey {
    /// The back end's name.
    pub backend: String,
    /// The load point's short name; empty where there is one only.
    pub point: String,
}

/// A line of `rounds.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredRound {
    /// The cell.
    pub cell: CellKey,
    /// Which of the cell's rounds, from 1.
    pub round: u64,
    /// The file with its histograms.
    pub histograms: String,
    /// What was measured; its interval log is in the file.
    pub result: RoundResult,
}

/// A run's folder that is being written.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    rounds: File,
    written: BTreeSet<String>,
}

impl Store {
    /// Makes the folder `<reports>/<name>-<time>`, with a number behind it if there is one already.
    /// `name` is free text; `unix_s` is the time of the run's begin.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn create_in(reports: &Path, name: &str, unix_s: i64) -> Result<Self, StoreError> {
        let time = civil(unix_s).map_or_else(
            || unix_s.to_string(),
            |(year, month, day, hour, minute, second)| {
                format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
            },
        );
        let first = format!("{}-{time}", slug(name));
        fs::create_dir_all(reports).map_err(io_error("make the folder", reports))?;
        for attempt in 1..=MAX_ATTEMPTS {
            let name = if attempt == 1 { first.clone() } else { format!("{first}-{attempt}") };
            let dir = reports.join(name);
            match fs::create_dir(&dir) {
                Ok(()) => return Self::create(&dir),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io_error("make the folder", &dir)(error)),
            }
        }
        Err(StoreError::NoFreeName { path: reports.join(first) })
    }

    /// Uses `dir` as the run's folder, and makes it where it does not exist. The rounds of an earlier
    /// run in it are replaced.
    ///
    /// # Errors
    /// The folder cannot be made or written to.
    pub fn create(dir: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(dir).map_err(io_error("make the folder", dir))?;
        let path = dir.join(ROUNDS_FILE);
        let rounds = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .open(&path)
            .map_err(io_error("write", &path))?;
        for stale in [RUN_FILE, CHECK_FILE].map(|name| dir.join(name)) {
            match fs::remove_file(&stale) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(io_error("replace", &stale)(error));
                }
                _ => {}
            }
        }
        Ok(Self { dir: dir.to_owned(), rounds, written: BTreeSet::new() })
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes a finished round at once: its histograms into a file of their own, everything else as
    /// a line of `rounds.jsonl`. `round` counts from 1. Returns the name of the histograms' file.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn write_round(
        &mut self,
        cell: &CellKey,
        round: u64,
        result: &RoundResult,
    ) -> Result<String, StoreError> {
        let histograms = self.free_name(cell, round);
        let path = self.dir.join(&histograms);
        write_whole(&path, result.hlog.as_bytes())?;
        if !result.stages_hlog.is_empty() {
            write_whole(&path.with_extension(STAGES_EXTENSION), result.stages_hlog.as_bytes())?;
        }
        let stored = StoredRound {
            cell: cell.clone(),
            round,
            histograms: histograms.clone(),
            result: RoundResult { hlog: String::new(), stages_hlog: String::new(), ..result.clone() },
        };
        let path = self.dir.join(ROUNDS_FILE);
        let mut line = serde_json::to_vec(&stored)
            .map_err(|error| StoreError::Encode { path: path.clone(), reason: error.to_string() })?;
        line.push(b'\n');
        self.rounds
            .write_all(&line)
            .and_then(|()| self.rounds.flush())
            .map_err(io_error("append to", &path))?;
        Ok(histograms)
    }

    /// Two cells whose names differ only in what a file name cannot hold get different files.
    fn free_name(&mut self, cell: &CellKey, round: u64) -> String {
        let mut stem = slug(&cell.backend);
        if !cell.point.is_empty() {
            stem.push('-');
            stem.push_str(&slug(&cell.point));
        }
        let mut name = format!("{stem}-r{round}.hlog");
        let mut copy = 2;
        // File systems may not tell upper from lower case.
        while !self.written.insert(name.to_lowercase()) {
            name = format!("{stem}-r{round}-{copy}.hlog");
            copy += 1;
        }
        name
    }

    /// Writes `run.json`, in place of an earlier one, never half.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_run(&self, run: &RunResult) -> Result<PathBuf, StoreError> {
        let path = self.dir.join(RUN_FILE);
        let mut json = serde_json::to_vec_pretty(run)
            .map_err(|error| StoreError::Encode { path: path.clone(), reason: error.to_string() })?;
        json.push(b'\n');
        write_whole(&path, &json)?;
        Ok(path)
    }

    /// Writes `check.json`, in place of an earlier one, never half.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_check(&self, check: &CheckResult) -> Result<PathBuf, StoreError> {
        let path = self.dir.join(CHECK_FILE);
        let mut json = serde_json::to_vec_pretty(check)
            .map_err(|error| StoreError::Encode { path: path.clone(), reason: error.to_string() })?;
        json.push(b'\n');
        write_whole(&path, &json)?;
        Ok(path)
    }

    /// Writes a report or another file beside `run.json`, never half.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_file(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, StoreError> {
        let path = self.dir.join(name);
        write_whole(&path, bytes)?;
        Ok(path)
    }
}

/// Writes beside the file and renames, so that a reader sees the old file or the new one, and a full
/// disk leaves no half of it.
///
/// # Errors
/// The file cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".part");
    let unfinished = PathBuf::from(unfinished);
    let result = fs::write(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, path));
    if result.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    result.map_err(io_error("write", path))
}

/// A part of a file name: ASCII letters, digits, `.`, `_` and `-`, everything else one `-`.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for character in name.chars() {
        if slug.len() >= MAX_SLUG_BYTES {
            break;
        }
        if character.is_ascii_alphanumeric() || matches!(character, '.' | '_') {
            slug.push(character);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_matches(['-', '.']);
    if slug.is_empty() { "unnamed".to_owned() } else { slug.to_owned() }
}

/// Reads a run: its folder, its `run.json` under any name, or the `check.json` beside it.
///
/// # Errors
/// There is no run, or it is of a later version, or damaged.
pub fn load_run(path: &Path) -> Result<RunResult, StoreError> {
    let mut file = if path.is_dir() { path.join(RUN_FILE) } else { path.to_owned() };
    let mut read = fs::read(&file);
    if !path.is_dir() && read.as_ref().is_ok_and(|text| is_check(text)) {
        file = path.with_file_name(RUN_FILE);
        read = fs::read(&file);
    }
    let text = match read {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_dir() => {
            let rounds = load_rounds(path).map_or(0, |rounds| rounds.len());
            return Err(match rounds {
                0 => StoreError::NoRun { path: path.to_owned() },
                rounds => StoreError::Unfinished { path: path.to_owned(), rounds },
            });
        }
        Err(error) => return Err(io_error("read", &file)(error)),
    };
    versioned(&text, &file)
}

/// Reads a check: its folder, or its `check.json` under any name. `None` for a folder that holds no check,
/// and for a file that is none.
///
/// # Errors
/// It is of a later version, or damaged.
pub fn load_check(path: &Path) -> Result<Option<CheckResult>, StoreError> {
    let file = if path.is_dir() { path.join(CHECK_FILE) } else { path.to_owned() };
    match fs::read(&file) {
        Ok(text) if !path.is_dir() && !is_check(&text) => Ok(None),
        Ok(text) => versioned(&text, &file).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_dir() => Ok(None),
        Err(error) => Err(io_error("read", &file)(error)),
    }
}

/// Whether a result is that of a check. Files are renamed and saved from pages, so their names say nothing.
fn is_check(text: &[u8]) -> bool {
    serde_json::from_slice::<Told>(text).is_ok_and(|told| told.pairs.is_some() && told.cells.is_none())
}

/// What tells a check from a run.
#[derive(Deserialize)]
struct Told {
    pairs: Option<IgnoredAny>,
    cells: Option<IgnoredAny>,
}

/// The version first: a later one may look different everywhere else.
fn versioned<T: serde::de::DeserializeOwned>(text: &[u8], file: &Path) -> Result<T, StoreError> {
    let not_a_result = |error: &serde_json::Error| StoreError::NotAResult {
        path: file.to_owned(),
        reason: error.to_string(),
    };
    let VersionOnly { schema_version } =
        serde_json::from_slice(text).map_err(|error| not_a_result(&error))?;
    if schema_version > u64::from(SCHEMA_VERSION) {
        return Err(StoreError::Version { path: file.to_owned(), found: schema_version });
    }
    serde_json::from_slice(text).map_err(|error| not_a_result(&error))
}

#[derive(Deserialize)]
struct VersionOnly {
    schema_version: u64,
}

/// Reads the finished rounds of a run's folder, without their histograms. A last line that was cut
/// is left out.
///
/// # Errors
/// The file cannot be read, or a line other than the last is damaged.
pub fn load_rounds(dir: &Path) -> Result<Vec<StoredRound>, StoreError> {
    let path = dir.join(ROUNDS_FILE);
    let file = File::open(&path).map_err(io_error("read", &path))?;
    let mut lines = BufReader::new(file).split(b'\n').enumerate().peekable();
    let mut rounds = Vec::new();
    while let Some((index, line)) = lines.next() {
        let line = line.map_err(io_error("read", &path))?;
        match serde_json::from_slice(&line) {
            Ok(round) => rounds.push(round),
            Err(_) if lines.peek().is_none() => {}
            Err(error) => {
                return Err(StoreError::NotAResult { path, reason: format!("line {}: {error}", index + 1) });
            }
        }
    }
    Ok(rounds)
}

/// Reads and merges the histograms of a run: of each cell's valid rounds, or of all its rounds where
/// none is valid, like the cell's figures. A file that cannot be read is named in the result.
/// `path` is the run's folder or a file in it.
#[must_use]
pub fn load_histograms(path: &Path, run: &RunResult) -> Histograms {
    let dir = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let mut histograms = Histograms::default();
    for cell in &run.cells {
        let any_valid = cell.rounds.iter().any(|round| round.verdict.is_valid());
        let mut merged = CellHistograms::default();
        let counted = |(_, round): &(usize, &RoundRecord)| !any_valid || round.verdict.is_valid();
        for (index, round) in cell.rounds.iter().enumerate().filter(counted) {
            let Some(name) = &round.histograms else { continue };
            // A result may come from elsewhere: its files are beside it or nowhere.
            let beside = Path::new(name).file_name().is_some_and(|file| file == name.as_str());
            let read =
                if beside { fs::read_to_string(dir.join(name)) } else { Err(io::ErrorKind::NotFound.into()) };
            let outcome = read
                .map_err(|error| error.to_string())
                .and_then(|text| hlog::read(&text).map_err(|error| error.to_string()))
                .and_then(|intervals| merged.add_round(index, &intervals).map_err(|error| error.to_string()));
            if let Err(reason) = outcome {
                histograms.missing.push(format!("the histograms in {name} are missing: {reason}"));
            }
        }
        histograms.cells.push(merged);
    }
    histograms
}

#[cfg(test)]
mod tests;
