//! `wirebench proto`: the .proto that a hand-written service of a scenario's methods would have.

use anyhow::Context as _;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A scenario: a file, or the name of a shipped one
    scenario: String,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let scenario = super::find_scenario(&arguments.scenario)?;
    let text = crate::codec::proto_file(&scenario.service())
        .with_context(|| format!("{} has no .proto", arguments.scenario))?;
    super::print(text.as_bytes())?;
    Ok(0)
}
