//! Where the outcome of the last selftest lies: the user's state folder, for this machine and this
//! version alone.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::host;
use crate::result::SelftestRecord;

/// The outcome cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Neither variable names a folder.
    #[error("neither XDG_STATE_HOME nor HOME is set, so the outcome is not kept for later runs")]
    NoFolder,
    /// The file cannot be written.
    #[error("cannot write {path}: {source}; the outcome is not kept for later runs")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

#[derive(Serialize, Deserialize)]
struct Stored {
    /// A home folder may be shared by machines.
    machine: String,
    wirebench: String,
    record: SelftestRecord,
}

fn path() -> Option<PathBuf> {
    Some(state_folder()?.join("selftest.json"))
}

/// `$XDG_STATE_HOME/wirebench`, where the variable is not an absolute path `~/.local/state/wirebench`
/// (XDG Base Directory Specification 0.8).
pub(in crate::run) fn state_folder() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("wirebench"))
}

/// What distinguishes this machine from others, and from itself with another kernel.
pub(in crate::run) fn machine() -> String {
    let environment = host::environment();
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let parts = [
        Some(name.trim().to_owned()),
        environment.cpu,
        environment.cores.map(|cores| format!("{cores} cores")),
        environment.kernel,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Keeps an outcome for the runs that follow on this machine.
///
/// # Errors
/// See [`StoreError`].
pub fn store(record: &SelftestRecord) -> Result<PathBuf, StoreError> {
    let path = path().ok_or(StoreError::NoFolder)?;
    store_at(&path, record).map_err(|source| StoreError::Write { path: path.clone(), source })?;
    Ok(path)
}

fn store_at(path: &Path, record: &SelftestRecord) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let stored = Stored {
        machine: machine(),
        wirebench: env!("CARGO_PKG_VERSION").to_owned(),
        record: record.clone(),
    };
    let file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer_pretty(&file, &stored)?;
    file.persist(path)?;
    Ok(())
}

/// The outcome of the last selftest on this machine with this version; `None` where there was none
/// or its file cannot be read.
#[must_use]
pub fn last() -> Option<SelftestRecord> {
    last_at(&path()?)
}

fn last_at(path: &Path) -> Option<SelftestRecord> {
    let stored: Stored = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let ours = stored.machine == machine() && stored.wirebench == env!("CARGO_PKG_VERSION");
    ours.then_some(stored.record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_found_again_on_this_machine_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wirebench/selftest.json");
        assert_eq!(last_at(&path), None);
        let record =
            SelftestRecord { at: "2023-11-14T22:13:20.000Z".into(), passed: true, lines: vec!["a".into()] };
        store_at(&path, &record).unwrap();
        assert_eq!(last_at(&path), Some(record));
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("cores", "noses")).unwrap();
        assert_eq!(last_at(&path), None);
    }
}
