//! `wirebench init`: a commented scenario to start from.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::scenario::INIT;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The file to write; standard output where it is not given. A file that exists is not replaced
    file: Option<PathBuf>,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    match &arguments.file {
        None => super::print(INIT.as_bytes())?,
        Some(path) => {
            let mut file = std::fs::File::create_new(path)
                .with_context(|| format!("cannot make the new file {}", path.display()))?;
            file.write_all(INIT.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
            anstream::eprintln!("written; try: wirebench run {}", path.display());
        }
    }
    Ok(0)
}
