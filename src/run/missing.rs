//! Servers that are not installed on this machine: found before anything is measured where that can
//! be, left out where the scenario calls them optional.

use std::collections::BTreeMap;
use std::path::Path;

use super::execute::RunError;
use super::interrupt::Interrupt;
use super::plan::Plan;
use super::round::{RoundError, try_start};
use crate::host::{self, HostError};
use crate::result::Skipped;

/// Looks whether every command exists before anything is measured: a scenario with a wrong command
/// is refused whole, and an optional back end is left out.
pub(super) fn look_for_commands(
    plan: &Plan,
    require_all: bool,
    folder: &Path,
    skipped: &mut BTreeMap<String, Skipped>,
) -> Result<(), RunError> {
    for cell in &plan.cells {
        let Some(argv) = &cell.backend.command else { continue };
        let Err(error) = host::server::find_command(argv, folder) else { continue };
        if cell.backend.optional && !require_all {
            skipped.insert(cell.backend.name.clone(), skipped_for(&cell.backend.name, &error));
        } else {
            return Err(RunError::Missing { backend: cell.backend.name.clone(), source: error });
        }
    }
    Ok(())
}

/// Starts every optional foreign server once: a package that is missing is found by nothing else, and
/// where all are required it must be known before anything is measured.
pub(super) fn start_optional_ones(plan: &Plan, folder: &Path, interrupt: &Interrupt) -> Result<(), RunError> {
    let mut seen: Vec<&str> = Vec::new();
    for cell in &plan.cells {
        let backend = &cell.backend;
        if !backend.optional || backend.command.is_none() || seen.contains(&&*backend.name) {
            continue;
        }
        seen.push(&backend.name);
        match try_start(cell, &plan.service, folder, interrupt) {
            Err(RoundError::Host(source)) if source.is_missing() => {
                return Err(RunError::Missing { backend: backend.name.clone(), source });
            }
            // Whatever else is wrong with it, its rounds will say.
            _ => {}
        }
    }
    Ok(())
}

/// What a result says of a back end that is not installed here.
pub(super) fn skipped_for(backend: &str, error: &HostError) -> Skipped {
    let (why, how) = match error {
        HostError::MissingPeer { what, how_to_get_it } => {
            (format!("{what} is missing"), Some(how_to_get_it.clone()))
        }
        HostError::CommandMissing { command, how } => {
            (format!("there is no command {command:?}"), Some(how.clone()))
        }
        error => (error.to_string(), None),
    };
    Skipped { backend: backend.to_owned(), why, how_to_get_it: how }
}
