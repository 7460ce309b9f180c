//! Where calibrations lie: a file in the user's state folder, beside the selftest's outcome.

use std::path::{Path, PathBuf};

use super::error::CheckError;
use crate::result::{Calibration, write_whole};
use crate::run::selftest;

/// Old ones are forgotten beyond so many.
const MOST_KEPT: usize = 100;

/// What distinguishes this machine from others, and from itself with another kernel.
pub(super) fn machine() -> String {
    selftest::machine()
}

fn file_of(given: Option<&Path>) -> Option<PathBuf> {
    match given {
        Some(path) => Some(path.to_owned()),
        None => Some(selftest::state_folder()?.join("calibration.json")),
    }
}

fn read(path: &Path) -> Vec<Calibration> {
    std::fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// Keeps a calibration, in place of an earlier one of the same machine, scenario and back end.
///
/// # Errors
/// There is no folder for it, or the file cannot be written.
pub(super) fn keep(given: Option<&Path>, found: &Calibration) -> Result<PathBuf, CheckError> {
    let path = file_of(given).ok_or_else(|| CheckError::Calibration {
        path: None,
        reason: "neither XDG_STATE_HOME nor HOME is set; name a file with --calibration".to_owned(),
    })?;
    let failed = |reason: String| CheckError::Calibration { path: Some(path.clone()), reason };
    let same = |known: &Calibration| {
        (&known.machine, &known.scenario, &known.backend) == (&found.machine, &found.scenario, &found.backend)
    };
    let mut kept = read(&path);
    kept.retain(|known| !same(known));
    kept.push(found.clone());
    let kept = &kept[kept.len().saturating_sub(MOST_KEPT)..];
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
    }
    let json = serde_json::to_vec_pretty(kept).map_err(|error| failed(error.to_string()))?;
    write_whole(&path, &json).map_err(|error| failed(error.to_string()))?;
    Ok(path)
}

/// The last calibration on this machine: of the same scenario and back end if there is one, else of the
/// same scenario, else of any.
pub(super) fn last(given: Option<&Path>, scenario: &str, backend: &str) -> Option<Calibration> {
    let machine = machine();
    read(&file_of(given)?)
        .into_iter()
        .filter(|known| known.machine == machine)
        .max_by_key(|known| (known.scenario == scenario, known.backend == backend, known.at.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration(scenario: &str, backend: &str, at: &str) -> Calibration {
        Calibration {
            at: at.into(),
            machine: machine(),
            wirebench: "0.1.0".into(),
            scenario: scenario.into(),
            backend: backend.into(),
            pairs: 30,
            metrics: Vec::new(),
        }
    }

    #[test]
    fn the_nearest_calibration_of_this_machine_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/calibration.json");
        let file = Some(path.as_path());
        assert_eq!(last(file, "seed", "grpc"), None);
        for (scenario, backend, at) in [
            ("seed", "grpc", "2023-01-01"),
            ("seed", "grpc", "2023-01-02"),
            ("seed", "xmlrpc", "2023-01-03"),
            ("quick", "grpc", "2023-01-04"),
        ] {
            keep(file, &calibration(scenario, backend, at)).unwrap();
        }
        keep(
            file,
            &Calibration { machine: "another".into(), ..calibration("seed", "zerorpc", "2024-01-01") },
        )
        .unwrap();
        let at = |scenario: &str, backend: &str| last(file, scenario, backend).unwrap().at;
        assert_eq!(at("seed", "grpc"), "2023-01-02", "the later one replaced the earlier");
        assert_eq!(at("seed", "zerorpc"), "2023-01-03", "another machine's is never taken");
        assert_eq!(at("mine", "mine"), "2023-01-04");
    }

    #[test]
    fn a_damaged_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calibration.json");
        std::fs::write(&path, "{").unwrap();
        keep(Some(&path), &calibration("a", "b", "c")).unwrap();
        assert_eq!(last(Some(&path), "a", "b").unwrap().at, "c");
    }
}
