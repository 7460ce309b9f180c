//! `wirebench schema`: what scenario files and results look like, for editors and other programs.

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum What {
    /// Scenario files (TOML)
    Scenario,
    /// `run.json`
    Result,
    /// `check.json`
    Check,
    /// What a client process reports for a round
    Round,
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Of what
    #[arg(default_value = "scenario")]
    what: What,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let schema = match arguments.what {
        What::Scenario => crate::scenario::json_schema(),
        What::Result => serde_json::to_value(schemars::schema_for!(crate::result::RunResult))?,
        What::Check => serde_json::to_value(schemars::schema_for!(crate::result::CheckResult))?,
        What::Round => serde_json::to_value(schemars::schema_for!(crate::result::RoundResult))?,
    };
    super::print(format!("{schema:#}\n").as_bytes())?;
    Ok(0)
}
