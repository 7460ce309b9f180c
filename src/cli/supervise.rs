//! `wirebench supervise`: stands between us and every process that we start.

use std::ffi::OsString;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The CPUs that the command is kept on
    #[arg(long, value_delimiter = ',')]
    cpus: Vec<usize>,
    /// What the command reads from standard input
    #[arg(long)]
    stdin_file: Option<PathBuf>,
    /// The command
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

pub(super) fn main(arguments: &Arguments) -> u8 {
    crate::host::supervisor::supervise(&arguments.cpus, arguments.stdin_file.as_deref(), &arguments.command)
}
