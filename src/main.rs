//! The `wirebench` command: arguments, the library, the exit code.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match wirebench::cli::main(wirebench::cli::Arguments::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            wirebench::cli::complain(&error);
            ExitCode::from(wirebench::cli::USAGE)
        }
    }
}
