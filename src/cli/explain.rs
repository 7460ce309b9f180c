//! `wirebench explain`: where the difference between two back ends comes from.

use std::path::PathBuf;

use crate::analysis;
use crate::report::{EXPLAIN_FORMATS, render_explanations, render_overviews};
use crate::result::load_run;

/// Text is as wide as a page at most.
const WIDEST: usize = 110;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A run's folder, or its run.json
    run: PathBuf,
    /// A back end of the run; without two, the whole run is taken apart into codecs, transports and envelopes
    #[arg(requires = "other")]
    one: Option<String>,
    /// Another back end of the run
    other: Option<String>,
    /// At this load point only, as the reports name it
    #[arg(long, value_name = "POINT")]
    at: Option<String>,
    /// How it is printed
    #[arg(long, default_value = "text", value_parser = EXPLAIN_FORMATS)]
    format: String,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let run = load_run(&arguments.run)?;
    let columns = usize::from(super::columns()).min(WIDEST);
    let point = arguments.at.as_deref();
    let text = match (&arguments.one, &arguments.other) {
        (Some(one), Some(other)) => {
            let explanations = analysis::explain(&run, one, other, point)?;
            render_explanations(&run, &explanations, &arguments.format, columns)?
        }
        _ => render_overviews(&run, &analysis::overview(&run, point)?, &arguments.format, columns)?,
    };
    super::print(text.as_bytes())?;
    Ok(0)
}
