//! The command line: for now the supervisor alone.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|name| name != "supervise") {
        eprintln!("usage: wirebench supervise [--cpus 0,1] [--stdin-file PATH] -- COMMAND...");
        return ExitCode::from(2);
    }
    let mut cpus = Vec::new();
    let mut stdin_file = None;
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--cpus") => {
                let list = arguments.next().unwrap_or_default();
                cpus = list.to_string_lossy().split(',').filter_map(|cpu| cpu.parse().ok()).collect();
            }
            Some("--stdin-file") => stdin_file = arguments.next().map(PathBuf::from),
            Some("--") => break,
            _ => return ExitCode::from(2),
        }
    }
    let command: Vec<OsString> = arguments.collect();
    ExitCode::from(wirebench::host::supervisor::supervise(&cpus, stdin_file.as_deref(), &command))
}
