//! `wirebench report`: renders stored runs and checks again.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::report::{self, Input, Options, ReportFile, is_check_format, render_check};
use crate::result::{CheckResult, Histograms, RunResult, load_check, load_histograms, load_run, write_whole};

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
    /// The name of the baseline in criterion's folders
    #[arg(long, value_name = "NAME", default_value = "new", value_parser = baseline)]
    baseline: String,
    /// A row per round too, where the format has rows
    #[arg(long)]
    rounds: bool,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let options = Options {
        colour: arguments.out.is_none() && super::stdout_has_colour(),
        columns: super::columns(),
        rounds: arguments.rounds,
    };
    for format in arguments.format.iter().filter(|format| !is_check_format(format)) {
        report::check_format(format)?;
    }
    // Everything is read before anything is written, so that a wrong path leaves no half of a report.
    let names = run_names(&arguments.runs);
    let stored = arguments.runs.iter().zip(names).map(|(path, name)| Stored::read(path, name, arguments));
    let stored = stored.collect::<anyhow::Result<Vec<_>>>()?;
    for format in &arguments.format {
        let mut runs = Vec::new();
        for of in &stored {
            match (&of.check, &of.run) {
                (Some(check), _) if is_check_format(format) => {
                    give(
                        &[render_check(format, check, options)?],
                        of.folder.as_deref(),
                        &arguments.baseline,
                    )?;
                }
                (_, Some(run)) => runs.push((of, run)),
                (_, None) => {}
            }
        }
        let inputs = runs.iter().map(|(_, (run, histograms))| Input { run, histograms, options });
        let inputs: Vec<Input<'_>> = inputs.collect();
        let together = if inputs.len() > 1 { report::render_together(format, &inputs)? } else { None };
        if let Some(files) = together {
            give(&files, arguments.out.as_deref(), &arguments.baseline)?;
            continue;
        }
        for (of, (run, histograms)) in runs {
            let files = report::render_files(format, run, histograms, options)?;
            give(&files, of.folder.as_deref(), &arguments.baseline)?;
        }
    }
    Ok(0)
}

/// A name that is one folder.
fn baseline(text: &str) -> Result<String, String> {
    let plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    if text.is_empty() || text.starts_with('.') || !text.chars().all(plain) {
        return Err("letters, digits, '.', '_' and '-'".into());
    }
    Ok(text.to_owned())
}

/// What lies at one of the paths. A check's folder holds its rounds as a run too.
struct Stored {
    /// Where its files are written; `None` for standard output.
    folder: Option<PathBuf>,
    check: Option<CheckResult>,
    /// Where one of the formats wants it.
    run: Option<(RunResult, Histograms)>,
}

impl Stored {
    fn read(path: &Path, name: PathBuf, arguments: &Arguments) -> anyhow::Result<Self> {
        let check = load_check(path)?;
        let run = if check.is_some() && arguments.format.iter().all(|format| is_check_format(format)) {
            None
        } else {
            let run = load_run(path)?;
            let histograms = load_histograms(path, &run);
            Some((run, histograms))
        };
        let is_one = arguments.runs.len() == 1;
        let folder = arguments.out.as_ref().map(|dir| if is_one { dir.clone() } else { dir.join(name) });
        Ok(Self { folder, check, run })
    }
}

/// Writes the files of a report into a folder, or onto standard output.
fn give(files: &[ReportFile], dir: Option<&Path>, baseline: &str) -> anyhow::Result<()> {
    for file in files {
        let Some(dir) = dir else {
            let is_one = !file.name.contains('/');
            anyhow::ensure!(is_one, "this format is a folder of files: say with --out where it goes");
            super::print(&file.bytes)?;
            continue;
        };
        let path = dir.join(match file.name.rsplit_once("/new/") {
            Some((folder, name)) => format!("{folder}/{baseline}/{name}"),
            None => file.name.clone(),
        });
        let folder = path.parent().unwrap_or(dir);
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        write_whole(&path, &file.bytes)?;
        super::say(path.display());
    }
    Ok(())
}

/// The names of the runs' folders, which keep the files of several runs apart: of one name, the second is
/// `NAME-2`.
fn run_names(paths: &[PathBuf]) -> Vec<PathBuf> {
    let own: Vec<PathBuf> = paths.iter().map(|path| run_name(path)).collect();
    let mut names: Vec<PathBuf> = Vec::new();
    for (index, name) in own.iter().enumerate() {
        let numbered = |number: usize| {
            let mut numbered = name.clone().into_os_string();
            numbered.push(format!("-{number}"));
            PathBuf::from(numbered)
        };
        let is_first = !own[..index].contains(name);
        // One of the first so many is not taken.
        let free =
            (2..=2 + 2 * own.len()).map(numbered).find(|name| !names.contains(name) && !own.contains(name));
        names.push(if is_first { name.clone() } else { free.unwrap_or_else(|| name.clone()) });
    }
    names
}

/// The name of a run's folder.
fn run_name(path: &Path) -> PathBuf {
    let folder = if path.is_dir() { Some(path) } else { path.parent() };
    let absolute = folder.and_then(|folder| std::path::absolute(folder).ok());
    absolute.as_deref().and_then(|folder| folder.file_name()).map_or_else(|| "run".into(), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_one_name_have_folders_of_their_own() {
        let names = |paths: &[&str]| {
            let paths: Vec<PathBuf> = paths.iter().map(|path| Path::new(path).join("run.json")).collect();
            run_names(&paths)
        };
        let expected = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(names(&["/a/one", "/b/two"]), expected(&["one", "two"]));
        assert_eq!(names(&["/pr/bench", "/main/bench"]), expected(&["bench", "bench-2"]));
        let taken = names(&["/a/bench", "/b/bench", "/c/bench-2", "/d/bench"]);
        assert_eq!(taken, expected(&["bench", "bench-3", "bench-2", "bench-4"]));
    }
}
