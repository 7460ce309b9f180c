//! `wirebench completions`: for the user's shell.

use clap::CommandFactory as _;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The shell
    shell: clap_complete::Shell,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::Arguments::command(), "wirebench", &mut script);
    super::print(&script)?;
    Ok(0)
}
