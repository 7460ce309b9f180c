//! `wirebench report`: renders stored runs again.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::report::{self, Options, ReportFile};
use crate::result::{load_histograms, load_run, write_whole};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Folders of runs, or their run.json
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// Formats, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "table")]
    format: Vec<String>,
    /// Where files are written; standard output where it is not given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A row per round too, where the format has rows
    #[arg(long)]
    rounds: bool,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let mut runs = Vec::new();
    for path in &arguments.runs {
        let run = load_run(path)?;
        let histograms = load_histograms(path, &run);
        runs.push((run, histograms));
    }
    let options = Options {
        colour: arguments.out.is_none() && super::stdout_has_colour(),
        columns: super::columns(),
        rounds: arguments.rounds,
    };
    for format in &arguments.format {
        let together = if runs.len() > 1 { report::render_together(format, &runs, options)? } else { None };
        if let Some(files) = together {
            give(&files, arguments.out.as_deref())?;
            continue;
        }
        for (path, (run, histograms)) in arguments.runs.iter().zip(&runs) {
            let files = report::render_files(format, run, histograms, options)?;
            let dir = match &arguments.out {
                Some(dir) if runs.len() > 1 => Some(dir.join(run_name(path))),
                other => other.clone(),
            };
            give(&files, dir.as_deref())?;
        }
    }
    Ok(0)
}

/// Writes the files of a report into a folder, or onto standard output.
fn give(files: &[ReportFile], dir: Option<&Path>) -> anyhow::Result<()> {
    for file in files {
        let Some(dir) = dir else {
            super::print(&file.bytes)?;
            continue;
        };
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let path = dir.join(&file.name);
        write_whole(&path, &file.bytes)?;
        super::say(path.display());
    }
    Ok(())
}

/// The name of a run's folder, which keeps the files of several runs apart.
fn run_name(path: &Path) -> PathBuf {
    let folder = if path.is_dir() { Some(path) } else { path.parent() };
    let absolute = folder.and_then(|folder| std::path::absolute(folder).ok());
    absolute.as_deref().and_then(|folder| folder.file_name()).map_or_else(|| "run".into(), PathBuf::from)
}
