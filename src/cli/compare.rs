//! `wirebench compare`: two stored runs side by side, for looking.

use std::path::PathBuf;

use crate::analysis::{Outcome, side_by_side};
use crate::report::{COMPARE_FORMATS, render_comparison};
use crate::result::load_run;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A run's folder, or its run.json
    first: PathBuf,
    /// Another one
    second: PathBuf,
    /// Fail (exit code 1) where a method of the second run encodes to more bytes: the one figure that is
    /// exact
    #[arg(long)]
    gate_bytes: bool,
    /// How it is printed
    #[arg(long, default_value = "table", value_parser = COMPARE_FORMATS)]
    format: String,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let (first, second) = (load_run(&arguments.first)?, load_run(&arguments.second)?);
    let mut both = side_by_side(&first, &second, arguments.gate_bytes)?;
    for (run, path) in both.runs.iter_mut().zip([&arguments.first, &arguments.second]) {
        run.path = Some(path.display().to_string());
    }
    let columns = usize::from(super::columns());
    super::print(render_comparison(&both, &arguments.format, columns)?.as_bytes())?;
    if arguments.gate_bytes && both.cells.iter().all(|cell| cell.bytes.is_empty()) {
        anyhow::bail!(
            "--gate-bytes: the runs have no bytes of the same calls (a wire pass, and the same seed)"
        );
    }
    if both.has_more_bytes() {
        super::say("the second run encodes to more bytes");
        return Ok(Outcome::Regression.code());
    }
    Ok(Outcome::Good.code())
}
