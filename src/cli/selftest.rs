//! `wirebench selftest`: proves the measuring on this machine against known truths.

use anyhow::Context as _;

use crate::analysis::Outcome;
use crate::run::{INTERRUPTED, Interrupt, SelftestError, SelftestOptions, selftest, store_selftest};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// More calls, and the rules of queueing beside the server's own record (takes about eight minutes)
    #[arg(long)]
    thorough: bool,
    /// The protocol to test through
    #[arg(long, default_value = "binary-tcp")]
    protocol: String,
    /// How the outcome is printed
    #[arg(long, default_value = "text", value_parser = ["text", "json"])]
    format: String,
    /// Only these cases; the outcome is not kept
    #[arg(long, hide = true, value_name = "CASE", value_delimiter = ',')]
    only: Vec<String>,
    /// Pace as tools do that omit waiting, to see the selftest fail; the outcome is not kept
    #[arg(long, hide = true)]
    break_pacer: bool,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let interrupt = Interrupt::listen().context("cannot listen to signals")?;
    let options = SelftestOptions {
        thorough: arguments.thorough,
        protocol: arguments.protocol.clone(),
        only: arguments.only.clone(),
        break_pacer: arguments.break_pacer,
    };
    let outcome = selftest(&options, &interrupt, &mut |line| anstream::eprintln!("{line}"));
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(SelftestError::Interrupted) => return Ok(INTERRUPTED),
        Err(error) if error.is_usage() => return Err(error.into()),
        Err(error) => {
            anstream::eprintln!("wirebench: {error}");
            return Ok(Outcome::Invalid.code());
        }
    };
    if arguments.format == "json" {
        super::print(format!("{}\n", serde_json::to_string_pretty(&outcome)?).as_bytes())?;
    } else {
        super::print(outcome.text().as_bytes())?;
    }
    if options.only.is_empty() && !options.break_pacer {
        match store_selftest(&outcome.record()) {
            Ok(path) => anstream::eprintln!("kept for later runs: {}", path.display()),
            Err(error) => anstream::eprintln!("{error}"),
        }
    }
    Ok(if outcome.passed { Outcome::Good.code() } else { Outcome::Invalid.code() })
}
