//! Finds scenario files: by path, by name under `scenarios/`, or among the shipped ones.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::read::{MOST_FILE_BYTES, closest, join, quote, too_large};
use super::{Catalogue, Scenario, ScenarioError, embedded};

/// The folder, under the current one, in which scenarios are looked for by name.
const FOLDER: &str = "scenarios";

impl Scenario {
    /// Finds and reads a scenario: a file of this path, else `scenarios/NAME.toml` under the current
    /// folder, else the shipped scenario of this name.
    ///
    /// # Errors
    /// Nothing found, a file that cannot be read, or one that is wrong.
    pub fn find(path_or_name: &str, catalogue: &dyn Catalogue) -> Result<Self, ScenarioError> {
        Self::find_under(Path::new(""), path_or_name, catalogue)
    }

    /// [`Self::find`] with another current folder.
    ///
    /// # Errors
    /// As there.
    pub fn find_under(
        current: &Path,
        path_or_name: &str,
        catalogue: &dyn Catalogue,
    ) -> Result<Self, ScenarioError> {
        let asked = current.join(path_or_name);
        // A folder of this name must not hide the shipped scenario.
        if asked.exists() && !asked.is_dir() {
            return Self::read_file(&asked, path_or_name, catalogue);
        }
        let is_name = Path::new(path_or_name).components().count() == 1
            && Path::new(path_or_name).file_name().is_some_and(|name| name == path_or_name);
        if is_name {
            let named = format!("{FOLDER}/{path_or_name}.toml");
            let path = current.join(&named);
            if path.is_file() {
                return Self::read_file(&path, &named, catalogue);
            }
            if let Some(shipped) = embedded::find(path_or_name) {
                return Self::parse(&format!("{named} (embedded)"), shipped.text, catalogue);
            }
        }
        Err(not_found(&asked, path_or_name, is_name))
    }

    fn read_file(path: &Path, shown: &str, catalogue: &dyn Catalogue) -> Result<Self, ScenarioError> {
        let failed = |error: std::io::Error| {
            ScenarioError::of_file(shown, format!("cannot read the scenario: {error}"), None)
        };
        let file = File::open(path).map_err(failed)?;
        let length_bytes = file.metadata().map_err(failed)?.len();
        if length_bytes > MOST_FILE_BYTES {
            return Err(too_large(shown, length_bytes));
        }
        // A device or a pipe has no length: one byte more than allowed is enough to know.
        let mut bytes = Vec::new();
        file.take(MOST_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.map_or_else(|| PathBuf::from("."), Path::to_path_buf);
        let mut scenario = Self::parse_bytes_in(&folder, shown, &bytes, catalogue)?;
        scenario.folder = Some(folder);
        Ok(scenario)
    }
}

fn not_found(path: &Path, asked: &str, is_name: bool) -> ScenarioError {
    let names = || embedded::SCENARIOS.iter().map(|scenario| scenario.name);
    let shipped = join(names());
    if path.is_dir() {
        let message = format!("{} is a folder, not a scenario file", quote(asked));
        return ScenarioError::of_file(asked, message, Some(&format!("shipped scenarios: {shipped}")));
    }
    let looked = if is_name {
        format!("looked for the file, for {FOLDER}/{asked}.toml and among the shipped ones:")
    } else {
        "shipped scenarios, by name:".to_owned()
    };
    let help = match closest(asked, names()) {
        Some(name) => format!("did you mean `{name}`? {looked}"),
        None => looked,
    };
    let described =
        |scenario: &embedded::Embedded| format!("\n  {:<16} {}", scenario.name, scenario.description());
    let help = help + &embedded::SCENARIOS.iter().map(described).collect::<String>();
    ScenarioError::of_file(asked, format!("there is no scenario {}", quote(asked)), Some(&help))
}

#[cfg(test)]
mod tests {
    use super::super::tests::Fixed;
    use super::*;

    const MINIMAL: &str = "name = \"mine\"\n[methods.m]\n[backends.b]\nprotocol = \"grpc\"\n";

    #[test]
    fn a_path_comes_before_a_name_and_a_name_before_the_shipped_ones() {
        let folder = tempfile::tempdir().unwrap();
        let find = |asked: &str| Scenario::find_under(folder.path(), asked, &Fixed);
        let shipped = find("seed").unwrap();
        assert_eq!((shipped.name.as_str(), shipped.folder), ("seed", None));
        assert_eq!(shipped.file, "scenarios/seed.toml (embedded)");

        std::fs::create_dir(folder.path().join("scenarios")).unwrap();
        std::fs::write(folder.path().join("scenarios/seed.toml"), MINIMAL).unwrap();
        let named = find("seed").unwrap();
        assert_eq!((named.name.as_str(), named.file.as_str()), ("mine", "scenarios/seed.toml"));
        assert_eq!(named.folder, Some(folder.path().join("scenarios")));

        std::fs::write(folder.path().join("seed"), MINIMAL.replace("mine", "path")).unwrap();
        assert_eq!(find("seed").unwrap().name, "path");
        assert_eq!(find("./seed").unwrap().name, "path");
    }

    #[test]
    fn a_folder_does_not_hide_a_shipped_scenario() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("quick")).unwrap();
        assert!(Scenario::find_under(folder.path(), "quick", &Fixed).is_ok());
        std::fs::create_dir(folder.path().join("other")).unwrap();
        let error = Scenario::find_under(folder.path(), "other", &Fixed).unwrap_err();
        assert!(error.message.contains("is a folder"), "{error}");
    }

    #[test]
    fn what_is_not_there_names_what_is() {
        let folder = tempfile::tempdir().unwrap();
        let error = Scenario::find_under(folder.path(), "sed", &Fixed).unwrap_err();
        assert_eq!(error.message, "there is no scenario `sed`");
        assert!(error.help.unwrap().starts_with("did you mean `seed`?"));
        for asked in ["", "..", "a/b.toml", "../seed"] {
            assert!(Scenario::find_under(folder.path(), asked, &Fixed).is_err(), "{asked}");
        }
    }

    #[test]
    fn a_file_of_ten_megabytes_is_refused_unread() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("big.toml")).unwrap();
        file.set_len(10 << 20).unwrap();
        let error = Scenario::find_under(folder.path(), "big.toml", &Fixed).unwrap_err();
        assert_eq!(error.message, "the file has 10485760 bytes; a scenario has at most 1048576 (1 MiB)");
        assert!(Scenario::find("/dev/zero", &Fixed).unwrap_err().message.contains("at most 1048576"));
    }
}
