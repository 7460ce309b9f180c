//! The shipped peers, and where the files and interpreters of a foreign command are found.
//!
//! The peers' sources are part of the binary, so that shipped scenarios run where it is installed
//! alone.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Each peer's path in the project, and its source.
pub const EMBEDDED: [(&str, &str); 5] = [
    ("scripts/peers/python/service.py", include_str!("../../scripts/peers/python/service.py")),
    ("scripts/peers/python/xmlrpc_server.py", include_str!("../../scripts/peers/python/xmlrpc_server.py")),
    ("scripts/peers/python/zerorpc_server.py", include_str!("../../scripts/peers/python/zerorpc_server.py")),
    ("scripts/peers/python/grpc_server.py", include_str!("../../scripts/peers/python/grpc_server.py")),
    ("scripts/peers/python/grpc_messages.py", include_str!("../../scripts/peers/python/grpc_messages.py")),
];

/// The nearest folder above `folder`, else above the current one, that has `scripts/peers`.
#[must_use]
pub fn project_root(folder: &Path) -> Option<PathBuf> {
    let absolute = |path: &Path| std::path::absolute(path).ok();
    let starts = [absolute(folder), env::current_dir().ok()];
    let mut candidates = starts.iter().flatten().flat_map(|start| start.ancestors()).map(Path::to_path_buf);
    candidates.find(|candidate| candidate.join("scripts/peers").is_dir())
}

/// The interpreter of the project's virtual environment, else of the nearest one above the scenario's
/// folder, else `python3`.
#[must_use]
pub fn python(folder: &Path, root: Option<&Path>) -> OsString {
    let names = [".venv/bin/python", ".venv/bin/python3"];
    let folder = std::path::absolute(folder).unwrap_or_default();
    let places = root.into_iter().chain(folder.ancestors());
    let mut found = places.flat_map(|place| names.map(|name| place.join(name))).filter(|path| path.exists());
    found.next().map_or_else(|| "python3".into(), PathBuf::into_os_string)
}

/// A word of a command: a relative path (it has a `/`) becomes absolute if it exists under the
/// scenario's folder, the project's root or, written to `scratch`, in the binary; any other word
/// stays as it is.
///
/// # Errors
/// The embedded peers cannot be written.
pub fn resolve(word: &str, folder: &Path, root: Option<&Path>, scratch: &Path) -> io::Result<OsString> {
    let path = Path::new(word);
    if !word.contains('/') || path.is_absolute() {
        return Ok(word.into());
    }
    let folder = std::path::absolute(folder)?;
    let found = [Some(folder.as_path()), root].into_iter().flatten().map(|base| base.join(path));
    if let Some(found) = found.into_iter().find(|candidate| candidate.exists()) {
        return Ok(found.into_os_string());
    }
    let plain: PathBuf = path.components().collect();
    if EMBEDDED.iter().any(|(name, _)| plain == Path::new(name.trim_start_matches("./"))) {
        write_embedded(scratch)?;
        return Ok(scratch.join(plain).into_os_string());
    }
    Ok(word.into())
}

fn write_embedded(scratch: &Path) -> io::Result<()> {
    for (name, source) in EMBEDDED {
        let path = scratch.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, source)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "scripts/peers/python/zerorpc_server.py";

    #[test]
    fn the_scenarios_folder_comes_before_the_project_and_the_project_before_the_binary() {
        let (folder, root, scratch) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let resolved =
            |root: Option<&Path>| PathBuf::from(resolve(PEER, folder.path(), root, scratch.path()).unwrap());
        let embedded = resolved(Some(root.path()));
        assert_eq!(embedded, scratch.path().join(PEER));
        assert!(embedded.with_file_name("service.py").exists());
        for base in [root.path(), folder.path()] {
            fs::create_dir_all(base.join(PEER).parent().unwrap()).unwrap();
            fs::write(base.join(PEER), "").unwrap();
            assert_eq!(resolved(Some(root.path())), base.join(PEER));
        }
        assert_eq!(resolved(None), folder.path().join(PEER));
    }

    #[test]
    fn words_that_are_no_relative_files_stay() {
        let scratch = tempfile::tempdir().unwrap();
        for word in ["--port", "/bin/sh", "tcp://127.0.0.1:80", "no/such/file"] {
            assert_eq!(resolve(word, Path::new("."), None, scratch.path()).unwrap(), word);
        }
    }

    #[test]
    fn the_virtual_environment_is_preferred() {
        let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_eq!(python(root.path(), Some(root.path())), "python3");
        fs::create_dir_all(root.path().join(".venv/bin")).unwrap();
        let found = root.path().join(".venv/bin/python3");
        fs::write(&found, "").unwrap();
        assert_eq!(python(elsewhere.path(), Some(root.path())), found);
        assert_eq!(python(&root.path().join("scenarios/mine"), None), found);
        assert_eq!(python(elsewhere.path(), None), "python3");
    }

    #[test]
    fn the_root_is_found_from_below() {
        let root = tempfile::tempdir().unwrap();
        let below = root.path().join("scenarios/mine");
        fs::create_dir_all(&below).unwrap();
        fs::create_dir_all(root.path().join("scripts/peers")).unwrap();
        assert_eq!(project_root(&below).as_deref(), Some(root.path()));
    }

    #[test]
    fn every_peer_of_the_project_is_embedded() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/peers/python");
        for entry in fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".py") && !name.starts_with("test_") {
                assert!(EMBEDDED.iter().any(|(path, _)| path.ends_with(&name)), "{name}");
            }
        }
    }
}
