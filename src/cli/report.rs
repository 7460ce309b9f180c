//! `wirebench report`: renders stored runs again.

use std::path::PathBuf;

use anyhow::Context as _;

use crate::report::{self, Options};
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
    for path in &arguments.runs {
        let run = load_run(path)?;
        let histograms = load_histograms(path, &run);
        let terminal = arguments.out.is_none();
        let options = Options {
            colour: terminal && super::stdout_has_colour(),
            columns: super::columns(),
            rounds: arguments.rounds,
        };
        for format in &arguments.format {
            let files = report::render_files(format, &run, &histograms, options)?;
            for file in files {
                match &arguments.out {
                    None => super::print(&file.bytes)?,
                    Some(dir) => {
                        let dir =
                            if arguments.runs.len() > 1 { dir.join(run_name(path)) } else { dir.clone() };
                        std::fs::create_dir_all(&dir)
                            .with_context(|| format!("cannot make {}", dir.display()))?;
                        let path = dir.join(&file.name);
                        write_whole(&path, &file.bytes)?;
                        super::say(path.display());
                    }
                }
            }
        }
    }
    Ok(0)
}

/// The name of a run's folder, which keeps the files of several runs apart.
fn run_name(path: &std::path::Path) -> PathBuf {
    let folder = if path.is_dir() { Some(path) } else { path.parent() };
    let absolute = folder.and_then(|folder| std::path::absolute(folder).ok());
    absolute.as_deref().and_then(|folder| folder.file_name()).map_or_else(|| "run".into(), PathBuf::from)
}
