//! Words of messages: quoting, listing, and guessing what was meant.

/// A text from the file, for a message: escaped, so that it cannot move a terminal's cursor, and cut.
pub(in crate::scenario) fn quote(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().count() > LONGEST {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// Names in a row, for a message.
pub(in crate::scenario) fn join(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut joined = String::new();
    for name in names {
        if !joined.is_empty() {
            joined.push_str(", ");
        }
        joined.push_str(name.as_ref());
    }
    joined
}

/// What other languages call our types.
const ELSEWHERE: [(&str, &[&str]); 8] = [
    ("text", &["string", "str", "varchar"]),
    ("int", &["integer", "long", "int32", "int64", "i64"]),
    ("float", &["double", "number", "decimal", "f64"]),
    ("bytes", &["binary", "blob", "bytearray"]),
    ("time", &["datetime", "timestamp", "date"]),
    ("nil", &["null", "none", "void"]),
    ("list", &["array", "vector", "sequence"]),
    ("struct", &["object", "map", "dict", "record", "message"]),
];

/// The name that was probably meant: what others call the same, or at most a third of its letters differ.
pub(in crate::scenario) fn closest<'n>(
    name: &str,
    among: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    let among: Vec<&str> = among.into_iter().collect();
    let ours = ELSEWHERE.iter().find(|(_, theirs)| theirs.contains(&name)).map(|(ours, _)| *ours);
    if let Some(known) = among.iter().find(|known| Some(**known) == ours) {
        return Some(known);
    }
    among
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    // Longer names are never close to one of ours, and the table below is quadratic.
    const LONGEST: usize = 120;
    let (a, b): (Vec<char>, Vec<char>) =
        (a.chars().take(LONGEST).collect(), b.chars().take(LONGEST).collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, other) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(letter != other);
            let mut least = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *letter == b[j - 1] && a[i - 1] == *other {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_name_is_found_and_a_distant_one_is_not() {
        let names = ["concurrency", "connections", "calls", "rounds"];
        assert_eq!(closest("concurency", names), Some("concurrency"));
        assert_eq!(closest("call", names), Some("calls"));
        assert_eq!(closest("ruonds", names), Some("rounds"));
        assert_eq!(closest("speed", names), None);
        assert_eq!((closest("string", names), closest("string", ["text"])), (None, Some("text")));
    }

    #[test]
    fn quoted_text_is_escaped_and_cut() {
        assert_eq!(quote("a\u{1b}[2J"), "`a\\u{1b}[2J`");
        assert!(quote(&"x".repeat(500)).chars().count() < 70);
    }
}
