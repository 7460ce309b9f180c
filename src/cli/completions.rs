//! `wirebench completions`: for the user's shell.

use clap::CommandFactory as _;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The shell
    shell: clap_complete::Shell,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut for_people(), "wirebench", &mut script);
    super::print(&script)?;
    Ok(0)
}

/// The command line without what we only say to ourselves: clap completes hidden subcommands, too.
fn for_people() -> clap::Command {
    let whole = super::Arguments::command();
    let offered = whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    clap::Command::new("wirebench")
        .version(env!("CARGO_PKG_VERSION"))
        .args(whole.get_arguments().cloned())
        .subcommands(offered)
}
