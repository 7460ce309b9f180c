//! `wirebench report`: renders stored runs and checks again.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::report::{self, Options, ReportFile, is_check_format, render_check};
use crate::result::{load_check, load_histograms, load_run, write_whole};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Folders of runs or checks, or their run.json or check.json
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
    for path in &arguments.runs {
        // A check's folder holds its rounds as a run too: what only a run has comes from there.
        let check = load_check(path)?;
        let of_check = |format: &&String| check.is_some() && is_check_format(format);
        if let Some(check) = &check {
            let options = Options {
                colour: arguments.out.is_none() && super::stdout_has_colour(),
                columns: super::columns(),
                rounds: arguments.rounds,
            };
            for format in arguments.format.iter().filter(of_check) {
                deliver(arguments, path, render_check(format, check, options)?)?;
            }
            if arguments.format.iter().all(|format| of_check(&format)) {
                continue;
            }
        }
        let run = load_run(path)?;
        let histograms = load_histograms(path, &run);
        let terminal = arguments.out.is_none();
        let options = Options {
            colour: terminal && super::stdout_has_colour(),
            columns: super::columns(),
            rounds: arguments.rounds,
        };
        for format in arguments.format.iter().filter(|format| !of_check(format)) {
            for file in report::render_files(format, &run, &histograms, options)? {
                deliver(arguments, path, file)?;
            }
        }
    }
    Ok(0)
}

/// Prints a report, or writes it where it was asked for.
fn deliver(arguments: &Arguments, run: &Path, file: ReportFile) -> anyhow::Result<()> {
    let Some(dir) = &arguments.out else { return super::print(&file.bytes) };
    let dir = if arguments.runs.len() > 1 { dir.join(run_name(run)) } else { dir.clone() };
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let path = dir.join(&file.name);
    write_whole(&path, &file.bytes)?;
    super::say(path.display());
    Ok(())
}

/// The name of a run's folder, which keeps the files of several runs apart.
fn run_name(path: &Path) -> PathBuf {
    let folder = if path.is_dir() { Some(path) } else { path.parent() };
    let absolute = folder.and_then(|folder| std::path::absolute(folder).ok());
    absolute.as_deref().and_then(|folder| folder.file_name()).map_or_else(|| "run".into(), PathBuf::from)
}
