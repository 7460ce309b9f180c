//! The command line: one file per subcommand. Each turns what was typed into calls of the library,
//! prints, and says the exit code; none measures, judges or draws.

mod call;
mod check;
mod check_progress;
mod client;
mod compare;
mod completions;
mod doctor;
mod explain;
mod history;
mod init;
mod inspect;
mod load_options;
mod progress;
mod proto;
mod remote;
mod report;
mod run;
mod scenarios;
mod schema;
mod selftest;
mod serve;
mod supervise;
mod validate;

use std::io::IsTerminal as _;

use clap::{Parser, Subcommand};

use crate::report::Options;
use crate::run::Registry;
use crate::scenario::Scenario;

/// Nothing was measured: wrong usage or configuration.
pub const USAGE: u8 = 2;

/// Measures RPC protocols: which one to use for these calls, and whether a change made a service
/// slower.
#[derive(Debug, Parser)]
#[command(name = "wirebench", version, about, after_help = EXIT_CODES)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

const EXIT_CODES: &str = "\
Without a command: wirebench run seed.

Exit codes: 0 good, 1 a regression or an unmet gate, 2 usage or configuration (nothing was measured),
3 an invalid measurement, 4 an inconclusive check that counts as a failure, 130 interrupted.";

const CALL_EXIT_CODES: &str = "\
URLs: xmlrpc+http://HOST:PORT/PATH, zerorpc+tcp://HOST:PORT, grpc+http://HOST:PORT, binary+tcp://HOST:PORT;
UNIX sockets: grpc+unix:///PATH, binary+unix:///PATH, xmlrpc+unix:///PATH, zerorpc+ipc:///PATH.

Exit codes: 0 answered, 1 the server answered with an error, 2 usage, 3 no answer.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a scenario, print the table, write a report
    Run(run::Arguments),
    /// Check whether a candidate is slower than a base: interleaved pairs of rounds
    Check(check::Arguments),
    /// Put two stored runs side by side (advisory)
    Compare(compare::Arguments),
    /// Show trends over a folder of runs (for looking)
    History(history::Arguments),
    /// Render stored runs and checks again
    Report(report::Arguments),
    /// Say where the difference between two back ends of a run comes from
    Explain(explain::Arguments),
    /// List the shipped scenarios, or print one
    Scenarios(scenarios::Arguments),
    /// Parse and plan a scenario; starts nothing
    Validate(validate::Arguments),
    /// Run one of our servers, alone
    Serve(serve::Arguments),
    /// Prove the measuring on this machine against known truths
    Selftest(selftest::Arguments),
    /// Say what on this machine will disturb a measurement
    Doctor(doctor::Arguments),
    /// Print or write a commented scenario to start from
    Init(init::Arguments),
    /// List what a server offers
    #[command(after_help = CALL_EXIT_CODES)]
    Inspect(inspect::Arguments),
    /// Make one call; arguments and answer are JSON
    #[command(after_help = CALL_EXIT_CODES)]
    Call(call::Arguments),
    /// Print the .proto of a scenario's methods
    Proto(proto::Arguments),
    /// Print the JSON Schema of scenario files or of results
    Schema(schema::Arguments),
    /// Print shell completions
    Completions(completions::Arguments),
    /// One round: a RoundSpec on standard input, a RoundResult on standard output
    #[command(hide = true)]
    Client,
    /// Run a command and end everything below it when the parent ends
    #[command(hide = true)]
    Supervise(supervise::Arguments),
}

/// Carries out what was typed and returns the exit code.
///
/// # Errors
/// What cannot be done, in words; the exit code is then that of usage.
pub fn main(arguments: Arguments) -> anyhow::Result<u8> {
    match arguments.command.unwrap_or_else(|| Command::Run(run::Arguments::seed())) {
        Command::Run(arguments) => run::main(&arguments),
        Command::Check(arguments) => check::main(&arguments),
        Command::Compare(arguments) => compare::main(&arguments),
        Command::History(arguments) => history::main(&arguments),
        Command::Report(arguments) => report::main(&arguments),
        Command::Explain(arguments) => explain::main(&arguments),
        Command::Scenarios(arguments) => scenarios::main(&arguments),
        Command::Validate(arguments) => validate::main(&arguments),
        Command::Serve(arguments) => serve::main(&arguments),
        Command::Selftest(arguments) => selftest::main(&arguments),
        Command::Doctor(arguments) => doctor::main(&arguments),
        Command::Init(arguments) => init::main(&arguments),
        Command::Inspect(arguments) => inspect::main(&arguments),
        Command::Call(arguments) => call::main(&arguments),
        Command::Proto(arguments) => proto::main(&arguments),
        Command::Schema(arguments) => schema::main(&arguments),
        Command::Completions(arguments) => completions::main(&arguments),
        Command::Client => client::main(),
        Command::Supervise(arguments) => Ok(supervise::main(&arguments)),
    }
}

/// Finds and reads a scenario; its errors are drawn with colours where standard error shows them.
fn find_scenario(name: &str) -> anyhow::Result<Scenario> {
    Scenario::find(name, &Registry).map_err(|error| anyhow::anyhow!("{}", error.render(stderr_has_colour())))
}

fn stderr_has_colour() -> bool {
    anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}

fn stdout_has_colour() -> bool {
    anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
}

/// Writes to standard output; a reader that has gone away (`| head`) is no error.
fn print(bytes: &[u8]) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes a line to standard error. Nobody can be told that it cannot be written, and it is no reason
/// to end a run.
fn say(line: impl std::fmt::Display) {
    use std::io::Write as _;
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// Says what went wrong, as the last word of a command.
pub fn complain(error: &anyhow::Error) {
    say(format_args!("wirebench: {}", whole_story(error)));
}

/// An error and its causes, without those that it quotes already.
fn whole_story(error: &anyhow::Error) -> String {
    let mut story = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if story.is_empty() {
            story = cause;
        } else if !story.contains(&cause) {
            story = format!("{story}: {cause}");
        }
    }
    story
}

/// The columns of the terminal on standard output; a file gets those of a whole table.
fn columns() -> u16 {
    let of_a_file = Options::default().columns;
    if std::io::stdout().is_terminal() {
        let (_, columns) = console_size().unwrap_or((24, of_a_file));
        columns.max(60)
    } else {
        of_a_file
    }
}

fn console_size() -> Option<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}

#[cfg(test)]
mod tests {
    use super::whole_story;

    #[test]
    fn an_error_says_each_cause_once() {
        let full = || anyhow::anyhow!("the disk is full");
        assert_eq!(whole_story(&full()), "the disk is full");
        assert_eq!(whole_story(&full().context("cannot write")), "cannot write: the disk is full");
        let quoting = full().context("cannot write a.hlog: the disk is full");
        assert_eq!(whole_story(&quoting), "cannot write a.hlog: the disk is full");
    }
}
