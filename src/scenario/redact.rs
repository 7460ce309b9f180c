//! A scenario's text as it may be kept and shown: without the values of `metadata`, which may be tokens.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The text with the values of every back end's `metadata` replaced by their lengths. Keys, comments and
/// everything else stay as they are; a text that is no TOML is no scenario and stays whole.
#[must_use]
pub fn without_secrets(text: &str) -> String {
    let Ok(file) = DeTable::parse(text) else { return text.to_owned() };
    let mut secrets: Vec<(Range<usize>, usize)> = Vec::new();
    let backends = file.get_ref().get("backends").and_then(table);
    for backend in backends.into_iter().flat_map(|backends| backends.values()).filter_map(table) {
        let metadata = backend.get("metadata").and_then(table);
        for value in metadata.into_iter().flat_map(|metadata| metadata.values()) {
            let length = value.get_ref().as_str().map_or(0, str::len);
            secrets.push((value.span(), length));
        }
    }
    secrets.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let mut shown = text.to_owned();
    for (span, length) in secrets {
        shown.replace_range(span, &format!("\"({length} bytes, not kept)\""));
    }
    shown
}

fn table<'a>(value: &'a Spanned<DeValue<'a>>) -> Option<&'a DeTable<'a>> {
    value.get_ref().as_table()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_metadata_are_not_kept_however_they_are_written() {
        let text = r#"
name = "secret-name" # a comment
[methods.m]
params = { metadata = { text = { value = "kept" } } }
[backends.a]
url = "grpc+http://h:1"
metadata = { authorization = "Bearer t0ken", "x-é" = 't0ken' }
[backends.b]
metadata.authorization = """
t0ken"""
[backends.c.metadata]
authorization = "t0ken" # stays
[backends]
d = { protocol = "grpc", metadata = { k = "t0ken" } }
"#;
        let shown = without_secrets(text);
        assert!(!shown.contains("t0ken"), "{shown}");
        assert!(shown.contains(
            r#"metadata = { authorization = "(12 bytes, not kept)", "x-é" = "(5 bytes, not kept)" }"#
        ));
        assert!(shown.contains("authorization = \"(5 bytes, not kept)\" # stays"), "{shown}");
        assert!(shown.contains("secret-name\" # a comment") && shown.contains("\"kept\""), "{shown}");
        assert_eq!(shown.matches("not kept").count(), 5);
    }

    #[test]
    fn a_text_without_metadata_stays_as_it_is() {
        for text in [include_str!("../../scenarios/seed.toml"), "no toml at all", ""] {
            assert_eq!(without_secrets(text), text);
        }
    }
}
