//! `wirebench history`: trends over a folder of runs, for looking.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::analysis::{IndexedRun, indexed, trends};
use crate::report::{history_csv, history_page};
use crate::result::{load_run, write_whole};

/// The index, within the folder of runs: what was read of each, so that a thousand runs are not read again.
const INDEX_FILE: &str = "history.json";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder with the folders of runs, as reports
    dir: PathBuf,
    /// Where history.csv and history.html are written; the folder itself where it is not given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Only this scenario
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let index = arguments.dir.join(INDEX_FILE);
    let known: Vec<IndexedRun> =
        std::fs::read(&index).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let runs = read(&arguments.dir, &known)?;
    anyhow::ensure!(!runs.is_empty(), "{} holds no folders of runs", arguments.dir.display());
    if runs != known {
        // An index that cannot be kept is made again next time.
        if let Err(error) = write_whole(&index, &serde_json::to_vec_pretty(&runs)?) {
            super::say(error);
        }
    }
    let wanted: Vec<IndexedRun> = runs
        .into_iter()
        .filter(|run| arguments.scenario.as_ref().is_none_or(|wanted| run.scenario == *wanted))
        .collect();
    let trends = trends(&wanted);
    let out = arguments.out.as_ref().unwrap_or(&arguments.dir);
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    for (name, text) in [("history.csv", history_csv(&trends)), ("history.html", history_page(&trends))] {
        let path = out.join(name);
        write_whole(&path, text.as_bytes())?;
        super::print(format!("{}\n", path.display()).as_bytes())?;
    }
    Ok(0)
}

/// Reads the runs of a folder; those that the index knows unchanged are taken from it. A run that cannot
/// be read is said and left out.
fn read(dir: &Path, known: &[IndexedRun]) -> anyhow::Result<Vec<IndexedRun>> {
    let folder = std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut runs = Vec::new();
    for entry in folder {
        let path = entry.with_context(|| format!("cannot read {}", dir.display()))?.path();
        let Ok(file) = std::fs::metadata(path.join("run.json")) else { continue };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let stamp = stamp(&file);
        if let Some(same) = known.iter().find(|run| run.folder == name && run.stamp == stamp) {
            runs.push(same.clone());
            continue;
        }
        match load_run(&path) {
            Ok(run) => runs.push(indexed(&name, &stamp, &run)),
            Err(error) => super::say(format_args!("left out: {error}")),
        }
    }
    runs.sort_by(|a, b| (&a.started_at, &a.folder).cmp(&(&b.started_at, &b.folder)));
    Ok(runs)
}

fn stamp(file: &std::fs::Metadata) -> String {
    let modified = file.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    format!("{} {}", file.len(), modified.map_or(0, |since| since.as_nanos()))
}
