//! `wirebench run`: carries out a scenario, prints the table, writes the report.

use std::path::PathBuf;

use anyhow::Context as _;

use super::load_options::LoadOptions;
use super::progress::Bar;
use crate::analysis::Outcome;
use crate::report::{self, Options};
use crate::result::{Histograms, load_histograms, write_whole};
use crate::run::{FinishedRun, Interrupt, RunOptions, execute, exit_code};

/// What lies beside `run.json` in a run's folder.
const WRITTEN: &[&str] = &["html", "csv", "md"];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A scenario: a file, or the name of a shipped one
    #[arg(default_value = "seed")]
    scenario: String,
    /// The run's folder; reports/<name>-<time> where it is not given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Count an optional back end that cannot start as an error
    #[arg(long)]
    require_all: bool,
    /// How the result is printed
    #[arg(long, default_value = "table", value_parser = ["table", "json", "md"])]
    format: String,
    #[command(flatten)]
    load: LoadOptions,
}

impl Arguments {
    /// What `wirebench` without a command does.
    pub(super) fn seed() -> Self {
        Self {
            scenario: "seed".into(),
            out: None,
            require_all: false,
            format: "table".into(),
            load: LoadOptions::default(),
        }
    }
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let plan = arguments.load.plan(&arguments.scenario)?;
    let interrupt = Interrupt::listen().context("cannot listen to signals")?;
    let options = RunOptions {
        out: arguments.out.clone(),
        require_all: arguments.require_all,
        overrides: arguments.load.typed(),
    };
    let mut bar = Bar::new(plan.order.len());
    let finished = execute(&plan, &options, &mut bar, &interrupt);
    bar.finish();
    let finished = match finished {
        Ok(finished) => finished,
        Err(error) => {
            let code = error.exit_code();
            super::complain(&error.into());
            return Ok(code);
        }
    };
    // What cannot be written (a full disk) or shown takes nothing away from the rest.
    let histograms = load_histograms(&finished.dir, &finished.result);
    let written = write_reports(&finished, &histograms);
    let shown = show(&finished, &histograms, &arguments.format);
    if finished.interrupted {
        super::say("interrupted: what was measured is kept");
    }
    let page = written.as_ref().ok().and_then(Option::as_deref);
    super::say(format_args!("report: {}", page.unwrap_or(&finished.dir).display()));
    let mut code = exit_code(&finished);
    for error in [written.err(), shown.err()].into_iter().flatten() {
        super::complain(&error);
        code = if finished.interrupted { code } else { Outcome::Invalid.code() };
    }
    Ok(code)
}

/// Writes the reports into the run's folder and returns the page's path.
fn write_reports(finished: &FinishedRun, histograms: &Histograms) -> anyhow::Result<Option<PathBuf>> {
    let mut page = None;
    for format in WRITTEN {
        for file in report::render_files(format, &finished.result, histograms, Options::default())? {
            let path = finished.dir.join(&file.name);
            write_whole(&path, &file.bytes)?;
            if *format == "html" {
                page = Some(path);
            }
        }
    }
    Ok(page)
}

fn show(finished: &FinishedRun, histograms: &Histograms, format: &str) -> anyhow::Result<()> {
    let options =
        Options { colour: super::stdout_has_colour(), columns: super::columns(), ..Options::default() };
    super::print(&report::render_with(format, &finished.result, histograms, options)?)
        .context("cannot write the result to standard output")
}
