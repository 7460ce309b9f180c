//! Names made from a scenario's free-text name.

/// The longest made name, in bytes: file systems allow 255, and times and endings are appended.
const LONGEST_BYTES: usize = 64;

/// A safe name for files and folders: lower-case letters, digits, `.`, `_` and `-`.
pub(super) fn file_stem(name: &str) -> String {
    let stem = squeeze(name, '-', |character| character.is_ascii_alphanumeric() || "._-".contains(character));
    // No hidden files, no `..`, and nothing that a command would take for a flag.
    let stem = stem.trim_matches(['.', '-']).to_owned();
    if stem.is_empty() { "scenario".into() } else { stem }
}

/// An identifier in every protocol's generated code: `[a-z_][a-z0-9_]*`.
pub(super) fn service_name(name: &str) -> String {
    let name = squeeze(name, '_', |character| character.is_ascii_alphanumeric());
    let name = name.trim_matches('_');
    match name.chars().next() {
        None => "service".into(),
        Some(first) if first.is_ascii_digit() => format!("_{name}"),
        Some(_) => name.to_owned(),
    }
}

fn squeeze(name: &str, gap: char, keep: impl Fn(char) -> bool) -> String {
    let mut made = String::new();
    for character in name.chars().map(|character| character.to_ascii_lowercase()) {
        if made.len() >= LONGEST_BYTES {
            break;
        }
        if keep(character) {
            made.push(character);
        } else if !made.ends_with(gap) {
            made.push(gap);
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_text_are_safe() {
        for (name, stem, service) in [
            ("seed", "seed", "seed"),
            ("Big Payloads (v2)", "big-payloads-v2", "big_payloads_v2"),
            ("../../etc/passwd", "etc-passwd", "etc_passwd"),
            ("語", "scenario", "service"),
            ("2 cores", "2-cores", "_2_cores"),
            ("--help", "help", "help"),
            ("a/../b", "a-..-b", "a_b"),
        ] {
            assert_eq!((&*file_stem(name), &*service_name(name)), (stem, service), "{name}");
        }
        assert_eq!(file_stem(&"x".repeat(500)).len(), LONGEST_BYTES);
    }
}
